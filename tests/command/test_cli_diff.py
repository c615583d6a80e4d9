"""`shiplift diff`, and where else people see what a promotion changes."""

from pathlib import Path

import pytest
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb

from tests.support.cli import Cli
from tests.support.gated import Gated
from tests.support.repository import Repository

A, B = "a" * 40, "b" * 40


@pytest.fixture
def gated(repository: Repository) -> Gated:
    """v1 is in production, v2 is recorded, and production wants an approval by now."""
    found = Gated.caller_of(repository)
    found.released(after=A, release="v1", params={"REGION": "eu"})
    found.delivered(1)
    found.released(
        after=B, release="v2", message="Say hello\n\nbody", author_name="Mona", params={"SIZE": "s"}
    )
    found.declare(required_approvals=1)
    return found


@pytest.fixture
def cli(gated: Gated, tmp_path: Path) -> Cli:
    """The command, as the admin."""
    return Cli(tmp_path, gated.server.address, gated.server.admin_token, gated.slug)


SHOWN = """\
environment  production
there now    v1, build 2, aaaaaaaa
would come   v2, build {}, bbbbbbbb
builds       1, newest first:

RELEASE  BUILD  COMMIT    AUTHOR  MESSAGE
v2       3      bbbbbbbb  Mona    Say hello

CHANGES    NAME    THERE NOW  WOULD COME
parameter  REGION  eu         -
parameter  SIZE    s          -
"""


def test_what_would_change_is_shown_release_first(cli: Cli, gated: Gated) -> None:
    size = SHOWN.format(3).replace("s          -", "-          m")
    assert cli.run("diff", "v2", "production", "-p", "SIZE=m") == (0, size, "v2 is build 3, bbbbbbbb\n")
    assert cli.run("diff", "3", "production", "-o", "name").out == "3\n"
    found = cli.run("diff", "3", "production", "--json=params,is_backwards").json()
    assert found == {
        "params": [
            {"name": "REGION", "before": "eu", "masked": False},
            {"name": "SIZE", "after": "s", "masked": False},
        ],
        "is_backwards": False,
    }
    told = "--param goes with an ENVIRONMENT: a promotion has its parameters already"
    assert cli.run("diff", "2", "-p", "A=1") == (2, "", f"shiplift: {told}\n")


def test_who_approves_is_told_what_changes(cli: Cli, gated: Gated) -> None:
    number = gated.promote(3).number
    shown = SHOWN.format(number).replace("s          -", "-          s")
    assert cli.run("diff", str(number)).out == shown
    assert cli.run("show", str(number)).out.endswith(f"\n\n{shown}")
    assert "there now" not in cli.run("show", "2").out
    second = gated.of(f"second-{gated.name}", access_pb2.ACCESS_LEVEL_ADMIN)
    mona = Cli(cli.home, gated.server.address, second.token or "", gated.slug)
    said = mona.run("approve", str(number))
    told = f"In production is v1, build 2, aaaaaaaa; in its place v2, build {number}, bbbbbbbb"
    assert (said.code, said.err) == (0, f"{told}: brings 1 build, changes 2 parameters\n")
    gated.report(number, pb.BUILD_STATUS_SUCCESS)
    there = cli.run("explain", "1", "production").out.splitlines()[1]
    told = f"In production is v2, build {number}, bbbbbbbb; in its place v1, build 1, aaaaaaaa"
    assert there == f"{told}: takes out 1 build, changes 2 parameters"
