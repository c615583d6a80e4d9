"""Reads by GET, as the Connect protocol has them; what is no read stays a POST."""

import base64
import gzip
import json

import pytest
from google.protobuf.descriptor_pb2 import MethodOptions
from shiplift.v1 import access_pb2, builds_pb2
from shipliftd.descriptors import writes

from tests.support.gateway import Answer, Caller, Raw, request
from tests.support.repository import Repository
from tests.support.rpcs import RPCS, path, rule

BUILD = "/shiplift.v1.BuildService/GetBuild"
V1 = {"connect": "v1", "encoding": "json"}


@pytest.fixture
def recorded(repository: Repository) -> Repository:
    """A repository with build 1."""
    repository.record(message="Grüße & more = 100 %")
    return repository


def asked(repository: Repository, build: int = 1) -> dict[str, object]:
    return {"owner": repository.owner, "repo": repository.name, "build": build}


def got(caller: Caller, repository: Repository, build: int = 1, **query: str) -> Answer:
    return caller.get(BUILD, **V1, message=json.dumps(asked(repository, build)), **query)


@pytest.mark.parametrize("name", RPCS)
def test_exactly_what_changes_nothing_says_so(name: str) -> None:
    rpc = RPCS[name]
    # What is explained or compared is another rpc's request.
    changes = "request_id" in rpc.input_type.fields_by_name and name not in (
        "ExplainPromotion",
        "DiffPromotion",
    )
    assert writes(rpc) == changes
    # What a runner calls offers a stage or keeps a lease, whatever it answers.
    reads = not changes and rule(rpc).level != access_pb2.ACCESS_LEVEL_RUNNER
    said = rpc.GetOptions().idempotency_level
    assert said == (MethodOptions.NO_SIDE_EFFECTS if reads else MethodOptions.IDEMPOTENCY_UNKNOWN)


@pytest.mark.parametrize("name", RPCS)
def test_what_is_no_unary_read_is_not_asked_for_by_get(caller: Caller, name: str) -> None:
    rpc = RPCS[name]
    answer = caller.get(path(rpc), **V1, message="{}")
    if rpc.GetOptions().idempotency_level == MethodOptions.NO_SIDE_EFFECTS and not rpc.server_streaming:
        assert answer.status != 405
    else:
        assert (answer.status, answer.headers["allow"]) == (405, "POST")


def test_a_build_is_read_by_get_as_by_post(caller: Caller, recorded: Repository) -> None:
    by_post = caller.rpc("BuildService/GetBuild", **asked(recorded))
    by_get = got(caller, recorded)
    assert (by_get.status, by_get.json) == (200, by_post.json)
    # A shared cache knows no callers, and in the caller's own a build would stand still.
    assert by_get.headers["cache-control"] == "no-store"
    assert "cache-control" not in by_post.headers


@pytest.mark.parametrize("compression", ["identity", "gzip"])
def test_a_message_in_protobuf_stands_there_in_base64(
    caller: Caller, recorded: Repository, compression: str
) -> None:
    data = builds_pb2.GetBuildRequest(**asked(recorded)).SerializeToString()  # type: ignore[arg-type]
    if compression == "gzip":
        data = gzip.compress(data)
    message = base64.urlsafe_b64encode(data).decode().rstrip("=")
    query = {"connect": "v1", "encoding": "proto", "base64": "1", "compression": compression}
    answer = caller.get(BUILD, **query, message=message)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/proto")
    assert builds_pb2.Build.FromString(answer.body) == recorded.get(1)


def test_a_refusal_is_kept_by_no_cache_either(caller: Caller, recorded: Repository) -> None:
    missing = got(caller, recorded, 7)
    assert (missing.status, missing.json["code"]) == (404, "not_found")
    hidden = got(caller.having(""), recorded)
    assert (hidden.status, hidden.json["code"]) == (401, "unauthenticated")
    assert missing.headers["cache-control"] == hidden.headers["cache-control"] == "no-store"


def test_the_type_of_a_body_that_is_not_there_counts_for_nothing(
    caller: Caller, recorded: Repository
) -> None:
    query = {**V1, "message": json.dumps(asked(recorded))}
    for kind in ("application/json", "application/grpc", "application/connect+json", "text/plain"):
        answer = caller.call("GET", BUILD, query, content_type=kind)
        assert (answer.status, answer.json["number"]) == (200, 1)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"connect": "v2", "encoding": "json"}, "connect is 'v2': wanted v1"),
        ({"connect": "v1", "message": "{}"}, "encoding is '(none)': wanted json or proto"),
        ({"connect": "v1", "encoding": "xml", "message": "{}"}, "encoding is 'xml': wanted json or proto"),
        (V1, "'message' parameter is required for GET requests"),
    ],
)
def test_a_query_that_is_wrong_is_told_so(caller: Caller, query: dict[str, str], told: str) -> None:
    answer = caller.call("GET", BUILD, query)
    assert (answer.told, answer.json["code"]) == ((400, told), "invalid_argument")


def test_a_get_that_is_not_the_protocols_is_not_allowed(caller: Caller) -> None:
    answer = caller.call("GET", BUILD, {"encoding": "json", "message": "{}"})
    assert (answer.status, answer.headers["allow"]) == (405, "POST")


def test_a_query_with_other_bytes_is_refused(caller: Caller) -> None:
    with Raw(caller.address) as raw:
        line = request(f"GET {BUILD}?connect=v1&encoding=json&message=MARK").replace(b"MARK", b"\xff\xfe")
        answer = raw.send(line).answer()
    assert answer.status == 400
