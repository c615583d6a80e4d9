"""Waking those who wait for a build, a stage or a log to change."""

import asyncio
import contextlib
from weakref import WeakValueDictionary


class WakeUps:
    """Who waits asks for the event first, then looks, and then waits: so nothing is missed between."""

    def __init__(self) -> None:
        # They belong to those who wait: what nobody waits for any more is gone.
        self._events: WeakValueDictionary[tuple[str, int], asyncio.Event] = WeakValueDictionary()

    def event(self, kind: str, row_id: int) -> asyncio.Event:
        """The event of the next change of the `build` of this id, or of that or its `log`."""
        return self._events.setdefault((kind, row_id), asyncio.Event())

    def wake(self, kind: str, row_id: int) -> None:
        """Tells of a change."""
        event = self._events.pop((kind, row_id), None)
        if event is not None:
            event.set()

    def wake_all(self) -> None:
        """Lets everybody look again."""
        for event in list(self._events.values()):
            event.set()
        self._events.clear()


async def within(event: asyncio.Event, seconds: float) -> None:
    """Waits for an event, but not for long."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
