"""Settings of repositories: whether one is active, whether its runners bring their own secrets."""

from peewee import SQL, BooleanField, Database
from playhouse.migrate import SchemaMigrator


def up(migrator: SchemaMigrator, _db: Database) -> None:
    """Adds columns that the release before leaves at their defaults."""
    active = BooleanField(default=True, constraints=[SQL("DEFAULT TRUE")])
    runner_secrets = BooleanField(default=False, constraints=[SQL("DEFAULT FALSE")])
    migrator.migrate(
        migrator.add_column("repositories", "active", active),
        migrator.add_column("repositories", "runner_secrets", runner_secrets),
    )
