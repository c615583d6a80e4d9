"""WaitBuild: who waits for a build is told when it moves."""

import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import pytest
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as api
from shipliftd.api.services import Context, patience

from tests.support import probe
from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS, before_deadline, within
from tests.support.refusals import invalid, refusal
from tests.support.repository import Repository
from tests.support.staged import AT_ONCE, FAILURE, PENDING, RUNNING, SUCCESS, Staged, lose, stored
from tests.support.waiting import asking, waiting

# Of a change: on a machine that does nothing else it is some milliseconds.
NEVER = 2**31 - 1


@pytest.fixture
def staged(repository: Repository) -> Staged:
    """A repository of the test's own with its runner."""
    return Staged.of(repository)


def wait(
    repository: Repository, build: int, seen_version: int = 0, timeout: float | None = AT_ONCE
) -> api.Build:
    """WaitBuild; with the timeout that is usual here whatever answers, answers at once."""
    request = asking(repository, build, seen_version)
    if timeout is None:
        return repository.builds.WaitBuild(request)
    return before_deadline(lambda left: repository.builds.WaitBuild(request, timeout=left), timeout)


def test_what_is_newer_than_what_was_seen_is_answered_at_once(repository: Repository) -> None:
    repository.record(status=PENDING)
    with within(0.5):
        assert wait(repository, 1, timeout=SECONDS) == repository.get(1)
    moved = repository.report(1, RUNNING)
    assert moved.version == 2
    with within(0.5):
        assert wait(repository, 1, 1, timeout=SECONDS) == moved


def test_what_has_ended_or_is_blocked_is_answered_at_once(repository: Repository) -> None:
    ended = repository.record(status=SUCCESS)
    with within(0.5):
        assert wait(repository, 1, NEVER, timeout=SECONDS) == ended
    blocked = repository.record(status=PENDING)
    stored(repository.server, "UPDATE builds SET status = 'blocked' WHERE id = ?", blocked.id)
    with within(0.5):
        found = wait(repository, 2, blocked.version, timeout=SECONDS)
    assert found.status == api.BUILD_STATUS_BLOCKED


@pytest.mark.parametrize("how", ["report", "cancel", "taken", "stage", "lost"])
def test_who_waits_is_told_within_a_second_however_the_build_moves(staged: Staged, how: str) -> None:
    repository, runner = staged.repository, staged.runner
    build = staged.promoted()
    stage = build.stages[0].id
    if how in ("stage", "lost"):
        runner.accept(stage)
        build = repository.get(build.number)
        runner.report(stage, RUNNING)
        build = repository.get(build.number)
    ways: dict[str, Callable[[], object]] = {
        "report": lambda: repository.report(build.number, RUNNING),
        "cancel": lambda: repository.builds.CancelBuild(
            api.CancelBuildRequest(owner=repository.owner, repo=repository.name, build=build.number)
        ),
        "taken": lambda: (runner.accept(stage), runner.report(stage, RUNNING)),
        "stage": lambda: runner.report(stage, FAILURE),
        "lost": lambda: lose(repository.server, stage),
    }
    future = waiting(repository, build.number, build.version)
    ways[how]()
    if how != "lost":
        with within(0.5):
            assert future.result().version == build.version + 1
    # The server looks for lost runners each second.
    assert future.result() == repository.get(build.number)
    assert future.result().version > build.version


def test_who_waits_for_the_end_alone_is_told_of_it_alone(staged: Staged) -> None:
    build = staged.promoted()
    future = waiting(staged.repository, build.number, NEVER)
    staged.runner.accept(build.stages[0].id)
    staged.runner.report(build.stages[0].id, RUNNING)
    assert not future.done()
    staged.runner.report(build.stages[0].id, SUCCESS)
    with within(0.5):
        assert future.result().status == SUCCESS


def test_what_stages_do_is_no_change_of_the_build(staged: Staged) -> None:
    lease = staged.running()
    build = staged.repository.get(2)
    staged.runner.report(lease.stage.id, message="half of it")
    after = staged.repository.get(2)
    assert (after.version, after.stages[0].message) == (build.version, "half of it")
    assert wait(staged.repository, 2, build.version) == after


def test_a_change_that_nobody_told_of_is_seen_all_the_same(repository: Repository) -> None:
    build = repository.record(status=PENDING)
    future = waiting(repository, 1, build.version)
    stored(repository.server, "UPDATE builds SET version = version + 1 WHERE id = ?", build.id)
    assert future.result().version == build.version + 1


def test_before_the_deadline_the_build_is_returned_as_it_stands(repository: Repository) -> None:
    build = repository.record(status=PENDING)
    assert wait(repository, 1, build.version, timeout=2.0) == build


@dataclass
class Deadline:
    """What a call has left, as gRPC tells it."""

    left: float | None

    def time_remaining(self) -> float | None:
        return self.left


def test_a_deadline_that_was_rounded_up_on_the_wire_is_met() -> None:
    # A Python caller's 120 s were 121 on the wire, its 10,001 s 10,100: up to a hundredth more.
    told = {2.0: 0.98, 10.0: 8.9, 121.0: 118.79, 10_100.0: 9_998.0}
    found = {left: patience(cast(Context, Deadline(left))) for left in told}
    assert found == {left: pytest.approx(seconds) for left, seconds in told.items()}
    assert patience(cast(Context, Deadline(None))) == 30


def test_faults_are_told_together(repository: Repository) -> None:
    assert refusal(wait, repository, 0, -1) == invalid(
        ("build", "is 0: wanted 1 or above"), ("seen_version", "is -1: wanted 0 or above")
    )
    assert refusal(wait, repository, 9).reason == "BUILD_NOT_FOUND"
    stranger = repository.of(f"stranger-{repository.name}")
    assert refusal(wait, stranger, 1).reason == "REPOSITORY_NOT_FOUND"


def test_who_waits_is_sent_away_with_their_access(repository: Repository) -> None:
    build = repository.record(status=PENDING)
    login = f"reader-{repository.name}"
    reader = repository.of(login, access_pb2.ACCESS_LEVEL_READ)
    future = waiting(reader, 1, build.version)
    repository.server.access().RevokeAccess(
        access_pb2.RevokeAccessRequest(owner=repository.owner, repo=repository.name, login=login)
    )
    with within(0.5):
        assert refusal(future.result).reason == "REPOSITORY_NOT_FOUND"


def test_who_waits_is_answered_when_the_server_stops(own_server: Shipliftd) -> None:
    repository = Repository.make(own_server, "octocat", "app")
    build = repository.record(status=PENDING)
    futures = [waiting(repository, 1, build.version) for _ in range(8)]
    own_server.process.send_signal(signal.SIGTERM)
    assert [future.result() for future in futures] == [build] * 8
    assert own_server.stop() == 0


def test_two_hundred_who_wait_cost_others_little(own_server: Shipliftd) -> None:
    staged = Staged.of(Repository.make(own_server, "octocat", "app"))
    repository = staged.repository
    lease = staged.running()
    version = repository.get(2).version
    others = [Repository(own_server, "octocat", "app") for _ in range(8)]
    futures = [
        other.builds.WaitBuild.future(asking(other, 2, version), timeout=SECONDS)
        for _ in range(25)
        for other in others
    ]
    for other in others:
        other.get(2)

    def busy() -> list[api.Build]:
        # Each of these wakes all of them for nothing.
        for n in range(20):
            staged.runner.report(lease.stage.id, message=str(n))
        assert not any(future.done() for future in futures)
        staged.runner.report(lease.stage.id, SUCCESS)
        with within(0.5):
            return [future.result() for future in futures]

    assert probe.harmless(repository, busy) == [repository.get(2)] * 200
