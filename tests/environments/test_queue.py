"""The queue of an environment: what goes next, what is replaced or refused, and that none is forgotten."""

import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as api
from shiplift.v1 import environments_pb2 as pb

from tests.support.gated import QUEUE, REJECT, SUPERSEDE, Gated, both, goes, verdicts
from tests.support.harness import Shipliftd
from tests.support.patience import until
from tests.support.refusals import Refusal, refusal
from tests.support.repository import Repository
from tests.support.staged import (
    AT_ONCE,
    ERROR,
    FAILURE,
    KILLED,
    PENDING,
    RUNNING,
    SUCCESS,
    lose,
    runner_of,
    statuses,
    stored,
)

ADMIN = access_pb2.ACCESS_LEVEL_ADMIN
FAILED, WAITS = api.GATE_RESULT_FAILED, api.GATE_RESULT_WAITING


@pytest.fixture
def gated(repository: Repository) -> Gated:
    """A repository of the test's own, with a build 1 that succeeded."""
    made = Gated.caller_of(repository)
    made.released(pipeline=both())
    return made


def ahead(number: int) -> str:
    """What one waits for behind another that is under way."""
    return f"queue: promotion {number} to production is under way: this one goes when it has ended"


def test_they_go_one_by_one_in_their_order(gated: Gated) -> None:
    gated.declare()
    assert goes(gated.promote(1))
    waiting = [gated.promote(1) for _ in range(3)]
    for build in waiting:
        assert (build.status, statuses(build)) == (PENDING, {"deploy": "waiting_on_dependencies"})
        assert (build.waiting_for, verdicts(build, WAITS, FAILED)) == (
            ahead(2),
            {"queue": ahead(2).removeprefix("queue: ")},
        )
    for number in (2, 3, 4):
        gated.report(number, SUCCESS)
        after = gated.went(number + 1)
        assert (after.waiting_for.startswith("queue"), verdicts(after, WAITS, FAILED)) == (False, {})
        for left in range(number + 2, 6):
            until(partial(_waits_behind, gated, left, number + 1))


def _waits_behind(gated: Gated, number: int, other: int) -> bool:
    return waits_for(gated, number) == ahead(other)


def waits_for(gated: Gated, number: int) -> str:
    return gated.get(number).waiting_for


ENDS: dict[str, Callable[[Gated], api.Build]] = {
    "success": lambda gated: gated.report(2, SUCCESS),
    "failure": lambda gated: gated.report(2, FAILURE),
    "killed": lambda gated: gated.report(2, KILLED),
    "error": lambda gated: gated.report(2, ERROR),
    "cancelled": lambda gated: gated.cancel(2),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("policy", [QUEUE, SUPERSEDE])
def test_the_next_goes_however_the_one_before_it_ends(
    gated: Gated, policy: pb.QueuePolicy, end: str
) -> None:
    gated.declare(queue_policy=policy)
    gated.promote(1)
    assert not goes(gated.promote(1))
    ENDS[end](gated)
    assert gated.went(3).superseded_by == 0


def test_one_that_waits_for_a_lost_one_waits_until_it_is_known_what_is_there(gated: Gated) -> None:
    gated.declare()
    gated.promote(1)
    runner = runner_of(gated, f"runner-{gated.name}")
    stage = runner.accept(gated.get(2).stages[0].id).stage.id
    runner.report(stage, RUNNING)
    gated.promote(1)
    lose(gated.server, stage)
    told = until(lambda: verdicts(gated.get(3), FAILED))
    assert list(told) == ["uncertain"]
    assert told["uncertain"].startswith("nobody knows what is in production: promotion 2 to it was lost in")
    # Whoever promotes now and says that they know goes first, and settles it.
    assert goes(gated.promote(1, despite_lost=2))
    gated.report(4, SUCCESS)
    gated.went(3)


def test_one_that_waits_for_a_lost_one_goes_once_it_is_settled(gated: Gated) -> None:
    gated.declare(required_approvals=1)
    gated.promote(1)
    second = gated.by(gated.server.user(f"boss-{gated.name}", gated.slug, ADMIN))
    second.approve(2)
    runner = runner_of(gated, f"runner-{gated.name}")
    lease = runner.accept(gated.get(2).stages[0].id)
    lose(gated.server, lease.stage.id)
    until(lambda: gated.get(2).status == ERROR)
    # Who has accepted the loss once has accepted it while it waits, too.
    gated.promote(1, despite_lost=2)
    assert goes(second.approve(3))
    lease = runner.accept(gated.get(3).stages[0].id)
    gated.promote(1, despite_lost=2)
    lose(gated.server, lease.stage.id)
    until(lambda: gated.get(3).status == ERROR)
    # Of the second loss nobody had heard.
    assert "uncertain" in verdicts(second.approve(4), FAILED)
    gated.settle(0)
    gated.went(4)


def test_one_that_waits_can_be_cancelled(gated: Gated) -> None:
    gated.declare()
    for _ in range(3):
        gated.promote(1)
    gone = gated.cancel(3)
    assert (gone.status, gone.error, statuses(gone)) == (
        KILLED,
        "cancelled by admin",
        {"deploy": "skipped"},
    )
    assert (gone.waiting_for, gone.superseded_by) == ("", 0)
    assert not goes(gated.get(4))
    gated.report(2, SUCCESS)
    gated.went(4)
    assert gated.get(3) == gone


def test_a_newer_one_takes_the_place_of_those_that_wait_and_of_none_that_was_let_go(gated: Gated) -> None:
    gated.declare(queue_policy=SUPERSEDE)
    assert goes(gated.promote(1))
    for _ in range(3):
        gated.promote(1)
    for number in (3, 4):
        build = gated.get(number)
        assert (build.status, build.superseded_by, build.error) == (
            KILLED,
            number + 1,
            f"superseded by {number + 1}",
        )
        assert statuses(build) == {"deploy": "skipped"}
    assert goes(gated.get(2))
    assert (gated.get(2).superseded_by, waits_for(gated, 5)) == (0, ahead(2))
    assert [build.superseded_by for build in gated.page().builds] == [0, 5, 4, 0, 0]
    gated.report(2, FAILURE)
    gated.went(5)
    # It was let go, though no runner has it yet.
    gated.promote(1)
    assert goes(gated.get(5))


def test_a_promotion_takes_the_place_of_no_rollback_that_waits(gated: Gated) -> None:
    gated.declare(queue_policy=SUPERSEDE)
    gated.delivered(1)
    bad = gated.promote(gated.released(pipeline=both())).number
    gated.report(bad, RUNNING)
    waits = gated.promote(1).number
    back = gated.rollback()
    assert (back.rollback_of, goes(back), gated.get(waits).superseded_by) == (bad, False, back.number)
    newer = gated.promote(1).number
    assert gated.get(back.number).superseded_by == 0
    gated.report(bad, FAILURE)
    gated.went(back.number)
    assert not goes(gated.get(newer))


def test_where_none_waits_another_is_refused(gated: Gated) -> None:
    gated.declare(queue_policy=REJECT)
    gated.promote(1)
    told = "promotion 2 to production is under way, and no other is taken meanwhile"
    assert refusal(gated.promote, 1) == Refusal(
        grpc.StatusCode.FAILED_PRECONDITION,
        f"{gated.slug} may not go to production: queue: {told}",
        "PROMOTION_REFUSED",
        (("queue", told),),
    )
    gated.report(2, FAILURE)
    assert goes(gated.retry(2))
    assert refusal(gated.retry, 2).violations == (("queue", told.replace("promotion 2", "promotion 3")),)


def test_another_try_stands_in_the_queue_as_well(gated: Gated) -> None:
    gated.declare()
    gated.promote(1)
    gated.promote(1)
    assert refusal(gated.retry, 3).reason == "BUILD_NOT_ENDED"
    gated.cancel(3)
    again = gated.retry(3)
    assert (again.number, again.retry_of, goes(again), again.waiting_for) == (4, 3, False, ahead(2))
    gated.report(2, FAILURE)
    gated.went(4)


def test_nothing_is_reported_of_one_that_waits(gated: Gated) -> None:
    gated.declare()
    gated.promote(1)
    gated.promote(1)
    for status in (RUNNING, SUCCESS, FAILURE, KILLED, api.BUILD_STATUS_UNSPECIFIED):
        assert refusal(gated.report, 3, status, message="done") == Refusal(
            grpc.StatusCode.FAILED_PRECONDITION,
            f"promotion 3 waits, so nothing can be reported of it yet: {ahead(2)}",
            "PROMOTION_WAITS",
            (("build", "waits"),),
        )
    assert gated.stands().HasField("current") is False


def test_runners_and_deployers_get_nothing_that_waits(gated: Gated) -> None:
    gated.declare()
    gated.declare("hosts", deployer=pb.DEPLOYER_EXTERNAL)
    runner = runner_of(gated, f"runner-{gated.name}")
    for target in ("production", "hosts"):
        for _ in range(2):
            gated.promote(1, target)
    kinds: tuple[tuple[int, dict[str, Any]], ...] = (
        (2, {"type": "exec"}),
        (4, {"kind": "external", "environments": ["hosts"]}),
    )
    for number, kind in kinds:
        kind |= {"owner": gated.owner, "repo": gated.name}
        first, second = (gated.get(n).stages[0].id for n in (number, number + 1))
        assert refusal(runner.accept, second).reason == "STAGE_TAKEN"
        assert runner.stages.AcquireStage(runner.wants(**kind)).offer.id == first
        runner.accept(first)
        assert runner.offered(AT_ONCE, **kind) == ""
        waiting = runner.waiting(**kind)
        gated.report(number, SUCCESS)
        assert waiting.result().offer.id == second


def test_time_a_resume_and_a_thaw_let_those_go_that_wait_for_them(gated: Gated) -> None:
    gated.declare("staging")
    gated.declare(requires="staging", soak=timedelta(seconds=2))
    gated.delivered(1, "staging")
    soaking = gated.promote(1)
    (soak,) = (verdict for verdict in soaking.verdicts if verdict.result == WAITS)
    assert (soak.gate, goes(soaking)) == ("soak", False)
    assert gated.went(3)
    assert time.time() >= soak.earliest.ToMilliseconds() / 1000
    # What stands in the queue meets what came meanwhile.
    waits = gated.promote(1).number
    gated.hold()
    gated.report(3, SUCCESS)
    assert until(lambda: list(verdicts(gated.get(waits), FAILED, WAITS)) == ["hold"])
    gated.resume()
    gated.went(waits)
    last = gated.promote(1).number
    freeze = pb.Freeze(name="all", zone="UTC", to="2999-01-01T00:00")
    setattr(freeze, "from", "2000-01-01T00:00")
    gated.change(freezes=[freeze])
    gated.report(waits, SUCCESS)
    assert until(lambda: list(verdicts(gated.get(last), FAILED, WAITS)) == ["freeze"])
    gated.change(freezes=[])
    gated.went(last)


def test_a_hold_that_ends_by_itself_lets_go(gated: Gated) -> None:
    gated.declare()
    gated.promote(1)
    waits = gated.promote(1).number
    gated.hold(until=datetime.now(UTC) + timedelta(seconds=3))
    gated.report(2, SUCCESS)
    until(lambda: list(verdicts(gated.get(waits), FAILED)) == ["hold"])
    gated.went(waits)


def test_more_wait_in_a_repository_than_are_looked_at_at_once(gated: Gated) -> None:
    gated.declare("staging")
    gated.declare()
    for _ in range(120):
        gated.promote(1, "staging")
    first, second = gated.promote(1), gated.promote(1)
    assert (goes(first), goes(second)) == (True, False)
    gated.report(first.number, SUCCESS)
    gated.went(second.number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_server_that_comes_back_goes_on_with_the_queue(tmp_path: Path, number: int) -> None:
    database = tmp_path / "shiplift.db"
    with Shipliftd(database) as server:
        gated = Gated.caller_of(Repository.make(server, "octocat", "app"))
        gated.released(pipeline=both())
        gated.declare()
        gated.promote(1)
        gated.promote(1)
        server.stop(number)
    # As a server leaves it that died between the end of one and the start of the next.
    stored(server, "UPDATE stages SET status = 'success', version = version + 1 WHERE build_id = 2")
    stored(
        server,
        "UPDATE builds SET status = 'success', started = created, finished = created,"
        " version = version + 1 WHERE number = 2",
    )
    with Shipliftd(database) as server:
        Gated(server, "octocat", "app").went(3, 5)


@pytest.mark.postgresql
def test_the_end_that_one_replica_is_told_of_lets_go_what_waits_at_another(tmp_path: Path) -> None:
    database = tmp_path / "shiplift.db"
    with Shipliftd(database) as first, Shipliftd(database) as second:
        gated = Gated.caller_of(Repository.make(first, "octocat", "app"))
        other = Gated(second, "octocat", "app")
        gated.released(pipeline=both())
        gated.declare()
        gated.promote(1)
        for n in range(10):
            one, two = (gated, other) if n % 2 else (other, gated)
            waits = one.promote(1).number
            assert not goes(one.get(waits))
            two.report(waits - 1, SUCCESS)
            one.went(waits, 5)
        waits = gated.promote(1).number
        gated.report(waits - 1, SUCCESS)
        first.stop(signal.SIGKILL)
        other.went(waits, 5)
