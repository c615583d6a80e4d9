"""Many local runners at once, runners that die, and a server that is away while a stage runs."""

import random
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pytest
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb

from tests.faults.conftest import Tell
from tests.support.faults import LONG, column, form
from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS, until
from tests.support.repository import Repository
from tests.support.runners import HEAD, Fleet
from tests.support.staged import lose

PROMOTIONS = form(20, 200)
RUNNERS = 8
LIMIT = 2
DOWN_SECONDS = form(2, 120)
# After this long nobody holds a lease that nobody keeps.
LEASE_SECONDS = 60


def diamond(journal: Path, seconds: float) -> str:
    """Two stages beside each other, and one of a limit that waits for both; each notes when it ran."""

    def stage(name: str, more: str) -> str:
        note = f'echo "$DRONE_BUILD_NUMBER {name} $(date +%s.%N)" >> {journal}'
        return (
            f"{HEAD.replace('default', name)}{more}"
            f"steps:\n- name: only\n  commands:\n  - {note}\n  - sleep {seconds}\n  - {note}\n"
        )

    waits = f"depends_on: [left, right]\nconcurrency: {{limit: {LIMIT}}}\n"
    return "---\n".join([stage("left", ""), stage("right", ""), stage("join", waits)])


class Ran(NamedTuple):
    """A stage that ran to its end."""

    began: float
    ended: float


def journal_of(path: Path) -> dict[tuple[int, str], list[float]]:
    """When each stage noted something, by build and name."""
    noted: dict[tuple[int, str], list[float]] = {}
    for line in path.read_text().splitlines():
        build, stage, at = line.split()
        noted.setdefault((int(build), stage), []).append(float(at))
    return noted


def most_at_once(runs: list[Ran]) -> int:
    """How many of them ran at the same time, at the most."""
    moments = sorted([(run.began, 1) for run in runs] + [(run.ended, -1) for run in runs])
    most = now = 0
    for _, change in moments:
        now += change
        most = max(most, now)
    return most


@dataclass
class Farm:
    """Runners of one repository; one that dies is replaced."""

    fleet: Fleet
    runners: "list[subprocess.Popen[str]]"
    started: int = 0
    killed: list[str] = field(default_factory=list)

    def start(self) -> None:
        """Starts one more."""
        self.started += 1
        self.runners.append(self.fleet.runner.start("runner", "--name", f"runner-{self.started}"))

    def kill_one(self, moment: random.Random) -> bool:
        """Kills one of them, one that runs a stage where there is one, and starts another.

        Returns whether it ran one, as far as that can be seen from here.
        """
        busy = {
            stage.machine
            for listed in self.fleet.repository.page(statuses=[pb.BUILD_STATUS_RUNNING]).builds
            for stage in self.fleet.repository.get(listed.number).stages
            if stage.status == pb.BUILD_STATUS_RUNNING
        }
        at_work = [runner for runner in self.runners if name_of(runner) in busy]
        victim = moment.choice(at_work or self.runners)
        self.runners.remove(victim)
        victim.kill()
        victim.communicate(timeout=SECONDS)
        self.killed.append(name_of(victim))
        self.start()
        return bool(at_work)

    def lose_killed(self) -> None:
        """Ends the leases of those that were killed, which end by themselves in a minute."""
        server = self.fleet.repository.server
        machines = ", ".join(f"'{name}'" for name in self.killed)
        left = f"SELECT id FROM stages WHERE lease_expires > 0 AND machine IN ({machines})"
        lose(server, *column(server.database, left))


def name_of(runner: "subprocess.Popen[str]") -> str:
    """What a runner is called."""
    assert isinstance(runner.args, list)
    return str(runner.args[-1])


@contextmanager
def farm(fleet: Fleet) -> Iterator[Farm]:
    """Runners, until the end of the block."""
    made = Farm(fleet, [])
    try:
        for _ in range(RUNNERS):
            made.start()
        yield made
    finally:
        for runner in made.runners:
            runner.terminate()
        for runner in made.runners:
            runner.communicate(timeout=SECONDS)


def promote_all(fleet: Fleet, pipeline: str, count: int) -> list[int]:
    """Promotes a build so often, each time to an environment of its own."""
    recorded = fleet.repository.record(pipeline=pipeline, status=pb.BUILD_STATUS_SUCCESS)
    return [fleet.repository.promote(recorded.number, f"env-{n}").number for n in range(count)]


@pytest.fixture
def fleet(own_server: Shipliftd, tmp_path: Path) -> Fleet:
    """A repository of a server of the test's own."""
    request = access_pb2.CreateRepositoryRequest(owner="octocat", repo="app")
    own_server.access().CreateRepository(request)
    return Fleet.make(own_server, Repository(own_server, "octocat", "app"), tmp_path)


@pytest.mark.timeout(900)
def test_every_stage_runs_once_in_order_and_within_its_limit(
    fleet: Fleet, tmp_path: Path, tell: Tell
) -> None:
    journal = tmp_path / "journal"
    with farm(fleet):
        builds = promote_all(fleet, diamond(journal, 0.05), PROMOTIONS)
        ended = [fleet.ended(build, 600) for build in builds]
    assert Counter(build.status for build in ended) == {pb.BUILD_STATUS_SUCCESS: PROMOTIONS}
    noted = journal_of(journal)
    assert noted.keys() == {(build, name) for build in builds for name in ("left", "right", "join")}
    assert {len(moments) for moments in noted.values()} == {2}
    runs = {key: Ran(*moments) for key, moments in noted.items()}
    for build in builds:
        assert runs[build, "join"].began >= max(runs[build, "left"].ended, runs[build, "right"].ended)
    assert most_at_once([run for (_, name), run in runs.items() if name == "join"]) <= LIMIT
    assert most_at_once(list(runs.values())) <= RUNNERS
    tell(f"{len(runs)} stages by {RUNNERS} runners; 0 lost, 0 twice")


@pytest.mark.timeout(900)
def test_a_runner_that_is_killed_costs_its_stage_and_no_stage_runs_twice(
    fleet: Fleet, tmp_path: Path, tell: Tell
) -> None:
    journal = tmp_path / "journal"
    journal.touch()
    # Seeded: a failure can be had again, as far as the machine's timing allows.
    moment = random.Random(7)
    over = threading.Event()
    hits: list[bool] = []
    with farm(fleet) as runners:
        builds = promote_all(fleet, diamond(journal, 0.3), PROMOTIONS)

        def kill() -> None:
            while not over.wait(0.5):
                hits.append(runners.kill_one(moment))

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            until(lambda: len(journal_of(journal)) >= PROMOTIONS and any(hits), 300)
        finally:
            over.set()
            killer.join()
        if not LONG:
            runners.lose_killed()
        ended = [fleet.ended(build, LEASE_SECONDS + 400) for build in builds]
    noted = journal_of(journal)
    # Once begun, and once ended where nobody killed it.
    assert max(len(moments) for moments in noted.values()) <= 2
    lost = {
        (build.number, stage.name): stage.error
        for build in ended
        for stage in build.stages
        if stage.status == pb.BUILD_STATUS_ERROR
    }
    assert lost
    assert all("runner lost: nothing was heard of runner-" in error for error in lost.values())
    unfinished = {key for key, moments in noted.items() if len(moments) == 1}
    assert unfinished <= lost.keys()
    failed = {build for build, _ in lost}
    for build in ended:
        expected = pb.BUILD_STATUS_ERROR if build.number in failed else pb.BUILD_STATUS_SUCCESS
        assert (build.number, build.status) == (build.number, expected)
    tell(f"{len(runners.killed)} runners killed; {len(lost)} of {len(noted)} stages lost; 0 ran twice")


@pytest.mark.timeout(900)
def test_a_server_that_is_away_loses_nothing_of_a_stage_that_runs(
    database: Path, tmp_path: Path, tell: Tell
) -> None:
    ready = tmp_path / "ready"
    server = Shipliftd(database).start()
    request = access_pb2.CreateRepositoryRequest(owner="octocat", repo="app")
    server.access().CreateRepository(request)
    fleet = Fleet.make(server, Repository(server, "octocat", "app"), tmp_path)
    steps = f"""\
- name: count
  commands:
  - 'n=0; while [ ! -e {ready} ]; do echo $n; n=$((n + 1)); sleep 0.05; done; echo $n'
"""
    with fleet.running():
        number = fleet.promote(steps)
        until(lambda: any(stage.steps for stage in fleet.repository.get(number).stages))
        until(lambda: fleet.log(number, 1))
        assert server.stop() == 0
        time.sleep(DOWN_SECONDS)
        # The same address again, where the runner looks for it.
        with Shipliftd(database, listen=server.address) as back:
            repository = Repository(back, "octocat", "app")
            assert repository.get(number).status == pb.BUILD_STATUS_RUNNING
            ready.touch()
            build = until(lambda: found if (found := repository.get(number)).HasField("finished") else None)
            lines = Fleet(repository, fleet.runner, fleet.person).log(number, 1)
    assert build.status == pb.BUILD_STATUS_SUCCESS
    counted = [line for line in lines if not line.startswith("+ ")]
    assert counted == [f"{n}\n" for n in range(len(counted))]
    assert len(counted) > DOWN_SECONDS
    tell(f"{DOWN_SECONDS} s away; 0 of {len(counted)} lines of the log lost")
