"""Calls on stores of more and more builds, as ratios to an empty one: `python -m bench.scale --help`.

A server for each store, on one core, and the client on another; in turn, in one run. The empty store has
two pages of builds, so that its lists are as long as the others'. All builds have ended in success, the
newest is what is in production. Promotions come last, for they add to each store.
"""

import argparse
import os
import sqlite3
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import uvloop
from google.protobuf.message import Message
from rich.console import Console
from rich.table import Table
from shiplift.v1 import builds_pb2, environments_pb2

from bench.load import Result, measure, repeated
from bench.rig import CLIENT_CORE, OWNER, REPO, fill, on_server_core, prepare, promotion
from tests.support.harness import Shipliftd

_PAGE = 25
_PAGES_DEEP = 1000
_MOST_OF_A_PAGE = 1000
_WANTED = {"promote": 0.8, "get": 0.8, "page": 0.7}

# By call and number of stored builds.
Results = dict[tuple[str, int], list[Result]]


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--callers", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=2.0, help="of one measurement")
    parser.add_argument("--rounds", type=int, default=5, help="of each; medians are printed")
    parser.add_argument(
        "--stored", type=int, nargs="+", default=[100_000, 1_000_000], help="builds beside the empty store"
    )
    parser.add_argument(
        "--ten-million", action="store_true", help="and a store of so many builds, which takes 10 GB"
    )
    options = parser.parse_args()
    os.sched_setaffinity(0, {CLIENT_CORE})
    sizes = [0, *options.stored, *([10_000_000] if options.ten_million else [])]
    results: Results = {}
    with (
        tempfile.TemporaryDirectory(dir=os.environ.get("SHIPLIFT_BENCH_DIR")) as name,
        ExitStack() as stack,
    ):
        servers = {size: stack.enter_context(_filled(Path(name) / str(size), size)) for size in sizes}
        calls = {size: _calls(server) for size, server in servers.items()}
        for call in calls[0]:
            for _ in range(options.rounds):
                for size, server in servers.items():
                    path, request = calls[size][call]
                    feed, token = repeated(request.SerializeToString()), server.admin_token
                    measured = measure(server.address, path, feed, options.callers, options.seconds, token)
                    results.setdefault((call, size), []).append(uvloop.run(measured))
    title = f"{options.callers} callers; medians of {options.rounds} x {options.seconds:g} s"
    Console(width=110).print(_table(title, results, list(calls[0]), sizes))


def _filled(folder: Path, builds: int) -> Shipliftd:
    """A server on a store of so many builds, not yet started."""
    database, builds = folder / "shiplift.db", max(builds, 2 * _PAGE)
    with on_server_core(), Shipliftd(database) as first:
        prepare(first)
        done = builds_pb2.UpdateBuildRequest(
            owner=OWNER, repo=REPO, build=2, status=builds_pb2.BUILD_STATUS_SUCCESS
        )
        first.builds().UpdateBuild(done)
    fill(database, builds)
    with closing(sqlite3.connect(database)) as store, store:
        # Both, or the server takes the older one over as it starts.
        for table in ("arrivals", "deployments"):
            store.execute(
                f"UPDATE {table} SET (number, build_id) ="  # of constants
                " (SELECT number, id FROM builds WHERE number = ?)",
                (builds,),
            )
    return _OnServerCore(database, keeps_log=False)


class _OnServerCore(Shipliftd):
    def start(self) -> "_OnServerCore":
        with on_server_core():
            return super().start()


def _calls(server: Shipliftd) -> Mapping[str, tuple[str, Message]]:
    page = builds_pb2.ListBuildsRequest(owner=OWNER, repo=REPO, page_size=_PAGE)
    deep = builds_pb2.ListBuildsRequest(owner=OWNER, repo=REPO, page_size=_PAGE, page_token=_deep(server))
    get = builds_pb2.GetBuildRequest(owner=OWNER, repo=REPO, build=2)
    where = environments_pb2.ListDeploymentsRequest(owner=OWNER, repo=REPO)
    builds = "/shiplift.v1.BuildService"
    return {
        "get": (f"{builds}/GetBuild", get),
        "page": (f"{builds}/ListBuilds", page),
        "deep page": (f"{builds}/ListBuilds", deep),
        "deployments": ("/shiplift.v1.EnvironmentService/ListDeployments", where),
        "promote": (f"{builds}/PromoteBuild", promotion()),
    }


def _deep(server: Shipliftd) -> str:
    """The token of the page behind a thousand others, or of the second one where there are no more."""
    token, left, size = "", _PAGE * _PAGES_DEEP, _PAGE
    while left > 0:
        request = builds_pb2.ListBuildsRequest(owner=OWNER, repo=REPO, page_size=size, page_token=token)
        answer = server.builds().ListBuilds(request)
        if not answer.next_page_token:
            break
        token, left, size = answer.next_page_token, left - len(answer.builds), min(left, _MOST_OF_A_PAGE)
    return token


def _table(title: str, results: Results, calls: Sequence[str], sizes: Sequence[int]) -> Table:
    made = Table(title=title, title_justify="left")
    for heading in ("call", "stored", "rps", "lowest..highest", "p99 ms", "rps/empty", "wanted"):
        made.add_column(heading, justify="right")
    for call in calls:
        for size in sizes:
            rounds = results[call, size]
            rps = [result.rps for result in rounds]
            # Each round's ratio to the empty store of the same round: the machine's mood cancels out.
            pairs = zip(rounds, results[call, 0], strict=True)
            made.add_row(
                call,
                f"{size:,}",
                f"{statistics.median(rps):,.0f}",
                f"{min(rps):,.0f}..{max(rps):,.0f}",
                f"{statistics.median(r.p99 for r in rounds):.2f}",
                f"{statistics.median(r.rps / e.rps for r, e in pairs):.2f}",
                f"{_WANTED[call]:.1f}" if size == 1_000_000 and call in _WANTED else "",
            )
    return made


if __name__ == "__main__":
    main()
