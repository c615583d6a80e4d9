"""How a server is reached: its address, TLS, and what every channel does by itself."""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path

import grpc

DEFAULT_SERVER = "127.0.0.1:50051"
_PORT = DEFAULT_SERVER.rpartition(":")[2]
_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True)
class Route:
    """A server and how to reach it. Raises ValueError when it makes no sense, OSError for a file."""

    server: str
    ca_file: str | Path | None = None
    cert_file: str | Path | None = None
    key_file: str | Path | None = None
    insecure: bool = False

    def __post_init__(self) -> None:
        if not self.server.startswith("unix:") and _HOST.fullmatch(self.server) is None:
            raise ValueError(f"server {self.server!r}: wanted host, host:port or unix:PATH, with no scheme")
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("a client's certificate and its key are given together or not at all")
        if self.insecure and (self.ca_file or self.cert_file):
            raise ValueError("insecure means plaintext: leave out the certificates, or insecure")

    @property
    def target(self) -> str:
        """The server, as gRPC names it."""
        found = _HOST.fullmatch(self.server)
        if found is None:
            return self.server
        return f"{found['host']}:{found['port'] or _PORT}"

    @property
    def is_local(self) -> bool:
        """Whether nobody else's network lies between."""
        found = _HOST.fullmatch(self.server)
        if found is None or found["host"] == "localhost":
            return True
        try:
            return ipaddress.ip_address(found["host"].strip("[]")).is_loopback
        except ValueError:
            return False

    @property
    def has_tls(self) -> bool:
        """TLS, unless the server is on this machine and no certificate is given, or insecure said so."""
        return not (self.insecure or (self.is_local and not (self.ca_file or self.cert_file)))

    def credentials(self) -> grpc.ChannelCredentials | None:
        """For TLS; None for plaintext."""
        if not self.has_tls:
            return None
        return grpc.ssl_channel_credentials(
            root_certificates=_read(self.ca_file),
            private_key=_read(self.key_file),
            certificate_chain=_read(self.cert_file),
        )

    def options(self) -> list[tuple[str, str | int]]:
        """The channel's options."""
        options: list[tuple[str, str | int]] = [
            # A server that was started again is found within a second, while calls are being retried.
            ("grpc.initial_reconnect_backoff_ms", 200),
            ("grpc.max_reconnect_backoff_ms", 1_000),
            ("grpc.keepalive_time_ms", 60_000),
            ("grpc.keepalive_timeout_ms", 20_000),
        ]
        if self.is_local:
            # A proxy of the environment would look for it on its own machine.
            options.append(("grpc.enable_http_proxy", 0))
        return options


def _read(path: str | Path | None) -> bytes | None:
    return None if path is None else Path(path).read_bytes()
