"""bash and zsh with the command's completion, and somebody who types."""

import os
import pty
import select
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.cli import Cli
from tests.support.patience import SECONDS

BIN = Path(sys.executable).parent
_ALL, _TAB, _SHOW, _CLEAR = "\x0f", "\t", "\x14", "\x05\x15"
# ^O puts in all that is offered, ^T tells the line; a shell that takes keys says that it is ready.
_SETTINGS = {
    "bash": """
        source <(shiplift completion bash)
        bind '"\\C-o": insert-completions'
        bind -x '"\\C-t": printf "%s\\n" "$READLINE_LINE" >&{told}'
        PROMPT_COMMAND='echo ready >&{told}'
    """,
    "zsh": """
        autoload -Uz compinit; compinit -u -D
        source <(shiplift completion zsh)
        everything() {{ _main_complete; compstate[insert]=all }}
        zle -C everything complete-word everything; bindkey '^O' everything
        show() {{ print -r -- "$BUFFER" >&{told} }}
        zle -N show; bindkey '^T' show
        zle-line-init() {{ print ready >&{told} }}
        zle -N zle-line-init
    """,
}


class Typist:
    """A shell on a terminal in a user's place, and who types there."""

    def __init__(self, shell: str, cli: Cli) -> None:
        """Starts the shell."""
        self._told, told = os.pipe()
        self._terminal, terminal = pty.openpty()
        settings = cli.home / ".zshrc"
        settings.write_text(_SETTINGS[shell].format(told=told))
        words = {
            "bash": ["bash", "--noprofile", "--rcfile", str(settings), "-i"],
            "zsh": ["zsh", "-d", "-i"],
        }
        self._shell = subprocess.Popen(
            words[shell],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            pass_fds=[told],
            cwd=cli.home,
            env={
                **cli.environment,
                "PATH": f"{BIN}:{os.environ['PATH']}",
                "TERM": "xterm",
                "ZDOTDIR": str(cli.home),
                "LC_ALL": "C.UTF-8",
            },
            start_new_session=True,
        )
        os.close(terminal)
        os.close(told)

    def __enter__(self) -> Self:
        """Waits for its prompt."""
        assert self._line() == "ready"
        return self

    def tab(self, line: str) -> str:
        """What the line is after a press of Tab behind it."""
        return self._typed(line + _TAB)

    def everything(self, line: str) -> str:
        """The line with all that is offered for its last word in that word's place."""
        return self._typed(line + _ALL)

    def _typed(self, keys: str) -> str:
        os.write(self._terminal, (keys + _SHOW).encode())
        line = self._line()
        os.write(self._terminal, _CLEAR.encode())
        return line

    def _line(self) -> str:
        line = b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([self._told, self._terminal], [], [], SECONDS)
            assert ready, line
            if self._terminal in ready:
                # Read, or the shell would wait for room.
                os.read(self._terminal, 65536)
            else:
                line += os.read(self._told, 1)
        return line.decode().removesuffix("\n")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the shell."""
        with suppress(ProcessLookupError):
            self._shell.kill()
        self._shell.wait(SECONDS)
        os.close(self._terminal)
        os.close(self._told)
