"""Migrations that are killed before each of their statements, and taken up again: a process of its own.

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
from contextlib import closing
from pathlib import Path
from typing import Any

from shipliftd.store import SqliteStore, schema

Migrated = dict[str, list[tuple[Any, ...]]]


def content(database: Path) -> Migrated:
    """Every table's rows, and the schema; without what differs from one run to the next."""
    with closing(sqlite3.connect(database)) as store:
        tables = [row[0] for row in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {table: sorted(store.execute(f"SELECT * FROM {table}"), key=repr) for table in tables}
        found["sqlite_master"] = store.execute(
            "SELECT type, name, sql FROM sqlite_master ORDER BY name"
        ).fetchall()
        # When each was applied, and, of a new store, the secret.
        found[schema.HISTORY] = store.execute(f"SELECT name FROM {schema.HISTORY} ORDER BY name").fetchall()
        found["settings"] = store.execute("SELECT key FROM settings ORDER BY key").fetchall()
    return found


def migrate(database: Path) -> None:
    """What a start does."""
    store = SqliteStore(database)
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


def traced(told: Callable[[str], None]) -> None:
    """Tells of each statement on any connection before it runs."""
    connect: Callable[..., sqlite3.Connection] = sqlite3.connect

    def connecting(*args: Any, **kwargs: Any) -> sqlite3.Connection:  # noqa: ANN401
        connection = connect(*args, **kwargs)
        connection.set_trace_callback(told)
        return connection

    sqlite3.connect = connecting  # type: ignore[assignment]


def copied(source: Path, folder: Path) -> Path:
    """A copy of the store in an empty folder; of none, where it is to be."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    database = folder / "shiplift.db"
    if source.exists():
        shutil.copy(source, database)
    return database


def count(database: Path) -> int:
    """How many statements it takes to migrate the store, which is so then."""
    seen = database.with_name("statements")

    def work() -> None:
        statements: list[str] = []
        traced(statements.append)
        migrate(database)
        seen.write_text(str(len(statements)))

    assert forked(work) == 0
    return int(seen.read_text())


def killed_before(database: Path, statement: int) -> int:
    """Migrates the store, and is killed before the so-manieth statement."""

    def work() -> None:
        left = statement

        def told(_sql: str) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        traced(told)
        migrate(database)

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
        ended = killed_before(database, statement), forked(lambda at=database: migrate(at))  # type: ignore[misc]
        found = content(database)
        unlike = sorted(
            name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)
        )
        if ended != (-signal.SIGKILL, 0) or unlike:
            wrong.append([statement, *ended, *unlike])
    print(json.dumps({"statements": statements, "tried": len(tried), "wrong": wrong}))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
