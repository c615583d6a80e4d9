"""`shipliftd` as an operator runs it: a process, its exit code and what it says."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from shipliftd.store import schema

from tests.support.patience import SECONDS

# Every migration that there is, in the order in which they are applied.
MIGRATIONS = tuple(sorted(path.stem for path in schema.MIGRATIONS.glob("0*.py")))
_GO_ON = "import os, sys; os.execv(sys.executable, [sys.executable, '-m', 'shipliftd', *sys.argv[1:]])"

# What `check` says of a whole audit: how many rows, how many are not sealed yet, and the head.
AUDIT = re.compile(r"audit: (\d+) rows verified, (\d+) not sealed yet, head (\d+:[0-9a-f]*)\n")


def command(*arguments: str | Path, before: str = "") -> list[str]:
    """The command as a process takes it; `before` is Python that runs in the process first.

    Unlike a `preexec_fn`, which may hang in a process with gRPC's threads.
    """
    start = ["-c", f"{before}\n{_GO_ON}"] if before else ["-m", "shipliftd"]
    return [sys.executable, *start, *map(str, arguments)]


def shipliftd(
    *arguments: str | Path,
    environment: Mapping[str, str] | None = None,
    before: str = "",
) -> subprocess.CompletedProcess[str]:
    """Runs the command to its end."""
    return subprocess.run(
        command(*arguments, before=before),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env={**os.environ, **(environment or {})},
    )


def said(*arguments: str | Path) -> str:
    """What a command that succeeds prints."""
    done = shipliftd(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def checked(store: str | Path) -> str:
    """What `shipliftd check` says of a store where all is well, but for its line about the audit."""
    lines = said("check", "--database", store).splitlines(keepends=True)
    (audit,) = [line for line in lines if line.startswith("audit: ")]
    assert AUDIT.fullmatch(audit), audit
    return "".join(line for line in lines if line != audit)


def refusal(*arguments: str | Path) -> str:
    """What a command that is refused says: exit code 1 and one line."""
    done = shipliftd(*arguments)
    assert (done.returncode, done.stdout) == (1, ""), (done.returncode, done.stdout, done.stderr)
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("shipliftd: "), done.stderr
    return done.stderr.removeprefix("shipliftd: ").removesuffix("\n")
