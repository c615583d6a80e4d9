"""Checking, copying and putting back a SQLite store."""

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from shipliftd.errors import Precondition

_SIDE_FILES = ("-wal", "-shm")


def check(path: Path) -> list[str]:
    """What there is in the store, a line each. Raises Precondition when its integrity is broken."""
    with closing(_open(path)) as source:
        try:
            found = [row[0] for row in source.execute("PRAGMA integrity_check")]
            broken = source.execute("PRAGMA foreign_key_check").fetchall()
        except sqlite3.DatabaseError as error:
            raise Precondition(f"{path} is damaged: {error}; restore a backup") from error
        if found != ["ok"] or broken:
            told = [*(found if found != ["ok"] else []), *(str(row) for row in broken[:5])]
            raise Precondition(f"{path} is damaged: {'; '.join(told[:10])}; restore a backup")
        counts = [
            f"{source.execute(f'SELECT count(*) FROM {table}').fetchone()[0]} {table}"  # noqa: S608
            for table in ("repositories", "builds", "users")
        ]
    return [f"{path}: ok, {', '.join(counts)}"]


def backup(path: Path, file: Path) -> None:
    """Copies the store, as it is at one moment, to a file that must not exist."""
    try:
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        raise Precondition(f"{file} exists already: name another file, or move it away") from None
    except OSError as error:
        raise Precondition(f"{file} cannot be written: {error.strerror}") from error
    try:
        with closing(_open(path)) as source, closing(sqlite3.connect(file)) as target:
            # All pages in one step: one read transaction, which no writer can disturb.
            source.backup(target)
            # A copy that is one file, with no -wal beside it to be forgotten.
            target.execute("PRAGMA journal_mode = delete")
    except BaseException:
        file.unlink()
        raise


def restore(path: Path, file: Path) -> Path | None:
    """Puts a backup in the store's place; returns where what was there is now.

    The caller holds the store's lock. Raises Precondition when the backup is not sound.
    """
    check(file)
    ready = path.with_name(f"{path.name}.restoring")
    ready.unlink(missing_ok=True)
    backup(file, ready)
    kept = None
    if path.exists():
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        kept = path.with_name(f"{path.name}.replaced-{stamp}")
        for side in ("", *_SIDE_FILES):
            part = path.with_name(path.name + side)
            if part.exists():
                part.rename(kept.with_name(kept.name + side))
    with ready.open("rb") as copy:
        os.fsync(copy.fileno())
    ready.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
    return kept


def _open(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise Precondition(f"there is no store at {path}: name it with --database")
    connection = sqlite3.connect(path, timeout=10)
    try:
        connection.execute("SELECT count(*) FROM builds").fetchone()
    except sqlite3.DatabaseError as error:
        connection.close()
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_CORRUPT:
            raise Precondition(f"{path} is damaged: {error}; restore a backup") from error
        raise Precondition(f"{path} is not a store of Shiplift's: {error}") from error
    return connection
