"""DORA's four figures: as they are counted, and as the server answers them."""

import math
import statistics
from datetime import timedelta

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from shiplift.v1 import environments_pb2 as pb
from shipliftd.environments.figures import Change, Figures, Lengths, figures

from tests.support.delivered import filled
from tests.support.gated import Gated
from tests.support.refusals import invalid, refusal
from tests.support.repository import Repository

DAY = 86_400_000


def good(origin: int, at: int) -> Change:
    """A promotion that stood."""
    return Change(origin, is_rollback=False, has_succeeded=True, finished=at, is_rolled_back=False)


def bad(origin: int, at: int) -> Change:
    """A promotion that failed."""
    return good(origin, at)._replace(has_succeeded=False)


def undone(origin: int, at: int) -> Change:
    """A promotion that succeeded, and was rolled back."""
    return good(origin, at)._replace(is_rolled_back=True)


def back(origin: int, at: int) -> Change:
    """A rollback that succeeded."""
    return good(origin, at)._replace(is_rollback=True)


NONE = Lengths()


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ([], Figures(0, NONE, 0, 0, NONE, 0)),
        # Once of each origin: where it came first.
        ([good(1, 50), good(1, 90)], Figures(2, Lengths(1, 40, 40), 2, 0, NONE, 0)),
        # Before the time and after it.
        ([good(1, -1), good(2, DAY)], Figures(0, NONE, 0, 0, NONE, 0)),
        ([good(1, -1), good(1, 50)], Figures(1, NONE, 1, 0, NONE, 0)),
        (
            [good(1, 0), good(2, DAY - 1)],
            Figures(2, Lengths(2, DAY // 2 - 10, DAY - 21), 2, 0, NONE, 0),
        ),
        # What fails in between is of the same failure.
        (
            [bad(1, 20), bad(2, 40), good(2, 70)],
            Figures(1, Lengths(1, 50, 50), 3, 2, Lengths(1, 50, 50), 0),
        ),
        (
            [good(1, 20), undone(2, 40), back(1, 70)],
            Figures(2, Lengths(2, 15, 20), 2, 1, Lengths(1, 30, 30), 0),
        ),
        # Mended after the time, failed before it, and not mended.
        ([bad(1, DAY - 10), good(1, DAY + 5)], Figures(0, NONE, 1, 1, Lengths(1, 15, 15), 0)),
        ([bad(1, -10), good(1, 10)], Figures(1, Lengths(1, 0, 0), 1, 0, NONE, 0)),
        ([bad(1, 10)], Figures(0, NONE, 1, 1, NONE, 1)),
        # A rollback that fails begins no failure, and mends none.
        (
            [bad(1, 10), back(1, 20)._replace(has_succeeded=False), good(1, 30)],
            Figures(1, Lengths(1, 20, 20), 2, 1, Lengths(1, 20, 20), 0),
        ),
    ],
)
def test_what_is_counted(changes: list[Change], wanted: Figures) -> None:
    # The first origin began at 10, the second at 20.
    assert figures(list(reversed(changes)), {1: 10, 2: 20}, 0, DAY) == wanted


CHANGES = st.lists(
    st.builds(
        Change, st.integers(1, 4), st.booleans(), st.booleans(), st.integers(-50, 150), st.booleans()
    ),
    max_size=12,
    unique_by=lambda change: change.finished,
)


@given(CHANGES, st.dictionaries(st.integers(1, 4), st.integers(-100, 200)))
def test_they_are_what_one_would_count_by_hand(changes: list[Change], begun: dict[int, int]) -> None:
    found = figures(changes, begun, 0, 100)
    mine = [change for change in changes if 0 <= change.finished < 100 and not change.is_rollback]
    assert found.changes == len(mine)
    assert found.deployments == sum(change.has_succeeded for change in mine)
    assert found.failed == sum(not change.has_succeeded or change.is_rolled_back for change in mine)
    leads = []
    for origin, began in begun.items():
        came = min((c.finished for c in changes if c.origin == origin and c.has_succeeded), default=None)
        if came is not None and any(c.has_succeeded and c.origin == origin for c in mine) and came >= 0:
            leads.append(max(came - began, 0))
    assert found.lead_time.number == len(leads)
    if leads:
        assert found.lead_time.median == round(statistics.median(leads))
        assert sum(lead <= found.lead_time.p90 for lead in leads) >= math.ceil(len(leads) * 0.9)
    lasted, still = [], 0
    for change in changes:
        if change.is_rollback or change.is_good or not 0 <= change.finished < 100:
            continue
        before = [c for c in changes if c.finished < change.finished and (c.is_good or not c.is_rollback)]
        if before and not max(before, key=lambda c: c.finished).is_good:
            continue
        after = [c.finished for c in changes if c.is_good and c.finished > change.finished]
        if after:
            lasted.append(min(after) - change.finished)
        else:
            still += 1
    assert (found.time_to_restore.number, found.unrestored) == (len(lasted), still)
    if lasted:
        assert found.time_to_restore.median == round(statistics.median(lasted))


def asked(gated: Gated, **fields: object) -> pb.GetDeliveryFiguresRequest:
    """A request."""
    where = {"owner": gated.owner, "repo": gated.name, "environment": "production"}
    return pb.GetDeliveryFiguresRequest(**{**where, **fields})  # type: ignore[arg-type]


def moment(at: int) -> Timestamp:
    """Milliseconds as a Timestamp."""
    return Timestamp(seconds=at // 1000, nanos=at % 1000 * 1_000_000)


def test_the_figures_of_an_environment(repository: Repository) -> None:
    gated = filled(repository)
    stub = repository.server.environments(repository.token)
    since, until = moment(1000), moment(DAY)
    # 3 failed, 4 is v1 (of 500 s), 5 is v2 (recorded at 2,000 s), 6 went back, 7 was cancelled.
    assert stub.GetDeliveryFigures(asked(gated, since=since, until=until)) == pb.DeliveryFigures(
        since=since,
        until=until,
        deployments=2,
        lead_time=pb.Lengths(count=2, median=Duration(seconds=3250), p90=Duration(seconds=3500)),
        changes=3,
        failed_changes=2,
        time_to_restore=pb.Lengths(count=2, median=Duration(seconds=1000), p90=Duration(seconds=1000)),
    )
    last = stub.GetDeliveryFigures(asked(gated))
    assert last.until.ToDatetime() - last.since.ToDatetime() == timedelta(days=30)
    assert (last.changes, last.lead_time) == (0, pb.Lengths())


def test_what_is_refused(repository: Repository) -> None:
    gated = Gated.caller_of(repository)
    gated.released()
    stub = repository.server.environments(repository.token)
    never = refusal(stub.GetDeliveryFigures, asked(gated))
    assert (never.code, never.reason) == (grpc.StatusCode.NOT_FOUND, "ENVIRONMENT_NOT_FOUND")
    told = invalid(("until", "wanted a time after since, by 366 days at the most"))
    for since, until in ((DAY, DAY), (DAY, 0), (0, 366 * DAY + 1)):
        request = asked(gated, since=moment(since), until=moment(until))
        assert refusal(stub.GetDeliveryFigures, request) == told
