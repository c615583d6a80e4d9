"""HTTP to a gateway: calls with whole answers, and a connection for what no client would send."""

import json
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass, replace
from http.client import HTTPConnection
from typing import Any, BinaryIO, NamedTuple, Self, cast
from urllib.parse import urlencode

from tests.support.harness import Daemon
from tests.support.patience import SECONDS, until
from tests.support.repository import Repository


class Answer(NamedTuple):
    """What came back; the names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401
        """The body, decoded."""
        assert self.headers["content-type"] == "application/json"
        return json.loads(self.body)

    @property
    def told(self) -> tuple[int, str]:
        """The status, and a failure's message."""
        return self.status, self.json["message"]


@dataclass(frozen=True)
class Caller:
    """Somebody who calls a gateway: each call over a connection of its own."""

    address: str
    token: str = ""
    tls: ssl.SSLContext | None = None
    accept: str = ""

    def having(self, token: str) -> "Caller":
        """The same with another token; `""`: none."""
        return replace(self, token=token)

    def get(self, path: str, **query: object) -> Answer:
        """GET with a query."""
        return self.call("GET", path, query)

    def post(self, path: str, query: object = (), body: str | bytes = b"", **headers: str) -> Answer:
        """POST; of a header's name the underscores are hyphens."""
        return self.call("POST", path, query, body, **headers)

    def form(self, path: str, query: object = (), **fields: str) -> Answer:
        """POST with a urlencoded body."""
        return self.post(path, query, urlencode(fields), content_type="application/x-www-form-urlencoded")

    def rpc(self, method: str, **fields: object) -> Answer:
        """An rpc by the Connect protocol, such as `BuildService/GetBuild`."""
        return self.post(f"/shiplift.v1.{method}", (), json.dumps(fields), content_type="application/json")

    def call(
        self, method: str, path: str, query: object = (), body: str | bytes = b"", **headers: str
    ) -> Answer:
        """Any request."""
        pairs = query.items() if isinstance(query, dict) else cast(list[tuple[str, str]], query)
        target = f"{path}?{urlencode(list(pairs))}" if pairs else path
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.accept:
            sent = {"accept": self.accept, **sent}
        if self.token:
            sent = {"authorization": f"Bearer {self.token}", **sent}
        connection = _Connection(self.address, self.tls)
        try:
            connection.request(method, target, body or None, sent)
            answer = connection.getresponse()
            return Answer(answer.status, _named(answer.getheaders()), answer.read())
        finally:
            connection.close()


class _Connection(HTTPConnection):
    def __init__(self, address: str, tls: ssl.SSLContext | None) -> None:
        super().__init__("localhost", timeout=SECONDS)
        self._address = address
        self._tls = tls

    def connect(self) -> None:
        self.sock = opened(self._address)
        if self._tls is not None:
            self.sock = self._tls.wrap_socket(self.sock, server_hostname="127.0.0.1")


def opened(address: str) -> socket.socket:
    """A connection to HOST:PORT or unix:PATH."""
    if address.startswith("unix:"):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(SECONDS)
        connection.connect(address.removeprefix("unix:"))
        return connection
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=SECONDS)


class Raw:
    """A connection whose bytes the test writes itself."""

    def __init__(self, address: str, seconds: float = SECONDS) -> None:
        self.socket = opened(address)
        self.socket.settimeout(seconds)
        self._stream: BinaryIO = self.socket.makefile("rb")

    def send(self, *parts: bytes) -> Self:
        """Sends the parts in one piece; a server that has hung up is seen when the answer is read."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(b"".join(parts))
        return self

    def answer(self, is_head: bool = False) -> Answer:
        """Reads the next answer."""
        status = int(self._stream.readline().split()[1])
        headers = []
        while line := self._stream.readline().rstrip():
            name, _, value = line.decode().partition(": ")
            headers.append((name, value))
        named = _named(headers)
        return Answer(
            status, named, b"" if is_head else self._stream.read(int(named.get("content-length", 0)))
        )

    def last(self) -> Answer:
        """Reads the next answer, after which the server hangs up."""
        answer = self.answer()
        assert self.ended() == b""
        return answer

    def hang_up(self) -> None:
        """Ends the connection, whoever reads from it."""
        self.socket.shutdown(socket.SHUT_RDWR)

    def ended(self) -> bytes:
        """Reads until the server hangs up."""
        return self._stream.read()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self.socket.close()


def logged(daemon: Daemon, x_request_id: str, event: str = "request") -> dict[str, Any]:
    """The line in a log for what had this id."""

    def look() -> dict[str, Any] | None:
        lines = daemon.log.copy()
        return next(
            (a for a in lines if (a.get("x_request_id"), a["event"]) == (x_request_id, event)), None
        )

    # The harness reads the log in a thread of its own, which tells nobody.
    return until(look)


def _named(headers: list[tuple[str, str]]) -> dict[str, str]:
    named: dict[str, str] = {}
    for name, value in headers:
        assert name.lower() not in named, f"two of {name}"
        named[name.lower()] = value
    return named


def request(line: str, *headers: str, body: bytes = b"") -> bytes:
    """A request as bytes: its line without the version, and its headers."""
    return "\r\n".join([f"{line} HTTP/1.1", "host: localhost", *headers, "", ""]).encode() + body


def drone_variables(http: str, token: str) -> dict[str, str]:
    """What the environment of Drone's clients says of the gateway at an address."""
    return {"DRONE_SERVER": f"http://{http}", "DRONE_TOKEN": token}


def promotion(repository: Repository, *headers: str, query: str = "", body: bytes = b"") -> bytes:
    """A promotion of build 1."""
    token = f"authorization: Bearer {repository.server.admin_token}"
    return request(f"POST /api/repos/{repository.slug}/builds/1/promote{query}", token, *headers, body=body)


def assert_refused(answer: Answer, status: int, message: str) -> None:
    """The answer is this refusal, whole, and the last one of its connection."""
    assert (answer.status, answer.json) == (
        status,
        {"message": message, "code": "INVALID_ARGUMENT"},
    )
    assert answer.headers["connection"] == "close"
    assert len(answer.headers["x-request-id"]) == 32


def assert_failed(
    answer: Answer, status: int, code: str, message: str, *details: object, **headers: str
) -> None:
    """The answer is this failure, with these headers beside those that every answer has."""
    assert (answer.status, answer.json) == (
        status,
        {"message": message, "code": code, "details": [*details]},
    )
    always = {"content-type": "application/json", "content-length": str(len(answer.body))}
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    found = {key: value for key, value in answer.headers.items() if key not in ("date", "x-request-id")}
    assert found == always | more
    assert answer.headers.keys() >= {"date", "x-request-id"}
