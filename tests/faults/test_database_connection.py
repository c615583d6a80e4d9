"""The connection to PostgreSQL: it stalls, or there are too few of them."""

from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2
from shiplift.v1 import builds_pb2 as api

from tests.faults.conftest import Tell
from tests.support import postgres
from tests.support.bursts import assert_sound, promotion, record_a_build, stored
from tests.support.commands import refusal as said_of_refusal
from tests.support.daemons import health_of
from tests.support.faults import form
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
