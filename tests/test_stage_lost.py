"""Runners that are lost, environments that are uncertain, and servers that start again."""

import grpc
import pytest
from shiplift.v1 import builds_pb2 as api
from shiplift.v1 import environments_pb2 as env
from shiplift.v1 import stages_pb2 as pb
from shiplift.v1.environments_pb2_grpc import EnvironmentServiceStub

from tests.harness import Shipliftd
from tests.patience import until
from tests.refusals import Refusal, refusal
from tests.repository import Repository
from tests.staged import (
    ERROR,
    PENDING,
    RUNNING,
    SKIPPED,
    SUCCESS,
    WAITING,
    Runner,
    Staged,
    lose,
    pipelines,
    statuses,
    stored,
)

LOST = "runner lost: nothing was heard of box for 60 s"
DAY_MS = 24 * 60 * 60 * 1000


@pytest.fixture
def staged(repository: Repository) -> Staged:
    """A repository of the test's own with its runner."""
    return Staged.of(repository)


def ended(repository: Repository, build: int) -> api.Build:
    """The build, once it has ended."""

    def look() -> api.Build | None:
        found = repository.get(build)
        return found if found.HasField("finished") else None

    return until(look)


def settle(repository: Repository, current: int, environment: str = "production") -> env.Deployment:
    return EnvironmentServiceStub(repository.server.channel(repository.token)).SettleEnvironment(
        env.SettleEnvironmentRequest(
            owner=repository.owner, repo=repository.name, environment=environment, current=current
        )
    )


def test_a_lost_runner_ends_its_stage_and_makes_its_environment_uncertain(staged: Staged) -> None:
    repository = staged.repository
    steps = [pb.StepReport(number=n, name=str(n), status=RUNNING if n == 1 else PENDING) for n in (1, 2)]
    documents = ({"name": "a"}, {"name": "b", "depends_on": ["a"]})
    stage = staged.running(*documents).stage.id
    staged.runner.report(stage, steps=steps)
    watch = staged.runner.stages.WatchStage(pb.WatchStageRequest(stage_id=stage))
    assert next(watch).status == RUNNING

    lose(repository.server, stage)
    build = ended(repository, 2)
    lost = build.stages[0]
    assert (build.status, build.error, statuses(build)) == (ERROR, LOST, {"a": "error", "b": "skipped"})
    assert (lost.status, lost.error, lost.machine, lost.stopped) == (ERROR, LOST, "box", build.finished)
    assert [(step.status, step.error) for step in lost.steps] == [(ERROR, LOST), (SKIPPED, "")]
    assert list(watch) == [pb.WatchStageResponse(status=ERROR, stop=True)]
    # A runner that comes back changes nothing.
    assert staged.runner.report(stage, SUCCESS) == lost

    since = lost.stopped.ToJsonString().partition(".")[0].removesuffix("Z") + "+00:00"
    uncertain = Refusal(
        grpc.StatusCode.FAILED_PRECONDITION,
        "nobody knows what is in production: promotion 2 to it was lost in stage 'a' on box at"
        f" {since}. Look what is there, and say so: shiplift settle production --current NUMBER",
        "ENVIRONMENT_UNCERTAIN",
        (("production", "promotion 2 was lost on its way there"),),
    )
    assert refusal(repository.promote, 1) == uncertain
    assert refusal(repository.promote, 1, expected_current=0) == uncertain
    request = api.RetryBuildRequest(owner=repository.owner, repo=repository.name, build=2)
    assert refusal(repository.builds.RetryBuild, request) == uncertain
    # Others are as certain as before.
    assert repository.promote(1, "staging").number == 3

    there = settle(repository, 2)
    assert (there.current.number, there.HasField("uncertain")) == (2, False)
    assert repository.promote(1, expected_current=2).number == 4


def test_what_went_nowhere_leaves_nothing_uncertain(staged: Staged) -> None:
    text = pipelines({"name": "test", "trigger": {"event": "push"}})
    recorded = staged.repository.record(pipeline=text)
    staged.runner.accept(recorded.stages[0].id)
    lose(staged.repository.server, recorded.stages[0].id)
    build = ended(staged.repository, 1)
    # It had not begun, and so never did.
    assert (build.status, build.error, build.stages[0].HasField("started")) == (ERROR, LOST, False)
    assert stored(staged.repository.server, "SELECT * FROM lost WHERE repo_id = ?", build.repo_id) == []


def test_what_else_runs_of_a_build_goes_on(staged: Staged) -> None:
    documents = (
        {"name": "a"},
        {"name": "b"},
        {"name": "undo", "depends_on": ["a"], "trigger": {"event": "promote", "status": "failure"}},
    )
    promoted = staged.promoted(*documents)
    first, second, undo = (stage.id for stage in promoted.stages)
    staged.runner.accept(first)
    staged.runner.accept(second)
    lose(staged.repository.server, first)
    assert staged.runner.take().stage.id == undo
    for stage in (second, undo):
        staged.runner.report(stage, SUCCESS)
    build = ended(staged.repository, promoted.number)
    assert (build.status, statuses(build)) == (ERROR, {"a": "error", "b": "success", "undo": "success"})


def test_two_runners_of_a_build_can_be_lost_at_once(staged: Staged) -> None:
    promoted = staged.promoted({"name": "a"}, {"name": "b"}, {"name": "c", "depends_on": ["a", "b"]})
    ids = [stage.id for stage in promoted.stages[:2]]
    for stage in ids:
        staged.runner.accept(stage)
    lose(staged.repository.server, *ids)
    build = ended(staged.repository, promoted.number)
    assert (build.error, statuses(build)) == (LOST, {"a": "error", "b": "error", "c": "skipped"})


def test_the_place_of_a_lost_stage_is_free_for_the_next(staged: Staged) -> None:
    limited = {"name": "one", "concurrency": {"limit": 1}}
    first = staged.promoted(limited, target="staging")
    second = staged.repository.promote(1)
    staged.runner.accept(first.stages[0].id)
    waiting = staged.runner.waiting()
    lose(staged.repository.server, first.stages[0].id)
    assert waiting.result().offer.id == second.stages[0].id


def test_a_stage_that_waits_for_a_day_ends_in_error(staged: Staged) -> None:
    server, repository = staged.repository.server, staged.repository
    recorded = repository.record()
    first = staged.promoted({"name": "a"}, {"name": "b", "depends_on": ["a"]})
    fresh = repository.promote(2)
    external = repository.promote(recorded.number, "staging")
    for build in (recorded, first, external):
        long_ago = build.updated.ToMilliseconds() - DAY_MS
        stored(server, "UPDATE stages SET updated = ? WHERE build_id = ?", long_ago, build.id)
    # Looked for once a minute, and whenever a lease has ended.
    lease = staged.runner.accept(repository.promote(2, "canary").stages[0].id)
    lose(server, lease.stage.id)
    told = "no runner took it within 24 h: is one running that can?"
    build = ended(repository, first.number)
    assert (build.status, build.error, statuses(build)) == (ERROR, told, {"a": "error", "b": "skipped"})
    assert ended(repository, external.number).error == told
    # What its CI system does is waited for longer than what a runner is to do.
    assert repository.get(recorded.number).status == PENDING
    assert [stage.status for stage in repository.get(fresh.number).stages] == [PENDING, WAITING]
    # Nobody had begun, so nothing is uncertain.
    assert repository.promote(2).status == PENDING


def test_the_servers_own_downtime_does_not_count(own_server: Shipliftd) -> None:
    staged = Staged.of(Repository.make(own_server, "octocat", "app"))
    (step,) = staged.stepping("only")
    lease = staged.runner.lease(step.stage_id)
    assert staged.runner.append(step.id, 0, "one\n", "two\n") == 2
    before = staged.repository.get(2)
    assert own_server.stop() == 0
    lose(own_server, lease.stage.id)

    with Shipliftd(own_server.database) as again:
        runner = Runner(again, staged.runner.token)
        there = Repository(again, "octocat", "app")
        assert there.get(2) == before
        kept = runner.lease(lease.stage.id)
        assert kept.expires.ToMilliseconds() - before.updated.ToMilliseconds() > 55_000
        # What it is not sure to have sent it sends again.
        assert runner.append(step.id, 1, "two\n", "three\n") == 3
        runner.report_step(step.id, SUCCESS, version=step.version)
        runner.report(lease.stage.id, SUCCESS, version=before.stages[0].version)
        done = there.get(2)
        assert (done.status, done.stages[0].steps[0].status) == (SUCCESS, SUCCESS)
        request = api.TailLogRequest(owner="octocat", repo="app", build=2, stage=1, step=1)
        lines = [line.text for part in there.builds.TailLog(request) for line in part.lines]
        assert lines == ["one\n", "two\n", "three\n"]
