"""Freezes: whether a moment lies in one. Pure.

Their times are those that clocks show in a zone. Of an hour that comes twice, as clocks are set back, a
freeze has all that it touches; one that is left out is read as if clocks had not been set.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from shiplift.v1 import environments_pb2 as pb

from shipliftd.environments.gates import Stop

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WEEKLY = re.compile(rf"({'|'.join(DAYS)}) ([01]\d|2[0-3]):([0-5]\d)")


def parse_local(text: str) -> datetime | None:
    """A time without a zone, such as `2026-12-20T00:00`; None where it is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is None and "T" in text else None


def parse_weekly(text: str) -> tuple[int, time] | None:
    """A day, 0 for Monday, and a time of it, of `Fri 16:00`; None where it is none."""
    found = _WEEKLY.fullmatch(text)
    if found is None:
        return None
    return DAYS.index(found[1]), time(int(found[2]), int(found[3]))


def active(freezes: Iterable[pb.Freeze], at: int) -> Stop | None:
    """The freeze that a moment (milliseconds since 1970) lies in, the one that ends last."""
    found = [
        Stop(freeze.name, freeze.reason, end)
        for freeze in freezes
        for begin, end in _spans(freeze, at)
        if begin <= at < end
    ]
    return max(found, key=lambda stop: stop.until, default=None)


def _spans(freeze: pb.Freeze, at: int) -> Iterator[tuple[int, int]]:
    """When it begins and ends, once or in the weeks about a moment."""
    zone = ZoneInfo(freeze.zone)
    if not freeze.weekly:
        begin, end = parse_local(getattr(freeze, "from")), parse_local(freeze.to)
        if begin is not None and end is not None:
            yield _instant(begin, zone, 0), _instant(end, zone, 1)
        return
    today = datetime.fromtimestamp(at / 1000, UTC).astimezone(zone).date()
    monday = today - timedelta(days=today.weekday())
    for window in freeze.weekly:
        first, last = parse_weekly(getattr(window, "from")), parse_weekly(window.to)
        if first is None or last is None:
            continue
        days = (last[0] - first[0]) % 7 or (7 if last[1] <= first[1] else 0)
        # One that began last week may go on.
        for week in (-1, 0):
            begins = monday + timedelta(weeks=week, days=first[0])
            yield (
                _instant(datetime.combine(begins, first[1]), zone, 0),
                _instant(datetime.combine(begins + timedelta(days=days), last[1]), zone, 1),
            )


def _instant(local: datetime, zone: ZoneInfo, fold: int) -> int:
    """The moment when clocks in the zone show this; of two the first or the last."""
    # What clocks leave out is read by the offset from before them, of `fold` 0 (PEP 495): never twice.
    there = local.replace(tzinfo=zone, fold=fold)
    back = there.astimezone(UTC).astimezone(zone).replace(tzinfo=None)
    if back != local:
        there = there.replace(fold=0)
    return int(there.astimezone(UTC).timestamp() * 1000)
