"""Masking: no value gets through, wherever the output is cut, and all else does."""

import base64
import time
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shiplift.masking import Masked, Masker

KEY = "-----BEGIN KEY-----\n" + "\n".join(f"MIIEow{n:058}" for n in range(8)) + "\n-----END KEY-----\n"


def masked(values: Iterable[str], chunks: Iterable[bytes]) -> bytes:
    stream = Masked(Masker(values))
    return b"".join([*map(stream.feed, chunks), stream.close()])


@pytest.mark.parametrize(
    ("values", "printed", "kept"),
    [
        (["hunter2"], "the password is hunter2.\n", "the password is ******.\n"),
        (["hunter2"], "hunter2hunter2 hunter\n", "************ hunter\n"),
        (["abcd", "cdef"], "abcdef abc cdef\n", "****** abc ******\n"),
        (["abcd", "abcdefgh"], "abcdefgh abcdefg\n", "****** ******efg\n"),
        (["abcabd"], "abcabcabd\n", "abc******\n"),
        (["  hunter2\r\n"], "hunter2\n", "******\n"),
        (["müller"], "Herr müller\n", "Herr ******\n"),
        (["abc", "", "   \n"], "abc\n", "abc\n"),
        (["first\nof\nthree"], "first\nand three\nof\n", "******\nand ******\nof\n"),
        (["first\nof\nthree"], "first\nof\nthree\n", "******\n"),
        (["hunter2"], "aHVudGVyMg==\naHVudGVyMgo=\n", "******==\n******o=\n"),
        (["hunter2"], "xaHVudGVyMg\n", "x******\n"),
        (["~~~???~~"], "fn5-Pz8_fn4 fn5+Pz8/fn4=", "****** ******="),
    ],
)
def test_what_is_left_of_it(values: list[str], printed: str, kept: str) -> None:
    data = printed.encode()
    assert masked(values, [data]) == kept.encode()
    assert masked(values, [data[at : at + 1] for at in range(len(data))]) == kept.encode()
    assert Masker(values).text(printed) == kept
    # Of several each is by itself.
    assert Masker(values).texts([printed[:3], printed, "", printed]) == [printed[:3], kept, "", kept]


def test_a_long_value_is_found_in_base64_as_programs_break_it() -> None:
    text = base64.encodebytes(KEY.encode()).decode()
    narrow = base64.b64encode(KEY.encode()).decode()
    for printed in (text, "\n".join(narrow[at : at + 64] for at in range(0, len(narrow), 64))):
        kept = masked([KEY], [printed.encode()]).decode()
        # What is not of the value: how its last newline ends.
        assert [line for line in kept.splitlines() if len(line.replace("******", "")) > 4] == []


def test_nothing_is_held_back_but_the_beginning_of_a_value() -> None:
    stream = Masked(Masker(["hunter2"]))
    assert stream.feed(b"password: ") == b"password: "
    assert stream.feed(b"password: hun") == b"password: "
    assert stream.feed(b"t") == b""
    assert stream.feed(b" and on\nhunt\n") == b"hunt and on\nhunt\n"
    assert stream.feed(b"hunter") == b""
    assert stream.close() == b"hunter"


# No star, which the mask has, and few letters, so that values begin within each other.
LETTERS = st.characters(codec="utf-8", exclude_characters="*\r\n \0", exclude_categories=["Cs", "Z", "Cc"])
VALUE = st.text(st.sampled_from("abü"), min_size=4, max_size=9) | st.text(LETTERS, min_size=4)
VALUES = st.lists(VALUE, min_size=1, max_size=4)


@given(VALUES, st.data())
def test_no_value_gets_through_however_it_is_cut(values: list[str], data: st.DataObject) -> None:
    shown = [*(value.encode() for value in values)]
    for value in values:
        for before in range(3):
            shown.append(base64.b64encode(b"xyz"[:before] + value.encode() + b"after"))
            shown.append(base64.urlsafe_b64encode(b"xyz"[:before] + value.encode()))
    noise = st.binary(max_size=5) | st.text(st.sampled_from("abü\n"), max_size=6).map(str.encode)
    pieces = data.draw(st.lists(noise | st.sampled_from(shown), max_size=12))
    whole = b"".join(pieces)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(whole)), max_size=20)))
    chunks = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    kept = masked(values, chunks)
    assert kept == masked(values, [whole])
    for value in values:
        assert value.encode() not in kept
        for before in range(3):
            inner = base64.b64encode(bytes(before) + value.encode())
            inner = inner[(0, 2, 3)[before] : (before + len(value.encode())) * 8 // 6]
            assert inner not in kept
            assert inner.translate(bytes.maketrans(b"+/", b"-_")) not in kept


def test_it_is_faster_than_lines_are_sent() -> None:
    values = [f"{n:03}-a-secret-value-{n * 7919}" for n in range(10)]
    line = b"compiling src/some/module_%d.c with flags -O2 -Wall, and warnings on the way\n"
    chunk = b"".join(line % n for n in range(800))
    stream = Masked(Masker(values))
    begun = time.perf_counter()
    for _ in range(100):
        assert stream.feed(chunk) == chunk
    seconds = time.perf_counter() - begun
    # Several times what is sent in a second, on a machine that does much else.
    assert len(chunk) * 100 / seconds > 5_000_000


def test_many_lines_at_once_cost_little_whatever_the_patterns_are() -> None:
    certificates = "\n".join(f"MIIEow{n * 7919:058}" for n in range(900))
    masker = Masker([certificates])
    lines = [f"compiling src/some/module_{n}.c, and warnings on the way\n" for n in range(1000)]
    lines[7] = f"it has {certificates.splitlines()[3]}!\n"
    begun = time.process_time()
    kept = masker.texts(lines)
    seconds = time.process_time() - begun
    assert (kept[7], kept[:7], kept[8:]) == ("it has ******!\n", lines[:7], lines[8:])
    # Line by line it took more than a second, in which a server answers nobody else.
    assert seconds < 0.3
