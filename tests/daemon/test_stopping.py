"""How the daemon stops: what is in flight, the drain's limit, the second signal."""

import signal
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from shiplift.v1 import builds_pb2, builds_pb2_grpc

from tests.support.beside import held
from tests.support.daemons import health_of, promoted, promotion, record, reflection_of
from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS

Told = health_pb2.HealthCheckResponse
SERVING, NOT_SERVING = Told.SERVING, Told.NOT_SERVING
# What clients of several replicas watch.
SERVICE = "shiplift.v1.BuildService"


def code_of(call: "grpc.Future[builds_pb2.Build]") -> grpc.StatusCode | None:
    """How the call ended, once it has; None: well."""
    error = call.exception()
    if error is None:
        return None
    assert isinstance(error, grpc.RpcError)
    code: grpc.StatusCode = error.code()
    return code


def until_ended(watch: Iterator[Told]) -> Iterator[Told]:
    """What a watch tells until the server ends it."""
    with pytest.raises(grpc.RpcError) as ended:
        yield from watch
    assert ended.value.code() == grpc.StatusCode.UNAVAILABLE


class Waiting:
    """A promotion in flight on a server whose store is held, and a watch of its health."""

    def __init__(self, server: Shipliftd) -> None:
        channel = server.channel()
        self.builds = builds_pb2_grpc.BuildServiceStub(channel)
        self.watch = health_of(channel).Watch(health_pb2.HealthCheckRequest())
        assert next(self.watch).status == SERVING
        self.call = self.builds.PromoteBuild.future(promotion("waits"))
        # Answered after it on the same connection: the promotion has arrived.
        self.builds.GetBuild(builds_pb2.GetBuildRequest(owner="octocat", repo="app", build=1))

    def code(self) -> grpc.StatusCode:
        code = code_of(self.call)
        assert code is not None
        return code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_calls_in_flight_finish_when_the_server_is_stopped(
    own_server: Shipliftd, number: signal.Signals
) -> None:
    record(own_server)
    with held(own_server.database) as other:
        waiting = Waiting(own_server)
        own_server.process.send_signal(number)
        assert next(waiting.watch).status == NOT_SERVING
        # The watch would hold the server up; it ends.
        with pytest.raises(grpc.RpcError) as ended:
            next(waiting.watch)
        assert ended.value.code() == grpc.StatusCode.UNAVAILABLE
        with pytest.raises(grpc.RpcError) as late:
            waiting.builds.PromoteBuild(promotion("late"))
        assert late.value.code() == grpc.StatusCode.UNAVAILABLE
        # Who asks only now, or watches anew, is told the same.
        health, asked = health_of(own_server.channel("")), health_pb2.HealthCheckRequest(service=SERVICE)
        assert health.Check(asked).status == NOT_SERVING
        assert [told.status for told in until_ended(health.Watch(asked))] == [NOT_SERVING]
        assert not waiting.call.done()
        other.execute("ROLLBACK")
    assert waiting.call.result().number == 2
    assert own_server.stop() == 0
    assert promoted(own_server.database) == [2]


def assert_repeatable(database: Path) -> None:
    """Whoever was told to try again does: there is one promotion, whether it was stored before or not."""
    with Shipliftd(database) as server:
        assert server.builds().PromoteBuild(promotion("waits")).number == 2
    assert promoted(database) == [2]


def test_a_drain_has_its_limit(tmp_path: Path) -> None:
    with Shipliftd(tmp_path / "shiplift.db", ("--drain-seconds", "0.5")) as server:
        record(server)
        with held(server.database) as other:
            waiting = Waiting(server)
            server.process.terminate()
            assert waiting.code() == grpc.StatusCode.UNAVAILABLE
            other.execute("ROLLBACK")
        assert server.stop() == 0
    assert_repeatable(server.database)


def test_a_second_signal_ends_the_drain(own_server: Shipliftd) -> None:
    record(own_server)
    with held(own_server.database) as other:
        waiting = Waiting(own_server)
        own_server.process.terminate()
        assert next(waiting.watch).status == NOT_SERVING
        own_server.process.terminate()
        assert waiting.code() == grpc.StatusCode.UNAVAILABLE
        other.execute("ROLLBACK")
    assert own_server.stop() == 0
    assert_repeatable(own_server.database)


def test_open_reflection_does_not_hold_up_a_stop(own_server: Shipliftd) -> None:
    reflection = reflection_of(own_server.channel(""))
    asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])

    def ask() -> Iterator[reflection_pb2.ServerReflectionRequest]:
        yield from asked
        own_server.process.wait(timeout=SECONDS)

    answers = reflection.ServerReflectionInfo(ask())
    assert next(answers).list_services_response.service
    own_server.process.terminate()
    with pytest.raises(grpc.RpcError) as ended:
        next(answers)
    assert ended.value.code() == grpc.StatusCode.UNAVAILABLE
    assert own_server.process.wait(timeout=SECONDS) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_writes_sent_right_before_the_signal_are_answered_or_not_stored(
    own_server: Shipliftd, number: signal.Signals
) -> None:
    record(own_server)
    builds = own_server.builds()
    builds.PromoteBuild(promotion("first"))
    # As many as a token may have at once, or some are refused for that.
    calls = [builds.PromoteBuild.future(promotion(f"call {n}")) for n in range(100)]
    own_server.process.send_signal(number)
    codes = [code_of(call) for call in calls]
    assert own_server.stop() == 0
    # Not CANCELLED, which clients do not repeat.
    assert set(codes) <= {None, grpc.StatusCode.UNAVAILABLE}
    answered = [call.result().number for call, code in zip(calls, codes, strict=True) if code is None]
    assert [2, *sorted(answered)] == promoted(own_server.database)
