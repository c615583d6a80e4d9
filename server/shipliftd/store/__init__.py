"""The store: transactions, models, rows, compiled queries, pages, migrations and backups.

Every room but `pipelines` and `gateway` may import it. Start reading in `store.py`: `Store.write` is how
everything gets to disk; then `group_commit.py` (SQLite) and `postgres.py`.
"""

from pathlib import Path

from shipliftd.errors import Precondition
from shipliftd.store.failures import is_away, is_busy, is_damaged, is_defect, is_of_a_store
from shipliftd.store.group_commit import SqliteStore
from shipliftd.store.opening import Lock, open_database
from shipliftd.store.store import Store


def open_store(database: Path | str, connections: int = 10) -> Store:
    """The store in a SQLite file, or at a `postgresql://` URL. Raises Precondition."""
    if isinstance(database, Path):
        return SqliteStore(database)
    try:
        # psycopg, which SQLite does without.
        from shipliftd.store.postgres import PostgresStore
        from shipliftd.store.postgres_database import PostgresUrl
    except ImportError as error:
        raise Precondition(
            "PostgreSQL needs psycopg, which is not installed: pip install 'shiplift[server,postgresql]'"
        ) from error
    return PostgresStore(PostgresUrl.parse(database), connections)


__all__ = [
    "Lock",
    "SqliteStore",
    "Store",
    "is_away",
    "is_busy",
    "is_damaged",
    "is_defect",
    "is_of_a_store",
    "open_database",
    "open_store",
]
