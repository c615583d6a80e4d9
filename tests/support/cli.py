"""`shiplift` as a user runs it: a process, its exit code and what it says."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.patience import SECONDS

COMMAND = (sys.executable, "-m", "shiplift")


class Said(NamedTuple):
    """How a run ended: exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    def json(self) -> Any:  # noqa: ANN401  # whatever the command put out
        """What a `--json` run put out."""
        assert (self.code, self.err) == (0, ""), self
        return json.loads(self.out)


@dataclass
class Cli:
    """A user's place: a directory of their own, and an environment with nothing of this machine's."""

    home: Path
    server: str = ""
    token: str = ""
    repo: str = ""
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """What a run finds in its environment."""
        settings = {
            "SHIPLIFT_SERVER": self.server,
            "SHIPLIFT_TOKEN": self.token,
            "SHIPLIFT_REPO": self.repo,
        }
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "GIT_CEILING_DIRECTORIES": str(self.home.parent),
            "GIT_CONFIG_NOSYSTEM": "1",
            "TZ": "UTC",
            "COLUMNS": "200",
            **{name: value for name, value in settings.items() if value},
            **self.variables,
        }

    def run(self, *arguments: str, stdin: str = "", **variables: str) -> Said:
        """Runs the command to its end."""
        done = subprocess.run(
            [*COMMAND, *arguments],
            cwd=self.home,
            env={**self.environment, **variables},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def start(
        self, *arguments: str, stdout: int = subprocess.PIPE, stderr: int = subprocess.PIPE
    ) -> subprocess.Popen[str]:
        """Starts the command."""
        return subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=self.home,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            text=True,
        )
