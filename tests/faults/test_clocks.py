"""A clock that is set: what it costs, and what it does not."""

from pathlib import Path

import pytest
from shiplift.v1 import builds_pb2 as pb

from tests.support.commands import said
from tests.support.harness import Shipliftd
from tests.support.patience import until
from tests.support.repository import Repository
from tests.support.staged import Staged

FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
HOUR_MS = 3_600_000


@pytest.mark.skipif(FAKETIME is None, reason="libfaketime sets the clock (Debian: apt install libfaketime)")
def test_a_clock_that_is_set_back_by_an_hour_costs_nothing(tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+0")
    # Each process reads it anew; what measures spans goes on.
    environment = {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_RESET": "1",
    }
    with Shipliftd(tmp_path / "shiplift.db", environment=environment) as server:
        staged = Staged.of(Repository.make(server, "octocat", "app"))
        lease = staged.running()
        before = staged.repository.get(2)
        clock.write_text("-1h")

        def leased() -> int:
            return staged.runner.lease(lease.stage.id).expires.ToMilliseconds()

        # The lease ends a minute from now, not an hour and a minute: a runner that is lost will be missed.
        until(lambda: leased() < lease.expires.ToMilliseconds() - HOUR_MS // 2)
        assert (
            staged.runner.report(lease.stage.id, pb.BUILD_STATUS_SUCCESS).status == pb.BUILD_STATUS_SUCCESS
        )
        after = staged.repository.get(2)
        assert (after.status, after.version > before.version) == (pb.BUILD_STATUS_SUCCESS, True)
        assert after.created == before.created
        assert after.finished.ToMilliseconds() < before.created.ToMilliseconds() - HOUR_MS // 2
        # Numbers, not times, put builds in their order.
        assert staged.repository.promote(1).number == 3
        assert [build.number for build in staged.repository.page().builds] == [3, 2, 1]
    assert "3 builds" in said("check", "--database", server.database)
