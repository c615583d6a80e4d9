"""Two promotions to one environment at once, round by round: one runs, and none is lost."""

import re
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import grpc
import psycopg
import pytest
from shiplift.v1 import environments_pb2 as pb

from tests.faults.conftest import Tell
from tests.support import postgres
from tests.support.commands import checked
from tests.support.faults import form, rows
from tests.support.gated import QUEUE, REJECT, SUPERSEDE, Gated, both
from tests.support.harness import Shipliftd
from tests.support.patience import until
from tests.support.repository import Repository
from tests.support.staged import FAILURE, KILLED, RUNNING, SUCCESS, Runner, runner_of

ROUNDS, RUNNERS = form(10, 200), 8
# A round's promotions, two of which come at once.
AT_ONCE = 2
ENDED = {SUCCESS, FAILURE, KILLED}


@dataclass
class Line:
    """What runners do, and how many of them were at it at the same time."""

    running: set[int] = field(default_factory=set)
    ran: list[int] = field(default_factory=list)
    # Builds that ran beside another one.
    beside: list[tuple[int, ...]] = field(default_factory=list)
    is_over: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def work(self, runner: Runner) -> None:
        """Takes what there is until it is over; every third one fails."""
        while not self.is_over.is_set():
            try:
                answer = runner.stages.AcquireStage(runner.wants(type="exec"), timeout=3)
                if not answer.HasField("offer"):
                    continue
                lease = runner.accept(answer.offer.id)
            except grpc.RpcError as error:
                # The machine is busy, or another runner was faster.
                if error.code() not in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.ABORTED):
                    raise
                continue
            number = lease.build.number
            with self.lock:
                self.running.add(number)
                if len(self.running) > 1:
                    self.beside.append(tuple(sorted(self.running)))
                self.ran.append(number)
            runner.report(lease.stage.id, RUNNING)
            with self.lock:
                # Before its end is told, or the next one may begin first.
                self.running.remove(number)
            runner.report(lease.stage.id, FAILURE if number % 3 == 0 else SUCCESS)


@contextmanager
def working(runners: list[Runner]) -> Iterator[Line]:
    """Runners at work."""
    line = Line()
    with ThreadPoolExecutor(len(runners)) as threads:
        work = [threads.submit(line.work, runner) for runner in runners]
        try:
            yield line
        finally:
            line.is_over.set()
        for each in work:
            each.result()


@pytest.mark.timeout(form(300, 3_600))
@pytest.mark.parametrize("policy", [QUEUE, SUPERSEDE, REJECT], ids=["queue", "supersede", "reject"])
def test_two_at_once_never_run_beside_each_other(
    database: Path, policy: pb.QueuePolicy, tell: Tell
) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(Shipliftd(database))
        # Where there can be replicas, there are.
        other = stack.enter_context(Shipliftd(database)) if postgres.is_in_use() else server
        gated = Gated.caller_of(Repository.make(server, "octocat", "app"))
        beside = Gated(other, "octocat", "app")
        recorded = gated.released(pipeline=both())
        gated.declare(queue_policy=policy)
        token = runner_of(gated, "runner").token
        runners = [Runner((server, other)[n % 2], token, f"box-{n}") for n in range(RUNNERS)]
        refused = 0
        with working(runners) as line, ThreadPoolExecutor(AT_ONCE) as threads:
            for _ in range(ROUNDS):
                calls = [threads.submit(_promoted, each, recorded) for each in (gated, beside)]
                refused += [call.result() for call in calls].count(0)
                if policy == REJECT:
                    # Or all that come later are refused.
                    until(partial(_none_is_left, gated))
            until(partial(_none_is_left, gated))
    _look(database, line, policy, refused)
    assert re.fullmatch(r"(.+: )?ok\b.*\n", checked(server.store))
    if postgres.is_in_use():
        with closing(psycopg.connect(postgres.url_of(database))) as connection:
            counted = connection.execute(
                "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
            ).fetchall()
        assert counted == [(0,)]
    made = ROUNDS * AT_ONCE - refused
    tell(
        f"{ROUNDS} rounds of {AT_ONCE} at once with {RUNNERS} runners: {len(line.ran)} of {made} ran,"
        f" {made - len(line.ran)} superseded, {refused} refused; 0 beside another, 0 lost"
    )


def _promoted(gated: Gated, recorded: int) -> int:
    """The number of a new promotion, 0 where it was refused."""
    try:
        return gated.promote(recorded).number
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.FAILED_PRECONDITION:
            raise
        return 0


def _none_is_left(gated: Gated) -> bool:
    page = gated.page(page_size=1000, environment="production")
    return all(build.status in ENDED for build in page.builds)


def _look(database: Path, line: Line, policy: pb.QueuePolicy, refused: int) -> None:
    found = rows(
        database,
        "SELECT number, status, superseded_by, error, waits, started FROM builds WHERE parent > 0"
        " ORDER BY number",
    )
    by_number = {row[0]: row for row in found}
    assert line.beside == []
    assert len(found) == ROUNDS * AT_ONCE - refused
    # None ran twice, and none that did not run is anything but superseded.
    ran = Counter(line.ran)
    assert set(ran.values()) <= {1}
    superseded = {number: row for number, row in by_number.items() if number not in ran}
    assert (superseded == {}) or policy == SUPERSEDE
    for number, (_, status, by, error, waits, started) in superseded.items():
        assert (status, error, started) == ("killed", f"superseded by {by}", 0)
        # It was never let go, and its successor is a newer one that is there.
        assert waits > 0
        assert by in by_number
        assert by > number
    for number in ran:
        assert by_number[number][1:3] == ("failure" if number % 3 == 0 else "success", 0)
    if policy == QUEUE:
        assert line.ran == sorted(line.ran)
    assert (refused > 0) == (policy == REJECT)
