"""The connection to PostgreSQL: it stalls, or there are too few of them."""

import itertools
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import grpc
import psycopg
import pytest
from grpc_health.v1 import health_pb2
from shiplift.v1 import builds_pb2 as api

from tests.faults.conftest import Tell
from tests.support import postgres
from tests.support.beside import away, held, opened
from tests.support.bursts import assert_sound, promote, promotion, record_a_build, stored
from tests.support.commands import refusal as said_of_refusal
from tests.support.daemons import health_of
from tests.support.faults import column, form
from tests.support.harness import Shipliftd
from tests.support.patience import until, within
from tests.support.proxy import ByProxy, Proxy
from tests.support.refusals import details, refusal

pytestmark = pytest.mark.postgresql

STALLS = form(1, 20)
UNKNOWN = (
    "the database was lost while it stored this, so it is done or it is not: repeat the call with the same"
    " request_id, which tells"
)

ROOM = (
    "See that PostgreSQL's max_connections has room for the --connections of each server, one more of each"
    " that listens, and commands"
)
CUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def is_ready(server: Shipliftd) -> bool:
    """What a load balancer is told."""
    answer = health_of(server.channel("")).Check(health_pb2.HealthCheckRequest())
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


@pytest.mark.timeout(form(300, 3_600))
@pytest.mark.parametrize("is_sent", [False, True], ids=["before it", "in its commit"])
def test_a_connection_that_stalls_is_told_in_time_and_goes_on_by_itself(
    database: Path, tell: Tell, *, is_sent: bool
) -> None:
    port = int(postgres.url_of(database).rpartition("/")[0].rpartition(":")[2])
    with Proxy(port) as proxy, ByProxy(database, port=proxy.port) as server:
        record_a_build(server)

        def stalls(data: bytes) -> bool:
            if b"COMMIT" in data:
                proxy.flows.clear()
            return True

        for stall in range(STALLS):
            request = promotion(f"stall {stall}")
            assert is_ready(server)
            if is_sent:
                proxy.seen = stalls
            else:
                proxy.flows.clear()
            with within(25):
                told = refusal(server.builds().PromoteBuild, request)
            message = UNKNOWN if is_sent else "the database cannot be read now: try again"
            assert (told.code, told.message) == (grpc.StatusCode.UNAVAILABLE, message)
            proxy.seen = lambda _: True
            # The others are told at once, and when to try again.
            with within(2):
                others = details(
                    server.builds().GetBuild, api.GetBuildRequest(owner="octocat", repo="app", build=1)
                )
            assert others["RetryInfo"] == {"retry_delay": "1s"}
            until(lambda: not is_ready(server), 5)
            proxy.flows.set()
            until(lambda: is_ready(server))
            assert server.builds().PromoteBuild(request).number == stall + 2
        promotions = stored(database)
        assert promotions == {f"stall {stall}": stall + 2 for stall in range(STALLS)}
        assert_sound(database, promotions)
        # Nor does it keep a server from ending.
        proxy.flows.clear()
        assert server.stop() == 0
    tell(f"{STALLS} connections that stalled {'in a commit' if is_sent else 'before it'}; 0 lost, 0 twice")


@pytest.mark.parametrize("words", [("serve",), ("check",), ("migrate",)], ids=" ".join)
def test_a_database_that_is_absent_is_named_without_its_password(words: tuple[str, ...]) -> None:
    told = said_of_refusal(*words, "--database", "postgresql://shiplift:hidden@127.0.0.1:1/absent")
    assert told.startswith(
        "--database postgresql://127.0.0.1:1/absent cannot be reached: connection failed: "
    )
    assert told.endswith(
        ". See that PostgreSQL runs there, has the database (createdb) and lets this user in, or name"
        " another address"
    )
    assert "hidden" not in told


@dataclass
class AsRole(Shipliftd):
    """A server that is no superuser, and so gets none of the connections that are kept for those."""

    @property
    def store(self) -> str:
        """What `--database` is given."""
        return super().store.replace("shiplift@", "promoter@")


@pytest.fixture
def small_cluster() -> Iterator[postgres.Cluster]:
    """A PostgreSQL of nine connections for the role `promoter`, and three for the tests."""
    with postgres.cluster() as made, made.in_use():
        made.stop(signal.SIGINT)
        made.settings += ("max_connections=12", "superuser_reserved_connections=3")
        made.start()
        with psycopg.connect(f"{made.url}/postgres") as connection:
            connection.execute("CREATE ROLE promoter LOGIN")
            connection.execute("GRANT pg_read_all_data, pg_write_all_data TO promoter")
        yield made


def test_a_server_makes_do_with_the_connections_that_postgresql_has_for_it(
    small_cluster: postgres.Cluster, database: Path
) -> None:
    taken = f"{small_cluster.url}/postgres".replace("shiplift@", "promoter@")
    with ExitStack() as others, AsRole(database, ("--connections", "20")) as server:
        for _ in range(4):
            others.enter_context(closing(psycopg.connect(taken)))
        record_a_build(server)
        ids = [f"few {call}" for call in range(200)]
        assert set(promote(server, ids)[0]) == set(ids)
        assert is_ready(server)
        # One listens.
        assert connections(database) == 5
        (told,) = [line for line in server.log if line["level"] == "warning"]
        assert (told["event"], str(told["wanted"])) == ("fewer connections than wanted", "20")
        assert told["error"].endswith(f" {ROOM}")
        assert said_of_refusal("serve", "--database", server.store).endswith(f" {ROOM}")
        others.close()

        def more() -> bool:
            ids = [f"more {next(numbers)}" for _ in range(64)]
            assert set(promote(server, ids)[0]) == set(ids)
            return connections(database) == 9

        numbers = itertools.count()
        until(more)
        assert_sound(database, stored(database))


def connections(database: Path) -> int:
    """How many servers have to the store."""
    name = postgres.url_of(database).rpartition("/")[2]
    found = column(
        database,
        f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}' AND usename = 'promoter'",
    )
    count: int = found[0]
    return count


def test_reads_go_on_while_every_write_waits_for_a_lock(database: Path) -> None:
    with Shipliftd(database, ("--connections", "4")) as server, ThreadPoolExecutor(8) as callers:
        record_a_build(server)
        with held(database) as other:
            waiting = [
                callers.submit(refusal, server.builds().PromoteBuild, promotion(f"lock {call}"))
                for call in range(8)
            ]
            with within(4):
                for _ in range(100):
                    server.builds().GetBuild(api.GetBuildRequest(owner="octocat", repo="app", build=1))
            told = Counter((each.result().code, each.result().message) for each in waiting)
            assert is_ready(server)
            other.execute("ROLLBACK")
        assert told == {
            (
                grpc.StatusCode.UNAVAILABLE,
                "no connection to the database was free for 5 s, of 4"
                " (--connections); nothing was stored: try again",
            ): 5,
            (
                grpc.StatusCode.UNAVAILABLE,
                "others hold locks on what this needs (pg_locks shows whose);"
                " nothing was stored: try again",
            ): 3,
        }
        with within(2):
            assert server.builds().PromoteBuild(promotion("lock 0")).number == 2
        assert stored(database) == {"lock 0": 2}


def test_a_database_that_becomes_read_only_is_told_and_read(database: Path) -> None:
    name = postgres.url_of(database).rpartition("/")[2]
    read = api.GetBuildRequest(owner="octocat", repo="app", build=1)
    with Shipliftd(database) as server:
        record_a_build(server)
        with opened(database) as store:
            store.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        try:
            # What it has connected stays as it was.
            with opened(database) as store:
                store.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE")
                store.execute(CUT)
            told = refusal(server.builds().PromoteBuild, promotion("read only"))
            assert (told.code, told.message) == (
                grpc.StatusCode.UNAVAILABLE,
                "the database is read only now; nothing was stored: try again",
            )
            until(lambda: not is_ready(server), 5)
            for _ in range(30):
                assert server.builds().GetBuild(read).number == 1
                assert not is_ready(server)
                time.sleep(0.1)
        finally:
            with psycopg.connect(postgres.url_of(database), autocommit=True) as connection:
                connection.execute("SET default_transaction_read_only = off")
                connection.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only".encode())
        until(lambda: is_ready(server), 5)
        assert server.builds().PromoteBuild(promotion("read only")).number == 2


def test_a_database_that_is_away_is_told_of_once(database: Path) -> None:
    with Shipliftd(database) as server:
        record_a_build(server)
        with away(database):
            until(lambda: not is_ready(server))
            # What is tried each second is tried some times.
            time.sleep(4)
        until(lambda: is_ready(server))
    assert not [line for line in server.log if "trace" in line]
    # Its connection is cut, and its next one refused.
    assert 1 <= sum(line["event"] == "replicas not heard" for line in server.log) <= 2
    told = [line["event"] for line in server.log if line["level"] != "info"]
    assert [event for event in told if event != "replicas not heard"] == [
        "store",
        "the store takes no writes",
        "the store takes writes again",
    ]
