"""What a stranger gets: the wheel, and the README's quick start with it."""

import os
import pty
import re
import shutil
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from tests.support.pages import blocks
from tests.support.patience import SECONDS
from tests.support.toolchains import ROOT, run

PROTOS = sorted((ROOT / "protos" / "shiplift" / "v1").iterdir())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built in a copy: setuptools leaves files behind."""
    place = tmp_path_factory.mktemp("wheel")
    source = place / "source"
    for folder in ("client", "server", "protos"):
        shutil.copytree(ROOT / folder, source / folder, symlinks=True)
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source)
    pip = (sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation")
    run([*pip, "-w", str(place), "."], source)
    (found,) = place.glob("shiplift-*.whl")
    return found


def test_the_protos_and_their_descriptors_are_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        for proto in PROTOS:
            assert packed.read(f"shiplift/v1/{proto.name}") == proto.read_bytes()
        described = FileDescriptorSet.FromString(packed.read("shiplift/v1/descriptor.binpb"))
    # With what they import: nothing else is needed to use it.
    names = {file.name for file in described.file}
    assert {f"shiplift/v1/{proto.name}" for proto in PROTOS} <= names
    assert {name for file in described.file for name in file.dependency} <= names


def test_the_wheel_says_whose_it_is_and_where_to_read_on(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        (name,) = [name for name in packed.namelist() if name.endswith(".dist-info/METADATA")]
        told = message_from_bytes(packed.read(name))
    assert (told["Author"], told["License-Expression"]) == ("The Shiplift authors", "Apache-2.0")
    pages = dict(url.split(", ", 1) for url in told.get_all("Project-URL") or [])
    assert pages.keys() == {"Source", "Documentation", "Changelog", "Issues"}


def _joined(lines: list[str]) -> list[str]:
    """The lines, an export with the one after it: each is run in a shell of its own."""
    at = next(n for n, line in enumerate(lines) if line.startswith("export "))
    return [*lines[:at], "\n".join(lines[at : at + 2]), *lines[at + 2 :]]


@dataclass
class Stranger:
    """A machine with an empty home and the wheel, as pipx installs it."""

    bin: Path
    home: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """What their shell has."""
        return {"PATH": f"{self.bin}:/usr/bin:/bin", "HOME": str(self.home), **self.variables}

    def sh(self, line: str) -> subprocess.CompletedProcess[str]:
        """Runs a line, which must end well."""
        done = subprocess.run(
            ["sh", "-euc", line],
            cwd=self.home,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        return done

    @contextmanager
    def terminal(self, line: str) -> Iterator["Screen"]:
        """Runs a line on a terminal of its own, to its end, which must be good."""
        child, terminal = pty.fork()
        if child == 0:
            os.chdir(self.home)
            os.execvpe("sh", ["sh", "-euc", f"exec {line}"], self.environment)
        try:
            yield Screen(terminal)
            with suppress(OSError):
                while os.read(terminal, 65536):
                    pass
        finally:
            os.close(terminal)
            _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0, line


@dataclass
class Screen:
    """What a terminal has shown."""

    terminal: int
    text: str = ""

    def until(self, pattern: str) -> re.Match[str]:
        """Reads until it shows this."""
        while True:
            found = re.search(pattern, self.text)
            if found:
                return found
            part = os.read(self.terminal, 65536)
            assert part, self.text
            self.text += part.decode()

    def type(self, text: str) -> None:
        """Types it."""
        os.write(self.terminal, text.encode())


@pytest.fixture(scope="module")
def stranger(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Stranger:
    """A stranger who has installed the command alone."""
    place = tmp_path_factory.mktemp("stranger")
    run([sys.executable, "-m", "venv", str(place / "venv")])
    run([place / "venv/bin/pip", "install", "-q", "-c", str(ROOT / "constraints.txt"), str(wheel)])
    (place / "home").mkdir()
    return Stranger(place / "venv/bin", place / "home")


@pytest.mark.timeout(2 * SECONDS)
def test_the_quick_start_works_for_a_stranger(stranger: Stranger, wheel: Path) -> None:
    # With the command alone, the server says what it lacks.
    for words in (["shipliftd"], ["python", "-m", "shipliftd", "serve"]):
        done = subprocess.run(
            words, env=stranger.environment, capture_output=True, text=True, timeout=SECONDS
        )
        told = (
            r"shipliftd needs the server's libraries \(\w+ is missing\): pip install 'shiplift\[server\]'\n"
        )
        assert (done.returncode, done.stdout) == (1, "")
        assert re.fullmatch(told, done.stderr), done.stderr
    install, here = [
        block for block in blocks("README.md", "sh") if "pipx install" in block or "shiplift login" in block
    ]
    assert install == "pipx install 'shiplift[server]'\nshipliftd serve\n"
    extra = f"{wheel}[server]"
    run([stranger.bin / "pip", "install", "-q", "-c", str(ROOT / "constraints.txt"), extra])

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    for line in (
        "git init -q",
        "git remote add origin https://git.example.org/acme/web.git",
        "git -c user.name=Ann -c user.email=ann@example.org commit -q --allow-empty -m first",
    ):
        stranger.sh(line)
    stranger.variables = {"SHIPLIFTD_LISTEN": address}
    login, *others = here.splitlines()
    with stranger.terminal("shipliftd serve") as server:
        token = server.until(r"\bshl_\S+(?=\s)")[0]
        server.until("listening")
        with stranger.terminal(login) as asked:
            asked.until(r"Server \[127\.0\.0\.1:50051\]: ")
            asked.type(f"{address}\n")
            # The last blank comes once typing is hidden; what was typed before is thrown away.
            asked.until("Token for .*: ")
            asked.type(f"{token}\n")
        answers = [stranger.sh(line) for line in _joined(others)]
        server.type("\x03")
    assert "deploying v1.0.0\n" in answers[3].stdout + answers[3].stderr
    heading, row = answers[-1].stdout.splitlines()
    assert heading.split()[:4] == ["REPOSITORY", "ENVIRONMENT", "CURRENT", "RELEASE"]
    assert row.split()[:4] == ["acme/web", "production", "2", "v1.0.0"]
