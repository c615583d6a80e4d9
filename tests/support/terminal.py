"""A terminal for the command."""

import os
import pty
import subprocess
from contextlib import suppress
from pathlib import Path

from tests.support.patience import SECONDS


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
