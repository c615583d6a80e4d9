"""Freezes: which moments lie in one, over both changes of the clocks in a year."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from google.protobuf import json_format
from hypothesis import example, given, settings
from hypothesis import strategies as st
from shiplift.v1 import environments_pb2 as pb
from shipliftd.environments.freezes import DAYS, active, parse_local, parse_weekly
from shipliftd.environments.gates import Stop

MINUTE = timedelta(minutes=1)


def ms(at: datetime) -> int:
    """A moment in milliseconds since 1970."""
    return int(at.timestamp() * 1000)


def utc(text: str) -> int:
    """A moment of UTC in milliseconds."""
    return ms(datetime.fromisoformat(text).replace(tzinfo=UTC))


def once(zone: str, begin: str, end: str, name: str = "it") -> pb.Freeze:
    """A freeze that comes once."""
    return json_format.ParseDict(
        {"name": name, "zone": zone, "reason": "why", "from": begin, "to": end}, pb.Freeze()
    )


def weekly(zone: str, *windows: tuple[str, str], name: str = "it") -> pb.Freeze:
    """A freeze of each week."""
    made = [{"from": begin, "to": end} for begin, end in windows]
    return json_format.ParseDict({"name": name, "zone": zone, "reason": "why", "weekly": made}, pb.Freeze())


def spans(freeze: pb.Freeze, first: str, minutes: int) -> list[tuple[str, str]]:
    """When it begins and ends within so many minutes from a moment of UTC, asked minute by minute.

    The end is what the freeze itself says of each of its minutes.
    """
    found: list[tuple[str, str]] = []
    begun, until = "", 0
    for n in range(minutes):
        at = datetime.fromisoformat(first).replace(tzinfo=UTC) + n * MINUTE
        stop = active([freeze], ms(at))
        if stop is not None:
            assert stop == Stop("it", "why", stop.until)
            assert begun == "" or stop.until == until
            begun, until = begun or f"{at:%Y-%m-%d %H:%M}", stop.until
            assert active([freeze], ms(at) + 59_999) == stop
        elif begun:
            assert until == ms(at)
            found.append((begun, f"{at:%Y-%m-%d %H:%M}"))
            begun, until = "", 0
    assert begun == "", "goes on after what was looked at"
    return found


class Change(NamedTuple):
    """A change of clocks: a freeze that comes once, and when it holds in UTC."""

    zone: str
    begin: str
    end: str
    first: str
    last: str


# On 2026-03-29 02:00 is 03:00 (01:00 UTC), on 2026-10-25 03:00 is 02:00 (01:00 UTC).
BERLIN = "Europe/Berlin"
# On 2026-03-08 02:00 is 03:00 (07:00 UTC), on 2026-11-01 02:00 is 01:00 (06:00 UTC).
NEW_YORK = "America/New_York"
# On 2026-04-05 02:00 is 01:30 (15:00 UTC), on 2026-10-04 02:00 is 02:30 (15:30 UTC).
LORD_HOWE = "Australia/Lord_Howe"
CHANGES = [
    # Around a change: the hour is missing, or there twice.
    Change(BERLIN, "2026-03-29T00:00", "2026-03-29T06:00", "2026-03-28 23:00", "2026-03-29 04:00"),
    Change(BERLIN, "2026-10-25T00:00", "2026-10-25T06:00", "2026-10-24 22:00", "2026-10-25 05:00"),
    Change(NEW_YORK, "2026-03-08T00:00", "2026-03-08T06:00", "2026-03-08 05:00", "2026-03-08 10:00"),
    Change(NEW_YORK, "2026-11-01T00:00", "2026-11-01T06:00", "2026-11-01 04:00", "2026-11-01 11:00"),
    Change(LORD_HOWE, "2026-04-05T00:00", "2026-04-05T06:00", "2026-04-04 13:00", "2026-04-04 19:30"),
    Change(LORD_HOWE, "2026-10-04T00:00", "2026-10-04T06:00", "2026-10-03 13:30", "2026-10-03 19:00"),
    # It begins within the hour that comes twice: with the first; and ends there: with the last.
    Change(BERLIN, "2026-10-25T02:30", "2026-10-25T04:00", "2026-10-25 00:30", "2026-10-25 03:00"),
    Change(BERLIN, "2026-10-25T01:00", "2026-10-25T02:30", "2026-10-24 23:00", "2026-10-25 01:30"),
    Change(BERLIN, "2026-10-25T02:15", "2026-10-25T02:45", "2026-10-25 00:15", "2026-10-25 01:45"),
    Change(NEW_YORK, "2026-11-01T01:30", "2026-11-01T03:00", "2026-11-01 05:30", "2026-11-01 08:00"),
    Change(NEW_YORK, "2026-11-01T00:30", "2026-11-01T01:30", "2026-11-01 04:30", "2026-11-01 06:30"),
    Change(LORD_HOWE, "2026-04-05T01:45", "2026-04-05T03:00", "2026-04-04 14:45", "2026-04-04 16:30"),
    Change(LORD_HOWE, "2026-04-05T01:00", "2026-04-05T01:45", "2026-04-04 14:00", "2026-04-04 15:15"),
    # It begins within the hour that is left out, or ends there: as clocks jump.
    Change(BERLIN, "2026-03-29T02:30", "2026-03-29T04:00", "2026-03-29 01:00", "2026-03-29 02:00"),
    Change(BERLIN, "2026-03-29T02:30", "2026-03-29T03:15", "2026-03-29 01:00", "2026-03-29 01:15"),
    Change(BERLIN, "2026-03-29T01:30", "2026-03-29T02:30", "2026-03-29 00:30", "2026-03-29 01:00"),
    Change(NEW_YORK, "2026-03-08T02:10", "2026-03-08T04:00", "2026-03-08 07:00", "2026-03-08 08:00"),
    Change(NEW_YORK, "2026-03-08T01:00", "2026-03-08T02:59", "2026-03-08 06:00", "2026-03-08 07:00"),
    Change(LORD_HOWE, "2026-10-04T02:10", "2026-10-04T03:00", "2026-10-03 15:30", "2026-10-03 16:00"),
    Change(LORD_HOWE, "2026-10-04T01:00", "2026-10-04T02:20", "2026-10-03 14:30", "2026-10-03 15:30"),
    # A day that Samoa left out altogether.
    Change("Pacific/Apia", "2011-12-30T12:00", "2011-12-31T01:00", "2011-12-30 10:00", "2011-12-30 11:00"),
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: f"{change.zone} {change.begin}")
def test_a_freeze_over_a_change_of_clocks(change: Change) -> None:
    before = datetime.fromisoformat(change.first) - timedelta(hours=2)
    freeze = once(change.zone, change.begin, change.end)
    assert spans(freeze, before.isoformat(), 12 * 60) == [(change.first, change.last)]


def test_what_clocks_never_show_is_no_time() -> None:
    assert (
        spans(once("Europe/Berlin", "2026-03-29T02:10", "2026-03-29T02:50"), "2026-03-29T00:00", 240) == []
    )


@pytest.mark.parametrize("change", CHANGES[:6], ids=lambda change: f"{change.zone} {change.begin}")
def test_a_weekly_window_over_a_change_of_clocks(change: Change) -> None:
    freeze = weekly(change.zone, ("Sun 00:00", "Sun 06:00"))
    before = datetime.fromisoformat(change.first) - timedelta(hours=2)
    assert spans(freeze, before.isoformat(), 12 * 60) == [(change.first, change.last)]


def test_an_end_where_an_hour_that_comes_twice_begins_is_before_it() -> None:
    # In Berlin 02:00 comes at 00:00 and at 01:00 UTC, and before the second it is 02:59.
    frozen = [("2026-10-24 22:00", "2026-10-25 00:00")]
    for freeze in (
        once("Europe/Berlin", "2026-10-25T00:00", "2026-10-25T02:00"),
        weekly("Europe/Berlin", ("Sun 00:00", "Sun 02:00")),
    ):
        assert spans(freeze, "2026-10-24T12:00", 24 * 60) == frozen


def test_the_ends_are_half_open() -> None:
    freeze = once("Europe/Berlin", "2026-12-20T00:00", "2026-12-27T00:00:30")
    begin, end = utc("2026-12-19T23:00"), utc("2026-12-26T23:00:30")
    stop = Stop("it", "why", end)
    asked = [active([freeze], at) for at in (begin - 1, begin, end - 1, end)]
    assert asked == [None, stop, stop, None]


def test_a_window_over_the_end_of_the_week() -> None:
    freeze = weekly("America/New_York", ("Fri 16:00", "Mon 08:00"))
    # From a Wednesday, 15 days.
    assert spans(freeze, "2026-07-01T00:00", 15 * 1440) == [
        ("2026-07-03 20:00", "2026-07-06 12:00"),
        ("2026-07-10 20:00", "2026-07-13 12:00"),
    ]


def test_a_window_over_the_end_of_the_week_and_a_change() -> None:
    freeze = weekly("Australia/Lord_Howe", ("Sat 12:00", "Mon 08:00"))
    # Before the change they are 11 h ahead of UTC, and then 10.5 h.
    assert spans(freeze, "2026-04-03T00:00", 4 * 1440) == [("2026-04-04 01:00", "2026-04-05 21:30")]


@pytest.mark.parametrize(
    "window", [("Wed 10:00", "Wed 10:00"), ("Mon 00:00", "Mon 00:00"), ("Sun 23:59", "Sun 23:59")]
)
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
def test_the_whole_week(zone: str, window: tuple[str, str]) -> None:
    freeze = weekly(zone, window)
    for day in ("2026-03-08", "2026-03-29", "2026-04-05", "2026-10-04", "2026-10-25", "2026-11-01"):
        for n in range(-1440, 2880, 10):
            at = utc(day) + n * 60_000
            stop = active([freeze], at)
            assert stop is not None
            assert at < stop.until <= at + (7 * 24 + 1) * 3_600_000


def test_a_window_that_ends_before_it_began_in_the_day_is_of_almost_a_week() -> None:
    freeze = weekly("UTC", ("Fri 16:00", "Fri 08:00"))
    assert spans(freeze, "2026-07-03T09:00", 7 * 1440) == [("2026-07-03 16:00", "2026-07-10 08:00")]


def test_of_several_the_one_that_ends_last_is_told() -> None:
    freezes = [
        once("UTC", "2026-07-01T00:00", "2026-07-02T00:00", "a day"),
        once("UTC", "2026-07-01T00:00", "2026-08-01T00:00", "a month"),
        weekly("UTC", ("Wed 00:00", "Thu 12:00"), ("Wed 00:00", "Thu 13:00"), name="a week's"),
        once("UTC", "2026-09-01T00:00", "2026-12-01T00:00", "not yet"),
    ]
    at = utc("2026-07-01T12:00")
    assert active(freezes, at) == Stop("a month", "why", utc("2026-08-01T00:00"))
    assert active(freezes[2:], at) == Stop("a week's", "why", utc("2026-07-02T13:00"))
    assert active([], at) is None


@pytest.mark.parametrize(
    "text",
    [
        *("", "2026-12-20", "2026-12-20 00:00", "2026-12-20T00:00Z", "2026-12-20T00:00+01:00"),
        *("2026-02-29T00:00", "2026-12-20T25:00", "20261220T0000", "2026-W51-7T00:00", "2026-12-20T00"),
        *("2026-12-20T00:00:00.5", "٢٠٢٦-12-20T00:00", "1969-12-31T23:59", "0001-01-01T00:00"),
        *("9999-01-01T00:00", "2026-12-20T00:00\n"),
    ],
)
def test_what_is_no_time(text: str) -> None:
    assert parse_local(text) is None


@pytest.mark.parametrize(
    "text",
    ["", "Fri", "16:00", "fri 16:00", "Fri 24:00", "Fri 16:60", "Fri  16:00", "Fri ١٦:00", "Friday 16:00"],
)
def test_what_is_no_time_of_the_week(text: str) -> None:
    assert parse_weekly(text) is None


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Niue", "Africa/Monrovia", "UTC"])
def test_the_first_and_the_last_time_that_is_taken(zone: str) -> None:
    freeze = once(zone, "1970-01-01T00:00", "9998-12-31T23:59:59")
    stop = active([freeze], utc("2026-07-01T12:00"))
    assert stop is not None
    assert abs(stop.until - utc("9998-12-31T23:59:59")) <= 14 * 3_600_000


# Some days before and after each change of 2026.
ZONES = {
    "Europe/Berlin": ["2026-03-29", "2026-10-25"],
    "America/New_York": ["2026-03-08", "2026-11-01"],
    "Australia/Lord_Howe": ["2026-04-05", "2026-10-04"],
}
NEAR = st.integers(-2 * 1440, 3 * 1440)
ENDS = st.tuples(NEAR, NEAR).filter(lambda two: two[0] < two[1])


def minutes_of(zone: str, day: str) -> list[tuple[int, datetime]]:
    """Each minute about a day: the moment, and what clocks show then."""
    there, first = ZoneInfo(zone), datetime.fromisoformat(day).replace(tzinfo=UTC) - timedelta(days=11)
    moments = (first + n * MINUTE for n in range(23 * 1440))
    return [(ms(at), at.astimezone(there).replace(tzinfo=None)) for at in moments]


MINUTES = {(zone, day): minutes_of(zone, day) for zone, days in ZONES.items() for day in days}
PLACES = st.sampled_from(sorted(MINUTES))


def oracle(minutes: list[tuple[int, datetime]], begin: datetime, end: datetime) -> range:
    """From when clocks first show the beginning or more, until they last show less than the end."""
    first = next(at for at, clocks in minutes if clocks >= begin)
    last = max(at for at, clocks in minutes if clocks < end)
    return range(first, last + 60_000)


@settings(max_examples=60, deadline=None)
@given(place=PLACES, offsets=ENDS, probes=st.lists(NEAR))
@example(place=("Europe/Berlin", "2026-03-29"), offsets=(150, 195), probes=[])
@example(place=("Australia/Lord_Howe", "2026-04-05"), offsets=(105, 110), probes=[])
def test_a_freeze_is_what_clocks_show(
    place: tuple[str, str], offsets: tuple[int, int], probes: list[int]
) -> None:
    zone, day = place
    begin, end = (datetime.fromisoformat(day) + n * MINUTE for n in offsets)
    freeze = once(zone, begin.isoformat(), end.isoformat())
    frozen = oracle(MINUTES[place], begin, end)
    near = [utc(day) + n * 60_000 for n in probes]
    edges = [edge + n * 60_000 for edge in (frozen.start, frozen.stop) for n in range(-70, 71)]
    for at in (*near, *edges):
        assert active([freeze], at) == (Stop("it", "why", frozen.stop) if at in frozen else None)


TIMES_OF_WEEK = st.tuples(st.sampled_from(DAYS), st.integers(0, 23), st.sampled_from([0, 10, 30, 45, 59]))


@settings(max_examples=60, deadline=None)
@given(place=PLACES, window=st.tuples(TIMES_OF_WEEK, TIMES_OF_WEEK), probes=st.lists(NEAR, max_size=200))
def test_a_weekly_window_is_what_clocks_show(
    place: tuple[str, str],
    window: tuple[tuple[str, int, int], tuple[str, int, int]],
    probes: list[int],
) -> None:
    zone, day = place
    texts = [f"{name} {hour:02}:{minute:02}" for name, hour, minute in window]
    freeze = weekly(zone, (texts[0], texts[1]))
    # Each day that has the name of the first; it ends with the next time of the second after it.
    found: list[range] = []
    for back in range(-10, 4):
        date = datetime.fromisoformat(day) + timedelta(days=back)
        if DAYS[date.weekday()] != window[0][0]:
            continue
        begin = date + timedelta(hours=window[0][1], minutes=window[0][2])
        ends = (
            date + timedelta(days=after, hours=window[1][1], minutes=window[1][2]) for after in range(8)
        )
        end = next(each for each in ends if DAYS[each.weekday()] == window[1][0] and each > begin)
        found.append(oracle(MINUTES[place], begin, end))
    edges = [
        edge + n * 60_000 for span in found for edge in (span.start, span.stop) for n in (-61, -1, 0, 1)
    ]
    low, high = utc(day) - 2 * 86_400_000, utc(day) + 3 * 86_400_000
    for at in (*(utc(day) + n * 60_000 for n in probes), *(edge for edge in edges if low < edge < high)):
        until = max((span.stop for span in found if at in span), default=0)
        assert active([freeze], at) == (Stop("it", "why", until) if until else None)
