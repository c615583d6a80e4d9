"""What is found without going through all promotions to an environment."""

from peewee import Database
from playhouse.migrate import SchemaMigrator

# The one that failed last there.
_FAILED = (
    "CREATE INDEX builds_failed ON builds (repo_id, deploy_to, number)"
    " WHERE status IN ('failure', 'error') AND deploy_to <> ''"
)
# What goes next there.
_QUEUED = (
    "CREATE INDEX builds_queued ON builds (repo_id, deploy_to, event DESC, number)"
    " WHERE status IN ('blocked', 'waiting_on_dependencies', 'pending', 'running') AND parent > 0"
    " AND waits = 9007199254740992"
)
# When an origin first succeeded.
_SUCCEEDED = (
    "CREATE INDEX builds_succeeded ON builds (repo_id, origin, deploy_to, finished)"
    " WHERE status = 'success' AND parent > 0"
)


def up(_migrator: SchemaMigrator, db: Database) -> None:
    """Adds indexes that the release before keeps, too."""
    for index in (_FAILED, _QUEUED, _SUCCEEDED):
        db.execute_sql(index)
