"""A request_id makes a promotion safe to repeat."""

from typing import Any

import grpc
import pytest
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb
from shiplift.v1 import environments_pb2 as env

from tests.support.refusals import Refusal, invalid, refusal
from tests.support.repository import Repository, replayed


def test_a_repeated_request_id_returns_the_promotion_as_it_stands_now(repository: Repository) -> None:
    repository.record()
    request = repository.promotion(1, params={"B": "2", "A": "1"}, request_id=f"an id ~ {repository.name}")
    first, call = repository.builds.PromoteBuild.with_call(request)
    assert not replayed(call)
    again, call = repository.builds.PromoteBuild.with_call(request)
    assert (again, replayed(call)) == (first, True)

    now = repository.report(2, pb.BUILD_STATUS_RUNNING, message="rolling out")
    again, call = repository.builds.PromoteBuild.with_call(request)
    assert (again, replayed(call)) == (now, True)
    assert repository.numbers() == [2, 1]


def test_a_repeated_request_id_asks_for_no_expected_current(repository: Repository) -> None:
    repository.record()
    first = repository.promote(1, expected_current=0, request_id=repository.name)
    done = repository.report(2, pb.BUILD_STATUS_SUCCESS)
    assert repository.promote(1, expected_current=0, request_id=repository.name) == done
    assert done.number == first.number


@pytest.mark.parametrize(
    "changed",
    [
        {"build": 2},
        {"target": "staging"},
        {"params": {"A": "2"}},
        {"params": {}},
        {"params": {"A": "1", "B": ""}},
        {"expected_current": 0},
    ],
    ids=str,
)
def test_a_request_id_with_another_body_is_refused(
    repository: Repository, changed: dict[str, object]
) -> None:
    repository.record()
    repository.record()
    body: dict[str, object] = {"build": 1, "target": "production", "params": {"A": "1"}}
    repository.promote(**body, request_id=repository.name)  # type: ignore[arg-type]
    assert refusal(repository.promote, **{**body, **changed}, request_id=repository.name) == Refusal(  # type: ignore[arg-type]
        grpc.StatusCode.ALREADY_EXISTS,
        f"request_id '{repository.name}' was used for another PromoteBuild: use a new one for a new"
        " request, and the old one only to repeat it unchanged",
        "REQUEST_ID_TAKEN",
    )
    assert repository.numbers() == [3, 2, 1]


def test_request_ids_are_a_users_own_and_a_methods_own(repository: Repository) -> None:
    other = repository.of(f"other-{repository.name}", access_pb2.ACCESS_LEVEL_WRITE)
    answers = [
        repository.record(request_id=repository.name),
        repository.promote(1, request_id=repository.name),
        other.record(request_id=repository.name),
        other.promote(1, request_id=repository.name),
    ]
    assert [(build.number, build.trigger) for build in answers] == [
        (1, "admin"),
        (2, "admin"),
        (3, f"other-{repository.name}"),
        (4, f"other-{repository.name}"),
    ]


def test_a_failed_call_keeps_no_request_id(repository: Repository) -> None:
    assert refusal(repository.promote, 1, request_id=repository.name).code == grpc.StatusCode.NOT_FOUND
    repository.record()
    assert (
        refusal(repository.promote, 1, "a b", request_id=repository.name).code
        == grpc.StatusCode.INVALID_ARGUMENT
    )
    assert repository.promote(1, request_id=repository.name).number == 2


def test_who_has_lost_access_gets_nothing_for_a_repeated_request_id(repository: Repository) -> None:
    login = f"leaver-{repository.name}"
    leaver = repository.of(login, access_pb2.ACCESS_LEVEL_WRITE)
    repository.record()
    leaver.promote(1, request_id=repository.name)
    repository.server.access().RevokeAccess(
        access_pb2.RevokeAccessRequest(owner=repository.owner, repo=repository.name, login=login)
    )
    assert refusal(leaver.promote, 1, request_id=repository.name).code == grpc.StatusCode.NOT_FOUND


def test_a_repeated_request_id_does_not_lead_out_of_a_tokens_environments(repository: Repository) -> None:
    login = f"owner-{repository.name}"
    whole = repository.of(login, access_pb2.ACCESS_LEVEL_WRITE)
    repository.record()
    whole.promote(1, "production", request_id=repository.name)
    staging = repository.server.access(whole.token).CreateToken(
        access_pb2.CreateTokenRequest(environments=["staging"], actions=[access_pb2.TOKEN_ACTION_PROMOTE])
    )
    cut = repository.seen_by(staging.secret)
    assert (
        refusal(cut.promote, 1, "production", request_id=repository.name).code
        == grpc.StatusCode.PERMISSION_DENIED
    )


@pytest.mark.parametrize("request_id", ["x" * 129, "ü", "a\nb", "\x7f", "a\0"])
def test_a_request_id_of_another_form_is_refused(repository: Repository, request_id: str) -> None:
    repository.record()
    told = refusal(repository.promote, 1, request_id=request_id)
    shown = repr(request_id if len(request_id) <= 60 else request_id[:57] + "...")
    assert told == invalid(("request_id", f"{shown}: wanted 1 to 128 printable ASCII characters"))
    assert repository.numbers() == [1]


def test_the_longest_request_id_is_taken(repository: Repository) -> None:
    repository.record()
    longest = repository.name.ljust(128, "~")
    assert repository.promote(1, request_id=longest) == repository.promote(1, request_id=longest)


def test_a_repeat_says_which_hold_was_taken_back(repository: Repository) -> None:
    channel = repository.server.environments()
    where: dict[str, Any] = {
        "owner": repository.owner,
        "repo": repository.name,
        "environment": "production",
    }
    held = channel.HoldEnvironment(env.HoldEnvironmentRequest(**where, reason="a fire"))
    request = env.ResumeEnvironmentRequest(**where, request_id=repository.name)
    assert channel.ResumeEnvironment(request) == held
    again, call = channel.ResumeEnvironment.with_call(request)
    assert (again, replayed(call)) == (held, True)
    # It holds nothing any more.
    told = refusal(channel.ResumeEnvironment, env.ResumeEnvironmentRequest(**where))
    assert (told.code, told.reason) == (grpc.StatusCode.NOT_FOUND, "HOLD_NOT_FOUND")
    repository.record()
    assert repository.promote(1).status == pb.BUILD_STATUS_PENDING
    shown = env.GetDeploymentRequest(**where)
    assert not channel.GetDeployment(shown).HasField("hold")
    # Held anew, it is what is there now.
    anew = channel.HoldEnvironment(env.HoldEnvironmentRequest(**where, reason="a flood"))
    assert channel.GetDeployment(shown).hold == anew
    assert refusal(repository.promote, 1).reason == "PROMOTION_REFUSED"
