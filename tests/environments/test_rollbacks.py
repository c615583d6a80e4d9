"""RollbackBuild: what it puts back, what it passes over, what it leaves, and what it never takes."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as api
from shiplift.v1 import environments_pb2 as pb

from tests.support.gated import REJECT, SUPERSEDE, Gated, both, goes, verdicts
from tests.support.patience import until
from tests.support.refusals import Refusal, code_of, refusal
from tests.support.repository import Repository
from tests.support.staged import ERROR, FAILURE, KILLED, RUNNING, SUCCESS, lose, pipelines, runner_of

WRITE = access_pb2.ACCESS_LEVEL_WRITE
FAILED, SKIPPED, WAITING = (
    api.GATE_RESULT_FAILED,
    api.GATE_RESULT_SKIPPED,
    api.GATE_RESULT_WAITING,
)
BLOCKED = api.BUILD_STATUS_BLOCKED


@pytest.fixture
def gated(repository: Repository) -> Gated:
    """A repository of the test's own with the releases 1, 2 and 3, and an environment without gates."""
    made = Gated.caller_of(repository)
    for n in range(3):
        made.released(pipeline=both(), release=f"v{n}", params={"BUILT": str(n)})
    made.declare()
    return made


def test_it_takes_the_newest_of_another_origin_and_goes_further_back(gated: Gated) -> None:
    first = gated.delivered(1, params={"A": "1"})
    again = gated.delivered(1, params={"A": "2"})
    second = gated.delivered(2)
    third = gated.delivered(3)
    back = gated.rollback(comment="it burns", params={"B": "3"})
    assert (back.event, back.parent, back.origin, back.release) == (api.BUILD_EVENT_ROLLBACK, 2, 2, "v1")
    assert (back.rollback_of, back.comment, back.trigger) == (third, "it burns", "admin")
    assert (dict(back.params), goes(back)) == ({"BUILT": "1", "B": "3"}, True)
    assert gated.get(third).rolled_back_by == back.number
    # Lists say so, too, though they remember what they said.
    assert {build.number: build.rolled_back_by for build in gated.page().builds}[third] == back.number
    gated.report(back.number, SUCCESS)
    assert gated.stands().current.number == back.number

    further = gated.rollback(drop_params=["A"])
    assert (further.rollback_of, further.parent, dict(further.params)) == (back.number, 1, {"BUILT": "0"})
    gated.report(further.number, SUCCESS)
    assert gated.get(again).rolled_back_by == gated.get(first).rolled_back_by == 0
    assert gated.get(second).rolled_back_by == 0
    assert refusal(gated.rollback) == Refusal(
        grpc.StatusCode.FAILED_PRECONDITION,
        "nothing else has succeeded in production that was not rolled back itself: promote what is to be"
        " there",
        "NOTHING_TO_ROLL_BACK_TO",
        (
            (
                "production",
                "nothing else has succeeded in production that was not rolled back itself",
            ),
        ),
    )


@pytest.mark.parametrize("end", [FAILURE, ERROR, KILLED])
def test_one_that_failed_is_replaced_by_what_was_there_before(gated: Gated, end: api.BuildStatus) -> None:
    there = gated.delivered(1)
    gated.delivered(2)
    bad = gated.promote(3).number
    gated.report(bad, RUNNING)
    gated.report(bad, end)
    back = gated.rollback()
    assert (back.origin, back.rollback_of, gated.get(bad).rolled_back_by) == (2, bad, back.number)
    # It fails, too: what was bad stays so.
    gated.report(back.number, RUNNING)
    gated.report(back.number, end)
    further = gated.rollback()
    assert (further.origin, further.rollback_of, there) == (1, back.number, 4)
    gated.report(further.number, RUNNING)
    gated.report(further.number, FAILURE)
    assert refusal(gated.rollback).reason == "NOTHING_TO_ROLL_BACK_TO"


def test_what_failed_on_top_is_bad_though_it_was_there_before(gated: Gated) -> None:
    gated.delivered(1)
    gated.delivered(3)
    gated.delivered(2)
    for again in (partial(gated.promote, 3), gated.rollback):
        number = again().number
        gated.report(number, RUNNING)
        gated.report(number, FAILURE)
    assert gated.rollback().origin == 1


def test_one_that_is_on_its_way_is_what_is_replaced(gated: Gated) -> None:
    gated.delivered(1)
    gated.delivered(2)
    # It has not begun, and nobody would know when it does.
    bad = gated.promote(3).number
    back = gated.rollback()
    assert (back.origin, back.rollback_of, goes(back)) == (2, bad, False)
    assert back.waiting_for == (
        f"queue: promotion {bad} to production is under way: this one goes when it has ended"
    )
    gated.report(bad, SUCCESS)
    gated.went(back.number)
    gated.report(back.number, SUCCESS)
    assert gated.stands().current.origin == 2


def test_one_whose_stage_was_taken_has_begun(gated: Gated) -> None:
    gated.delivered(1)
    gated.delivered(2)
    bad = gated.promote(3)
    runner_of(gated, f"runner-{gated.name}").accept(bad.stages[0].id)
    gated.cancel(bad.number)
    back = gated.rollback()
    assert (back.origin, back.rollback_of) == (2, bad.number)


def test_one_that_never_began_is_not_what_is_replaced(gated: Gated) -> None:
    gated.delivered(1)
    bad = gated.delivered(2)
    gated.cancel(gated.promote(3).number)
    back = gated.rollback()
    assert (back.origin, back.rollback_of) == (1, bad)
    # Nor was it replaced by a rollback that never began.
    gated.cancel(back.number)
    third = gated.delivered(3, params={"A": "1"})
    again = gated.rollback()
    assert (again.origin, again.rollback_of) == (2, third)


def test_what_somebody_said_is_there_is_what_is_replaced(gated: Gated) -> None:
    gated.delivered(1)
    second = gated.delivered(2)
    bad = gated.promote(3).number
    gated.report(bad, RUNNING)
    gated.report(bad, FAILURE)
    # Put back by hand after it had failed.
    gated.settle(second)
    back = gated.rollback()
    assert (back.origin, back.rollback_of) == (1, second)


def test_a_build_is_named_by_either_number(gated: Gated) -> None:
    first = gated.delivered(1, params={"A": "1"})
    newer = gated.delivered(1, params={"A": "2"})
    gated.delivered(2)
    third = gated.delivered(3)
    by_promotion = gated.rollback(build=first, cancel_running=True)
    assert (by_promotion.origin, by_promotion.params["A"], by_promotion.rollback_of) == (1, "1", third)
    by_origin = gated.rollback(build=1, cancel_running=True)
    assert (by_origin.params["A"], by_origin.rollback_of) == ("2", third)
    assert newer == first + 1
    for number in (99, by_origin.number):
        told = f"build {number} has not succeeded in production"
        assert refusal(gated.rollback, build=number) == Refusal(
            grpc.StatusCode.FAILED_PRECONDITION,
            f"{told}: promote what is to be there",
            "NOTHING_TO_ROLL_BACK_TO",
            (("production", told),),
        )
    assert refusal(gated.rollback, build=0).violations == (("build", "is 0: wanted 1 or above"),)


def test_what_is_in_flight_is_stopped_where_that_is_asked_for(gated: Gated) -> None:
    gated.delivered(1)
    bad = gated.promote(2).number
    gated.report(bad, RUNNING)
    waits = gated.promote(3).number
    back = gated.rollback(cancel_running=True)
    stopped = gated.get(bad)
    assert (stopped.status, stopped.error, stopped.rolled_back_by) == (
        KILLED,
        "cancelled by admin, who rolled back",
        back.number,
    )
    # At once, though another one waits.
    assert (goes(back), back.waiting_for.startswith("queue")) == (True, False)
    assert not goes(gated.get(waits))


def in_flight(gated: Gated, state: str) -> tuple[int, api.Build]:
    """What is bad, and the rollback of it that does not get to its end."""
    gated.delivered(1)
    gated.delivered(2)
    bad = gated.delivered(3)
    if state == "waits":
        bad = gated.promote(3).number
    first = gated.rollback()
    if state == "running":
        gated.report(first.number, RUNNING)
    assert (first.rollback_of, first.origin, goes(gated.get(first.number))) == (bad, 2, state == "pending")
    return bad, first


STATES = ["pending", "running", "waits"]


@pytest.mark.parametrize("state", STATES)
def test_a_second_one_meanwhile_is_refused_unless_it_says_what_it_means(gated: Gated, state: str) -> None:
    bad, first = in_flight(gated, state)
    waits = "waits" if state == "waits" else "is under way"
    assert refusal(gated.rollback) == Refusal(
        grpc.StatusCode.FAILED_PRECONDITION,
        f"rollback {first.number} of production, which puts back build 2, {waits}: wait for its end, name"
        " the build to put back, or have what is on its way stopped (cancel_running)",
        "ROLLBACK_UNDER_WAY",
        (("target", f"rollback {first.number} {waits}"),),
    )
    # Elsewhere nothing is in the way, and a build that is named is meant.
    assert refusal(gated.rollback, "staging").reason == "NOTHING_TO_ROLL_BACK_TO"
    assert gated.rollback(build=1).origin == 1
    assert gated.get(bad).rolled_back_by in (first.number, first.number + 1)


def test_two_people_at_once_go_one_step_back(gated: Gated) -> None:
    for build in (1, 2, 3):
        gated.delivered(build)
    with ThreadPoolExecutor(2) as threads:
        calls = [threads.submit(code_of, gated.rollback) for _ in range(2)]
    codes = {call.result() for call in calls}
    assert codes == {grpc.StatusCode.OK, grpc.StatusCode.FAILED_PRECONDITION}
    assert [build.origin for build in gated.page().builds if build.rollback_of] == [2]


def test_a_repeat_of_the_same_call_is_no_second_one(gated: Gated) -> None:
    gated.delivered(1)
    gated.delivered(2)
    first = gated.rollback(request_id="r")
    assert gated.rollback(request_id="r").number == first.number
    assert refusal(gated.rollback, request_id="other").reason == "ROLLBACK_UNDER_WAY"


def test_one_that_ends_at_the_same_moment_is_what_is_replaced(gated: Gated) -> None:
    gated.delivered(1)
    with ThreadPoolExecutor(1) as threads:
        for _ in range(20):
            bad = gated.promote(2).number
            gated.report(bad, RUNNING)
            ending = threads.submit(gated.report, bad, SUCCESS)
            back = gated.rollback()
            ending.result()
            assert (back.origin, back.rollback_of, gated.get(bad).rolled_back_by) == (1, bad, back.number)
            gated.went(back.number)
            gated.report(back.number, SUCCESS)
            assert gated.stands().current.number == back.number


@pytest.mark.parametrize("state", STATES)
def test_one_that_stops_another_puts_back_the_same(gated: Gated, state: str) -> None:
    bad, first = in_flight(gated, state)
    second = gated.rollback(cancel_running=True)
    assert (second.origin, second.rollback_of, goes(second)) == (2, bad, True)
    stopped = gated.get(first.number)
    assert (stopped.status, stopped.error, stopped.rolled_back_by) == (
        KILLED,
        "cancelled by admin, who rolled back",
        0,
    )
    assert gated.get(bad).rolled_back_by == second.number
    # Twice as well.
    third = gated.rollback(cancel_running=True)
    assert (third.origin, third.rollback_of, goes(third)) == (2, bad, True)
    gated.report(third.number, SUCCESS)
    # Further back, and never to what was bad.
    further = gated.rollback()
    assert (further.origin, further.rollback_of) == (1, third.number)
    gated.report(further.number, SUCCESS)
    assert refusal(gated.rollback).reason == "NOTHING_TO_ROLL_BACK_TO"


def test_all_that_were_to_be_put_back_are_stopped_and_what_was_bad_stays_so(gated: Gated) -> None:
    bad, first = in_flight(gated, "running")
    named = gated.rollback(build=1)
    assert (named.rollback_of, goes(named)) == (first.number, False)
    last = gated.rollback(cancel_running=True)
    # Whoever named 1 did not want what was on its way.
    assert (last.origin, last.rollback_of, goes(last)) == (1, bad, True)
    assert [gated.get(each.number).status for each in (first, named)] == [KILLED, KILLED]
    gated.report(last.number, SUCCESS)
    assert gated.rollback().origin == 2


@pytest.mark.parametrize("policy", [pb.QUEUE_POLICY_QUEUE, REJECT, SUPERSEDE])
def test_it_waits_for_what_is_in_flight_and_goes_first(gated: Gated, policy: pb.QueuePolicy) -> None:
    gated.delivered(1)
    bad = gated.promote(2).number
    gated.report(bad, RUNNING)
    waits = gated.promote(3).number
    gated.change(queue_policy=policy)
    back = gated.rollback()
    assert not goes(back)
    gated.report(bad, FAILURE)
    gated.went(back.number)
    assert not goes(gated.get(waits))
    assert gated.get(waits).superseded_by == (back.number if policy == SUPERSEDE else 0)


def test_it_passes_over_the_gates_that_would_keep_it(gated: Gated) -> None:
    gated.declare("staging")
    gated.delivered(1)
    gated.delivered(2)
    freeze = pb.Freeze(name="all", zone="UTC", to="2999-01-01T00:00")
    setattr(freeze, "from", "2000-01-01T00:00")
    gated.change(
        requires="staging",
        soak=timedelta(days=1),
        required_approvals=2,
        freezes=[freeze],
        approvers=["x", "y"],
    )
    gated.hold()
    back = gated.rollback()
    assert goes(back)
    assert list(verdicts(back, SKIPPED)) == ["predecessor", "hold", "freeze", "approvals"]
    assert verdicts(back, FAILED, api.GATE_RESULT_WAITING) == {}
    # Everybody is kept from it already, and stays so.
    assert (gated.stands().hold.scope, gated.stands().hold.reason) == (pb.HOLD_SCOPE_ALL, "incident")


def test_other_parameters_than_were_there_want_approvals(gated: Gated, name: str) -> None:
    gated.delivered(1, params={"A": "1", "B": "1"})
    gated.delivered(1, params={"A": "2"})
    gated.delivered(2)
    boss = gated.by(gated.server.user(f"boss-{name}", gated.slug, access_pb2.ACCESS_LEVEL_ADMIN))
    # A default is what the environment asks for, not the caller.
    gated.change(required_approvals=1, params=[pb.ParameterRule(name="REGION", default="eu")])
    others: list[dict[str, Any]] = [
        {"params": {"A": "3"}},
        {"params": {"C": "1"}},
        {"drop_params": ["A"]},
        {"params": {"REGION": "us"}},
    ]
    for other in others:
        back = gated.rollback(build=1, **other)
        assert (back.status, list(verdicts(back, WAITING))) == (BLOCKED, ["approvals"])
        boss.decline(back.number)
    # A declined one has replaced nothing, and so the same may be asked for.
    same: list[dict[str, Any]] = [{}, {"params": {"A": "2"}}, {"params": {"A": "1", "B": "1"}}]
    for each in same:
        back = gated.rollback(build=1, **each)
        assert (goes(back), list(verdicts(back, SKIPPED))) == (True, ["approvals"])
        gated.report(back.number, FAILURE)
    # Another try is asked as well, and once somebody has approved it goes.
    again = gated.retry(back.number, params={"A": "3"})
    assert (again.status, list(verdicts(again, WAITING))) == (BLOCKED, ["approvals"])
    assert goes(boss.approve(again.number))


def test_what_waits_in_the_queue_is_asked_for_approvals_by_the_parameters_it_had(gated: Gated) -> None:
    gated.delivered(1, params={"A": "1"})
    gated.delivered(2)
    first = gated.promote(3).number
    gated.change(required_approvals=1)
    same = gated.rollback(build=1)
    gated.rollback(build=1, params={"A": "2"})
    gated.report(first, FAILURE)
    assert verdicts(gated.went(same.number), SKIPPED).keys() == {"approvals"}
    gated.report(same.number, SUCCESS)
    assert gated.get(same.number + 1).status == BLOCKED


def test_who_promotes_and_what_must_be_given_are_asked_of_it_as_well(gated: Gated) -> None:
    gated.delivered(1)
    gated.delivered(2)
    gated.change(promoters=["somebody"], params=[pb.ParameterRule(name="TICKET", required=True)])
    refused = refusal(gated.rollback)
    assert (refused.reason, [gate for gate, _ in refused.violations]) == (
        "PROMOTION_REFUSED",
        ["promoters", "parameters"],
    )
    assert not gated.stands().HasField("hold")


def test_it_settles_what_nobody_knows(gated: Gated) -> None:
    gated.delivered(1)
    lease = runner_of(gated, f"runner-{gated.name}").accept(gated.promote(2).stages[0].id)
    lose(gated.server, lease.stage.id)
    until(lambda: gated.stands().HasField("uncertain"))
    back = gated.rollback()
    assert (goes(back), list(verdicts(back, SKIPPED)), back.origin) == (True, ["uncertain"], 1)
    gated.report(back.number, SUCCESS)
    assert not gated.stands().HasField("uncertain")


def test_it_leaves_a_hold_for_machines(gated: Gated, name: str) -> None:
    gated.delivered(1)
    gated.delivered(2)
    robot = gated.of(f"robot-{name}", WRITE)
    machine = access_pb2.UpdateUserRequest(
        login=f"robot-{name}",
        user=access_pb2.User(machine=True),
        update_mask=FieldMask(paths=["machine"]),
    )
    gated.server.access().UpdateUser(machine)
    waits = robot.promote(3).number
    second = robot.promote(3).number
    back = gated.rollback(cancel_running=True)
    hold = gated.stands().hold
    assert (hold.scope, hold.by, hold.reason) == (
        pb.HOLD_SCOPE_AUTOMATIC,
        "admin",
        f"rolled back by build {back.number}: machines deploy again after shiplift resume production",
    )
    gated.report(back.number, SUCCESS)
    until(lambda: list(verdicts(gated.get(second), FAILED)) == ["hold"])
    assert (gated.get(waits).status, goes(gated.get(second))) == (KILLED, False)
    assert refusal(robot.promote, 3).violations[0][0] == "hold"
    assert goes(gated.promote(3))


def test_a_hold_that_is_over_is_none(gated: Gated) -> None:
    gated.delivered(1)
    gated.delivered(2)
    gated.hold(until=datetime.now(UTC) + timedelta(seconds=1))
    until(lambda: not gated.stands().HasField("hold"))
    gated.rollback()
    assert gated.stands().hold.scope == pb.HOLD_SCOPE_AUTOMATIC


def test_another_build_than_the_caller_expects_is_not_replaced(gated: Gated) -> None:
    first = gated.delivered(1)
    second = gated.delivered(2)
    told = refusal(gated.rollback, expected_current=first)
    assert (told.code, told.reason) == (grpc.StatusCode.ABORTED, "UNEXPECTED_CURRENT")
    assert gated.rollback(expected_current=second).rollback_of == second


def test_a_token_needs_the_action_for_another_try_as_well(gated: Gated, name: str) -> None:
    gated.delivered(1)
    gated.delivered(2)
    back = gated.rollback()
    gated.report(back.number, FAILURE)
    promote, rollback = access_pb2.TOKEN_ACTION_PROMOTE, access_pb2.TOKEN_ACTION_ROLLBACK
    only = gated.by(gated.server.user(f"a-{name}", gated.slug, WRITE, actions=[promote]))
    assert refusal(only.rollback).reason == "TOKEN_CUT_TO_ACTIONS"
    assert refusal(only.retry, back.number).reason == "TOKEN_CUT_TO_ACTIONS"
    whole = gated.by(gated.server.user(f"b-{name}", gated.slug, WRITE, actions=[promote, rollback]))
    again = gated.get(whole.retry(back.number).number)
    assert (again.event, again.retry_of, again.rollback_of, goes(again)) == (
        api.BUILD_EVENT_ROLLBACK,
        back.number,
        back.rollback_of,
        True,
    )


@pytest.mark.parametrize("end", ["stopped before it began", "failed"])
def test_another_try_replaces_what_the_first_was_to_and_holds_as_well(gated: Gated, end: str) -> None:
    gated.delivered(1)
    gated.delivered(2)
    bad = gated.delivered(3)
    first = gated.rollback().number
    if end == "failed":
        gated.report(first, FAILURE)
    else:
        gated.cancel(first)
    gated.resume()
    again = gated.retry(first).number
    # Whose try began has replaced it.
    assert gated.get(bad).rolled_back_by == (first if end == "failed" else again)
    assert gated.stands().hold.reason.startswith(f"rolled back by build {again}: machines")
    gated.report(again, SUCCESS)
    # Never to the bad one.
    assert gated.rollback().origin == 1


def test_where_nothing_went_there_is_nothing_to_go_back_to(gated: Gated) -> None:
    assert refusal(gated.rollback).reason == "NOTHING_TO_ROLL_BACK_TO"
    gated.delivered(1)
    assert refusal(gated.rollback).reason == "NOTHING_TO_ROLL_BACK_TO"
    assert gated.stands().HasField("hold") is False
    told = f"prodution is none of the environments of {gated.slug} (production): did you mean production?"
    assert refusal(gated.rollback, "prodution") == Refusal(
        grpc.StatusCode.FAILED_PRECONDITION, told, "NOTHING_TO_ROLL_BACK_TO", (("prodution", told),)
    )


def test_a_file_that_knows_no_rollbacks_does_what_it_does_for_a_promotion(
    repository: Repository, name: str
) -> None:
    gated = Gated.caller_of(repository)
    step = {"name": "deploy", "commands": ["true"], "when": {"event": "promote"}}
    runs_both = {**step, "name": "tell", "when": {"event": ["promote", "rollback"]}}
    file = {"name": "deploy", "trigger": {"event": "promote"}, "steps": [step]}
    knows = {"name": "deploy", "trigger": {"event": ["promote", "rollback"]}, "steps": [step, runs_both]}
    for each in (file, knows):
        gated.released(pipeline=pipelines(each))
        gated.released(pipeline=pipelines(each))
    gated.declare()
    runner = runner_of(repository, f"runner-{name}")
    done = []
    for older, newer in ((1, 2), (3, 4)):
        gated.delivered(older)
        gated.delivered(newer)
        back = gated.rollback()
        lease = runner.accept(back.stages[0].id)
        done.append([planned.name for planned in lease.plan.steps])
        gated.report(back.number, SUCCESS)
    assert done == [["deploy"], ["tell"]]
