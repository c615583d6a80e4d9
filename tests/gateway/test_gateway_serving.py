"""The gateway as a server: where it listens, what it needs behind it, how it ends, which pages may call."""

import json
import resource
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from shiplift.v1 import access_pb2

from tests.support import postgres
from tests.support.beside import held
from tests.support.commands import refusal, said
from tests.support.gateway import Caller, Raw, request
from tests.support.harness import Daemon, Gateway, Shipliftd
from tests.support.patience import SECONDS, until
from tests.support.repository import Repository

HTTP = ("--http", "127.0.0.1:0")
PROMOTION = "/api/repos/octocat/app/builds/1/promote"
AWAY = "the server does not answer: UNAVAILABLE"


def filled(server: Shipliftd) -> Repository:
    """A repository with build 1."""
    server.access().CreateRepository(access_pb2.CreateRepositoryRequest(owner="octocat", repo="app"))
    repository = Repository(server, "octocat", "app")
    repository.record(ref="refs/heads/main")
    return repository


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Shipliftd]:
    """A server with its gateway, of the test's own."""
    with Shipliftd(tmp_path / "shiplift.db", HTTP) as running:
        yield running


# Where it listens.


def commands(tmp_path: Path) -> list[tuple[str | Path, ...]]:
    """Both commands, with nothing but `--http` to come."""
    return [
        ("serve", "--database", tmp_path / "shiplift.db", "--listen", "127.0.0.1:0", "--http"),
        ("gateway", "--upstream", "127.0.0.1:1", "--http"),
    ]


def test_a_port_that_is_taken_is_refused(tmp_path: Path, server: Shipliftd) -> None:
    # So that a start has nothing else to tell.
    said("migrate", "--database", tmp_path / "shiplift.db")
    said("user", "add", "root", "--admin", "--database", tmp_path / "shiplift.db")
    for command in commands(tmp_path):
        assert refusal(*command, server.http) == (
            f"cannot listen on {server.http} (Address already in use): name another address with --http"
        )


@pytest.mark.parametrize("address", ["8080", "127.0.0.1", "127.0.0.1:99999", "127.0.0.1:http"])
def test_what_is_no_address_is_refused(tmp_path: Path, address: str) -> None:
    for command in commands(tmp_path):
        assert refusal(*command, address) == (
            f"--http {address!r} is not an address: wanted HOST:PORT with a port of 0 to 65535, such as"
            " 127.0.0.1:8080, or unix:PATH"
        )


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", ":0", "192.0.2.1:8080"])
def test_an_address_that_others_reach_is_refused_without_tls(tmp_path: Path, address: str) -> None:
    for command in commands(tmp_path):
        assert refusal(*command, address) == (
            f"{address} is reachable from elsewhere, and tokens would travel in the clear: give --tls-cert"
            " and --tls-key, or --insecure where something before it does TLS"
        )
    assert not (tmp_path / "shiplift.db").exists()


def test_insecure_allows_it(tmp_path: Path) -> None:
    # The loopback in a form that is not known to be it: nobody else is to reach a test.
    options = ("--insecure", "--http", "[::ffff:127.0.0.1]:0")
    with Shipliftd(tmp_path / "shiplift.db", options) as server:
        address = server.http.replace("[::ffff:127.0.0.1]", "127.0.0.1")
        assert Caller(address).get("/healthz").json == {"status": "alive"}


@pytest.mark.parametrize("upstream", ["50051", "http://127.0.0.1:50051", "a b:1", ""])
def test_what_is_no_upstream_is_refused(upstream: str) -> None:
    assert refusal("gateway", "--upstream", upstream, *HTTP) == (
        f"--upstream {upstream!r} is not an address: wanted HOST:PORT, such as"
        " shipliftd.example.org:50051, or unix:PATH"
    )


def test_listens_on_a_unix_socket_also_after_it_was_killed(tmp_path: Path) -> None:
    listen, http, front = (f"unix:{tmp_path}/{name}" for name in ("grpc", "http", "front"))
    server = Shipliftd(tmp_path / "shiplift.db", ("--http", http), listen=listen).start()
    assert (server.address, server.http) == (listen, http)
    assert server.stop(signal.SIGKILL) == -signal.SIGKILL
    with (
        Shipliftd(tmp_path / "shiplift.db", ("--http", http), listen=listen) as server,
        Gateway(listen, ("--http", front)) as gateway,
    ):
        assert gateway.http == front
        for daemon in (server, gateway):
            assert Caller(daemon.http, server.admin_token).get("/api/user").json["login"] == "admin"
        taken = refusal("gateway", "--upstream", listen, "--http", http)
        assert taken == (
            f"cannot listen on {http} (Address already in use): name another address with --http"
        )
        assert Caller(http).get("/healthz").status == 200


def test_a_file_in_the_way_of_a_socket_stays(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("Buy milk.\n")
    for path, why in (
        (file, "Address already in use"),
        (tmp_path / "no/socket", "No such file or directory"),
    ):
        assert refusal("gateway", "--upstream", "127.0.0.1:1", "--http", f"unix:{path}") == (
            f"cannot listen on unix:{path} ({why}): name another address with --http"
        )
    assert file.read_text() == "Buy milk.\n"


# Health.


def assert_away(caller: Caller, path: str, message: str | None = None) -> None:
    """The answer is that one may try again."""
    answer = caller.get(path)
    assert (answer.status, answer.json["code"]) == (503, "UNAVAILABLE")
    assert answer.headers["retry-after"] == "1"
    assert message is None or answer.json["message"] == message


def test_a_gateway_outlives_its_server_and_finds_the_next_one(tmp_path: Path) -> None:
    server = Shipliftd(tmp_path / "shiplift.db").start()
    filled(server)
    with Gateway(server.address) as gateway:
        caller = Caller(gateway.http, server.admin_token)
        assert caller.get("/readyz").json == {"status": "ready"}
        assert server.stop() == 0
        assert caller.get("/healthz").json == {"status": "alive"}
        assert_away(caller, "/readyz", AWAY)
        assert_away(caller, "/api/user")
        refused = caller.post(PROMOTION, {"target": "production"})
        assert (refused.status, refused.json["code"], refused.headers["retry-after"]) == (
            503,
            "UNAVAILABLE",
            "1",
        )
        rpc = caller.rpc("AccessService/WhoAmI")
        assert (rpc.status, rpc.json["code"]) == (503, "unavailable")

        with Shipliftd(tmp_path / "shiplift.db", listen=server.address):
            until(lambda: caller.get("/readyz").status == 200)
            assert caller.post(PROMOTION, {"target": "production"}).json["number"] == 2


def test_a_gateway_may_be_there_before_its_server(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with Gateway(address) as gateway:
        assert_away(Caller(gateway.http), "/readyz", AWAY)
        with Shipliftd(tmp_path / "shiplift.db", listen=address) as server:
            until(lambda: Caller(gateway.http).get("/readyz").status == 200)
            assert Caller(gateway.http, server.admin_token).get("/api/user").status == 200


@pytest.mark.sqlite
def test_a_store_that_takes_no_writes_is_not_ready(alone: Shipliftd) -> None:
    repository = filled(alone)
    with Gateway(alone.address) as gateway:
        callers = [Caller(daemon.http, alone.admin_token) for daemon in (alone, gateway)]
        written = alone.database.with_name("shiplift.db-wal").stat().st_size
        unlimited = resource.prlimit(alone.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(alone.process.pid, resource.RLIMIT_FSIZE, (written, unlimited[1]))
        for caller in callers:
            answer = caller.post(PROMOTION, {"target": "production"})
            assert answer.told == (
                503,
                "the store cannot take the write now; nothing was stored: try again",
            )
            assert answer.headers["retry-after"] == "1"
            until(lambda caller=caller: caller.get("/readyz").status == 503)  # type: ignore[misc]
            assert_away(caller, "/readyz", "the server takes no promotions now: try again")
            assert caller.get("/healthz").status == 200
            assert caller.get("/api/repos/octocat/app/builds/1").status == 200
        resource.prlimit(alone.process.pid, resource.RLIMIT_FSIZE, unlimited)
        for caller in callers:
            until(lambda caller=caller: caller.get("/readyz").status == 200)  # type: ignore[misc]
    assert repository.numbers() == [1]


def test_a_server_that_does_not_answer_in_time_is_told_of(tmp_path: Path) -> None:
    with Shipliftd(tmp_path / "shiplift.db") as server, Gateway(server.address) as gateway:
        filled(server)
        caller = Caller(gateway.http, server.admin_token)
        assert caller.get("/readyz").status == 200
        server.process.send_signal(signal.SIGSTOP)
        try:
            with ThreadPoolExecutor(2) as threads, Raw(gateway.http) as raw:
                token = f"authorization: Bearer {server.admin_token}"
                raw.send(request(f"POST {PROMOTION}?target=production", token))
                rpc = threads.submit(
                    caller.post,
                    "/shiplift.v1.AccessService/WhoAmI",
                    (),
                    "{}",
                    content_type="application/json",
                    connect_timeout_ms="200",
                )
                ready = threads.submit(caller.get, "/readyz")
                late = raw.answer()
        finally:
            server.process.send_signal(signal.SIGCONT)
        assert ready.result().told == (503, "the server does not answer: DEADLINE_EXCEEDED")
        assert (rpc.result().status, rpc.result().json["code"]) == (504, "deadline_exceeded")
        assert (late.status, late.json["code"]) == (504, "DEADLINE_EXCEEDED")


# The end.


def in_flight(daemon: Daemon, token: str) -> Raw:
    """A promotion that waits for the store."""
    raw = Raw(daemon.http).send(
        request(f"POST {PROMOTION}?target=production", f"authorization: Bearer {token}")
    )
    # Sent later and answered: the promotion has arrived.
    assert Caller(daemon.http).get("/healthz").status == 200
    return raw


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
@pytest.mark.parametrize("kind", ["in the server", "before the server"])
def test_a_request_in_flight_is_answered_when_the_gateway_is_stopped(
    alone: Shipliftd, kind: str, number: signal.Signals
) -> None:
    repository = filled(alone)
    with Gateway(alone.address) as gateway:
        daemon: Daemon = alone if kind == "in the server" else gateway
        with held(alone.database) as other, Raw(daemon.http) as idle:
            assert idle.send(request("GET /healthz")).answer().status == 200
            with in_flight(daemon, alone.admin_token) as waiting:
                daemon.process.send_signal(number)
                # A connection that waits for nothing ends at once, and no other one is taken.
                assert idle.ended() == b""
                with pytest.raises(ConnectionRefusedError):
                    Raw(daemon.http)
                other.execute("ROLLBACK")
                answer = waiting.last()
        assert (answer.status, answer.json["number"], answer.headers["connection"]) == (200, 2, "close")
        assert daemon.stop() == 0
    if daemon is gateway:
        assert repository.numbers() == [2, 1]


@pytest.mark.parametrize("kind", ["in the server", "before the server"])
@pytest.mark.parametrize("how", ["its limit", "a second signal"])
def test_a_drain_has_an_end(tmp_path: Path, kind: str, how: str) -> None:
    options = ("--drain-seconds", "0.5") if how == "its limit" else ()
    with (
        Shipliftd(tmp_path / "shiplift.db", (*HTTP, *options)) as server,
        Gateway(server.address, options) as gateway,
    ):
        filled(server)
        daemon: Daemon = server if kind == "in the server" else gateway
        with held(server.database) as other:
            with in_flight(daemon, server.admin_token) as waiting, Raw(daemon.http) as idle:
                daemon.process.terminate()
                assert idle.ended() == b""
                if how == "a second signal":
                    daemon.process.terminate()
                told = waiting.ended()
            if daemon is gateway:
                # Not by another signal, which may come when nobody listens for one any more.
                assert gateway.process.wait(SECONDS) == 0
            other.execute("ROLLBACK")
        assert daemon.process.wait(SECONDS) == 0
    # Whoever is told nothing, or to try again, does so with the same Idempotency-Key.
    if told:
        head, _, body = told.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nretry-after: 1\r\n" in head
        assert json.loads(body)["code"] == "UNAVAILABLE"
        away = "the store cannot take the write now"
        if postgres.is_in_use():
            away = "others hold locks on what this needs (pg_locks shows whose)"
        assert json.loads(body)["message"] in (
            "the gateway has stopped without waiting any longer: it may still come about",
            # On PostgreSQL once the lock has taken too long.
            f"{away}; nothing was stored: try again",
        )


# Pages of other origins.


ORIGIN, OTHER = "https://deploy.example.org", "https://example.com"
ASKED = {
    "access_control_request_method": "POST",
    "access_control_request_headers": "authorization,content-type,idempotency-key",
}


def cors(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.startswith("access-control-")}


def test_no_page_may_call_by_default(caller: Caller) -> None:
    answer = caller.call("GET", "/api/user", origin=ORIGIN)
    assert (answer.status, cors(answer.headers)) == (200, {})
    answer = caller.call("OPTIONS", "/api/user", origin=ORIGIN, **ASKED)
    assert (answer.status, cors(answer.headers)) == (405, {})


@pytest.fixture(scope="module")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shipliftd]:
    """A server that pages of one origin may call."""
    database = tmp_path_factory.mktemp("cors") / "shiplift.db"
    with Shipliftd(database, (*HTTP, "--cors-origin", ORIGIN)) as running:
        yield running


def test_pages_of_a_listed_origin_may_call_and_read_errors(open_server: Shipliftd) -> None:
    exposed = "retry-after, shiplift-replayed, trailer-shiplift-replayed, x-request-id"
    caller = Caller(open_server.http, open_server.admin_token)
    for method, path, status in (
        ("GET", "/api/user", 200),
        ("GET", "/nowhere", 404),
        ("PUT", "/api/user", 405),
        ("GET", "/api/templates", 501),
        ("POST", "/api/repos/a/b/builds/x/promote", 400),
        ("POST", "/shiplift.v1.AccessService/WhoAmI", 415),
    ):
        answer = caller.call(method, path, origin=ORIGIN)
        assert (answer.status, cors(answer.headers)) == (
            status,
            {"access-control-allow-origin": ORIGIN, "access-control-expose-headers": exposed},
        )
        assert answer.headers["vary"] == "Origin"
        # A browser keeps the answer from a page of another origin.
        answer = caller.call(method, path, origin=OTHER)
        assert (answer.status, "access-control-allow-origin" in answer.headers) == (status, False)
    # What is refused before the application has it as well.
    for head, more, status in (
        (f"GET /{'x' * 33_000}", "", 414),
        ("GET /healthz", f"x: {'y' * 600_000}", 431),
        ("POST /api/repos/a/b/builds/1/promote", "content-length: 2000000", 413),
    ):
        with Raw(open_server.http) as raw:
            raw.send(request(head, f"origin: {ORIGIN}", *filter(None, [more])))
            answer = raw.last()
        assert (answer.status, answer.headers["vary"]) == (status, "Origin")
        assert cors(answer.headers) == {
            "access-control-allow-origin": ORIGIN,
            "access-control-expose-headers": exposed,
        }
    stranger = caller.having("").call("GET", "/api/user", origin=ORIGIN)
    assert (stranger.status, stranger.headers["access-control-allow-origin"]) == (401, ORIGIN)


def test_a_listed_origin_is_told_what_it_may_send(open_server: Shipliftd) -> None:
    caller = Caller(open_server.http)
    for path in (PROMOTION, "/shiplift.v1.BuildService/PromoteBuild"):
        answer = caller.call("OPTIONS", path, origin=ORIGIN, **ASKED)
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, ORIGIN)
        assert answer.headers["access-control-allow-methods"] == "GET, POST, PATCH, DELETE"
        allowed = answer.headers["access-control-allow-headers"].lower().split(", ")
        assert {
            *("authorization", "connect-protocol-version", "connect-timeout-ms", "content-type"),
            *("idempotency-key", "shiplift-expected-current", "x-request-id"),
        } <= {*allowed}
        assert len(answer.headers["x-request-id"]) == 32
        other = caller.call("OPTIONS", path, origin=OTHER, **ASKED)
        assert (other.status, "access-control-allow-origin" in other.headers) == (400, False)


def test_every_origin_may_be_listed(server: Shipliftd) -> None:
    with Gateway(server.address, ("--cors-origin", "*")) as gateway:
        answer = Caller(gateway.http).call("GET", "/healthz", origin=OTHER)
        assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    "origin", ["deploy.example.org", "https://a/", "https://*.a", "https://a b", "null"]
)
def test_what_is_no_origin_is_refused(tmp_path: Path, origin: str) -> None:
    for command in commands(tmp_path):
        assert refusal(*command, "127.0.0.1:0", "--cors-origin", origin) == (
            f"--cors-origin {origin!r} is not an origin: wanted a scheme, a host, perhaps a port, such as"
            " https://deploy.example.org, with nothing behind; or * for all"
        )
