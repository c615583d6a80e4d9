"""`${VAR}` in the texts of a pipeline file, by the rules that Drone documents. Pure.

    ${VAR}  ${VAR^}  ${VAR^^}  ${VAR,}  ${VAR,,}  ${#VAR}     the value; its case; its length
    ${VAR:-default}  ${VAR=default}  ${VAR:=default}          when it is unknown or empty
    ${VAR:position}  ${VAR:position:length}                   a part of it
    ${VAR#pattern}  ${VAR##pattern}                           without the shortest, longest beginning
    ${VAR%pattern}  ${VAR%%pattern}                           without the shortest, longest end
    ${VAR/text/other}  //  /#  /%                             the first, all, at the beginning, at the end
    $$                                                        a `$`, so `$${VAR}` is `${VAR}`

What follows a name may itself hold `${VAR}`; what is put in is never looked at again. Everything else,
`$VAR` among it, is the shell's and stays as it is.

No library serves: of the forms above expandvars knows the first value, length, part and default alone, and
makes nothing of `$${VAR}`; envsubst knows `${VAR}` and `:-`.

In a command no value becomes text, for a shell would read it as code: see `commands`.
"""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from shipliftd.errors import Invalid
from shipliftd.pipelines import globs

_OPENS = re.compile(r"\$[${]")
_OPENS_OR_CLOSES = re.compile(r"\$[${]|\}")
_LENGTH = re.compile(r"#([A-Za-z_][A-Za-z0-9_]*)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PART = re.compile(r":([0-9]{1,9})(?::([0-9]{1,9}))?")
_SIGN = re.compile(r":-|:?=|##?|%%?|/[/#%]?")
_OLD = re.compile(r"(?:\\.|[^\\/])*", re.DOTALL)
_PLAIN_PATTERN = re.compile(r"[^*?\[\\]*")
# What needs no quotes in YAML, and no escape for Drone's library.
_PLAIN_DEFAULT = re.compile(r"[A-Za-z0-9_ .,:;/@%+=-]*")
_CASES: Mapping[str, Callable[[str], str]] = {
    "^": lambda value: value[:1].upper() + value[1:],
    "^^": str.upper,
    ",": lambda value: value[:1].lower() + value[1:],
    ",,": str.lower,
}
DEFAULTS = frozenset({":-", "=", ":="})

MOST_EXPRESSIONS = 4000
_MOST_DEPTH = 8
# In characters looked at: with the expressions 0.1 s or so.
_MOST_WORK = 4 * 1024 * 1024
# What it takes to make a regular expression of a pattern, in the same.
_PATTERN_WORK = 256
_MOST_PATTERN = 1000


class Call(NamedTuple):
    """What stands between `${` and its `}`."""

    parts: "list[str | Call]"


Parts = list[str | Call]


class Expression(NamedTuple):
    """A `${...}` of ours: `sign` is '' for the value itself, '#?' for its length, ':' for a part of it."""

    name: str
    sign: str = ""
    arguments: tuple[Parts, ...] = ()
    start: int = 0
    end: int | None = None


class Left(NamedTuple):
    """An expression that is left to the receiver of a text."""

    text: str


class Receiver(NamedTuple):
    """Who gets the texts: which expressions are left to it, and how a text comes to it as it is."""

    leaves: Callable[[str], bool] = lambda name: False
    literally: Callable[[str], str] = str


HERE = Receiver()


class Substitution:
    """Puts variables into texts, until these have more bytes together than are taken."""

    def __init__(self, variables: Mapping[str, str], most: int, receiver: Receiver = HERE) -> None:
        self.variables = variables
        self.receiver = receiver
        self._most = self._left = most
        self._work = _MOST_WORK
        self._expressions = MOST_EXPRESSIONS
        # By value, sign and pattern.
        self._stripped: dict[tuple[str, str, str], str] = {}

    def __call__(self, text: str) -> str:
        """The text with the variables in it. Raises Invalid past a limit."""
        found = self._put_in(self.parsed(text)) if "$" in text else self.receiver.literally(text)
        self.count(found)
        return found

    def count(self, *texts: str) -> None:
        """Counts texts that are taken as they are. Raises Invalid past the limit."""
        self.take(sum(len(text.encode()) for text in texts))

    def take(self, size: int) -> None:
        """Counts bytes. Raises Invalid past the limit."""
        self._left -= size
        if self._left < 0:
            raise Invalid(
                [("pipeline", f"its steps come to more than {self._most} bytes with the parameters")]
            )

    def parsed(self, text: str) -> Parts:
        """A text taken apart; what is nested too deep, and a `${` without its `}`, stay text."""
        stack: list[Parts] = [[]]
        at = deep = 0
        while (token := (_OPENS_OR_CLOSES if deep or stack[1:] else _OPENS).search(text, at)) is not None:
            if token.start() > at:
                stack[-1].append(text[at : token.start()])
            at = token.end()
            if token[0] == "}":
                if deep:
                    deep -= 1
                    stack[-1].append("}")
                else:
                    call = Call(stack.pop())
                    stack[-1].append(call)
                continue
            self._expressions -= 1
            if self._expressions < 0:
                told = f"its steps hold more than {MOST_EXPRESSIONS} '${{...}}' and '$$'"
                raise Invalid([("pipeline", told)])
            if token[0] == "$$":
                stack[-1].append("$")
            elif len(stack) > _MOST_DEPTH:
                deep += 1
                stack[-1].append("${")
            else:
                stack.append([])
        if at < len(text):
            stack[-1].append(text[at:])
        whole = stack[0]
        for unclosed in stack[1:]:
            whole += ["${", *unclosed]
        return whole

    def left(self, call: Call, expression: Expression) -> "Left | None":
        """The expression as it stands, if it is left to the receiver."""
        if not self.receiver.leaves(expression.name) or len(call.parts) != 1:
            return None
        is_plain = not expression.sign or expression.sign in DEFAULTS
        inner = str(call.parts[0])
        told = inner[len(expression.name) + len(expression.sign) :]
        return Left(f"${{{inner}}}") if is_plain and _PLAIN_DEFAULT.fullmatch(told) else None

    def received(self, piece: "str | Left") -> str:
        """A piece of a text as the receiver takes it."""
        return self.receiver.literally(piece) if isinstance(piece, str) else piece.text

    def value(self, expression: Expression) -> str:
        """What an expression stands for."""
        value = self.variables.get(expression.name, "")
        sign, arguments = expression.sign, expression.arguments
        if not sign:
            return value
        if sign in DEFAULTS:
            return value or self.text(arguments[0])
        if sign == "#?":
            return str(len(value))
        self._work_on(len(value))
        if sign == ":":
            return value[expression.start : expression.end]
        if sign in _CASES:
            return _CASES[sign](value)
        if sign[0] == "/":
            return self._replaced(value, sign[1:], *map(self.text, arguments))
        return value and self._without(value, sign, self.text(arguments[0]))

    def text(self, parts: Parts) -> str:
        """Parts with the variables in them, for no receiver."""
        found: list[str] = []
        size = 0
        for part in parts:
            if isinstance(part, Call):
                expression = read(part)
                part = f"${{{self.text(part.parts)}}}" if expression is None else self.value(expression)  # noqa: PLW2901
            found.append(part)
            size += len(part)
            if size > self._left:
                self.take(size)
        return "".join(found)

    def _put_in(self, parts: Parts) -> str:
        found: list[str] = []
        size = 0
        for part in parts:
            found.append(self.received(self._piece(part)))
            size += len(found[-1])
            if size > self._left:
                self.take(size)
        return "".join(found)

    def _piece(self, part: str | Call) -> "str | Left":
        expression = read(part) if isinstance(part, Call) else None
        left = self.left(part, expression) if isinstance(part, Call) and expression is not None else None
        return left or self.text([part])

    def _work_on(self, characters: int) -> None:
        self._work -= characters
        if self._work < 0:
            raise Invalid([("pipeline", "the ${...} of its steps are too much work with these parameters")])

    def _without(self, value: str, sign: str, pattern: str) -> str:
        if len(pattern) > _MOST_PATTERN or _PLAIN_PATTERN.fullmatch(pattern):
            return value.removeprefix(pattern) if sign[0] == "#" else value.removesuffix(pattern)
        key = (value, sign, pattern)
        if key not in self._stripped:
            self._work_on((len(value) + _PATTERN_WORK) * (len(pattern) + 8))
            self._stripped[key] = _stripped(*key)
        return self._stripped[key]

    def _replaced(self, value: str, where: str, old: str, new: str) -> str:
        if not old:
            return value
        if where == "#":
            return new + value[len(old) :] if value.startswith(old) else value
        if where == "%":
            return value[: -len(old)] + new if value.endswith(old) else value
        count = value.count(old) if where == "/" else 1
        if count * len(new) > self._left:
            self.take(count * len(new))
        return value.replace(old, new, count)


def read(call: Call) -> Expression | None:
    """What an expression is; None when it is not one of ours, but perhaps the shell's."""
    first = call.parts[0] if call.parts else ""
    if not isinstance(first, str):
        return None
    is_text = len(call.parts) == 1
    if is_text and (length := _LENGTH.fullmatch(first)):
        return Expression(length[1], "#?")
    named = _NAME.match(first)
    if named is None:
        return None
    name, rest = named[0], first[named.end() :]
    if is_text and not rest:
        return Expression(name)
    if is_text and rest in _CASES:
        return Expression(name, rest)
    if is_text and (part := _PART.fullmatch(rest)):
        start = int(part[1])
        return Expression(name, ":", (), start, None if part[2] is None else start + int(part[2]))
    sign = _SIGN.match(rest)
    if sign is None:
        return None
    told: Parts = [rest[sign.end() :], *call.parts[1:]]
    return Expression(name, sign[0], _old_and_new(told) if sign[0][0] == "/" else (told,))


def _old_and_new(parts: Parts) -> tuple[Parts, Parts]:
    """The two sides of a replacement's `/`."""
    old: Parts = []
    for number, part in enumerate(parts):
        if isinstance(part, str):
            end = _end_of_old(part)
            old.append(part[:end].replace("\\/", "/"))
            if end < len(part):
                new: Parts = [part[end + 1 :], *parts[number + 1 :]]
                return old, [text.replace("\\/", "/") if isinstance(text, str) else text for text in new]
        else:
            old.append(part)
    return old, []


def _end_of_old(text: str) -> int:
    found = _OLD.match(text)
    end = found.end() if found is not None else 0
    # A `\` at the end stands for itself.
    return end + 1 if text[end:] == "\\" else end


def _stripped(value: str, sign: str, pattern: str) -> str:
    try:
        chunks = globs.chunks(pattern, ".")
    except ValueError:
        chunks = [[re.escape(character) for character in pattern]]
    if sign[0] == "%":
        # The end of a text is the beginning of the same backwards.
        backwards = [chunk[::-1] for chunk in reversed(chunks)]
        return value[::-1][_beginning(value[::-1], backwards, len(sign) == 2) :][::-1]
    return value[_beginning(value, chunks, len(sign) == 2) :]


def _beginning(value: str, chunks: list[globs.Chunk], longest: bool) -> int:
    """How long the beginning is that the chunks fit, with anything in between."""
    found = globs.expression(chunks, ".")
    if longest and len(chunks) > 1:
        found = f"{globs.expression(chunks[:-1], '.')}.*{''.join(chunks[-1])}"
    matched = re.compile(found, re.DOTALL).match(value)
    return matched.end() if matched else 0
