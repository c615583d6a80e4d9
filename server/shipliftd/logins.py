"""The logins to clone with, from the netrc file of the settings."""

import logging
import netrc
import os
import stat
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from shipliftd.errors import Precondition

log = logging.getLogger(__name__)


class Login(NamedTuple):
    """A login for a machine."""

    machine: str
    login: str
    password: str

    def __repr__(self) -> str:
        """Without the secret, wherever it is shown."""
        return f"Login({self.machine!r})"


class Logins:
    """The logins of a netrc file, which is read again when it has changed; of no file, none."""

    def __init__(self, path: Path | None) -> None:
        """Reads the file. Raises Precondition where it does not serve."""
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._found: dict[str, Login] = {}
        if path is not None:
            self._seen, self._found = _read(path)

    def to_clone(self, url: str) -> Login | None:
        """The login for the host of a URL; None without one, and where the URL is not an HTTPS one."""
        if self._path is None or not url:
            return None
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname:
            return None
        self._renew(self._path)
        return self._found.get(parts.hostname)

    def _renew(self, path: Path) -> None:
        try:
            if _mark(path.stat()) != self._seen:
                self._seen, self._found = _read(path)
        except (OSError, Precondition) as error:
            # What it said last goes on: the file may be in the middle of being written.
            log.warning("the netrc file is not read again", extra={"error": str(error)})


def _mark(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read(path: Path) -> tuple[tuple[int, int, int], dict[str, Login]]:
    """A mark of the file as it is, and its logins by machine.

    What it says of `default` is left out: it would go anywhere.
    """
    try:
        found = path.stat()
        if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise Precondition(
                f"--netrc-file {path} can be read or written by others: chmod 600 it, it has passwords"
            )
        hosts = netrc.netrc(str(path)).hosts
    except OSError as error:
        raise Precondition(f"--netrc-file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Precondition(f"--netrc-file {path} is not UTF-8") from None
    except netrc.NetrcParseError as error:
        # Its message may be made of what stands there.
        raise Precondition(
            f"--netrc-file {path}, near line {error.lineno}: is not what a netrc file has"
        ) from None
    return _mark(found), {
        machine.lower(): Login(machine, login, password)
        for machine, (login, _, password) in hosts.items()
        if machine != "default" and password
    }
