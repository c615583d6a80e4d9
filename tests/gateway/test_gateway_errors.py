"""How each failure looks on Drone's routes, whole."""

import re
from collections.abc import Iterator
from dataclasses import replace

import grpc
import pytest
from shiplift.v1 import access_pb2
from shipliftd.gateway.absent import ABSENT
from shipliftd.gateway.failures import STATUS_OF

from tests.support.beside import opened
from tests.support.gateway import Caller, Raw, assert_failed, logged, request
from tests.support.harness import Gateway, Shipliftd
from tests.support.repository import Repository

INFO = "type.googleapis.com/google.rpc.ErrorInfo"
STATE = "type.googleapis.com/google.rpc.PreconditionFailure"
BAD = "type.googleapis.com/google.rpc.BadRequest"


def info(reason: str, **metadata: str) -> dict[str, object]:
    """The detail that every refusal of the server has."""
    told: dict[str, object] = {"@type": INFO, "reason": reason, "domain": "shiplift"}
    return told | ({"metadata": metadata} if metadata else {})


@pytest.fixture
def caller(caller: Caller) -> Caller:
    """Somebody who asks for details."""
    return replace(caller, accept="application/json; details=1")


@pytest.fixture
def recorded(repository: Repository) -> Repository:
    """A repository with build 1."""
    repository.record(ref="refs/heads/main")
    return repository


def promotion(repository: Repository) -> str:
    return f"/api/repos/{repository.slug}/builds/1/promote"


def test_400_names_every_fault(caller: Caller, recorded: Repository) -> None:
    target = "'a b' is not an environment's name: wanted 1 to 100 of letters, digits, '.', '_', '-', '/'"
    name = "this name is refused, because a runner, a shell or a language obeys it: choose another"
    assert_failed(
        caller.post(promotion(recorded), {"target": "a b", "CI": "1"}),
        400,
        "INVALID_ARGUMENT",
        f"target: {target}; params['CI']: {name}",
        info("INVALID_ARGUMENT", field="target"),
        {
            "@type": BAD,
            "field_violations": [
                {"field": "target", "description": target},
                {"field": "params['CI']", "description": name},
            ],
        },
    )


def test_401_says_how_to_prove_who_one_is(caller: Caller, recorded: Repository) -> None:
    realm = 'Bearer realm="shiplift"'
    assert_failed(
        caller.having("").post(promotion(recorded), {"target": "a"}),
        401,
        "UNAUTHENTICATED",
        "PromoteBuild needs a token here: send it as the metadata `authorization: Bearer TOKEN`",
        info("NO_TOKEN", method="PromoteBuild"),
        www_authenticate=realm,
    )
    assert_failed(
        caller.having("shl_x").get("/api/user"),
        401,
        "UNAUTHENTICATED",
        "the token is not known here: was it made on another server, or cut off when copied?",
        info("UNKNOWN_TOKEN"),
        www_authenticate=realm,
    )


def test_403_says_what_is_missing(caller: Caller, recorded: Repository) -> None:
    reader = recorded.of(f"reader-{recorded.name}", access_pb2.ACCESS_LEVEL_READ)
    answer = caller.having(reader.token or "").post(promotion(recorded), {"target": "a"})
    message = (
        f"PromoteBuild needs write on {recorded.slug}; reader-{recorded.name} has read: an admin of the"
        " repository can grant it"
    )
    detail = info("PERMISSION_DENIED", method="PromoteBuild", needs="write", has="read")
    assert_failed(answer, 403, "PERMISSION_DENIED", message, detail)


def test_404_is_of_what_is_hidden_what_is_not_there_and_what_is_no_route(
    caller: Caller, recorded: Repository
) -> None:
    hidden = "repository {} not found: it does not exist, or you may not read it"
    outsider = caller.having(recorded.of(f"outsider-{recorded.name}").token or "")
    for who, slug in ((outsider, recorded.slug), (outsider, "a/b"), (caller, "a/b")):
        owner, repo = slug.split("/")
        assert_failed(
            who.get(f"/api/repos/{slug}"),
            404,
            "NOT_FOUND",
            hidden.format(slug),
            info("REPOSITORY_NOT_FOUND", owner=owner, repo=repo),
        )
    assert_failed(
        caller.get(f"/api/repos/{recorded.slug}/builds/9"),
        404,
        "NOT_FOUND",
        f"build 9 of {recorded.slug} not found: ListBuilds shows those there are",
        info("BUILD_NOT_FOUND", owner=recorded.owner, repo=recorded.name, build="9"),
    )
    assert_failed(
        caller.having("").get("/nowhere"),
        404,
        "NOT_FOUND",
        "there is no route '/nowhere': /docs lists those there are",
    )


def test_405_says_what_is_allowed(caller: Caller) -> None:
    assert_failed(
        caller.call("DELETE", "/api/user"),
        405,
        "UNIMPLEMENTED",
        "this method is not allowed here: GET, HEAD, PATCH are",
        allow="GET, HEAD, PATCH",
    )


def test_409_is_of_a_key_that_was_used_for_something_else(caller: Caller, recorded: Repository) -> None:
    key = f"key-{recorded.name}"
    assert caller.post(promotion(recorded), {"target": "a"}, idempotency_key=key).status == 200
    assert_failed(
        caller.post(promotion(recorded), {"target": "b"}, idempotency_key=key),
        409,
        "ALREADY_EXISTS",
        f"request_id '{key}' was used for another PromoteBuild: use a new one for a new request, and the"
        " old one only to repeat it unchanged",
        info("REQUEST_ID_TAKEN", method="PromoteBuild", request_id=key),
    )


def test_412_is_of_another_deployment_than_the_expected_one(caller: Caller, recorded: Repository) -> None:
    answer = caller.post(promotion(recorded), {"target": "a"}, shiplift_expected_current="7")
    assert_failed(
        answer,
        412,
        "ABORTED",
        "a is empty, expected was build 7: look at what is there, then promote with expected_current 0",
        info("UNEXPECTED_CURRENT", environment="a", expected="7", current="0"),
        {
            "@type": STATE,
            "violations": [
                {
                    "type": "UNEXPECTED_CURRENT",
                    "subject": "expected_current",
                    "description": "0 is current in a",
                }
            ],
        },
    )


@pytest.mark.parametrize(
    ("bytes_", "status", "message"),
    [
        (
            request("POST /api/user/repos", "content-length: 1048577"),
            413,
            "the request's body has over 1048576 bytes",
        ),
        (request(f"GET /api/user?{'x' * 460_000}"), 414, "the URL has over 458752 bytes"),
        (request("GET /api/user", f"x: {'y' * 600_000}"), 431, "the request's head has over 524288 bytes"),
    ],
    ids=["413", "414", "431"],
)
def test_what_is_too_long_is_told_so(caller: Caller, bytes_: bytes, status: int, message: str) -> None:
    with Raw(caller.address) as raw:
        answer = raw.send(bytes_).last()
    assert (answer.status, answer.json) == (status, {"message": message, "code": "INVALID_ARGUMENT"})
    assert answer.headers["connection"] == "close"


def test_415_says_what_is_taken(caller: Caller, recorded: Repository) -> None:
    answer = caller.post(promotion(recorded), {"target": "a"}, "{}", content_type="application/json")
    message = (
        "a body of the type 'application/json' is not taken here: wanted none, or"
        " application/x-www-form-urlencoded"
    )
    assert_failed(answer, 415, "INVALID_ARGUMENT", message)


def test_501_says_what_to_use_instead(caller: Caller, recorded: Repository) -> None:
    answer = caller.get(f"/api/repos/{recorded.slug}/registry")
    assert_failed(answer, 501, "UNIMPLEMENTED", ABSENT["/api/repos/{owner}/{repo}/registry"])


def test_500_tells_an_id_and_no_more(own_server: Shipliftd) -> None:
    own_server.access().CreateRepository(access_pb2.CreateRepositoryRequest(owner="octocat", repo="app"))
    repository = Repository(own_server, "octocat", "app")
    repository.record(params={"TOKEN": "hunter2"})
    with opened(own_server.database) as other:
        other.execute("""UPDATE builds SET params = '{"TOKEN":"hunter2"'""")
    with Gateway(own_server.address) as gateway:
        asks = "application/json; details=1"
        answer = Caller(gateway.http, own_server.admin_token, accept=asks).get(
            "/api/repos/octocat/app/builds/1"
        )
    message = answer.json["message"]
    assert re.fullmatch(r"a defect in the server; its log has the cause under id [0-9a-f]{12}", message)
    assert_failed(answer, 500, "INTERNAL", message, info("INTERNAL", id=message[-12:]))
    assert logged(own_server, answer.headers["x-request-id"], "defect")["id"] == message[-12:]


@pytest.mark.parametrize(
    ("accept", "is_asked"),
    [
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("application/json; details=0", False),
        ("application/json; details=10", False),
        ("application/json;xdetails=1", False),
        ("application/json;details=1", True),
        ("text/html, application/json ;q=1; Details=1 , */*", True),
    ],
)
def test_details_are_sent_to_whom_asks_for_them(
    caller: Caller, recorded: Repository, accept: str, is_asked: bool
) -> None:
    told = replace(caller, accept=accept).post(promotion(recorded), {"target": ""}).json
    message = "target: is empty: name the environment to promote to, such as 'production'"
    details = told.pop("details", None)
    assert told == {"message": message, "code": "INVALID_ARGUMENT"}
    assert (details is not None) == is_asked
    # Connect's clients have them always.
    named = {"owner": recorded.owner, "repo": recorded.name}
    assert replace(caller, accept=accept).rpc("BuildService/GetBuild", **named).json["details"]


# Never null.


def _values(answer: object) -> Iterator[object]:
    """All that stands in `answer`, at any depth."""
    yield answer
    if isinstance(answer, dict):
        answer = list(answer.values())
    if isinstance(answer, list):
        for each in answer:
            yield from _values(each)


def test_nothing_that_can_go_wrong_is_answered_with_null(caller: Caller, repository: Repository) -> None:
    builds = f"/api/repos/{repository.slug}/builds"
    for method, path in (
        ("GET", builds),
        ("GET", f"{builds}/1"),
        ("GET", f"{builds}/latest"),
        ("GET", f"{builds}/deployments"),
        ("POST", f"{builds}/1"),
        ("POST", f"{builds}/1/promote"),
        ("POST", f"{builds}/1/rollback"),
        ("POST", f"{builds}/1/approve/1"),
        ("POST", f"{builds}/1/decline/1"),
        ("POST", f"{builds}/1/decline"),
        ("DELETE", f"{builds}/1"),
        ("GET", "/api/queue"),
        ("GET", "/api/builds/incomplete"),
        ("GET", "/api/user/repos"),
    ):
        answer = caller.call(method, path, {"target": "production"})
        found = answer.json
        assert found is not None
        # What Drone's client would take for an empty build.
        assert (answer.status == 200) == isinstance(found, list), (method, path)
        assert None not in _values(found), (method, path)


def test_every_code_of_grpc_has_a_status() -> None:
    assert {code.name: STATUS_OF.get(code, 500) for code in grpc.StatusCode} == {
        "OK": 500,
        "CANCELLED": 503,
        "UNKNOWN": 500,
        "INVALID_ARGUMENT": 400,
        "DEADLINE_EXCEEDED": 504,
        "NOT_FOUND": 404,
        "ALREADY_EXISTS": 409,
        "PERMISSION_DENIED": 403,
        "UNAUTHENTICATED": 401,
        "RESOURCE_EXHAUSTED": 429,
        "FAILED_PRECONDITION": 409,
        "ABORTED": 409,
        "UNIMPLEMENTED": 501,
        "INTERNAL": 500,
        "UNAVAILABLE": 503,
        "DATA_LOSS": 500,
        "OUT_OF_RANGE": 400,
    }
