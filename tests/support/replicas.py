"""Two servers where clients know of both, and load on them. What each has recorded tells who answered."""

import itertools
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trustme
from shiplift import Client

from tests.support import postgres
from tests.support.daemons import record
from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS, until
from tests.support.repository import COMMIT

CALLERS = 4
# Makes a build of this name: its external id, or its parameter CALL.
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
    (postgres if postgres.is_in_use() else shutil).copy(first, second)
    shutil.copy(Shipliftd(first).token_file, Shipliftd(second).token_file)
    with ExitStack() as running:
        one = running.enter_context(Shipliftd(first, arguments[0]))
        yield Replicas(one, running.enter_context(Shipliftd(second, arguments[1])))


def recorded(server: Shipliftd) -> set[str]:
    """The names of the builds that a server has made."""
    with Client(server.address, server.admin_token) as client:
        builds = client.iterate_builds(owner="octocat", repo="app", page_size=100, view="full")
        found = [build.external_id or build.params["CALL"] for build in builds if build.number > 1]
    # However often a call was repeated.
    assert len({*found}) == len(found)
    return {*found}


def newest(server: Shipliftd) -> int:
    """The highest number of a build."""
    with Client(server.address, server.admin_token) as client:
        return client.list_builds(owner="octocat", repo="app", page_size=1).builds[0].number


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
            load.until(lambda: newest(both.one) > 1 and newest(both.other) > 1)
            load.more()
            assert both.other.stop(number) == ended
            load.more()
            again = running.enter_context(Shipliftd(both.other.database, listen=both.other.address))
            known = newest(again)
            load.until(lambda: newest(again) > known)
            # Now the one that was there all the time.
            assert both.one.stop(number) == ended
            load.more()
        assert load.failed == []
        with Shipliftd(both.one.database) as one:
            assert {*load.answered} <= recorded(one) | recorded(again)


def turn_by_turn(both: Replicas, call: Call) -> None:
    """Calls until both answer, and asserts that they take turns from then on."""
    tried = iter(range(10_000))

    def are_there() -> bool:
        call(f"before {next(tried)}")
        return newest(both.one) > 1 and newest(both.other) > 1

    until(are_there)
    names = {f"then {number}" for number in range(20)}
    for name in names:
        call(name)
    shares = [recorded(server) & names for server in (both.one, both.other)]
    assert [len(share) for share in shares] == [10, 10]
    assert shares[0] | shares[1] == names


def assert_shared(both: Replicas, load: Load) -> None:
    """Asserts of two that have stopped that each has answered some of the load, and that they have all."""
    shares = []
    for database in (both.one.database, both.other.database):
        with Shipliftd(database) as server:
            shares.append(recorded(server))
    assert all(shares)
    assert {*load.answered} == shares[0] | shares[1]


def certificates(folder: Path) -> Callable[[str], tuple[str, ...]]:
    """What makes a server's TLS options, with a certificate for its name and `replicas.example`.

    The CA is `ca.pem` in the folder.
    """
    ca = trustme.CA()
    ca.cert_pem.write_to_path(folder / "ca.pem")

    def options(name: str) -> tuple[str, ...]:
        issued = ca.issue_cert(name, "replicas.example")
        issued.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
        issued.private_key_pem.write_to_path(folder / f"{name}.key")
        return ("--tls-cert", f"{folder}/{name}.pem", "--tls-key", f"{folder}/{name}.key")

    return options
