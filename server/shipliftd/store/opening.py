"""Opening the store's file: its settings, and who may have it at a time."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Self

import peewee
from peewee import SqliteDatabase

from shipliftd.errors import Precondition

PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": "full",
    "foreign_keys": 1,
    "cache_size": -64 * 1024,
    "temp_store": "memory",
    # A checkpoint a thousand pages stalled one commit in twenty under load.
    "wal_autocheckpoint": 4000,
    "journal_size_limit": 64 * 1024 * 1024,
}


class Lock:
    """Holds the store against a second server, until closed or the process ends.

    Commands that write work beside a server; a restore works beside neither.
    """

    def __init__(
        self,
        path: Path,
        suffix: str = ".lock",
        kind: int = fcntl.LOCK_EX,
        held: str = "in use by another shipliftd: stop that one first,"
        " or name another file with --database",
    ) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path.with_name(path.name + suffix), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise _cannot_open(path, error) from error
        try:
            fcntl.flock(self._file, kind | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._file)
            raise Precondition(f"the store {path} is {held}") from error

    @classmethod
    def of_command(cls, path: Path) -> Self:
        """Holds it against a restore."""
        return cls(path, ".admin-lock", fcntl.LOCK_SH, "being restored: wait until that has ended")

    @classmethod
    def of_restore(cls, path: Path) -> Self:
        """Holds it against commands."""
        held = "being written to by another command: wait until that has ended"
        return cls(path, ".admin-lock", fcntl.LOCK_EX, held)

    def close(self) -> None:
        """Lets go."""
        os.close(self._file)


def open_database(path: Path, timeout: float) -> SqliteDatabase:
    """Opens the file, which is made (0600) if it is not there; its words are for people."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _make(path)
        # The commit has a thread of its own, which uses the connection while no other does.
        database = SqliteDatabase(str(path), pragmas=PRAGMAS, timeout=timeout, check_same_thread=False)
        database.connect()
    except (OSError, peewee.DatabaseError) as error:
        raise _cannot_open(path, error) from error
    return database


def _make(path: Path) -> None:
    """Makes an empty file where there is none.

    One that is there is not opened: to close it would give up the locks of this process's connections to
    it (POSIX takes all of a process at once), and the next command to end would remove the -wal in use.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _cannot_open(path: Path, error: Exception) -> Precondition:
    return Precondition(
        f"the store {path} cannot be opened ({error}): it must be a SQLite file that is sound, or a new"
        " one in a directory that may be written to"
    )
