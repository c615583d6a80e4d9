"""The reasons of refusals: those that the server raises are those that errors.proto documents."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import shipliftd
from shiplift.v1 import errors_pb2
from shipliftd import errors
from shipliftd.errors import Aborted, Exhausted, Invalid, Precondition, Refusal

from tests.support.reasons import DOCUMENTED, Documented

SERVER = Path(shipliftd.__file__).parent
KINDS: dict[str, type[Refusal]] = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, Refusal) and kind.code != grpc.StatusCode.UNKNOWN
}
# What cannot start tells its operator so, and no caller.
STARTS = {
    *("command.py", "logins.py", "builds/parameters.py", "server.py", "settings.py", "tls.py"),
    *("store/__init__.py", "store/backups.py", "store/copying.py", "store/opening.py", "store/schema.py"),
    *("administration.py", "store/postgres.py", "store/postgres_database.py", "metrics/serving.py"),
    *("gateway/serving.py", "gateway/standalone.py", "gateway/upstream.py", "secrets/keys.py"),
}


@dataclass(frozen=True)
class Raised:
    """A place where the server makes a refusal."""

    place: str
    kind: type[Refusal]
    reason: str
    keys: frozenset[str]
    has_violations: bool


def raised() -> Iterator[Raised]:
    """Every refusal that a caller of an rpc can be told."""
    for path in SERVER.rglob("*.py"):
        name = str(path.relative_to(SERVER))
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            kind = KINDS.get(node.func.id)
            if kind is None:
                continue
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            place = f"{name}:{node.lineno}"
            if "reason" not in given and kind is Precondition and name in STARTS:
                continue
            reason = ast.literal_eval(given["reason"]) if "reason" in given else kind.reason
            if kind is Invalid:
                keys = frozenset(Invalid([("field", "is wrong")]).metadata)
            else:
                keys = literal_keys(given.get("metadata"), place)
            yield Raised(place, kind, reason, keys, "violations" in given)


def literal_keys(metadata: ast.expr | None, place: str) -> frozenset[str]:
    """The keys of a dictionary that stands there as it is."""
    if metadata is None:
        return frozenset()
    assert isinstance(metadata, ast.Dict), f"{place}: metadata is no literal"
    return frozenset(ast.literal_eval(key) for key in metadata.keys if key is not None)


RAISED = list(raised())


def test_every_refusal_has_a_reason() -> None:
    assert [found.place for found in RAISED if not found.reason] == []


def test_a_reason_always_comes_with_one_code() -> None:
    codes: dict[str, set[grpc.StatusCode]] = {}
    for found in RAISED:
        codes.setdefault(found.reason, set()).add(found.kind.code)
    assert {reason: found for reason, found in codes.items() if len(found) > 1} == {}


def test_what_the_server_raises_is_what_the_proto_documents() -> None:
    keys: dict[str, frozenset[str]] = {}
    for found in RAISED:
        keys[found.reason] = keys.get(found.reason, frozenset()) | found.keys
    codes = {found.reason: found.kind.code for found in RAISED}
    assert {reason: Documented(codes[reason], keys[reason]) for reason in keys} == DOCUMENTED


def test_every_value_of_the_enum_is_documented() -> None:
    words = [name.removeprefix("ERROR_REASON_") for name, _ in errors_pb2.ErrorReason.items()]
    assert words == ["UNSPECIFIED", *DOCUMENTED]


def test_the_default_reasons_are_raised() -> None:
    assert {kind.reason for kind in KINDS.values()} - {found.reason for found in RAISED} - {""} == set()


def test_what_is_against_a_call_stands_in_violations() -> None:
    of_state = [found for found in RAISED if issubclass(found.kind, Aborted | Precondition)]
    assert [found.place for found in of_state if not found.has_violations] == []


def test_what_passes_says_when_to_try_again() -> None:
    passes = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED}
    kinds = {kind for kind in KINDS.values() if kind.code in passes}
    # How long an exhausted one waits, each says itself.
    assert {kind for kind in KINDS.values() if kind.retry_after} == kinds - {Exhausted}
