"""Services in Go promote and deploy through the generated stubs."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from shiplift.v1 import access_pb2, builds_pb2

from tests.harness import Shipliftd
from tests.patience import until
from tests.repository import COMMIT, Repository
from tests.runners import Fleet, is_running, pids
from tests.toolchains import ROOT, SECONDS, make, need, run

# Downloading and compiling the modules is part of the first test.
pytestmark = pytest.mark.timeout(SECONDS)


@pytest.fixture(scope="module")
def stubs() -> None:
    """The stubs that `make stubs LANG=go` has just made."""
    need("go")
    make("stubs", "LANG=go")


@pytest.fixture(scope="module")
def promote(stubs: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program of tests/interop/go/promote."""
    return built("promote", tmp_path_factory)


@pytest.fixture(scope="module")
def deploy(stubs: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program of tests/interop/go/deploy."""
    return built("deploy", tmp_path_factory)


def built(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program of tests/interop/go."""
    program = tmp_path_factory.mktemp("go") / name
    run(["go", "build", "-o", program, "."], ROOT / "tests" / "interop" / "go" / name)
    return program


def call(program: Path, server: Shipliftd, repo: str, token: str) -> subprocess.CompletedProcess[str]:
    """`promote ADDRESS OWNER REPO 1 production`."""
    return subprocess.run(
        [program, server.address, *repo.split("/"), "1", "production"],
        env={**os.environ, "SHIPLIFT_TOKEN": token},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_go_program_promotes(promote: Path, server: Shipliftd, repo: str) -> None:
    owner, name = repo.split("/")
    server.builds().CreateBuild(builds_pb2.CreateBuildRequest(owner=owner, repo=name, after=COMMIT))
    done = call(promote, server, repo, server.admin_token)
    assert (done.stdout, done.stderr, done.returncode) == (
        "build 2 to production: BUILD_STATUS_PENDING\n",
        "",
        0,
    )
    stored = server.builds().GetBuild(builds_pb2.GetBuildRequest(owner=owner, repo=name, build=2))
    assert stored.params == {"REGION": "eu"}


def test_a_go_program_is_told_why_not(promote: Path, server: Shipliftd, repo: str) -> None:
    owner, name = repo.split("/")
    server.builds().CreateBuild(builds_pb2.CreateBuildRequest(owner=owner, repo=name, after=COMMIT))
    token = server.user("go-reader", repo, access_pb2.ACCESS_LEVEL_READ)
    done = call(promote, server, repo, token)
    assert (done.stdout, done.stderr, done.returncode) == (
        "",
        f"PermissionDenied: PromoteBuild needs write on {repo}; go-reader has read: "
        "an admin of the repository can grant it\n",
        1,
    )


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
