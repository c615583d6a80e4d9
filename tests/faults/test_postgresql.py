"""A PostgreSQL that is killed, or whose connections are cut: what was acknowledged stays."""

import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from shiplift.v1 import builds_pb2 as api

from tests.faults.conftest import Tell
from tests.support import postgres
from tests.support.bursts import assert_sound, promote, promotion, record_a_build, stored
from tests.support.faults import form
from tests.support.harness import Shipliftd
from tests.support.patience import until
from tests.support.proxy import ByProxy, Proxy
from tests.support.refusals import code_of, refusal

pytestmark = pytest.mark.postgresql

KILLS, CALLS = form((2, 150), (30, 500))
CUTS = form(5, 100)


@pytest.fixture
def own_cluster() -> Iterator[postgres.Cluster]:
    """A PostgreSQL server of the test's own."""
    with postgres.cluster() as made, made.in_use():
        yield made


def again(server: Shipliftd, request: api.PromoteRequest) -> api.Build:
    """The answer, once the database is there again."""

    def answer() -> api.Build | None:
        try:
            return server.builds().PromoteBuild(request)
        except grpc.RpcError as error:
            if code_of_error(error) != grpc.StatusCode.UNAVAILABLE:
                raise
            return None

    return until(answer)


def code_of_error(error: grpc.RpcError) -> grpc.StatusCode:
    code: grpc.StatusCode = error.code()
    return code


@pytest.mark.timeout(form(300, 3_600))
def test_a_database_that_is_killed_loses_nothing_that_was_acknowledged(
    own_cluster: postgres.Cluster, database: Path, tell: Tell
) -> None:
    promotions: dict[str, int] = {}
    moment = random.Random(42)
    answered = kept = 0
    with Shipliftd(database) as server:
        record_a_build(server)
        for kill in range(KILLS):
            ids = [f"kill {kill}, call {call}" for call in range(CALLS)]
            at = moment.randrange(CALLS // 10, CALLS * 9 // 10)
            acknowledged, _ = promote(server, ids, kill_at=at, kill=own_cluster.kill)
            # It is told at once, and the server stays.
            began = time.monotonic()
            assert code_of(server.builds().PromoteBuild, promotion("away")) == grpc.StatusCode.UNAVAILABLE
            assert time.monotonic() - began < 5
            own_cluster.start()
            promotions["away"] = again(server, promotion("away")).number
            found = stored(database)
            assert (promotions | acknowledged).items() <= found.items()

            left = [request_id for request_id in ids if request_id not in acknowledged]
            retried, replayed = promote(server, left)
            known = {request_id: found[request_id] for request_id in left if request_id in found}
            assert set(retried) == set(left)
            assert replayed == set(known)
            assert known.items() <= retried.items()
            promotions |= acknowledged | retried
            answered, kept = answered + len(acknowledged), kept + len(known)
        assert stored(database) == promotions
        assert_sound(database, promotions)
    tell(
        f"{KILLS} kills of PostgreSQL in bursts of {CALLS} promotions; {answered} were acknowledged before,"
        f" {kept} were stored and not acknowledged; 0 lost, 0 twice"
    )


@pytest.mark.parametrize("is_sent", [False, True], ids=["before it", "after it"])
def test_a_connection_that_is_cut_in_a_commit_leaves_what_a_repeat_finds_out(
    database: Path, tell: Tell, *, is_sent: bool
) -> None:
    port = int(postgres.url_of(database).rpartition("/")[0].rpartition(":")[2])
    with Proxy(port) as proxy, ByProxy(database, port=proxy.port) as server:
        record_a_build(server)
        for cut in range(CUTS):
            request = promotion(f"cut {cut}")
            connections: set[int] = set()
            cuts = 0

            def seen(
                data: bytes,
                mark: bytes = request.request_id.encode(),
                connections: set[int] = connections,
            ) -> bool | None:
                nonlocal cuts
                # Not the COMMIT of another connection: the server seals its audit meanwhile.
                if mark in data:
                    connections.add(threading.get_ident())
                if b"COMMIT" not in data or threading.get_ident() not in connections or cuts:
                    return True
                cuts += 1
                return False if is_sent else None

            proxy.seen = seen
            told = refusal(server.builds().PromoteBuild, request)
            assert (told.code, told.message) == (
                grpc.StatusCode.UNAVAILABLE,
                "the database was lost while it stored this, so it is done or it is not: repeat the call"
                " with the same request_id, which tells",
            )
            assert again(server, request).number == cut + 2
        promotions = stored(database)
        assert promotions == {f"cut {cut}": cut + 2 for cut in range(CUTS)}
        assert_sound(database, promotions)
    tell(f"{CUTS} commits cut {'after' if is_sent else 'before'} they were sent; 0 lost, 0 twice")


def test_connections_that_were_cut_while_idle_are_made_anew_without_a_failed_call(database: Path) -> None:
    port = int(postgres.url_of(database).rpartition("/")[0].rpartition(":")[2])
    with Proxy(port) as proxy, ByProxy(database, port=proxy.port) as server:
        record_a_build(server)
        for n in range(3):
            ids = [f"{n}, {call}" for call in range(64)]
            assert set(promote(server, ids)[0]) == set(ids)
            proxy.cut()
        assert_sound(database, stored(database))
