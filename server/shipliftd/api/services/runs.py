"""What goes on: the runners that wait, and those who watch."""

from collections.abc import Collection

from shipliftd.stages.known_runners import KnownRunners
from shipliftd.stages.offers import Dispatcher
from shipliftd.stages.wake_ups import WakeUps
from shipliftd.store import Store
from shipliftd.store.transaction import Change


class Runs:
    """Is told of each change once it is on disk, and wakes whom it concerns."""

    def __init__(self, store: Store, known: KnownRunners) -> None:
        self.dispatcher = Dispatcher(store, known)
        self.wake_ups = WakeUps()
        self.is_ending = False
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
        if any(kind in ("begun", "moved", "access") for kind, _ in changes):
            self.dispatcher.wake()

    def look_again(self) -> None:
        """Has everybody look: another process has written."""
        self.wake_ups.wake_all()
        self.dispatcher.wake()

    def end(self) -> None:
        """Lets those go who wait for a stage or a build: the server shuts down."""
        self.is_ending = True
        self.dispatcher.end()
        self.wake_ups.wake_all()
