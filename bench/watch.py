"""Watches while promotions run through: `python -m bench.watch --help`.

Watchers of a repository each, and some of all, while promotions go from their begin to their end. Each has
to see every change of its filter once and in order. Shown are the promotions a second with nobody watching
and with all of them, how long after the answer to PromoteBuild its watchers have the change, against one
GetBuild in the same run, and the server's memory. Server and clients each have a core of their own.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import uvloop
from rich.console import Console
from rich.table import Table
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb
from shiplift.v1.builds_pb2_grpc import BuildServiceStub

from bench.rig import CLIENT_CORE, highest_memory, on_server_core
from bench.runners import p50, p99
from tests.support.harness import Shipliftd

# Asynchronous in the stubs' own stubs alone.
Builds = Any
_OWNER = "octocat"
_CALLERS = 16
_WATCHES_A_CHANNEL = 50
_SECONDS = 120
# What a promotion that is reported running and successful makes: itself, and twice its stage and itself.
_CHANGES = 5


@dataclass
class Watcher:
    """One who watches a repository, or all (''): what was seen, and when promotions were."""

    repo: str
    places: list[int] = field(default_factory=list)
    seen: dict[tuple[str, int], float] = field(default_factory=dict)
    wanted: int = 0
    is_ready: asyncio.Event = field(default_factory=asyncio.Event)
    is_done: asyncio.Event = field(default_factory=asyncio.Event)

    async def watch(self, builds: Builds, token: tuple[tuple[str, str], ...]) -> None:
        """Watches until it is cancelled."""
        request = pb.WatchBuildsRequest(owner=_OWNER if self.repo else "", repo=self.repo)
        async for response in builds.WatchBuilds(request, metadata=token):
            if response.HasField("snapshot_end"):
                self.is_ready.set()
            if not response.HasField("change"):
                continue
            self.places.append(int(response.cursor.rpartition("-")[2]))
            build = response.change.moved_build
            if build.version == 1:
                self.seen[response.change.repo, build.number] = time.perf_counter()
            if len(self.places) == self.wanted:
                self.is_done.set()


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--watchers", type=int, default=1000, help="of a repository each")
    parser.add_argument("--of-all", type=int, default=5, help="watchers of all repositories")
    parser.add_argument("--promotions", type=int, default=2000, help="of each round")
    parser.add_argument("--rounds", type=int, default=3, help="medians are printed")
    options = parser.parse_args()
    os.sched_setaffinity(0, {CLIENT_CORE})
    with tempfile.TemporaryDirectory(dir=os.environ.get("SHIPLIFT_BENCH_DIR")) as folder:
        with on_server_core():
            server = Shipliftd(Path(folder) / "shiplift.db", keeps_log=False).start()
        try:
            _fill(server, options.watchers)
            rounds = [uvloop.run(_round(server, options)) for _ in range(options.rounds)]
            memory = highest_memory(server.process.pid)
        finally:
            server.stop()
    table = Table(
        title=f"medians of {options.rounds} x {options.promotions} promotions: {options.watchers} watch a"
        f" repository each, {options.of_all} all",
        title_justify="left",
    )
    words = (
        "alone/s,watched/s,ratio,lowest..highest,changes told,told p50 ms,told p99 ms,get p50 ms,p99/get"
    )
    for heading in words.split(","):
        table.add_column(heading, justify="right")
    ratios = [watched / alone for alone, watched, *_ in rounds]
    table.add_row(
        f"{statistics.median(r[0] for r in rounds):,.0f}",
        f"{statistics.median(r[1] for r in rounds):,.0f}",
        f"{statistics.median(ratios):.2f}",
        f"{min(ratios):.2f}..{max(ratios):.2f}",
        f"{rounds[0][2]:,}",
        *(f"{statistics.median(r[n] for r in rounds):.1f}" for n in (3, 4)),
        f"{statistics.median(r[5] for r in rounds):.2f}",
        f"{statistics.median(r[4] / r[5] for r in rounds):.1f}",
    )
    console = Console(width=110)
    console.print(table)
    console.print(
        f"server memory at its highest: {memory:.0f} MB; every watcher saw each change once, in order"
    )


def _fill(server: Shipliftd, repositories: int) -> None:
    access, builds = server.access(), server.builds()
    for n in range(repositories):
        access.CreateRepository(access_pb2.CreateRepositoryRequest(owner=_OWNER, repo=f"app-{n}"))
        recorded = pb.CreateBuildRequest(owner=_OWNER, repo=f"app-{n}", after="9fc1ad6ebf12")
        recorded.status = pb.BUILD_STATUS_SUCCESS
        builds.CreateBuild(recorded)


async def _round(
    server: Shipliftd, options: argparse.Namespace
) -> tuple[float, float, int, float, float, float]:
    """Promotions a second alone and watched, changes told, p50 and p99 of telling, p50 of GetBuild."""
    token = (("authorization", f"Bearer {server.admin_token}"),)
    watchers = [Watcher(f"app-{n}") for n in range(options.watchers)]
    watchers += [Watcher("") for _ in range(options.of_all)]
    channels = [
        grpc.aio.insecure_channel(server.address, [("grpc.use_local_subchannel_pool", 1)])
        for _ in range(1 + len(watchers) // _WATCHES_A_CHANNEL)
    ]
    stubs: list[Builds] = [BuildServiceStub(channel) for channel in channels]
    alone, _ = await _promote(stubs[0], token, options)
    got = await _get(stubs[0], token)
    each = options.promotions // options.watchers
    for watcher in watchers:
        watcher.wanted = _CHANGES * (each if watcher.repo else options.promotions)
    watching = [
        asyncio.create_task(watcher.watch(stubs[n // _WATCHES_A_CHANNEL], token))
        for n, watcher in enumerate(watchers)
    ]
    async with asyncio.timeout(_SECONDS):
        await asyncio.gather(*(watcher.is_ready.wait() for watcher in watchers))
        watched, answered = await _promote(stubs[0], token, options)
        await asyncio.gather(*(watcher.is_done.wait() for watcher in watchers))
    for task in watching:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    for watcher in watchers:
        if watcher.places != sorted(set(watcher.places)) or len(watcher.places) != watcher.wanted:
            raise SystemExit(f"a watcher of {watcher.repo or 'all'} saw {watcher.places[:20]}")
    told = [
        max(0.0, watcher.seen[build] - at)
        for watcher in watchers
        for build, at in answered.items()
        if build in watcher.seen
    ]
    for channel in channels:
        await channel.close()
    count = sum(len(watcher.places) for watcher in watchers)
    return alone, watched, count, p50(told), p99(told), p50(got)


async def _promote(
    builds: Builds, token: tuple[tuple[str, str], ...], options: argparse.Namespace
) -> tuple[float, dict[tuple[str, int], float]]:
    """Promotions a second, from their begin to their end; and when each was answered."""
    answered: dict[tuple[str, int], float] = {}
    turns = iter(range(options.promotions))

    async def caller() -> None:
        for n in turns:
            repo = f"app-{n % options.watchers}"
            request = pb.PromoteRequest(owner=_OWNER, repo=repo, build=1, target="production")
            made = await builds.PromoteBuild(request, metadata=token)
            answered[repo, made.number] = time.perf_counter()
            for status in (pb.BUILD_STATUS_RUNNING, pb.BUILD_STATUS_SUCCESS):
                report = pb.UpdateBuildRequest(owner=_OWNER, repo=repo, build=made.number, status=status)
                await builds.UpdateBuild(report, metadata=token)

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(_CALLERS)))
    return options.promotions / (time.perf_counter() - began), answered


async def _get(builds: Builds, token: tuple[tuple[str, str], ...]) -> list[float]:
    """How long each of some GetBuild takes, one at a time."""
    took = []
    for _ in range(500):
        began = time.perf_counter()
        await builds.GetBuild(pb.GetBuildRequest(owner=_OWNER, repo="app-0", build=1), metadata=token)
        took.append(time.perf_counter() - began)
    return took


if __name__ == "__main__":
    main()
