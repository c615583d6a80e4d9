"""A service in Go deploys through the generated stubs."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from shiplift.v1 import builds_pb2

from tests.support import strangers
from tests.support.harness import Shipliftd
from tests.support.patience import until
from tests.support.repository import Repository
from tests.support.runners import Fleet, is_running, pids
from tests.support.toolchains import SECONDS

# Downloading and compiling the modules is part of the first test.
pytestmark = pytest.mark.timeout(SECONDS)


@pytest.fixture(scope="module")
def deploy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program of tests/interop/go/deploy."""
    return strangers.go("deploy", tmp_path_factory.mktemp("go"))


def test_a_go_program_deploys(
    deploy: Path, server: Shipliftd, repository: Repository, tmp_path: Path
) -> None:
    fleet = Fleet.make(server, repository, tmp_path)
    repository.record()
    command = f'echo "$DRONE_DEPLOY_TO $REGION" >> {tmp_path}/said; exit "$CODE"'
    builds = [repository.promote(1, params={"REGION": "a b", "CODE": code}).number for code in ("0", "7")]
    with deploying(deploy, fleet, "sh", "-c", command):
        ended = [fleet.ended(build) for build in builds]
    assert (tmp_path / "said").read_text() == "production a b\n" * 2
    assert [build.status for build in ended] == [
        builds_pb2.BUILD_STATUS_SUCCESS,
        builds_pb2.BUILD_STATUS_FAILURE,
    ]
    assert (ended[1].stages[0].exit_code, ended[1].stages[0].error) == (7, "exit status 7")


def test_a_go_program_that_deploys_is_told_of_a_cancel(
    deploy: Path, server: Shipliftd, repository: Repository, tmp_path: Path
) -> None:
    fleet = Fleet.make(server, repository, tmp_path)
    repository.record()
    build = repository.promote(1).number
    with deploying(deploy, fleet, "sh", "-c", f"sleep 600 & echo $! > {tmp_path}/a.pid; wait"):
        started = pids(tmp_path, 1)
        assert fleet.person.run("cancel", str(build)).code == 0
        until(lambda: not any(map(is_running, started)), 2)


@contextmanager
def deploying(program: Path, fleet: Fleet, *command: str) -> Iterator[None]:
    """`deploy ADDRESS production COMMAND...`, until the end of the block."""
    process = subprocess.Popen(
        [program, fleet.runner.server, "production", *command],
        env={**os.environ, "SHIPLIFT_TOKEN": fleet.runner.token},
    )
    try:
        yield
    finally:
        process.kill()
        process.wait(timeout=60)
