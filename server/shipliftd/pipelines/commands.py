"""`${VAR}` in the commands of a step: no value becomes a part of a command. Pure.

In Drone a value is put into a command's text, where a shell reads it as code: `"; reboot; "`. Here a
command names a variable of the step's environment in its place, of which a shell puts in the value once
it has read the command. What that means within quotes is the shell's affair: within single ones it puts
in nothing.
"""

from collections.abc import Collection
from typing import NamedTuple

from shipliftd.errors import Invalid
from shipliftd.pipelines.substitution import DEFAULTS, Expression, Left, Parts, Substitution, read

# Linux takes 128 KiB with the name.
_MOST_VARIABLE = 120 * 1024


class Shell(NamedTuple):
    """How a shell's commands name a variable of the environment, and keep a `$` from being read."""

    opens: str
    escape: str


POSIX = Shell("${", "\\")
POWERSHELL = Shell("${env:", "`")
_POWERSHELLS = frozenset({"powershell", "pwsh"})


def shell_of(system: str, program: str) -> Shell:
    """What reads a step's commands: the program that it names, else the system's own."""
    first = next(iter(program.split()), "").replace("\\", "/").rpartition("/")[2].lower()
    if first.removesuffix(".exe") in _POWERSHELLS or (not first and system == "windows"):
        return POWERSHELL
    return POSIX


class Commands:
    """Puts variables into the commands of a step, so that no value becomes a part of one.

    A variable that the step finds in its environment stays one, which its shell reads: `${REGION}`. What
    an operator makes of a value is the value of a variable that the step gets beside them, `made`. As in
    Drone a variable that nobody knows is the empty text, and a default is a part of the command.
    """

    def __init__(self, put_in: Substitution, shell: Shell, taken: Collection[str]) -> None:
        """Prepares it; `taken` are the names that the step's environment has."""
        self.made: dict[str, str] = {}
        self.put_in = put_in
        self._shell = shell
        self._taken = taken
        self._names: dict[str, str] = {}

    def __call__(self, text: str) -> str:
        """The command. Raises Invalid past a limit."""
        pieces = self._pieces(self.put_in.parsed(text)) if "$" in text else [text]
        found = "".join(map(self.put_in.received, pieces))
        self.put_in.count(found)
        return found

    def _pieces(self, parts: Parts) -> "list[str | Left]":
        pieces: list[str | Left] = []
        for part in parts:
            if isinstance(part, str):
                pieces.append(part)
                continue
            expression = read(part)
            if expression is None or (self._only_the_step_knows(expression) and self._shell is POSIX):
                pieces += ["${", *self._pieces(part.parts), "}"]
            elif not self._is_the_shells(expression.name) and (left := self.put_in.left(part, expression)):
                pieces.append(left)
            else:
                self._add(pieces, expression)
        return pieces

    def _add(self, pieces: "list[str | Left]", expression: Expression) -> None:
        name, sign = expression.name, expression.sign
        if sign in DEFAULTS and not self.put_in.variables.get(name):
            pieces += self._pieces(expression.arguments[0])
        elif self._is_the_shells(name):
            if _dollars(pieces, self._shell.escape) % 2:
                # Together they would be another variable.
                pieces += [str(pieces.pop())[:-1], f"{self._shell.escape}$"]
            is_whole = not sign or sign in DEFAULTS
            pieces.append(f"{self._shell.opens}{name if is_whole else self._variable(expression)}}}")
        elif found := self.put_in.value(expression):
            # Of an unknown variable nothing is left but its length, 0.
            pieces.append(found)

    def _is_the_shells(self, name: str) -> bool:
        return name in self.put_in.variables or name.startswith(("DRONE_", "SHIPLIFT_"))

    def _only_the_step_knows(self, expression: Expression) -> bool:
        """Whether its value comes to be only when the step runs, as DRONE_BUILD_STATUS does."""
        return self._is_the_shells(expression.name) and expression.name not in self.put_in.variables

    def _variable(self, expression: Expression) -> str:
        """The name of a variable that has the value of an expression."""
        value = self.put_in.value(expression)
        if (size := len(value.encode())) > _MOST_VARIABLE:
            told = f"a '${{{expression.name}...}}' in a command comes to {size} bytes"
            raise Invalid([("pipeline", f"{told}: at most {_MOST_VARIABLE}")])
        key = f"{expression.name}={value}"
        if key not in self._names:
            number = len(self.made) + 1
            while (name := f"SHIPLIFT_{expression.name}_{number}") in self._taken:
                number += 1
            self.put_in.count(name, value)
            self._names[key], self.made[name] = name, value
        return self._names[key]


def _dollars(pieces: "list[str | Left]", escape: str) -> int:
    """How many `$` stand at the end of a command, without one that is escaped."""
    tail = ""
    for piece in reversed(pieces):
        if isinstance(piece, Left) or tail.strip(f"${escape}"):
            break
        tail = piece + tail
    before = tail.rstrip("$")
    escapes = len(before) - len(before.rstrip(escape))
    return max(len(tail) - len(before) - escapes % 2, 0)
