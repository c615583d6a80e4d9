"""A clock that is set: what it costs, and what it does not."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from shiplift.v1 import builds_pb2 as pb
from shiplift.v1 import stages_pb2

from tests.faults.conftest import Tell
from tests.support import postgres
from tests.support.commands import checked
from tests.support.faults import form, rows
from tests.support.harness import Shipliftd
from tests.support.patience import until
from tests.support.repository import Repository
from tests.support.staged import RUNNING, SUCCESS, Staged

FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
HOUR_MS = 3_600_000
# By how many hours the clock is wrong, one after the other.
HOURS = form((0, 1, 0, -1), (0, 1, 0, -1, 1, -1, 24, -24) * 5)

pytestmark = pytest.mark.skipif(
    FAKETIME is None, reason="libfaketime sets the clock (Debian: apt install libfaketime)"
)


class Clock:
    """What a server takes for the time; what measures spans goes on."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.set(0)
        # Each process reads the file anew.
        self.environment = {
            "LD_PRELOAD": str(FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_RESET": "1",
        }

    def set(self, hours: int) -> None:
        """Sets it to be wrong by so many hours."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{hours:+}h")
        new.replace(self._file)


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    """A clock that is right, for now."""
    return Clock(tmp_path)


@pytest.fixture
def staged(database: Path, clock: Clock) -> Iterator[Staged]:
    """A repository of a server that has this clock, and a runner."""
    with Shipliftd(database, environment=clock.environment) as server:
        yield Staged.of(Repository.make(server, "octocat", "app"))
    builds = rows(database, "SELECT count(*) FROM builds")[0][0]
    whole = f"{database}: ok, 1 repositories, {builds} builds, 2 users\n"
    assert checked(server.store) == ("ok\n" if postgres.is_in_use() else whole)


def assert_forward(times: Iterable[tuple[str, int]]) -> None:
    """Those of the moments that are set do not go back."""
    told = [(name, at) for name, at in times if at]
    assert all(before[1] <= after[1] for before, after in pairwise(told)), told


def assert_no_span_is_negative(build: pb.Build) -> None:
    """Nothing of a build begins before it was made, or ends before it began."""

    def moments(what: pb.Build | pb.Stage | pb.Step, *names: str) -> Iterator[tuple[str, int]]:
        return ((name, getattr(what, name).ToMilliseconds()) for name in names)

    assert_forward(moments(build, "created", "started", "finished"))
    for stage in build.stages:
        assert_forward(moments(stage, "created", "started", "stopped"))
        for step in stage.steps:
            assert_forward(moments(step, "started", "stopped"))


def expires(staged: Staged, stage: int) -> int:
    """When the lease of a stage ends; 0 once it has no more."""
    database = staged.repository.server.database
    return int(rows(database, f"SELECT lease_expires FROM stages WHERE id = {stage}")[0][0])


def wait_until_moved(staged: Staged, stage: int, ended: int, hours: int) -> None:
    """Waits until a lease has moved with the clock, or a lost runner would not be missed; or ended."""
    until(lambda: abs(expires(staged, stage) - ended) > hours * HOUR_MS / 2)


def test_a_clock_that_is_set_forth_and_back_costs_no_lease_and_no_span_is_negative(
    staged: Staged, clock: Clock, tell: Tell
) -> None:
    repository, runner = staged.repository, staged.runner
    leases = [staged.running()]
    steps = [stages_pb2.StepReport(number=1, name="only", status=RUNNING)]
    runner.report(leases[0].stage.id, RUNNING, steps=steps)
    for before, after in pairwise(HOURS):
        left = [expires(staged, lease.stage.id) for lease in leases]
        clock.set(after)
        for lease, ended in zip(leases, left, strict=True):
            wait_until_moved(staged, lease.stage.id, ended, abs(after - before))
        statuses = [repository.get(lease.build.number).status for lease in leases]
        assert statuses == [RUNNING] * len(leases)
        leases.append(staged.running())
    for lease in leases:
        assert runner.report(lease.stage.id, SUCCESS).status == SUCCESS
        build = repository.get(lease.build.number)
        assert build.status == SUCCESS
        assert_no_span_is_negative(build)
    tell(f"set {len(HOURS) - 1} times with up to {len(leases)} leases; 0 lost")


def test_a_build_ends_in_every_way_after_the_clock_was_set_back(staged: Staged, clock: Clock) -> None:
    repository = staged.repository
    taken, reported, cancelled = staged.promoted(), repository.record(), repository.promote(1)
    named = {"owner": repository.owner, "repo": repository.name, "build": cancelled.number}
    running, begun = staged.running(), staged.running()
    clock.set(-1)
    lease = staged.runner.accept(taken.stages[0].id)
    staged.runner.report(lease.stage.id, RUNNING)
    for stage in (lease.stage, running.stage):
        assert staged.runner.report(stage.id, SUCCESS).status == SUCCESS
    repository.report(reported.number, RUNNING)
    repository.report(reported.number, SUCCESS)
    repository.builds.CancelBuild(pb.CancelBuildRequest(**named))  # type: ignore[arg-type]
    repository.report(begun.build.number, pb.BUILD_STATUS_FAILURE)
    builds = [
        repository.get(number)
        for number in (
            *(taken.number, running.build.number, reported.number),
            *(cancelled.number, begun.build.number),
        )
    ]
    killed, failure = pb.BUILD_STATUS_KILLED, pb.BUILD_STATUS_FAILURE
    assert [build.status for build in builds] == [SUCCESS, SUCCESS, SUCCESS, killed, failure]
    for build in builds:
        assert_no_span_is_negative(build)
    # Numbers, not times, put builds in their order.
    listed = [build.number for build in repository.page().builds]
    assert listed == sorted(listed, reverse=True)
    assert repository.promote(1).number == listed[0] + 1
