"""Pages of lists: how many, from where on, and the opaque token that asks for the next one.

A token holds the last row's key, so that inserts shift nothing, and an HMAC of it and of the request's
other fields, so that only what this list gave out is taken.
"""

import base64
import hmac
import json
from collections.abc import Callable, Iterable
from operator import methodcaller
from typing import Any, TypeVar

from google.protobuf.message import Message

from shipliftd.canonical import canonical
from shipliftd.errors import Invalid
from shipliftd.store.secret import mac
from shipliftd.store.transaction import Reader

DEFAULT_SIZE = 100
MOST_SIZE = 1000
MOST_BYTES = 1024 * 1024
_MARK_BYTES = 16
# What a request says of one page, and not of the list.
_OF_A_PAGE = {"page_size", "page_token", "skip"}

Key = list[str | int]
Row = TypeVar("Row")
M = TypeVar("M")


def size(page_size: int) -> int:
    """How many rows a page has: MOST_SIZE at most (AIP-158). Raises Invalid for a negative size."""
    if page_size < 0:
        raise Invalid([("page_size", f"is {page_size}: wanted 1 or above, or 0 for {DEFAULT_SIZE}")])
    return min(page_size or DEFAULT_SIZE, MOST_SIZE)


def after(reader: Reader, request: Message, page_token: str) -> Key | None:
    """The key of the row that the page comes after; None on the first page.

    Raises Invalid for a token that this request did not get.
    """
    if not page_token:
        return None
    try:
        token = base64.b64decode(page_token, b"-_", validate=True)
    except ValueError:
        token = b""
    mark, text = token[:_MARK_BYTES], token[_MARK_BYTES:]
    if not hmac.compare_digest(mark, _mark(reader, request, text)):
        raise Invalid(
            [
                (
                    "page_token",
                    "is not one that this list gave out: take `next_page_token` of the page before,"
                    " and leave the other fields as they were there",
                )
            ]
        )
    key: Key = json.loads(text)
    return key


def fill(
    reader: Reader,
    request: Message,
    most: int,
    rows: Iterable[Row],
    message: Callable[[Row], M],
    key: Callable[[Row], Key],
    then: Key | None = None,
    size_of: Callable[[Any], int] = methodcaller("ByteSize"),
) -> tuple[list[M], str]:
    """At most so many messages and 1 MiB of them, and the token of the next page.

    `rows` must hold one row more than fits, when there is one; where they end although more may follow,
    `then` is the key to go on after; `size_of` says how many bytes a message has.
    """
    messages: list[M] = []
    total = 0
    last: Row | None = None
    for row in rows:
        made = message(row)
        total += size_of(made)
        if last is not None and (len(messages) == most or total > MOST_BYTES):
            return messages, _token(reader, request, key(last))
        messages.append(made)
        last = row
    return messages, "" if then is None else _token(reader, request, then)


def _token(reader: Reader, request: Message, key: Key) -> str:
    text = json.dumps(key, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_mark(reader, request, text) + text).decode()


def _mark(reader: Reader, request: Message, key: bytes) -> bytes:
    other = type(request)()
    other.CopyFrom(request)
    for field in _OF_A_PAGE.intersection(other.DESCRIPTOR.fields_by_name):
        other.ClearField(field)
    text = json.dumps([request.DESCRIPTOR.name, canonical(other), key.decode("latin-1")])
    return mac(reader, text)[:_MARK_BYTES]
