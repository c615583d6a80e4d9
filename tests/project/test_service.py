"""The systemd unit of the server: what systemd says of it, and that what it starts serves and stops."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from shipliftd.settings import Settings

from tests.support.commands import command
from tests.support.patience import SECONDS
from tests.support.toolchains import ROOT, need

UNIT = ROOT / "docs/shipliftd.service"
PAGE = (ROOT / "docs/operating.md").read_text()
PROGRAM = "/usr/local/bin/shipliftd"
# Out of 100; what is left is the network, its own processes and /proc.
MOST_EXPOSED = 15


def settings(name: str) -> list[str]:
    """The values of a setting, which may stand several times."""
    lines = (line.partition("=") for line in UNIT.read_text().splitlines())
    return [value for found, _, value in lines if found == name]


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit, of a program that is on this machine."""
    copied = tmp_path / UNIT.name
    copied.write_text(UNIT.read_text().replace(PROGRAM, sys.executable))
    return copied


def analyze(*words: str | Path) -> tuple[int, str]:
    """What `systemd-analyze` ends with and says of our unit; it tells of others on this machine, too."""
    need("systemd-analyze")
    done = subprocess.run(
        ["systemd-analyze", *words], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    return done.returncode, "\n".join(line for line in done.stderr.splitlines() if "shiplift" in line)


def test_systemd_finds_nothing_wrong(unit: Path) -> None:
    assert analyze("verify", unit) == (0, "")


def test_systemd_finds_something_wrong_where_something_is(unit: Path) -> None:
    unit.write_text(unit.read_text().replace("ProtectSystem=strict", "ProtectSystem=most"))
    _, said = analyze("verify", unit)
    assert "most" in said


def test_the_service_is_exposed_to_little(unit: Path) -> None:
    asked = ("security", "--offline=yes", "--no-pager")
    assert analyze(*asked, f"--threshold={MOST_EXPOSED}", unit) == (0, "")
    unit.write_text(re.sub("^SystemCallFilter=.*\n", "", unit.read_text(), flags=re.MULTILINE))
    assert analyze(*asked, f"--threshold={MOST_EXPOSED}", unit)[0] == 1


def test_what_the_unit_starts_serves_and_stops_in_its_time(tmp_path: Path) -> None:
    (line,) = settings("ExecStart")
    program, *arguments = shlex.split(line)
    assert program == PROGRAM
    (environment,) = settings("Environment")
    name, _, value = environment.partition("=")
    (folder,) = settings("StateDirectory")
    (tmp_path / folder).mkdir()
    process = subprocess.Popen(
        command(*arguments),
        env={
            "PATH": os.environ["PATH"],
            "SHIPLIFTD_LISTEN": "127.0.0.1:0",
            name: value.replace("%S", str(tmp_path)),
        },
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        assert any('"event": "listening"' in said for said in process.stderr)
        token = (tmp_path / "shiplift/shiplift.db.admin-token").read_text()
        assert token.startswith("shl_")
        process.terminate()
        process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    # So that systemd takes it for a stop, and does not start it again.
    assert process.returncode == 0
    (stop,), (restart,) = settings("TimeoutStopSec"), settings("Restart")
    assert (restart, int(stop)) == ("on-failure", Settings(tmp_path).drain_seconds + 15)


def test_the_page_names_the_files_of_the_unit() -> None:
    (user,), (file,), (folder,) = settings("User"), settings("EnvironmentFile"), settings("StateDirectory")
    named = (file.removeprefix("-"), f"/var/lib/{folder}", f"nologin {user}", PROGRAM, UNIT.name)
    assert [each for each in named if each not in PAGE] == []
