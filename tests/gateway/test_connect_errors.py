"""How the gateway fails and answers in the words of the Connect protocol."""

import base64
from dataclasses import replace

import pytest
from google.rpc import error_details_pb2
from shiplift.v1 import builds_pb2 as pb

from tests.support.gateway import Answer, Caller, assert_failed
from tests.support.repository import Repository


def details_of(answer: Answer) -> list[object]:
    """The decoded details of a Connect error."""
    found: list[object] = []
    for detail in answer.json.get("details", []):
        value = base64.b64decode(detail["value"] + "==")
        kind = {
            "google.rpc.ErrorInfo": error_details_pb2.ErrorInfo,
            "google.rpc.BadRequest": error_details_pb2.BadRequest,
        }[detail["type"]]
        found.append(kind.FromString(value))
    return found


def test_an_rpc_fails_in_the_words_of_connect(caller: Caller, recorded: Repository) -> None:
    named = {"owner": recorded.owner, "repo": recorded.name}
    answer = caller.rpc("BuildService/GetBuild", **named, build=0)
    assert (answer.status, answer.json["code"], answer.json["message"]) == (
        400,
        "invalid_argument",
        "build: is 0: wanted 1 or above",
    )
    bad = error_details_pb2.BadRequest()
    bad.field_violations.add(field="build", description="is 0: wanted 1 or above")
    assert details_of(answer) == [
        error_details_pb2.ErrorInfo(
            reason="INVALID_ARGUMENT", domain="shiplift", metadata={"field": "build"}
        ),
        bad,
    ]
    stranger = caller.having("").rpc("BuildService/GetBuild", **named, build=1)
    assert (stranger.status, stranger.json["code"]) == (401, "unauthenticated")
    missing = caller.rpc("BuildService/GetBuild", **named, build=9)
    assert (missing.status, missing.json["code"]) == (404, "not_found")
    expected = caller.rpc("BuildService/PromoteBuild", **named, build=1, target="a", expectedCurrent=7)
    assert (expected.status, expected.json["code"]) == (409, "aborted")


def test_what_is_no_rpc_fails_in_the_words_of_connect(caller: Caller) -> None:
    caller = replace(caller, accept="application/json; details=1")
    path = "/shiplift.v1.BuildService/GetBuild"
    assert_failed(
        caller.rpc("BuildService/DropBuild"),
        404,
        "unimplemented",
        "there is no rpc /shiplift.v1.BuildService/DropBuild",
    )
    assert_failed(
        caller.post(path, (), "{}", content_type="text/plain"),
        415,
        "invalid_argument",
        "a body of the type 'text/plain' is not taken here: wanted application/json or application/proto",
    )
    assert_failed(
        caller.post(path, (), "{}", content_type="application/json", x="\xfc"),
        400,
        "invalid_argument",
        "the header x is not in ASCII",
    )


@pytest.mark.parametrize(
    "body",
    [
        *("", "null", "[]", '""', "1", "true", "[{}]", "{", "{}{}", '{"owner": 1}', '{"owner": "\\ud800"}'),
        *('{"no_such_field": 1}', '{"build": 1.5}', '{"build": 3000000000}', '{"build": NaN}'),
        *('{"owner": "a", "owner": "b"}', "[" * 10_000, "\xfc"),
    ],
    ids=lambda body: ascii(body[:20]),
)
def test_json_that_is_no_message_is_refused(caller: Caller, body: str) -> None:
    answer = caller.post(
        "/shiplift.v1.BuildService/GetBuild", (), body.encode("latin-1"), content_type="application/json"
    )
    assert (answer.status, answer.json["code"]) == (400, "invalid_argument")
    assert caller.post(
        "/shiplift.v1.AccessService/WhoAmI", (), "[]", content_type="application/json"
    ).told == (400, "unmarshal message: the body is not a JSON object")


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"A": "1", "REGION": 1}, "params['REGION'] is a number: wanted a text, in quotes"),
        ({"REGION": 1.5}, "params['REGION'] is a number: wanted a text, in quotes"),
        ({"REGION": True}, "params['REGION'] is true or false: wanted a text, in quotes"),
        ({"REGION": None}, "params['REGION'] is null: wanted a text, in quotes"),
        ({"REGION": ["hunter2"]}, "params['REGION'] is a list: wanted a text, in quotes"),
        ({"a\n": {"x": "hunter2"}}, "params['a\\n'] is an object: wanted a text, in quotes"),
        ("hunter2", "params is a text: wanted an object of texts"),
        (["hunter2"], "params is a list: wanted an object of texts"),
    ],
)
def test_a_parameter_that_is_no_text_is_refused_by_its_name(
    caller: Caller, recorded: Repository, params: object, told: str
) -> None:
    named = {"owner": recorded.owner, "repo": recorded.name, "build": 1, "target": "a"}
    for rpc in ("PromoteBuild", "RetryBuild"):
        fields = {**named, "params": params}
        if rpc == "RetryBuild":
            del fields["target"]
        answer = caller.rpc(f"BuildService/{rpc}", **fields)
        assert answer.told == (400, f"unmarshal message: {told}")


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("statuses", [True], "statuses is true or false"),
        ("statuses", ["BUILD_STATUS_SUCCESS", 6.5], "statuses is a fraction"),
        ("view", False, "view is true or false"),
        ("view", 2.6e-42, "view is a fraction"),
    ],
)
def test_an_enum_that_is_no_word_and_no_whole_number_is_refused(
    caller: Caller, recorded: Repository, field: str, value: object, told: str
) -> None:
    named = {"owner": recorded.owner, "repo": recorded.name}
    answer = caller.rpc("BuildService/ListBuilds", **named, **{field: value})
    assert answer.status == 400
    assert answer.json["message"].startswith(f"unmarshal message: {told}: wanted one of BUILD_")


def test_an_rpc_is_answered_in_json_and_in_bytes(caller: Caller, recorded: Repository) -> None:
    named = {"owner": recorded.owner, "repo": recorded.name}
    key = f"key-{recorded.name}"
    first = caller.rpc("BuildService/PromoteBuild", **named, build=1, target="a", requestId=key)
    again = caller.rpc("BuildService/PromoteBuild", **named, build=1, target="a", requestId=key)
    assert (again.status, again.json) == (first.status, first.json)
    assert (first.status, first.json["number"], first.json["deployTo"]) == (200, 2, "a")
    assert (first.headers.get("trailer-shiplift-replayed"), again.headers["trailer-shiplift-replayed"]) == (
        None,
        "true",
    )
    sent = pb.GetBuildRequest(**named, build=2).SerializeToString()
    got = caller.post("/shiplift.v1.BuildService/GetBuild", (), sent, content_type="application/proto")
    assert (got.status, got.headers["content-type"]) == (200, "application/proto")
    assert pb.Build.FromString(got.body) == recorded.get(2)
    assert caller.post(
        "/shiplift.v1.BuildService/GetBuild", (), b"\xff", content_type="application/proto"
    ).json["code"] in ("invalid_argument", "internal")
