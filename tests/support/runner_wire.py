"""A Drone runner, as it is on the wire: the calls that Go's client makes, byte for byte."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from shiplift.v1 import access_pb2, builds_pb2

from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS
from tests.support.repository import Repository

# What drone-runner-exec asks for.
FILTER = {"kind": "pipeline", "type": "exec", "os": "linux", "arch": "amd64", "variant": "", "kernel": ""}
PIPELINE = """\
kind: pipeline
type: exec
name: deploy

trigger:
  event: [promote]

steps:
- name: greet
  commands: [echo hello]
- name: leave
  commands: [echo bye]
"""


class Answer(NamedTuple):
    """What came back; the names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401
        """The body, decoded."""
        assert (self.status, self.headers["content-type"]) == (200, "application/json"), self.body
        return json.loads(self.body)

    @property
    def told(self) -> tuple[int, str]:
        """The status of a refusal, and its words."""
        assert self.headers["content-type"] == "text/plain; charset=utf-8"
        return self.status, self.body.decode()


DONE = (200, b"")


@dataclass(frozen=True)
class DroneRunner:
    """A runner with its token; each call is over a connection of its own."""

    address: str
    token: str | None

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        seconds: float = SECONDS,
        length: int | None = None,
    ) -> Answer:
        """Any call; with a `length` that is not the body's the rest never comes."""
        with self.calling(method, path, body, seconds, length) as connection:
            return answer_of(connection)

    @contextmanager
    def calling(
        self,
        method: str,
        path: str,
        body: object = None,
        seconds: float = SECONDS,
        length: int | None = None,
    ) -> Iterator[socket.socket]:
        """A call whose answer is not read yet; it hangs up at the end."""
        # As json.Encoder writes it; Go's client names no content type.
        sent = b"" if body is None else json.dumps(body, separators=(",", ":")).encode() + b"\n"
        head = [
            f"{method} /rpc/v2{path} HTTP/1.1",
            f"Host: {self.address}",
            "User-Agent: Go-http-client/1.1",
            f"Content-Length: {len(sent) if length is None else length}",
            *([] if self.token is None else [f"X-Drone-Token: {self.token}"]),
            "Accept-Encoding: gzip",
        ]
        host, _, port = self.address.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=seconds) as connection:
            connection.sendall("\r\n".join([*head, "", ""]).encode() + sent)
            yield connection

    def request(self, seconds: float = SECONDS, **wanted: object) -> Answer:
        """Asks for a stage."""
        return self.call("POST", "/stage", {**FILTER, **wanted}, seconds)

    def accept(self, stage: Any, machine: str = "box") -> Answer:  # noqa: ANN401
        """Claims a stage."""
        return self.call("POST", f"/stage/{stage['id']}?machine={machine}")

    def update(self, stage: Any) -> Answer:  # noqa: ANN401
        """Reports a stage, as a runner does that knows nothing of its repository's id."""
        return self.call("PUT", f"/stage/{stage['id']}", {k: v for k, v in stage.items() if k != "repo_id"})

    def update_step(self, step: Any) -> Answer:  # noqa: ANN401
        """Reports a step."""
        return self.call("PUT", f"/step/{step['id']}", step)

    def batch(self, step: Any, *lines: Any) -> Answer:  # noqa: ANN401
        """Sends some lines of a log."""
        return self.call("POST", f"/step/{step['id']}/logs/batch", [*lines])

    def upload(self, step: Any, *lines: Any) -> Answer:  # noqa: ANN401
        """Sends a whole log."""
        return self.call("POST", f"/step/{step['id']}/logs/upload", [*lines])

    def watch(self, build: int, seconds: float = SECONDS) -> Answer:
        """Waits for the order to stop."""
        return self.call("POST", f"/build/{build}/watch", None, seconds)


def answer_of(connection: socket.socket) -> Answer:
    with connection.makefile("rb") as stream:
        status = int(stream.readline().split()[1])
        headers = {}
        while line := stream.readline().rstrip():
            name, _, value = line.decode().partition(": ")
            headers[name.lower()] = value
        return Answer(status, headers, stream.read(int(headers.get("content-length", 0))))


@dataclass
class Work:
    """A repository on a server with a gateway, and a Drone runner that has it to itself."""

    repository: Repository
    runner: DroneRunner
    login: str

    @classmethod
    def at(cls, server: Shipliftd, http: str, name: str) -> "Work":
        """A new repository, and a runner's token that is cut to it."""
        request = access_pb2.CreateRepositoryRequest(owner="octocat", repo=name)
        slug = server.access().CreateRepository(request).slug
        login = f"runner-{name}"
        token = server.user(
            login,
            slug,
            access_pb2.ACCESS_LEVEL_WRITE,
            actions=[access_pb2.TOKEN_ACTION_RUN],
            repositories=[slug],
        )
        return cls(Repository(server, "octocat", name), DroneRunner(http, token), login)

    @property
    def api(self) -> "Api":
        """Drone's REST routes, as the runner's user sees them with a token of all actions."""
        request = access_pb2.CreateTokenRequest(login=self.login)
        secret = self.repository.server.access().CreateToken(request).secret
        return Api(self.runner.address, secret, f"/api/repos/{self.repository.slug}")

    def promoted(self, pipeline: str = PIPELINE, **fields: object) -> builds_pb2.Build:
        """A promotion of a build that has this pipeline file."""
        origin = self.repository.record(pipeline=pipeline, status=builds_pb2.BUILD_STATUS_SUCCESS)
        return self.repository.promote(origin.number, **fields)  # type: ignore[arg-type]

    def accepted(self, pipeline: str = PIPELINE) -> Any:  # noqa: ANN401
        """A promotion's stage that the runner has taken."""
        self.promoted(pipeline)
        return self.runner.accept(self.runner.request().json).json

    def running(self) -> Any:  # noqa: ANN401
        """The same, with its steps reported."""
        return self.runner.update(begun(self.accepted())).json


@dataclass(frozen=True)
class Api:
    """The REST routes of one repository."""

    address: str
    token: str
    path: str

    def call(self, method: str, path: str = "", idempotency_key: str = "") -> Answer:
        """Any call."""
        host, _, port = self.address.rpartition(":")
        head = [
            f"{method} {self.path}{path} HTTP/1.1",
            "Host: localhost",
            f"Authorization: Bearer {self.token}",
            *([f"Idempotency-Key: {idempotency_key}"] if idempotency_key else []),
            "Content-Length: 0",
        ]
        with socket.create_connection((host, int(port)), timeout=SECONDS) as connection:
            connection.sendall("\r\n".join([*head, "", ""]).encode())
            return answer_of(connection)


def begun(stage: Any) -> Any:  # noqa: ANN401
    """An accepted stage as its runner reports it once it begins."""
    steps = [
        {
            "id": 0,
            "step_id": stage["id"],
            "number": number,
            "name": name,
            "status": "pending",
            "exit_code": 0,
            "version": 0,
        }
        for number, name in enumerate(("greet", "leave"), start=1)
    ]
    return {**stage, "status": "running", "started": 1564085880, "steps": steps}


def line(pos: int, out: str = "", time: int = 0) -> dict[str, object]:
    """A line of a log."""
    return {"pos": pos, "out": out or f"line {pos}\n", "time": time}
