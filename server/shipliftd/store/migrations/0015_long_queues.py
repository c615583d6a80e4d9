"""What is found without going through all promotions to an environment."""

from peewee import Database
from playhouse.migrate import SchemaMigrator

# The one that failed last there.
_FAILED = (
    "CREATE INDEX builds_failed ON builds (repo_id, deploy_to, number)"
    " WHERE status IN ('failure', 'error') AND parent > 0"
)


def up(_migrator: SchemaMigrator, db: Database) -> None:
    """Adds an index that the release before keeps, too."""
    db.execute_sql(_FAILED)
