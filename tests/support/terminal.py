"""A terminal for the command."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from contextlib import suppress
from pathlib import Path

from tests.support.cli import COMMAND, Cli
from tests.support.patience import SECONDS

TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d")


def on_terminal(words: list[str], environment: dict[str, str], place: Path) -> str:
    """What a command shows on a terminal, both streams."""
    master, terminal = pty.openpty()
    process = subprocess.Popen(
        words,
        cwd=place,
        env={**environment, "TERM": "dumb"},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    shown = b""
    # The last one to close it ends it with an error.
    with suppress(OSError):
        while part := os.read(master, 65536):
            shown += part
    process.wait(SECONDS)
    os.close(master)
    return shown.decode()


def wide_terminal(cli: Cli, width: int, *words: str, **variables: str) -> str:
    """What the command shows on a terminal of a width, both streams, as it is sent."""
    master, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    environment = {**cli.environment, "TERM": "xterm-256color", **variables}
    del environment["COLUMNS"]
    with subprocess.Popen(
        [*COMMAND, *words], cwd=cli.home, env=environment, stdin=terminal, stdout=terminal, stderr=terminal
    ) as process:
        os.close(terminal)
        shown = b""
        # The last one to close it ends it with an error.
        with suppress(OSError):
            while part := os.read(master, 65536):
                shown += part
        process.wait(SECONDS)
    os.close(master)
    return shown.decode()


def screen(cli: Cli, width: int, *words: str) -> list[str]:
    """The lines of it, without colours and with every time alike."""
    text = wide_terminal(cli, width, *words, NO_COLOR="1")
    assert "\x1b" not in text
    return TIME.sub("2026-01-02 03:04", text).replace("\r\n", "\n").splitlines()


def answered(cli: Cli, answer: str, *words: str) -> tuple[int, str]:
    """Exit code and screen of a command that asks, on a terminal, and is answered."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(cli.home)
        os.execvpe(COMMAND[0], [*COMMAND, *words], {**cli.environment, "TERM": "dumb"})
    shown = b""
    with suppress(OSError):
        while part := os.read(terminal, 65536):
            if b"[y/N]" in shown + part and b"[y/N]" not in shown:
                os.write(terminal, answer.encode())
            shown += part
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    # Python's readline breaks what it asks at the terminal's edge, wherever that is.
    return os.waitstatus_to_exitcode(status), "".join(shown.decode().split())
