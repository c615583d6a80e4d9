"""Tests that need another language's toolchain are skipped where it is missing, but never in CI."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Downloads are part of the first run.
SECONDS = 600


def need(program: str) -> None:
    """Skips the test where a program is missing; in CI (CI=true) fails it.

    Raises:
        pytest.skip.Exception, pytest.fail.Exception: the program is not on the PATH.
    """
    if shutil.which(program):
        return
    reason = f"{program} is not installed"
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}, and CI needs it")
    pytest.skip(reason)


def run(command: Sequence[str | Path], directory: Path = ROOT) -> None:
    """Runs a build tool in a directory, and fails the test with its whole output when it fails."""
    # Under `make test` the inner make would take the outer one's flags for its own.
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS")}
    done = subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, timeout=SECONDS
    )
    if done.returncode:
        pytest.fail(f"{command} exited {done.returncode}:\n{done.stdout}{done.stderr}")


def make(*words: str) -> None:
    """`make words` in the checkout."""
    with _alone():
        run(["make", *words])


def stubs(language: str, directory: Path) -> None:
    """Has `make stubs` make a language's stubs, and copies them into a new directory."""
    with _alone():
        run(["make", "stubs", f"LANG={language}"])
        shutil.copytree(ROOT / "gen" / language, directory)


@contextmanager
def _alone() -> Iterator[None]:
    # The tests' processes make the same things in the same folders.
    (ROOT / "gen").mkdir(exist_ok=True)
    with (ROOT / "gen" / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
