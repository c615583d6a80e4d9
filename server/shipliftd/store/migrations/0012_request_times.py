"""When each request_id was used, so that old ones are found."""

from peewee import BigIntegerField, Database
from playhouse.migrate import SchemaMigrator


def up(migrator: SchemaMigrator, _db: Database) -> None:
    """Adds a column that the release before leaves NULL, and its index; no row is written again."""
    migrator.migrate(
        migrator.add_column("requests", "at", BigIntegerField(null=True)),
        migrator.add_index("requests", ("at",), name="requests_by_time"),
    )
