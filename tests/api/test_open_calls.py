"""Calls that stay open, and leases: what becomes of them once their caller may no longer have them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as api
from shiplift.v1 import stages_pb2 as pb
from shiplift.v1.environments_pb2 import ListDeploymentsRequest
from shiplift.v1.environments_pb2_grpc import EnvironmentServiceStub

from tests.support.patience import until
from tests.support.refusals import Refusal, code_of, ended, refusal
from tests.support.repository import Repository
from tests.support.rpcs import RPCS, rule
from tests.support.staged import ERROR, PENDING, RUNNING, Runner, Staged, lose, stored
from tests.support.waiting import waiting
from tests.support.watching import watch

# Well under what passes until the caller of an open call is looked at anyway.
SOON = 10.0


@pytest.fixture
def staged(repository: Repository) -> Staged:
    """A repository of the test's own with its runner."""
    return Staged.of(repository)


def runner(staged: Staged, seconds: float = 0, *more: access_pb2.TokenAction) -> tuple[Runner, int]:
    """Another token of the runner's user, cut alike, that expires in so many seconds; and its id."""
    request = access_pb2.CreateTokenRequest(
        login=f"runner-{staged.repository.name}",
        actions=[access_pb2.TOKEN_ACTION_RUN, *more],
        repositories=[staged.repository.slug],
    )
    if seconds:
        end = Timestamp()
        end.GetCurrentTime()
        request.expires.FromMilliseconds(end.ToMilliseconds() + int(seconds * 1000))
    server = staged.repository.server
    made = server.access().CreateToken(request)
    return Runner(server, made.secret), made.id


def revoke_access(staged: Staged) -> None:
    repository = staged.repository
    repository.server.access().RevokeAccess(
        access_pb2.RevokeAccessRequest(
            owner=repository.owner, repo=repository.name, login=f"runner-{repository.name}"
        )
    )


def lower(staged: Staged) -> None:
    repository = staged.repository
    repository.server.access().GrantAccess(
        access_pb2.GrantAccessRequest(
            owner=repository.owner,
            repo=repository.name,
            login=f"runner-{repository.name}",
            level=access_pb2.ACCESS_LEVEL_READ,
        )
    )


def follow(staged: Staged, by: Runner, build: api.Build) -> Any:  # noqa: ANN401  # a stream
    """TailLog of the build's first step, which goes on as long as that does."""
    request = api.TailLogRequest(
        owner=staged.repository.owner,
        repo=staged.repository.name,
        build=build.number,
        stage=1,
        step=1,
        follow=True,
    )
    return by.server.builds(by.token).TailLog(request, timeout=SOON)


OPEN: dict[str, Callable[[Staged, Runner, api.Build], Any]] = {
    "TailLog": follow,
    "WatchBuilds": lambda staged, by, _: watch(staged.repository.seen_by(by.token), timeout=SOON),
    "WatchStage": lambda _, by, build: by.stages.WatchStage(
        pb.WatchStageRequest(stage_id=build.stages[0].id), timeout=SOON
    ),
    "WatchStage build": lambda _, by, build: by.stages.WatchStage(
        pb.WatchStageRequest(build_id=build.id), timeout=SOON
    ),
    # Another type than there are stages of.
    "AcquireStage": lambda _, by, __: by.waiting(SOON, type="another"),
    "WaitBuild": lambda staged, by, build: waiting(
        staged.repository.seen_by(by.token), build.number, build.version, SOON
    ),
}
# Of these there is one answer.
UNARY = {"AcquireStage", "WaitBuild"}


def test_every_rpc_that_stays_open_is_here() -> None:
    streams = {name for name, rpc in RPCS.items() if rpc.server_streaming}
    assert {name.partition(" ")[0] for name in OPEN} == {*streams, *UNARY}


def begun(staged: Staged, by: Runner) -> api.Build:
    """A promotion whose stage this runner does, with a step that has a line."""
    promoted = staged.promoted()
    stage = by.accept(promoted.stages[0].id).stage
    (step,) = by.report(stage.id, RUNNING, steps=[pb.StepReport(number=1, name="a", status=RUNNING)]).steps
    by.append(step.id, 0, "one\n")
    return staged.repository.get(promoted.number)


@pytest.mark.parametrize("way", ["revoked", "expired"])
@pytest.mark.parametrize("rpc", OPEN)
def test_an_open_call_ends_with_its_token(staged: Staged, rpc: str, way: str) -> None:
    by, token_id = runner(staged, 3 if way == "expired" else 0, access_pb2.TOKEN_ACTION_READ)
    call = OPEN[rpc](staged, by, begun(staged, by))
    if rpc not in UNARY:
        next(call)
    if way == "revoked":
        staged.repository.server.access().RevokeToken(access_pb2.RevokeTokenRequest(id=token_id))
    login = f"runner-{staged.repository.name}"
    was = "was revoked" if way == "revoked" else "has expired"
    end = refusal(call.result) if rpc in UNARY else ended(call)
    assert end == Refusal(
        grpc.StatusCode.UNAUTHENTICATED,
        f"token {token_id} of {login} {was}: make another",
        f"{way.upper()}_TOKEN",
    )


@pytest.mark.parametrize("take_away", [revoke_access, lower])
@pytest.mark.parametrize("rpc", ["WatchStage", "WatchStage build"])
def test_a_watch_ends_with_its_callers_access(
    staged: Staged, rpc: str, take_away: Callable[[Staged], None]
) -> None:
    watch = OPEN[rpc](staged, staged.runner, begun(staged, staged.runner))
    assert next(watch).status == RUNNING
    take_away(staged)
    assert ended(watch).code == grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("way", ["revoked", "expired"])
def test_who_polls_with_a_token_that_works_no_more_is_offered_nothing(staged: Staged, way: str) -> None:
    gone, token_id = runner(staged, 2 if way == "expired" else 0)
    poll = gone.waiting()
    if way == "revoked":
        staged.repository.server.access().RevokeToken(access_pb2.RevokeTokenRequest(id=token_id))
    else:
        until(lambda: code_of(gone.lease, 2**62) == grpc.StatusCode.UNAUTHENTICATED)
    # Whoever else there is gets it, and not once an offer has come to nothing.
    promoted = staged.promoted()
    assert staged.runner.offered(5.0) == "deploy"
    assert promoted.stages[0].status == PENDING
    assert refusal(poll.result).reason == f"{way.upper()}_TOKEN"


def test_a_token_that_is_revoked_beside_the_server_is_offered_nothing(staged: Staged) -> None:
    gone, token_id = runner(staged)
    poll = gone.waiting()
    stored(staged.repository.server, "UPDATE tokens SET revoked = 1 WHERE id = ?", token_id)
    staged.promoted()
    assert staged.runner.offered(5.0) == "deploy"
    assert refusal(poll.result).reason == "REVOKED_TOKEN"


def holding(stage: api.Stage, step: api.Step, token: str) -> dict[str, Callable[[Runner], object]]:
    """Every rpc of a runner that is about a stage, with the lease's token or without."""
    return {
        "AcceptStage": lambda by: by.accept(stage.id),
        "GetLease": lambda by: by.lease(stage.id, token),
        "UpdateStage": lambda by: by.report(stage.id, RUNNING, lease_token=token),
        "UpdateStep": lambda by: by.report_step(step.id, RUNNING, lease_token=token),
        "AppendLog": lambda by: by.append(step.id, 1, "two\n", lease_token=token),
        "WatchStage": lambda by: next(
            by.stages.WatchStage(pb.WatchStageRequest(stage_id=stage.id, lease_token=token), timeout=SOON)
        ),
        "WatchStage build": lambda by: next(
            by.stages.WatchStage(pb.WatchStageRequest(build_id=stage.build_id), timeout=SOON)
        ),
    }


@pytest.mark.parametrize("shows", [False, True], ids=["by its token", "by the lease's token"])
@pytest.mark.parametrize("take_away", [revoke_access, lower])
def test_the_lease_of_who_lost_access_runs_out_and_the_environment_says_so(
    staged: Staged, take_away: Callable[[Staged], None], shows: bool
) -> None:
    server, repository = staged.repository.server, staged.repository
    promoted = staged.promoted()
    stage = promoted.stages[0]
    lease = staged.runner.accept(stage.id)
    (step,) = staged.runner.report(
        stage.id, RUNNING, steps=[pb.StepReport(number=1, name="a", status=RUNNING)]
    ).steps
    take_away(staged)
    # So old that any call that keeps it would be seen.
    stored(server, "UPDATE stages SET lease_expires = lease_expires - 30000 WHERE id = ?", stage.id)
    before = stored(server, "SELECT * FROM stages WHERE id = ?", stage.id)

    calls = holding(stage, step, lease.lease_token if shows else "")
    runners = {name for name, rpc in RPCS.items() if rule(rpc).level == access_pb2.ACCESS_LEVEL_RUNNER}
    assert {name.partition(" ")[0] for name in calls} == runners - {"AcquireStage"}
    for name, call in calls.items():
        assert refusal(call, staged.runner).code == grpc.StatusCode.NOT_FOUND, name
    holder = repository.seen_by(staged.runner.token)
    assert code_of(holder.report, promoted.number, RUNNING) != grpc.StatusCode.OK
    assert stored(server, "SELECT * FROM stages WHERE id = ?", stage.id) == before

    lose(server, stage.id)
    until(lambda: repository.get(promoted.number).status == ERROR)
    request = ListDeploymentsRequest(owner=repository.owner, repo=repository.name)
    (there,) = EnvironmentServiceStub(server.channel()).ListDeployments(request).deployments
    assert (there.uncertain.build, there.uncertain.machine) == (promoted.number, "box")
    assert refusal(repository.promote, 1).reason == "ENVIRONMENT_UNCERTAIN"


def test_nothing_is_lost_of_a_lease_whose_holder_has_access(staged: Staged) -> None:
    build = begun(staged, staged.runner)
    stage = build.stages[0]
    stored(
        staged.repository.server,
        "UPDATE stages SET lease_expires = lease_expires - 30000 WHERE id = ?",
        stage.id,
    )
    (before,) = stored(staged.repository.server, "SELECT lease_expires FROM stages WHERE id = ?", stage.id)
    with ThreadPoolExecutor(1) as pool:
        seen = pool.submit(next, OPEN["WatchStage build"](staged, staged.runner, build)).result(SOON)
    assert seen == pb.WatchStageResponse(status=RUNNING)
    (after,) = stored(staged.repository.server, "SELECT lease_expires FROM stages WHERE id = ?", stage.id)
    assert after > before
