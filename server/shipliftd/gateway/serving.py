"""The gateway's HTTP server: its socket, its start and its end."""

import asyncio
import socket
import ssl
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc.aio
import uvicorn

from shipliftd.errors import Precondition
from shipliftd.gateway.app import application
from shipliftd.gateway.protocol import Protocol
from shipliftd.settings import HttpSettings, Tls
from shipliftd.tls import context

# Longer than the minute for which load balancers keep a connection that nobody uses.
_IDLE_SECONDS = 75
_BACKLOG = 1024
# libuv takes one connection of a listener each time it comes by, and under load it comes by when all others
# are answered: of 200 that came at once under it, 65 had no answer after 4 s. Each of so many takes one.
_LISTENERS = 16


@dataclass
class HttpServer:
    """A server that listens from `start` until `stop`."""

    address: str
    _server: uvicorn.Server
    _sockets: list[socket.socket]
    _draining: asyncio.Event
    _ticks: asyncio.Task[None] | None = None

    @classmethod
    def of(
        cls,
        channel: grpc.aio.Channel,
        http: HttpSettings,
        tls: Tls,
        public_url: str,
        drain_seconds: float,
    ) -> "HttpServer":
        """A server of the gateway's application. Raises Precondition where it cannot listen."""
        draining = asyncio.Event()
        config = uvicorn.Config(
            application(channel, http.cors_origins, public_url, draining),
            http=Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=_IDLE_SECONDS,
            # uvicorn only waits that long; what it says of whole seconds is its type's.
            timeout_graceful_shutdown=max(1, round(drain_seconds)),
            ssl_context_factory=_factory(context(tls)),
        )
        config.load()
        address, bound = _bind(http.listen)
        listeners = [bound, *(bound.dup() for _ in range(_LISTENERS - 1))]
        return cls(address, uvicorn.Server(config), listeners, draining)

    async def start(self) -> None:
        """Begins to answer."""
        self._server.lifespan = self._server.config.lifespan_class(self._server.config)
        await self._server.startup(sockets=self._sockets)
        self._ticks = asyncio.create_task(self._server.main_loop())

    async def stop(self) -> None:
        """Takes no more requests, and returns when those in flight are answered."""
        self._server.should_exit = True
        self._draining.set()
        if self._ticks is not None:
            await self._ticks
        await self._server.shutdown(sockets=self._sockets)

    def hurry(self) -> None:
        """Ends without waiting any longer."""
        self._server.force_exit = True


def _factory(made: ssl.SSLContext | None) -> Callable[[Any, Any], ssl.SSLContext] | None:
    return None if made is None else lambda _config, _default: made


def _bind(listen: str) -> tuple[str, socket.socket]:
    try:
        if listen.startswith("unix:"):
            return listen, _bind_unix(Path(listen.removeprefix("unix:")))
        host, _, port = listen.rpartition(":")
        family, kind, protocol, _, address = socket.getaddrinfo(
            host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(_BACKLOG)
    except OSError as error:
        raise Precondition(
            f"cannot listen on {listen} ({error.strerror or error}): name another address with --http"
        ) from error
    return f"{host}:{bound.getsockname()[1]}", bound


def _bind_unix(path: Path) -> socket.socket:
    with suppress(FileNotFoundError):
        # What an earlier server left; anything else stays, and is in the way.
        if stat.S_ISSOCK(path.stat().st_mode) and not _answers(path):
            path.unlink()
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    bound.bind(str(path))
    bound.listen(_BACKLOG)
    return bound


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(str(path)) == 0
