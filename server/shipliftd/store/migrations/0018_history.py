"""What was where at some time: an index for it, and why somebody said what is there."""

from peewee import SQL, Database, TextField
from playhouse.migrate import SchemaMigrator


def up(migrator: SchemaMigrator, _db: Database) -> None:
    """Adds a column that the release before leaves at its default, and widens an index by the time."""
    comment = TextField(default="", constraints=[SQL("DEFAULT ''")])
    migrator.migrate(
        migrator.add_column("arrivals", "comment", comment),
        migrator.add_index("arrivals", ("repo_id", "environment", "id", "at"), name="arrivals_over_time"),
        # The new one begins with the same columns.
        migrator.drop_index("arrivals", "arrivals_in_environment"),
    )
