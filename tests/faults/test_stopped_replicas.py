"""A replica that is stopped amid its housekeeping: the others go on, and so does it when it wakes."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import grpc
import psycopg
import pytest

from tests.faults.conftest import Tell
from tests.support import postgres
from tests.support.commands import checked
from tests.support.faults import column, form, rows
from tests.support.harness import Shipliftd
from tests.support.patience import until
from tests.support.refusals import code_of
from tests.support.repository import Repository
from tests.support.staged import ERROR, RUNNING, SUCCESS, Runner, Staged, lose

pytestmark = pytest.mark.postgresql

# At least; in its short form the test goes on once the others have ended what the stopped one was at.
STOPPED_SECONDS = form(0, 60)
# Of the lock of who ends what is lost, as pg_locks shows it.
_SWEEPS = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND (classid, objid) = (0, 1)"


@pytest.mark.timeout(300)
def test_a_replica_that_is_stopped_in_its_housekeeping_stops_nobody_else(
    database: Path, tell: Tell
) -> None:
    with (
        Shipliftd(database) as first,
        ExitStack() as waking,
        closing(psycopg.connect(postgres.url_of(database))) as beside,
    ):
        one = Staged.of(Repository.make(first, "octocat", "app"))
        gone, kept = one.running(target="gone"), one.running(target="kept")
        # It has taken its locks, and waits for the last of them.
        beside.execute("SELECT 1 FROM builds WHERE number = 2 FOR UPDATE")
        lose(first, gone.stage.id)
        until(lambda: rows(database, _SWEEPS))
        first.process.send_signal(signal.SIGSTOP)
        waking.callback(first.process.send_signal, signal.SIGCONT)
        beside.rollback()
        stopped = time.monotonic()

        with Shipliftd(database) as second, ThreadPoolExecutor(1) as threads:
            other = Staged(Repository(second, "octocat", "app"), Runner(second, one.runner.token))
            # A call that the stopped one has in its socket, and that its caller repeats at the other.
            request = one.repository.promotion(1, "elsewhere", request_id="once")
            lost = threads.submit(code_of, one.repository.builds.PromoteBuild, request, timeout=5)
            other.runner.report(kept.stage.id, RUNNING, message="goes on")
            other.runner.report(kept.stage.id, SUCCESS)
            assert other.repository.get(4).status == SUCCESS
            assert lost.result() == grpc.StatusCode.DEADLINE_EXCEEDED
            made = other.repository.builds.PromoteBuild(request)
            until(lambda: other.repository.get(2).status == ERROR)
            time.sleep(max(0, stopped + STOPPED_SECONDS - time.monotonic()))

            first.process.send_signal(signal.SIGCONT)
            took = time.monotonic() - stopped
            until(lambda: code_of(one.repository.get, 2) == grpc.StatusCode.OK)
            for staged in (one, other):
                assert staged.repository.get(2).stages[0].error == (
                    "runner lost: nothing was heard of box for 60 s"
                )
                assert staged.repository.builds.PromoteBuild(request) == made
            # And it does its part again.
            again = one.running(target="again")
            assert second.stop() == 0

            def is_lost() -> bool:
                # Again: as it was not there for a while, it gives all leases their whole time once.
                lose(first, again.stage.id)
                return one.repository.get(again.build.number).status == ERROR

            until(is_lost)
    assert rows(database, "SELECT environment, number FROM lost ORDER BY number") == [
        ("gone", 2),
        ("again", again.build.number),
    ]
    assert column(database, "SELECT number FROM arrivals") == [4]
    numbers = column(database, "SELECT number FROM builds ORDER BY number")
    assert numbers == list(range(1, again.build.number + 1))
    assert checked(first.store) == "ok\n"
    tell(f"a replica stopped for {took:.0f} s with the locks of its housekeeping; 0 lost, 0 twice")
