"""The feed: reads what was committed once for all who watch, and gives each what is theirs."""

import asyncio
import logging
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NamedTuple

from shipliftd.changes import numbered
from shipliftd.changes.numbered import ChangeRow, Kept
from shipliftd.errors import Unavailable
from shipliftd.store import Store
from shipliftd.store.transaction import Change

log = logging.getLogger(__name__)

_AT_ONCE = 500
_AGAIN_SECONDS = 1.0
# So many changes may wait to be read by one who watches a repository; or all of them, where all who do
# share them.
_MOST_WAITING, _MOST_WAITING_OF_ALL = 1000, 10_000


class Filter(NamedTuple):
    """Which changes somebody watches; empty: all."""

    repo_id: int = 0
    build: int = 0
    environment: str = ""
    events: frozenset[str] = frozenset()

    def takes(self, change: ChangeRow) -> bool:
        """Whether it is one of these."""
        build = change.build
        if self.repo_id and change.repo_id != self.repo_id:
            return False
        if build is None:
            # What is done to all of a repository's environments has no name.
            here = not (self.environment and change.environment) or change.environment == self.environment
            return here and not self.events and not self.build
        return (
            (not self.build or build.number == self.build)
            and (not self.environment or build.deploy_to == self.environment)
            and (not self.events or build.event in self.events)
        )


@dataclass(slots=True, eq=False)
class News:
    """A change that is handed out, and what is made of it once for all who are told."""

    change: ChangeRow
    message: object = None


@dataclass(slots=True, eq=False)
class Watch:
    """What waits to be read by one who watches; `news` is set as more comes."""

    filter: Filter
    waiting: deque[News] = field(default_factory=deque)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    # More came than may wait: nothing of it is kept.
    is_cut_off: bool = False

    @property
    def most(self) -> int:
        """How many may wait."""
        return _MOST_WAITING if self.filter.repo_id else _MOST_WAITING_OF_ALL

    def give(self, news: News) -> None:
        """Adds a change, if it is one of these."""
        if self.is_cut_off or not self.filter.takes(news.change):
            return
        if len(self.waiting) >= self.most:
            self.is_cut_off = True
            self.waiting.clear()
        else:
            self.waiting.append(news)
        self.news.set()


class Feed:
    """Who watches, and how far what they are given goes.

    Nothing is read while nobody watches. `access` counts the changes of what users may read.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.position = 0
        self.access = 0
        self._watches: dict[int, set[Watch]] = {}
        self._count = 0
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()
        store.subscribe(self._told)

    def _told(self, changes: Collection[Change]) -> None:
        for kind, _ in changes:
            if kind == "changed":
                self._changed.set()
            elif kind in ("access", "tokens"):
                self.access += 1

    def look_again(self) -> None:
        """Has it look for what it was not told of, and everybody's access looked up anew."""
        self.access += 1
        self._changed.set()

    async def kept(self) -> Kept:
        """What is kept of the changes. Raises Unavailable."""
        await self._number()
        return await self._store.read(numbered.kept)

    async def join(self, watch: Watch) -> int:
        """Gives it every change from now on; returns the place that they are behind."""
        async with self._turn:
            if not self._count:
                self.position = (await self.kept()).head
            self._watches.setdefault(watch.filter.repo_id, set()).add(watch)
            self._count += 1
            return self.position

    def leave(self, watch: Watch) -> None:
        """Gives it nothing any more."""
        others = self._watches.get(watch.filter.repo_id, set())
        if watch in others:
            others.discard(watch)
            self._count -= 1
            if not others:
                del self._watches[watch.filter.repo_id]

    async def run(self) -> None:
        """Hands out what is committed, as long as it runs."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                async with self._turn:
                    await self._hand_out()
            except Unavailable:
                # Which the server tells of.
                await asyncio.sleep(_AGAIN_SECONDS)
                self._changed.set()
            except Exception as error:
                log.exception("changes are not handed out", extra={"error": str(error)})

    async def _hand_out(self) -> None:
        if not self._count:
            return
        await self._number()
        while True:
            rows = await self._store.read(numbered.after, self.position, None, _AT_ONCE)
            for change in rows:
                self._give(change)
                self.position = change.place
            if len(rows) < _AT_ONCE:
                return
            # Others take their turn.
            await asyncio.sleep(0)

    def _give(self, change: ChangeRow) -> None:
        news = News(change)
        for of in (change.repo_id, 0):
            for watch in self._watches.get(of, ()):
                watch.give(news)

    async def _number(self) -> None:
        if not self._store.numbers_changes:
            return
        while await self._store.write(numbered.number_all):
            pass
