"""What the caller of a build should know of it although nothing was refused."""

from peewee import SQL, Database, TextField
from playhouse.migrate import SchemaMigrator


def up(migrator: SchemaMigrator, db: Database) -> None:
    """Adds a column that the release before leaves at its default."""
    migrator.migrate(
        migrator.add_column(
            "builds", "warnings", TextField(default="[]", constraints=[SQL("DEFAULT '[]'")])
        ),
    )
