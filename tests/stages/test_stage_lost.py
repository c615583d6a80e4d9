"""Runners that are lost, environments that are uncertain, and servers that start again."""

from pathlib import Path

import grpc
import pytest
from shiplift.v1 import builds_pb2 as api
from shiplift.v1 import environments_pb2 as env
from shiplift.v1 import stages_pb2 as pb
from shiplift.v1.environments_pb2_grpc import EnvironmentServiceStub

from tests.support.cli import Cli
from tests.support.gateway import Caller
from tests.support.harness import Shipliftd
from tests.support.patience import until
from tests.support.refusals import Refusal, refusal
from tests.support.repository import Repository
from tests.support.staged import (
    ERROR,
    FAILURE,
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
            owner=repository.owner, repo=repository.name, environment=environment, build=current
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
    assert list(watch) == [pb.WatchStageResponse(status=ERROR, stop=True, reason=LOST)]
    # A runner that comes back changes nothing.
    assert staged.runner.report(stage, SUCCESS) == lost

    since = lost.stopped.ToJsonString().partition(".")[0].removesuffix("Z") + "+00:00"
    uncertain = Refusal(
        grpc.StatusCode.FAILED_PRECONDITION,
        "nobody knows what is in production: promotion 2 to it was lost in stage 'a' on box at"
        f" {since}. Look what is there, and say so: shiplift settle production --current NUMBER. Or promote"
        " all the same, and success settles it: try 2 again, or name it with despite_lost 2",
        "ENVIRONMENT_UNCERTAIN",
        (("production", "promotion 2 was lost on its way there"),),
    )
    assert refusal(repository.promote, 1) == uncertain
    assert refusal(repository.promote, 1, expected_current=0) == uncertain
    assert refusal(repository.promote, 1, despite_lost=1) == uncertain
    # Others are as certain as before.
    assert repository.promote(1, "staging").number == 3

    there = settle(repository, 2)
    assert (there.current.number, there.HasField("uncertain")) == (2, False)
    assert repository.promote(1, expected_current=2).number == 4


@pytest.fixture
def lost(staged: Staged) -> Staged:
    """One whose first promotion succeeded, and whose second was lost."""
    first = staged.running()
    staged.runner.report(first.stage.id, SUCCESS)
    second = staged.runner.accept(staged.repository.promote(1).stages[0].id)
    lose(staged.repository.server, second.stage.id)
    ended(staged.repository, 3)
    return staged


def deployment(repository: Repository) -> tuple[int, int]:
    """What is in production, and which promotion makes it uncertain."""
    stub = EnvironmentServiceStub(repository.server.channel(repository.token))
    request = env.ListDeploymentsRequest(owner=repository.owner, repo=repository.name)
    (found,) = stub.ListDeployments(request).deployments
    return found.current.number, found.uncertain.build


def done(staged: Staged, build: api.Build, status: api.BuildStatus = SUCCESS) -> api.Build:
    """The promotion, once a runner has reported its end."""
    stage = staged.runner.accept(build.stages[0].id).stage.id
    staged.runner.report(stage, status)
    return staged.repository.get(build.number)


def retried(repository: Repository, build: int) -> api.Build:
    request = api.RetryBuildRequest(owner=repository.owner, repo=repository.name, build=build)
    return repository.builds.RetryBuild(request)


def warned(build: api.Build) -> list[str]:
    """Its warnings of the environment."""
    return [told for told in build.warnings if "production" in told]


SETTLED = "production is settled by this success: promotion 3 had been lost on its way there."


def test_the_success_of_a_promotion_that_names_the_lost_one_settles(lost: Staged) -> None:
    repository = lost.repository
    assert deployment(repository) == (2, 3)
    promoted = repository.promote(1, despite_lost=3)
    (warning,) = warned(promoted)
    assert warning.startswith(
        "nobody knows what is in production: promotion 3 to it was lost in stage 'deploy'"
    )
    assert warning.endswith(". The success of this one settles it.")
    assert deployment(repository) == (2, 3)
    assert warned(done(lost, promoted)) == [warning, SETTLED]
    assert deployment(repository) == (4, 0)
    assert warned(repository.promote(1)) == []


def test_a_retry_of_the_lost_one_names_it(lost: Staged) -> None:
    repository = lost.repository
    assert refusal(retried, repository, 2).reason == "ENVIRONMENT_UNCERTAIN"
    assert warned(done(lost, retried(repository, 3)))[1:] == [SETTLED]
    assert deployment(repository) == (4, 0)


def test_what_fails_settles_nothing(lost: Staged) -> None:
    failed = done(lost, retried(lost.repository, 3), FAILURE)
    assert (len(warned(failed)), deployment(lost.repository)) == (1, (2, 3))
    assert refusal(lost.repository.promote, 1).reason == "ENVIRONMENT_UNCERTAIN"


def test_what_was_in_flight_before_the_loss_settles_nothing(staged: Staged) -> None:
    repository = staged.repository
    first = staged.running()
    waits, begun = repository.promote(1), staged.runner.accept(repository.promote(1).stages[0].id)
    lose(repository.server, first.stage.id)
    ended(repository, 2)
    assert warned(done(staged, waits)) == []
    staged.runner.report(begun.stage.id, SUCCESS)
    assert deployment(repository) == (4, 2)
    # A second loss is another to be named, and the one before it settles nothing either.
    fifth, sixth = repository.promote(1, despite_lost=2), repository.promote(1, despite_lost=2)
    lose(repository.server, staged.runner.accept(sixth.stages[0].id).stage.id)
    ended(repository, 6)
    assert refusal(repository.promote, 1, despite_lost=2).reason == "ENVIRONMENT_UNCERTAIN"
    done(staged, fifth)
    assert deployment(repository) == (5, 6)
    done(staged, repository.promote(1, despite_lost=6))
    assert deployment(repository) == (7, 0)


def test_a_clock_that_is_set_back_settles_nothing_of_before(lost: Staged) -> None:
    repository = lost.repository
    # As if the promotion that settles had been made, by the clock, before the loss.
    stored(
        repository.server, "UPDATE lost SET at = at + 3600000 WHERE repo_id = ?", repository.get(1).repo_id
    )
    done(lost, repository.promote(1, despite_lost=3))
    assert deployment(repository) == (4, 0)


def test_drones_command_gets_out_of_it(lost: Staged) -> None:
    repository = lost.repository
    caller = Caller(repository.server.http, repository.server.admin_token)
    builds = f"/api/repos/{repository.slug}/builds"
    assert caller.post(f"{builds}/1/promote", {"target": "production"}).status == 409
    query = {"target": "production", "despite-lost": "3", "REGION": "eu"}
    promoted = caller.post(f"{builds}/1/promote", query)
    assert (promoted.status, promoted.json["params"]) == (200, {"REGION": "eu"})
    assert caller.post(f"{builds}/1/promote", {**query, "despite-lost": "x"}).told == (
        400,
        "despite-lost: 'x' is not a build's number",
    )
    assert caller.post(f"{builds}/3", {}).json["number"] == 5
    done(lost, repository.get(5))
    assert warned(repository.get(5))[1:] == [SETTLED]
    assert caller.post(f"{builds}/1/promote", {"target": "production"}).status == 200


def test_the_command_names_what_was_lost(lost: Staged, tmp_path: Path) -> None:
    repository = lost.repository
    cli = Cli(tmp_path, repository.server.address, repository.server.admin_token, repository.slug)
    assert "name it with despite_lost 3" in cli.run("promote", "1", "production").err
    said = cli.run("promote", "1", "production", "--despite-lost", "3")
    assert (said.code, "The success of this one settles it." in said.out.replace("\n", " ")) == (0, True)


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
