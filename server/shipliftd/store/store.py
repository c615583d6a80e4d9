"""The store as the rest of the server knows it: verbs that write, queries that read, and who is told."""

import abc
import asyncio
import random
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from shipliftd.clock import now
from shipliftd.errors import Unavailable
from shipliftd.store import models
from shipliftd.store.ahead import Ahead, Made
from shipliftd.store.transaction import Change, Overtaken, Reader, Transaction

P = ParamSpec("P")
T = TypeVar("T")

# How often a verb runs that others overtake, or that needs something made ahead.
_MOST_TURNS = 6
_MOST_PAUSE_SECONDS = 0.05


class Store(abc.ABC):
    """Where everything is kept. Belongs to the thread and the loop that use it."""

    # What it is called in logs; holds no password.
    name: str
    # Where what the first start tells is written, when nobody looks.
    token_file: Path

    # Whether no other server used it when this one started.
    is_alone: bool

    # Whether changes need a number to be told in order: where several transactions write at a time.
    numbers_changes = False

    def __init__(self) -> None:
        # Whether the last write could not be stored.
        self.failing = False
        self._subscribers: list[Callable[[Collection[Change]], None]] = []
        self._observers: list[Callable[[int, float], None]] = []
        # One: more would only take the GIL from each other.
        self._ahead_thread = ThreadPoolExecutor(1, "ahead")

    def subscribe(self, told: Callable[[Collection[Change]], None]) -> None:
        """Calls this with each commit's changes, once they are on disk and before anybody is answered."""
        self._subscribers.append(told)

    def observe(self, told: Callable[[int, float], None]) -> None:
        """Calls this with each batch that is on disk: its writes, and how many seconds the first waited."""
        self._observers.append(told)

    async def write(
        self, verb: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Runs the verb in a transaction; what it did is on disk when this returns.

        What the verb needs made ahead is made beside the loop, and it runs again; it does so, too, when a
        row that it moves was moved meanwhile. Raises what the verb raises, having undone it; Unavailable
        when the store cannot take it.
        """
        made: Made = {}
        for turn in range(_MOST_TURNS):
            try:
                return await self._written(lambda tx: verb(tx, *args, **kwargs), made)
            except Ahead as needed:
                make = needed.make
                made[needed.key] = await asyncio.get_running_loop().run_in_executor(
                    self._ahead_thread, make
                )
            except Overtaken:
                # Those who overtake each other must not meet again.
                await asyncio.sleep(random.uniform(0, _MOST_PAUSE_SECONDS) * turn)  # noqa: S311
        raise Unavailable(f"others were faster {_MOST_TURNS} times; nothing was stored: try again")

    async def probe(self) -> None:
        """Looks whether the store takes writes again, by one. Raises Unavailable when it does not."""
        await self.write(_probe)

    def _publish(self, changes: Collection[Change]) -> None:
        """Tells what was committed, also of those who hung up meanwhile."""
        if changes:
            for told in self._subscribers:
                told(changes)

    @property
    @abc.abstractmethod
    def writes_waiting(self) -> int:
        """How many writes have not begun yet."""

    @abc.abstractmethod
    def migrate(self) -> list[str]:
        """Brings the schema up to date; see `schema.migrate`."""

    @abc.abstractmethod
    async def open(self) -> None:
        """Prepares it for a command. Raises Precondition where it is not for this release."""

    @abc.abstractmethod
    async def start(self) -> None:
        """Prepares it for a server. Raises Precondition where it is not for this release."""

    @abc.abstractmethod
    async def _written(self, verb: Callable[[Transaction], T], made: Made) -> T:
        """Runs a verb once. Raises Overtaken where it is to run again."""

    @abc.abstractmethod
    async def read(
        self, query: Callable[Concatenate[Reader, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Runs a query that reads little, by a key."""

    @abc.abstractmethod
    async def listing(
        self, query: Callable[Concatenate[Reader, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Runs a query that may read much."""

    @abc.abstractmethod
    def changed_elsewhere(self) -> bool:
        """Whether others may have written, since this was last asked, of whom nothing was told."""

    @abc.abstractmethod
    async def tend(self) -> None:
        """Looks after what grows beside the rows; for every ten seconds."""

    @abc.abstractmethod
    async def drain(self) -> None:
        """Waits until every verb that was given is on disk."""

    @abc.abstractmethod
    def hurry(self) -> None:
        """Waits for no other process's write any more: verbs behind one fail with Unavailable."""

    @abc.abstractmethod
    def close(self) -> None:
        """Lets go of it."""
        self._ahead_thread.shutdown()


def _probe(tx: Transaction) -> None:
    setting = models.Setting
    tx.execute(
        # Another value each time: SQLite writes nothing where a row stays as it is.
        setting.insert(key="probe", value=str(now())).on_conflict(
            conflict_target=[setting.key], preserve=[setting.value]
        )
    )
