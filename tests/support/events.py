"""Server-sent events, read as they come."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from typing import Any, NamedTuple

from tests.support.gateway import Caller
from tests.support.patience import SECONDS


class Event(NamedTuple):
    """An event: its id ('': none), and what its data say (None: nothing)."""

    id: str
    data: Any


class Events:
    """An answer of events."""

    def __init__(self, response: HTTPResponse) -> None:
        self.status = response.status
        self.headers = dict(response.getheaders())
        self._response = response

    def body(self) -> bytes:
        """All of an answer that is none of events."""
        return self._response.read()

    def __iter__(self) -> Iterator[Event]:
        """The events, to the end of the answer."""
        found: dict[str, str] = {}
        for line in self._response:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name:
                found[name] = value
            elif found.keys() & {"id", "data"}:
                data = json.loads(found["data"]) if "data" in found else None
                yield Event(found.get("id", ""), data)
                found = {}
            else:
                found = {}


@contextmanager
def events(caller: Caller, path: str, last: str = "") -> Iterator[Events]:
    """GET of events; `last` is the id to come back with."""
    host, _, port = caller.address.rpartition(":")
    connection = HTTPConnection(host, int(port), timeout=SECONDS)
    headers = {
        "accept": "text/event-stream",
        **({"authorization": f"Bearer {caller.token}"} if caller.token else {}),
        **({"last-event-id": last} if last else {}),
    }
    try:
        connection.request("GET", path, headers=headers)
        yield Events(connection.getresponse())
    finally:
        connection.close()
