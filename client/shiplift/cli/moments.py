"""Moments as people write them: a time, a day, or how long ago."""

import re
from datetime import UTC, datetime, timedelta

from shiplift.cli.lengths import length

FORM = "2026-11-20, 2026-11-20T12:00Z or how long ago, such as 7d"

_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:\d\d)?)?", re.ASCII)


def moment(option: str, text: str) -> datetime | None:
    """The moment that an option's text is, in the user's zone where it names none; None for an empty one.

    Raises ValueError where it is none.
    """
    if not text:
        return None
    try:
        if _TIME.fullmatch(text):
            return datetime.fromisoformat(text).astimezone()
        return datetime.now(UTC) - timedelta(seconds=length(text).seconds)
    except (ValueError, OverflowError):
        raise ValueError(f"{option} {text!r} is no time: wanted {FORM}") from None
