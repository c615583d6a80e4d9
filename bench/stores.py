"""SQLite beside PostgreSQL, with one server and with two: `python -m bench.stores --help`.

The servers share a core; PostgreSQL, which waits for its disk as SQLite does, has the client's. All are
measured in turn, in one run.
"""

import argparse
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import uvloop
from rich.console import Console

from bench.load import Result, measure, repeated
from bench.rig import CLIENT_CORE, Run, on_server_core, prepare, promotion, table
from tests.support import postgres
from tests.support.harness import Shipliftd

_ONE, _TWO = "postgresql", "postgresql, two"
_FLOORS = {"sqlite": "sqlite", _ONE: "sqlite", _TWO: "sqlite"}


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--callers", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument("--seconds", type=float, default=3.0, help="of one measurement")
    parser.add_argument("--rounds", type=int, default=5, help="of each; medians are printed")
    options = parser.parse_args()
    os.sched_setaffinity(0, {CLIENT_CORE})
    results: dict[tuple[str, int], list[Result]] = {}
    with (
        tempfile.TemporaryDirectory(dir=os.environ.get("SHIPLIFT_BENCH_DIR")) as folder,
        _running(Path(folder)) as runs,
    ):
        for _ in range(options.rounds):
            for callers in options.callers:
                for name, run in runs.items():
                    results.setdefault((name, callers), []).append(run(callers, options.seconds))
    title = f"promotions; medians of {options.rounds} x {options.seconds:g} s"
    Console(width=110).print(table(title, results, options.callers, _FLOORS))


@contextmanager
def _running(folder: Path) -> Iterator[dict[str, Run]]:
    """Both stores, each with a build to promote."""
    with ExitStack() as stack:
        with on_server_core():
            sqlite = stack.enter_context(Shipliftd(folder / "shiplift.db"))
        prepare(sqlite)
        runs = {"sqlite": _run(sqlite.address, sqlite.admin_token)}
        # Postgres does not run as root, and has to come to its data.
        folder.chmod(0o755)
        database = stack.enter_context(postgres.cluster(folder, is_durable=True))
        stack.enter_context(database.in_use())
        with on_server_core():
            servers = [stack.enter_context(Shipliftd(folder / "other")) for _ in range(2)]
        prepare(servers[0])
        token = servers[0].admin_token
        runs[_ONE] = _run(servers[0].address, token)
        runs[_TWO] = _run(",".join(server.address for server in servers), token)
        yield runs


def _run(address: str, token: str) -> Run:
    feed = repeated(promotion().SerializeToString())
    path = "/shiplift.v1.BuildService/PromoteBuild"
    return lambda callers, seconds: uvloop.run(measure(address, path, feed, callers, seconds, token))


if __name__ == "__main__":
    main()
