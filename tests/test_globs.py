"""Patterns in conditions."""

import pytest
from shipliftd import globs


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
