"""What all tables have, and the words that several of them store."""

from peewee import SQL, Check, DatabaseProxy, Model, NodeList, TextField

database = DatabaseProxy()

STATUSES = (
    "skipped",
    "blocked",
    "declined",
    "waiting_on_dependencies",
    "pending",
    "running",
    "success",
    "failure",
    "killed",
    "error",
)
ENDED = frozenset({"skipped", "declined", "success", "failure", "killed", "error"})
FAILED = frozenset({"failure", "killed", "error"})
UNENDED = tuple(status for status in STATUSES if status not in ENDED)
IS_UNENDED = f"status IN ({', '.join(repr(status) for status in UNENDED)})"
EVENTS = ("push", "pull_request", "tag", "cron", "custom", "promote", "rollback")
VISIBILITIES = ("private", "internal", "public")


def one_of(column: str, words: tuple[str, ...], name: str) -> SQL | NodeList:
    """A named constraint: the column holds one of the words."""
    return Check(f"{column} IN ({', '.join(repr(word) for word in words)})", name)


class Table(Model):
    class Meta:
        database = database
        legacy_table_names = False


class Setting(Table):
    """What belongs to the store as a whole: its secret key, the oldest release that may open it."""

    key = TextField(primary_key=True)
    value = TextField()

    class Meta:
        table_name = "settings"
