"""What a gateway on its own calls: a server, or its replicas, which take turns."""

import ipaddress
import json
import re
import uuid
from collections.abc import Callable
from typing import Any, cast

import grpc
import grpc.aio

from shipliftd.descriptors import SERVICES, path_of, writes
from shipliftd.errors import Precondition
from shipliftd.gateway.health import HEALTH_OF
from shipliftd.settings import GatewaySettings, is_local

_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}")
_WANTED = "wanted HOST:PORT, such as shipliftd.example.org:50051, or unix:PATH"
# A token's secret is told once: a repeat would find the token, and answer without it.
_ONCE = frozenset({"CreateToken"})
_METHODS = [method for service in SERVICES for method in service.methods if method.name not in _ONCE]
_WRITES = frozenset(path_of(method) for method in _METHODS if writes(method))
_SERVICE_CONFIG = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {
            "name": [
                {"service": method.containing_service.full_name, "method": method.name}
                for method in _METHODS
            ],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "1s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
}
# One that does not serve is asked for nothing, where there may be another one.
_REPLICAS = _SERVICE_CONFIG | {"healthCheckConfig": {"serviceName": HEALTH_OF}}
_OPTIONS: list[tuple[str, str | int]] = [
    # A server that was started again is found within a second, and a name's new address within some.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.dns_min_time_between_resolutions_ms", 5_000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
]


def channel(settings: GatewaySettings) -> grpc.aio.Channel:
    """A channel to what `--upstream` names; writes have a request_id, and are repeated as reads are.

    Raises Precondition for what is no address, and for a file that cannot be read.
    """
    addresses = _addresses(settings.upstream)
    target, options = _target(settings.upstream, addresses), _options(addresses, settings.upstream_name)
    if settings.upstream_ca is None and all(map(is_local, addresses)):
        made = grpc.aio.insecure_channel(target, options)
    else:
        try:
            ca = settings.upstream_ca.read_bytes() if settings.upstream_ca else None
        except OSError as error:
            raise Precondition(f"{error.filename} cannot be read: {error.strerror}") from error
        made = grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(ca), options)
    return cast(grpc.aio.Channel, _Repeatable(made))


def _addresses(upstream: str) -> list[str]:
    if upstream.startswith("unix:") and ",unix:" not in upstream:
        return [upstream]
    addresses = [each.strip() for each in upstream.split(",")]
    for each in addresses:
        if _ADDRESS.fullmatch(each) is None:
            raise Precondition(f"--upstream {each!r} is not an address: {_WANTED}")
        if len(addresses) > 1 and _ip(each) is None:
            raise Precondition(
                f"--upstream {each!r} is one of several: gRPC takes several IP addresses (or localhost),"
                " such as 10.0.0.7:50051,10.0.0.8:50051, or one name for all of them"
            )
    return addresses


def _target(upstream: str, addresses: list[str]) -> str:
    """The addresses, as gRPC names them together."""
    if len(addresses) == 1:
        return upstream
    found = [(_ip(each), each.rpartition(":")[2]) for each in addresses]
    if all(isinstance(ip, ipaddress.IPv4Address) for ip, _ in found):
        return "ipv4:" + ",".join(f"{ip}:{port}" for ip, port in found)
    # gRPC takes one kind: of both, IPv4 in the form that IPv6 has for it.
    return "ipv6:" + ",".join(
        f"[::ffff:{ip}]:{port}" if isinstance(ip, ipaddress.IPv4Address) else f"[{ip}]:{port}"
        for ip, port in found
    )


def _options(addresses: list[str], name: str) -> list[tuple[str, str | int]]:
    is_list = len(addresses) > 1
    # A name may stand for several.
    may_be_several = is_list or not (is_local(addresses[0]) or _ip(addresses[0]))
    options = [
        *_OPTIONS,
        ("grpc.service_config", json.dumps(_REPLICAS if may_be_several else _SERVICE_CONFIG)),
    ]
    if is_list or is_local(addresses[0]):
        # A proxy of the environment would look for it on its own machine, or take the list for a name.
        options.append(("grpc.enable_http_proxy", 0))
    if name or is_list:
        # What certificates are compared with; of a list gRPC has one for all.
        options.append(("grpc.default_authority", name or addresses[0]))
    return options


def _ip(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        return None


class _Repeatable:
    """A channel where each write that has no request_id is given one, so that it can be repeated.

    An interceptor of gRPC's would be in the way of reads, too, and take a fifth of their time.
    """

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel

    def unary_unary(
        self,
        method: str,
        request_serializer: Callable[[Any], bytes],
        **options: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """As gRPC's."""

        def serialize(request: Any) -> bytes:  # noqa: ANN401
            request.request_id = request.request_id or str(uuid.uuid4())
            return request_serializer(request)

        serializer = serialize if method in _WRITES else request_serializer
        return self._channel.unary_unary(method, request_serializer=serializer, **options)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whatever else it has
        return getattr(self._channel, name)

    async def __aenter__(self) -> "_Repeatable":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()
