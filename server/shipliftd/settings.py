"""The settings of a server, from flags and `SHIPLIFTD_*` variables; see `shipliftd serve --help`."""

import ipaddress
import re
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Self

import platformdirs

from shipliftd.errors import Precondition

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+")
_PUBLIC_URL = re.compile(
    r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?(/[A-Za-z0-9._~-]+)*/?"
)
_AGE = re.compile(r"([1-9][0-9]{0,5})([hd])")


@dataclass(frozen=True, slots=True)
class Tls:
    """How the addresses that are listened on are protected."""

    cert: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None
    insecure: bool = False

    def check(self) -> None:
        """Raises Precondition where the files contradict each other."""
        if (self.cert is None) != (self.key is None):
            raise Precondition("--tls-cert and --tls-key go together: give both or none")
        if self.client_ca is not None and self.cert is None:
            raise Precondition("--tls-client-ca needs --tls-cert and --tls-key")

    def check_address(self, flag: str, address: str, example: str) -> None:
        """Raises Precondition for what is no address, or one where callers would be exposed."""
        if not address.startswith("unix:") and not _is_host_and_port(address):
            raise Precondition(
                f"{flag} {address!r} is not an address: wanted HOST:PORT with a port of 0 to 65535,"
                f" such as {example}, or unix:PATH"
            )
        if self.cert is None and not self.insecure and not is_local(address):
            raise Precondition(
                f"{address} is reachable from elsewhere, and tokens would travel in the clear:"
                " give --tls-cert and --tls-key, or --insecure where something before it does TLS"
            )


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """Where the JSON gateway listens, and the pages of which origins may call it."""

    listen: str
    cors_origins: tuple[str, ...] = ()

    def check(self, tls: Tls) -> None:
        """Raises Precondition for an address or an origin that is none."""
        tls.check_address("--http", self.listen, "127.0.0.1:8080")
        for origin in self.cors_origins:
            if origin != "*" and _ORIGIN.fullmatch(origin) is None:
                raise Precondition(
                    f"--cors-origin {origin!r} is not an origin: wanted a scheme, a host, perhaps a port,"
                    " such as https://deploy.example.org, with nothing behind; or * for all"
                )


def check_public_url(url: str) -> None:
    """Raises Precondition for what is no address of a page; '' is none."""
    if url and _PUBLIC_URL.fullmatch(url) is None:
        raise Precondition(
            f"--public-url {url!r} is not an address: wanted http:// or https://, a host, perhaps a port"
            " and a path, such as https://deploy.example.org"
        )


# Whoever watches comes back within hours.
_CHANGES = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Retention:
    """How long what only grows is kept; None: for ever."""

    logs: timedelta | None = None
    audit: timedelta | None = None
    requests: timedelta | None = None
    changes: timedelta = _CHANGES

    @classmethod
    def of(cls, logs: str | None, audit: str | None, requests: str | None, changes: str) -> Self:
        """Of words such as 90d. Raises Precondition."""
        of_changes = _age("changes", changes) or _CHANGES
        return cls(_age("logs", logs), _age("audit", audit), _age("requests", requests), of_changes)


@dataclass(frozen=True, slots=True)
class Limits:
    """How many calls of each kind may be under way at once, and which share of them with one token."""

    reads: int = 2048
    writes: int = 256
    waits: int = 8192
    token_share: float = 0.5

    def check(self) -> None:
        """Raises Precondition for limits that would refuse every call."""
        for flag, most in (("reads", self.reads), ("writes", self.writes), ("waits", self.waits)):
            if most < 1:
                raise Precondition(f"--max-{flag} {most} would refuse every call: wanted 1 or more")
        if not 0 < self.token_share <= 1:
            raise Precondition(
                f"--token-share {self.token_share:g} is no share: wanted more than 0, and 1 at the most"
            )


@dataclass(frozen=True, slots=True)
class Settings:
    """What a server is told when it starts."""

    database: Path | str
    listen: str = "127.0.0.1:50051"
    tls: Tls = Tls()
    http: HttpSettings | None = None
    refuse_params: tuple[str, ...] = ()
    netrc_file: Path | None = None
    public_url: str = ""
    metrics: str | None = None
    retention: Retention = Retention()
    drain_seconds: float = 30.0
    connections: int = 10
    limits: Limits = Limits()
    secret_key_file: Path | None = None
    secret_key: str = field(default="", repr=False)

    def check(self) -> None:
        """Raises Precondition where the settings contradict each other or would expose callers."""
        self.limits.check()
        self.tls.check()
        self.tls.check_address("--listen", self.listen, "127.0.0.1:50051")
        check_public_url(self.public_url)
        if self.http is not None:
            self.http.check(self.tls)
        if self.metrics is not None and not _is_host_and_port(self.metrics):
            raise Precondition(
                f"--metrics {self.metrics!r} is not an address: wanted HOST:PORT with a port of 0 to 65535,"
                " such as 127.0.0.1:9464"
            )


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """What a gateway on its own is told when it starts."""

    upstream: str
    http: HttpSettings
    upstream_ca: Path | None = None
    upstream_name: str = ""
    tls: Tls = Tls()
    public_url: str = ""
    drain_seconds: float = 30.0

    def check(self) -> None:
        """Raises Precondition where the settings contradict each other or would expose callers."""
        self.tls.check()
        self.http.check(self.tls)
        check_public_url(self.public_url)


def _is_host_and_port(address: str) -> bool:
    _, colon, port = address.rpartition(":")
    return bool(colon) and port.isdecimal() and int(port) < 65536


def _age(name: str, text: str | None) -> timedelta | None:
    """How old something may become, of words such as 90d; None without any. Raises Precondition."""
    if not text:
        return None
    found = _AGE.fullmatch(text)
    if found is None:
        raise Precondition(
            f"--keep-{name} {text!r} is not an age: wanted whole hours or days, 1h to 999999d,"
            " such as 12h or 90d"
        )
    count = int(found[1])
    return timedelta(hours=count) if found[2] == "h" else timedelta(days=count)


def is_local(address: str) -> bool:
    """Whether an address to listen on is a UNIX socket or of the loopback."""
    if address.startswith("unix:"):
        return True
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def default_database() -> Path:
    """The SQLite file of a server that was told of none."""
    return platformdirs.user_state_path("shiplift") / "shiplift.db"


def database_of(url: str) -> Path | str:
    """What `--database` names: a file, as `sqlite:///PATH` or a path, or a PostgreSQL URL.

    Links are followed, so that two names of one store find the same lock. Raises Precondition.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return Path(url).resolve()
    if scheme in ("postgresql", "postgres"):
        return url
    if scheme != "sqlite" or not rest.startswith("/") or rest == "/":
        raise Precondition(
            f"--database {scheme}://... is not a store that this release knows:"
            " wanted a file's path, sqlite:///PATH, or postgresql://USER@HOST/NAME"
        )
    # As in SQLAlchemy's and peewee's URLs: three slashes and a relative path, four and an absolute one.
    return Path(rest[1:]).resolve()


def sqlite_path(url: str, instead: str) -> Path:
    """The file that `--database` names, for what only files have. Raises Precondition for PostgreSQL."""
    found = database_of(url)
    if isinstance(found, str):
        raise Precondition(f"the store is a PostgreSQL database: {instead}")
    return found
