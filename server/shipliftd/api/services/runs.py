"""What goes on: the runners that wait, and those who watch."""

from shipliftd.stages.offers import Dispatcher
from shipliftd.stages.wake_ups import Wakes
from shipliftd.store import Store
from shipliftd.store.rows import StageRow


class Runs:
    """Is told of each change once it is on disk, and wakes whom it concerns."""

    def __init__(self, store: Store) -> None:
        self.dispatcher = Dispatcher(store)
        self.wakes = Wakes()
        self.is_ending = False

    def begun(self) -> None:
        """A build was made: its stages may be what somebody waits for."""
        self.dispatcher.wake()

    def accepted(self, stage: StageRow) -> None:
        """A stage has its runner."""
        self.dispatcher.accepted(stage.id)
        self.moved(stage.build_id)

    def moved(self, build_id: int) -> None:
        """A build, or stages or steps of it, have changed."""
        self.wakes.wake("build", build_id)
        self.wakes.wake("log", build_id)
        self.dispatcher.wake()

    def grown(self, build_id: int) -> None:
        """The log of a build's step has more lines."""
        self.wakes.wake("log", build_id)

    def access_changed(self) -> None:
        """Somebody may be allowed less, or more."""
        self.wakes.wake_all()
        self.dispatcher.wake()

    def end(self) -> None:
        """Lets those go who wait for a stage or a build: the server shuts down."""
        self.is_ending = True
        self.dispatcher.end()
        self.wakes.wake_all()
