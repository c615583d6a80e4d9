"""What every HTTP request passes, whatever it asks for: its id, its line in the log, its errors as JSON."""

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus

import grpc
import grpc.aio
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shipliftd.gateway.failures import Failure, asks_for_details, kind_of, of_rpc
from shipliftd.trace_context import TRACEPARENT

log = logging.getLogger(__name__)

MOST_BODY = 1024 * 1024
# A step's whole log, 5 MB of text, as Drone's runners send it: each line in some JSON.
MOST_LOG = 16 * 1024 * 1024
_LOG = re.compile(r"/rpc/v2/step/[^/]*/logs/[^/]*")
_ID = b"x-request-id"
_TRACESTATE = re.compile(r"[!-~]([ -~]{0,510}[!-~])?")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")


_STOPPED = Failure(
    503,
    grpc.StatusCode.UNAVAILABLE,
    "the gateway has stopped without waiting any longer: it may still come about",
)


class Edge:
    """Gives each request its id, and the log its line; routes match the path as it was sent.

    A caller's own `X-Request-Id` is kept where it is 1 to 128 of letters, digits and `._:/+=@-`.
    """

    def __init__(self, app: ASGIApp, cors: CORSMiddleware | None = None) -> None:
        self._app = app
        self._cors = cors

    def cors_headers(self, asked: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
        """What lets a page read an answer that is given before the application has the request."""
        origins = [value.decode("latin-1") for name, value in asked if name == b"origin"]
        if self._cors is None or not origins:
            return {}
        allowed = dict(self._cors.simple_headers)
        if not self._cors.allow_all_origins:
            allowed["vary"] = "Origin"
            if self._cors.is_allowed_origin(origins[0]):
                allowed["access-control-allow-origin"] = origins[0]
        return {name.lower(): value for name, value in allowed.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Called by uvicorn."""
        # Not the decoded one: `%2F` in a name must not become another route.
        scope["path"] = scope["raw_path"].decode("latin-1")
        request_id = _given(scope) or new_request_id()
        scope["headers"] = [pair for pair in scope["headers"] if pair[0] != _ID]
        scope["headers"].append((_ID, request_id.encode()))
        began = time.perf_counter()
        # As nginx has it for callers who have gone before they were answered.
        status = 499

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (_ID, request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            took = (time.perf_counter() - began) * 1000
            note(request_id, scope["method"], scope["path"], status, took, _trace_id(scope))


class Errors:
    """Answers what is raised within as JSON."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Called for each request."""
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except ClientDisconnect:
            return
        except asyncio.CancelledError:
            # The drain has taken too long; uvicorn itself would answer 500.
            if begun:
                raise
            await answer(send, *_failed(_STOPPED, scope))
        except Exception as error:
            if begun:
                raise
            await answer(send, *_failed(error, scope))


def _failed(error: Exception, scope: Scope) -> tuple[int, bytes, list[tuple[bytes, bytes]], bytes]:
    failure, path = _failure(error, scope), scope["path"]
    headers = [(name.encode(), value.encode()) for name, value in failure.headers.items()]
    body = failure.body(path, asks_for_details(header(scope, b"accept")))
    return failure.status, body, headers, kind_of(path)


def _failure(error: Exception, scope: Scope) -> Failure:
    if isinstance(error, Failure):
        return error
    if isinstance(error, grpc.aio.AioRpcError):
        return of_rpc(error)
    request_id = header(scope, _ID)
    log.error("defect", exc_info=error, extra={"x_request_id": request_id, "path": scope["path"]})
    told = f"a defect in the gateway; its log has the cause under id {request_id}"
    return Failure(500, grpc.StatusCode.INTERNAL, told)


async def answer(
    send: Send,
    status: int,
    body: bytes,
    headers: Sequence[tuple[bytes, bytes]] = (),
    kind: bytes = b"application/json",
) -> None:
    """Sends a whole answer; one of status 204 has no body, nor says of what type it were."""
    head = [*headers]
    if status != HTTPStatus.NO_CONTENT:
        head = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), *head]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})


def most_body(path: str) -> int:
    """How many bytes the body of a request may have."""
    return MOST_LOG if _LOG.fullmatch(path) else MOST_BODY


async def read_body(receive: Receive) -> bytes:
    """A request's whole body, which is no longer than `most_body`. Raises ClientDisconnect."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)


async def hung_up(receive: Receive) -> None:
    """Returns once the caller has gone; after the body was read."""
    while (await receive())["type"] != "http.disconnect":
        pass


def too_long_body(most: int) -> Failure:
    """What is told of a body over the limit; what else comes of it is not read."""
    return Failure(413, grpc.StatusCode.INVALID_ARGUMENT, f"the request's body has over {most} bytes")


def new_request_id() -> str:
    """An id for a request that brought none."""
    return uuid.uuid4().hex


def note(
    request_id: str, method: str, path: str, status: int, milliseconds: float, trace_id: str = ""
) -> None:
    """A request's line in the log: without its query, where parameters and tokens stand."""
    extra = {
        "x_request_id": request_id,
        "method": method,
        "path": path[:500],
        "status": status,
        "ms": round(milliseconds, 1),
        **({"trace_id": trace_id} if trace_id else {}),
    }
    log.log(logging.DEBUG if path in _PROBES else logging.INFO, "request", extra=extra)


# Asked every few seconds by whatever runs the server.
_PROBES = frozenset({"/healthz", "/readyz"})


def header(scope: Scope, name: bytes) -> str | None:
    """The first header of this name (lower case)."""
    for key, value in scope["headers"]:
        if key == name:
            text: str = value.decode("latin-1")
            return text
    return None


def traced(header: Callable[[str], str | None]) -> tuple[tuple[str, str], ...]:
    """What a request says of the trace that it is part of (W3C Trace Context), as metadata."""
    parent = header("traceparent")
    if parent is None or TRACEPARENT.fullmatch(parent) is None:
        return ()
    state = header("tracestate")
    if state is None or _TRACESTATE.fullmatch(state) is None:
        return (("traceparent", parent),)
    return ("traceparent", parent), ("tracestate", state)


def _trace_id(scope: Scope) -> str:
    found = TRACEPARENT.fullmatch(header(scope, b"traceparent") or "")
    return found[1] if found else ""


def _given(scope: Scope) -> str:
    value = header(scope, _ID)
    return value if value is not None and _REQUEST_ID.fullmatch(value.encode("latin-1")) else ""
