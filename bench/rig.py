"""What the benchmarks share: cores, the build that is promoted, a filled store, the table of figures."""

import os
import sqlite3
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.table import Table
from shiplift.v1 import access_pb2, builds_pb2

from bench.load import Result
from tests.support.harness import Shipliftd

SERVER_CORE, CLIENT_CORE = 0, 1
OWNER, REPO = "octocat", "hello-world"

Run = Callable[[int, float], Result]
Results = Mapping[tuple[str, int], Sequence[Result]]


@contextmanager
def on_server_core() -> Iterator[None]:
    """Processes that are started within inherit the server's core."""
    os.sched_setaffinity(0, {SERVER_CORE})
    yield
    os.sched_setaffinity(0, {CLIENT_CORE})


def prepare(server: Shipliftd) -> bytes:
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
    return server.builds().PromoteBuild(promotion()).SerializeToString()


def promotion(request_id: str = "") -> builds_pb2.PromoteRequest:
    """The promotion that is measured."""
    return builds_pb2.PromoteRequest(
        owner=OWNER,
        repo=REPO,
        build=1,
        target="production",
        params={"REGION": "eu-west-1", "REPLICAS": "3"},
        request_id=request_id,
    )


def fill(database: Path, builds: int) -> None:
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


def highest_memory(pid: int) -> float:
    """The most memory that a process has had, in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def table(title: str, results: Results, callers: Sequence[int], floors: Mapping[str, str]) -> Table:
    """A row for each call and number of callers; `floors` names what each call is compared with."""
    made = Table(title=title, title_justify="left")
    words = "callers,call,rps,lowest..highest,p50 ms,p99 ms,rps/floor,p99/floor,client"
    for heading in words.split(","):
        made.add_column(heading, justify="right")
    for count in callers:
        for name, floor in floors.items():
            rounds = results[name, count]
            rps = [result.rps for result in rounds]
            # Each round's ratio to the floor of the same round: the machine's mood cancels out.
            pairs = list(zip(rounds, results[floor, count], strict=True))
            made.add_row(
                str(count),
                name,
                f"{statistics.median(rps):,.0f}",
                f"{min(rps):,.0f}..{max(rps):,.0f}",
                f"{statistics.median(r.p50 for r in rounds):.2f}",
                f"{statistics.median(r.p99 for r in rounds):.2f}",
                f"{statistics.median(r.rps / f.rps for r, f in pairs):.2f}",
                f"{statistics.median(r.p99 / f.p99 for r, f in pairs):.2f}",
                f"{statistics.median(r.client_cpu for r in rounds):.0%}",
            )
    return made
