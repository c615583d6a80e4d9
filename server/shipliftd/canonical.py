"""A form of messages that is the same for equal ones everywhere."""

from typing import Any

from google.protobuf.message import Message


def canonical(message: Message, leave_out: str = "") -> list[Any]:
    """The set fields by number, maps sorted by key; the same for equal messages everywhere."""
    fields: list[Any] = []
    for field, value in message.ListFields():
        if field.name == leave_out:
            continue
        kind = field.message_type
        if kind is None:
            plain = list(value) if field.is_repeated else value
        elif kind.GetOptions().map_entry:
            plain = sorted(value.items())
        elif field.is_repeated:
            plain = [canonical(item) for item in value]
        else:
            plain = canonical(value)
        fields.append((field.number, plain))
    return fields
