"""What a caller writes, as what a message takes."""

from datetime import datetime
from typing import TypeVar

from google.protobuf.timestamp_pb2 import Timestamp

E = TypeVar("E")


def enum(prefix: str, value: E | str) -> E | str:
    """An enum's value as it is, its short word as its name: `success` as `BUILD_STATUS_SUCCESS`."""
    return prefix + value.upper() if isinstance(value, str) else value


def timestamp(field: str, value: datetime | None) -> Timestamp | None:
    """A time. Raises ValueError when it has no time zone, for then it could be any."""
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError(f"{field}: {value.isoformat()} has no time zone: say datetime.now(UTC)")
    made = Timestamp()
    made.FromDatetime(value)
    return made
