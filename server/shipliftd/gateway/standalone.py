"""The gateway on its own, before a server that is elsewhere."""

import json
import logging

import grpc
import grpc.aio

from shipliftd import __version__
from shipliftd.descriptors import SERVICES, writes
from shipliftd.errors import Precondition
from shipliftd.gateway.serving import HttpServer
from shipliftd.settings import GatewaySettings, is_local
from shipliftd.signals import Signals

log = logging.getLogger(__name__)

_SERVICE_CONFIG = {
    # The servers behind one name take turns.
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {
            # What changes nothing; a write is its caller's to repeat, with its Idempotency-Key.
            "name": [
                {"service": service.full_name, "method": method.name}
                for service in SERVICES
                for method in service.methods
                if not writes(method)
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
_OPTIONS: list[tuple[str, str | int]] = [
    ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
    # A server that was started again is found within a second.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
]


async def serve(settings: GatewaySettings) -> None:
    """Runs the gateway until SIGTERM or SIGINT, then lets requests in flight finish.

    It starts whether or not the server answers: `/readyz` tells. Raises Precondition when it cannot start.
    """
    settings.check()
    async with _channel(settings) as channel:
        http = HttpServer.of(
            channel, settings.http, settings.tls, settings.public_url, settings.drain_seconds
        )
        signals = Signals()
        await http.start()
        log.info(
            "listening",
            extra={"http": http.address, "upstream": settings.upstream, "version": __version__},
        )
        await signals.wait()
        log.info("draining", extra={"seconds": settings.drain_seconds})
        await signals.end(http.stop(), http.hurry)
    log.info("stopped")


def _channel(settings: GatewaySettings) -> grpc.aio.Channel:
    if settings.upstream_ca is None and is_local(settings.upstream):
        # A proxy of the environment would look for it on its own machine.
        return grpc.aio.insecure_channel(settings.upstream, [*_OPTIONS, ("grpc.enable_http_proxy", 0)])
    try:
        ca = settings.upstream_ca.read_bytes() if settings.upstream_ca else None
    except OSError as error:
        raise Precondition(f"{error.filename} cannot be read: {error.strerror}") from error
    return grpc.aio.secure_channel(settings.upstream, grpc.ssl_channel_credentials(ca), _OPTIONS)
