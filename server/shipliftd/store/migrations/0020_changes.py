"""Changes for those who watch: of stages, steps and environments too, and in which order they are told."""

from peewee import SQL, BigIntegerField, Database, SqliteDatabase, TextField
from playhouse.migrate import SchemaMigrator


def up(migrator: SchemaMigrator, db: Database) -> None:
    """Adds columns that the release before leaves at their defaults.

    What it wrote was told to nobody, and goes but for the newest row, from which the order goes on.
    """
    columns = {
        "stage_id": BigIntegerField(default=0, constraints=[SQL("DEFAULT 0")]),
        "step_id": BigIntegerField(default=0, constraints=[SQL("DEFAULT 0")]),
        "status": TextField(default="", constraints=[SQL("DEFAULT ''")]),
        "environment": TextField(default="", constraints=[SQL("DEFAULT ''")]),
        "seq": BigIntegerField(null=True),
    }
    db.execute_sql('DELETE FROM "changes" WHERE "id" < (SELECT max("id") FROM "changes")')
    migrator.migrate(*(migrator.add_column("changes", name, field) for name, field in columns.items()))
    if isinstance(db, SqliteDatabase):
        # One writes at a time, so ids are in the order of commits.
        db.execute_sql('CREATE INDEX "changes_in_repository" ON "changes" ("repo_id", "id")')
        return
    for statement in (
        'CREATE UNIQUE INDEX "changes_in_order" ON "changes" ("seq")',
        'CREATE INDEX "changes_unnumbered" ON "changes" ("id") WHERE "seq" IS NULL',
        'CREATE INDEX "changes_in_repository" ON "changes" ("repo_id", "seq")',
    ):
        db.execute_sql(statement)
