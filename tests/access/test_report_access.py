"""Who may say how a promotion goes on: who promotes, or has its stages. Recording alone does not do."""

import grpc
import pytest
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb
from shiplift.v1 import environments_pb2 as env
from shiplift.v1.environments_pb2_grpc import EnvironmentServiceStub

from tests.support.refusals import Refusal, refusal
from tests.support.repository import Repository
from tests.support.staged import KILLED, RUNNING, SUCCESS, Runner, Staged

ACTIONS = {
    word: access_pb2.TokenAction.Value(f"TOKEN_ACTION_{word.upper()}")
    for word in ("record", "promote", "run")
}


@pytest.fixture
def staged(repository: Repository) -> Staged:
    """A repository of the test's own with its runner."""
    return Staged.of(repository)


def cut_to(repository: Repository, *words: str, **cuts: object) -> Repository:
    """The repository as a token of a user with write sees it that is cut to these actions."""
    token = repository.server.user(
        f"{'-'.join(words)}-{repository.name}",
        repository.slug,
        access_pb2.ACCESS_LEVEL_WRITE,
        actions=[ACTIONS[word] for word in words],
        **cuts,
    )
    return repository.seen_by(token)


def current(repository: Repository) -> int:
    """The number of what is in production, 0 for nothing."""
    request = env.ListDeploymentsRequest(owner=repository.owner, repo=repository.name)
    (there,) = EnvironmentServiceStub(repository.server.channel()).ListDeployments(request).deployments
    return there.current.number


@pytest.mark.parametrize("status", [pb.BUILD_STATUS_UNSPECIFIED, RUNNING, SUCCESS, KILLED])
def test_a_token_that_may_only_record_reports_no_promotion(
    repository: Repository, status: pb.BuildStatus
) -> None:
    recorder = cut_to(repository, "record")
    recorder.record()
    promoted = repository.promote(1, params={"SECRET": "x"})
    told = refusal(recorder.report, 2, status, message="done", request_id=repository.name)
    assert told == Refusal(
        grpc.StatusCode.PERMISSION_DENIED,
        "a report on build 2, which goes to production, needs the action promote, or the action run and its"
        " stages; this token is cut to record",
        "TOKEN_CUT_TO_ACTIONS",
    )
    assert (repository.get(2), current(repository)) == (promoted, 0)
    # What a CI system made is its own.
    assert recorder.report(1, SUCCESS).status == SUCCESS


def test_a_token_that_may_promote_reports_promotions_alone(repository: Repository) -> None:
    promoter = cut_to(repository, "promote")
    repository.record()
    promoter.promote(1)
    assert promoter.report(2, SUCCESS).status == SUCCESS
    assert current(repository) == 2
    assert refusal(promoter.report, 1, SUCCESS) == Refusal(
        grpc.StatusCode.PERMISSION_DENIED,
        "a report on a recorded build needs the action record; this token is cut to promote",
        "TOKEN_CUT_TO_ACTIONS",
    )


def test_a_token_that_has_the_stages_reports_on_their_build(staged: Staged) -> None:
    promoted = staged.external()
    runner = staged.runner
    holder = staged.repository.seen_by(runner.token)
    without = Refusal(
        grpc.StatusCode.PERMISSION_DENIED,
        "a report on build 2, which goes to production, needs the action promote, or all of its stages that"
        " have not ended, and this token has not got these: AcceptStage (shiplift take) gives a stage,"
        " UpdateStage reports on it",
        "NO_LEASE",
    )
    assert refusal(holder.report, promoted.number, SUCCESS) == without
    runner.accept(promoted.stages[0].id)
    assert holder.report(promoted.number, RUNNING).status == RUNNING
    done = holder.report(promoted.number, SUCCESS, message="done")
    assert (done.status, current(staged.repository)) == (SUCCESS, 2)
    # It may be said twice.
    assert holder.report(promoted.number, SUCCESS, message="done") == done
    other = runner_like(staged)
    assert refusal(staged.repository.seen_by(other.token).report, promoted.number, SUCCESS) == without


def runner_like(staged: Staged) -> Runner:
    """Another token of the runner's user, cut alike."""
    request = access_pb2.CreateTokenRequest(
        login=f"runner-{staged.repository.name}",
        actions=[access_pb2.TOKEN_ACTION_RUN],
        repositories=[staged.repository.slug],
    )
    server = staged.repository.server
    return Runner(server, server.access().CreateToken(request).secret)


def test_a_token_that_has_some_of_the_stages_does_not_report_for_the_others(staged: Staged) -> None:
    promoted = staged.promoted({"name": "a"}, {"name": "b"}, {"name": "c", "depends_on": ["a", "b"]})
    first, second, third = (stage.id for stage in promoted.stages)
    holder = staged.repository.seen_by(staged.runner.token)
    staged.runner.accept(first)
    assert refusal(holder.report, promoted.number, SUCCESS).reason == "NO_LEASE"
    other = runner_like(staged)
    other.accept(second)
    for runner, stage in ((staged.runner, first), (other, second)):
        runner.report(stage, SUCCESS)
    staged.runner.accept(third)
    assert holder.report(promoted.number, RUNNING).status == RUNNING
    assert holder.report(promoted.number, SUCCESS).status == SUCCESS


def test_a_token_that_is_cut_to_an_environment_alone_reports_what_goes_there(
    repository: Repository,
) -> None:
    token = repository.server.user(
        f"staging-{repository.name}",
        repository.slug,
        access_pb2.ACCESS_LEVEL_WRITE,
        environments=["staging"],
    )
    cut = repository.seen_by(token)
    cut.record()
    repository.promote(1, "staging")
    repository.promote(1, "production")
    assert cut.report(2, SUCCESS).status == SUCCESS
    assert refusal(cut.report, 3, SUCCESS).reason == "TOKEN_CUT_TO_ENVIRONMENTS"
