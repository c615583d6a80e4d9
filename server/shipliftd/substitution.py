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
"""

import re
from collections.abc import Callable, Mapping

from shipliftd import globs
from shipliftd.errors import Invalid

_TOKEN = re.compile(r"\$\$|\$\{|\}")
_LENGTH = re.compile(r"#([A-Za-z_][A-Za-z0-9_]*)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PART = re.compile(r":([0-9]{1,9})(?::([0-9]{1,9}))?")
_DEFAULT = re.compile(r"(?::-|:?=)(.*)", re.DOTALL)
_STRIP = re.compile(r"(##?|%%?)(.*)", re.DOTALL)
_REPLACE = re.compile(r"/([/#%]?)((?:\\.|[^\\/])*)(?:/(.*))?", re.DOTALL)
_CASES: Mapping[str, Callable[[str], str]] = {
    "": str,
    "^": lambda value: value[:1].upper() + value[1:],
    "^^": str.upper,
    ",": lambda value: value[:1].lower() + value[1:],
    ",,": str.lower,
}

_MOST_DEPTH = 8
# In characters looked at: a second or so.
_MOST_WORK = 32 * 1024 * 1024
# What it takes to make a regular expression of a pattern, in the same.
_PATTERN_WORK = 256
_MOST_PATTERN = 1000


class Substitution:
    """Puts variables into texts, until these have more bytes together than are taken."""

    def __init__(self, variables: Mapping[str, str], most: int) -> None:
        self._variables = variables
        self._most = self._left = most
        self._work = _MOST_WORK

    def __call__(self, text: str) -> str:
        """The text with the variables in it. Raises Invalid past the limit."""
        found = self._expanded(text, 0) if "$" in text else text
        self.count(found)
        return found

    def count(self, *texts: str) -> None:
        """Counts texts that are taken as they are. Raises Invalid past the limit."""
        self._take(sum(len(text.encode()) for text in texts))

    def _take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise Invalid(
                [("pipeline", f"its steps come to more than {self._most} bytes with the parameters")]
            )

    def _work_on(self, characters: int) -> None:
        self._work -= characters
        if self._work < 0:
            raise Invalid([("pipeline", "the ${...} of its steps are too much work with these parameters")])

    def _expanded(self, text: str, depth: int) -> str:
        ends = _ends(text)
        parts: list[str] = []
        size = at = 0
        while (token := _TOKEN.search(text, at)) is not None:
            parts.append(text[at : token.start()])
            at = token.end()
            value: str | None = None
            if token[0] == "$$":
                value = "$"
            elif token.start() in ends and depth < _MOST_DEPTH:
                value = self._value(text[at : ends[token.start()]], depth + 1)
                at = at if value is None else ends[token.start()] + 1
            parts.append(token[0] if value is None else value)
            size += len(parts[-1])
            if size > self._left:
                self._take(size)
        return "".join(parts) + text[at:]

    def _value(self, inner: str, depth: int) -> str | None:
        """What stands for the inner part of `${...}`; None when that is not one of ours."""
        if length := _LENGTH.fullmatch(inner):
            return str(len(self._variables.get(length[1], "")))
        name = _NAME.match(inner)
        if name is None:
            return None
        value, rest = self._variables.get(name[0], ""), inner[name.end() :]
        self._work_on(len(value))
        if rest in _CASES:
            return _CASES[rest](value)
        if default := _DEFAULT.fullmatch(rest):
            return value or self._expanded(default[1], depth)
        if part := _PART.fullmatch(rest):
            start = int(part[1])
            return value[start:] if part[2] is None else value[start : start + int(part[2])]
        if strip := _STRIP.fullmatch(rest):
            return value and self._stripped(value, strip[1], self._expanded(strip[2], depth))
        if replace := _REPLACE.fullmatch(rest):
            old, new = (self._expanded(_unescaped(text or ""), depth) for text in replace.group(2, 3))
            return self._replaced(value, replace[1], old, new)
        return None

    def _stripped(self, value: str, sign: str, pattern: str) -> str:
        if len(pattern) > _MOST_PATTERN:
            return value.removeprefix(pattern) if sign[0] == "#" else value.removesuffix(pattern)
        self._work_on((len(value) + _PATTERN_WORK) * (len(pattern) + 8))
        try:
            chunks = globs.chunks(pattern, ".")
        except ValueError:
            chunks = [[re.escape(character) for character in pattern]]
        if sign[0] == "%":
            # The end of a text is the beginning of the same backwards.
            backwards = [chunk[::-1] for chunk in reversed(chunks)]
            return value[::-1][_beginning(value[::-1], backwards, len(sign) == 2) :][::-1]
        return value[_beginning(value, chunks, len(sign) == 2) :]

    def _replaced(self, value: str, where: str, old: str, new: str) -> str:
        if not old:
            return value
        if where == "#":
            return new + value[len(old) :] if value.startswith(old) else value
        if where == "%":
            return value[: -len(old)] + new if value.endswith(old) else value
        count = value.count(old) if where == "/" else 1
        if count * len(new) > self._left:
            self._take(count * len(new))
        return value.replace(old, new, count)


def _beginning(value: str, chunks: list[globs.Chunk], longest: bool) -> int:
    """How long the beginning is that the chunks fit, with anything in between."""
    found = globs.expression(chunks, ".")
    if longest and len(chunks) > 1:
        found = f"{globs.expression(chunks[:-1], '.')}.*{''.join(chunks[-1])}"
    matched = re.compile(found, re.DOTALL).match(value)
    return matched.end() if matched else 0


def _ends(text: str) -> dict[int, int]:
    """Where the `}` of each `${` is."""
    ends: dict[int, int] = {}
    opened: list[int] = []
    for token in _TOKEN.finditer(text):
        if token[0] == "${":
            opened.append(token.start())
        elif token[0] == "}" and opened:
            ends[opened.pop()] = token.start()
    return ends


def _unescaped(text: str) -> str:
    return text.replace("\\/", "/")
