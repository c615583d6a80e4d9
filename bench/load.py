"""Load on a gRPC server: so many callers, each with one call at a time, for so many seconds."""

import asyncio
import itertools
import resource
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import grpc
import grpc.aio

if TYPE_CHECKING:
    # Generic in its stubs alone.
    Call = grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]
else:
    Call = grpc.aio.UnaryUnaryMultiCallable


class Result(NamedTuple):
    """What callers saw in one measurement."""

    rps: float
    p50: float
    """Milliseconds."""
    p99: float
    """Milliseconds."""
    client_cpu: float
    """The share of its core that the client used: near 1, and the client is what is measured."""


async def measure(
    address: str,
    path: str,
    requests: Callable[[], Iterator[bytes]],
    callers: int,
    seconds: float,
    token: str = "",
) -> Result:
    """Calls `path` with bytes made beforehand and answers left undecoded, so the client costs little.

    Of several addresses, with commas between, callers take turns.
    """
    metadata = (("authorization", f"Bearer {token}"),) if token else None
    # One connection for 16 callers, as a service's clients would have.
    addresses = address.split(",")
    channels = [
        grpc.aio.insecure_channel(addresses[n % len(addresses)], [("grpc.use_local_subchannel_pool", 1)])
        for n in range(max(min(callers, len(addresses)), callers // 16))
    ]
    calls: list[Call] = [channel.unary_unary(path) for channel in channels]
    feed = requests()
    took: list[float] = []
    end = 0.0

    async def caller(call: Call) -> None:
        while True:
            began = time.perf_counter()
            if began > end:
                return
            await call(next(feed), metadata=metadata, timeout=30)
            took.append(time.perf_counter() - began)

    async def round_of(length: float) -> float:
        nonlocal end
        began = time.perf_counter()
        end = began + length
        await asyncio.gather(*(caller(calls[n % len(calls)]) for n in range(callers)))
        return time.perf_counter() - began

    await round_of(min(1.0, seconds))
    took.clear()
    busy = cpu()
    length = await round_of(seconds)
    busy = cpu() - busy
    for channel in channels:
        await channel.close()
    took.sort()
    return Result(
        rps=len(took) / length,
        p50=took[len(took) // 2] * 1000,
        p99=took[len(took) * 99 // 100] * 1000,
        client_cpu=busy / length,
    )


def cpu() -> float:
    """The seconds of a core that this process has used."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def repeated(request: bytes) -> Callable[[], Iterator[bytes]]:
    """The same request over and over."""
    return lambda: itertools.repeat(request)
