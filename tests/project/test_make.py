"""What `make` tells a newcomer."""

import os
import pty
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.toolchains import ROOT


def make(*words: str) -> subprocess.CompletedProcess[str]:
    """`make words`, apart from a make that the tests may run under."""
    return subprocess.run(
        ["make", *words], cwd=ROOT, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True
    )


def test_make_alone_lists_the_targets_with_what_they_do() -> None:
    listed = make().stdout.splitlines()
    assert [line.split()[1] for line in listed] == [
        *("help", "demo", "run", "test", "check", "protos", "stubs", "bench", "check-deep", "faults"),
        *("format", "clean"),
    ]
    assert all(len(line.split()) > 3 for line in listed)


# Each stands in for a Python that lacks something: what it is asked decides how it exits.
@pytest.mark.parametrize(
    ("stand_in", "told"),
    [
        (
            None,
            "Python 3.11 or later is missing ({python}): "
            "install it (Debian: apt install python3 python3-venv).",
        ),
        (
            "case $2 in *version_info*) exit 1; esac",
            "{python} is older than Python 3.11: install a newer one and name it (make PYTHON=python3.12).",
        ),
        (
            "case $2 in *ensurepip*) exit 1; esac",
            "The venv module of {python} is missing: install it (Debian: apt install python3-venv).",
        ),
    ],
)
def test_what_is_lacking_is_named_in_one_line_with_how_to_install_it(
    stand_in: str | None, told: str, tmp_path: Path
) -> None:
    python = tmp_path / "python3"
    if stand_in is not None:
        python.write_text(f"#!/bin/sh\n{stand_in}\n")
        python.chmod(0o755)
    failed = make("--always-make", ".venv/.installed", f"PYTHON={python}")
    assert failed.returncode == 2
    assert failed.stdout == ""
    assert failed.stderr.splitlines()[0] == told.format(python=python)
    # The other line is make's own.
    assert len(failed.stderr.splitlines()) == 2


def test_ctrl_c_ends_make_run_without_an_error() -> None:
    anywhere = dict.fromkeys(("SHIPLIFTD_LISTEN", "SHIPLIFTD_HTTP"), "127.0.0.1:0")
    # Of a make that the tests run under.
    outer = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL"}
    environment = {name: value for name, value in os.environ.items() if name not in outer} | anywhere
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(ROOT)
        os.execvpe("make", ["make", "run"], environment)
    shown = b""
    with suppress(OSError):
        while part := os.read(terminal, 65536):
            if b"do everything" in shown + part and b"do everything" not in shown:
                os.write(terminal, b"\x03")
            shown += part
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0, shown
    assert shown.endswith(b"\r\nStopped.\r\n"), shown
