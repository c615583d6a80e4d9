"""The settings of a server, from flags and `SHIPLIFTD_*` variables; see `shipliftd serve --help`."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from shipliftd.errors import Precondition


@dataclass(frozen=True, slots=True)
class Settings:
    """What a server is told when it starts."""

    database: Path
    listen: str = "127.0.0.1:50051"
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None
    insecure: bool = False
    refuse_params: tuple[str, ...] = ()
    drain_seconds: float = 30.0

    def check(self) -> None:
        """Raises Precondition where the settings contradict each other or would expose callers."""
        if (self.tls_cert is None) != (self.tls_key is None):
            raise Precondition("--tls-cert and --tls-key go together: give both or none")
        if self.tls_client_ca is not None and self.tls_cert is None:
            raise Precondition("--tls-client-ca needs --tls-cert and --tls-key")
        _, colon, port = self.listen.rpartition(":")
        if not self.listen.startswith("unix:") and not (colon and port.isdecimal() and int(port) < 65536):
            raise Precondition(
                f"--listen {self.listen!r} is not an address: wanted HOST:PORT with a port of 0 to 65535,"
                " such as 127.0.0.1:50051, or unix:PATH"
            )
        if self.tls_cert is None and not self.insecure and not is_local(self.listen):
            raise Precondition(
                f"{self.listen} is reachable from elsewhere, and tokens would travel in the clear:"
                " give --tls-cert and --tls-key, or --insecure where something before it does TLS"
            )


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


def database_path(url: str) -> Path:
    """The file that `--database` names: a path, or `sqlite:///PATH`. Raises Precondition.

    Links are followed, so that two names of one store find the same lock.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return Path(url).resolve()
    if scheme != "sqlite" or not rest.startswith("/") or rest == "/":
        raise Precondition(
            f"--database {scheme}://... is not a store that this release knows:"
            " wanted a file's path, or sqlite:///PATH"
        )
    # As in SQLAlchemy's and peewee's URLs: three slashes and a relative path, four and an absolute one.
    return Path(rest[1:]).resolve()
