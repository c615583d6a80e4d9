"""Migrations that are killed before each of their statements, and taken up again: a process of its own.

On PostgreSQL they are killed before each time that they talk to it, which is at COMMIT, too.

    python -m tests.support.interrupted MIGRATIONS STORE FOLDER EVERY

migrates a copy of the store in FOLDER for every so-manieth statement. It prints as JSON how many there
are, before how many it was killed, and what was not then as it is without a kill. This release's
migrations are taken to be those in MIGRATIONS. It forks, which a process with gRPC's threads cannot.
"""

import json
import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from shipliftd.store import open_store, schema

from tests.support import postgres
from tests.support.beside import everything, opened

Migrated = dict[str, list[tuple[Any, ...]]]


_SCHEMA = {
    False: ("SELECT type, name, sql FROM sqlite_master ORDER BY name",),
    True: (
        "SELECT table_name, ordinal_position, column_name, data_type, is_nullable, column_default,"
        " collation_name FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2",
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2",
    ),
}


def content(database: Path) -> Migrated:
    """Every table's rows, and the schema; without what differs from one run to the next."""
    with opened(database) as store:
        found = everything(store)
        for n, statement in enumerate(_SCHEMA[postgres.is_in_use()]):
            found[f"schema {n}"] = store.execute(statement).fetchall()
        # When each was applied, and, of a new store, the secret.
        found[schema.HISTORY] = store.execute(f"SELECT name FROM {schema.HISTORY} ORDER BY name").fetchall()
        found["settings"] = store.execute("SELECT key FROM settings ORDER BY key").fetchall()
    return found


def place_of(database: Path) -> Path | str:
    """The store as `open_store` takes it; asks PostgreSQL, which is not to be counted."""
    return postgres.url_of(database) if postgres.is_in_use() else database


def migrate(place: Path | str) -> None:
    """What a start does."""
    store = open_store(place)
    store.migrate()
    store.close()


def forked(work: Callable[[], None]) -> int:
    """How a process ends that does this: 0, or as `os.waitstatus_to_exitcode` has it."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except Exception as error:
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def traced(told: Callable[[], None]) -> None:
    """Tells of each statement on any connection before it runs."""
    connect: Callable[..., sqlite3.Connection] = sqlite3.connect
    wait: Callable[..., Any] = psycopg.Connection.wait

    def connecting(*args: Any, **kwargs: Any) -> sqlite3.Connection:  # noqa: ANN401
        connection = connect(*args, **kwargs)
        connection.set_trace_callback(lambda _sql: told())
        return connection

    def waiting(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        told()
        return wait(*args, **kwargs)

    sqlite3.connect = connecting  # type: ignore[assignment]
    psycopg.Connection.wait = waiting  # type: ignore[method-assign]


def copied(source: Path, folder: Path) -> Path:
    """A copy of the store in an empty folder; of none, where it is to be."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    database = folder / "shiplift.db"
    if postgres.is_in_use():
        postgres.copy(source, database)
    elif source.exists():
        shutil.copy(source, database)
    return database


def count(database: Path) -> int:
    """How many statements it takes to migrate the store, which is so then."""
    seen, place = database.with_name("statements"), place_of(database)

    def work() -> None:
        statements = 0

        def told() -> None:
            nonlocal statements
            statements += 1

        traced(told)
        migrate(place)
        seen.write_text(str(statements))

    assert forked(work) == 0
    return int(seen.read_text())


def killed_before(database: Path, statement: int) -> int:
    """Migrates the store, and is killed before the so-manieth statement."""
    place = place_of(database)

    def work() -> None:
        left = statement

        def told() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        traced(told)
        migrate(place)

    return forked(work)


def main(migrations: str, source: str, folder: str, every: str) -> None:
    """Tries it all."""
    schema.MIGRATIONS = Path(migrations)
    whole = copied(Path(source), Path(folder) / "whole")
    statements = count(whole)
    wanted, wrong = content(whole), []
    tried = range(1, statements + 1, int(every))
    for statement in tried:
        database = copied(Path(source), Path(folder) / "killed")
        ended = killed_before(database, statement), forked(partial(migrate, place_of(database)))
        found = content(database)
        unlike = sorted(
            name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)
        )
        if ended != (-signal.SIGKILL, 0) or unlike:
            wrong.append([statement, *ended, *unlike])
    print(json.dumps({"statements": statements, "tried": len(tried), "wrong": wrong}))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
