"""The trace that each build was asked for in."""

from peewee import Database, TextField
from playhouse.migrate import SchemaMigrator


def up(migrator: SchemaMigrator, _db: Database) -> None:
    """Adds a column that the release before leaves NULL."""
    migrator.migrate(migrator.add_column("builds", "traceparent", TextField(null=True)))
