"""A repository with a pipeline, and local runners for it: real processes on a real server."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shiplift import Client
from shiplift.runner.taking import this_platform
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb

from tests.support.cli import Cli, Said
from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS, until
from tests.support.repository import Repository

_SYSTEM, _ARCHITECTURE = this_platform()
HEAD = f"""\
kind: pipeline
type: exec
name: default
platform: {{os: {_SYSTEM}, arch: {_ARCHITECTURE}}}
"""


def pipeline(steps: str, head: str = HEAD) -> str:
    """A pipeline file for this machine, of these steps."""
    return f"{head}steps:\n{steps}"


@dataclass
class Fleet:
    """A repository, and runners whose token is for it alone."""

    repository: Repository
    runner: Cli
    person: Cli

    @classmethod
    def make(cls, server: Shipliftd, repository: Repository, folder: Path) -> "Fleet":
        """Makes the runners' user and token."""
        token = server.user(
            f"runner-{repository.name}",
            repository.slug,
            access_pb2.ACCESS_LEVEL_WRITE,
            actions=[access_pb2.TOKEN_ACTION_RUN],
            repositories=[repository.slug],
        )
        return cls(
            repository,
            Cli(folder, server.address, token),
            Cli(folder, server.address, server.admin_token, repository.slug),
        )

    def promote(self, steps: str, head: str = HEAD, **params: str) -> int:
        """Records a build with a pipeline and promotes it; the promotion's number."""
        recorded = self.repository.record(
            pipeline=pipeline(steps, head), event=pb.BUILD_EVENT_PUSH, status=pb.BUILD_STATUS_SUCCESS
        )
        return self.repository.promote(recorded.number, params=params).number

    def once(self, *arguments: str) -> Said:
        """Runs a runner until it has done a stage."""
        return self.runner.run("runner", "--once", "--name", "here", *arguments)

    @contextmanager
    def running(self, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
        """A runner, until the end of the block."""
        process = self.runner.start("runner", "--name", "here", *arguments)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
            process.communicate(timeout=SECONDS)

    def ended(self, build: int, seconds: float = SECONDS) -> pb.Build:
        """The build, once it has ended."""

        def look() -> pb.Build | None:
            found = self.repository.get(build)
            return found if found.HasField("finished") else None

        return until(look, seconds)

    def log(self, build: int, step: int, stage: int = 1) -> list[str]:
        """The lines of a step's log."""
        owner, name = self.repository.owner, self.repository.name
        with Client(self.person.server, self.person.token) as client:
            found = client.tail_log(owner=owner, repo=name, build=build, stage=stage, step=step)
            return [line.text for some in found for line in some.lines]


def statuses(build: pb.Build) -> dict[str, str]:
    """How each step ended, by name."""
    return {
        step.name: pb.BuildStatus.Name(step.status).removeprefix("BUILD_STATUS_").lower()
        for stage in build.stages
        for step in stage.steps
    }


def is_running(pid: int) -> bool:
    """Whether a process is there, and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def pids(folder: Path, count: int) -> list[int]:
    """The process ids that steps have written to files, once all are there."""
    until(lambda: len(list(folder.glob("*.pid"))) == count)
    return [int(until(path.read_text)) for path in sorted(folder.glob("*.pid"))]


def counting(folder: Path) -> str:
    """A step that prints 0, 1, 2 ... until a file `go` is there; `count` has a byte for each."""
    body = f"echo $n; printf x >> {folder}/count; n=$((n + 1)); sleep 0.05"
    return f"- {{name: only, commands: ['n=0; while [ ! -e {folder}/go ]; do {body}; done']}}\n"


def waiting_for(path: Path) -> str:
    """A command that waits until a file is there."""
    return f"while [ ! -e {path} ]; do sleep 0.05; done"
