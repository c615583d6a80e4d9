"""What goes on: the runners that wait, and those who watch."""

from shipliftd.dispatch import Dispatcher
from shipliftd.rows import StageRow
from shipliftd.store import Store
from shipliftd.wakes import Wakes


class Runs:
    """Is told of each change once it is on disk, and wakes whom it concerns."""

    def __init__(self, store: Store) -> None:
        self.dispatcher = Dispatcher(store)
        self.wakes = Wakes()

    def begun(self) -> None:
        """A build was made: its stages may be what somebody waits for."""
        self.dispatcher.wake()

    def accepted(self, stage: StageRow) -> None:
        """A stage has its runner."""
        self.dispatcher.accepted(stage.id)
        self.moved(stage.build_id)

    def moved(self, build_id: int, *steps: int) -> None:
        """A build, or stages of it, or these steps have changed."""
        self.wakes.wake("build", build_id)
        for step_id in steps:
            self.wakes.wake("step", step_id)
        self.dispatcher.wake()

    def grown(self, step_id: int) -> None:
        """A step's log has more lines."""
        self.wakes.wake("step", step_id)

    def access_changed(self) -> None:
        """Somebody may be allowed less, or more."""
        self.wakes.wake_all()
        self.dispatcher.wake()

    def end(self) -> None:
        """Lets those go who wait for a stage: the server shuts down."""
        self.dispatcher.end()
