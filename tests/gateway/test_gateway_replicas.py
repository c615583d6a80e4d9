"""A gateway before two servers: who answers while they come and go."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.commands import refusal
from tests.support.gateway import Caller
from tests.support.harness import Gateway
from tests.support.replicas import (
    Call,
    Load,
    Replicas,
    assert_shared,
    certificates,
    no_call_fails,
    replicas,
    turn_by_turn,
)

HTTP = ("--http", "127.0.0.1:0")


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Replicas]:
    """Two servers of the test's own."""
    with replicas(tmp_path) as running:
        yield running


def promoting(caller: Caller) -> Call:
    """Promotes build 1 by Drone's route, without an Idempotency-Key."""

    def promote(name: str) -> None:
        path = "/api/repos/octocat/app/builds/1/promote"
        answer = caller.post(path, {"target": "production", "CALL": name})
        assert answer.status == 200, answer

    return promote


def by_connect(caller: Caller) -> Call:
    """Promotes build 1 by the Connect protocol, without a request_id."""

    def promote(name: str) -> None:
        answer = caller.rpc(
            "BuildService/PromoteBuild",
            owner="octocat",
            repo="app",
            build=1,
            target="production",
            params={"CALL": name},
        )
        assert answer.status == 200, answer

    return promote


def test_requests_are_spread_over_both(both: Replicas) -> None:
    with Gateway(both.addresses) as gateway:
        turn_by_turn(both, promoting(Caller(gateway.http, both.admin_token)))


@pytest.mark.parametrize("make", [promoting, by_connect])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_no_request_fails_while_one_goes_and_comes_back(
    both: Replicas, number: signal.Signals, make: Callable[[Caller], Call]
) -> None:
    with Gateway(both.addresses) as gateway:
        no_call_fails(both, make(Caller(gateway.http, both.admin_token)), number)


def test_a_gateway_is_ready_as_long_as_one_of_them_is(both: Replicas) -> None:
    with Gateway(both.addresses) as gateway:
        caller = Caller(gateway.http)
        assert caller.get("/readyz").status == 200
        assert both.one.stop() == 0
        assert [caller.get("/readyz").status for _ in range(10)] == [200] * 10
        assert both.other.stop() == 0
        assert caller.get("/readyz").told == (503, "the server does not answer: UNAVAILABLE")


def test_several_names_are_refused() -> None:
    assert refusal("gateway", "--upstream", "10.0.0.7:1,b.example:2", *HTTP) == (
        "--upstream 'b.example:2' is one of several: gRPC takes several IP addresses (or localhost),"
        " such as 10.0.0.7:50051,10.0.0.8:50051, or one name for all of them"
    )
    for upstream, named in (("10.0.0.7:1,", ""), ("unix:/a,unix:/b", "unix:/a")):
        assert refusal("gateway", "--upstream", upstream, *HTTP) == (
            f"--upstream {named!r} is not an address: wanted HOST:PORT, such as"
            " shipliftd.example.org:50051, or unix:PATH"
        )


def test_both_are_known_by_one_name_over_tls(tmp_path: Path) -> None:
    tls = certificates(tmp_path)
    with replicas(tmp_path, (tls("one.example"), tls("other.example"))) as both:
        options = ("--upstream-ca", f"{tmp_path}/ca.pem")
        with Gateway(both.addresses, (*options, "--upstream-name", "replicas.example")) as gateway:
            caller = Caller(gateway.http, both.admin_token)
            with Load(promoting(caller)) as load:
                load.more()
            assert load.failed == []
        with Gateway(both.addresses, options) as strict:
            assert Caller(strict.http).get("/readyz").status == 503
    assert_shared(both, load)
