"""Times as people write them: one with a date, or how long it is from now or ago."""

from datetime import UTC, datetime

from shiplift.cli.lengths import FORM, length
from shiplift.cli.session import UsageError

# In a help text.
AGO = "7d ago, or 2026-11-20T12:00 as clocks show it here"


def time_from_now(option: str, text: str) -> datetime | None:
    """A time, or how long it is until then; None for an empty text. Raises UsageError."""
    return _time(option, text, 1)


def time_ago(option: str, text: str) -> datetime | None:
    """A time, or how long ago it was; None for an empty text. Raises UsageError."""
    return _time(option, text.removesuffix(" ago"), -1)


def _time(option: str, text: str, direction: int) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.now(UTC) + direction * length(text).ToTimedelta()
    except (ValueError, OverflowError):
        pass
    try:
        # Without a zone it is that of this machine.
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        wanted = "a length from now" if direction > 0 else "how long ago"
        raise UsageError(
            f"{option} {text!r}: wanted {wanted}, {FORM}, or a time, such as 2026-12-24T18:00"
        ) from None
