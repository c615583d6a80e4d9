"""Drone's runner calls that wait: for work, and for the order to stop."""

import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from shiplift.v1 import builds_pb2, stages_pb2
from shiplift.v1.stages_pb2_grpc import StageServiceStub

from tests.support.beside import away
from tests.support.gateway import Caller
from tests.support.harness import Gateway, Shipliftd
from tests.support.patience import until, within
from tests.support.runner_wire import DONE, FILTER, Answer, Work, answer_of
from tests.support.staged import stored


@pytest.fixture
def own_server_with_http(tmp_path: Path) -> Iterator[Shipliftd]:
    """A server of the test's own, with a gateway in it."""
    with Shipliftd(tmp_path / "shiplift.db", ("--http", "127.0.0.1:0")) as running:
        yield running


@contextmanager
def asking(work: Work, **wanted: object) -> Iterator[socket.socket]:
    """A request for work that waits in the server, and is for something that was not asked for before."""
    stages = StageServiceStub(work.repository.server.channel())

    def known() -> int:
        runners = stages.ListRunners(stages_pb2.ListRunnersRequest(page_size=1000)).runners
        return [runner.login for runner in runners].count(work.login)

    before = known()
    with work.runner.calling("POST", "/stage", {**FILTER, **wanted}) as request:
        # A runner is known from the moment on in which it waits.
        until(lambda: known() > before)
        yield request


@contextmanager
def watching(work: Work, stage: Any) -> Iterator[socket.socket]:  # noqa: ANN401
    """A watch of a stage's build that is open in the server."""
    server = work.repository.server

    def expires() -> int:
        [(at,)] = stored(server, "SELECT lease_expires FROM stages WHERE id = ?", stage["id"])
        return int(at)

    # So old that the watch keeps it as soon as it is open.
    stored(server, "UPDATE stages SET lease_expires = lease_expires - 30000 WHERE id = ?", stage["id"])
    old = expires()
    with work.runner.calling("POST", f"/build/{stage['build_id']}/watch") as watch:
        until(lambda: expires() > old)
        yield watch


def test_a_cancel_before_the_watch_is_seen_at_once(work: Work) -> None:
    stage = work.running()
    assert work.api.call("DELETE", "/builds/2").json["status"] == "killed"
    with within(2):
        assert work.runner.watch(stage["build_id"])[::2] == DONE


def test_a_cancel_reaches_an_open_watch(work: Work) -> None:
    stage = work.running()
    with watching(work, stage) as watch, within(2):
        work.repository.builds.CancelBuild(
            builds_pb2.CancelBuildRequest(owner="octocat", repo=work.repository.name, build=2)
        )
        assert answer_of(watch)[::2] == DONE


def test_without_work_a_wait_ends_after_half_a_minute(work: Work) -> None:
    stage = work.running()

    def timed(act: object) -> tuple[tuple[int, bytes], float]:
        began = time.monotonic()
        with within(31):
            answer: Answer = act()  # type: ignore[operator]
        assert "content-length" not in answer.headers
        return answer[::2], time.monotonic() - began

    waits = (
        work.runner.request,
        lambda: work.runner.request(kind="secret"),
        lambda: work.runner.request(labels={"disk": "ssd"}),
        lambda: work.runner.watch(stage["build_id"]),
    )
    with ThreadPoolExecutor(4) as pool:
        for answer, seconds in pool.map(timed, waits):
            assert (answer, seconds > 28.5) == ((204, b""), True), seconds


def test_a_wait_ends_when_there_is_work(work: Work) -> None:
    with asking(work) as waiting:
        work.promoted()
        assert answer_of(waiting).json["name"] == "deploy"


def test_who_hangs_up_gets_no_work(work: Work) -> None:
    def over() -> int:
        return [line.get("path") for line in work.repository.server.log].count("/rpc/v2/stage")

    before = over()
    # Each of them could do it.
    for wanted in ({"os": ""}, {"arch": ""}, {"os": "", "arch": ""}):
        with asking(work, **wanted):
            pass
    # A request's line is written when it is over.
    until(lambda: over() == before + 3)
    build = work.promoted()
    # An offer to one who has gone would keep it back for 10 s.
    with within(5):
        assert work.runner.request().json["id"] == build.stages[0].id


def test_external_stages_are_never_offered(work: Work) -> None:
    external = work.repository.promote(work.repository.record().number)
    assert [stage.kind for stage in external.stages] == ["external"]
    for wanted in ({}, {"type": "", "os": "", "arch": ""}, {"kind": "external"}):
        with pytest.raises(TimeoutError):
            work.runner.request(seconds=1, **wanted)
    build = work.promoted()
    assert work.runner.request(kind="").json["build_id"] == build.id


def test_who_waits_is_sent_away_when_the_server_stops(own_server: Shipliftd) -> None:
    with Gateway(own_server.address) as gateway:
        work = Work.at(own_server, gateway.http, "app")
        stage = work.running()
        with asking(work, labels={"disk": "ssd"}) as request, watching(work, stage) as watch:
            own_server.stop()
            assert answer_of(request).status == 204
            # The gateway asks once more, as there may be replicas: by then the server refuses, or is gone.
            assert answer_of(watch).status == 503
        told = (503, "the server does not answer: UNAVAILABLE")
        assert work.runner.request().told == told


def test_who_waits_is_sent_away_when_the_gateway_stops(server: Shipliftd, name: str) -> None:
    with Gateway(server.address) as gateway:
        work = Work.at(server, gateway.http, name)
        stage = work.running()
        with asking(work, labels={"disk": "ssd"}) as request, watching(work, stage) as watch:
            gateway.process.send_signal(signal.SIGTERM)
            # If they were waited for, they would be told something else.
            for wait in (request, watch):
                assert answer_of(wait).told == (503, "the gateway is shutting down: try again")
        assert gateway.stop() == 0


def test_while_the_store_is_away_runners_are_told_to_come_back(own_server_with_http: Shipliftd) -> None:
    work = Work.at(own_server_with_http, own_server_with_http.http, "app")
    caller = Caller(own_server_with_http.http)
    with away(own_server_with_http.database):
        # From the first write on that fails the server knows.
        with pytest.raises(grpc.RpcError):
            work.promoted()
        assert work.runner.request().told[0] == 503
        until(lambda: caller.get("/readyz").status == 503)
    until(lambda: caller.get("/readyz").status == 200)
    build = work.promoted()
    assert work.runner.request().json["build_id"] == build.id
