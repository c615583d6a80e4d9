"""Streams over the Connect protocol: raw HTTP, and envelopes of JSON or protobuf in it."""

import itertools
import json
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import pytest
from shiplift.v1 import builds_pb2

from tests.support.harness import Gateway, Shipliftd
from tests.support.patience import SECONDS, until, within
from tests.support.runner_wire import Work, line

TAIL = "/shiplift.v1.BuildService/TailLog"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shipliftd]:
    """A server with a gateway in it."""
    path = tmp_path_factory.mktemp("streams") / "shiplift.db"
    with Shipliftd(path, ("--http", "127.0.0.1:0")) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(served: Shipliftd) -> Iterator[Gateway]:
    """A gateway of its own before the same server."""
    with Gateway(served.address) as running:
        yield running


@pytest.fixture
def work(served: Shipliftd) -> Work:
    """A repository and its runner."""
    return Work.at(served, served.http, f"s{next(_numbers)}")


@dataclass
class Stream:
    """An open stream, and what comes from it."""

    connection: HTTPConnection
    response: HTTPResponse

    @classmethod
    def of(
        cls, http: str, token: str, message: bytes, kind: str = "json", path: str = TAIL, **headers: str
    ) -> "Stream":
        """Opens a stream with one message."""
        connection = HTTPConnection(http, timeout=SECONDS)
        sent = {
            "content-type": f"application/connect+{kind}",
            "connect-protocol-version": "1",
            "authorization": f"Bearer {token}",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        connection.request("POST", path, struct.pack(">BI", 0, len(message)) + message, sent)
        return cls(connection, connection.getresponse())

    def next(self) -> tuple[int, bytes]:
        """The next envelope's flags and data."""
        flags, length = struct.unpack(">BI", self.response.read(5))
        return flags, self.response.read(length)

    def message(self) -> Any:  # noqa: ANN401
        """The next message."""
        flags, data = self.next()
        assert flags == 0, data
        return json.loads(data)

    def end(self) -> Any:  # noqa: ANN401
        """What the stream ends with."""
        flags, data = self.next()
        assert (flags, self.response.read()) == (2, b""), data
        return json.loads(data)


def asked(work: Work, **fields: object) -> dict[str, object]:
    return {"owner": "octocat", "repo": work.repository.name, "build": 2, "stage": 1, "step": 1, **fields}


def tail(work: Work, http: str = "", **fields: object) -> Stream:
    """The log of the first step of the promotion."""
    message = json.dumps(asked(work, **fields)).encode()
    return Stream.of(http or work.runner.address, work.api.token, message)


def shown(*sent: dict[str, object]) -> list[dict[str, object]]:
    """Lines as protobuf's JSON has them: without zeros, and what has 64 bits as text."""
    found = []
    for each in sent:
        made: dict[str, object] = {"position": each["pos"]} if each["pos"] else {}
        made["text"] = each["out"]
        made["time"] = f"{each['time']}s"
        found.append(made)
    return found


@pytest.mark.parametrize("alone", [False, True], ids=["in the server", "a gateway alone"])
def test_a_log_is_followed_until_its_step_ends(served: Shipliftd, gateway: Gateway, alone: bool) -> None:
    http = gateway.http if alone else served.http
    work = Work.at(served, http, f"follow{int(alone)}")
    [step, _] = work.running()["steps"]
    work.runner.batch(step, line(0), line(1, time=1))
    stream = tail(work, http, follow=True)
    assert (stream.response.status, stream.response.getheader("content-type")) == (
        200,
        "application/connect+json",
    )
    assert stream.message() == {
        "lines": shown(line(0), line(1, time=1)),
        "nextPosition": 2,
        "stage": 1,
        "step": 1,
    }
    work.runner.batch(step, line(2, time=2))
    assert stream.message() == {"lines": shown(line(2, time=2)), "nextPosition": 3, "stage": 1, "step": 1}
    work.runner.update_step({**step, "status": "success"})
    assert stream.end() == {}


def test_a_log_ends_where_it_is_when_it_is_not_followed(work: Work) -> None:
    [step, _] = work.running()["steps"]
    work.runner.batch(step, *(line(pos) for pos in range(5)))
    stream = tail(work, position=3)
    assert stream.message() == {"lines": shown(line(3), line(4)), "nextPosition": 5, "stage": 1, "step": 1}
    assert stream.end() == {}


def test_a_stream_speaks_protobuf_too(work: Work) -> None:
    [step, _] = work.running()["steps"]
    work.runner.batch(step, line(0, time=7))
    message = builds_pb2.TailLogRequest(**asked(work)).SerializeToString()  # type: ignore[arg-type]
    stream = Stream.of(work.runner.address, work.api.token, message, "proto")
    assert stream.response.getheader("content-type") == "application/connect+proto"
    flags, data = stream.next()
    assert (flags, builds_pb2.TailLogResponse.FromString(data)) == (
        0,
        builds_pb2.TailLogResponse(
            lines=[builds_pb2.LogLine(text="line 0\n", time=timedelta(seconds=7))],
            next_position=1,
            stage=1,
            step=1,
        ),
    )
    assert stream.end() == {}


def test_a_refusal_ends_the_stream_with_its_code_and_details(work: Work) -> None:
    work.accepted()
    stream = tail(work)
    assert stream.response.status == 200
    error = stream.end()["error"]
    assert (error["code"], error["message"], [detail["type"] for detail in error["details"]]) == (
        "not_found",
        "build 2 has no step 1 in stage 1: a step is there once its runner has reported it",
        ["google.rpc.ErrorInfo"],
    )
    stranger = Stream.of(work.runner.address, "shl_x", json.dumps(asked(work)).encode())
    assert stranger.end()["error"]["code"] == "unauthenticated"


def test_a_misspelt_field_is_refused(work: Work) -> None:
    stream = tail(work, folow=True)
    assert stream.end()["error"]["code"] == "invalid_argument"


def test_a_stream_ends_at_the_deadline_that_its_caller_sets(work: Work) -> None:
    work.running()
    message = json.dumps(asked(work, follow=True)).encode()
    began = time.monotonic()
    with within(1.5):
        stream = Stream.of(work.runner.address, work.api.token, message, connect_timeout_ms="700")
        assert stream.end()["error"]["code"] == "deadline_exceeded"
    assert time.monotonic() - began > 0.6


@pytest.mark.parametrize(
    ("path", "kind", "wanted"),
    [
        (TAIL, "application/json", "application/connect+json or application/connect+proto"),
        (
            "/shiplift.v1.BuildService/GetBuild",
            "application/connect+json",
            "application/json or application/proto",
        ),
    ],
)
def test_streams_and_single_answers_have_types_of_their_own(
    work: Work, path: str, kind: str, wanted: str
) -> None:
    connection = HTTPConnection(work.runner.address, timeout=SECONDS)
    connection.request("POST", path, b"{}", {"content-type": kind})
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["message"]) == (
        415,
        f"a body of the type '{kind}' is not taken here: wanted {wanted}",
    )


def test_who_hangs_up_ends_the_stream(tmp_path: Path) -> None:
    with Shipliftd(tmp_path / "shiplift.db", ("--http", "127.0.0.1:0")) as server:
        hang_up(Work.at(server, server.http, "app"))


def hang_up(work: Work) -> None:
    [step, _] = work.running()["steps"]
    work.runner.batch(step, line(0))
    for _ in range(3):
        stream = tail(work, follow=True)
        assert stream.message() == {"lines": shown(line(0)), "nextPosition": 1, "stage": 1, "step": 1}
        stream.response.close()
        stream.connection.close()
    # A request's line is written when it is over.
    until(lambda: len([e for e in work.repository.server.log if e.get("path") == TAIL]) == 3)


def test_a_stream_ends_when_the_gateway_stops(served: Shipliftd) -> None:
    with Gateway(served.address) as gateway:
        work = Work.at(served, gateway.http, f"s{next(_numbers)}")
        [step, _] = work.running()["steps"]
        work.runner.batch(step, line(0))
        stream = tail(work, follow=True)
        assert stream.message() == {"lines": shown(line(0)), "nextPosition": 1, "stage": 1, "step": 1}
        with within(3):
            assert gateway.stop() == 0
        assert stream.end()["error"] == {
            "code": "unavailable",
            "message": "the gateway is shutting down: try again",
        }


def test_a_wait_for_a_stage_answers_before_the_callers_deadline(work: Work) -> None:
    connection = HTTPConnection(work.runner.address, timeout=SECONDS)
    headers = {
        "content-type": "application/json",
        "connect-timeout-ms": "3000",
        "authorization": f"Bearer {work.runner.token}",
    }
    began = time.monotonic()
    connection.request("POST", "/shiplift.v1.StageService/AcquireStage", b'{"machine": "box"}', headers)
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b"{}")
    # And before its deadline, or it would be none.
    assert time.monotonic() - began > 1.8


def test_a_watch_tells_of_a_cancel(work: Work) -> None:
    stage = work.running()
    message = json.dumps({"stageId": str(stage["id"])}).encode()
    path = "/shiplift.v1.StageService/WatchStage"
    stream = Stream.of(work.runner.address, work.runner.token or "", message, path=path)
    assert stream.message() == {"status": "BUILD_STATUS_RUNNING"}
    assert work.api.call("DELETE", "/builds/2").status == 200
    assert stream.message() == {
        "status": "BUILD_STATUS_KILLED",
        "stop": True,
        "reason": f"cancelled by {work.login}",
    }
    assert stream.end() == {}
