"""How a server is reached: its addresses, TLS, and what every channel does by itself."""

import ipaddress
import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import grpc

DEFAULT_SERVER = "127.0.0.1:50051"
_PORT = DEFAULT_SERVER.rpartition(":")[2]
_MOST_PORT = 65_535
_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:(?P<port>[0-9]{1,5}))?")
# Of several, those that are there and serve take turns.
_REPLICAS = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "healthCheckConfig": {"serviceName": "shiplift.v1.BuildService"},
}


@dataclass(frozen=True)
class Route:
    """A server, or its replicas, and how to reach it.

    Raises ValueError when it makes no sense, OSError for a file.
    """

    server: str
    ca_file: str | Path | None = None
    cert_file: str | Path | None = None
    key_file: str | Path | None = None
    insecure: bool = False
    server_name: str | None = None

    def __post_init__(self) -> None:
        if len(self.addresses) > 1:
            for each in self.addresses:
                if _ip(each) is None:
                    raise ValueError(
                        f"server {each!r} is one of several: gRPC takes several IP addresses (or"
                        " localhost), such as 10.0.0.7:50051,10.0.0.8:50051, or one name for all of them"
                    )
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("a client's certificate and its key are given together or not at all")
        if self.insecure and (self.ca_file or self.cert_file):
            raise ValueError("insecure means plaintext: leave out the certificates, or insecure")

    @cached_property
    def addresses(self) -> tuple[str, ...]:
        """Where it is: the `host:port` of each replica, or one `unix:PATH`."""
        if self.server.startswith("unix:") and ",unix:" not in self.server:
            return (self.server,)
        return tuple(dict.fromkeys(_with_port(each.strip()) for each in self.server.split(",")))

    @property
    def name(self) -> str:
        """What tells the server from others: its addresses."""
        return ",".join(self.addresses)

    @property
    def target(self) -> str:
        """The server, as gRPC names it."""
        if len(self.addresses) == 1:
            return self.addresses[0]
        found = [(_ip(each), each.rpartition(":")[2]) for each in self.addresses]
        if all(isinstance(ip, ipaddress.IPv4Address) for ip, _ in found):
            return "ipv4:" + ",".join(f"{ip}:{port}" for ip, port in found)
        # gRPC takes one kind: of both, IPv4 in the form that IPv6 has for it.
        return "ipv6:" + ",".join(
            f"[::ffff:{ip}]:{port}" if isinstance(ip, ipaddress.IPv4Address) else f"[{ip}]:{port}"
            for ip, port in found
        )

    @property
    def is_local(self) -> bool:
        """Whether nobody else's network lies between."""
        if self.server.startswith("unix:"):
            return True
        return all((ip := _ip(each)) is not None and ip.is_loopback for each in self.addresses)

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
        is_list = len(self.addresses) > 1
        if is_list or not (self.is_local or _ip(self.addresses[0])):
            options.append(("grpc.service_config", json.dumps(_REPLICAS)))
            # A name is looked up again once a replica is gone, but each 30 s at the most unless told so.
            options.append(("grpc.dns_min_time_between_resolutions_ms", 5_000))
        if self.is_local or is_list:
            # A proxy of the environment would look for it on its own machine, or take the list for a name.
            options.append(("grpc.enable_http_proxy", 0))
        if self.server_name or is_list:
            # What certificates are compared with; of a list gRPC has one for all.
            options.append(("grpc.default_authority", self.server_name or self.addresses[0]))
        return options


def _with_port(address: str) -> str:
    """An address with its port. Raises ValueError for what is none."""
    found = _HOST.fullmatch(address)
    if found is None or int(found["port"] or _PORT) > _MOST_PORT:
        raise ValueError(
            f"server {address!r}: wanted host, host:port or unix:PATH, with no scheme;"
            " of several, IP addresses with commas between"
        )
    return f"{found['host']}:{found['port'] or _PORT}"


def _ip(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The IP address of a `host:port`; None where the host is another name than `localhost`."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        return None


def _read(path: str | Path | None) -> bytes | None:
    return None if path is None else Path(path).read_bytes()
