"""Drone's routes to restart and stop builds, read logs and see deployments, over real HTTP."""

import itertools
import json
from collections.abc import Iterator

import pytest
from shiplift.v1 import access_pb2, builds_pb2

from tests.support.harness import Shipliftd
from tests.support.runner_wire import PIPELINE, Api, Work, begun, line

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shipliftd]:
    """A server with a gateway in it."""
    path = tmp_path_factory.mktemp("routes") / "shiplift.db"
    with Shipliftd(path, ("--http", "127.0.0.1:0")) as running:
        yield running


@pytest.fixture
def work(served: Shipliftd) -> Work:
    """A repository and its runner."""
    return Work.at(served, served.http, f"d{next(_numbers)}")


def reader(work: Work) -> Api:
    """The routes as somebody sees them who may read."""
    token = work.repository.server.user(
        f"reader-{work.repository.name}", work.repository.slug, access_pb2.ACCESS_LEVEL_READ
    )
    return Api(work.runner.address, token, work.api.path)


def ended(work: Work, status: str) -> None:
    """A promotion to production that its runner has done."""
    stage = work.running()
    assert work.runner.update({**stage, "status": status}).json["status"] == status


def test_a_restart_is_a_new_build_with_the_querys_parameters_over_the_old_ones(work: Work) -> None:
    api = work.api
    work.promoted(params={"A": "1", "B": "1"})
    running = api.call("POST", "/builds/2")
    assert (running.status, json.loads(running.body)["message"]) == (
        409,
        "build 2 is pending: it can be tried again once it has ended",
    )
    assert api.call("DELETE", "/builds/2").json["status"] == "killed"
    old = api.call("GET", "/builds/2").json
    assert reader(work).call("POST", "/builds/2").status == 403
    new = api.call("POST", "/builds/2?B=2&C=a%20b").json
    [stage] = new["stages"]
    assert stage["status"] == "pending"
    assert new == {
        **{name: value for name, value in old.items() if name not in ("error", "started", "finished")},
        "id": new["id"],
        "number": 3,
        "status": "pending",
        "params": {"A": "1", "B": "2", "C": "a b"},
        "trigger": work.login,
        "started": 0,
        "finished": 0,
        "created": new["created"],
        "updated": new["updated"],
        "version": 1,
        # No key of Drone's: the build that this one repeats.
        "retry_of": 2,
        "stages": [stage],
    }


def test_a_build_that_deploys_nothing_is_restarted_while_it_runs(work: Work) -> None:
    file = PIPELINE.replace("promote", "push")
    origin = work.repository.record(pipeline=file, status=builds_pb2.BUILD_STATUS_RUNNING)
    new = work.api.call("POST", f"/builds/{origin.number}").json
    assert (new["number"], new["status"], new["event"], new["retry_of"]) == (2, "pending", "push", 1)
    assert work.api.call("GET", "/builds/1").json["status"] == "running"


def test_a_restart_can_be_repeated_with_its_key(work: Work) -> None:
    work.promoted()
    assert work.api.call("DELETE", "/builds/2").status == 200
    first, second = (work.api.call("POST", "/builds/2", idempotency_key="once") for _ in range(2))
    assert first.json == second.json
    assert (first.headers.get("shiplift-replayed"), second.headers["shiplift-replayed"]) == (None, "true")


def test_a_stopped_build_ends_as_killed_and_stays_so(work: Work) -> None:
    work.promoted()
    assert reader(work).call("DELETE", "/builds/2").status == 403
    stopped = work.api.call("DELETE", "/builds/2").json
    assert (stopped["status"], [stage["status"] for stage in stopped["stages"]]) in (
        ("killed", ["skipped"]),
        ("killed", ["killed"]),
    )
    assert work.api.call("DELETE", "/builds/2").json == stopped
    assert work.api.call("DELETE", "/builds/9").status == 404


def test_a_log_is_read_as_far_as_it_goes(work: Work) -> None:
    [step, _] = work.running()["steps"]
    assert work.api.call("GET", "/builds/2/logs/1/1").json == []
    lines = [line(pos, f"{pos}: é \u2028 \t\n", pos) for pos in range(2500)]
    assert work.runner.batch(step, *lines).status == 200
    assert reader(work).call("GET", "/builds/2/logs/1/1").json == lines
    assert work.api.call("GET", "/builds/2/logs/1/2").json == []


def test_a_log_that_is_not_there_is_not_found(work: Work) -> None:
    stage = work.accepted()
    for path in ("/builds/9/logs/1/1", "/builds/2/logs/9/1", "/builds/2/logs/1/1"):
        assert work.api.call("GET", path).status == 404
    work.runner.update(begun(stage))
    for path in ("/builds/2/logs/0/1", "/builds/2/logs/1/x"):
        assert work.api.call("GET", path).status == 400
    stranger = Api(work.runner.address, "shl_x", work.api.path)
    assert stranger.call("GET", "/builds/2/logs/1/1").status == 401


def test_deployments_are_the_newest_of_each_environment(work: Work) -> None:
    api = work.api
    assert api.call("GET", "/builds/deployments").json == []
    ended(work, "success")

    def there() -> list[tuple[int, str, str]]:
        return [
            (build["number"], build["deploy_to"], build["status"])
            for build in api.call("GET", "/builds/deployments").json
        ]

    assert there() == [(2, "production", "success")]
    work.repository.promote(1)
    assert there() == [(3, "production", "pending")]
    assert api.call("DELETE", "/builds/3").status == 200
    assert there() == [(3, "production", "killed")]
    [waiting] = work.repository.promote(1, "staging").stages
    assert there() == [(3, "production", "killed"), (4, "staging", "pending")]
    stage = work.runner.accept({"id": waiting.id}).json
    stage = work.runner.update(begun(stage)).json
    assert there() == [(3, "production", "killed"), (4, "staging", "running")]
    # Nothing was ever there, and it says why.
    work.runner.update({**stage, "status": "failure"})
    assert there() == [(3, "production", "killed"), (4, "staging", "failure")]
    shown = api.call("GET", "/builds/deployments").json[0]
    whole = api.call("GET", "/builds/3").json
    assert shown == {name: value for name, value in whole.items() if name not in ("params", "stages")}
