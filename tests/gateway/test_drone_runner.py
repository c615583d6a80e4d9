"""Drone's runner calls over real HTTP, as an unchanged runner makes them."""

import base64
import itertools
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import grpc
import pytest
import yaml
from shiplift.v1 import access_pb2, builds_pb2, stages_pb2
from shiplift.v1.stages_pb2_grpc import StageServiceStub
from shipliftd.pipelines.plans import BUILT_IN

from tests.support.harness import Gateway, Shipliftd
from tests.support.patience import until, within
from tests.support.runner_wire import (
    DONE,
    FILTER,
    PIPELINE,
    Answer,
    DroneRunner,
    Work,
    answer_of,
    begun,
    line,
)
from tests.support.staged import stored

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shipliftd]:
    """A server with a gateway in it."""
    path = tmp_path_factory.mktemp("runners") / "shiplift.db"
    with Shipliftd(path, ("--http", "127.0.0.1:0")) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(served: Shipliftd) -> Iterator[Gateway]:
    """A gateway of its own before the same server."""
    with Gateway(served.address) as running:
        yield running


@pytest.fixture
def own_server_with_http(tmp_path: Path) -> Iterator[Shipliftd]:
    """A server of the test's own, with a gateway in it."""
    with Shipliftd(tmp_path / "shiplift.db", ("--http", "127.0.0.1:0")) as running:
        yield running


@pytest.fixture
def work(served: Shipliftd) -> Work:
    """A repository and its runner."""
    return Work.at(served, served.http, f"r{next(_numbers)}")


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


@pytest.mark.parametrize("alone", [False, True], ids=["in the server", "a gateway alone"])
def test_a_runner_does_a_stage(served: Shipliftd, gateway: Gateway, alone: bool) -> None:
    work = Work.at(served, gateway.http if alone else served.http, f"whole{int(alone)}")
    runner, api = work.runner, work.api
    build = work.promoted(params={"REPLICAS": "3"})

    assert runner.call("POST", "/ping")[::2] == DONE
    offer = runner.request().json
    assert (offer["id"], offer["build_id"], offer["status"], offer["version"]) == (
        build.stages[0].id,
        build.id,
        "pending",
        1,
    )
    stage = runner.accept(offer).json
    assert stage == {**offer, "machine": "box", "updated": stage["updated"], "version": 2}

    shown = api.call("GET", f"/builds/{build.number}").json
    detail = runner.call("GET", f"/stage/{stage['id']}").json
    data = base64.b64decode(detail["config"]["Data"]).decode()
    assert yaml.safe_load(data) == yaml.safe_load(PIPELINE)
    params = detail["build"].pop("params")
    assert params.pop("SHIPLIFT_ENVIRONMENT") == "production"
    # All that our own variables are; the others Drone's runner makes of what it is told.
    ours = {name for name in BUILT_IN if name.startswith("SHIPLIFT_")}
    assert {name: value for name, value in params.items() if name not in ours} == {"REPLICAS": "3"}
    assert ours <= {*params, "SHIPLIFT_ENVIRONMENT"}
    assert detail == {
        "build": {name: value for name, value in shown.items() if name != "params"},
        "stage": stage,
        "repository": {**api.call("GET").json, "secret": ""},
        "config": {"Data": ANY, "Hash": None},
        "secrets": None,
        "system": {
            "proto": "http",
            "host": runner.address,
            "link": f"http://{runner.address}",
            "version": served.listening["version"],
        },
        "netrc": None,
    }
    assert (shown["deploy_to"], shown["params"], shown["stages"]) == (
        "production",
        {"REPLICAS": "3"},
        [stage],
    )
    assert api.call("GET").json["timeout"] == 60

    said = begun(stage)
    running = runner.update(said).json
    steps = running["steps"]
    assert running == {
        **stage,
        "status": "running",
        "started": 1564085880,
        "updated": running["updated"],
        "version": 3,
        "steps": [
            {**step, "id": s["id"], "version": 1} for step, s in zip(said["steps"], steps, strict=True)
        ],
    }
    assert len({step["id"] for step in steps} - {0}) == 2
    assert api.call("GET", f"/builds/{build.number}").json["status"] == "running"

    ended = []
    for reported in steps:
        step = runner.update_step({**reported, "status": "running", "started": 1564085881}).json
        assert (step["status"], step["version"]) == ("running", 2)
        assert runner.batch(step, line(0), line(1, time=1))[::2] == DONE
        assert runner.batch(step, line(2, time=1))[::2] == DONE
        log = [line(0), line(1, time=1), line(2, time=1), line(3, time=2)]
        assert runner.upload(step, *log)[::2] == DONE
        assert api.call("GET", f"/builds/{build.number}/logs/1/{step['number']}").json == log
        final = {**step, "status": "success", "stopped": 1564085883}
        assert runner.update_step(final).json == {**final, "version": 3}
        ended.append({**final, "version": 3})

    final = {**running, "status": "success", "stopped": 1564085890, "steps": ended}
    done = runner.update(final).json
    assert done == {**final, "updated": done["updated"], "version": 4}
    shown = api.call("GET", f"/builds/{build.number}").json
    assert (shown["status"], shown["stages"]) == ("success", [done])
    assert runner.watch(build.id)[::2] == DONE


def test_two_runners_race_for_a_stage(work: Work) -> None:
    work.promoted()
    offer = work.runner.request().json
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: work.runner.accept(offer), range(2)))
    taken, refused = sorted(answers, key=lambda answer: answer.status)
    assert (taken.json["id"], refused.told) == (offer["id"], (409, "Optimistic Lock Error"))


def test_a_report_of_another_version_is_a_conflict(work: Work) -> None:
    stage = work.running()
    [step, _] = stage["steps"]
    conflict = (409, "Optimistic Lock Error")
    for version in (0, stage["version"] - 1, stage["version"] + 1):
        assert work.runner.update({**stage, "status": "success", "version": version}).told == conflict
    for version in (0, step["version"] + 1):
        assert work.runner.update_step({**step, "status": "success", "version": version}).told == conflict
    without = {name: value for name, value in stage.items() if name != "version"}
    assert work.runner.update(without).told == conflict
    assert work.api.call("GET", f"/builds/{2}").json["stages"] == [stage]


def test_a_stage_shows_where_its_runner_says_that_it_runs(work: Work) -> None:
    place = {"machine": "pi", "os": "linux", "arch": "arm64", "variant": "v8", "kernel": "6.1"}
    told = work.runner.update({**begun(work.accepted()), **place}).json
    shown = work.api.call("GET", "/builds/2").json["stages"]
    assert (shown, {name: told[name] for name in place}) == ([told], place)


def test_a_log_that_is_sent_again_changes_nothing(work: Work) -> None:
    [step, _] = work.running()["steps"]

    def log() -> object:
        return work.api.call("GET", "/builds/2/logs/1/1").json

    assert log() == []
    for _ in range(2):
        assert work.runner.batch(step, line(0), line(1))[::2] == DONE
        assert log() == [line(0), line(1)]
    assert work.runner.batch(step, line(1), line(2))[::2] == DONE
    whole = [line(0), line(1), line(2)]
    assert log() == whole
    for _ in range(2):
        assert work.runner.upload(step, *whole)[::2] == DONE
        assert log() == whole
    assert work.runner.call("POST", f"/step/{step['id']}/logs/upload", None).told[0] == 400
    assert work.runner.upload(step)[::2] == DONE
    assert log() == whole


def test_an_upload_that_lacks_its_first_lines_says_so_and_fills_gaps(work: Work) -> None:
    [step, _] = work.running()["steps"]
    assert work.runner.batch(step, line(0))[::2] == DONE
    assert work.runner.batch(step, line(7)).status == 400
    assert work.runner.upload(step, line(5), line(6), line(7))[::2] == DONE
    assert work.api.call("GET", "/builds/2/logs/1/1").json == [
        {**line(5), "pos": 0, "out": "5 lines left out: what follows is the end of the log.\n"},
        line(1, "line 5\n"),
        line(2, "line 6\n"),
        line(3, "line 7\n"),
    ]


def test_a_log_of_120_000_lines_ends_with_its_last_and_says_how_many_are_missing(work: Work) -> None:
    [step, _] = work.running()["steps"]
    lines = [line(pos, f"{pos:06} {'é' * 45}\n") for pos in range(120_000)]
    # Drone's runner keeps 5 MiB of it.
    kept = lines[-(5 * 1024 * 1024 // 98) :]
    assert work.runner.upload(step, *kept)[::2] == DONE
    told, *found = work.api.call("GET", "/builds/2/logs/1/1").json
    missing = 120_000 - len(found)
    assert told["out"] == f"{missing} lines left out: what follows is the end of the log.\n"
    assert [sent["out"] for sent in found] == [sent["out"] for sent in lines[missing:]]
    assert len(kept) - len(found) < 5


def test_a_log_of_5_mb_is_taken_whole(work: Work) -> None:
    [step, _] = work.running()["steps"]
    lines = [line(pos, f"{pos:06} {'é' * 45}\n") for pos in range(51_000)]
    assert sum(len(str(sent["out"]).encode()) for sent in lines) > 4_990_000
    assert work.runner.upload(step, *lines)[::2] == DONE
    assert work.api.call("GET", "/builds/2/logs/1/1").json == lines


@pytest.mark.parametrize(
    ("method", "path", "most"),
    [
        ("POST", "/step/1/logs/batch", 16 * 1024 * 1024),
        ("POST", "/step/1/logs/upload", 16 * 1024 * 1024),
        ("PUT", "/stage/1", 1024 * 1024),
    ],
)
def test_a_body_has_its_limit(work: Work, method: str, path: str, most: int) -> None:
    told = (413, f"the request's body has over {most} bytes")
    assert work.runner.call(method, path, length=most + 1).told == told


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


def test_a_late_report_changes_nothing(work: Work) -> None:
    stage = work.running()
    [step, _] = stage["steps"]
    assert work.api.call("DELETE", "/builds/2").status == 200
    before = work.api.call("GET", "/builds/2").json
    [ended] = before["stages"]
    assert (before["status"], ended["status"]) == ("killed", "killed")
    assert work.runner.update({**stage, "status": "success"}).json == ended
    assert work.runner.update_step({**step, "status": "success"}).json == ended["steps"][0]
    assert work.api.call("GET", "/builds/2").json == before


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


def test_a_wrong_token_is_told_so_in_plain_text(served: Shipliftd) -> None:
    paths = (
        ("POST", "/ping"),
        ("POST", "/stage"),
        ("POST", "/stage/1?machine=box"),
        ("GET", "/stage/1"),
        ("PUT", "/stage/1"),
        ("PUT", "/step/1"),
        ("POST", "/step/1/logs/batch"),
        ("POST", "/step/1/logs/upload"),
        ("POST", "/step/1/card"),
        ("POST", "/build/1/watch"),
    )
    stranger = DroneRunner(served.http, "shl_" + "x" * 43)
    for method, path in paths:
        body = [line(0)] if "logs" in path else {"kind": "pipeline"}
        answer = stranger.call(method, path, body)
        assert answer.told == (
            401,
            "the token is not known here: was it made on another server, or cut off when copied?",
        )
    assert DroneRunner(served.http, None).call("POST", "/ping").status == 401


def test_a_refusal_is_slow_to_come_because_runners_ask_again_at_once(served: Shipliftd) -> None:
    began = time.monotonic()
    with within(3):
        assert DroneRunner(served.http, "shl_x").request().status == 401
    assert time.monotonic() - began >= 1


def test_a_token_that_is_no_runners_is_told_so(served: Shipliftd, work: Work) -> None:
    told = "this is not a runner's token: those have the action run, and name repositories or environments"
    admin = DroneRunner(served.http, served.admin_token)
    assert admin.call("POST", "/ping").told == (403, told)
    request = access_pb2.CreateTokenRequest(login=work.login, actions=[access_pb2.TOKEN_ACTION_RUN])
    wide = DroneRunner(served.http, served.access().CreateToken(request).secret)
    assert wide.call("POST", "/ping").told == (403, told)


def test_another_runners_stage_is_not_shown(served: Shipliftd, work: Work) -> None:
    stage = work.accepted()
    other = Work.at(served, served.http, f"other{next(_numbers)}").runner
    for method, path in (("GET", f"/stage/{stage['id']}"), ("POST", f"/build/{stage['build_id']}/watch")):
        assert other.call(method, path).told[0] in (403, 404)


def test_external_stages_are_never_offered(work: Work) -> None:
    external = work.repository.promote(work.repository.record().number)
    assert [stage.kind for stage in external.stages] == ["external"]
    for wanted in ({}, {"type": "", "os": "", "arch": ""}, {"kind": "external"}):
        with pytest.raises(TimeoutError):
            work.runner.request(seconds=1, **wanted)
    build = work.promoted()
    assert work.runner.request(kind="").json["build_id"] == build.id


def test_a_card_leaves_its_form(work: Work) -> None:
    [step, _] = work.running()["steps"]
    card = {"schema": "https://example.com/card.json", "data": {"a": 1}}
    assert work.runner.call("POST", f"/step/{step['id']}/card", card)[::2] == DONE
    [stage] = work.api.call("GET", "/builds/2").json["stages"]
    assert stage["steps"][0] == {**step, "schema": card["schema"], "version": 2}


def test_what_is_not_a_runners_to_say_stays(work: Work) -> None:
    stage = work.accepted()
    said = {
        "name": "other",
        "number": 9,
        "limit": 7,
        "build_id": 1,
        "on_success": False,
        "labels": {"a": "b"},
    }
    running = work.runner.update({**begun(stage), **said}).json
    assert {**running, "steps": []} == {
        **stage,
        "status": "running",
        "started": 1564085880,
        "updated": running["updated"],
        "version": 3,
        "steps": [],
    }


def test_texts_that_are_too_long_are_cut_so_that_the_stage_ends(work: Work) -> None:
    stage = work.running()
    ended = work.runner.update({**stage, "status": "error", "error": "é" * 5000}).json
    assert (ended["status"], ended["error"]) == ("error", "é" * 2000)


@pytest.mark.parametrize(
    ("method", "path", "body", "told"),
    [
        ("PUT", "/stage/1", [], "the body, or a part of it: wanted an object"),
        ("PUT", "/stage/1", {"status": "done"}, "status: wanted a status"),
        ("PUT", "/stage/1", {"version": "1"}, "version: wanted a whole number"),
        ("PUT", "/stage/1", {"steps": {}}, "steps: wanted a list"),
        ("PUT", "/stage/1", {"steps": [1]}, "the body, or a part of it: wanted an object"),
        ("PUT", "/stage/x", {}, "stage: 'x' is not an id"),
        ("PUT", "/step/9999999999999999999", {}, "step: '9999999999999999999' is not an id"),
        ("PUT", "/step/1", {"exit_code": 1.5}, "exit_code: wanted a whole number"),
        ("POST", "/step/1/logs/batch", {"pos": 1}, "lines: wanted a list"),
        ("POST", "/step/1/logs/batch", [{"out": 1}], "out: wanted a text"),
        ("POST", "/stage", {"labels": [1]}, "labels: wanted an object"),
    ],
)
def test_what_no_runner_says_is_refused_in_plain_text(
    work: Work, method: str, path: str, body: object, told: str
) -> None:
    assert work.runner.call(method, path, body).told == (400, told)


def test_paths_and_methods_that_are_not_there_are_refused_in_plain_text(work: Work) -> None:
    assert work.runner.call("POST", "/nodes/x").told == (
        404,
        "there is no route '/rpc/v2/nodes/x': /docs lists those there are",
    )
    assert work.runner.call("DELETE", "/stage").told == (405, "this method is not allowed here: POST are")
    assert work.runner.call("PUT", "/stage/7", {"status": "running"}).told[0] == 404


def test_who_waits_is_sent_away_when_the_server_stops(own_server: Shipliftd) -> None:
    with Gateway(own_server.address) as gateway:
        work = Work.at(own_server, gateway.http, "app")
        stage = work.running()
        with asking(work, labels={"disk": "ssd"}) as request, watching(work, stage) as watch:
            own_server.stop()
            assert answer_of(request).status == 204
            assert answer_of(watch).told == (503, "the server is shutting down: try again")
        told = (503, "the server does not answer: UNAVAILABLE")
        assert work.runner.request().told == told


def test_who_waits_is_sent_away_when_the_gateway_stops(served: Shipliftd) -> None:
    with Gateway(served.address) as gateway:
        work = Work.at(served, gateway.http, f"away{next(_numbers)}")
        stage = work.running()
        with asking(work, labels={"disk": "ssd"}) as request, watching(work, stage) as watch:
            gateway.process.send_signal(signal.SIGTERM)
            # If they were waited for, they would be told something else.
            for wait in (request, watch):
                assert answer_of(wait).told == (503, "the gateway is shutting down: try again")
        assert gateway.stop() == 0


def test_while_the_store_is_away_runners_are_told_to_come_back(own_server_with_http: Shipliftd) -> None:
    work = Work.at(own_server_with_http, own_server_with_http.http, "app")
    with closing(sqlite3.connect(own_server_with_http.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        # From the first write on that fails the server knows.
        with pytest.raises(grpc.RpcError):
            work.promoted()
        assert work.runner.request().told[0] == 503
        other.execute("ROLLBACK")
    build = work.promoted()
    assert work.runner.request().json["build_id"] == build.id
