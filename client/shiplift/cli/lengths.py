"""Lengths of time as people write them: `10m`, `1h30m`, `7d`, or seconds."""

import re

from google.protobuf.duration_pb2 import Duration

FORM = "such as 10m, 1h30m, 7d or 90 (seconds)"

_SIZES = {"d": 86_400, "h": 3_600, "m": 60}
_SECONDS = r"(?P<s>\d{1,9})(?:\.(?P<part>\d{1,9}))?"
_PARTS = re.compile(
    rf"(?=.)(?:(?P<d>\d{{1,6}})d)?(?:(?P<h>\d{{1,9}})h)?(?:(?P<m>\d{{1,9}})m)?(?:{_SECONDS}s)?", re.ASCII
)
_ALONE = re.compile(_SECONDS, re.ASCII)


def length(text: str) -> Duration:
    """The length that a text is. Raises ValueError where it is none."""
    if alone := _ALONE.fullmatch(text):
        return _made(0, alone)
    found = _PARTS.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no length of time: wanted {FORM}")
    return _made(sum(int(found[unit] or 0) * size for unit, size in _SIZES.items()), found)


def _made(seconds: int, found: "re.Match[str]") -> Duration:
    return Duration(seconds=seconds + int(found["s"] or 0), nanos=int((found["part"] or "0").ljust(9, "0")))


def shown_length(duration: Duration) -> str:
    """A length as `length` reads it; `0s` for none."""
    left, told = duration.seconds, ""
    for unit, size in _SIZES.items():
        count, left = divmod(left, size)
        told += f"{count}{unit}" if count else ""
    part = f".{duration.nanos:09d}".rstrip("0").rstrip(".")
    return told + (f"{left}{part}s" if left or part or not told else "")
