"""The ASGI application: what every request passes, and where it goes from there."""

import asyncio
from collections.abc import Mapping, Sequence

import grpc.aio
import orjson
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from shipliftd.descriptors import descriptor_set
from shipliftd.gateway import openapi, page
from shipliftd.gateway.absent import ABSENT
from shipliftd.gateway.build_page import BuildPage
from shipliftd.gateway.connect import Connect
from shipliftd.gateway.drone import Operation, by_path, refused
from shipliftd.gateway.edge import Edge, Errors, answer, read_body
from shipliftd.gateway.exchange import Exchange, Stubs
from shipliftd.gateway.failures import is_rpc, no_route, not_allowed
from shipliftd.gateway.health import Health
from shipliftd.gateway.runners import ROUTES, Runners
from shipliftd.gateway.streams import STREAMS, Stream

_CORS_HEADERS = (
    "authorization",
    "connect-protocol-version",
    "connect-timeout-ms",
    "content-type",
    "idempotency-key",
    "last-event-id",
    "shiplift-expected-current",
    "x-request-id",
)
# A badge stands in other sites' pages, and must not be of yesterday.
_IMAGE = (
    (b"cache-control", b"no-cache, no-store, max-age=0"),
    (b"content-security-policy", b"default-src 'none'"),
    (b"x-content-type-options", b"nosniff"),
)
# It changes with releases alone.
_CACHEABLE = ((b"cache-control", b"public, max-age=3600"),)
_CORS_EXPOSED = ("retry-after", "shiplift-replayed", "trailer-shiplift-replayed", "x-request-id")


def application(
    channel: grpc.aio.Channel, cors_origins: Sequence[str], public_url: str, draining: asyncio.Event
) -> ASGIApp:
    """The gateway, in front of the server at the end of a channel.

    Links begin with `public_url`; '': with the host that a request names. Runners who wait are sent away,
    and streams end, once it is `draining`.
    """
    stubs, health = Stubs.of(channel), Health(channel)
    routes = [
        *(Route(path, _Absent(stubs, instead)) for path, instead in ABSENT.items()),
        *(Route(path, _Operations(stubs, operations)) for path, operations in by_path()),
        *(Route(path, Stream(stubs, draining, events)) for path, events in STREAMS.items()),
    ]
    connect = Connect(channel, draining)

    async def elsewhere(scope: Scope, receive: Receive, send: Send) -> None:
        if not is_rpc(scope["path"]):
            raise no_route(scope["path"])
        await connect(scope, receive, send)

    routes += [
        *(
            Route(path, Runners(stubs, health, draining, public_url, handlers))
            for path, handlers in ROUTES.items()
        ),
        Route("/healthz", _Page(b'{"status":"alive"}')),
        Route("/readyz", _Readiness(health)),
        Route("/openapi.json", _Page(orjson.dumps(openapi.document()))),
        Route("/descriptor.binpb", _Page(descriptor_set(), b"application/protobuf", _CACHEABLE)),
        Route("/docs", _Page(page.html(openapi.document()), page.HTML, page.HEADERS)),
        Route("/{owner}/{repo}/{build}", BuildPage(stubs)),
    ]
    app: ASGIApp = Errors(Router(routes, redirect_slashes=False, default=elsewhere))
    cors = None
    if cors_origins:
        app = cors = CORSMiddleware(
            app,
            allow_origins=cors_origins,
            allow_methods=("GET", "POST", "PATCH", "DELETE"),
            allow_headers=_CORS_HEADERS,
            expose_headers=_CORS_EXPOSED,
        )
    return Edge(app, cors)


class _Operations:
    """Drone's operations on one path, by method."""

    def __init__(self, stubs: Stubs, operations: Mapping[str, Operation]) -> None:
        self._stubs = stubs
        self._operations = dict(operations)
        if "GET" in operations:
            self._operations["HEAD"] = operations["GET"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Called for each request."""
        operation = self._operations.get(scope["method"])
        if operation is None:
            raise not_allowed(self._operations)
        if operation.method != "GET" and not operation.form and operation.body is None:
            # A request that is not whole changes nothing.
            await read_body(receive)
        exchange = Exchange(self._stubs, scope, receive)
        found = await operation.handler(exchange)
        if isinstance(found, bytes):
            await answer(send, 200, found, _IMAGE, operation.kind.encode())
            return
        headers = [(b"shiplift-replayed", b"true")] if exchange.replayed else []
        if found is None:
            await answer(send, 204, b"", headers)
        else:
            await answer(send, 200, orjson.dumps(found), headers)


class _Absent:
    """A path of Drone's that is not here, whatever the method."""

    def __init__(self, stubs: Stubs, instead: str) -> None:
        self._stubs, self._handler = stubs, refused(instead)

    async def __call__(self, scope: Scope, receive: Receive, _send: Send) -> None:
        """Called for each request."""
        await self._handler(Exchange(self._stubs, scope, receive))


class _Page:
    """Answers GET with the same bytes each time."""

    def __init__(
        self,
        body: bytes,
        kind: bytes = b"application/json",
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        self._body, self._kind, self._headers = body, kind, headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Called for each request."""
        if scope["method"] not in ("GET", "HEAD"):
            raise not_allowed(("GET", "HEAD"))
        await answer(send, 200, self._body, [*self._headers], self._kind)


class _Readiness:
    """Whether a promotion could be answered now: what the server says of its health."""

    def __init__(self, health: Health) -> None:
        self._health = health

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Called for each request."""
        if scope["method"] not in ("GET", "HEAD"):
            raise not_allowed(("GET", "HEAD"))
        await self._health.require()
        await answer(send, 200, b'{"status":"ready"}', [])
