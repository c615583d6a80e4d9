"""The master keys, from a file or a variable: the first one seals, all of them open."""

import base64
import hashlib
import hmac
import logging
import os
import re
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shipliftd.errors import Precondition

FILE, VARIABLE = "--secret-key-file", "SHIPLIFTD_SECRET_KEY"
_KEY_BYTES = 32
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MOST_KEYS = 1000
_WANTED = "wanted lines of ID:BASE64, with 32 bytes in base64, as `shipliftd new-key` prints them"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MasterKey:
    """A master key and what it is called; `repr` shows its id alone."""

    id: str
    secret: bytes = field(repr=False)

    def mac(self, value: str) -> bytes:
        """An HMAC of a value, by which nobody can guess it who has only the store."""
        own = hmac.digest(self.secret, b"shiplift digest", hashlib.sha256)
        return hmac.digest(own, value.encode(), hashlib.sha256)


def new_line() -> str:
    """A fresh key as a line of the file."""
    return f"{secrets.token_hex(4)}:{base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()}"


class Keyring:
    """The master keys; a file is read again when it has changed. Of neither file nor text: none."""

    def __init__(self, path: Path | None = None, text: str = "") -> None:
        """Reads them. Raises Precondition where they do not serve; its words hold no key."""
        if path is not None and text:
            raise Precondition(f"{FILE} and {VARIABLE} are both given: give one of them")
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._keys: Mapping[str, MasterKey] = parse(text, VARIABLE) if text else {}
        if path is not None:
            self._seen, self._keys = _read(path)

    def all(self) -> Mapping[str, MasterKey]:
        """The keys by their ids, in their order, as they are now."""
        path = self._path
        if path is not None:
            try:
                if _mark(path.stat()) != self._seen:
                    self._seen, self._keys = _read(path)
            except (OSError, Precondition) as error:
                # What it said last goes on: the file may be in the middle of being written.
                log.warning("the secret keys are not read again", extra={"error": str(error)})
        return self._keys

    def first(self) -> MasterKey:
        """The key to seal with. Raises Precondition where none is configured."""
        for key in self.all().values():
            return key
        raise Precondition(
            "this server has no key to keep secrets with: its operator makes one with `shipliftd new-key`,"
            f" and gives the server the file with {FILE}",
            reason="SECRETS_NOT_CONFIGURED",
            violations=[("key", "is not configured")],
        )


def parse(text: str, where: str) -> Mapping[str, MasterKey]:
    """The keys of lines. Raises Precondition; its words hold nothing of what is no id."""
    found: dict[str, MasterKey] = {}
    for number, line in enumerate(text.splitlines()[:_MOST_KEYS], 1):
        if not line.strip() or line.startswith("#"):
            continue
        key_id, _, encoded = line.strip().partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except ValueError:
            key = b""
        if _ID.fullmatch(key_id) is None or len(key) != _KEY_BYTES:
            raise Precondition(f"{where}, line {number}: is no key: {_WANTED}")
        if key_id in found:
            raise Precondition(f"{where}, line {number}: there is a key {key_id!r} before it already")
        found[key_id] = MasterKey(key_id, key)
    if not found:
        raise Precondition(f"{where} has no key: {_WANTED}")
    return found


def _mark(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read(path: Path) -> tuple[tuple[int, int, int], Mapping[str, MasterKey]]:
    """A mark of the file as it is, and its keys."""
    try:
        found = path.stat()
        if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise Precondition(
                f"{FILE} {path} can be read or written by others: chmod 600 it, it opens every secret"
            )
        text = path.read_text("ascii")
    except OSError as error:
        raise Precondition(f"{FILE} {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Precondition(f"{FILE} {path} is not ASCII: {_WANTED}") from None
    return _mark(found), parse(text, f"{FILE} {path}")
