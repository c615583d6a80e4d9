"""Server-sent events: builds as they move, and the lines of a step, for pages that have an EventSource.

The `id` of an event is where to come back to, which a browser does by itself, with `Last-Event-ID`. What
an event tells is in `data`, on one line. As the HTML standard has it: an answer of 204 tells a browser
not to come back, and an event without data sets the id alone.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from typing import Any, TypeVar, cast

import grpc
import grpc.aio
import orjson
from google.protobuf.json_format import MessageToDict
from shiplift.v1 import builds_pb2
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from shipliftd.gateway.drone import log_request
from shipliftd.gateway.edge import answer, hung_up
from shipliftd.gateway.exchange import Exchange, Stubs, number
from shipliftd.gateway.failures import invalid, not_allowed
from shipliftd.gateway.shapes import LINE, words_of

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    # Or nginx keeps it until there is enough.
    (b"x-accel-buffering", b"no"),
]
# So soon a browser comes back.
_RETRY = b"retry: 1000\n\n"
Events = AsyncGenerator[bytes, None]
T = TypeVar("T")

_FILTERS = ("build", "environment", "event", "cursor")
_EVENTS: Mapping[str, builds_pb2.BuildEvent] = {
    word: cast(builds_pb2.BuildEvent, value)
    for value, word in words_of(builds_pb2.DESCRIPTOR.enum_types_by_name["BuildEvent"]).items()
    if value
}


class Stream:
    """A path that answers GET with events, until the caller hangs up or the gateway is `draining`."""

    def __init__(self, stubs: Stubs, draining: asyncio.Event, events: Callable[[Exchange], Events]) -> None:
        self._stubs = stubs
        self._draining = draining
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Called for each request."""
        if scope["method"] != "GET":
            raise not_allowed(("GET",))
        events = self._events(Exchange(self._stubs, scope, receive))
        gone = asyncio.ensure_future(hung_up(receive))
        draining = asyncio.ensure_future(self._draining.wait())
        try:
            first = await _unless(anext(events, None), gone, draining)
            if first is None:
                await answer(send, 204, b"")
                return
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            event: bytes | None = _RETRY + first
            while event is not None:
                await send({"type": "http.response.body", "body": event, "more_body": True})
                try:
                    event = await _unless(anext(events, None), gone, draining)
                except grpc.aio.AioRpcError:
                    # The answer has begun: whoever comes back is told what is wrong.
                    event = None
            await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()
            draining.cancel()
            await events.aclose()


async def _unless(
    work: Coroutine[Any, Any, T], gone: asyncio.Future[None], draining: asyncio.Future[Any]
) -> T | None:
    """What comes next; None once the gateway stops. Raises ClientDisconnect."""
    task: asyncio.Future[T] = asyncio.ensure_future(work)
    waited: set[asyncio.Future[Any]] = {task, gone, draining}
    try:
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        if gone.done():
            raise ClientDisconnect
        return None
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})


async def builds(exchange: Exchange) -> Events:
    """GET /api/stream and /api/repos/OWNER/REPO/stream: builds as they move.

    `data` is a WatchBuildsResponse as the Connect protocol has it in JSON. A browser whose id is too old is
    told anew what has not ended, for it cannot come back without it.
    """
    request = _wanted(exchange)
    came_back = exchange.header("last-event-id")
    request.cursor = came_back or request.cursor
    while True:
        try:
            async for response in exchange.stream(exchange.builds.WatchBuilds, request, None):
                yield _event(response)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.OUT_OF_RANGE or not request.cursor or not came_back:
                raise
            request.cursor = ""
        else:
            return


def _wanted(exchange: Exchange) -> builds_pb2.WatchBuildsRequest:
    query = exchange.query
    if unknown := sorted(query.keys() - set(_FILTERS)):
        told = f"{unknown[0]!r} is no filter of a stream: there are {', '.join(_FILTERS)}"
        raise invalid(told)
    repository = exchange.repository if exchange.has_repository else {}
    words = [word for word in query.get("event", "").split(",") if word]
    if wrong := [word for word in words if word not in _EVENTS]:
        raise invalid(f"event: {wrong[0][:60]!r} is none: wanted some of {','.join(_EVENTS)}")
    return builds_pb2.WatchBuildsRequest(
        **repository,
        build=number("build", query["build"]) if "build" in query else 0,
        environment=query.get("environment", ""),
        events=[_EVENTS[word] for word in words],
        cursor=query.get("cursor", ""),
    )


def _event(response: builds_pb2.WatchBuildsResponse) -> bytes:
    place = f"id: {response.cursor}\n".encode() if response.cursor else b""
    if response.HasField("heartbeat"):
        return place + b"\n"
    return place + b"data: " + orjson.dumps(MessageToDict(response)) + b"\n\n"


async def log(exchange: Exchange) -> Events:
    """GET .../logs/STAGE/STEP/stream: the lines of a step as they come, in Drone's form, to its end."""
    request = await log_request(exchange)
    request.follow = True
    if came_back := exchange.header("last-event-id"):
        # The browser has that line.
        request.position = number("Last-Event-ID", came_back) + 1
    async for response in exchange.stream(exchange.builds.TailLog, request, None):
        lines = [(line.position, orjson.dumps(LINE.json(line))) for line in response.lines]
        if lines:
            yield b"".join(b"id: %d\ndata: %s\n\n" % line for line in lines)


_REPO = "/api/repos/{owner}/{repo}"
_LOG = "{build}/{stage}/{step}"
# Those that begin with /api/stream are Drone's own.
STREAMS: dict[str, Callable[[Exchange], Events]] = {
    "/api/stream": builds,
    "/api/stream/{owner}/{repo}": builds,
    f"{_REPO}/stream": builds,
    f"/api/stream/{{owner}}/{{repo}}/{_LOG}": log,
    f"{_REPO}/builds/{{build}}/logs/{{stage}}/{{step}}/stream": log,
}
