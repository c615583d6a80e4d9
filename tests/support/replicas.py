"""Two servers where clients know of both, and load on them. What each has recorded tells who answered."""

import itertools
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from shiplift import Client

from tests.support.daemons import record
from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS, until
from tests.support.repository import COMMIT

CALLERS = 4
# Records a build of this external id.
Call = Callable[[str], object]


@dataclass(frozen=True)
class Replicas:
    """Two servers of two copies of one store: tokens of one work at the other, its builds stay its own."""

    one: Shipliftd
    other: Shipliftd

    @property
    def addresses(self) -> str:
        """Both, as clients take them."""
        return f"{self.one.address},{self.other.address}"

    @property
    def admin_token(self) -> str:
        """The token of the admin of both."""
        return self.one.admin_token


@contextmanager
def replicas(
    folder: Path, arguments: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
) -> Iterator[Replicas]:
    """Both, running, with octocat/app and its build 1."""
    first, second = folder / "one.db", folder / "other.db"
    with Shipliftd(first) as server:
        record(server)
    for ending in ("", ".admin-token"):
        shutil.copy(f"{first}{ending}", f"{second}{ending}")
    with ExitStack() as running:
        one = running.enter_context(Shipliftd(first, arguments[0]))
        yield Replicas(one, running.enter_context(Shipliftd(second, arguments[1])))


def recorded(server: Shipliftd) -> set[str]:
    """The external ids of the builds that a server has recorded."""
    with Client(server.address, server.admin_token) as client:
        return {build.external_id for build in client.iterate_builds(owner="octocat", repo="app")} - {""}


def recording(client: Client) -> Call:
    """Records builds by a client."""
    return lambda name: client.create_build(owner="octocat", repo="app", after=COMMIT, external_id=name)


@dataclass
class Load:
    """Callers who record one build after the other, until they are stopped or a call fails."""

    call: Call
    answered: list[str] = field(default_factory=list)
    failed: list[Exception] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._over, self._moved = threading.Event(), threading.Condition()
        self._names = (f"call {number}" for number in itertools.count(1))
        self._callers = [threading.Thread(target=self._run) for _ in range(CALLERS)]

    def more(self, count: int = 40) -> None:
        """Returns once so many more calls are answered, or one has failed."""
        with self._moved:
            wanted = len(self.answered) + count
            assert self._moved.wait_for(lambda: len(self.answered) >= wanted or self.failed, SECONDS)

    def until(self, look: Callable[[], object]) -> None:
        """Returns once something is seen, or a call has failed."""
        until(lambda: self.failed or look())

    def _run(self) -> None:
        while not (self._over.is_set() or self.failed):
            with self._moved:
                name = next(self._names)
            try:
                self.call(name)
            except Exception as error:
                self.failed.append(error)
            else:
                self.answered.append(name)
            with self._moved:
                self._moved.notify_all()

    def __enter__(self) -> "Load":
        for caller in self._callers:
            caller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for caller in self._callers:
            caller.join()


def no_call_fails(both: Replicas, call: Call, number: signal.Signals) -> None:
    """Ends one of them with a signal, has it come back, and ends the other, all under load."""
    ended = 0 if number is signal.SIGTERM else -number
    with ExitStack() as running:
        with Load(call) as load:
            load.until(lambda: recorded(both.one) and recorded(both.other))
            load.more()
            assert both.other.stop(number) == ended
            load.more()
            again = running.enter_context(Shipliftd(both.other.database, listen=both.other.address))
            known = recorded(again)
            load.until(lambda: recorded(again) - known)
            # Now the one that was there all the time.
            assert both.one.stop(number) == ended
            load.more()
        assert load.failed == []
        with Shipliftd(both.one.database) as one:
            assert {*load.answered} <= recorded(one) | recorded(again)
