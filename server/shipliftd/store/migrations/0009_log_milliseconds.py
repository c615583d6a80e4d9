"""When a line of a log came, to the millisecond."""

from peewee import BigIntegerField, Database
from playhouse.migrate import SchemaMigrator


def up(migrator: SchemaMigrator, _db: Database) -> None:
    """Adds a column that the release before leaves NULL; the rows that are there are not written again."""
    migrator.migrate(migrator.add_column("log_lines", "milliseconds", BigIntegerField(null=True)))
