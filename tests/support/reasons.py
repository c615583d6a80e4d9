"""What errors.proto says of each reason."""

import re
from pathlib import Path
from typing import NamedTuple

import grpc

PROTO = Path(__file__).parents[2] / "protos" / "shiplift" / "v1" / "errors.proto"
_VALUE = re.compile(r"((?:^  //.*\n)+)^  ERROR_REASON_([A-Z_]+) = [1-9]", re.MULTILINE)
_LAST_SENTENCES = re.compile(r".+ Code: ([A-Z_]+)\.(?: Metadata: (.+)\.)?")
_KEY = re.compile(r"`([a-z_]+)`")


class Documented(NamedTuple):
    """The status code that a reason comes with, and the keys of its metadata."""

    code: grpc.StatusCode
    keys: frozenset[str]


def _read(comment: str) -> Documented:
    text = " ".join(line.strip().removeprefix("//").strip() for line in comment.splitlines())
    found = _LAST_SENTENCES.fullmatch(text)
    assert found is not None, f"a comment that does not end with code and metadata: {text}"
    return Documented(grpc.StatusCode[found[1]], frozenset(_KEY.findall(found[2] or "")))


DOCUMENTED = {word: _read(comment) for comment, word in _VALUE.findall(PROTO.read_text())}
