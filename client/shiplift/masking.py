"""Masking: secret values in what a program prints are replaced, wherever the output is cut."""

import base64
import re
from collections.abc import Iterable, Iterator, Sequence

MASK = b"******"
# What is shorter stands in too much that is no secret.
LEAST = 4
_URL = bytes.maketrans(b"+/", b"-_")
# Characters of base64 that hold bits of what stands before, by its bytes beyond a multiple of three.
_MIXED = (0, 2, 3)
# `base64` and `openssl base64` break their lines there.
_WIDTHS = (76, 64)


class Masker:
    """Finds values of 4 characters and more, each of their lines, and the values in base64."""

    def __init__(self, values: Iterable[str]) -> None:
        """Prepares it; of no values, or of short ones alone, it finds nothing."""
        self._patterns = sorted({pattern for value in values for pattern in _patterns(value)})
        self._longest = max(map(len, self._patterns), default=0)
        self._breaks = any(b"\n" in pattern for pattern in self._patterns)

    def __bool__(self) -> bool:
        """Whether there is something to find."""
        return bool(self._patterns)

    def text(self, text: str) -> str:
        """The text without the values."""
        return self.texts([text])[0]

    def texts(self, texts: Sequence[str]) -> list[str]:
        """Each of the texts without the values."""
        # A file of keys or certificates has thousands of patterns, which is too much for each line.
        data = "\n".join(texts).encode()
        some = Masker(())
        some._patterns = [pattern for pattern in self._patterns if pattern in data]
        if not some:
            return list(texts)
        return [Masked(some).all(text.encode()).decode(errors="replace") for text in texts]

    def spans(self, data: bytes) -> list[tuple[int, int]]:
        """Where values begin and end, in their order; they may overlap."""
        found = []
        # One search for each is faster than one pattern of `re` for them all.
        for pattern in self._patterns:
            at = data.find(pattern)
            while at >= 0:
                found.append((at, at + len(pattern)))
                at = data.find(pattern, at + 1)
        return sorted(found)

    def begun(self, data: bytes) -> int:
        """Where that begins which may be a value once more has come; its length where nothing does."""
        size = len(data)
        first = max(0, size - self._longest + 1)
        if not self._breaks:
            first = max(first, data.rfind(b"\n") + 1)
        return min((_begun(pattern, data, first) for pattern in self._patterns), default=size)


class Masked:
    """A stream without the values; it holds back no more than may be the beginning of one."""

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._rest = b""
        # So much of the rest is of a value that is masked already.
        self._covered = 0

    def feed(self, data: bytes) -> bytes:
        """What can be passed on, now that this has come."""
        data = self._rest + data
        return self._put(data, self._masker.begun(data))

    def close(self) -> bytes:
        """What was held back."""
        return self.all(b"")

    def all(self, data: bytes) -> bytes:
        """What is left, with this as its end."""
        data = self._rest + data
        return self._put(data, len(data))

    def _put(self, data: bytes, end: int) -> bytes:
        """Masks what begins before `end`, and keeps the rest."""
        pieces: list[bytes] = []
        done = self._covered
        for begin, stop in self._masker.spans(data):
            if begin >= end:
                break
            # What overlaps is one.
            if begin >= done:
                pieces += (data[done:begin], MASK)
            done = max(done, stop)
        pieces.append(data[done:end])
        self._rest, self._covered = data[end:], max(0, done - end)
        return b"".join(pieces)


def _begun(pattern: bytes, data: bytes, first: int) -> int:
    """Where the data ends in a beginning of the pattern, from `first` on; its length where it does not."""
    size = len(data)
    at = data.find(pattern[:LEAST], max(first, size - len(pattern) + 1))
    while at >= 0:
        if pattern.startswith(data[at:]):
            return at
        at = data.find(pattern[:LEAST], at + 1)
    # What is shorter than was looked for.
    last = range(max(first, size - LEAST + 1), size)
    return next((at for at in last if pattern.startswith(data[at:])), size)


def _patterns(value: str) -> Iterator[bytes]:
    whole = value.strip()
    if len(whole) < LEAST:
        return
    lines = [line.strip() for line in re.split("[\r\n]+", whole)]
    yield from (line.encode() for line in lines if len(line) >= LEAST)
    if any(len(line) < LEAST for line in lines):
        yield whole.encode()
    yield from _in_base64(whole.encode())


def _in_base64(value: bytes) -> Iterator[bytes]:
    alone = base64.b64encode(value).rstrip(b"=")
    found = {alone}
    for before, mixed in enumerate(_MIXED):
        # Of the last character, too, the value has only some bits.
        size = (before + len(value)) * 8 // 6
        found.add(base64.b64encode(bytes(before) + value)[mixed:size])
    for width in _WIDTHS:
        if len(alone) > width:
            found.update(alone[at : at + width] for at in range(0, len(alone), width))
    for pattern in found:
        if len(pattern) >= LEAST:
            yield pattern
            yield pattern.translate(_URL)
