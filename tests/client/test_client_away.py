"""What the client does while no server answers."""

import asyncio
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import grpc
import pytest
from shiplift import (
    AsyncClient,
    Client,
    Unavailable,
)
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


def test_a_call_is_repeated_with_its_request_id_while_the_server_is_unavailable() -> None:
    request_ids: list[str] = []

    def create_user(
        request: access_pb2.CreateUserRequest, context: grpc.ServicerContext
    ) -> access_pb2.User:
        request_ids.append(request.request_id)
        # More often than gRPC itself would try.
        if len(request_ids) < 7:
            context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
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
            assert client.create_user(login="octocat").login == "octocat"
    finally:
        server.stop(None)
    assert len(request_ids) == 7
    assert len(set(request_ids)) == 1


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
