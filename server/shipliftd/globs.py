"""Patterns of files and branches, as Go's `filepath.Match` reads them. Pure.

*        any characters but '/'
?        one character but '/'
[a-z]    one character of a class, [^a-z] one that is not in it ('/' may be, as in Go)
\\x       x itself
"""

import re
from collections.abc import Sequence
from functools import lru_cache

_SPECIAL = re.compile(r"[*?\[\\]")
_BUT_SLASH = "[^/]"

Chunk = list[str]


def is_plain(pattern: str) -> bool:
    """Whether a pattern matches nothing but itself."""
    return _SPECIAL.search(pattern) is None


def problem(pattern: str) -> str:
    """What is wrong with a pattern, or nothing."""
    try:
        chunks(pattern)
    except ValueError as error:
        return str(error)
    return ""


def matches(pattern: str, value: str) -> bool:
    """Whether a pattern matches the whole value; one that is malformed matches nothing."""
    if is_plain(pattern):
        return pattern == value
    compiled = _compiled(pattern)
    return compiled is not None and compiled.match(value) is not None


def chunks(pattern: str, one: str = _BUT_SLASH) -> list[Chunk]:
    """What stands between the stars, as regular expressions of a character each; `one` is that of `?`.

    Raises ValueError when the pattern is malformed.
    """
    found: list[Chunk] = [[]]
    at = 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if character == "*":
            found.append([])
        elif character == "?":
            found[-1].append(one)
        elif character == "[":
            term, at = _class(pattern, at)
            found[-1].append(term)
        else:
            if character == "\\":
                character, at = _escaped(pattern, at)
            found[-1].append(re.escape(character))
    return found


def expression(parts: Sequence[Chunk], star: str = _BUT_SLASH) -> str:
    """The regular expression of chunks with stars between them, all but the last star.

    Each chunk is taken where it first fits and stays there (an atomic group): it has a fixed length, so
    a later place would leave less for the rest. So nothing is tried again and no pattern is slow.
    """
    first, *rest = ("".join(chunk) for chunk in parts)
    return first + "".join(f"(?>{star}*?{chunk})" for chunk in rest if chunk)


@lru_cache(maxsize=2048)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    try:
        *parts, last = chunks(pattern)
    except ValueError:
        return None
    star = f"{_BUT_SLASH}*?" if parts else ""
    return re.compile((expression(parts) if parts else "") + star + "".join(last) + r"\Z")


def _class(pattern: str, at: int) -> tuple[str, int]:
    negated = pattern[at : at + 1] == "^"
    at += negated
    ranges: list[str] = []
    empty = True
    while empty or pattern[at : at + 1] != "]":
        low, at = _member(pattern, at)
        high = low
        if pattern[at : at + 1] == "-":
            high, at = _member(pattern, at + 1)
        if at >= len(pattern):
            raise ValueError("a '[' has no ']'")
        if low <= high:
            ranges.append(f"{re.escape(low)}-{re.escape(high)}")
        empty = False
    if not ranges:
        # Only ranges such as z-a, in which nothing is.
        return (r"[\s\S]" if negated else "(?!)"), at + 1
    return f"[{'^' if negated else ''}{''.join(ranges)}]", at + 1


def _member(pattern: str, at: int) -> tuple[str, int]:
    character = pattern[at : at + 1]
    if not character:
        raise ValueError("a '[' has no ']'")
    if character in "-]":
        raise ValueError(
            f"a {character!r} in '[...]' stands where a character should: write '\\{character}'"
        )
    return _escaped(pattern, at + 1) if character == "\\" else (character, at + 1)


def _escaped(pattern: str, at: int) -> tuple[str, int]:
    if at >= len(pattern):
        raise ValueError("it ends with a '\\'")
    return pattern[at], at + 1
