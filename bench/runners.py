"""How long a waiting runner waits for its stage: `python -m bench.runners --help`.

From PromoteBuild's answer to a runner that holds the accepted stage, one promotion at a time, against one
PromoteBuild in the same run. Server and runners each have a core of their own.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path

import grpc
import grpc.aio
import uvloop
from rich.console import Console
from rich.table import Table
from shiplift.v1 import access_pb2, builds_pb2, stages_pb2
from shiplift.v1.builds_pb2_grpc import BuildServiceStub
from shiplift.v1.stages_pb2_grpc import StageServiceStub

from bench.rig import CLIENT_CORE, OWNER, REPO, on_server_core, promotion
from tests.support.harness import Shipliftd

PIPELINE = """
kind: pipeline
type: exec
name: deploy
trigger: {event: promote}
steps:
- name: deploy
  commands: [./deploy.sh]
"""
_RUNNERS_A_CHANNEL = 25
_SECONDS = 30


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runners", type=int, nargs="+", default=[1, 200], help="that wait at once")
    parser.add_argument("--promotions", type=int, default=300, help="of each round")
    parser.add_argument("--rounds", type=int, default=5, help="of each; medians are printed")
    options = parser.parse_args()
    os.sched_setaffinity(0, {CLIENT_CORE})
    table = Table(
        title=f"medians of {options.rounds} x {options.promotions} promotions", title_justify="left"
    )
    words = "runners,promote p50 ms,wait p50 ms,wait p99 ms,lowest..highest,p50/promote,p99/promote"
    for heading in words.split(","):
        table.add_column(heading, justify="right")
    for runners in options.runners:
        with tempfile.TemporaryDirectory(dir=os.environ.get("SHIPLIFT_BENCH_DIR")) as folder:
            rounds = _rounds(Path(folder), runners, options)
        promote = [p50(took) for took, _ in rounds]
        waits = [p50(wait) for _, wait in rounds]
        last = [p99(wait) for _, wait in rounds]
        table.add_row(
            str(runners),
            f"{statistics.median(promote):.2f}",
            f"{statistics.median(waits):.2f}",
            f"{statistics.median(last):.2f}",
            f"{min(waits):.2f}..{max(waits):.2f}",
            f"{statistics.median(w / p for w, p in zip(waits, promote, strict=True)):.2f}",
            f"{statistics.median(w / p for w, p in zip(last, promote, strict=True)):.2f}",
        )
    Console(width=110).print(table)


def p50(took: list[float]) -> float:
    """The median, in milliseconds."""
    return statistics.median(took) * 1000


def p99(took: list[float]) -> float:
    """The 99th percentile, in milliseconds."""
    return sorted(took)[len(took) * 99 // 100] * 1000


def _rounds(
    folder: Path, runners: int, options: argparse.Namespace
) -> list[tuple[list[float], list[float]]]:
    with on_server_core():
        server = Shipliftd(folder / "shiplift.db", keeps_log=False).start()
    try:
        server.access().CreateRepository(access_pb2.CreateRepositoryRequest(owner=OWNER, repo=REPO))
        recorded = builds_pb2.CreateBuildRequest(
            owner=OWNER,
            repo=REPO,
            after="9fc1ad6ebf12",
            pipeline=PIPELINE,
            status=builds_pb2.BUILD_STATUS_SUCCESS,
        )
        server.builds().CreateBuild(recorded)
        slug = f"{OWNER}/{REPO}"
        token = server.user(
            "runner",
            slug,
            access_pb2.ACCESS_LEVEL_WRITE,
            actions=[access_pb2.TOKEN_ACTION_RUN],
            repositories=[slug],
        )
        return [
            uvloop.run(_round(server, token, runners, options.promotions)) for _ in range(options.rounds)
        ]
    finally:
        server.stop()


async def _round(
    server: Shipliftd, token: str, runners: int, promotions: int
) -> tuple[list[float], list[float]]:
    """How long each PromoteBuild took, and how long after its answer a runner held the stage."""
    channels = [
        grpc.aio.insecure_channel(server.address, [("grpc.use_local_subchannel_pool", 1)])
        for _ in range(1 + -(-runners // _RUNNERS_A_CHANNEL))
    ]
    held: asyncio.Queue[float] = asyncio.Queue()
    waiting = [
        asyncio.create_task(_runner(channels[1 + n // _RUNNERS_A_CHANNEL], token, f"machine {n}", held))
        for n in range(runners)
    ]
    builds = BuildServiceStub(channels[0])
    metadata = (("authorization", f"Bearer {server.admin_token}"),)
    took, waited = [], []
    await asyncio.sleep(1)
    for _ in range(promotions):
        began = time.perf_counter()
        await builds.PromoteBuild(promotion(), metadata=metadata, timeout=_SECONDS)
        answered = time.perf_counter()
        async with asyncio.timeout(_SECONDS):
            waited.append(max(0.0, await held.get() - answered))
        took.append(answered - began)
        # Time for the runner to report and to ask again, so that as many wait as were meant to.
        await asyncio.sleep(0.01)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    for channel in channels:
        await channel.close()
    return took, waited


async def _runner(channel: grpc.aio.Channel, token: str, machine: str, held: asyncio.Queue[float]) -> None:
    stages = StageServiceStub(channel)
    metadata = (("authorization", f"Bearer {token}"),)
    want = stages_pb2.AcquireStageRequest(machine=machine, type="exec", os="linux", arch="amd64")
    while True:
        answer = await stages.AcquireStage(want, metadata=metadata, timeout=_SECONDS)
        if not answer.HasField("offer"):
            continue
        accept = stages_pb2.AcceptStageRequest(stage_id=answer.offer.id, machine=machine)
        lease = await stages.AcceptStage(accept, metadata=metadata, timeout=_SECONDS)
        held.put_nowait(time.perf_counter())
        done = stages_pb2.UpdateStageRequest(
            stage_id=lease.stage.id, lease_token=lease.lease_token, status=builds_pb2.BUILD_STATUS_SUCCESS
        )
        await stages.UpdateStage(done, metadata=metadata, timeout=_SECONDS)


if __name__ == "__main__":
    main()
