"""HTTP/1.1 with bounds on what a connection may send and how long it may take.

uvicorn with httptools has neither: it was seen to take a header of 10 MB, to keep a connection whose
request head never ends, and to queue without end what a client asks who waits for no answers.
"""

import asyncio
import logging
import re
import sys
from typing import Any, cast

import grpc
import httptools
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from shipliftd.gateway.edge import Edge, Errors, most_body, new_request_id, note, too_long_body
from shipliftd.gateway.failures import Failure, kind_of

log = logging.getLogger(__name__)

# 128 KiB of parameters, percent-encoded, fit into the URL.
MOST_URL = 448 * 1024
MOST_PATH = 32 * 1024
MOST_HEAD = 512 * 1024
HEAD_SECONDS = 10.0
BODY_SECONDS = 30.0
LAST_SECONDS = 2.0
# RFC 9110, 7.2: a host of RFC 3986, perhaps with a port; empty where the target names none.
_HOST = re.compile(
    rb"(\[[0-9A-Za-z:._~!$&'()*+,;=-]+\]|([0-9A-Za-z._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(:[0-9]*)?"
)
# What is parsed at a time, so that a head that is too long is noticed before all of it is.
_PIECE = 64 * 1024


class _Refused(Exception):
    """Leaves the parser; what the caller is told stands in `Protocol._refusal`."""


class _Flow(FlowControl):
    """Reads no more of a connection while requests of it wait for their turn."""

    held = False

    def hold(self) -> None:
        """Stops reading, whatever uvicorn says meanwhile."""
        self.held = True
        self.pause_reading()

    def resume_reading(self) -> None:
        """Called by uvicorn with every answer, and with every request whose body is asked for."""
        if not self.held:
            super().resume_reading()


class Protocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        self._raw = self._size = self._body = 0
        self.url = self._waiting = self._data = self._again = b""
        self._in_head = True
        self._refusal: Failure | None = None
        self._is_late = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Called by the event loop."""
        super().connection_made(transport)
        self.flow = self._flow = _Flow(transport)
        self._watch(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        self._unwatch()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        self._waiting += data
        self._parse()

    def on_response_complete(self) -> None:
        """Called by uvicorn with the end of an answer."""
        if len(self.pipeline) <= 1:
            self._flow.held = False
        super().on_response_complete()
        if self._is_late and cast(Any, self.cycle).response_complete and not self.transport.is_closing():
            self._is_late = False
            self._tell(cast(Failure, self._refusal))
        self._parse()

    def _parse(self) -> None:
        while self._waiting:
            if self.transport.is_closing() or self._refusal is not None:
                self._waiting = b""
            elif self.pipeline:
                self._flow.hold()
                return
            else:
                piece, self._waiting = self._waiting[:_PIECE], self._waiting[_PIECE:]
                self._piece(piece)

    def _piece(self, data: bytes) -> None:
        if self._in_head:
            # Line ends between two requests begin no message, and would still stop uvicorn's own timer.
            if self._timer is None:
                self._watch(HEAD_SECONDS)
            self._raw += len(data)
        self._again = data
        while self._again:
            self._data, self._again = self._again, b""
            super().data_received(self._data)
        # One header that is too long: the parser tells of it only once it has ended.
        if self._in_head and self._raw > MOST_HEAD + _PIECE and self._refusal is None:
            self._refusal = _too_long_head()
            self.send_400_response("")

    def on_message_begin(self) -> None:
        """Called by the parser."""
        super().on_message_begin()
        self._size = self._body = 0
        if self._timer is None:
            # It came with the end of the request before.
            self._watch(HEAD_SECONDS)

    def on_url(self, url: bytes) -> None:
        """Called by the parser, perhaps with a part of the URL."""
        super().on_url(url)
        if len(self.url) > MOST_URL:
            self._refuse(_too_long_url("the URL has", MOST_URL))
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser."""
        super().on_header(name, value)
        self._count(len(name) + len(value) + len(": \r\n"))

    def on_headers_complete(self) -> None:
        """Called by the parser."""
        self._check_host()
        self._check_lengths()
        url = self.url
        # What uvicorn parses URLs with takes none of over 64 KiB.
        self.url, _, query = url.partition(b"?")
        super().on_headers_complete()
        self.scope["query_string"] = query.partition(b"#")[0]
        self.url = url
        self._in_head = False
        self._raw = 0
        self._watch(BODY_SECONDS)

    def on_body(self, body: bytes) -> None:
        """Called by the parser with a part of the body."""
        self._body += len(body)
        if self._body > (most := most_body(self._path)):
            self._refuse(too_long_body(most))
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        self._in_head = True
        self._unwatch()
        super().on_message_complete()

    def _should_upgrade(self) -> bool:
        # Or uvicorn drops what follows the head, and with it the body: Java's client asks for h2c.
        return True

    def handle_websocket_upgrade(self) -> None:
        """Called by uvicorn where a request asks for another protocol: it is read again, in this one."""
        asked = sys.exception()
        self._in_head = True
        method = self.parser.get_method()
        if method == b"CONNECT" or asked is None:
            self._refusal = Failure(400, grpc.StatusCode.INVALID_ARGUMENT, "CONNECT is for proxies")
            self.send_400_response("")
            return
        head = [
            b"%s %s HTTP/%s" % (method, self.url, self.parser.get_http_version().encode()),
            *(b"%s: %s" % pair for pair in self.headers if pair[0] != b"upgrade"),
        ]
        self.parser = httptools.HttpRequestParser(self)
        # What follows the head begins where the parser stopped.
        self._again = b"\r\n".join(head) + b"\r\n\r\n" + self._data[asked.args[0] :]

    def send_400_response(self, msg: str) -> None:
        """Called by uvicorn where the parser gave up; tells why, unless an answer is under way."""
        failure = self._refusal or Failure(
            400, grpc.StatusCode.INVALID_ARGUMENT, "this is no HTTP/1.1 request"
        )
        self._refusal = failure
        cycle = cast(Any, self.cycle)
        if cycle is not None and not cycle.response_complete and self._in_head:
            # The caller would take it for the answer to the request before.
            self._is_late = True
        elif self._in_head:
            self._tell(failure)
        elif self.pipeline:
            # It is the last of those that wait for their turn.
            cycle.keep_alive = False
            self.pipeline[0] = (cycle, cast(Any, _refused(failure, self._edge.cors_headers(self.headers))))
        elif cycle.response_started:
            self._hang_up()
        else:
            # Its body will never be whole: whoever waits for it is told that the caller has gone.
            cycle.disconnected = True
            cycle.message_event.set()
            self._tell(failure)

    def _tell(self, failure: Failure) -> None:
        request_id = new_request_id()
        path = self._path
        body = failure.body(path)
        allowed = self._edge.cors_headers(self.headers)
        head = [
            STATUS_LINE[failure.status],
            *(b"%s: %s\r\n" % (name, value) for name, value in self.server_state.default_headers),
            b"content-type: %s\r\ncontent-length: %d\r\n" % (kind_of(path), len(body)),
            *(f"{name}: {value}\r\n".encode() for name, value in allowed.items()),
            b"x-request-id: %s\r\nconnection: close\r\n\r\n" % request_id.encode(),
        ]
        self.transport.write(b"".join(head) + body)
        note(request_id, "", path, failure.status, 0.0)
        self._hang_up()

    def _hang_up(self) -> None:
        """Ends the connection, but takes what is still sent: or a reset overtakes the answer."""
        self._unwatch()
        self._flow.held = False
        self._flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._timer = self.loop.call_later(LAST_SECONDS, self.transport.close)

    @property
    def _edge(self) -> Edge:
        return cast(Edge, self.app)

    @property
    def _path(self) -> str:
        return self.url.partition(b"?")[0].decode("latin-1")

    def _count(self, size: int) -> None:
        self._size += size
        if self._size > MOST_HEAD:
            self._refuse(_too_long_head())

    def _check_host(self) -> None:
        """Refuses what RFC 9112, 3.2, has refused: whoever stands before us may have read another host."""
        hosts = [value for name, value in self.headers if name == b"host"]
        if len(hosts) > 1:
            self._refuse(_wrong_host("there are several `Host` headers: send one"))
        if hosts and _HOST.fullmatch(hosts[0].strip(b" \t")) is None:
            self._refuse(_wrong_host("the `Host` header is none: wanted a host, perhaps with a port"))
        if not hosts and self.parser.get_http_version() != "1.0":
            self._refuse(_wrong_host("the `Host` header is missing: HTTP/1.1 needs one"))

    def _check_lengths(self) -> None:
        # Not sooner: the page of another origin that asked could not read the answer.
        if len(self._path) > MOST_PATH:
            self._refuse(_too_long_url("the URL's path has", MOST_PATH))
        for name, value in self.headers:
            if name == b"content-length" and int(value) > (most := most_body(self._path)):
                self._refuse(too_long_body(most))

    def _refuse(self, failure: Failure) -> None:
        self._refusal = self._refusal or failure
        raise _Refused

    def _watch(self, seconds: float) -> None:
        self._unwatch()
        self._timer = self.loop.call_later(seconds, self._too_slow, seconds)

    def _unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self, seconds: float) -> None:
        cycle = cast(Any, self.cycle)
        if self._in_head and cycle is not None and not cycle.response_complete:
            # What follows is not read before the answer is out.
            self._watch(seconds)
        else:
            self.transport.close()


def _refused(failure: Failure, headers: dict[str, str]) -> Edge:
    failure.headers.update(headers)

    async def refused(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise failure

    return Edge(Errors(refused))


def _wrong_host(told: str) -> Failure:
    return Failure(400, grpc.StatusCode.INVALID_ARGUMENT, told)


def _too_long_url(what: str, most: int) -> Failure:
    return Failure(414, grpc.StatusCode.INVALID_ARGUMENT, f"{what} over {most} bytes")


def _too_long_head() -> Failure:
    return Failure(431, grpc.StatusCode.INVALID_ARGUMENT, f"the request's head has over {MOST_HEAD} bytes")
