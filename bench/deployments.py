"""A page of ListDeployments against one GetBuild: `python -m bench.deployments --help`.

What each costs of the server's CPU, in turn in one run; each repository has as many environments.
"""

import argparse
import os
import sqlite3
import statistics
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from google.protobuf.message import Message
from rich.console import Console
from rich.table import Table
from shiplift.v1 import builds_pb2
from shiplift.v1 import environments_pb2 as pb
from shiplift.v1.environments_pb2_grpc import EnvironmentServiceStub

from bench.rig import CLIENT_CORE, OWNER, REPO, on_server_core, prepare
from tests.support.harness import Shipliftd

# In every so many environments the newest promotion failed, or runs; all others succeeded.
_FAILED, _RUNNING = 5, 7


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repositories", type=int, default=1000)
    parser.add_argument("--environments", type=int, default=5, help="of each repository")
    parser.add_argument("--promotions", type=int, default=20, help="to each environment")
    parser.add_argument("--page-size", type=int, default=50)
    parser.add_argument(
        "--calls", type=int, default=200, help="of each round, and ten times as many GetBuild"
    )
    parser.add_argument("--rounds", type=int, default=5, help="of each; medians are printed")
    options = parser.parse_args()
    os.sched_setaffinity(0, {CLIENT_CORE})
    with tempfile.TemporaryDirectory(dir=os.environ.get("SHIPLIFT_BENCH_DIR")) as folder:
        database = Path(folder) / "shiplift.db"
        with Shipliftd(database, keeps_log=False) as first:
            prepare(first)
        builds = _fill(database, options.repositories, options.environments, options.promotions)
        with on_server_core():
            server = Shipliftd(database, keeps_log=False).start()
        try:
            rounds = [_round(server, options.page_size, options.calls) for _ in range(options.rounds)]
        finally:
            server.stop()
    places = options.repositories * options.environments
    title = f"{builds:,} builds, {places:,} environments; ms of CPU a call"
    table = Table(title=title, title_justify="left")
    for heading in ("GetBuild", f"page of {options.page_size}", "page/GetBuild", "lowest..highest"):
        table.add_column(heading, justify="right")
    ratios = [page / get for get, page in rounds]
    table.add_row(
        f"{statistics.median(get for get, _ in rounds):.2f}",
        f"{statistics.median(page for _, page in rounds):.2f}",
        f"{statistics.median(ratios):.1f}",
        f"{min(ratios):.1f}..{max(ratios):.1f}",
    )
    Console(width=110).print(table)


def _round(server: Shipliftd, page_size: int, calls: int) -> tuple[float, float]:
    """What one GetBuild and one page cost, each page the one after the page before."""
    get = builds_pb2.GetBuildRequest(owner=OWNER, repo=REPO, build=2)
    asked = pb.ListDeploymentsRequest(owner=OWNER, page_size=page_size)
    list_deployments = EnvironmentServiceStub(server.channel()).ListDeployments

    def page() -> Message:
        answer = list_deployments(asked)
        asked.page_token = answer.next_page_token
        return answer

    builds = server.builds()
    return _cost(server, lambda: builds.GetBuild(get), calls * 10), _cost(server, page, calls)


def _cost(server: Shipliftd, call: Callable[[], Message], calls: int) -> float:
    """Milliseconds of the server's CPU a call, of so many one after the other."""
    call()
    before = server.cpu_seconds()
    for _ in range(calls):
        call()
    return (server.cpu_seconds() - before) * 1000 / calls


def _fill(database: Path, repositories: int, environments: int, promotions: int) -> int:
    """Copies the repository and the promotion, each with its stage; returns how many builds there are."""
    with closing(sqlite3.connect(database)) as store, store:
        store.row_factory = sqlite3.Row

        def model(table: str, row_id: int) -> dict[str, object]:
            return dict(store.execute(f"SELECT * FROM {table} WHERE id = ?", (row_id,)).fetchone())

        def insert(table: str, rows: Sequence[dict[str, object]]) -> None:
            columns, values = (", ".join(map(form.format, rows[0])) for form in ('"{}"', ":{}"))
            store.executemany(f"INSERT INTO {table} ({columns}) VALUES ({values})", rows)

        repository, build, stage = model("repositories", 1), model("builds", 2), model("stages", 2)
        most = environments * promotions + 2
        insert(
            "repositories",
            [
                {**repository, "id": n, "name": f"app-{n}", "counter": most}
                for n in range(2, repositories + 2)
            ],
        )
        found = [
            {
                **build,
                "id": None,
                "repo_id": repo,
                "number": number,
                "deploy_to": f"stage-{number % environments}",
                "status": _status(
                    repo * environments + number % environments, most - number < environments
                ),
            }
            for repo in range(2, repositories + 2)
            for number in range(3, most + 1)
        ]
        insert("builds", found)
        rows = store.execute("SELECT * FROM builds WHERE id > 2").fetchall()
        insert(
            "stages",
            [
                {
                    **stage,
                    "id": None,
                    "build_id": row["id"],
                    "repo_id": row["repo_id"],
                    "status": row["status"],
                }
                for row in rows
            ],
        )
        store.execute(
            "INSERT INTO arrivals (repo_id, environment, build_id, number, at, said_by)"
            " SELECT repo_id, deploy_to, id, number, updated, '' FROM builds"
            " WHERE id > 2 AND status = 'success' ORDER BY id"
        )
        # Without these a start takes it that the release before has said that nothing is there.
        store.execute(
            "INSERT INTO deployments (repo_id, environment, build_id, number, updated)"
            " SELECT repo_id, environment, build_id, MAX(number), at FROM arrivals GROUP BY 1, 2"
        )
        store.execute(
            "INSERT INTO environments (repo_id, name) SELECT DISTINCT repo_id, deploy_to FROM builds"
            " WHERE id > 2"
        )
        return 2 + len(found)


def _status(environment: int, is_newest: bool) -> str:
    if is_newest and environment % _FAILED == 0:
        return "failure"
    return "running" if is_newest and environment % _RUNNING == 0 else "success"


if __name__ == "__main__":
    main()
