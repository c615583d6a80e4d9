"""A service in Go promotes through the generated stubs."""

import os
import subprocess
from pathlib import Path

import pytest
from shiplift.v1 import access_pb2, builds_pb2

from tests.harness import Shipliftd
from tests.toolchains import ROOT, SECONDS, make, need, run

# Downloading and compiling the modules is part of the first test.
pytestmark = pytest.mark.timeout(SECONDS)


@pytest.fixture(scope="module")
def promote(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program of tests/interop/go/promote, built on stubs that `make stubs LANG=go` has just made."""
    need("go")
    make("stubs", "LANG=go")
    program = tmp_path_factory.mktemp("go") / "promote"
    run(["go", "build", "-o", program, "."], ROOT / "tests" / "interop" / "go" / "promote")
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
    server.builds().CreateBuild(builds_pb2.CreateBuildRequest(owner=owner, repo=name))
    done = call(promote, server, repo, server.admin_token)
    assert (done.stdout, done.stderr, done.returncode) == ("build 2 to production: STATUS_PENDING\n", "", 0)
    stored = server.builds().GetBuild(builds_pb2.GetBuildRequest(owner=owner, repo=name, build=2))
    assert stored.params == {"REGION": "eu"}


def test_a_go_program_is_told_why_not(promote: Path, server: Shipliftd, repo: str) -> None:
    owner, name = repo.split("/")
    server.builds().CreateBuild(builds_pb2.CreateBuildRequest(owner=owner, repo=name))
    token = server.user("go-reader", repo, access_pb2.LEVEL_READ)
    done = call(promote, server, repo, token)
    assert (done.stdout, done.stderr, done.returncode) == (
        "",
        f"PermissionDenied: PromoteBuild needs write on {repo}; go-reader has read: "
        "an admin of the repository can grant it\n",
        1,
    )
