"""How long tests wait, in one place: enough for a machine that has much else to do.

What comes is waited for by an event, up to SECONDS; only a test that fails takes that long. What is
promised within a time is measured against how slow the machine is at that moment.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import grpc

R = TypeVar("R")

# For a machine that is slower still.
_FACTOR = float(os.environ.get("SHIPLIFT_TEST_PATIENCE", "1"))
# Less than a test's own timeout, so that what did not come is named.
SECONDS = 120 * _FACTOR
_ROOM = 2.0
_PROBE_SECONDS = 0.02
_PROBE_PAUSE_SECONDS = 0.2


def until(look: Callable[[], R | None], seconds: float = SECONDS) -> R:
    """What is seen once it is there."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fails when the block takes longer, by far, than so many seconds of a machine that is idle.

    What the block raises goes on instead: where that is expected, it is caught within.
    """
    slowness = [_slowness()]
    over = threading.Event()

    def look() -> None:
        # What else runs comes and goes while the block waits, too.
        while not over.wait(_PROBE_PAUSE_SECONDS):
            slowness.append(_slowness())

    looking = threading.Thread(target=look, daemon=True)
    begun = time.monotonic()
    looking.start()
    try:
        yield
        took = time.monotonic() - begun
    finally:
        over.set()
        looking.join()
    most = seconds * _ROOM * max(*slowness, _slowness()) * _FACTOR
    assert took < most, f"{took:.1f} s, where {seconds:g} s are promised and {most:.1f} s were given"


def before_deadline(call: Callable[[float], R], seconds: float) -> R:
    """What a call with a deadline answers; asked for longer where the machine is too busy for an answer."""
    while True:
        try:
            return call(seconds)
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED or seconds > SECONDS:
                raise
            seconds *= 2


def _slowness() -> float:
    """How much longer than its work a piece of work takes, as others are served meanwhile."""
    begun, worked = time.monotonic(), time.thread_time()
    while time.thread_time() - worked < _PROBE_SECONDS:
        pass
    return max(1.0, (time.monotonic() - begun) / _PROBE_SECONDS)
