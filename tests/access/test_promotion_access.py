"""Who approves, rolls back, explains and holds: beyond the levels, what environments and tokens say."""

import itertools
from typing import Any

import grpc
import pytest
from shiplift.v1 import access_pb2 as pb
from shiplift.v1 import builds_pb2 as api
from shiplift.v1 import environments_pb2 as env

from tests.support.gateway import Caller
from tests.support.harness import Shipliftd
from tests.support.refusals import Refusal, code_of, refusal
from tests.support.repository import Repository
from tests.support.staged import SUCCESS
from tests.support.tokens import make

READ, WRITE, ADMIN = pb.ACCESS_LEVEL_READ, pb.ACCESS_LEVEL_WRITE, pb.ACCESS_LEVEL_ADMIN
APPROVE, PROMOTE, ROLLBACK = pb.TOKEN_ACTION_APPROVE, pb.TOKEN_ACTION_PROMOTE, pb.TOKEN_ACTION_ROLLBACK
DENIED = grpc.StatusCode.PERMISSION_DENIED
# As the gateway sends them.
FORBIDDEN = 403
_numbers = itertools.count(1)


def declare(repository: Repository, name: str = "production", **rules: Any) -> env.Environment:  # noqa: ANN401
    request = env.CreateEnvironmentRequest(
        owner=repository.owner, repo=repository.name, environment=env.Environment(name=name, **rules)
    )
    return repository.server.environments().CreateEnvironment(request)


def judged(repository: Repository, build: int) -> dict[str, Any]:
    return {"owner": repository.owner, "repo": repository.name, "build": build}


def approve(repository: Repository, build: int) -> api.Build:
    return repository.builds.ApproveBuild(api.ApproveBuildRequest(**judged(repository, build)))


def decline(repository: Repository, build: int) -> api.Build:
    return repository.builds.DeclineBuild(api.DeclineBuildRequest(**judged(repository, build)))


def roll_back(repository: Repository, target: str = "production") -> api.Build:
    where = {"owner": repository.owner, "repo": repository.name, "target": target}
    return repository.builds.RollbackBuild(api.RollbackRequest(**where))  # type: ignore[arg-type]


def cut(repository: Repository, level: pb.AccessLevel, **cuts: object) -> Repository:
    """The repository as a new user of this level sees it, by a token that is cut as told."""
    login = f"cut-{next(_numbers)}-{repository.name}"
    return repository.seen_by(repository.server.user(login, repository.slug, level, **cuts))


def blocked(repository: Repository, **rules: Any) -> Repository:  # noqa: ANN401
    """The repository with a promotion that waits for an approval, number 2, as its requester sees it."""
    declare(repository, required_approvals=1, **rules)
    mine = repository.of(f"requester-{repository.name}", ADMIN)
    mine.record(status=SUCCESS)
    assert mine.promote(1).status == api.BUILD_STATUS_BLOCKED
    return mine


def test_nobody_without_a_token_judges_what_everybody_may_read(server: Shipliftd, name: str) -> None:
    server.access().CreateRepository(
        pb.CreateRepositoryRequest(owner="octocat", repo=name, visibility=pb.VISIBILITY_PUBLIC)
    )
    repository = Repository(server, "octocat", name)
    blocked(repository)
    for judge, method in ((approve, "ApproveBuild"), (decline, "DeclineBuild")):
        assert refusal(judge, repository.seen_by(""), 2) == Refusal(
            grpc.StatusCode.UNAUTHENTICATED,
            f"{method} needs a token here: send it as the metadata `authorization: Bearer TOKEN`",
            "NO_TOKEN",
        )
        told = refusal(judge, repository.of(f"{method.lower()}-{name}"), 2)
        assert (told.code, told.reason) == (DENIED, "NOT_AN_APPROVER")
    # What anybody may read a token does not take away; to approve is more than that.
    reads = repository.seen_by(server.user(f"reads-{name}", actions=[pb.TOKEN_ACTION_READ]))
    assert reads.get(2).number == 2
    assert refusal(approve, reads, 2).reason == "TOKEN_CUT_TO_ACTIONS"


def test_who_is_named_approves_and_nobody_else(repository: Repository) -> None:
    named = repository.of(f"named-{repository.name}", READ)
    blocked(repository, approvers=[f"named-{repository.name}"])
    other = repository.of(f"admin-{repository.name}", ADMIN)
    for judge in (approve, decline):
        assert refusal(judge, other, 2) == Refusal(
            DENIED,
            f"admin-{repository.name} is none of the approvers of production: named-{repository.name}",
            "NOT_AN_APPROVER",
        )
    assert repository.get(2).status == api.BUILD_STATUS_BLOCKED
    assert approve(named, 2).status == api.BUILD_STATUS_PENDING


@pytest.mark.parametrize("cuts", [{}, {"actions": [APPROVE]}, {"environments": ["production"]}])
def test_the_requester_approves_by_no_token_of_theirs(repository: Repository, cuts: dict[str, Any]) -> None:
    login = f"requester-{repository.name}"
    mine = blocked(repository, approvers=[login])
    other = repository.seen_by(make(repository.server, mine.token, **cuts).secret)
    for judge in (approve, decline):
        assert refusal(judge, other, 2) == Refusal(
            DENIED, f"build 2 is from {login}, so somebody else approves it", "NOT_AN_APPROVER"
        )


def test_a_machine_user_approves_where_it_is_named(repository: Repository) -> None:
    login = f"robot-{repository.name}"
    robot = repository.of(login, ADMIN)
    change = pb.UpdateUserRequest(
        login=login, user=pb.User(machine=True), update_mask={"paths": ["machine"]}
    )
    repository.server.access().UpdateUser(change)
    blocked(repository)
    assert refusal(approve, robot, 2) == Refusal(
        DENIED, f"{login} is a machine user, and approves only where it is named", "NOT_AN_APPROVER"
    )
    repository.server.environments().UpdateEnvironment(
        env.UpdateEnvironmentRequest(
            owner=repository.owner,
            repo=repository.name,
            environment=env.Environment(name="production", approvers=[login]),
            update_mask={"paths": ["approvers"]},
        )
    )
    assert approve(robot, 2).status == api.BUILD_STATUS_PENDING


def arrived(repository: Repository) -> None:
    """Two builds that succeeded in production, one after the other."""
    for number in (1, 3):
        repository.record(status=SUCCESS)
        repository.promote(number)
        repository.report(number + 1, SUCCESS)


# What needs which action, and is about production.
WRITES: dict[str, tuple[pb.TokenAction, pb.AccessLevel, dict[str, object]]] = {
    "ApproveBuild": (APPROVE, ADMIN, {"build": 6}),
    "DeclineBuild": (APPROVE, ADMIN, {"build": 6}),
    "RollbackBuild": (ROLLBACK, WRITE, {"target": "production"}),
}


@pytest.mark.parametrize("rpc", WRITES)
def test_a_cut_token_is_held_to_it_at_every_door(caller: Caller, repository: Repository, rpc: str) -> None:
    arrived(repository)
    declare(repository, required_approvals=1)
    repository.record(status=SUCCESS)
    assert repository.promote(5).number == 6
    action, level, fields = WRITES[rpc]
    others = [each for each in pb.TokenAction.values()[1:] if each != action]
    where = {"owner": repository.owner, "repo": repository.name, **fields}
    for cuts, reason in (
        ({"environments": ["staging"], "actions": [action]}, "TOKEN_CUT_TO_ENVIRONMENTS"),
        ({"actions": others}, "TOKEN_CUT_TO_ACTIONS"),
    ):
        held = cut(repository, level, **cuts)
        request = getattr(api, f"{rpc.removesuffix('Build')}Request", None) or getattr(api, f"{rpc}Request")
        told = refusal(getattr(held.builds, rpc), request(**where))
        assert (told.code, told.reason) == (DENIED, reason)
        answer = caller.having(held.token or "").rpc(f"BuildService/{rpc}", **where)
        assert (answer.status, answer.json["message"]) == (FORBIDDEN, told.message)
    assert repository.counter() == 6
    assert repository.get(6).status == api.BUILD_STATUS_BLOCKED
    let = cut(repository, level, actions=[action], environments=["production"])
    assert caller.having(let.token or "").rpc(f"BuildService/{rpc}", **where).status == 200


def test_a_token_for_rollbacks_alone_rolls_back_and_no_more(repository: Repository) -> None:
    arrived(repository)
    rescuer = cut(repository, WRITE, actions=[ROLLBACK])
    made = roll_back(rescuer)
    assert (made.event, made.parent, made.number) == (api.BUILD_EVENT_ROLLBACK, 1, 5)
    assert refusal(rescuer.promote, 1).reason == "TOKEN_CUT_TO_ACTIONS"


def test_another_try_of_a_rollback_needs_what_the_rollback_needed(repository: Repository) -> None:
    arrived(repository)
    made = roll_back(repository)
    repository.report(made.number, api.BUILD_STATUS_FAILURE)
    again = api.RetryBuildRequest(**judged(repository, made.number))
    promoter = cut(repository, WRITE, actions=[PROMOTE])
    assert refusal(promoter.builds.RetryBuild, again) == Refusal(
        DENIED,
        f"another try of rollback {made.number} needs the action rollback; this token is cut to promote",
        "TOKEN_CUT_TO_ACTIONS",
    )
    both = cut(repository, WRITE, actions=[PROMOTE, ROLLBACK])
    assert both.builds.RetryBuild(again).event == api.BUILD_EVENT_ROLLBACK


def explained(repository: Repository, **fields: object) -> api.ExplainPromotionResponse:
    return repository.builds.ExplainPromotion(repository.promotion(1, **fields))  # type: ignore[arg-type]


def access_of(answer: api.ExplainPromotionResponse) -> tuple[str, str]:
    """What the gate of access says, which is the first."""
    verdict = answer.verdicts[0]
    assert verdict.gate == "access"
    return api.GateResult.Name(verdict.result).removeprefix("GATE_RESULT_"), verdict.reason


def test_a_promotion_is_explained_to_whoever_may_read(repository: Repository) -> None:
    repository.record(status=SUCCESS, params={"REGION": "eu"})
    login = f"reader-{repository.name}"
    answer = explained(repository.of(login, READ))
    assert access_of(answer) == ("FAILED", f"{login} may not write to {repository.slug}")
    assert list(answer.verdicts[0].cleared_by) == [f"an admin of {repository.slug}"]
    # What it would be made of a reader may see.
    assert dict(answer.build.params) == dict(repository.get(1).params) == {"REGION": "eu"}
    assert (answer.build.id, answer.build.number, answer.build.trigger) == (0, 0, login)
    assert repository.counter() == 1


def test_a_promotion_is_explained_as_the_token_is_cut(repository: Repository) -> None:
    repository.record(status=SUCCESS)
    reads = pb.TOKEN_ACTION_READ
    told = access_of(explained(cut(repository, WRITE, actions=[reads])))
    assert told == ("FAILED", "this token is cut to other actions than promote")
    elsewhere = cut(repository, WRITE, environments=["staging"])
    told = access_of(explained(elsewhere))
    assert told == ("FAILED", "this token is cut to the environments staging")
    assert access_of(explained(elsewhere, target="staging"))[0] == "PASSED"
    blind = cut(repository, WRITE, actions=[PROMOTE], repositories=[repository.slug])
    assert refusal(explained, blind).reason == "TOKEN_CUT_TO_ACTIONS"


def test_a_promotion_of_a_public_repository_is_explained_to_everybody(server: Shipliftd, name: str) -> None:
    server.access().CreateRepository(
        pb.CreateRepositoryRequest(owner="octocat", repo=name, visibility=pb.VISIBILITY_PUBLIC)
    )
    repository = Repository(server, "octocat", name)
    repository.record(status=SUCCESS)
    told = access_of(explained(repository.seen_by("")))
    assert told == ("FAILED", f"whoever has no token may not write to {repository.slug}")
    # Nobody is named in what it would be made of, and nothing overrides a gate.
    assert explained(repository.seen_by("")).build.trigger == ""
    override = [api.Override(gate="hold", reason="because")]
    refused = refusal(explained, repository.seen_by(""), overrides=override)
    assert (refused.code, refused.reason) == (DENIED, "NOT_AN_OVERRIDER")


def test_who_holds_all_environments_needs_a_token_of_all(repository: Repository) -> None:
    held = cut(repository, WRITE, environments=["staging"])
    channel = repository.server.environments(held.token)
    where: dict[str, Any] = {"owner": repository.owner, "repo": repository.name}
    told = refusal(channel.HoldEnvironment, env.HoldEnvironmentRequest(**where, reason="a test"))
    assert told == Refusal(
        DENIED,
        "this token is cut to the environments staging; this is about all of them",
        "TOKEN_CUT_TO_ENVIRONMENTS",
    )
    staging = env.HoldEnvironmentRequest(**where, environment="staging", reason="a test")
    assert channel.HoldEnvironment(staging).by == channel_login(held)
    assert code_of(channel.ResumeEnvironment, env.ResumeEnvironmentRequest(**where)) == DENIED


def channel_login(repository: Repository) -> str:
    return repository.server.access(repository.token).WhoAmI(pb.WhoAmIRequest()).user.login
