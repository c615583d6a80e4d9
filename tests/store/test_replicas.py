"""Several servers on one PostgreSQL database: what one commits, the others know at once."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import grpc
import pytest
from shiplift.v1 import access_pb2, environments_pb2
from shiplift.v1 import builds_pb2 as api
from shiplift.v1.environments_pb2_grpc import EnvironmentServiceStub

from tests.support.beside import opened
from tests.support.harness import Shipliftd
from tests.support.patience import until
from tests.support.refusals import code_of
from tests.support.repository import Repository
from tests.support.staged import RUNNING, SUCCESS, Runner, Staged, lose

pytestmark = pytest.mark.postgresql


class Replicas(NamedTuple):
    """Two servers, and the same repository and runner on each of them."""

    one: Staged
    other: Staged


@pytest.fixture
def replicas(tmp_path: Path) -> Iterator[Replicas]:
    """Two servers of one database."""
    with ExitStack() as running:
        first, second = (running.enter_context(Shipliftd(tmp_path / "store")) for _ in range(2))
        one = Staged.of(Repository.make(first, "octocat", "app"))
        other = Staged(Repository(second, "octocat", "app"), Runner(second, one.runner.token))
        yield Replicas(one, other)


def test_a_runner_on_one_is_offered_what_is_promoted_on_the_other(replicas: Replicas) -> None:
    one, other = replicas
    waiting = other.runner.waiting()
    build = one.promoted()
    assert waiting.result().offer == build.stages[0]


def test_who_watches_on_one_sees_what_is_reported_to_the_other(replicas: Replicas) -> None:
    one, other = replicas
    (step,) = one.stepping("only")
    request = api.TailLogRequest(owner="octocat", repo="app", build=2, stage=1, step=1, follow=True)
    tail = other.repository.builds.TailLog(request, timeout=20)
    one.runner.append(step.id, 0, "one\n")
    assert [line.text for line in next(tail).lines] == ["one\n"]
    waiting = other.repository.builds.WaitBuild.future(
        api.WaitBuildRequest(owner="octocat", repo="app", build=2, seen_version=2), timeout=20
    )
    one.runner.report(step.stage_id, SUCCESS)
    assert waiting.result().status == SUCCESS
    assert [line.text for part in tail for line in part.lines] == []


def test_access_that_is_taken_away_on_one_is_gone_on_the_other(replicas: Replicas) -> None:
    one, other = replicas
    secret = one.repository.server.user("mona", "octocat/app", access_pb2.ACCESS_LEVEL_READ)
    number = one.repository.record().number
    read = api.GetBuildRequest(owner="octocat", repo="app", build=number)
    builds = other.repository.server.builds(secret)
    assert builds.GetBuild(read).number == number
    one.repository.server.access().RevokeAccess(
        access_pb2.RevokeAccessRequest(owner="octocat", repo="app", login="mona")
    )
    until(lambda: code_of(builds.GetBuild, read) == grpc.StatusCode.NOT_FOUND)


def test_numbers_have_no_gaps_and_a_request_id_is_done_once(replicas: Replicas) -> None:
    one, other = replicas
    one.repository.record(status=SUCCESS)
    stubs = (one.repository.builds, other.repository.builds)

    def promote(n: int) -> api.Build:
        # Each request_id comes to both, at about the same time.
        request = api.PromoteRequest(
            owner="octocat", repo="app", build=1, target="production", request_id=f"r{n // 2}"
        )
        return stubs[n % 2].PromoteBuild(request, timeout=60)

    with ThreadPoolExecutor(16) as threads:
        made = list(threads.map(promote, range(200)))
    assert made[::2] == made[1::2]
    assert sorted(build.number for build in made[::2]) == list(range(2, 102))


def test_a_limit_holds_over_both(replicas: Replicas) -> None:
    one, other = replicas
    document = {"name": "deploy", "concurrency": {"limit": 1}}
    stages = [one.promoted(document).stages[0].id for _ in range(2)]

    def accept(n: int) -> grpc.StatusCode:
        runner = (one, other)[n % 2].runner
        return code_of(runner.accept, stages[n % 2])

    with ThreadPoolExecutor(8) as threads:
        codes = Counter(threads.map(accept, range(8)))
    assert codes == {grpc.StatusCode.OK: 1, grpc.StatusCode.ABORTED: 7}


def test_a_stage_that_is_reported_to_both_ends_its_build_once(replicas: Replicas) -> None:
    one = replicas.one
    documents = [{"name": name} for name in ("a", "b")]
    for _ in range(10):
        build = one.promoted(*documents)
        for stage in build.stages:
            one.runner.accept(stage.id)
        with ThreadPoolExecutor(2) as threads:
            reports = [
                threads.submit(staged.runner.report, stage.id, SUCCESS)
                for staged, stage in zip(replicas, build.stages, strict=True)
            ]
            assert [report.result().status for report in reports] == [SUCCESS, SUCCESS]
        assert one.repository.get(build.number).status == SUCCESS


def test_of_what_succeeds_at_once_one_is_the_last_to_arrive(replicas: Replicas, tmp_path: Path) -> None:
    one, other = replicas
    one.repository.record(status=SUCCESS)
    for _ in range(10):
        numbers = [one.repository.promote(1).number for _ in range(8)]
        with ThreadPoolExecutor(8) as threads:
            reports = [
                threads.submit(staged.repository.report, number, SUCCESS)
                for staged, number in zip(replicas * 4, numbers, strict=True)
            ]
            assert {report.result().status for report in reports} == {SUCCESS}
        # As this release has it, and the one before.
        with opened(tmp_path / "store") as store:
            newest = store.execute("SELECT number FROM arrivals ORDER BY id DESC LIMIT 1").fetchall()
            assert store.execute("SELECT number FROM deployments").fetchall() == newest
        request = environments_pb2.GetDeploymentRequest(
            owner="octocat", repo="app", environment="production"
        )
        environments = EnvironmentServiceStub(other.repository.server.channel())
        assert [(environments.GetDeployment(request).current.number,)] == newest


def test_a_replica_that_is_killed_takes_nothing_with_it(replicas: Replicas, tmp_path: Path) -> None:
    one, other = replicas
    lease = one.running()
    one.repository.server.process.kill()
    other.runner.report(lease.stage.id, RUNNING, message="goes on")
    assert other.runner.lease(lease.stage.id).stage.message == "goes on"
    with Shipliftd(tmp_path / "store") as again:
        # It is not alone, so nobody's lease gets more time than it had.
        before = other.runner.lease(lease.stage.id).expires
        staged = Staged(Repository(again, "octocat", "app"), Runner(again, one.runner.token))
        assert staged.runner.lease(lease.stage.id).expires == before
        staged.runner.report(lease.stage.id, SUCCESS)
        assert other.repository.get(2).status == SUCCESS


def test_what_is_lost_is_ended_once(replicas: Replicas) -> None:
    one, other = replicas
    lease = one.running()
    lose(one.repository.server, lease.stage.id)
    until(lambda: other.repository.get(2).status == api.BUILD_STATUS_ERROR)
    ended = one.repository.get(2)
    assert ended.stages[0].error == "runner lost: nothing was heard of box for 60 s"
