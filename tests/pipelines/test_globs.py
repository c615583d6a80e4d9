"""Patterns in conditions."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shipliftd.pipelines import globs


# What Go's filepath.Match says of them.
@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        ("abc", "abc", True),
        ("*", "abc", True),
        ("*", "", True),
        ("*c", "abc", True),
        ("a*", "ab/c", False),
        ("a*/b", "abc/b", True),
        ("a*/b", "a/c/b", False),
        ("a*b*c*d*e*/f", "axbxcxdxe/f", True),
        ("a*b?c*x", "abxbbxdbxebxczzx", True),
        ("a*b?c*x", "abxbbxdbxebxczzy", False),
        ("ab[c]", "abc", True),
        ("ab[b-d]", "abc", True),
        ("ab[^b-d]", "abc", False),
        ("ab[^e-g]", "abc", True),
        ("a[z-a]", "ab", False),
        ("a[^z-a]", "ab", True),
        ("a[/]b", "a/b", True),
        (r"a\*b", "a*b", True),
        (r"a\*b", "ab", False),
        ("a?b", "a☺b", True),
        ("a[^a]b", "a☺b", True),
        ("a?b", "a/b", False),
        ("[a-☺]*", "ü", True),
        (r"[\]a]", "]", True),
        (r"[\-x]", "-", True),
        (r"[x\-]", "x", True),
        ("*x", "xxx", True),
        ("a.c", "abc", False),
        ("a", "a\n", False),
    ],
)
def test_globs(pattern: str, value: str, expected: bool) -> None:
    assert (globs.matches(pattern, value), globs.problem(pattern)) == (expected, "")


def test_no_glob_is_slow() -> None:
    assert not globs.matches("*a" * 250 + "b", "a" * 500)


def test_many_patterns_are_looked_for_at_once() -> None:
    patterns = ["a*", "*b", "[", "a?", "[^a]*", "a*c", "ab", "*[a-b]"]
    assert globs.Globs(patterns).matching("ab") == {"a*", "*b", "a?", "ab", "*[a-b]"}
    assert globs.Globs(patterns).matching("") == set()
    many = [f"{n}*" for n in range(1000)]
    assert globs.Globs(many).matching("123") == {"1*", "12*", "123*"}
    assert globs.Globs([]).matching("ab") == set()


parts = st.sampled_from(["*", "?", "a", "b", "/", "[ab]", "[^a]", "[a-c]", "[^b-c/]", r"\*", "ü"])


def slowly(pattern: list[str], value: str) -> bool:
    """The same by the words of the rule, each place tried."""
    if not pattern:
        return not value
    first, *rest = pattern
    if first == "*":
        ends = [at for at in range(len(value) + 1) if "/" not in value[:at]]
        return any(slowly(rest, value[at:]) for at in ends)
    kinds: dict[str, Callable[[str], bool]] = {
        "?": lambda c: c != "/",
        "[ab]": lambda c: c in "ab",
        "[^a]": lambda c: c != "a",
        "[a-c]": lambda c: c in "abc",
        "[^b-c/]": lambda c: c not in "bc/",
        r"\*": lambda c: c == "*",
    }
    if not value:
        return False
    fits = kinds[first](value[0]) if first in kinds else value[0] == first
    return fits and slowly(rest, value[1:])


@given(st.lists(st.lists(parts, max_size=6), max_size=6), st.text("ab/cü*", max_size=8))
@settings(max_examples=500, deadline=None)
def test_any_patterns_match_as_each_does_alone(patterns: list[list[str]], value: str) -> None:
    expected = {"".join(pattern) for pattern in patterns if slowly(pattern, value)}
    assert globs.Globs(map("".join, patterns)).matching(value) == expected
