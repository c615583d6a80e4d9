"""Where a stage's steps run, and what they find in their environment beside what the plan says."""

import os
import shlex
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SHELL = "/bin/sh"


class Place:
    """A stage's own folder, gone when the stage has ended.

    `workspace` is empty at first, so that a step can clone into it: what a step's home and its temporary
    files need is beside it.
    """

    def __init__(self, workspace: str) -> None:
        """Makes the folder. Raises OSError, and ValueError for a workspace that is not in it."""
        # An absolute one is meant for a container.
        inside = PurePosixPath(workspace.lstrip("/"))
        if ".." in inside.parts or "\0" in workspace:
            raise ValueError(f"the workspace {workspace!r} leads out of the stage's folder")
        self._folder = Path(tempfile.mkdtemp(prefix="shiplift-"))
        self.workspace = self._folder / "workspace" / inside
        for folder in (self.workspace, self._home, self._temporary):
            folder.mkdir(parents=True)

    @property
    def _home(self) -> Path:
        return self._folder / "home"

    @property
    def _temporary(self) -> Path:
        return self._folder / "tmp"

    def environment(self, path: str) -> dict[str, str]:
        """What a process needs; nothing is taken over from the runner's own environment."""
        return {
            "PATH": path,
            "HOME": str(self._home),
            "TMPDIR": str(self._temporary),
            "LANG": "C.UTF-8",
        }

    def script(self, step: int, commands: Sequence[str]) -> Path:
        """Writes a step's commands to a file for its shell. Raises OSError.

        A file, because an argument of a process holds no more than 128 KiB.
        """
        path = self._folder / f"step-{step}.sh"
        path.write_bytes(script(commands).encode())
        return path

    def remove(self) -> bool:
        """Removes the folder; whether it is gone."""
        shutil.rmtree(self._folder, ignore_errors=True)
        if self._folder.exists():
            # Some tools leave folders that nobody may write to, such as Go's modules.
            for folder, names, _ in os.walk(self._folder):
                for path in (Path(folder, name) for name in names):
                    if not path.is_symlink():
                        path.chmod(0o700)
            shutil.rmtree(self._folder, ignore_errors=True)
        return not self._folder.exists()


def script(commands: Sequence[str]) -> str:
    """Commands as a shell script that shows each one, and ends with the first that fails."""
    shown = (f"printf '%s\\n' {shlex.quote(f'+ {command}')}\n{command}\n" for command in commands)
    return "set -e\n" + "".join(shown)


def shell(given: str, script: Path) -> list[str | Path]:
    """What runs a script: the shell that the step names, or the system's own."""
    return [*(shlex.split(given) or [_SHELL]), script]


def as_it_stands(plan: Mapping[str, str], started: int, failed: Sequence[str]) -> dict[str, str]:
    """What the plan could not know: when the stage began, and which of its steps have failed."""
    known = {"DRONE_STAGE_STARTED": str(started), "DRONE_BUILD_STARTED": str(started)}
    found = {name: value for name, value in known.items() if plan.get(name) == ""}
    if failed:
        found |= {"DRONE_BUILD_STATUS": "failure", "DRONE_STAGE_STATUS": "failure"}
        found["DRONE_FAILED_STEPS"] = ",".join(failed)
    return found
