"""The gateway on its own, before a server that is elsewhere."""

import logging

from shipliftd import __version__
from shipliftd.gateway.serving import HttpServer
from shipliftd.gateway.upstream import channel
from shipliftd.settings import GatewaySettings
from shipliftd.signals import Signals

log = logging.getLogger(__name__)


async def serve(settings: GatewaySettings) -> None:
    """Runs the gateway until SIGTERM or SIGINT, then lets requests in flight finish.

    It starts whether or not the server answers: `/readyz` tells. Raises Precondition when it cannot start.
    """
    settings.check()
    async with channel(settings) as upstream:
        http = HttpServer.of(
            upstream, settings.http, settings.tls, settings.public_url, settings.drain_seconds
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
