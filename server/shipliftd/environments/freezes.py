"""Freezes: whether a moment lies in one. Pure.

Their times are those that clocks show in a zone. Of an hour that comes twice, as clocks are set back, a
freeze has all that it touches; what clocks leave out is the moment in which they do.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from shiplift.v1 import environments_pb2 as pb

from shipliftd.environments.gates import Stop

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_LOCAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?", re.ASCII)
_WEEKLY = re.compile(rf"({'|'.join(DAYS)}) ([01][0-9]|2[0-3]):([0-5][0-9])")
# No offset leads out of what a datetime and a Timestamp hold.
_YEARS = range(1970, 9999)
_SECOND = timedelta(seconds=1)


def parse_local(text: str) -> datetime | None:
    """A time without a zone, such as `2026-12-20T00:00`, of 1970 to 9998; None where it is none."""
    if _LOCAL.fullmatch(text) is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.year in _YEARS else None


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
            yield _instant(begin, zone, 0), _end(end, zone)
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
                _end(datetime.combine(begins + timedelta(days=days), last[1]), zone),
            )


def _end(local: datetime, zone: ZoneInfo) -> int:
    """The moment up to which clocks in the zone show less than this."""
    last = _instant(local, zone, 1)
    # Where the hour that comes twice begins with it, clocks show more before the last one, and less only
    # before the first.
    just_before = _clocks(datetime.fromtimestamp(last / 1000, UTC) - _SECOND, zone)
    return last if just_before < local else _instant(local, zone, 0)


def _instant(local: datetime, zone: ZoneInfo, fold: int) -> int:
    """The moment when clocks in the zone show this: of two the first or last; of none, when they jump."""
    found = local.replace(tzinfo=zone, fold=fold).astimezone(UTC)
    if _clocks(found, zone) != local:
        # They jump between what it is by the offset from after, and by that from before (PEP 495).
        before, found = (local.replace(tzinfo=zone, fold=side).astimezone(UTC) for side in (1, 0))
        while found - before > _SECOND:
            middle = before + (found - before) // 2
            if _clocks(middle, zone) < local:
                before = middle
            else:
                found = middle
        found = found.replace(microsecond=0)
    return int(found.timestamp() * 1000)


def _clocks(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None)
