"""Servers that die by `kill -9`: what was acknowledged stays, what was not can be repeated."""

import random
import signal
from pathlib import Path

import pytest

from tests.faults.conftest import Tell
from tests.support.bursts import assert_sound, promote, record_a_build, stored
from tests.support.faults import form
from tests.support.harness import Shipliftd

KILLS, CALLS = form((5, 200), (100, 1_000))


@pytest.mark.timeout(form(300, 3_600))
def test_a_kill_loses_nothing_that_was_acknowledged_and_repeats_nothing(database: Path, tell: Tell) -> None:
    server = Shipliftd(database).start()
    record_a_build(server)
    promotions: dict[str, int] = {}
    # Seeded: a failure can be had again, as far as the machine's timing allows.
    moment = random.Random(42)
    answered = kept = 0
    for kill in range(KILLS):
        ids = [f"kill {kill}, call {call}" for call in range(CALLS)]
        acknowledged, _ = promote(server, ids, kill_at=moment.randrange(CALLS // 10, CALLS * 9 // 10))
        assert server.stop() == -signal.SIGKILL
        found = stored(database)
        assert (promotions | acknowledged).items() <= found.items()
        assert_sound(database, found)

        server = Shipliftd(database).start()
        unacknowledged = [request_id for request_id in ids if request_id not in acknowledged]
        retried, replayed = promote(server, unacknowledged)
        known = {request_id: found[request_id] for request_id in unacknowledged if request_id in found}
        assert set(retried) == set(unacknowledged)
        assert replayed == set(known)
        assert known.items() <= retried.items()
        # Once more, all of them: each id goes on standing for its one build.
        assert promote(server, ids) == ({**acknowledged, **retried}, set(ids))
        promotions |= acknowledged | retried
        answered, kept = answered + len(acknowledged), kept + len(known)
    assert server.stop() == 0
    assert stored(database) == promotions
    assert_sound(database, promotions)
    assert len(promotions) == KILLS * CALLS
    tell(
        f"{KILLS} kills in bursts of {CALLS} promotions; {answered} were acknowledged before,"
        f" {kept} were stored and not acknowledged; 0 lost, 0 twice"
    )
