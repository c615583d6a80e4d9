"""Bytes that no HTTP client sends, and those that never come: the gateway on a raw socket."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.gateway import Answer, Caller, Raw, assert_refused, logged, promotion, request
from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS
from tests.support.repository import Repository

MOST_PATH, MOST_URL, MOST_HEAD, MOST_BODY = 32 * 1024, 448 * 1024, 512 * 1024, 1024 * 1024
HEAD_SECONDS, BODY_SECONDS = 10, 30
HEALTHZ = request("GET /healthz")
TOO_LONG_HEAD = f"the request's head has over {MOST_HEAD} bytes"
TOO_LONG_BODY = f"the request's body has over {MOST_BODY} bytes"
NO_REQUEST = "this is no HTTP/1.1 request"
FORM = "content-type: application/x-www-form-urlencoded"
CHUNKED = "transfer-encoding: chunked"


# What takes too long.


def seconds_until_cut(server: Shipliftd, begin: bytes, drip: bytes) -> float:
    """How long a connection lives that sends something, then another thing now and then."""
    with Raw(server.http, 0.5) as raw:
        began = time.monotonic()
        raw.send(begin)
        while (took := time.monotonic() - began) < SECONDS:
            with suppress(TimeoutError):
                if not raw.socket.recv(65536):
                    return time.monotonic() - began
            raw.send(drip)
    return took


def is_kept(server: Shipliftd, seconds: float) -> bool:
    """Whether a connection that has had an answer gets another one after so long."""
    with Raw(server.http, seconds + SECONDS) as raw:
        raw.send(HEALTHZ).answer()
        # Nothing is to happen meanwhile: what passes is the time.
        time.sleep(seconds)
        return raw.send(HEALTHZ).answer().status == 200


def test_what_does_not_come_in_time_is_cut_and_changes_nothing(recorded: Repository) -> None:
    server = recorded.server
    half = b"GET /healthz HTTP/1.1\r\nhost: "
    endless = promotion(recorded, "content-length: 500", FORM, query="?target=production")
    heads = {
        "nothing": (b"", b""),
        "half a head": (half, b""),
        "a head that goes on and on": (half, b"x"),
        "line ends": (b"\r\n", b"\r\n"),
        "half a head behind a request": (HEALTHZ + half, b""),
        "line ends behind a request": (HEALTHZ + b"\r\n", b"\r\n"),
    }
    bodies = {
        "no body": (endless, b""),
        "a body that goes on and on": (endless, b"x"),
        "chunks that go on and on": (promotion(recorded, CHUNKED, FORM), b"1\r\nx\r\n"),
        "a body that nobody reads": (request("GET /healthz", CHUNKED), b"1\r\nx\r\n"),
    }
    with ThreadPoolExecutor(16) as threads:
        kept = threads.submit(is_kept, server, BODY_SECONDS + 1)
        cut = {
            name: threads.submit(seconds_until_cut, server, *sent)
            for name, sent in {**heads, **bodies}.items()
        }
        took = {name: round(seconds.result(), 1) for name, seconds in cut.items()}
    # Those of a busy machine are late, none is early, and a head's limit is not a body's.
    assert all(HEAD_SECONDS - 0.1 <= took[name] < BODY_SECONDS - 5 for name in heads), took
    assert all(BODY_SECONDS - 0.1 <= took[name] < SECONDS for name in bodies), took
    assert kept.result()
    assert recorded.numbers() == [1]


# Whom it is for.

MISSING = "the `Host` header is missing: HTTP/1.1 needs one"
SEVERAL = "there are several `Host` headers: send one"
NO_HOST = "the `Host` header is none: wanted a host, perhaps with a port"


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("GET /healthz HTTP/1.1", MISSING),
        ("GET http://localhost/healthz HTTP/1.1", MISSING),
        ("GET /healthz HTTP/1.1\r\nhost: a\r\nhost: a", SEVERAL),
        ("GET /healthz HTTP/1.1\r\nhost: a\r\nHOST: b", SEVERAL),
        ("GET /healthz HTTP/1.0\r\nhost: a\r\nhost: b", SEVERAL),
        ("GET /healthz HTTP/1.1\r\nhost: a b", NO_HOST),
        ("GET /healthz HTTP/1.1\r\nhost: a, b", NO_HOST),
        ("GET /healthz HTTP/1.1\r\nhost: http://a", NO_HOST),
        ("GET /healthz HTTP/1.1\r\nhost: a/b", NO_HOST),
        ("GET /healthz HTTP/1.1\r\nhost: u@a", NO_HOST),
        ("GET /healthz HTTP/1.1\r\nhost: a:x", NO_HOST),
        ("GET /healthz HTTP/1.1\r\nhost: [::1", NO_HOST),
        ("GET /healthz HTTP/1.1\r\nhost: %zz", NO_HOST),
        ("GET /healthz HTTP/1.0\r\nhost: <a>", NO_HOST),
        ("OPTIONS /healthz HTTP/1.1\r\nconnection: upgrade\r\nupgrade: h2c", MISSING),
    ],
)
def test_a_request_names_one_host(raw: Raw, head: str, message: str) -> None:
    assert_refused(raw.send(head.encode() + b"\r\n\r\n").last(), 400, message)


@pytest.mark.parametrize(
    "host", ["", "a", "A.b-c_d.example:80", "a:", "127.0.0.1:8080", "[::1]", "[::1]:80", "%41", " a "]
)
def test_a_host_of_every_form_is_taken(raw: Raw, host: str) -> None:
    sent = f"GET /healthz HTTP/1.1\r\nhost: {host}\r\n\r\n".encode()
    assert raw.send(sent).answer().json == {"status": "alive"}


def test_http_1_0_needs_no_host(raw: Raw) -> None:
    assert raw.send(b"GET /healthz HTTP/1.0\r\n\r\n").last().json == {"status": "alive"}


def test_a_promotion_without_a_host_is_none(raw: Raw, recorded: Repository) -> None:
    sent = promotion(recorded, query="?target=production").replace(b"host: localhost\r\n", b"")
    assert_refused(raw.send(sent).last(), 400, MISSING)
    assert recorded.numbers() == [1]


# Where one request ends and the next begins.


def test_requests_that_come_together_are_answered_in_their_order(recorded: Repository, raw: Raw) -> None:
    count = 3000
    promotions = [promotion(recorded, query=f"?target=t{number}") for number in range(10)]
    healths = [request("GET /healthz", f"x-request-id: {number}") for number in range(count)]
    raw.send(*promotions, *healths)
    assert [raw.answer().json["deploy_to"] for _ in range(10)] == [f"t{number}" for number in range(10)]
    assert [raw.answer().headers["x-request-id"] for _ in range(count)] == [str(n) for n in range(count)]


def memory(server: Shipliftd) -> int:
    """What the server holds, in MiB."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024


def test_who_asks_on_without_waiting_for_answers_does_not_fill_the_memory(
    server: Shipliftd, raw: Raw
) -> None:
    before = memory(server)

    def read() -> None:
        with suppress(OSError):
            while raw.socket.recv(1024 * 1024):
                pass

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(100):
        raw.send(HEALTHZ * 1000)
    used = memory(server) - before
    raw.hang_up()
    reader.join()
    assert used < 64


@pytest.mark.parametrize(
    ("bad", "status", "told"),
    [
        (b"GARBAGE\r\n\r\n", 400, NO_REQUEST),
        (request("GET /healthz", "content-length: x"), 400, NO_REQUEST),
        (request("GET /healthz", f"x: {'y' * 600_000}"), 431, TOO_LONG_HEAD),
        (request("GET /healthz", CHUNKED, body=b"x\r\n"), 400, NO_REQUEST),
        (request("POST /api/user/repos", "transfer-encoding: gzip"), 400, NO_REQUEST),
    ],
    ids=["no request", "no length", "too long a head", "no chunk", "no encoding"],
)
def test_a_bad_request_takes_no_answer_from_those_before_it(
    recorded: Repository, raw: Raw, bad: bytes, status: int, told: str
) -> None:
    raw.send(promotion(recorded, query="?target=a"), promotion(recorded, query="?target=b"), bad)
    assert [raw.answer().json["deploy_to"] for _ in "ab"] == ["a", "b"]
    assert_refused(raw.last(), status, told)


def test_a_body_that_goes_wrong_after_its_answer_gets_no_other(raw: Raw) -> None:
    assert raw.send(request("GET /healthz", CHUNKED)).answer().status == 200
    assert raw.send(b"x\r\n").ended() == b""


@pytest.mark.parametrize(
    "headers",
    [
        ("content-length: x",),
        ("content-length: -1",),
        ("content-length: +1",),
        ("content-length: 1e1",),
        ("content-length: 0x1",),
        ("content-length: 1 1",),
        ("content-length: 1, 1",),
        ("content-length: ",),
        ("content-length: 99999999999999999999999999",),
        ("content-length: 0", "content-length: 0"),
        ("content-length: 0", "content-length: 1"),
        ("content-length: 5", CHUNKED),
        (CHUNKED, "content-length: 5"),
        ("transfer-encoding: gzip",),
        ("transfer-encoding: chunked, identity",),
        ("no colon",),
        ("a name: with a space",),
        (" a: fold",),
        ("nul: \0",),
        ("control: \x01",),
    ],
    ids=str,
)
def test_a_head_that_says_not_clearly_what_follows_is_refused(
    recorded: Repository, raw: Raw, headers: tuple[str, ...]
) -> None:
    raw.send(promotion(recorded, *headers, query="?target=production"))
    assert_refused(raw.last(), 400, NO_REQUEST)
    assert recorded.numbers() == [1]


def test_a_length_over_the_limit_is_refused_before_its_body_comes(recorded: Repository, raw: Raw) -> None:
    raw.send(promotion(recorded, "content-length: 99999999", FORM))
    assert_refused(raw.last(), 413, TOO_LONG_BODY)


@pytest.mark.parametrize("path", ["", "/builds", "/builds/1/promote"])
def test_a_body_that_is_not_what_it_says_changes_nothing(recorded: Repository, raw: Raw, path: str) -> None:
    token = f"authorization: Bearer {recorded.server.admin_token}"
    slug = recorded.slug if path else f"{recorded.slug}-new"
    raw.send(request(f"POST /api/repos/{slug}{path}?target=production", token, CHUNKED, body=b"x\r\n"))
    assert_refused(raw.last(), 400, NO_REQUEST)
    assert recorded.numbers() == [1]
    assert Caller(recorded.server.http, recorded.server.admin_token).get(f"/api/repos/{slug}").status == (
        200 if path else 404
    )


def test_what_a_body_has_beyond_its_length_is_no_part_of_it(recorded: Repository, raw: Raw) -> None:
    raw.send(promotion(recorded, "content-length: 8", FORM, body=b"target=asdf"))
    assert raw.answer().json["deploy_to"] == "a"
    assert_refused(raw.last(), 400, NO_REQUEST)


def test_a_body_may_come_in_chunks(recorded: Repository, raw: Raw) -> None:
    raw.send(
        promotion(recorded, FORM, CHUNKED, body=b"7\r\ntarget=\r\n3;x=y\r\nabc\r\n0\r\nmore: 1\r\n\r\n")
    )
    assert raw.answer().json["deploy_to"] == "abc"
    assert raw.send(HEALTHZ).answer().status == 200


def test_a_body_is_asked_for_where_the_client_waits_for_that(recorded: Repository, raw: Raw) -> None:
    raw.send(promotion(recorded, "content-length: 10", FORM, "expect: 100-continue"))
    assert raw.answer() == Answer(100, {}, b"")
    assert raw.send(b"target=abc").answer().json["deploy_to"] == "abc"


@pytest.mark.parametrize("size", [1, 3, 100_000])
@pytest.mark.parametrize("upgrade", [(), ("connection: Upgrade, HTTP2-Settings", "upgrade: h2c")])
def test_a_request_is_the_same_in_any_pieces(
    recorded: Repository, raw: Raw, size: int, upgrade: tuple[str, ...]
) -> None:
    # Java's HttpClient asks for h2c with every first request.
    sent = promotion(
        recorded, *upgrade, "http2-settings: AAA", FORM, "content-length: 10", body=b"target=abc"
    )
    for begin in range(0, len(sent), size):
        raw.send(sent[begin : begin + size])
    assert raw.answer().json["deploy_to"] == "abc"
    assert raw.send(HEALTHZ).answer().status == 200
    assert recorded.numbers() == [2, 1]


# Other versions and protocols.


@pytest.mark.parametrize("protocol", ["h2c", "websocket", "h2c, websocket"])
def test_no_other_protocol_is_spoken(raw: Raw, protocol: str) -> None:
    raw.send(request("GET /healthz", "connection: Upgrade", f"upgrade: {protocol}"), HEALTHZ)
    assert [raw.answer().status for _ in range(2)] == [200, 200]
    raw.send(request("GET /healthz", "connection: close, Upgrade", f"upgrade: {protocol}"))
    assert raw.last().json == {"status": "alive"}


def test_http_1_0_is_answered_and_ends(server: Shipliftd) -> None:
    for headers in ((), ("connection: keep-alive",), ("connection: Upgrade", "upgrade: h2c")):
        with Raw(server.http) as raw:
            raw.send(request("GET /healthz", *headers).replace(b"HTTP/1.1", b"HTTP/1.0"))
            answer = raw.last()
            assert (answer.json, answer.headers["connection"]) == ({"status": "alive"}, "close")


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x9c" * 500,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
        b"GET / HTTP/1.7\r\n\r\n",
        b"GET  HTTP/1.1\r\n\r\n",
        b"GET healthz HTTP/1.1\r\n\r\n",
        b"GET /a b HTTP/1.1\r\n\r\n",
        b"GET /\xc3\xbc HTTP/1.1\r\n\r\n",
        b"get /healthz HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\0" * 100,
    ],
    ids=repr,
)
def test_what_is_no_request_is_told_so(server: Shipliftd, raw: Raw, sent: bytes) -> None:
    answer = raw.send(sent).last()
    assert_refused(answer, 400, NO_REQUEST)
    line = logged(server, answer.headers["x-request-id"])
    assert (line["event"], line["status"], line["level"]) == ("request", 400, "info")


def test_no_proxy_is_played(raw: Raw) -> None:
    raw.send(request("CONNECT example.org:443"))
    assert_refused(raw.last(), 400, "CONNECT is for proxies")


def test_a_url_may_name_the_server(raw: Raw) -> None:
    assert raw.send(request("GET http://localhost/healthz")).answer().json == {"status": "alive"}
