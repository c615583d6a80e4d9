"""What goes on: the runners that wait, and those who watch."""

import asyncio
import logging
from collections.abc import Collection

from shipliftd.builds import waiting
from shipliftd.changes import Feed
from shipliftd.stages.known_runners import KnownRunners
from shipliftd.stages.offers import Dispatcher
from shipliftd.stages.wake_ups import WakeUps
from shipliftd.store import Store
from shipliftd.store.transaction import Change

log = logging.getLogger(__name__)

# So many are looked at in one transaction, for which others wait.
_MOST_AT_ONCE = 25
# When what went wrong is tried again.
_AGAIN_SECONDS = 5.0


class Runs:
    """Is told of each change once it is on disk, and wakes whom it concerns."""

    def __init__(self, store: Store, known: KnownRunners) -> None:
        self.dispatcher = Dispatcher(store, known)
        self.wake_ups = WakeUps()
        self.feed = Feed(store)
        self.is_ending = False
        self._store = store
        # Whose gates are asked about now, and whether they are to be once more.
        self._looking: dict[Change, bool] = {}
        self._looks: set[asyncio.Task[None]] = set()
        store.subscribe(self._told)

    def _told(self, changes: Collection[Change]) -> None:
        for kind, row_id in changes:
            if kind == "accepted":
                self.dispatcher.accepted(row_id)
            elif kind == "moved":
                self.wake_ups.wake("build", row_id)
                self.wake_ups.wake("log", row_id)
            elif kind == "grown":
                self.wake_ups.wake("log", row_id)
            elif kind == "access":
                self.wake_ups.wake_all()
            elif kind in ("gates", "left", "asked"):
                self.look_at((kind, row_id))
        if any(kind in ("begun", "moved", "access") for kind, _ in changes):
            self.dispatcher.wake()

    def look_at(self, change: Change) -> None:
        """Sets going what a change lets go."""
        if change in self._looking:
            self._looking[change] = True
            return
        self._looking[change] = False
        task = asyncio.get_running_loop().create_task(self._look_at(change))
        self._looks.add(task)
        task.add_done_callback(self._looks.discard)

    async def _look_at(self, change: Change) -> None:
        try:
            while True:
                repo_id, ids = await self._store.read(waiting.concerned, *change)
                for start in range(0, len(ids), _MOST_AT_ONCE):
                    some = ids[start : start + _MOST_AT_ONCE]
                    await self._store.write(waiting.advance, repo_id, some)
                if not self._looking[change]:
                    return
                self._looking[change] = False
        except Exception as error:
            asyncio.get_running_loop().call_later(_AGAIN_SECONDS, self.look_at, change)
            log.warning("gates not asked again", extra={"of": change, "error": str(error)})
        finally:
            del self._looking[change]

    def look_again(self) -> None:
        """Has everybody look: another process has written."""
        self.wake_ups.wake_all()
        self.dispatcher.wake()
        self.feed.look_again()

    def end(self) -> None:
        """Lets those go who wait for a stage or a build: the server shuts down."""
        self.is_ending = True
        self.dispatcher.end()
        self.wake_ups.wake_all()
