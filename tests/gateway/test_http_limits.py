"""How long a request to the gateway may be, and which paths lead where, on a raw socket."""

from urllib.parse import urlencode

import pytest

from tests.support.gateway import Caller, Raw, assert_refused, promotion, request
from tests.support.harness import Shipliftd
from tests.support.repository import Repository

MOST_PATH, MOST_URL, MOST_HEAD, MOST_BODY = 32 * 1024, 448 * 1024, 512 * 1024, 1024 * 1024
TOO_LONG_HEAD = f"the request's head has over {MOST_HEAD} bytes"
TOO_LONG_URL = f"the URL has over {MOST_URL} bytes"
TOO_LONG_BODY = f"the request's body has over {MOST_BODY} bytes"
NAMES = "wanted 1 to 100 of letters, digits, '.', '_', '-', and not '.' or '..'"
FORM = "content-type: application/x-www-form-urlencoded"
CHUNKED = "transfer-encoding: chunked"


# What is too long.


def test_a_header_of_10_mb_is_refused(raw: Raw) -> None:
    raw.send(request("GET /healthz", f"x: {'y' * 10_000_000}"))
    assert_refused(raw.last(), 431, TOO_LONG_HEAD)


def test_headers_of_10_mb_are_refused(raw: Raw) -> None:
    raw.send(request("GET /healthz", *[f"x{number}: {'y' * 1000}" for number in range(10_000)]))
    assert_refused(raw.last(), 431, TOO_LONG_HEAD)


def test_a_head_is_taken_up_to_its_limit(server: Shipliftd) -> None:
    # What counts is the URL, and of each header its name, its value and four characters.
    room = MOST_HEAD - len("/healthz") - len("host: localhost\r\n") - len("x: \r\n")
    with Raw(server.http) as raw:
        assert raw.send(request("GET /healthz", f"x: {'y' * room}")).answer().status == 200
        raw.send(request("GET /healthz", f"x: {'y' * (room + 1)}"))
        assert_refused(raw.last(), 431, TOO_LONG_HEAD)


def test_a_url_is_taken_up_to_its_limit(server: Shipliftd) -> None:
    longest = "/healthz?".ljust(MOST_URL, "x")
    with Raw(server.http) as raw:
        assert raw.send(request(f"GET {longest}")).answer().status == 200
        raw.send(request(f"GET {longest}x"))
        assert_refused(raw.last(), 414, TOO_LONG_URL)
    with Raw(server.http) as raw:
        raw.send(request(f"GET /healthz?{'x' * 600_000}"))
        assert_refused(raw.last(), 414, TOO_LONG_URL)


def test_a_path_is_taken_up_to_its_limit(raw: Raw) -> None:
    longest = "/".ljust(MOST_PATH, "x")
    assert raw.send(request(f"GET {longest}?x")).answer().status == 404
    raw.send(request(f"GET {longest}x?x"))
    assert_refused(raw.last(), 414, f"the URL's path has over {MOST_PATH} bytes")


def test_128_kib_of_parameters_pass_however_they_are_encoded(caller: Caller, recorded: Repository) -> None:
    params = dict.fromkeys("ABCD", "&" * (32 * 1024 - 1))
    assert sum(len(name) + len(value) for name, value in params.items()) == 128 * 1024
    query = {"target": "production", **params}
    assert len(urlencode(query)) > 384 * 1024
    answer = caller.post(f"/api/repos/{recorded.slug}/builds/1/promote", query)
    assert (answer.status, answer.json["params"]) == (200, params)


def test_a_body_is_taken_up_to_its_limit(recorded: Repository, server: Shipliftd) -> None:
    longest = b"target=production&access_token=".ljust(MOST_BODY, b"x")
    with Raw(server.http) as raw:
        raw.send(promotion(recorded, f"content-length: {MOST_BODY}", FORM, body=longest))
        assert raw.answer().json["deploy_to"] == "production"
        raw.send(promotion(recorded, f"content-length: {MOST_BODY + 1}", FORM, body=longest + b"x"))
        assert_refused(raw.last(), 413, TOO_LONG_BODY)
    assert recorded.numbers() == [2, 1]


@pytest.mark.parametrize(
    "line",
    [
        "POST /api/repos/{slug}/builds/1/promote?target=production",
        "POST /api/repos/{slug}/builds?branch=main",
        "POST /api/repos/{slug}-new",
        "POST /shiplift.v1.BuildService/PromoteBuild",
    ],
)
def test_a_body_in_chunks_over_1_mib_is_refused(recorded: Repository, raw: Raw, line: str) -> None:
    token = f"authorization: Bearer {recorded.server.admin_token}"
    kind = FORM if "promote" in line else "content-type: application/json"
    raw.send(request(line.format(slug=recorded.slug), token, kind, CHUNKED))
    for _ in range(300):
        raw.send(b"10000\r\n", b"x" * 0x10000, b"\r\n")
    answer = raw.last()
    is_rpc = "shiplift.v1" in line
    told = {"code": "invalid_argument", "details": []} if is_rpc else {"code": "INVALID_ARGUMENT"}
    assert (answer.status, answer.json) == (413, {"message": TOO_LONG_BODY, **told})
    assert recorded.numbers() == [1]


# Paths.


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/api/repos/a%2Fb/c", 400, f"owner: 'a/b' is not a name: {NAMES}"),
        ("/api/repos/a%2fb/c", 400, f"owner: 'a/b' is not a name: {NAMES}"),
        ("/api/repos/a/b%2Fbuilds", 400, f"repo: 'b/builds' is not a name: {NAMES}"),
        ("/api/repos/a%2Fb/builds", 400, f"owner: 'a/b' is not a name: {NAMES}"),
        ("/api/repos/../a", 400, f"owner: '..' is not a name: {NAMES}"),
        ("/api/repos/a/..", 400, f"repo: '..' is not a name: {NAMES}"),
        ("/api/repos/%2E%2E/a", 400, f"owner: '..' is not a name: {NAMES}"),
        ("/api/repos/a/%2e", 400, f"repo: '.' is not a name: {NAMES}"),
        ("/api/repos/a/b/builds/../../user", 404, None),
        ("/api/repos/a/..%2F..%2Fuser", 400, f"repo: '../../user' is not a name: {NAMES}"),
        ("/api/repos/a%00/b", 400, f"owner: 'a\\x00' is not a name: {NAMES}"),
        ("/api/repos/a%0Ab/c", 400, f"owner: 'a\\nb' is not a name: {NAMES}"),
        ("/api/repos/%FF/b", 400, "owner: its percent-encoding is not UTF-8"),
        ("/api/repos/%ED%A0%80/b", 400, "owner: its percent-encoding is not UTF-8"),
        ("/api/repos/%C3%BC/b", 400, f"owner: 'ü' is not a name: {NAMES}"),
        ("/api/repos/%/b", 400, f"owner: '%' is not a name: {NAMES}"),
        ("/api/repos/%252E/b", 400, f"owner: '%2E' is not a name: {NAMES}"),
        ("/api/repos/a;b/c", 400, f"owner: 'a;b' is not a name: {NAMES}"),
        ("/api/repos/a/b/builds/1%2Fpromote", 400, "build: '1/promote' is not a build's number"),
        ("/api/repos/a/b/builds/%FF", 400, "build: its percent-encoding is not UTF-8"),
        ("/api/repos/a/b/builds/%D9%A1", 400, "build: '\u0661' is not a build's number"),
        ("/api/repos//b", 404, None),
        ("/api/repos/a/", 404, None),
        ("*", 404, None),
        ("//api/user", 404, None),
        ("/api/user/", 404, None),
        ("/API/user", 404, None),
        ("/api%2Fuser", 404, None),
        ("/%61pi/user", 404, None),
    ],
)  # fmt: skip
def test_a_path_is_taken_as_it_was_sent(
    server: Shipliftd, raw: Raw, path: str, status: int, message: str | None
) -> None:
    raw.send(request(f"GET {path}", f"authorization: Bearer {server.admin_token}"))
    told = message or f"there is no route {path!r}: /docs lists those there are"
    assert raw.answer().told == (status, told)


def test_letters_may_be_percent_encoded(recorded: Repository, raw: Raw, server: Shipliftd) -> None:
    encoded = "".join(f"%{ord(letter):02x}" for letter in recorded.name)
    raw.send(
        request(
            f"GET /api/repos/{recorded.owner}/{encoded}/builds/%31",
            f"authorization: Bearer {server.admin_token}",
        )
    )
    assert raw.answer().json["number"] == 1


def test_a_slash_in_a_builds_number_leads_to_no_other_route(
    recorded: Repository, raw: Raw, server: Shipliftd
) -> None:
    line = f"POST /api/repos/{recorded.slug}/builds/1%2Fpromote?target=production"
    raw.send(request(line, f"authorization: Bearer {server.admin_token}"))
    assert raw.answer().told == (400, "build: '1/promote' is not a build's number")
    assert recorded.numbers() == [1]
