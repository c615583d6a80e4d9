"""Watching the file beside the store that grows as long as somebody reads an old state: the WAL."""

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

log = logging.getLogger(__name__)

# What SQLite leaves of the file once it starts anew, so no more is ever there for long.
MOST_BYTES = 64 * 1024 * 1024
# Writers wait meanwhile.
_BUSY_SECONDS = 0.05
_TO_DO = (
    "another process has been reading the store for long, such as a backup or a sqlite3 shell:"
    " end it, or wait until it ends (`fuser -v` with this file names who has it open)"
)


class Wal:
    """The WAL of a store; says so when it can no longer be emptied, and when it can again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.file = path.with_name(f"{path.name}-wal")
        self._is_held = False

    def is_large(self) -> bool:
        """Whether it should be emptied, or was held when that was last tried."""
        return self._is_held or self._bytes() > MOST_BYTES

    def tend(self) -> None:
        """Empties it. For a thread: it may have to be copied into the store first."""
        is_held = not self._emptied()
        if is_held and not self._is_held:
            told = {"file": str(self.file), "bytes": self._bytes(), "to_do": _TO_DO}
            log.warning("the WAL grows and cannot be emptied", extra=told)
        elif self._is_held and not is_held:
            log.info("the WAL is emptied again", extra={"file": str(self.file)})
        self._is_held = is_held

    def _bytes(self) -> int:
        return self.file.stat().st_size if self.file.exists() else 0

    def _emptied(self) -> bool:
        with closing(sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None)) as other:
            # Stops nobody, and tells whether somebody reads what is older than its end.
            _, pages, copied = other.execute("PRAGMA wal_checkpoint(passive)").fetchone()
            if copied < pages:
                return False
            is_busy, _, _ = other.execute("PRAGMA wal_checkpoint(truncate)").fetchone()
            return not is_busy
