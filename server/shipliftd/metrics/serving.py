"""The listener where Prometheus asks: plain HTTP, and nothing but `/metrics`."""

import asyncio
import socket

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router

from shipliftd.errors import Precondition
from shipliftd.metrics.measures import Metrics

# More than ever ask at once; who keeps connections open for nothing leaves the others room.
_MOST_CONNECTIONS = 32


class Listener:
    """Listens from when it is made, and answers from `start` until the process ends."""

    def __init__(self, listen: str) -> None:
        """Takes the address. Raises Precondition where it cannot."""
        host, _, port = listen.rpartition(":")
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            self._socket = socket.socket(family, kind, protocol)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind(address)
            self._socket.listen()
        except OSError as error:
            raise Precondition(
                f"cannot listen on {listen} ({error.strerror or error}):"
                " name another address with --metrics"
            ) from error
        self.address = f"{host}:{self._socket.getsockname()[1]}"

    async def start(self, metrics: Metrics) -> None:
        """Begins to answer."""

        async def page(_request: Request) -> Response:
            return Response(await metrics.page(), headers={"content-type": CONTENT_TYPE_LATEST})

        config = uvicorn.Config(
            Router([Route("/metrics", page)]),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=_MOST_CONNECTIONS,
        )
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[self._socket])
        self._ticks = asyncio.create_task(server.main_loop())
