"""Many connections that come at once."""

import asyncio
import socket
from contextlib import ExitStack, closing

import grpc.aio
import uvloop
from shipliftd.gateway.serving import HttpServer
from shipliftd.settings import HttpSettings, Tls

from tests.support.gateway import opened, request


def test_connections_that_come_at_once_are_all_taken_soon() -> None:
    async def turns() -> int:
        """How often the loop comes by until as many as 32 are answered."""
        async with grpc.aio.insecure_channel("127.0.0.1:1") as channel:
            gateway = HttpServer.of(channel, HttpSettings(listen="127.0.0.1:0"), Tls(), "", 1.0)
            await gateway.start()
            with ExitStack() as stack:
                waiting = [stack.enter_context(closing(opened(gateway.address))) for _ in range(32)]
                for each in waiting:
                    each.sendall(request("GET /healthz"))
                    each.setblocking(False)
                turn = 0
                while waiting and turn < 1000:
                    await asyncio.sleep(0)
                    turn += 1
                    waiting = [each for each in waiting if not is_answered(each)]
            await gateway.stop()
        return turn

    assert uvloop.run(turns()) < 16


def is_answered(connection: socket.socket) -> bool:
    """Whether an answer has begun."""
    try:
        return connection.recv(65536).startswith(b"HTTP/1.1 200 ")
    except BlockingIOError:
        return False
