"""What the command shows: lines and tables for people, JSON for programs.

Texts come from whoever may push a commit. Nothing in them is taken for markup, and control characters
do not reach the terminal.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import cast

from google.protobuf.descriptor import Descriptor
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console
from rich.table import Table
from rich.text import Text

from shiplift._values import word_of

_COLOURS = {
    "success": "green",
    "running": "cyan",
    "pending": "yellow",
    "blocked": "yellow",
    "failure": "red",
    "error": "red",
    "killed": "red",
    "declined": "red",
}

# A pipe has no width: nothing is cut there.
_PIPE_WIDTH = 100_000


def clean(text: str) -> str:
    """A text without control characters, on one line."""
    return "".join(c if c.isprintable() else " " if c.isspace() else "" for c in text)


def first_line(text: str) -> str:
    """The first line of a text."""
    return clean(text.strip().partition("\n")[0]).strip()


def say(text: str) -> None:
    """A line for people, beside what the command puts out."""
    sys.stderr.write("".join(f"{clean(line)}\n" for line in text.split("\n")))


def put(text: str) -> None:
    """A line that the command puts out."""
    sys.stdout.write(f"{clean(text)}\n")


def put_json(answer: Message | Sequence[Message]) -> None:
    """Messages in protobuf's JSON, with the protos' field names and zeros; a list as an array."""
    value = [_plain(each) for each in answer] if isinstance(answer, Sequence) else _plain(answer)
    # Only ASCII goes out, so that nothing in it can steer a terminal.
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def _plain(message: Message) -> object:
    value = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    # The type stubs give a message the descriptors of both of protobuf's implementations.
    return _in_order(value, cast("Descriptor", message.DESCRIPTOR))


def _in_order(value: object, kind: Descriptor) -> object:
    """A message's JSON in the order of the fields, maps by name; protobuf has maps in any, zeros last."""
    if isinstance(value, list):
        return [_in_order(each, kind) for each in value]
    if not isinstance(value, dict):
        return value
    if kind.GetOptions().map_entry:
        return dict(sorted(value.items()))
    fields = (field for field in kind.fields if field.name in value)
    return {
        each.name: _in_order(value[each.name], each.message_type) if each.message_type else value[each.name]
        for each in fields
    }


def put_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table, without the columns that are empty in every row."""
    rows = [[clean(cell) for cell in row] for row in rows]
    kept = [at for at in range(len(headings)) if any(row[at] for row in rows)]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for at in kept:
        table.add_column(headings[at], no_wrap=True, overflow="ellipsis")
    for row in rows:
        table.add_row(*(_coloured(row[at]) for at in kept))
    _print(table)


def put_fields(fields: Iterable[tuple[str, str]]) -> None:
    """Names and values, a line each, without those that are empty."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in fields:
        if value:
            lines = [clean(line) for line in value.rstrip().split("\n")]
            table.add_row(name, _coloured("\n".join(lines)))
    _print(table)


def _coloured(text: str) -> Text:
    return Text(text, style=_COLOURS.get(text, ""))


def _print(table: Table) -> None:
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    console = Console(width=width, highlight=False)
    with console.capture() as captured:
        console.print(table)
    # Written here, so that a closed pipe is met in one place. Rich pads the last column.
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def word(enum: EnumTypeWrapper, value: int) -> str:
    """An enum's value in a short word; the number of one that a newer server has."""
    return word_of(enum.DESCRIPTOR, value)


def when(message: Message, field: str) -> str:
    """A time in the user's zone, to the second; empty when it is unset."""
    if not message.HasField(field):
        return ""
    value: Timestamp = getattr(message, field)
    local = datetime.fromtimestamp(value.seconds).astimezone()
    return local.strftime("%Y-%m-%d %H:%M:%S %z")
