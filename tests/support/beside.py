"""The store as somebody sees it who opens it beside the server, whichever store the tests use."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

import psycopg

from tests.support import postgres

_TABLES = {
    True: "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename",
    False: "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name",
}


class Opened(Protocol):
    """A connection to it, in SQLite's manner."""

    def execute(self, statement: str, values: Sequence[object] = (), /) -> Any:  # noqa: ANN401
        """Runs a statement with `?` for its values."""


class _Postgres:
    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        self._connection = connection

    def execute(self, statement: str, values: Sequence[object] = (), /) -> Any:  # noqa: ANN401
        text = statement.replace("%", "%%").replace("?", "%s") if values else statement
        return self._connection.execute(text.encode(), values or None)


@contextmanager
def opened(database: Path) -> Iterator[Opened]:
    """Another process's transaction, which is committed at the end."""
    if postgres.is_in_use():
        with psycopg.connect(postgres.url_of(database)) as connection:
            yield _Postgres(connection)
    else:
        with closing(sqlite3.connect(database, timeout=10)) as other, other:
            yield other


@contextmanager
def held(database: Path) -> Iterator[Opened]:
    """Another process that writes, so that the server's writes wait for it until it says ROLLBACK."""
    if postgres.is_in_use():
        with psycopg.connect(postgres.url_of(database), autocommit=True) as connection:
            # Where the two deadlock it is the server that notices, undoes what it did, and does it again.
            connection.execute("SET deadlock_timeout = '10min'")
            connection.execute("BEGIN")
            for table in tables(_Postgres(connection)):
                connection.execute(f'LOCK TABLE "{table}" IN EXCLUSIVE MODE'.encode())
            yield _Postgres(connection)
    else:
        with closing(sqlite3.connect(database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield other


@contextmanager
def away(database: Path) -> Iterator[None]:
    """Has the server's writes fail; on PostgreSQL its reads, too, and nobody else may look."""
    if not postgres.is_in_use():
        with held(database):
            yield
        return
    url = postgres.url_of(database)
    server, _, name = url.rpartition("/")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
        try:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
            )
            yield
        finally:
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())


def tables(store: Opened) -> list[str]:
    """The names of its tables."""
    return [row[0] for row in store.execute(_TABLES[postgres.is_in_use()]).fetchall()]


def everything(store: Opened) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables."""
    return {
        table: sorted(map(tuple, store.execute(f'SELECT * FROM "{table}"').fetchall()), key=repr)
        for table in tables(store)
    }
