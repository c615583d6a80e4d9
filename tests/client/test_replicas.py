"""Clients that know several replicas: who answers while they come and go."""

import asyncio
import re
import resource
import signal
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from shiplift import AsyncClient, Client, Unavailable
from shiplift._channel import Route
from shiplift.v1 import builds_pb2, builds_pb2_grpc

from tests.support import postgres
from tests.support.beside import away
from tests.support.cli import Cli
from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS, until
from tests.support.replicas import (
    Load,
    Replicas,
    assert_shared,
    certificates,
    no_call_fails,
    recorded,
    recording,
    replicas,
    turn_by_turn,
)
from tests.support.repository import COMMIT
from tests.support.toolchains import ROOT


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Replicas]:
    """Two servers of the test's own."""
    with replicas(tmp_path) as running:
        yield running


@pytest.mark.parametrize(
    ("server", "target", "local"),
    [
        ("127.0.0.1:1,127.0.0.1:2", "ipv4:127.0.0.1:1,127.0.0.1:2", True),
        ("10.0.0.7, 10.0.0.8:443", "ipv4:10.0.0.7:50051,10.0.0.8:443", False),
        ("localhost:1,10.0.0.7:2", "ipv4:127.0.0.1:1,10.0.0.7:2", False),
        ("[::1]:1,[2001:db8::1]:2", "ipv6:[::1]:1,[2001:db8::1]:2", False),
        ("127.0.0.1:1,[::1]:2", "ipv6:[::ffff:127.0.0.1]:1,[::1]:2", True),
        ("127.0.0.1:1,127.0.0.1:1", "127.0.0.1:1", True),
    ],
)
def test_several_addresses_are_one_target(server: str, target: str, local: bool) -> None:
    route = Route(server)
    assert (route.target, route.is_local) == (target, local)


@pytest.mark.parametrize(
    ("server", "several"),
    [
        ("10.0.0.7:1,10.0.0.8:1", True),
        # There may be several behind it.
        ("shiplift.example.com", True),
        # One is called whatever it says of its health: it may answer reads all the same.
        ("10.0.0.7:1", False),
        ("localhost:1", False),
        ("unix:/run/shiplift.sock", False),
    ],
)
def test_what_may_be_several_takes_turns(server: str, several: bool) -> None:
    assert ("grpc.service_config" in dict(Route(server).options())) is several


@pytest.mark.parametrize("server", ["a.example:1,b.example:2", "10.0.0.7:1,b.example:2"])
def test_several_names_are_refused(server: str) -> None:
    with pytest.raises(ValueError, match="is one of several") as refused:
        Client(server)
    name = next(each for each in server.split(",") if "example" in each)
    assert str(refused.value) == (
        f"server {name!r} is one of several: gRPC takes several IP addresses (or localhost), such as"
        " 10.0.0.7:50051,10.0.0.8:50051, or one name for all of them"
    )


@pytest.mark.parametrize(
    "server", ["10.0.0.7:1,", "unix:/a,unix:/b", "10.0.0.7:1,unix:/b", "10.0.0.7:65536"]
)
def test_what_is_no_list_of_addresses_is_refused(server: str) -> None:
    with pytest.raises(ValueError, match="of several, IP addresses with commas between"):
        Client(server)


def test_calls_are_spread_over_both(both: Replicas) -> None:
    with Client(both.addresses, both.admin_token) as client:
        turn_by_turn(both, recording(client))


def test_calls_of_asyncio_are_spread_over_both(both: Replicas) -> None:
    async def run() -> None:
        async with AsyncClient(both.addresses, both.admin_token) as client:
            loop = asyncio.get_running_loop()

            def call(name: str) -> builds_pb2.Build:
                made = client.create_build(owner="octocat", repo="app", after=COMMIT, external_id=name)
                return asyncio.run_coroutine_threadsafe(made, loop).result()

            await asyncio.to_thread(turn_by_turn, both, call)

    asyncio.run(run())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_no_call_fails_while_one_goes_and_comes_back(both: Replicas, number: signal.Signals) -> None:
    with Client(both.addresses, both.admin_token) as client:
        no_call_fails(both, recording(client), number)


def test_the_service_config_of_the_docs_has_them_take_turns(both: Replicas) -> None:
    document = (ROOT / "docs/calling.md").read_text()
    (shown,) = re.findall(r"^```json\n(.*?)^```$", document, re.DOTALL | re.MULTILINE)
    metadata = (("authorization", f"Bearer {both.admin_token}"),)
    target = f"ipv4:{both.addresses}"
    with grpc.insecure_channel(target, [("grpc.service_config", shown)]) as channel:
        builds = builds_pb2_grpc.BuildServiceStub(channel)

        def call(name: str) -> builds_pb2.Build:
            request = builds_pb2.CreateBuildRequest(
                owner="octocat", repo="app", after=COMMIT, external_id=name, request_id=name
            )
            return builds.CreateBuild(request, metadata=metadata, timeout=SECONDS)

        turn_by_turn(both, call)
        assert both.one.stop() == 0
        for number in range(10):
            call(f"without one {number}")


def test_one_that_takes_no_writes_is_asked_for_nothing(both: Replicas) -> None:
    with Client(both.addresses, both.admin_token) as client:
        turn_by_turn(both, recording(client))
        # Only one of them has this build.
        client_of_one = Client(both.one.address, both.admin_token)
        with closing(client_of_one):
            recording(client_of_one)("of one")

        def found() -> list[bool]:
            lists = [client.list_builds(owner="octocat", repo="app").builds for _ in range(10)]
            return [any(build.external_id == "of one" for build in builds) for builds in lists]

        assert sorted(found()) == [False] * 5 + [True] * 5
        with unwritable(both.other):
            # Refused by one, and so taken by the other.
            for number in range(4):
                recording(client)(f"refused {number}")
            until(lambda: all(found()))
            known = recorded(both.one)
            for number in range(10):
                recording(client)(f"elsewhere {number}")
            assert all(found())
            assert recorded(both.one) == known | {f"elsewhere {number}" for number in range(10)}
        until(lambda: sorted(found()) == [False] * 5 + [True] * 5)


@contextmanager
def unwritable(server: Shipliftd) -> Iterator[None]:
    """Has a server's writes fail at once."""
    if postgres.is_in_use():
        with away(server.database):
            yield
        return
    process = server.process.pid
    written = server.database.with_name(f"{server.database.name}-wal").stat().st_size
    unlimited = resource.prlimit(process, resource.RLIMIT_FSIZE)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (written, unlimited[1]))
    yield
    resource.prlimit(process, resource.RLIMIT_FSIZE, unlimited)


def test_both_are_known_by_one_name_over_tls(tmp_path: Path) -> None:
    tls = certificates(tmp_path)
    options: dict[str, Any] = {"ca_file": tmp_path / "ca.pem"}
    with replicas(tmp_path, (tls("one.example"), tls("other.example"))) as both:
        with (
            Client(both.addresses, both.admin_token, **options, server_name="replicas.example") as client,
            Load(recording(client)) as load,
        ):
            until(lambda: load.failed or len(load.answered) > 20)
        with (
            Client(both.addresses, both.admin_token, **options) as strict,
            pytest.raises(Unavailable, match="all backends failing"),
        ):
            strict.who_am_i(timeout=1)
        with (
            Client(both.addresses, both.admin_token) as plain,
            pytest.raises(Unavailable, match=f"{both.addresses} speaks TLS, and this client plaintext"),
        ):
            plain.who_am_i()
    assert load.failed == []
    assert_shared(both, load)


def test_the_command_finds_the_one_that_is_there(both: Replicas, tmp_path: Path) -> None:
    with socket.socket() as taken:
        # Bound, not listening: the connection is refused.
        taken.bind(("127.0.0.1", 0))
        away = f"127.0.0.1:{taken.getsockname()[1]}"
        servers = f"{away},{both.one.address}"
        cli = Cli(tmp_path, servers, both.admin_token)
        assert cli.run("whoami", "--json").json()["user"]["login"] == "admin"
        # A context of both, whatever the spaces.
        assert cli.run("login").out.startswith(f"Logged in to {servers} as admin; ")
        kept = Cli(tmp_path)
        assert kept.run("whoami").out.split()[:2] == ["server", servers]
        assert kept.run("whoami", "--server", servers.replace(",", ", ")).code == 0
        nobody = kept.run("whoami", "--server", f"{away},localhost:{away.rpartition(':')[2]}")
    servers = f"{away},localhost:{away.rpartition(':')[2]}"
    assert (nobody.code, nobody.out, nobody.err.splitlines()[0]) == (
        3,
        "",
        f"shiplift: no answer from {servers}: nothing listens on {servers}: is the server running, and is"
        " this its address?",
    )
    named = cli.run("whoami", "--server", "a.example,b.example")
    assert (named.code, named.out, named.err) == (
        2,
        "",
        "shiplift: server 'a.example:50051' is one of several: gRPC takes several IP addresses (or"
        " localhost), such as 10.0.0.7:50051,10.0.0.8:50051, or one name for all of them\n",
    )
