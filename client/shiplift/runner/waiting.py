"""Waiting for one thing or another, and how long."""

import asyncio
from collections.abc import Coroutine, Iterator
from typing import TypeVar

R = TypeVar("R")


async def first(work: Coroutine[None, None, R], event: asyncio.Event) -> R | None:
    """What the work returns, or None where the event comes first: then the work is cancelled."""
    working = asyncio.ensure_future(work)
    coming = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait((working, coming), return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        working.cancel()
        coming.cancel()


def pauses() -> Iterator[float]:
    """How long to wait before each repeat, in seconds, beside what the channel does by itself."""
    pause = 0.5
    while True:
        yield pause
        pause = min(pause * 2, 5.0)
