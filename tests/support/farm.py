"""Many local runners at once, and a pipeline whose stages note when they ran."""

import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from shiplift.v1 import builds_pb2 as pb

from tests.support.faults import column
from tests.support.patience import SECONDS
from tests.support.runners import HEAD, Fleet
from tests.support.staged import lose

RUNNERS = 8
LIMIT = 2


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
