"""What the fields of requests may hold. Pure: a rule adds its faults to a list, all of them.

The rules are those that the comments in `protos/` state.
"""

import re
from collections.abc import Collection, Iterable
from itertools import islice
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from shipliftd.errors import Invalid, shown

T = TypeVar("T")

NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
TARGET = re.compile(r"[A-Za-z0-9._/-]{1,100}")
PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_COMMIT = re.compile(r"[0-9a-fA-F]{0,64}")
# What else stands in no URL, and a leading '-' that git or ssh would take for an option.
_URL = re.compile(r"[^\x00-\x20\x7f\\]+")
# user@host:path, as git reads it: the path does not begin as a port or a second slash.
_SCP = re.compile(
    r"(?:(?P<user>[^/@:]+)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^/@:\[\]]+):(?P<path>[^/].*|/[^/].*)"
)
_HTTP_SCHEMES = ("https", "http")
_SSH_SCHEMES = ("ssh", "git+ssh")
_MOST_URL = 2000
_MOST_PATHS = 100
_REQUEST_ID = re.compile(r"[ -~]{0,128}")
# 9999-12-31T23:59:59Z, the last second that a Timestamp holds.
_LAST_SECOND = 253402300799
# In seconds, 10,000 years: the longest that a Duration holds.
_LONGEST = 315576000000
# Nobody reads more, and looking for them would hold the server up.
_MOST_FAULTS = 1000


def is_name(name: str) -> bool:
    """Whether an owner, repository or login may be called this."""
    return NAME.fullmatch(name) is not None and name not in (".", "..")


def milliseconds(time: Timestamp | Duration) -> int:
    """A time as milliseconds since 1970, or a length of time as milliseconds; 0 when it is unset."""
    return time.seconds * 1000 + time.nanos // 1_000_000


def in_seconds(length: Duration) -> str:
    """A length of time in words."""
    return f"{length.seconds + length.nanos / 1_000_000_000:.12g} s"


class Faults:
    """The faults found in a request so far."""

    def __init__(self, found: Iterable[tuple[str, str]] = ()) -> None:
        self._found = list(found)

    def add(self, field: str, description: str) -> None:
        """Notes that a field is wrong, and what it should be; raises Invalid when it is the thousandth."""
        self._found.append((field, description))
        if len(self._found) >= _MOST_FAULTS:
            self.refuse()

    def refuse(self) -> None:
        """Raises Invalid with every fault, if there are any."""
        if self._found:
            raise Invalid(self._found)

    def few(self, field: str, values: Collection[T], most: int) -> list[T]:
        """The values, of which only so many are taken; a request of millions is not looked through."""
        if len(values) > most:
            self.add(field, f"{len(values)} of them: at most {most}")
        return list(islice(values, most))

    def mask(self, field: str, mask: FieldMask, allowed: Collection[str]) -> set[str]:
        """The fields that a mask names, of those that can be changed."""
        wanted = ", ".join(sorted(allowed))
        named = set(self.few(field, mask.paths, _MOST_PATHS))
        for path in mask.paths[:_MOST_PATHS]:
            if path not in allowed:
                self.add(field, f"{shown(path)} cannot be changed: wanted {wanted}")
        if not named:
            self.add(field, f"is empty: name what to change, of {wanted}")
        return named.intersection(allowed)

    def name(self, field: str, value: str) -> None:
        """An owner's, repository's or user's name."""
        if not is_name(value):
            self.add(
                field,
                f"{shown(value)} is not a name: wanted 1 to 100 of letters, digits, '.', '_', '-',"
                " and not '.' or '..'",
            )

    def only_of(self, owner: str, repo: str) -> None:
        """What narrows a request: an owner, a repository by both its names, or nothing."""
        if owner:
            self.name("owner", owner)
        if repo:
            self.name("repo", repo)
            if not owner and is_name(repo):
                self.add("owner", "is empty: a repository is named by both")

    def target(self, field: str, value: str) -> None:
        """An environment's name."""
        if not value:
            self.add(field, "is empty: name the environment to promote to, such as 'production'")
        elif TARGET.fullmatch(value) is None:
            self.add(
                field,
                f"{shown(value)} is not an environment's name: wanted 1 to 100 of letters, digits,"
                " '.', '_', '-', '/'",
            )

    def text(self, field: str, value: str, most: int) -> None:
        """A text of at most so many characters, without NUL (PostgreSQL stores none)."""
        if len(value) > most:
            self.add(field, f"has {len(value)} characters: at most {most} are taken")
        self._no_nul(field, value)

    def long_text(self, field: str, value: str, most: int) -> None:
        """A text of at most so many bytes, without NUL."""
        if (size := len(value.encode())) > most:
            self.add(field, f"has {size} bytes: at most {most} are taken")
        self._no_nul(field, value)

    def _no_nul(self, field: str, value: str) -> None:
        if "\0" in value:
            self.add(field, "has a NUL character: leave it out")

    def commit(self, field: str, value: str) -> None:
        """A commit's hash, or nothing."""
        if _COMMIT.fullmatch(value) is None:
            self.add(field, f"{shown(value)} is not a commit: wanted at most 64 hexadecimal digits")

    def http_url(self, field: str, value: str) -> None:
        """Where a repository is cloned over HTTP, or nothing; never with credentials, for it is shown."""
        if not self._is_url(field, value):
            return
        parts = _split(value)
        if parts is None or parts.scheme not in _HTTP_SCHEMES or not parts.hostname:
            self.add(field, f"{_bare(value)} is not a URL to clone over HTTP: wanted https://HOST/PATH")
        elif parts.username is not None:
            self.add(
                field,
                "has credentials in it, which everybody who may see the repository would see: leave them"
                " out (the server's --netrc-file is for them)",
            )

    def ssh_url(self, field: str, value: str) -> None:
        """Where a repository is cloned over SSH, or nothing; a user's name may stand there, no password."""
        if not self._is_url(field, value):
            return
        wanted = "wanted USER@HOST:PATH or ssh://USER@HOST/PATH"
        if "://" not in value:
            scp = _SCP.fullmatch(value)
            # `name:password@host:path` is, to git, the path `password@...` on the host `name`.
            is_odd = scp is None or "@" in scp["path"] or "-" in (value[0], scp["host"][0])
            if is_odd:
                self.add(field, f"{_bare(value)} is not a URL to clone over SSH: {wanted}")
            return
        parts = _split(value)
        if (
            parts is None
            or parts.scheme not in _SSH_SCHEMES
            or not parts.hostname
            or parts.hostname.startswith("-")
            or (parts.username or "").startswith("-")
        ):
            self.add(field, f"{_bare(value)} is not a URL to clone over SSH: {wanted}")
        elif parts.password is not None:
            self.add(
                field,
                "has a password in it, which everybody who may see the repository would see: leave it out",
            )

    def _is_url(self, field: str, value: str) -> bool:
        """Whether there is a URL to look at closer."""
        if len(value) > _MOST_URL or "\0" in value:
            self.text(field, value, _MOST_URL)
            return False
        if value and _URL.fullmatch(value) is None:
            self.add(field, f"{_bare(value)} has a blank, a control character or a backslash")
            return False
        return bool(value)

    def positive(self, field: str, value: int) -> None:
        """A number that counts from 1."""
        if value < 1:
            self.add(field, f"is {value}: wanted 1 or above")

    def not_negative(self, field: str, value: int) -> None:
        """A number that may be 0."""
        if value < 0:
            self.add(field, f"is {value}: wanted 0 or above")

    def request_id(self, value: str) -> None:
        """A request_id, or nothing."""
        if _REQUEST_ID.fullmatch(value) is None:
            self.add("request_id", f"{shown(value)}: wanted 1 to 128 printable ASCII characters")

    def word(self, field: str, value: int, allowed: Iterable[int], names: Iterable[str]) -> None:
        """An enum's value, of those that are allowed here."""
        if value not in allowed:
            self.add(field, f"{value} is not allowed here: wanted one of {', '.join(names)}")

    def time(self, field: str, value: Timestamp) -> int:
        """A time, as milliseconds since 1970; 0 when it is unset or wrong."""
        if not 0 <= value.seconds <= _LAST_SECOND or not 0 <= value.nanos < 1_000_000_000:
            self.add(field, f"{value.seconds} s is not a time between 1970 and 9999")
            return 0
        return milliseconds(value)

    def duration(self, field: str, value: Duration) -> None:
        """A length of time, or nothing."""
        if not 0 <= value.seconds <= _LONGEST or not 0 <= value.nanos < 1_000_000_000:
            self.add(field, f"is {in_seconds(value)}: wanted 0 or above, at most 10,000 years")


def _split(url: str) -> SplitResult | None:
    """A URL's parts; None when it is none."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # which is parsed only now
    except ValueError:
        return None
    return parts


def _bare(url: str) -> str:
    """A URL as an error may show it: what may hold a password is not shown."""
    return "this" if "@" in url else shown(url)
