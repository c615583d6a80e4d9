"""What the command shows: lines for people.

Texts come from whoever may push a commit. Nothing in them is taken for markup, and control characters
do not reach the terminal.
"""

import sys
from datetime import datetime

from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from shiplift._values import word_of


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


def put_lines(text: str) -> None:
    """Lines for programs, in which nothing can steer a terminal; none for an empty text."""
    if text:
        sys.stdout.write("".join(f"{clean(line)}\n" for line in text.split("\n")))


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
