"""What Drone's runners are refused, in plain text."""

import time

import pytest
from shiplift.v1 import access_pb2

from tests.support.harness import Shipliftd
from tests.support.patience import within
from tests.support.runner_wire import DroneRunner, Work, line


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


def test_a_wrong_token_is_told_so_in_plain_text(server: Shipliftd) -> None:
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
    stranger = DroneRunner(server.http, "shl_" + "x" * 43)
    for method, path in paths:
        body = [line(0)] if "logs" in path else {"kind": "pipeline"}
        answer = stranger.call(method, path, body)
        assert answer.told == (
            401,
            "the token is not known here: was it made on another server, or cut off when copied?",
        )
    assert DroneRunner(server.http, None).call("POST", "/ping").status == 401


def test_a_refusal_is_slow_to_come_because_runners_ask_again_at_once(server: Shipliftd) -> None:
    began = time.monotonic()
    with within(3):
        assert DroneRunner(server.http, "shl_x").request().status == 401
    assert time.monotonic() - began >= 1


def test_a_token_that_is_no_runners_is_told_so(server: Shipliftd, work: Work) -> None:
    told = "this is not a runner's token: those have the action run, and name repositories or environments"
    admin = DroneRunner(server.http, server.admin_token)
    assert admin.call("POST", "/ping").told == (403, told)
    request = access_pb2.CreateTokenRequest(login=work.login, actions=[access_pb2.TOKEN_ACTION_RUN])
    wide = DroneRunner(server.http, server.access().CreateToken(request).secret)
    assert wide.call("POST", "/ping").told == (403, told)


def test_another_runners_stage_is_not_shown(server: Shipliftd, work: Work, name: str) -> None:
    stage = work.accepted()
    other = Work.at(server, server.http, f"other-{name}").runner
    for method, path in (("GET", f"/stage/{stage['id']}"), ("POST", f"/build/{stage['build_id']}/watch")):
        assert other.call(method, path).told[0] in (403, 404)


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
