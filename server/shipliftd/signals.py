"""SIGTERM and Ctrl-C: the first one asks for an end, the second one for it at once."""

import asyncio
import signal
from collections.abc import Awaitable, Callable


class Signals:
    """The signals of a process that runs until it is told to stop."""

    def __init__(self) -> None:
        self._first, self._second = asyncio.Event(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._received)

    def _received(self) -> None:
        (self._second if self._first.is_set() else self._first).set()

    async def wait(self) -> None:
        """Returns with the first one."""
        await self._first.wait()

    async def end(self, stopping: Awaitable[None], hurry: Callable[[], None]) -> None:
        """Waits until what was stopped has come to its end; a second signal calls `hurry`."""
        ending = asyncio.ensure_future(stopping)
        hurried = asyncio.ensure_future(self._second.wait())
        await asyncio.wait({ending, hurried}, return_when=asyncio.FIRST_COMPLETED)
        if hurried.done():
            hurry()
        hurried.cancel()
        await ending
