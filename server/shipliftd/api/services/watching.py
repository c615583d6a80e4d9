"""One watch of builds, from its snapshot on."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import cast

from shiplift.v1 import builds_pb2 as pb

from shipliftd import changes
from shipliftd.access.callers import CALLER
from shipliftd.api import change_messages, messages
from shipliftd.api.services.runs import Runs
from shipliftd.builds import watched
from shipliftd.changes import ChangeRow, Cursor, Filter, Watch
from shipliftd.errors import Exhausted
from shipliftd.stages.wake_ups import within
from shipliftd.store import Store
from shipliftd.store.rows import BuildWithStages

HEARTBEAT_SECONDS = 15.0
_AT_ONCE = 500
# A build, stage or step, by its id.
_Thing = tuple[str, int]


class Watching:
    """What one caller of WatchBuilds is told."""

    def __init__(self, store: Store, runs: Runs) -> None:
        self._store = store
        self._runs = runs
        self._epoch = ""
        # What the snapshot has of changes that come yet: the version of each thing in it.
        self._seen: dict[_Thing, int] = {}
        # Which repositories the caller may read, as of so many changes of access.
        self._readable: dict[int, bool] = {}
        self._access = -1

    async def responses(self, request: pb.WatchBuildsRequest) -> AsyncGenerator[pb.WatchBuildsResponse]:
        """All that it is told. Raises Invalid, NotFound, OutOfRange, Exhausted, Unavailable."""
        wanted, cursor = watched.wanted(CALLER.get(), request)
        feed = self._runs.feed
        kept = await feed.kept()
        self._epoch = kept.epoch
        watch = Watch(wanted)
        try:
            if cursor is None:
                begin = await feed.join(watch)
                async for whole in self._snapshot(wanted):
                    waiting_for = self._runs.dispatcher.known.waiting_for(whole)
                    yield pb.WatchBuildsResponse(snapshot=messages.build(whole, waiting_for))
                yield pb.WatchBuildsResponse(cursor=self._cursor(begin), snapshot_end=pb.SnapshotEnd())
            else:
                begin = kept.place_of(cursor)
                # That it is heard: the next change may be far off.
                yield pb.WatchBuildsResponse(cursor=request.cursor, heartbeat=pb.Heartbeat())
                # It may be long since: what comes while it is read need not wait in memory.
                async for row in self._past(begin, kept.head, wanted):
                    yield change_messages.response(row, self._epoch)
                end = await feed.join(watch)
                async for row in self._past(kept.head, end, wanted):
                    yield change_messages.response(row, self._epoch)
            async for response in self._news(watch):
                yield response
        finally:
            feed.leave(watch)

    async def _snapshot(self, wanted: Filter) -> AsyncIterator[BuildWithStages]:
        caller = CALLER.get()
        if wanted.build:
            whole = await self._store.read(watched.named, caller, wanted.build)
            self._seen |= _versions(whole)
            yield whole
            return
        after: int | None = 0
        while after is not None:
            page, after = await self._store.listing(watched.unended, caller, wanted, after)
            for whole in page:
                self._seen |= _versions(whole)
                yield whole

    async def _past(self, begin: int, end: int, wanted: Filter) -> AsyncIterator[ChangeRow]:
        """The changes behind one place, to another one."""
        while True:
            rows = await self._store.listing(changes.after, begin, end, _AT_ONCE, wanted.repo_id)
            for row in rows:
                if wanted.takes(row) and await self._may_read(wanted, row):
                    yield row
            if len(rows) < _AT_ONCE:
                return
            begin = rows[-1].place

    async def _news(self, watch: Watch) -> AsyncIterator[pb.WatchBuildsResponse]:
        while True:
            while watch.waiting:
                news = watch.waiting.popleft()
                row = news.change
                if self._is_news(row) and await self._may_read(watch.filter, row):
                    if news.message is None:
                        news.message = change_messages.response(row, self._epoch)
                    yield cast(pb.WatchBuildsResponse, news.message)
            if watch.is_cut_off:
                raise _too_slow(watch.most)
            watch.news.clear()
            await within(watch.news, HEARTBEAT_SECONDS)
            if not watch.news.is_set():
                position = self._runs.feed.position
                yield pb.WatchBuildsResponse(cursor=self._cursor(position), heartbeat=pb.Heartbeat())

    def _cursor(self, place: int) -> str:
        return str(Cursor(self._epoch, place))

    def _is_news(self, row: ChangeRow) -> bool:
        """Whether the snapshot has it not yet."""
        if not self._seen:
            return True
        seen = self._seen.get(_thing(row), 0)
        if seen and seen < row.version:
            del self._seen[_thing(row)]
        return seen < row.version or row.build is None

    async def _may_read(self, wanted: Filter, row: ChangeRow) -> bool:
        if wanted.repo_id:
            # The interceptor looks.
            return True
        if self._access != self._runs.feed.access:
            self._readable, self._access = {}, self._runs.feed.access
        readable = self._readable
        if row.repo_id not in readable:
            # Into what there was before the look: access may be taken away meanwhile.
            found = await self._store.read(watched.is_readable, CALLER.get(), row.repo_id)
            readable[row.repo_id] = found
            return found
        return readable[row.repo_id]


def _thing(row: ChangeRow) -> _Thing:
    if row.step is not None:
        return "step", row.step.id
    if row.stage is not None:
        return "stage", row.stage.id
    return "build", row.build.id if row.build is not None else 0


def _versions(whole: BuildWithStages) -> Iterator[tuple[_Thing, int]]:
    yield ("build", whole.build.id), whole.build.version
    for stage in whole.stages:
        yield ("stage", stage.id), stage.version
    for step in whole.steps:
        yield ("step", step.id), step.version


def _too_slow(most: int) -> Exhausted:
    return Exhausted(
        f"more than {most} changes waited to be read, and nothing is kept for this watch any more:"
        " come back with the last cursor, and read faster or filter more",
        reason="READS_TOO_SLOWLY",
        retry_after=1,
        metadata={"waiting": most},
    )
