"""The audit as a chain: where each call came from, what the gates said, and its place and hash."""

from peewee import SQL, BigIntegerField, BlobField, Database, IntegerField, TextField
from playhouse.migrate import SchemaMigrator

_IS_SEALED = 'WHERE "seq" IS NOT NULL'


def up(migrator: SchemaMigrator, db: Database) -> None:
    """Adds columns that the release before leaves at their defaults: its rows are sealed like others."""
    columns = {
        "address": TextField(default="", constraints=[SQL("DEFAULT ''")]),
        "client": TextField(default="", constraints=[SQL("DEFAULT ''")]),
        "verdicts": TextField(default="[]", constraints=[SQL("DEFAULT '[]'")]),
        "build": IntegerField(default=0, constraints=[SQL("DEFAULT 0")]),
        "seq": BigIntegerField(null=True),
        "hash": BlobField(null=True),
    }
    migrator.migrate(*(migrator.add_column("audit", name, field) for name, field in columns.items()))
    for statement in (
        f'CREATE UNIQUE INDEX "audit_sealed" ON "audit" ("seq") {_IS_SEALED}',
        'CREATE INDEX "audit_unsealed" ON "audit" ("id") WHERE "seq" IS NULL',
        f'CREATE INDEX "audit_by_time" ON "audit" ("at", "seq") {_IS_SEALED}',
        f'CREATE INDEX "audit_of_user" ON "audit" ("user_id", "at", "seq") {_IS_SEALED}',
        f'CREATE INDEX "audit_in_repository" ON "audit" ("owner", "repo", "at", "seq") {_IS_SEALED}',
        "INSERT INTO settings (key, value) VALUES ('audit_anchor', '0:'), ('audit_head', '0:')",
    ):
        db.execute_sql(statement)
