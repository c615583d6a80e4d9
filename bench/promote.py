"""PromoteBuild and GetBuild against an echo rpc with the same reply: `python -m bench.promote --help`.

Server and client each have a core of their own; the three rpcs are measured in turn, in one run.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import uvloop
from rich.console import Console
from shiplift.v1 import builds_pb2

from bench.load import Result, measure, repeated
from bench.rig import (
    CLIENT_CORE,
    OWNER,
    REPO,
    Run,
    fill,
    highest_memory,
    on_server_core,
    prepare,
    promotion,
    table,
)
from tests.support.harness import Shipliftd

_FLOORS = {"echo": "echo", "promote": "echo", "get": "echo"}


def main() -> None:
    """Measures and prints a table for each number of stored builds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--callers", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument("--seconds", type=float, default=3.0, help="of one measurement")
    parser.add_argument("--rounds", type=int, default=5, help="of each; medians are printed")
    parser.add_argument(
        "--stored", type=int, nargs="+", default=[1000], help="builds in the store beforehand"
    )
    parser.add_argument("--request-ids", action="store_true", help="send one with every promotion")
    options = parser.parse_args()
    os.sched_setaffinity(0, {CLIENT_CORE})
    console = Console(width=110)
    promote_rps = {}
    for stored in options.stored:
        with tempfile.TemporaryDirectory(dir=os.environ.get("SHIPLIFT_BENCH_DIR")) as folder:
            results, memory = _compare(Path(folder), stored, options)
        title = f"{stored:,} stored builds; medians of {options.rounds} x {options.seconds:g} s"
        console.print(table(title, results, options.callers, _FLOORS))
        console.print(f"server memory at its highest: {memory:.0f} MB\n")
        top = max(options.callers)
        promote_rps[stored] = statistics.median(r.rps for r in results["promote", top])
    if len(promote_rps) > 1:
        few, many = min(promote_rps), max(promote_rps)
        ratio = promote_rps[many] / promote_rps[few]
        console.print(f"promote with {many:,} stored builds / with {few:,}: {ratio:.2f}")


def _compare(
    folder: Path, stored: int, options: argparse.Namespace
) -> tuple[dict[tuple[str, int], list[Result]], float]:
    results: dict[tuple[str, int], list[Result]] = {}
    database = folder / "shiplift.db"
    with on_server_core(), Shipliftd(database) as first:
        reply = prepare(first)
    fill(database, stored)
    with on_server_core():
        server = Shipliftd(database)
        server.start()
        echo = subprocess.Popen(
            [sys.executable, "-m", "bench.echo", "127.0.0.1:0"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
    try:
        assert echo.stdin is not None
        assert echo.stdout is not None
        echo.stdin.write(b"%d\n%s" % (len(reply), reply))
        echo.stdin.flush()
        runs = _runs(server, echo.stdout.readline().decode().strip(), options.request_ids)
        for _ in range(options.rounds):
            for callers in options.callers:
                for name, run in runs.items():
                    results.setdefault((name, callers), []).append(run(callers, options.seconds))
        memory = highest_memory(server.process.pid)
        echo.stdin.close()
    finally:
        server.stop()
        echo.terminate()
        echo.wait()
    return results, memory


def _runs(server: Shipliftd, echo: str, with_request_ids: bool) -> dict[str, Run]:
    request = promotion().SerializeToString()
    get = builds_pb2.GetBuildRequest(owner=OWNER, repo=REPO, build=2).SerializeToString()
    service, token = "/shiplift.v1.BuildService", server.admin_token

    def promotions() -> Iterator[bytes]:
        while True:
            yield promotion(uuid.uuid4().hex).SerializeToString() if with_request_ids else request

    def run(address: str, path: str, feed: Callable[[], Iterator[bytes]], token: str) -> Run:
        return lambda callers, seconds: uvloop.run(measure(address, path, feed, callers, seconds, token))

    return {
        "echo": run(echo, "/bench.Echo/Echo", repeated(request), ""),
        "promote": run(server.address, f"{service}/PromoteBuild", promotions, token),
        "get": run(server.address, f"{service}/GetBuild", repeated(get), token),
    }


if __name__ == "__main__":
    main()
