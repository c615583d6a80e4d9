"""Load on an HTTP server: so many connections, each with one request at a time, for so many seconds."""

import asyncio
import time
from typing import cast

from bench.load import Result, cpu

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length:"
_CHUNKED = b"transfer-encoding: chunked"
# Other servers send long answers so; nothing of theirs has this at the end of a part and goes on.
_LAST_CHUNK = b"0\r\n\r\n"
_LAST_SECONDS = 30


class _Connection(asyncio.Protocol):
    """Sends the same request as soon as the answer to the last one is there; makes little of the answer."""

    def __init__(self, request: bytes, took: list[float]) -> None:
        self._request, self._took = request, took
        self._got = b""
        self._stopping = False
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def _send(self) -> None:
        self._began = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._got += data
        end = self._got.find(_HEAD_END)
        if end < 0:
            return
        head = self._got[:end].lower()
        if not head.startswith(b"http/1.1 200 "):
            self._fail(self._got[:300].decode(errors="replace"))
            return
        if not self._is_whole(head, len(self._got) - end - len(_HEAD_END)):
            return
        self._got = b""
        self._took.append(time.perf_counter() - self._began)
        if self._stopping:
            self._transport.close()
            self.done.set_result(None)
        else:
            self._send()

    def _is_whole(self, head: bytes, length: int) -> bool:
        if _CHUNKED in head:
            return self._got.endswith(_LAST_CHUNK)
        begin = head.index(_LENGTH) + len(_LENGTH)
        return length >= int(head[begin:].partition(b"\r")[0])

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self._fail(f"the connection was lost: {exc}")

    def _fail(self, told: str) -> None:
        if not self.done.done():
            self.done.set_exception(AssertionError(told))
        self._transport.close()

    def stop(self) -> None:
        """Ends with the answer that is awaited now."""
        self._stopping = True


async def measure_http(address: str, request: bytes, connections: int, seconds: float) -> Result:
    """Sends `request`, whole bytes, over and over. Fails at the first answer that is not 200."""
    host, _, port = address.rpartition(":")
    loop = asyncio.get_running_loop()
    took: list[float] = []
    opened = [
        (await loop.create_connection(lambda: _Connection(request, took), host, int(port)))[1]
        for _ in range(connections)
    ]
    await asyncio.sleep(min(1.0, seconds))
    took.clear()
    busy, began = cpu(), time.perf_counter()
    await asyncio.sleep(seconds)
    counted = sorted(took)
    length, busy = time.perf_counter() - began, cpu() - busy
    for connection in opened:
        connection.stop()
    async with asyncio.timeout(_LAST_SECONDS):
        await asyncio.gather(*(connection.done for connection in opened))
    return Result(
        rps=len(counted) / length,
        p50=counted[len(counted) // 2] * 1000,
        p99=counted[len(counted) * 99 // 100] * 1000,
        client_cpu=busy / length,
    )
