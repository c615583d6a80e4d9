"""What a request to the gateway may carry: keys of the query, tokens, headers, bodies, methods, ids."""

import json
from urllib.parse import urlencode

import pytest
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb

from tests.support.gateway import Answer, Caller, logged
from tests.support.harness import Gateway, Shipliftd
from tests.support.repository import Repository
from tests.support.staged import pipelines

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def recorded(repository: Repository) -> Repository:
    """A repository with build 1."""
    repository.record(ref="refs/heads/main", pipeline=pipelines({"trigger": {}}))
    return repository


def promotion(repository: Repository) -> str:
    """The route that promotes build 1."""
    return f"/api/repos/{repository.slug}/builds/1/promote"


# Parameters.


def test_every_key_but_two_is_a_parameter_whatever_it_is_called(
    caller: Caller, recorded: Repository
) -> None:
    params = {
        name: f"value of {name}"
        for name in (
            *("owner", "repo", "build", "number", "request_id", "expected_current", "page", "per_page"),
            *("branch", "commit", "params", "idempotency_key", "event", "Target", "TARGET", "token"),
        )
    }
    answer = caller.post(promotion(recorded), {"target": "production", **params})
    assert (answer.status, answer.json["params"]) == (200, params)
    assert (answer.json["number"], answer.json["parent"]) == (2, 1)


def test_a_new_builds_parameters_are_every_key_but_three(caller: Caller, recorded: Repository) -> None:
    params = {"target": "a", "owner": "b", "repo": "c", "number": "7", "request_id": "d", "page": "2"}
    answer = caller.post(f"/api/repos/{recorded.slug}/builds", {"branch": "main", "commit": "", **params})
    assert (answer.status, answer.json["params"], answer.json["number"]) == (200, params, 2)


def test_of_a_repeated_key_the_first_value_counts(caller: Caller, recorded: Repository) -> None:
    query = [("A", "1"), ("target", "staging"), ("A", "2"), ("target", "production"), ("B", ""), ("B", "3")]
    answer = caller.post(promotion(recorded), query)
    assert (answer.json["deploy_to"], answer.json["params"]) == ("staging", {"A": "1", "B": ""})


def test_values_are_decoded_once(caller: Caller, recorded: Repository) -> None:
    params = {"A": "a b+c&d=e;f%20g#h?i/j", "B": "ü🚢\n\t", "C": "%41", "D": "", "E": "x" * 10_000}
    answer = caller.post(promotion(recorded), {"target": "a/b", **params})
    assert (answer.json["deploy_to"], answer.json["params"]) == ("a/b", params)
    answer = caller.post(f"{promotion(recorded)}?target=a%2Fb&A=1+1%2B1&B&C=&D=a=b&&E=;")
    assert (answer.json["deploy_to"], answer.json["params"]) == (
        "a/b",
        {"A": "1 1+1", "B": "", "C": "", "D": "a=b", "E": ";"},
    )


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("target=a&A=%FF", "the query is not UTF-8 in percent-encoding"),
        ("target=%FF", "the query is not UTF-8 in percent-encoding"),
        ("target=a&%ED%A0%80=1", "the query is not UTF-8 in percent-encoding"),
        ("target=a&" + "&".join(f"A{n}=1" for n in range(1000)), "the query has over 1000 keys"),
        ("target=a&A=%00", "params['A']: the value has a NUL, which no environment holds"),
        ("target=a&=1", "params['']: not a variable's name: wanted letters, digits, '_', no digit first"),
        ("A=1", "target: is empty: name the environment to promote to, such as 'production'"),
        ("target=", "target: is empty: name the environment to promote to, such as 'production'"),
    ],
)
def test_what_cannot_be_a_parameter_is_refused(
    caller: Caller, recorded: Repository, query: str, message: str
) -> None:
    assert caller.post(f"{promotion(recorded)}?{query}").told == (400, message)
    assert recorded.numbers() == [1]


# Tokens.


def test_a_token_in_the_query_serves_as_one_in_the_header(
    caller: Caller, recorded: Repository, server: Shipliftd
) -> None:
    stranger = caller.having("")
    answer = stranger.post(
        promotion(recorded), {"access_token": caller.token, "target": "production", "A": "1"}
    )
    assert (answer.status, answer.json["params"], answer.json["trigger"]) == (200, {"A": "1"}, "admin")
    assert stranger.get("/api/user", access_token=caller.token).json["login"] == "admin"


def test_the_header_wins_over_the_query(caller: Caller, server: Shipliftd, name: str) -> None:
    other = server.user(f"other-{name}")
    assert caller.having(other).get("/api/user", access_token=caller.token).json["login"] == f"other-{name}"
    assert caller.having("shl_unknown").get("/api/user", access_token=caller.token).status == 401
    answer = caller.having("").call("GET", "/api/user", {"access_token": other}, authorization="")
    assert answer.status == 401


@pytest.mark.parametrize(
    "authorization",
    ["Bearer", "Bearer ", "Basic YTpi", "token", "Bearer \xfc", "Bearer a b", "Bearer " + "x" * 20_000],
)
def test_what_is_no_token_is_401(caller: Caller, authorization: str) -> None:
    answer = caller.having("").call("GET", "/api/user", authorization=authorization)
    assert (answer.status, answer.headers["www-authenticate"]) == (401, 'Bearer realm="shiplift"')


def test_a_token_in_the_query_stands_in_no_log_no_error_and_no_parameter(
    caller: Caller, server: Shipliftd, gateway: Gateway, recorded: Repository
) -> None:
    secret = server.user(f"old-{recorded.name}", recorded.slug, access_pb2.ACCESS_LEVEL_WRITE)
    stranger = caller.having("")
    token = {"access_token": secret}
    answers = [
        stranger.post(promotion(recorded), [*token.items(), ("target", "production"), *token.items()]),
        stranger.form(promotion(recorded), token, target="staging", access_token=secret),
        stranger.post(promotion(recorded), {**token, "target": "a b"}),
        stranger.post(promotion(recorded), {**token, "target": "a", "PATH": "1"}),
        stranger.post(f"{promotion(recorded)}?{urlencode(token)}&A=%FF"),
        stranger.post(promotion(recorded), token, b"x", content_type="text/plain"),
        stranger.call("PUT", promotion(recorded), token),
        stranger.get("/nowhere", **token),
        stranger.get("/api/user", access_token=f"{secret}x"),
        stranger.post(f"/api/repos/{recorded.slug}/builds", {**token, "branch": "main"}),
        stranger.post(f"{promotion(recorded)}?{urlencode(token)}&A={'x' * 500_000}"),
        stranger.post("/shiplift.v1.BuildService/GetBuild", token, b"{}", content_type="application/json"),
    ]
    assert [answer.status for answer in answers] == [
        *(200, 200, 400, 400, 400, 415, 405, 404, 401, 200, 414, 400),
    ]
    for answer in answers:
        assert secret.encode() not in answer.body
        assert secret not in str(answer.headers)
    # Once the last line is there, those before it are.
    last = stranger.get("/nowhere", **token).headers["x-request-id"]
    logged(server if caller.address == server.http else gateway, last)
    assert secret not in json.dumps([server.log, gateway.log])
    for number in recorded.numbers():
        assert secret not in str(recorded.get(number))


# Headers in place of keys.


def test_an_idempotency_key_makes_a_promotion_safe_to_repeat(caller: Caller, recorded: Repository) -> None:
    def promote(target: str = "production") -> Answer:
        return caller.post(promotion(recorded), {"target": target}, idempotency_key=f"k {recorded.name}")

    first = promote()
    assert (first.status, "shiplift-replayed" in first.headers) == (200, False)
    again = promote()
    assert (again.status, again.json, again.headers["shiplift-replayed"]) == (200, first.json, "true")
    assert promote("staging").told == (
        409,
        f"request_id 'k {recorded.name}' was used for another PromoteBuild: use a new one for a new"
        " request, and the old one only to repeat it unchanged",
    )
    assert recorded.numbers() == [2, 1]


def test_an_idempotency_key_makes_recording_and_registering_safe_to_repeat(
    caller: Caller, recorded: Repository
) -> None:
    key = {"idempotency_key": f"key-{recorded.name}"}
    first = caller.post(f"/api/repos/{recorded.slug}/builds", **key)
    again = caller.post(f"/api/repos/{recorded.slug}/builds", **key)
    assert (again.json, again.headers["shiplift-replayed"]) == (first.json, "true")
    assert caller.post(f"/api/repos/{recorded.slug}-new", **key).status == 200
    assert caller.post(f"/api/repos/{recorded.slug}-new", **key).status == 200
    assert caller.post(f"/api/repos/{recorded.slug}-newer", **key).status == 409


@pytest.mark.parametrize("key", ["", "x" * 129, "\xfc", "a\tb"], ids=ascii)
@pytest.mark.parametrize("rest", ["", "/builds", "/builds/1/promote"])
def test_an_idempotency_key_that_would_not_be_one_is_refused(
    caller: Caller, recorded: Repository, key: str, rest: str
) -> None:
    answer = caller.post(f"/api/repos/{recorded.slug}{rest}", {"target": "a"}, idempotency_key=key)
    assert answer.told == (400, "Idempotency-Key: wanted 1 to 128 printable ASCII characters")
    assert recorded.numbers() == [1]


def test_the_deployment_that_a_caller_expects_must_be_the_current_one(
    caller: Caller, recorded: Repository
) -> None:
    def promote(expected: str) -> Answer:
        return caller.post(
            promotion(recorded),
            {"target": "a"},
            accept="application/json; details=1",
            shiplift_expected_current=expected,
        )

    assert promote("0").json["number"] == 2
    recorded.report(2, pb.BUILD_STATUS_SUCCESS)
    refused = promote("0")
    assert (refused.status, refused.json["code"], refused.json["details"][0]["reason"]) == (
        412,
        "ABORTED",
        "UNEXPECTED_CURRENT",
    )
    assert promote("2").json["number"] == 3
    for number in ("", "x", "-1", "1.0", "2147483648", "0x2", "\xb2"):
        assert promote(number).told == (
            400,
            f"Shiplift-Expected-Current: {number!r} is not a build's number",
        )
    assert recorded.numbers() == [3, 2, 1]


# Bodies.


def test_the_environment_may_stand_in_the_body(caller: Caller, recorded: Repository) -> None:
    answer = caller.form(promotion(recorded), {"A": "1"}, target="a/b")
    assert (answer.json["deploy_to"], answer.json["params"]) == ("a/b", {"A": "1"})
    same = caller.form(promotion(recorded), {"target": "a"}, target="a")
    assert same.json["deploy_to"] == "a"
    # The CLI sends the key when it was told of no environment, too.
    assert caller.form(promotion(recorded), {"target": ""}, target="b").json["deploy_to"] == "b"
    first = caller.post(promotion(recorded), (), "target=c&target=d", content_type=f"{FORM}; charset=UTF-8")
    assert first.json["deploy_to"] == "c"
    assert caller.post(promotion(recorded), {"target": "e"}, content_type="text/plain").status == 200


@pytest.mark.parametrize(
    ("body", "kind", "status", "message"),
    [
        ("target=b", FORM, 400, "target: the query and the body name different ones"),
        (
            "target=a&B=2",
            FORM,
            400,
            "the body has 'B': `target` alone is taken there, parameters go into the query",
        ),
        ("target=%FF", FORM, 400, "the body is not UTF-8 in percent-encoding"),
        ("\xfc", FORM, 400, "the body is not UTF-8 in percent-encoding"),
        ("&".join(f"A{n}=1" for n in range(1001)), FORM, 400, "the body has over 1000 keys"),
        (
            '{"target": "a"}',
            "application/json",
            415,
            f"a body of the type 'application/json' is not taken here: wanted none, or {FORM}",
        ),
        ("target=a", "", 415, f"a body of the type '(none)' is not taken here: wanted none, or {FORM}"),
        (
            "target=a",
            f"{FORM}x",
            415,
            f"a body of the type '{FORM}x' is not taken here: wanted none, or {FORM}",
        ),
    ],
)
def test_a_body_has_nothing_else(
    caller: Caller, recorded: Repository, body: str, kind: str, status: int, message: str
) -> None:
    headers = {"content_type": kind} if kind else {}
    answer = caller.post(promotion(recorded), {"target": "a"}, body.encode("latin-1"), **headers)
    assert answer.told == (status, message)
    assert recorded.numbers() == [1]


# Methods.


ALLOWED = {
    "/builds/1/promote": "POST",
    "/builds/1/rollback": "POST",
    "/builds/1/approve/1": "POST",
    "/builds/1/decline/1": "POST",
    "/builds/1/decline": "POST",
    "/builds/1/logs/1/1": "DELETE, GET, HEAD",
    "/builds/latest": "GET, HEAD",
    "/builds/deployments": "GET, HEAD",
    "/builds/1": "DELETE, GET, HEAD, POST",
    "/builds": "DELETE, GET, HEAD, POST",
    "": "DELETE, GET, HEAD, PATCH, POST",
    "/api/user": "GET, HEAD, PATCH",
    "/api/user/repos": "GET, HEAD, POST",
    "/api/queue": "DELETE, GET, HEAD, POST",
    "/api/builds/incomplete": "GET, HEAD",
    "/healthz": "GET, HEAD",
    "/readyz": "GET, HEAD",
    "/openapi.json": "GET, HEAD",
    "/descriptor.binpb": "GET, HEAD",
    "/docs": "GET, HEAD",
    "/shiplift.v1.BuildService/GetBuild": "POST",
    "/shiplift.v1.BuildService/PromoteBuild": "POST",
    "/shiplift.v1.BuildService/TailLog": "POST",
}


@pytest.mark.parametrize("route", ALLOWED)
def test_another_method_is_told_which_there_are(caller: Caller, recorded: Repository, route: str) -> None:
    allowed = ALLOWED[route]
    url = route if route.startswith(("/api", "/h", "/r", "/o", "/d", "/s")) else ""
    url = url or f"/api/repos/{recorded.slug}{route}"
    told: dict[str, object] = {
        "message": f"this method is not allowed here: {allowed} are",
        "code": "UNIMPLEMENTED",
    }
    if route.startswith("/s"):
        told |= {"code": "unimplemented", "details": []}
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} - {*allowed.split(", ")}:
        answer = caller.having("").call(method, url)
        assert (answer.status, answer.headers["allow"], answer.json) == (
            405,
            allowed,
            told,
        )
    assert recorded.numbers() == [1]


@pytest.mark.parametrize(
    "route",
    ["", "/builds", "/builds/1", "/builds/latest", "/api/user", "/healthz", "/nowhere", "/builds/9"],
)
def test_head_is_get_without_its_body(caller: Caller, recorded: Repository, route: str) -> None:
    url = route if route in ("/api/user", "/healthz", "/nowhere") else f"/api/repos/{recorded.slug}{route}"
    got, head = caller.get(url), caller.call("HEAD", url)
    assert (head.status, head.body) == (got.status, b"")
    for name in ("content-type", "content-length"):
        assert head.headers[name] == got.headers[name]
    assert got.headers["content-length"] == str(len(got.body))


# Ids.


def test_a_request_keeps_its_id_or_gets_one(caller: Caller) -> None:
    for given in ("a", "A-z.0_9:/+=@", "x" * 128):
        answer = caller.call("GET", "/healthz", x_request_id=given)
        assert answer.headers["x-request-id"] == given
    seen = set()
    for given in ("", "x" * 129, "a b", "a,b", "<a>", "\xfc", "a\tb"):
        answer = caller.call("GET", "/healthz", x_request_id=given)
        made = answer.headers["x-request-id"]
        assert (len(made), made.isalnum()) == (32, True)
        seen.add(made)
    assert len(seen) == 7


def test_an_id_stands_in_the_log_with_what_became_of_the_request(
    caller: Caller, server: Shipliftd, gateway: Gateway, recorded: Repository
) -> None:
    daemon = server if caller.address == server.http else gateway
    for query, status in (({"target": "a", "A": "secret"}, 200), ({"target": "a b"}, 400)):
        given = f"{recorded.name}-{daemon is server}-{status}"
        caller.call("POST", promotion(recorded), query, x_request_id=given)
        line = logged(daemon, given)
        assert float(line.pop("ms")) > 0
        del line["time"]
        assert line == {
            "level": "info",
            "event": "request",
            "x_request_id": given,
            "method": "POST",
            "path": promotion(recorded),
            "status": status,
        }


def test_an_id_leads_from_the_gateways_log_to_the_servers(
    server: Shipliftd, gateway: Gateway, recorded: Repository
) -> None:
    caller = Caller(gateway.http, server.admin_token)
    for query, code in (({"target": "a"}, "OK"), ({"target": "a b"}, "INVALID_ARGUMENT")):
        answer = caller.post(promotion(recorded), query)
        line = logged(server, answer.headers["x-request-id"], "call")
        assert (line["method"], line["login"], line["code"]) == ("PromoteBuild", "admin", code)
    rpc = caller.rpc("AccessService/WhoAmI")
    assert logged(server, rpc.headers["x-request-id"], "call")["method"] == "WhoAmI"
