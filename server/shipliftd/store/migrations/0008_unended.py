"""What has not ended, over all repositories, newest first."""

from peewee import Database
from playhouse.migrate import SchemaMigrator

# Frozen: the statuses that were no end at this migration.
_INDEX = (
    "CREATE INDEX builds_unended ON builds (id)"
    " WHERE status IN ('blocked', 'waiting_on_dependencies', 'pending', 'running')"
)


def up(_migrator: SchemaMigrator, db: Database) -> None:
    """Adds an index that the release before keeps, too."""
    db.execute_sql(_INDEX)
