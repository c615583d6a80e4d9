"""Users who are disabled."""

from peewee import SQL, BooleanField, Database
from playhouse.migrate import SchemaMigrator


def up(migrator: SchemaMigrator, _db: Database) -> None:
    """Adds a column that the release before leaves at its default."""
    disabled = BooleanField(default=False, constraints=[SQL("DEFAULT FALSE")])
    migrator.migrate(migrator.add_column("users", "disabled", disabled))
