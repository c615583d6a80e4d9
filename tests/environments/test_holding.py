"""HoldEnvironment and ResumeEnvironment: what they stop, for whom and for how long."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as api
from shiplift.v1 import environments_pb2 as pb

from tests.support.faults import form
from tests.support.gated import Gated, both, goes, verdicts
from tests.support.patience import until
from tests.support.refusals import Refusal, code_of, invalid, refusal
from tests.support.repository import Repository
from tests.support.staged import SUCCESS

ALL, AUTOMATIC = pb.HOLD_SCOPE_ALL, pb.HOLD_SCOPE_AUTOMATIC
FAILED, OVERRIDDEN = api.GATE_RESULT_FAILED, api.GATE_RESULT_OVERRIDDEN
ROUNDS = form(10, 200)


@pytest.fixture
def gated(repository: Repository) -> Gated:
    """A repository of an owner of its own, with a build 1 that succeeded."""
    made = Gated.caller_of(Repository.make(repository.server, f"o-{repository.name}", "app"))
    made.released(pipeline=both())
    return made


def robot(gated: Gated) -> Gated:
    """The repository as a machine user sees it who may write."""
    login = f"robot-{gated.owner}"
    token = gated.server.user(login, gated.slug, access_pb2.ACCESS_LEVEL_WRITE)
    request = access_pb2.UpdateUserRequest(
        login=login, user=access_pb2.User(machine=True), update_mask=FieldMask(paths=["machine"])
    )
    gated.server.access().UpdateUser(request)
    return gated.by(token)


WHAT: dict[str, tuple[dict[str, Any], Callable[[Gated], str]]] = {
    "environment": ({"environment": "production"}, lambda _: "production"),
    "repository": ({"environment": ""}, lambda gated: gated.slug),
    "owner": ({"environment": "", "repo": "*"}, lambda gated: f"{gated.owner}/*"),
    "environment of the owner": (
        {"environment": "production", "repo": "*"},
        lambda gated: f"{gated.owner}/*",
    ),
}


@pytest.mark.parametrize("what", WHAT)
@pytest.mark.parametrize("is_declared", [False, True])
def test_a_hold_stops_what_it_is_on(gated: Gated, what: str, is_declared: bool) -> None:
    on, told = WHAT[what]
    if is_declared:
        gated.declare()
        gated.declare("staging")
    held = gated.hold(**on, reason="the database is being moved")
    assert held == pb.Hold(
        owner=gated.owner,
        repo=on.get("repo", gated.name),
        environment=on["environment"],
        scope=ALL,
        by="admin",
        reason="the database is being moved",
        since=held.since,
    )
    reason = f"{told(gated)} is held by admin: the database is being moved"
    assert refusal(gated.promote, 1) == Refusal(
        grpc.StatusCode.FAILED_PRECONDITION,
        f"{gated.slug} may not go to production: hold: {reason}",
        "PROMOTION_REFUSED",
        (("hold", reason),),
    )
    elsewhere = code_of(gated.promote, 1, "staging")
    assert (elsewhere == grpc.StatusCode.OK) == bool(on["environment"])
    # Others are not concerned.
    other = Gated.caller_of(Repository.make(gated.server, f"{gated.owner}-2", "app"))
    other.released(pipeline=both())
    assert goes(other.promote(1))
    assert gated.resume(**on) == held
    gone = refusal(gated.resume, **on)
    assert (gone.code, gone.reason) == (grpc.StatusCode.NOT_FOUND, "HOLD_NOT_FOUND")
    assert goes(gated.promote(1))


def test_a_hold_of_machines_lets_people_pass(gated: Gated) -> None:
    machine = robot(gated)
    gated.declare()
    gated.hold(scope=AUTOMATIC, reason="by hand for now")
    told = refusal(machine.promote, 1).violations
    assert told == (("hold", "production is held by admin for machine users: by hand for now"),)
    assert goes(gated.promote(1))
    gated.report(2, SUCCESS)
    gated.resume()
    assert goes(machine.promote(1))


def test_a_wider_hold_of_all_counts_beside_one_of_machines(gated: Gated) -> None:
    gated.hold(scope=AUTOMATIC)
    gated.hold("", reason="all of it")
    assert refusal(gated.promote, 1).violations == (("hold", f"{gated.slug} is held by admin: all of it"),)
    gated.resume("")
    assert goes(gated.promote(1))


def test_a_hold_is_replaced_and_ends_by_itself(gated: Gated) -> None:
    gated.declare()
    first = gated.hold(reason="a")
    end = Timestamp(seconds=int(datetime.now(UTC).timestamp()) + 3)
    second = gated.hold(scope=AUTOMATIC, reason="b", until=end)
    assert (first.reason, second.reason, second.scope, second.until) == ("a", "b", AUTOMATIC, end)
    gated.hold(reason="c", until=end)
    assert refusal(gated.promote, 1).violations[0][1].endswith("UTC: c")
    until(lambda: code_of(gated.promote, 1) == grpc.StatusCode.OK, 10)
    assert datetime.now(UTC).timestamp() >= end.seconds


def test_a_bad_hold_is_refused(gated: Gated) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    assert refusal(gated.hold, "", reason="", until=past) == invalid(
        ("reason", "is empty: say why, for whoever is stopped by it"),
        ("until", "is not in the future"),
    )


def test_what_runs_goes_on_and_what_waits_waits_on(gated: Gated) -> None:
    gated.declare()
    gated.promote(1)
    gated.promote(1)
    gated.hold("", repo="*")
    gated.report(2, SUCCESS)
    until(lambda: list(verdicts(gated.get(3), FAILED)) == ["hold"])
    assert not goes(gated.get(3))
    gated.resume("", repo="*")
    gated.went(3)


@pytest.mark.parametrize("later", ["", "second"])
def test_an_override_is_of_the_hold_that_there_was(gated: Gated, later: str) -> None:
    gated.declare()
    gated.promote(1)
    gated.hold(reason="first")
    waits = gated.promote(1, overrides=[api.Override(gate="hold", reason="it burns")])
    passed = {"hold": "passed by admin: it burns (production is held by admin: first)"}
    assert verdicts(waits, OVERRIDDEN) == passed
    if later:
        gated.hold(reason=later)
    gated.report(2, SUCCESS)
    if later:
        told = {"hold": f"production is held by admin: {later}"}
        until(lambda: verdicts(gated.get(3), FAILED) == told)
        assert (goes(gated.get(3)), verdicts(gated.get(3), OVERRIDDEN)) == (False, {})
        gated.resume()
    assert verdicts(gated.went(3), OVERRIDDEN) == ({} if later else passed)


@pytest.mark.parametrize("what", ["environment", "owner"])
def test_nothing_goes_once_a_hold_is_answered(gated: Gated, what: str) -> None:
    on, _ = WHAT[what]
    gated.declare()
    with ThreadPoolExecutor(2) as threads:
        for _ in range(ROUNDS):
            first, second = gated.promote(1).number, gated.promote(1).number
            ending = threads.submit(gated.report, first, SUCCESS)
            gated.hold(**on)
            # As it stands now, so it stays.
            began = goes(gated.get(second))
            ending.result()
            if not began:
                until(partial(_is_held, gated, second))
            assert goes(gated.get(second)) == began
            gated.cancel(second)
            gated.resume(**on)


def _is_held(gated: Gated, number: int) -> bool:
    return list(verdicts(gated.get(number), FAILED)) == ["hold"]


def test_nothing_begins_once_a_hold_is_answered(gated: Gated) -> None:
    """In a repository without rules, in which no promotion waits for another."""
    with ThreadPoolExecutor(4) as threads:
        for _ in range(ROUNDS):
            promoting = [threads.submit(code_of, gated.promote, 1) for _ in range(3)]
            gated.hold()
            there = set(gated.numbers(environment="production"))
            codes = {call.result() for call in promoting}
            assert codes <= {grpc.StatusCode.OK, grpc.StatusCode.FAILED_PRECONDITION}
            assert set(gated.numbers(environment="production")) == there
            gated.resume()
