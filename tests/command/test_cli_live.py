"""`--wait` on a terminal: a picture that moves, at any width."""

import os
import pty
import signal
import struct
import subprocess
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fcntl import ioctl
from pathlib import Path

import pyte
import pytest
from shiplift.v1 import stages_pb2 as pb

from tests.support.cli import COMMAND, Cli
from tests.support.patience import SECONDS, until
from tests.support.repository import Repository
from tests.support.staged import FAILURE, PENDING, RUNNING, SUCCESS, Staged

HEIGHT = 24


class Terminal:
    """A terminal with a command in it, and what it shows now."""

    def __init__(self, cli: Cli, width: int, *words: str) -> None:
        self.screen = pyte.Screen(width, HEIGHT)
        self._stream = pyte.ByteStream(self.screen)
        self._lock = threading.Lock()
        self._master, terminal = pty.openpty()
        ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, width, 0, 0))
        environment = {**cli.environment, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        del environment["COLUMNS"]
        self.process = subprocess.Popen(
            [*COMMAND, *words],
            cwd=cli.home,
            env=environment,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
        )
        os.close(terminal)
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        # The last one to close it ends it with an error.
        with suppress(OSError):
            while part := os.read(self._master, 65536):
                with self._lock:
                    self._stream.feed(part)

    def lines(self) -> list[str]:
        """The lines that it shows, without what is blank at their ends."""
        with self._lock:
            shown = [line.rstrip() for line in self.screen.display]
        return [line for line in shown if line]

    def until_shown(self, *parts: str) -> list[str]:
        """Its lines, once all of these are among them, each in a line."""

        def look() -> list[str] | None:
            lines = self.lines()
            return lines if all(any(part in line for line in lines) for part in parts) else None

        return until(look)

    def end(self) -> int:
        """The exit code, once it has shown everything."""
        code = self.process.wait(SECONDS)
        self._reading.join(SECONDS)
        os.close(self._master)
        return code


@contextmanager
def shown(cli: Cli, width: int, *words: str) -> Iterator[Terminal]:
    """A command on a terminal of this width."""
    terminal = Terminal(cli, width, *words)
    try:
        yield terminal
    finally:
        if terminal.process.poll() is None:
            terminal.process.kill()
            terminal.process.wait(SECONDS)


@pytest.fixture
def staged(repository: Repository) -> Staged:
    """A repository of the test's own with its runner."""
    return Staged.of(repository)


@pytest.fixture
def cli(repository: Repository, tmp_path: Path) -> Cli:
    """The site admin at that repository."""
    return Cli(tmp_path, repository.server.address, repository.server.admin_token, repository.slug)


def steps(*status: int) -> list[pb.StepReport]:
    names = ("migrate", "roll out")
    return [
        pb.StepReport(number=n, name=name, status=each)  # type: ignore[arg-type]  # an enum is a number
        for n, (name, each) in enumerate(zip(names, status, strict=True), start=1)
    ]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_stages_and_steps_are_shown_as_they_go_on(staged: Staged, cli: Cli, width: int) -> None:
    repository, runner = staged.repository, staged.runner
    build = staged.promoted()
    with shown(cli, width, "wait", str(build.number)) as terminal:
        first = terminal.until_shown("deploy", "waits for 0:0")
        assert "pending" in first[0]
        stage = runner.accept(build.stages[0].id).stage.id
        runner.report(stage, RUNNING, steps=steps(SUCCESS, RUNNING))
        running = terminal.until_shown("migrate", "roll out")
        assert len(running) == 4
        marks = [line.split()[0] for line in running]
        # What runs turns.
        assert all("\u2800" < mark < "\u2900" for mark in (*marks[:2], marks[3]))
        assert marks[2] == "\u2713"
        assert all(len(line) <= width for line in running)
        runner.report(stage, SUCCESS)
        assert terminal.end() == 0
        told = f"{repository.slug}: build {build.number} is success"
        assert told.startswith(terminal.lines()[-1][:30]) or terminal.lines()[-1] in told


def test_what_failed_is_shown_with_its_last_lines(staged: Staged, cli: Cli) -> None:
    build = staged.promoted()
    stage = staged.runner.accept(build.stages[0].id).stage.id
    _, two = staged.runner.report(stage, RUNNING, steps=steps(SUCCESS, RUNNING)).steps
    staged.runner.append(two.id, 0, *(f"line {n}\n" for n in range(30)))
    with shown(cli, 100, "wait", str(build.number)) as terminal:
        terminal.until_shown("roll out")
        staged.runner.report_step(two.id, FAILURE, exit_code=3)
        staged.runner.report(stage, FAILURE)
        assert terminal.end() == 4
        lines = terminal.lines()
    assert lines[-20:] == [f"line {n}" for n in range(10, 30)]


def test_ctrl_c_leaves_it_running_and_says_how_to_come_back(staged: Staged, cli: Cli) -> None:
    build = staged.promoted()
    with shown(cli, 100, "wait", str(build.number)) as terminal:
        terminal.until_shown("waits for 0:0")
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.end() == 130
        slug = staged.repository.slug
        assert terminal.lines()[-1] == (
            f"Build {build.number} goes on. To wait again: shiplift wait {build.number} -R {slug}"
        )
    assert staged.repository.get(build.number).status == PENDING
