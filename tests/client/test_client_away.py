"""What the client does while no server answers."""

import asyncio
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from shiplift import AsyncClient, Client, Refused, Unavailable
from shiplift.v1 import access_pb2, builds_pb2

from tests.support.beside import held
from tests.support.harness import Shipliftd
from tests.support.patience import within
from tests.support.repository import COMMIT


def test_no_answer_is_unreachable_and_has_the_request_id_to_repeat_with() -> None:
    with socket.socket() as taken:
        # Bound, not listening: the connection is refused.
        taken.bind(("127.0.0.1", 0))
        begun = time.monotonic()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with Client(address) as client, within(3.25), pytest.raises(Unavailable) as failed:
            client.promote_build(owner="octocat", repo="hello", build=1, target="qa", timeout=6)
    # Until another repeat would begin after the deadline; a pause takes three seconds at most.
    assert time.monotonic() - begun >= 3
    assert failed.value.code is grpc.StatusCode.UNAVAILABLE
    assert "Connection refused" in failed.value.message
    assert len(failed.value.request_id) == 36


def test_a_call_ends_at_its_deadline() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with (
            Client(f"127.0.0.1:{silent.getsockname()[1]}", timeout=0.3) as client,
            pytest.raises(Unavailable) as no,
        ):
            client.who_am_i()
        assert no.value.code is grpc.StatusCode.DEADLINE_EXCEEDED


@contextmanager
def refusing(answer: Callable[[int], grpc.Status | None]) -> Iterator[tuple[Client, list[str]]]:
    """A client of a server that refuses CreateUser with what is told for its first attempt and so on.

    And the request_ids of these.
    """
    request_ids: list[str] = []

    def create_user(
        request: access_pb2.CreateUserRequest, context: grpc.ServicerContext
    ) -> access_pb2.User:
        request_ids.append(request.request_id)
        status = answer(len(request_ids))
        if status is not None:
            context.abort_with_status(status)
        return access_pb2.User(login=request.login)

    server = grpc.server(ThreadPoolExecutor(1))
    handler = grpc.unary_unary_rpc_method_handler(
        create_user, access_pb2.CreateUserRequest.FromString, access_pb2.User.SerializeToString
    )
    service = {"CreateUser": handler}
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("shiplift.v1.AccessService", service),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with Client(f"127.0.0.1:{port}") as client:
            yield client, request_ids
    finally:
        server.stop(None)


def status(code: grpc.StatusCode, *details: Message) -> grpc.Status:
    """What a call ends with."""
    made = status_pb2.Status(code=code.value[0], message="not now")
    for detail in details:
        made.details.add().Pack(detail)
    return rpc_status.to_status(made)


def test_a_call_is_repeated_with_its_request_id_while_the_server_is_unavailable() -> None:
    # More often than gRPC itself would try.
    away = status(grpc.StatusCode.UNAVAILABLE)
    with refusing(lambda attempt: away if attempt < 7 else None) as (client, request_ids):
        assert client.create_user(login="octocat").login == "octocat"
    assert len(request_ids) == 7
    assert len(set(request_ids)) == 1


def test_a_busy_server_is_asked_again_when_it_says() -> None:
    hint = error_details_pb2.RetryInfo()
    hint.retry_delay.FromMilliseconds(700)
    busy = status(grpc.StatusCode.RESOURCE_EXHAUSTED, hint)

    async def create(address: str) -> access_pb2.User:
        async with AsyncClient(address) as other:
            return await other.create_user(login="octocat")

    with refusing(lambda attempt: busy if attempt % 3 else None) as (client, request_ids):
        begun = time.monotonic()
        assert client.create_user(login="octocat").login == "octocat"
        between = time.monotonic()
        assert asyncio.run(create(client._route.server)).login == "octocat"
        assert between - begun >= 1.4
        assert time.monotonic() - between >= 1.4
    assert [request_ids.count(each) for each in dict.fromkeys(request_ids)] == [3, 3]


def test_a_busy_server_is_not_waited_for_longer_than_the_call_may_take() -> None:
    busy = error_details_pb2.RetryInfo()
    busy.retry_delay.FromSeconds(60)
    told = status(grpc.StatusCode.RESOURCE_EXHAUSTED, busy)
    with refusing(lambda _: told) as (client, request_ids), pytest.raises(Refused) as failed, within(1):
        client.create_user(login="octocat")
    assert (failed.value.retry_after, len(request_ids)) == (60.0, 1)


def test_a_busy_server_does_not_hide_that_an_earlier_try_may_have_been_done() -> None:
    hint = error_details_pb2.RetryInfo()
    hint.retry_delay.FromMilliseconds(100)
    reason = error_details_pb2.ErrorInfo(reason="SERVER_BUSY")
    busy = status(grpc.StatusCode.RESOURCE_EXHAUSTED, hint, reason)
    away = status(grpc.StatusCode.UNAVAILABLE)

    async def create(address: str) -> None:
        async with AsyncClient(address, timeout=2) as other:
            await other.create_user(login="octocat")

    for first, is_busy in ((away, False), (busy, True)):
        answers = [first, busy]
        with refusing(lambda attempt: answers[attempt > 1]) as (client, request_ids):  # noqa: B023
            with pytest.raises(Unavailable) as failed:
                client.create_user(login="octocat", timeout=2)
            assert len(request_ids) > 1
            assert failed.value.is_busy == is_busy
            request_ids.clear()
            with pytest.raises(Unavailable) as failed:
                asyncio.run(create(client._route.server))
            assert failed.value.is_busy == is_busy


def test_what_is_too_much_in_itself_is_not_repeated() -> None:
    much = status(grpc.StatusCode.RESOURCE_EXHAUSTED)
    with refusing(lambda _: much) as (client, request_ids), pytest.raises(Refused) as failed:
        client.create_user(login="octocat")
    assert (failed.value.retry_after, len(request_ids)) == (None, 1)


def test_promotions_outlive_a_server_that_is_away_for_7_seconds(tmp_path: Path) -> None:
    database = tmp_path / "shiplift.db"
    with Shipliftd(database) as first, Client(first.address, first.admin_token) as client:
        client.create_repository(owner="octocat", repo="hello")
        client.create_build(owner="octocat", repo="hello", after=COMMIT)
        second = Shipliftd(database, listen=first.address)

        async def promote() -> builds_pb2.Build:
            async with AsyncClient(first.address, first.admin_token) as other:
                return await other.promote_build(owner="octocat", repo="hello", build=1, target="qa")

        with ThreadPoolExecutor() as threads:
            with held(database):
                calls = [
                    threads.submit(
                        client.promote_build, owner="octocat", repo="hello", build=1, target="qa"
                    ),
                    threads.submit(asyncio.run, promote()),
                ]
                wait(calls, timeout=1)
                assert not any(call.done() for call in calls)
                assert first.stop(signal.SIGKILL) == -signal.SIGKILL
            # The absence itself is what is tested.
            time.sleep(7)
            with second:
                numbers = sorted(call.result().number for call in calls)
                builds = client.list_builds(owner="octocat", repo="hello").builds
    assert (numbers, [build.number for build in builds]) == ([2, 3], [3, 2, 1])
