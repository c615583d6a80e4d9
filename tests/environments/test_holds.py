"""Holds, and the rules of an owner: what they reach, and what waits for them."""

import grpc
import pytest
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as api
from shiplift.v1 import environments_pb2 as pb

from tests.support.declared import Declared, ruled, said
from tests.support.harness import Shipliftd
from tests.support.patience import until
from tests.support.refusals import BAD_TARGET, Refusal, invalid, refusal
from tests.support.repository import Repository
from tests.support.staged import SUCCESS, stored

ONCE = {"name": "x", "zone": "UTC", "from": "2026-12-20T00:00", "to": "2026-12-21T00:00"}


@pytest.fixture
def declared(repository: Repository) -> Declared:
    """The environments of a repository of the test's own."""
    return Declared(repository)


def test_rules_of_an_owner_reach_repositories_that_are_made_later(server: Shipliftd, name: str) -> None:
    owner = f"o-{name}"
    first = Declared(Repository.make(server, owner, "first"))
    freeze = ruled("", freezes=[{**ONCE, "from": "2020-01-01T00:00", "to": "9998-01-01T00:00"}]).freezes
    nothing = pb.GetOwnerRulesRequest(owner=owner, repo="*")
    assert first.stub.GetOwnerRules(nothing) == pb.OwnerRules(owner=owner)
    rules = pb.OwnerRules(freezes=freeze)
    made = first.stub.UpdateOwnerRules(pb.UpdateOwnerRulesRequest(owner=owner, rules=rules))
    assert made == pb.OwnerRules(owner=owner, freezes=freeze, version=1)
    first.hold("", repo="*", reason="the move")
    later = Declared(Repository.make(server, owner, "later"))
    assert later.stub.GetOwnerRules(pb.GetOwnerRulesRequest(owner=owner, repo="later")) == made
    wanted = {
        "hold": f"failed: {owner}/* is held by admin: the move",
        "freeze": "failed: production is frozen by x until 9998-01-01 00:00:00 UTC",
    }
    for declared in (first, later):
        build = declared.repository.record(status=SUCCESS).number
        assert said(declared.explain(build).verdicts) == wanted
        told = refusal(declared.repository.promote, build)
        assert [field for field, _ in told.violations] == ["hold", "freeze"]
    stale = pb.UpdateOwnerRulesRequest(owner=owner, version=0)
    assert refusal(first.stub.UpdateOwnerRules, stale) == Refusal(
        grpc.StatusCode.ABORTED,
        f"rules of {owner} is at version 1, not 0: read it again",
        "STALE_VERSION",
        (("version", f"rules of {owner} is at version 1"),),
    )
    assert first.stub.UpdateOwnerRules(pb.UpdateOwnerRulesRequest(owner=owner)).version == 2
    first.resume("", repo="*")
    for declared in (first, later):
        assert said(declared.explain(1).verdicts) == {}


def test_faults_of_an_owners_freezes(server: Shipliftd, name: str) -> None:
    rules = pb.OwnerRules(freezes=ruled("", freezes=[{**ONCE, "zone": "Mars"}]).freezes)
    request = pb.UpdateOwnerRulesRequest(owner=f"o-{name}", rules=rules)
    assert refusal(server.environments().UpdateOwnerRules, request) == invalid(
        ("rules.freezes[0].zone", "'Mars' is no IANA time zone: such as Europe/Berlin")
    )


def test_holds_of_each_width_and_scope(declared: Declared) -> None:
    repository = declared.repository
    build = repository.record(status=SUCCESS).number
    held = declared.hold(reason="one")
    assert (held.owner, held.repo, held.environment) == (repository.owner, repository.name, "production")
    assert (held.scope, held.by, held.reason) == (pb.HOLD_SCOPE_ALL, "admin", "one")
    declared.hold("", reason="all")
    # The widest is told.
    assert said(declared.explain(build).verdicts) == {
        "hold": f"failed: {repository.slug} is held by admin: all"
    }
    assert said(declared.explain(build, "qa").verdicts) == {
        "hold": f"failed: {repository.slug} is held by admin: all"
    }
    assert declared.resume("").reason == "all"
    assert said(declared.explain(build).verdicts) == {"hold": "failed: production is held by admin: one"}
    assert said(declared.explain(build, "qa").verdicts) == {}
    # A hold that is there is replaced; one for machines stops no person.
    declared.hold(reason="machines", scope=pb.HOLD_SCOPE_AUTOMATIC)
    assert said(declared.explain(build).verdicts) == {}
    assert declared.resume().reason == "machines"
    gone = refusal(declared.resume)
    assert (gone.code, gone.reason) == (grpc.StatusCode.NOT_FOUND, "HOLD_NOT_FOUND")


def test_of_several_holds_the_one_that_lasts_decides_when_it_clears(declared: Declared) -> None:
    build = declared.repository.record(status=SUCCESS).number
    declared.hold("", reason="all", until={"seconds": 4_000_000_000})
    hold = next(each for each in declared.explain(build).verdicts if each.gate == "hold")
    assert hold.earliest.seconds == 4_000_000_000
    declared.hold(reason="for good")
    hold = next(each for each in declared.explain(build).verdicts if each.gate == "hold")
    assert not hold.HasField("earliest")


def test_a_narrower_hold_lets_go_what_waits(declared: Declared) -> None:
    repository = declared.repository
    first = Declared(repository.of(f"ann-{repository.name}", access_pb2.ACCESS_LEVEL_ADMIN))
    declared.declare(required_approvals=1)
    number = repository.promote(repository.record(status=SUCCESS).number).number
    declared.hold(reason="wait")
    waits = first.approve(number)
    assert (waits.status, said(waits.verdicts)) == (
        api.BUILD_STATUS_PENDING,
        {"hold": "failed: production is held by admin: wait"},
    )
    declared.hold(reason="machines", scope=pb.HOLD_SCOPE_AUTOMATIC)
    # Before it would be looked at all the same.
    until(lambda: said(repository.get(number).verdicts) == {}, 30)


def test_faults_of_a_hold(declared: Declared) -> None:
    told = refusal(declared.hold, "a b", reason="", scope=3, until={"seconds": 1})
    assert told == invalid(
        ("environment", "'a b' " + BAD_TARGET),
        ("scope", "3 is not allowed here: wanted one of HOLD_SCOPE_ALL, HOLD_SCOPE_AUTOMATIC"),
        ("reason", "is empty: say why, for whoever is stopped by it"),
        ("until", "is not in the future"),
    )


def test_what_waits_does_not_go_where_a_runner_was_lost_meanwhile(declared: Declared) -> None:
    repository = declared.repository
    declared.declare()
    build = repository.record(status=SUCCESS).number
    lost, waiting = repository.promote(build).number, repository.promote(build).number
    # As a lost runner leaves it, seen once the one before has ended.
    (row,) = stored(repository.server, "SELECT id FROM repositories WHERE name = ?", repository.name)
    stored(
        repository.server,
        "INSERT INTO lost (repo_id, environment, number, stage, machine, at, newest)"
        " VALUES (?, 'production', ?, 'default', 'box', 1, ?)",
        row[0],
        lost,
        waiting,
    )
    repository.report(lost, api.BUILD_STATUS_ERROR)
    until(lambda: "uncertain" in said(repository.get(waiting).verdicts))
    assert said(repository.get(waiting).verdicts)["uncertain"].startswith(
        f"failed: nobody knows what is in production: promotion {lost} to it was lost in stage 'default'"
    )
    declared.stub.SettleEnvironment(
        pb.SettleEnvironmentRequest(**declared.of, environment="production", build=0)
    )
    until(lambda: said(repository.get(waiting).verdicts) == {})


def test_a_mistyped_environment_is_not_held(declared: Declared) -> None:
    # Any target is accepted so far, and so is a hold of it.
    assert declared.hold("prodution").environment == "prodution"
    declared.declare()
    declared.declare("staging")
    told = refusal(declared.hold, "prodution")
    assert (told.code, told.reason, told.message) == (
        grpc.StatusCode.NOT_FOUND,
        "ENVIRONMENT_NOT_FOUND",
        f"prodution is none of the environments of {declared.repository.slug} (production, staging):"
        " did you mean production?",
    )
    # One from before can be taken back.
    assert declared.resume("prodution").reason == "we look"
    # All of an owner's are of other repositories, too.
    assert declared.hold("prodution", repo="*").repo == "*"
    declared.resume("prodution", repo="*")
