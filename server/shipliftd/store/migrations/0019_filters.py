"""Where in a list the builds of a time are."""

from peewee import Database
from playhouse.migrate import SchemaMigrator


def up(_migrator: SchemaMigrator, db: Database) -> None:
    """Adds an index that the release before keeps, too."""
    db.execute_sql('CREATE INDEX "builds_created" ON "builds" ("created", "repo_id", "number", "id")')
