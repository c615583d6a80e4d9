"""The systemd unit in docs/deployers: what systemd says of it, and that what it starts deploys."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

from shiplift.v1 import builds_pb2 as pb

from tests.support.cli import COMMAND
from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS
from tests.support.repository import Repository
from tests.support.runners import Fleet
from tests.support.toolchains import ROOT, need

UNIT = ROOT / "docs/deployers/shiplift-take@.service"
PAGE = (UNIT.parent / "systemd.md").read_text()
SHIPLIFT, DEPLOY = "/usr/local/bin/shiplift", "/usr/local/bin/deploy"


def settings(name: str) -> list[str]:
    """The values of a setting, which may stand several times."""
    lines = (line.partition("=") for line in UNIT.read_text().splitlines())
    return [value for found, _, value in lines if found == name]


def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    need("systemd-analyze")
    # It looks whether the programs are there.
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace(SHIPLIFT, sys.executable).replace(DEPLOY, "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=SECONDS
    )
    # It tells of the other units on this machine, too.
    found = [line for line in done.stderr.splitlines() if "shiplift" in line]
    assert (done.returncode, found) == (0, [])


def test_what_the_unit_starts_deploys_until_it_is_stopped(
    server: Shipliftd, repository: Repository, tmp_path: Path
) -> None:
    repository.record(status=pb.BUILD_STATUS_SUCCESS)
    fleet = Fleet.make(server, repository, tmp_path)
    deploy = tmp_path / "deploy"
    deploy.write_text('#!/bin/sh\necho "$DRONE_DEPLOY_TO in $HOME"\n')
    deploy.chmod(0o700)
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "token").write_text(fleet.runner.token)
    (load,) = settings("LoadCredential")
    assert load == "token:/etc/shiplift/%i.token"

    def filled(value: str) -> str:
        for name, to in (("%i", "staging"), ("%d", str(tmp_path / "credentials")), ("%S", str(tmp_path))):
            value = value.replace(name, to)
        return value

    (line,) = settings("ExecStart")
    program, *arguments = shlex.split(filled(line).replace(DEPLOY, str(deploy)))
    assert program == SHIPLIFT
    variables = dict(filled(each).split("=", 1) for each in settings("Environment"))
    build = repository.promote(1, "staging").number
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        # What the file named by EnvironmentFile says, as the page has it written.
        env={"PATH": os.environ["PATH"], "SHIPLIFT_SERVER": server.address, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert fleet.ended(build).status == pb.BUILD_STATUS_SUCCESS
        process.terminate()
        out, _ = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    assert (process.returncode, out) == (0, f"staging in {tmp_path}/shiplift-take/staging\n")
    assert fleet.log(build, 1) == [out]


def test_the_page_names_the_files_of_the_unit() -> None:
    (load,), (file,) = settings("LoadCredential"), settings("EnvironmentFile")
    named = (file, load.partition(":")[2].replace("%i", "staging"), SHIPLIFT, DEPLOY, UNIT.name)
    assert [each for each in named if each not in PAGE] == []
