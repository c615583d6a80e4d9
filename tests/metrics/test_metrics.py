"""What a server tells Prometheus of itself, and where."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as api
from shiplift.v1 import stages_pb2 as pb
from shipliftd import __version__
from shipliftd.settings import Settings

from tests.support.beside import held
from tests.support.commands import refusal
from tests.support.gateway import Caller
from tests.support.harness import Shipliftd
from tests.support.metrics import families, sample, samples
from tests.support.patience import until
from tests.support.refusals import code_of
from tests.support.repository import Repository
from tests.support.staged import Staged, lose, stored

ASKED = ("--metrics", "127.0.0.1:0")


@pytest.fixture
def measured(tmp_path: Path) -> Iterator[Shipliftd]:
    """A server of the test's own that is measured."""
    with Shipliftd(tmp_path / "shiplift.db", (*ASKED, "--http", "127.0.0.1:0")) as running:
        yield running


@pytest.fixture
def staged(measured: Shipliftd) -> Staged:
    """A repository on it, with its runner."""
    return Staged.of(Repository.make(measured, "octocat", "app"))


def test_calls_are_counted_by_rpc_and_code_over_either_door(measured: Shipliftd) -> None:
    repository = Repository.make(measured, "octocat", "app")
    for _ in range(3):
        repository.record()
    assert code_of(repository.get, 9) == grpc.StatusCode.NOT_FOUND
    assert code_of(repository.promote, 1, "") == grpc.StatusCode.INVALID_ARGUMENT
    admin = Caller(measured.http, measured.admin_token)
    assert admin.get("/api/repos/octocat/app/builds/2").status == 200
    assert admin.rpc("BuildService/GetBuild", owner="octocat", repo="app", build=8).status == 404
    assert admin.having("shl_nobody").get("/api/user").status == 401
    assert code_of(measured.access("").WhoAmI, access_pb2.WhoAmIRequest()) == (
        grpc.StatusCode.UNAUTHENTICATED
    )
    assert samples(measured, "shipliftd_calls_total") == {
        ("OK", "CreateRepository"): 1,
        ("OK", "CreateBuild"): 3,
        ("OK", "GetBuild"): 1,
        ("NOT_FOUND", "GetBuild"): 2,
        ("INVALID_ARGUMENT", "PromoteBuild"): 1,
        ("UNAUTHENTICATED", "WhoAmI"): 2,
    }
    assert samples(measured, "shipliftd_call_duration_seconds_count") == {
        ("CreateRepository",): 1,
        ("CreateBuild",): 3,
        ("GetBuild",): 3,
        ("PromoteBuild",): 1,
        ("WhoAmI",): 2,
    }
    assert sample(measured, "shipliftd_strangers_total") == 2


def test_what_waits_is_counted_while_it_is_open_and_by_how_it_ends(staged: Staged) -> None:
    server, runner = staged.repository.server, staged.runner
    stage = staged.running().stage.id
    watch = runner.stages.WatchStage(pb.WatchStageRequest(stage_id=stage))
    assert next(watch).status == api.BUILD_STATUS_RUNNING
    waiting = [runner.waiting(type="exec", os="linux"), runner.waiting(type="exec", arch="arm64")]
    assert samples(server, "shipliftd_open_calls") == {("AcquireStage",): 2, ("WatchStage",): 1}
    assert sample(server, "shipliftd_runners_waiting") == 2
    watch.cancel()
    waiting[0].cancel()
    until(lambda: samples(server, "shipliftd_open_calls") == {("AcquireStage",): 1})
    assert sample(server, "shipliftd_runners_waiting") == 1
    waiting[1].cancel()
    until(lambda: samples(server, "shipliftd_open_calls") == {})
    assert runner.offered(1.3) == ""
    build = api.WaitBuildRequest(owner="octocat", repo="app")
    assert code_of(staged.repository.builds.WaitBuild, build) == grpc.StatusCode.INVALID_ARGUMENT
    calls = samples(server, "shipliftd_calls_total")
    assert {key: count for key, count in calls.items() if key[1] in ("WatchStage", "AcquireStage")} == {
        ("CANCELLED", "WatchStage"): 1,
        ("CANCELLED", "AcquireStage"): 2,
        ("OK", "AcquireStage"): 1,
    }
    timed = samples(server, "shipliftd_call_duration_seconds_count")
    assert not {("WatchStage",), ("AcquireStage",), ("WaitBuild",)} & timed.keys()


def test_a_call_whose_time_is_over_is_counted_as_that(measured: Shipliftd) -> None:
    repository = Repository.make(measured, "octocat", "app")
    with held(measured.database):
        late = repository.builds.CreateBuild.future(repository.recording(), timeout=0.5)
        assert code_of(late.result) == grpc.StatusCode.DEADLINE_EXCEEDED
        until(lambda: samples(measured, "shipliftd_calls_total").get(("DEADLINE_EXCEEDED", "CreateBuild")))


@pytest.mark.sqlite
def test_commits_are_measured_and_writes_that_wait_counted(measured: Shipliftd) -> None:
    repository = Repository.make(measured, "octocat", "app")

    def batches() -> tuple[float, float]:
        return (
            sample(measured, "shipliftd_commit_batch_writes_count"),
            sample(measured, "shipliftd_commit_batch_writes_sum"),
        )

    before = batches()
    waited = sample(measured, "shipliftd_commit_wait_seconds_sum")
    with held(measured.database):
        create = repository.builds.CreateBuild
        calls = [create.future(repository.recording())]
        # Behind it on the same connection: it is in a batch, which waits for the file.
        assert code_of(repository.get, 9) == grpc.StatusCode.NOT_FOUND
        calls += [create.future(repository.recording()) for _ in range(3)]
        until(lambda: sample(measured, "shipliftd_writes_waiting") == 3)
    assert sorted(call.result().number for call in calls) == [1, 2, 3, 4]
    assert batches() == (before[0] + 2, before[1] + 4)
    assert sample(measured, "shipliftd_commit_wait_seconds_count") == before[0] + 2
    assert sample(measured, "shipliftd_commit_wait_seconds_sum") > waited
    assert sample(measured, "shipliftd_writes_waiting") == 0


@pytest.mark.sqlite
def test_a_store_that_takes_no_writes_is_told(measured: Shipliftd) -> None:
    repository = Repository.make(measured, "octocat", "app")
    assert sample(measured, "shipliftd_store_failing") == 0
    with held(measured.database):
        assert code_of(repository.record) == grpc.StatusCode.UNAVAILABLE
        assert sample(measured, "shipliftd_store_failing") == 1
    until(lambda: sample(measured, "shipliftd_store_failing") == 0)


def test_what_is_stored_is_looked_up(staged: Staged) -> None:
    server = staged.repository.server

    def told() -> tuple[float, ...]:
        names = ("stages_leased", "leases_lost_total", "environments_uncertain")
        return tuple(sample(server, f"shipliftd_{name}") for name in names)

    assert told() == (0, 0, 0)
    stages = [staged.running(target=target).stage.id for target in ("production", "staging")]
    assert told() == (2, 0, 0)
    lose(server, stages[0])
    until(lambda: told() == (1, 1, 1))
    staged.runner.report(stages[1], api.BUILD_STATUS_SUCCESS)
    assert told() == (0, 1, 1)


@pytest.mark.sqlite
def test_the_others_are_told_when_the_store_cannot_be_read(measured: Shipliftd) -> None:
    stored(measured, "ALTER TABLE lost RENAME TO gone")
    names = {family.name for family in families(measured)}
    assert "shipliftd_store_failing" in names
    assert "shipliftd_environments_uncertain" not in names
    stored(measured, "ALTER TABLE gone RENAME TO lost")
    assert sample(measured, "shipliftd_environments_uncertain") == 0
    (line,) = [line for line in measured.log if line["event"] == "metrics without what is stored"]
    assert line["error"] == "no such table: lost"


def test_the_listener_has_nothing_else(measured: Shipliftd) -> None:
    prometheus = Caller(measured.metrics)
    page = prometheus.get("/metrics")
    assert (page.status, page.headers["content-type"]) == (
        200,
        "text/plain; version=1.0.0; charset=utf-8",
    )
    assert prometheus.get("/").status == 404
    assert prometheus.post("/metrics").status == 405
    assert prometheus.get("/api/user").status == 404
    assert samples(measured, "shipliftd_build_info") == {(__version__,): 1}


def test_the_address_can_come_from_the_environment(tmp_path: Path) -> None:
    server = Shipliftd(tmp_path / "shiplift.db", environment={"SHIPLIFTD_METRICS": "[::1]:0"})
    with server:
        assert server.metrics.startswith("[::1]:")
        assert sample(server, "shipliftd_store_failing") == 0


def test_nothing_is_measured_unless_it_is_asked_for(own_server: Shipliftd) -> None:
    assert "metrics" not in own_server.listening
    assert Settings(own_server.database).metrics is None
    code = "import shipliftd.command, shipliftd.server, sys; print('prometheus_client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("address", ["9464", "unix:/run/metrics", "127.0.0.1:99999", "127.0.0.1:"])
def test_an_address_that_is_none_is_refused(tmp_path: Path, address: str) -> None:
    assert refusal("serve", "--database", tmp_path / "shiplift.db", "--metrics", address) == (
        f"--metrics {address!r} is not an address: wanted HOST:PORT with a port of 0 to 65535,"
        " such as 127.0.0.1:9464"
    )


@pytest.mark.sqlite
def test_an_address_that_is_taken_is_refused(measured: Shipliftd, tmp_path: Path) -> None:
    database = tmp_path / "other.db"
    with Shipliftd(database):
        pass
    arguments = ("--listen", "127.0.0.1:0", "--metrics", measured.metrics)
    assert refusal("serve", "--database", database, *arguments) == (
        f"cannot listen on {measured.metrics} (Address already in use): name another address with --metrics"
    )
