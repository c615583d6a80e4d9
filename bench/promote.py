"""PromoteBuild and GetBuild against an echo rpc with the same reply: `python -m bench.promote --help`.

Server and client each have a core of their own; the three rpcs are measured in turn, in one run.
"""

import argparse
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table
from shiplift.v1 import access_pb2, builds_pb2

from bench.load import Result, measure, repeated
from tests.harness import Shipliftd

SERVER_CORE, CLIENT_CORE = 0, 1
OWNER, REPO = "octocat", "hello-world"

Run = Callable[[int, float], Result]


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
        console.print(_table(stored, results, options))
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
    with _on_server_core(), Shipliftd(database) as first:
        reply = _prepare(first)
    _fill(database, stored)
    with _on_server_core():
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
        memory = _highest_memory(server.process.pid)
        echo.stdin.close()
    finally:
        server.stop()
        echo.terminate()
        echo.wait()
    return results, memory


@contextmanager
def _on_server_core() -> Iterator[None]:
    """Processes that are started within inherit the server's core."""
    os.sched_setaffinity(0, {SERVER_CORE})
    yield
    os.sched_setaffinity(0, {CLIENT_CORE})


def _prepare(server: Shipliftd) -> bytes:
    """Records the build to promote; returns what a promotion of it answers."""
    server.access().CreateRepository(access_pb2.CreateRepositoryRequest(owner=OWNER, repo=REPO))
    server.builds().CreateBuild(
        builds_pb2.CreateBuildRequest(
            owner=OWNER,
            repo=REPO,
            after="9fc1ad6ebf12462f3f9773003e26b4c6f54a772e",
            before="e3320539a4c03ccfda992641646deb67d8bf98f3",
            ref="refs/heads/master",
            source="master",
            target="master",
            source_repo="spaceghost/hello-world",
            message="updated README",
            link="https://github.com/octoat/hello-world/compare/e3320539a4c0...9fc1ad6ebf12",
            author_login="octocat",
            author_name="The Octocat",
            author_email="octocat@github.com",
            sender="bradrydzewski",
            stages=[builds_pb2.StageSpec(machine="15e89c0f84f1")],
        )
    )
    return server.builds().PromoteBuild(_promotion()).SerializeToString()


def _promotion(request_id: str = "") -> builds_pb2.PromoteRequest:
    return builds_pb2.PromoteRequest(
        owner=OWNER,
        repo=REPO,
        build=1,
        target="production",
        params={"REGION": "eu-west-1", "REPLICAS": "3"},
        request_id=request_id,
    )


def _runs(server: Shipliftd, echo: str, with_request_ids: bool) -> dict[str, Run]:
    request = _promotion().SerializeToString()
    get = builds_pb2.GetBuildRequest(owner=OWNER, repo=REPO, build=2).SerializeToString()
    service, token = "/shiplift.v1.BuildService", server.admin_token

    def promotions() -> Iterator[bytes]:
        while True:
            yield _promotion(uuid.uuid4().hex).SerializeToString() if with_request_ids else request

    def run(address: str, path: str, feed: Callable[[], Iterator[bytes]], token: str) -> Run:
        return lambda callers, seconds: uvloop.run(measure(address, path, feed, callers, seconds, token))

    return {
        "echo": run(echo, "/bench.Echo/Echo", repeated(request), ""),
        "promote": run(server.address, f"{service}/PromoteBuild", promotions, token),
        "get": run(server.address, f"{service}/GetBuild", repeated(get), token),
    }


def _fill(database: Path, builds: int) -> None:
    """Copies the promotion until the store holds so many builds, each with its stage."""
    store = sqlite3.connect(database)
    for table, counted in (("builds", "number"), ("stages", "build_id")):
        names = [row[1] for row in store.execute(f"PRAGMA table_info({table})") if row[1] != "id"]
        moved = ["n" if name == counted else f'"{name}"' for name in names]
        columns = ", ".join(f'"{name}"' for name in names)
        store.execute(
            f"WITH RECURSIVE more(n) AS (SELECT 3 UNION ALL SELECT n + 1 FROM more WHERE n < ?)"
            f" INSERT INTO {table} ({columns}) SELECT {', '.join(moved)} FROM more, {table}"
            f" WHERE {table}.id = 2",
            (builds,),
        )
    store.execute("UPDATE repositories SET counter = ?", (max(builds, 2),))
    store.commit()
    store.close()


def _highest_memory(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _table(stored: int, results: dict[tuple[str, int], list[Result]], options: argparse.Namespace) -> Table:
    table = Table(
        title=f"{stored:,} stored builds; medians of {options.rounds} x {options.seconds:g} s",
        title_justify="left",
    )
    for heading in (
        "callers",
        "rpc",
        "rps",
        "lowest..highest",
        "p50 ms",
        "p99 ms",
        "rps/echo",
        "p99/echo",
        "client",
    ):
        table.add_column(heading, justify="right")
    for callers in options.callers:
        floor = results["echo", callers]
        for name in ("echo", "promote", "get"):
            rounds = results[name, callers]
            rps = [result.rps for result in rounds]
            # Each round's ratio to the echo of the same round: the machine's mood cancels out.
            pairs = list(zip(rounds, floor, strict=True))
            table.add_row(
                str(callers),
                name,
                f"{statistics.median(rps):,.0f}",
                f"{min(rps):,.0f}..{max(rps):,.0f}",
                f"{statistics.median(r.p50 for r in rounds):.2f}",
                f"{statistics.median(r.p99 for r in rounds):.2f}",
                f"{statistics.median(r.rps / e.rps for r, e in pairs):.2f}",
                f"{statistics.median(r.p99 / e.p99 for r, e in pairs):.2f}",
                f"{statistics.median(r.client_cpu for r in rounds):.0%}",
            )
    return table


if __name__ == "__main__":
    main()
