"""The details of refusals: the reason, the values that the message names, and when to try again."""

import base64
from typing import Any

import pytest
from shiplift.v1 import access_pb2, stages_pb2
from shiplift.v1 import builds_pb2 as pb
from shipliftd.errors import Aborted, Precondition, Refusal, Unavailable

from tests.support.harness import Shipliftd
from tests.support.patience import until
from tests.support.refusals import details
from tests.support.repository import Repository
from tests.support.staged import RUNNING, Staged, lose, runner_of


@pytest.fixture
def staged(repository: Repository) -> Staged:
    """A repository of the test's own with its runner."""
    return Staged.of(repository)


def told(
    reason: str, against: tuple[str, str] | None = None, /, **metadata: str
) -> dict[str, dict[str, Any]]:
    """The details of a refusal with one violation at most."""
    info: dict[str, Any] = {"reason": reason, "domain": "shiplift"}
    found = {"ErrorInfo": info | ({"metadata": metadata} if metadata else {})}
    if against:
        violation = {"type": reason, "subject": against[0], "description": against[1]}
        found["PreconditionFailure"] = {"violations": [violation]}
    return found


def test_who_may_not_is_told_what_is_needed_and_what_there_is(repository: Repository) -> None:
    of = {"owner": repository.owner, "repo": repository.name}
    repository.record()
    reader = repository.of(f"reader-{repository.name}", access_pb2.ACCESS_LEVEL_READ)
    assert details(reader.promote, 1) == told(
        "PERMISSION_DENIED", method="PromoteBuild", needs="write", has="read"
    )
    outsider = repository.of(f"outsider-{repository.name}")
    assert details(outsider.promote, 1) == told("REPOSITORY_NOT_FOUND", **of)
    assert details(repository.seen_by("").promote, 1) == told("NO_TOKEN", method="PromoteBuild")
    assert details(repository.seen_by("shl_x").promote, 1) == told("UNKNOWN_TOKEN")


def test_a_cut_token_is_told_its_cuts(repository: Repository) -> None:
    repository.record()
    login, writes = f"cut-{repository.name}", access_pb2.ACCESS_LEVEL_WRITE
    token = repository.server.user(
        login,
        repository.slug,
        writes,
        environments=["staging", "testing"],
        actions=[access_pb2.TOKEN_ACTION_PROMOTE],
    )
    cut = repository.seen_by(token)
    assert details(cut.promote, 1, "production") == told(
        "TOKEN_CUT_TO_ENVIRONMENTS", environment="production", has="staging, testing"
    )
    assert details(cut.get, 1) == told(
        "TOKEN_CUT_TO_ACTIONS", method="GetBuild", needs="read", has="promote"
    )
    elsewhere = repository.server.user(f"x{login}", repository.slug, writes, repositories=["a/b", "c/*"])
    other = repository.seen_by(elsewhere).promote
    assert details(other, 1) == told("REPOSITORY_NOT_FOUND", owner=repository.owner, repo=repository.name)


def test_a_token_that_works_no_more_is_named_by_its_id(server: Shipliftd) -> None:
    made = server.access().CreateToken(access_pb2.CreateTokenRequest())
    server.access().RevokeToken(access_pb2.RevokeTokenRequest(id=made.id))
    assert details(server.access(made.secret).WhoAmI, access_pb2.WhoAmIRequest()) == told(
        "REVOKED_TOKEN", token_id=str(made.id), login="admin"
    )


def test_a_promotion_is_told_what_is_in_its_environment(repository: Repository) -> None:
    repository.record()
    of = {"owner": repository.owner, "repo": repository.name}
    assert details(repository.promote, 1, expected_current=7) == told(
        "UNEXPECTED_CURRENT",
        ("expected_current", "0 is current in production"),
        environment="production",
        expected="7",
        current="0",
    )
    assert details(repository.promote, 9) == told("BUILD_NOT_FOUND", **of, build="9")
    # The site admin's requests are of all tests.
    once = f"once-{repository.name}"
    repository.promote(1, request_id=once)
    assert details(repository.promote, 1, "staging", request_id=once) == told(
        "REQUEST_ID_TAKEN", method="PromoteBuild", request_id=once
    )
    assert details(repository.record, number=1) == told("NUMBER_TAKEN", **of, build="1")


def test_a_stale_change_is_told_the_version_that_there_is(staged: Staged) -> None:
    repository, runner = staged.repository, staged.runner
    repository.record(status=pb.BUILD_STATUS_RUNNING)
    version = repository.get(1).version
    assert details(repository.report, 1, version=version + 3) == told(
        "STALE_VERSION",
        ("version", f"build 1 is at version {version}"),
        resource="build 1",
        expected=str(version + 3),
        version=str(version),
    )
    stage = staged.running().stage
    at = runner.lease(stage.id).stage.version
    assert details(runner.report, stage.id, RUNNING, version=at + 1) == told(
        "STALE_VERSION",
        ("version", f"stage {stage.id} is at version {at}"),
        resource=f"stage {stage.id}",
        expected=str(at + 1),
        version=str(at),
    )


def test_a_runner_is_told_who_has_the_stage(staged: Staged) -> None:
    stage = staged.promoted().stages[0]
    other = runner_of(staged.repository, f"other-{staged.repository.name}")
    staged.runner.accept(stage.id)
    assert details(other.accept, stage.id) == told(
        "STAGE_TAKEN",
        ("stage_id", "is pending and taken by box"),
        stage_id=str(stage.id),
        status="pending",
        machine="box",
    )
    assert details(other.report, stage.id, RUNNING) == told("NO_LEASE", stage_id=str(stage.id))
    assert details(other.accept, 2**40) == told("STAGE_NOT_FOUND", stage_id=str(2**40))


def test_a_gap_in_a_log_tells_where_to_go_on(staged: Staged) -> None:
    (step,) = staged.stepping()
    staged.runner.append(step.id, 0, "one", "two")
    assert details(staged.runner.append, step.id, 5, "six") == told(
        "LOG_GAP", first_position="5", next_position="2"
    )


def test_an_uncertain_environment_names_what_was_lost(staged: Staged) -> None:
    repository = staged.repository
    lease = staged.running()
    lost = str(lease.build.number)
    lose(repository.server, lease.stage.id)
    until(lambda: repository.get(lease.build.number).status == pb.BUILD_STATUS_ERROR or None)
    assert details(repository.promote, 1) == told(
        "ENVIRONMENT_UNCERTAIN",
        ("production", f"promotion {lost} was lost on its way there"),
        environment="production",
        lost=lost,
        stage=lease.stage.name,
        machine="box",
    )


def test_who_keeps_a_token_from_others_is_told_whose_it_is(server: Shipliftd) -> None:
    token = server.user("curious", "", access_pb2.ACCESS_LEVEL_UNSPECIFIED)
    request = access_pb2.ListTokensRequest(login="admin")
    assert details(server.access(token).ListTokens, request) == told(
        "NOT_YOURS", method="ListTokens", login="admin"
    )


def test_what_is_unavailable_says_when_to_try_again() -> None:
    detail = Unavailable("the store is away").status().details[1]
    assert (detail.type_url.rpartition(".")[2], detail.value) == ("RetryInfo", b"\n\x02\x08\x01")


@pytest.mark.parametrize("character", ["x", "ü", "🚢", "%", "\n"], ids=ascii)
@pytest.mark.parametrize("kind", [Precondition, Aborted])
def test_metadata_of_any_length_fits_into_4_kib(kind: type[Refusal], character: str) -> None:
    refusal = kind(
        character * 5000,
        reason="NO_PIPELINE_MATCHES",
        violations=[(character * 100, character * 200)] * 50,
        metadata={f"key{n}": character * 1000 for n in range(50)},
    )
    status = refusal.status()
    info = next(detail for detail in status.details if detail.type_url.endswith("ErrorInfo"))
    assert len(info.value) <= 800
    # The message, percent-encoded, takes 800 bytes at most.
    assert len(base64.b64encode(status.SerializeToString())) + 800 <= 4000


def test_a_value_that_is_too_long_is_cut_between_characters() -> None:
    status = Precondition("told", reason="NO_PIPELINE", metadata={"branch": "🚢" * 100}).status()
    assert ("🚢" * 49 + "...").encode() in status.details[0].value
    assert ("🚢" * 50).encode() not in status.details[0].value


def test_who_watches_a_build_without_a_lease_is_told_no_more_than_its_id(staged: Staged) -> None:
    build = staged.promoted()
    request = stages_pb2.WatchStageRequest(build_id=build.id)
    assert details(lambda: next(iter(staged.runner.stages.WatchStage(request)))) == told(
        "BUILD_NOT_FOUND", build_id=str(build.id)
    )
