"""Each gate over the API: what makes it fail or wait, and what clears it."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as api

from tests.support.declared import Declared, said
from tests.support.patience import until
from tests.support.refusals import refusal
from tests.support.repository import Repository, change
from tests.support.staged import FAILURE, SUCCESS, Staged, lose, pipelines

WRITE, ADMIN = access_pb2.ACCESS_LEVEL_WRITE, access_pb2.ACCESS_LEVEL_ADMIN


@pytest.fixture
def declared(repository: Repository) -> Declared:
    """The environments of a repository of the test's own, with a build that succeeded, number 1."""
    repository.record(status=SUCCESS)
    return Declared(repository)


def refused(declared: Declared, build: int = 1, **fields: Any) -> dict[str, str]:  # noqa: ANN401
    """The gates that a promotion to production is refused by, as it is explained, too."""
    explained = said(declared.explain(build, **fields).verdicts)
    told = refusal(declared.repository.promote, build, **fields)
    assert told.code == grpc.StatusCode.FAILED_PRECONDITION
    if told.reason == "PROMOTION_REFUSED":
        assert {gate: f"failed: {reason}" for gate, reason in told.violations} == explained
    return explained


def is_clear(declared: Declared, build: int = 1, **fields: Any) -> bool:  # noqa: ANN401
    """Whether a promotion to production goes."""
    assert said(declared.explain(build, **fields).verdicts) == {}
    made = declared.repository.promote(build, **fields)
    return made.status == api.BUILD_STATUS_PENDING and said(made.verdicts) == {}


def passing(gate: str) -> list[api.Override]:
    """Passes a gate by name."""
    return [api.Override(gate=gate, reason="it burns")]


def test_access(declared: Declared) -> None:
    repository = declared.repository
    reader = Declared(repository.of(f"r-{repository.name}", access_pb2.ACCESS_LEVEL_READ))
    assert said(reader.explain(1).verdicts) == {
        "access": f"failed: r-{repository.name} may not write to {repository.slug}"
    }
    login = f"w-{repository.name}"
    cuts: list[tuple[dict[str, Any], str]] = [
        ({"environments": ["qa", "staging"]}, "this token is cut to the environments qa, staging"),
        (
            {"actions": [access_pb2.TOKEN_ACTION_READ]},
            "this token is cut to other actions than promote",
        ),
    ]
    repository.of(login, WRITE)
    for cut, told in cuts:
        made = repository.server.access().CreateToken(access_pb2.CreateTokenRequest(login=login, **cut))
        seen = Declared(repository.seen_by(made.secret))
        assert said(seen.explain(1).verdicts) == {"access": f"failed: {told}"}
        assert refusal(seen.repository.promote, 1).code == grpc.StatusCode.PERMISSION_DENIED


def test_repository(declared: Declared) -> None:
    slug = declared.repository.slug
    change(declared.repository, "active", active=False)
    assert refused(declared) == {"repository": f"failed: {slug} is disabled, and takes no new builds"}
    change(declared.repository, "active", active=True)
    assert is_clear(declared)


def test_environment(declared: Declared) -> None:
    slug = declared.repository.slug
    declared.declare("productions")
    told = f"production is none of the environments of {slug} (productions): did you mean productions?"
    assert refused(declared) == {"environment": f"failed: {told}"}
    declared.declare()
    assert is_clear(declared)


def test_promoters(declared: Declared) -> None:
    repository = declared.repository
    ann, bob = (Declared(repository.of(f"{who}-{repository.name}", WRITE)) for who in ("ann", "bob"))
    login = f"ann-{repository.name}"
    declared.declare(promoters=[login])
    assert refused(bob) == {
        "promoters": f"failed: bob-{repository.name} is none of the promoters of production: {login}"
    }
    assert is_clear(ann)
    declared.change(promoters=[], promoter_level="ACCESS_LEVEL_ADMIN", queue_policy="QUEUE_POLICY_QUEUE")
    told = f"failed: production is promoted to by admins of {repository.slug}, and {login} is none"
    assert said(ann.explain(1).verdicts)["promoters"] == told
    grant = access_pb2.GrantAccessRequest(**declared.of, login=login, level=ADMIN)
    repository.server.access().GrantAccess(grant)
    assert "promoters" not in said(ann.explain(1).verdicts)


def test_commit(declared: Declared) -> None:
    build = declared.repository.record(status=SUCCESS, after="").number
    told = f"build {build} has no commit, so nobody could tell what is deployed"
    assert refused(declared, build) == {"commit": f"failed: {told}"}
    assert refusal(declared.repository.promote, build).reason == "BUILD_WITHOUT_COMMIT"


def test_success(declared: Declared) -> None:
    declared.declare()
    build = declared.repository.record(status=FAILURE).number
    told = f"build {build} is failure, and production takes builds that ended in success"
    assert refused(declared, build) == {"success": f"failed: {told}"}
    made = declared.repository.promote(build, overrides=passing("success"))
    assert said(made.verdicts) == {"success": f"overridden: passed by admin: it burns ({told})"}
    declared.repository.report(made.number, SUCCESS)
    declared.change(allow_failed=True)
    assert is_clear(declared, build)


def test_predecessor_and_soak(declared: Declared) -> None:
    repository = declared.repository
    declared.declare("staging")
    declared.declare(requires="staging", soak="3600s")
    told = "build 1 has not succeeded in staging yet: promote it there first"
    assert refused(declared) == {"predecessor": f"failed: {told}"}
    staging = repository.promote(1, "staging").number
    assert refused(declared) == {"predecessor": f"failed: {told}"}
    repository.report(staging, SUCCESS)
    # Any build of the same origin will do, such as what was promoted.
    for build in (1, staging):
        waits = repository.promote(build)
        assert waits.status == api.BUILD_STATUS_PENDING
        (soaking,) = [each for each in waits.verdicts if each.gate == "soak"]
        assert soaking.result == api.GATE_RESULT_WAITING
        assert soaking.reason.startswith(f"build {build} is to have been in staging for 1 hour")
        assert soaking.earliest.seconds - repository.get(staging).finished.seconds in (3600, 3599)
    # Another origin has not.
    other = repository.record(status=SUCCESS).number
    assert list(refused(declared, other)) == ["predecessor"]
    declared.change(soak="0.001s")
    until(lambda: said(repository.get(waits.number - 1).verdicts) == {})


@pytest.mark.parametrize("ago", [timedelta(days=1), timedelta(days=-1)], ids=["past", "future"])
def test_soak_is_counted_by_the_clock_of_the_server(declared: Declared, ago: timedelta) -> None:
    """Whoever reports a success says when it was, and would shorten or lengthen the wait by that."""
    repository = declared.repository
    declared.declare("staging")
    declared.declare(requires="staging", soak="3600s")
    told = datetime.now(UTC) - ago
    before = time.time()
    staging = repository.promote(1, "staging").number
    repository.report(staging, SUCCESS, started=told, finished=told)
    after = time.time()
    (soaking,) = [each for each in repository.promote(1).verdicts if each.gate == "soak"]
    assert soaking.result == api.GATE_RESULT_WAITING
    since = soaking.earliest.ToMilliseconds() / 1000 - 3600
    assert before - 0.001 <= since <= after


def test_parameters(declared: Declared) -> None:
    declared.declare(params=[{"name": "REGION", "required": True}])
    assert refused(declared) == {"parameters": "failed: REGION is missing"}
    assert is_clear(declared, params={"REGION": "eu"})


def test_hold(declared: Declared) -> None:
    declared.hold(reason="the shop is down")
    told = "production is held by admin: the shop is down"
    assert refused(declared) == {"hold": f"failed: {told}"}
    made = declared.repository.promote(1, overrides=passing("hold"))
    assert said(made.verdicts) == {"hold": f"overridden: passed by admin: it burns ({told})"}
    declared.resume()
    assert is_clear(declared)


def test_freeze(declared: Declared) -> None:
    always = {"name": "week", "zone": "UTC", "weekly": [{"from": "Mon 00:00", "to": "Mon 00:00"}]}
    declared.declare(freezes=[always])
    (told,) = refused(declared).items()
    assert told[0] == "freeze"
    assert told[1].startswith("failed: production is frozen by week until ")
    made = declared.repository.promote(1, overrides=passing("freeze"))
    assert list(said(made.verdicts)) == ["freeze"]
    declared.repository.report(made.number, SUCCESS)
    declared.change("production", "freezes")
    assert is_clear(declared)


def test_approvals(declared: Declared) -> None:
    repository = declared.repository
    ann = Declared(repository.of(f"ann-{repository.name}", ADMIN))
    declared.declare(required_approvals=1)
    waits = repository.promote(1)
    assert waits.status == api.BUILD_STATUS_BLOCKED
    assert said(waits.verdicts)["approvals"].startswith("waiting: 0 of 1 approvals; wanted is an admin")
    # Not by whom it is from.
    assert refusal(declared.approve, waits.number).reason == "NOT_AN_APPROVER"
    gone = ann.approve(waits.number)
    assert (gone.status, said(gone.verdicts)) == (api.BUILD_STATUS_PENDING, {})


def test_queue(declared: Declared) -> None:
    repository = declared.repository
    declared.declare()
    first, second = repository.promote(1), repository.promote(1)
    told = f"promotion {first.number} to production is under way"
    assert said(second.verdicts) == {"queue": f"waiting: {told}: this one goes when it has ended"}
    declared.change(queue_policy="QUEUE_POLICY_REJECT")
    assert refused(declared) == {"queue": f"failed: {told}, and no other is taken meanwhile"}
    repository.report(first.number, SUCCESS)
    until(lambda: said(repository.get(second.number).verdicts) == {})
    repository.report(second.number, SUCCESS)
    assert is_clear(declared)


def test_uncertain(repository: Repository) -> None:
    staged = Staged.of(repository)
    lease = staged.running()
    lose(repository.server, lease.stage.id)
    until(lambda: repository.get(2).status == api.BUILD_STATUS_ERROR)
    declared = Declared(repository)
    (told,) = refused(declared).items()
    assert told[0] == "uncertain"
    assert told[1].startswith("failed: nobody knows what is in production: promotion 2 to it was lost")
    assert refusal(repository.promote, 1).reason == "ENVIRONMENT_UNCERTAIN"
    assert is_clear(declared, despite_lost=2)


def test_stages(declared: Declared) -> None:
    file = pipelines({"name": "other", "trigger": {"target": "staging"}})
    build = declared.repository.record(status=SUCCESS, pipeline=file).number
    assert list(refused(declared, build)) == ["stages"]
    declared.declare(deployer="DEPLOYER_PIPELINE")
    (told,) = refused(declared).values()
    assert told.startswith("failed: production is deployed to by pipelines, and no pipeline file")
    declared.change(deployer="DEPLOYER_EXTERNAL")
    assert is_clear(declared, build)
