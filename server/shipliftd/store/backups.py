"""Checking, copying and putting back a SQLite store."""

import fcntl
import os
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from shipliftd.errors import Precondition

# Any of them would be replayed over another file that takes the name.
_SIDE_FILES = ("-wal", "-shm", "-journal")


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
    """Copies the store, as it is at one moment, to a file that must not exist.

    Raises Precondition when it exists, or cannot be written.
    """
    # Under another name until it is whole: a run that was killed is in no other's way.
    partial = file.with_name(f"{file.name}.partial")
    try:
        held = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise Precondition(f"{file} cannot be written: {error.strerror}") from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        raise Precondition(f"{file} is being written by another shipliftd") from None
    try:
        if file.exists():
            raise _taken(file)
        os.fchmod(held, 0o600)
        os.ftruncate(held, 0)
        with closing(_open(path)) as source, closing(sqlite3.connect(partial)) as target:
            # All pages in one step: one read transaction, which no writer can disturb.
            source.backup(target)
            # A copy that is one file, with no -wal beside it to be forgotten.
            target.execute("PRAGMA journal_mode = delete")
        os.fsync(held)
        _name(partial, file)
    finally:
        partial.unlink(missing_ok=True)
        os.close(held)
    sync(file.parent)


def restore(path: Path, file: Path) -> Path | None:
    """Puts a backup in the store's place; returns where what was there is now.

    The caller holds the store's locks. Raises Precondition when the backup is not sound, or the store is
    being read.
    """
    check(file)
    ready = path.with_name(f"{path.name}.restoring")
    ready.unlink(missing_ok=True)
    backup(file, ready)
    _begin_history(ready)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    kept = path.with_name(f"{path.name}.replaced-{stamp}")
    # Killed at any step, it leaves a store at the path, the old one or the new one, and whole: first the
    # old one becomes a single file, then no file is beside it, then the new one takes its name.
    was_there = path.exists()
    if was_there:
        _settle(path)
        _set_aside(path, kept)
    for side in _SIDE_FILES:
        part = path.with_name(path.name + side)
        if part.exists():
            part.rename(kept.with_name(kept.name + side))
            was_there = True
    sync(path.parent)
    ready.replace(path)
    sync(path.parent)
    check(path)
    return kept if was_there else None


def _begin_history(path: Path) -> None:
    """Has cursors that watches were told since the backup find nothing: other changes take their places."""
    with closing(sqlite3.connect(path)) as store, store:
        store.execute("DELETE FROM settings WHERE key = 'changes_epoch'")


def _settle(path: Path) -> None:
    """Brings what is in the files beside the store into it, and removes them; not if it is damaged."""
    # SQLite would throw away what is beside an empty file.
    if path.stat().st_size == 0:
        return
    try:
        with closing(sqlite3.connect(path, timeout=10)) as old:
            old.execute("SELECT count(*) FROM sqlite_master").fetchone()
            old.execute("PRAGMA journal_mode = delete")
    except sqlite3.DatabaseError as error:
        code = error.sqlite_errorcode & 0xFF
        if code == sqlite3.SQLITE_BUSY:
            raise Precondition(
                f"the store {path} is being read by another process: wait until that has ended"
            ) from error
        if code not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise


def _set_aside(path: Path, kept: Path) -> None:
    """Gives the file a second name."""
    try:
        os.link(path, kept)
    except OSError:
        # A file system without hard links.
        kept.touch(0o600)
        shutil.copyfile(path, kept)
        with kept.open("rb") as copy:
            os.fsync(copy.fileno())


def _name(partial: Path, file: Path) -> None:
    """Gives the file its name, which nothing may have yet."""
    try:
        os.link(partial, file)
    except FileExistsError:
        raise _taken(file) from None
    except OSError:
        # A file system without hard links.
        partial.rename(file)


def _taken(file: Path) -> Precondition:
    return Precondition(f"{file} exists already: name another file, or move it away")


def sync(folder: Path) -> None:
    """Has the names in it on disk."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


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
