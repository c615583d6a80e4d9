"""What is left of the capacity when more is offered: `python -m bench.overload --help`.

First PromoteBuild's rate and p99 with so many callers, each with one call at a time; then calls at a
multiple of that rate, whether or not those before them were answered. Server and client each have a core of
their own.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import grpc
import grpc.aio
import uvloop
from rich.console import Console
from rich.table import Table

from bench.load import Call, Result, cpu, measure, repeated
from bench.rig import CLIENT_CORE, fill, on_server_core, prepare, promotion
from tests.support.harness import Shipliftd

_PATH = "/shiplift.v1.BuildService/PromoteBuild"
_PAUSE = 0.001
_DEADLINE = 30


class Overload(NamedTuple):
    """What came of the calls that were offered."""

    codes: Counter[grpc.StatusCode]
    goodput: float
    """Calls that were answered well within the time of the load, a second."""
    p99: float
    """Of those that were answered well, in milliseconds from when each was due."""
    refused_p99: float
    """Of those that were refused."""
    client_cpu: float
    client_waited: float
    """The share of the time that others had the client's core: much of it, and they are measured."""


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--callers", type=int, default=64, help="when the capacity is measured")
    parser.add_argument("--times", type=float, default=3.0, help="the capacity that is offered")
    parser.add_argument("--seconds", type=float, default=20.0, help="of overload in each round")
    parser.add_argument("--rounds", type=int, default=3, help="medians are printed")
    parser.add_argument("--stored", type=int, default=1000, help="builds in the store beforehand")
    options = parser.parse_args()
    os.sched_setaffinity(0, {CLIENT_CORE})
    with tempfile.TemporaryDirectory(dir=os.environ.get("SHIPLIFT_BENCH_DIR")) as folder:
        rounds = _rounds(Path(folder) / "shiplift.db", options)
    console = Console(width=110)
    console.print(_table(rounds, options))
    waited = statistics.median(overload.client_waited for _, overload in rounds)
    console.print(f"the client was kept from its core for {waited:.0%} of the time of overload")


def _rounds(database: Path, options: argparse.Namespace) -> list[tuple[Result, Overload]]:
    with on_server_core(), Shipliftd(database) as first:
        prepare(first)
    fill(database, options.stored)
    with on_server_core():
        server = Shipliftd(database, keeps_log=False).start()
    try:
        return [_round(server, options) for _ in range(options.rounds)]
    finally:
        server.stop()


def _round(server: Shipliftd, options: argparse.Namespace) -> tuple[Result, Overload]:
    request, token = promotion().SerializeToString(), server.admin_token
    seconds = min(5.0, options.seconds)
    capacity = uvloop.run(
        measure(server.address, _PATH, repeated(request), options.callers, seconds, token)
    )
    offered = capacity.rps * options.times
    return capacity, uvloop.run(_offer(server.address, request, token, offered, options.seconds))


async def _offer(address: str, request: bytes, token: str, rate: float, seconds: float) -> Overload:
    """Calls at this rate, whatever becomes of them."""
    metadata = (("authorization", f"Bearer {token}"),)
    channels = [
        grpc.aio.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)]) for _ in range(4)
    ]
    methods: list[Call] = [channel.unary_unary(_PATH) for channel in channels]
    ended: list[tuple[grpc.StatusCode, float, float]] = []

    async def caller(number: int, due: float) -> None:
        call = methods[number % len(methods)](request, metadata=metadata, timeout=_DEADLINE)
        code = await call.code()
        now = time.perf_counter()
        ended.append((code, now, now - due))

    calls: set[asyncio.Task[None]] = set()
    busy, waited, began, made = cpu(), _waited(), time.perf_counter(), 0
    while (now := time.perf_counter()) < began + seconds:
        for number in range(made, int((now - began) * rate)):
            task = asyncio.create_task(caller(number, began + number / rate))
            calls.add(task)
            task.add_done_callback(calls.discard)
            made = number + 1
        await asyncio.sleep(_PAUSE)
    end, busy, waited = time.perf_counter(), cpu() - busy, _waited() - waited
    await asyncio.gather(*calls)
    for channel in channels:
        await channel.close()
    well = [(at, took) for code, at, took in ended if code is grpc.StatusCode.OK]
    return Overload(
        codes=Counter(code for code, _, _ in ended),
        goodput=sum(at <= end for at, _ in well) / (end - began),
        p99=_p99([took for _, took in well]),
        refused_p99=_p99([took for code, _, took in ended if code is not grpc.StatusCode.OK]),
        client_cpu=busy / (end - began),
        client_waited=waited / (end - began),
    )


def _waited() -> float:
    """The seconds that this thread could have run and did not, since others had its core."""
    return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9


def _p99(took: Sequence[float]) -> float:
    return sorted(took)[len(took) * 99 // 100] * 1000 if took else 0.0


def _table(rounds: Sequence[tuple[Result, Overload]], options: argparse.Namespace) -> Table:
    table = Table(
        title=f"{options.times:g} times the capacity; medians of {options.rounds} x {options.seconds:g} s",
        title_justify="left",
    )
    table.add_column("")
    for heading in ("rps", "p99 ms", "goodput/capacity", "p99/capacity", "lowest..highest", "client"):
        table.add_column(heading, justify="right")
    capacities = [capacity for capacity, _ in rounds]
    table.add_row(
        f"{options.callers} callers",
        f"{statistics.median(c.rps for c in capacities):,.0f}",
        f"{statistics.median(c.p99 for c in capacities):.1f}",
        *("", "", ""),
        f"{statistics.median(c.client_cpu for c in capacities):.0%}",
    )
    goodput = [o.goodput / c.rps for c, o in rounds]
    table.add_row(
        "answered well",
        f"{statistics.median(o.goodput for _, o in rounds):,.0f}",
        f"{statistics.median(o.p99 for _, o in rounds):.1f}",
        f"{statistics.median(goodput):.2f}",
        f"{statistics.median(o.p99 / c.p99 for c, o in rounds):.2f}",
        f"{min(goodput):.2f}..{max(goodput):.2f}",
        f"{statistics.median(o.client_cpu for _, o in rounds):.0%}",
    )
    for code in sorted({code for _, o in rounds for code in o.codes} - {grpc.StatusCode.OK}, key=str):
        table.add_row(
            code.name,
            f"{statistics.median(o.codes[code] / options.seconds for _, o in rounds):,.0f}",
            f"{statistics.median(o.refused_p99 for _, o in rounds):.1f}",
            *("", "", "", ""),
        )
    return table


if __name__ == "__main__":
    main()
