"""Which builds are newer than a loss: what was promoted after it settles the environment."""

from peewee import SQL, Database, IntegerField
from playhouse.migrate import SchemaMigrator

# What the release before notes is settled by hand alone, as it was there.
NEVER = 2**31 - 1


def up(migrator: SchemaMigrator, db: Database) -> None:
    """Adds a column that the release before leaves at its default."""
    column = IntegerField(default=NEVER, constraints=[SQL(f"DEFAULT {NEVER}")])
    migrator.migrate(migrator.add_column("lost", "newest", column))
    # Nothing was promoted there since.
    db.execute_sql(
        "UPDATE lost SET newest = (SELECT counter FROM repositories WHERE repositories.id = lost.repo_id)"
    )
