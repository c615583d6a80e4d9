"""Verifying the audit's chain against reading its rows alone: `python -m bench.audit --help`.

Both in turn, in one run, in batches of the same size, on a SQLite file.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
import tracemalloc
from contextlib import closing
from pathlib import Path

from rich.console import Console
from rich.table import Table
from shipliftd.access import audit_chain
from shipliftd.store import SqliteStore
from shipliftd.store.transaction import Reader, Transaction

_BATCH = 1000


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5, help="of each; medians are printed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=os.environ.get("SHIPLIFT_BENCH_DIR")) as folder:
        asyncio.run(_measure(Path(folder) / "shiplift.db", options.rows, options.rounds))


async def _measure(database: Path, rows: int, rounds: int) -> None:
    with closing(SqliteStore(database)) as store:
        store.migrate()
        await store.write(_fill, rows)
        began = time.perf_counter()
        await audit_chain.seal_all(store)
        sealing = time.perf_counter() - began
        tracemalloc.start()
        await audit_chain.verify(store)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        read, verified = [], []
        for _ in range(rounds):
            began = time.perf_counter()
            await _read(store, rows)
            read.append(time.perf_counter() - began)
            began = time.perf_counter()
            found = await audit_chain.verify(store)
            verified.append(time.perf_counter() - began)
            assert found.rows == rows  # or it measures something else
    table = Table(title=f"{rows:,} rows; medians of {rounds}", title_justify="left")
    for heading in ("what", "s", "rows/s", "of reading alone"):
        table.add_column(heading, justify="right")
    ratio = statistics.median(one / other for one, other in zip(verified, read, strict=True))
    table.add_row("read", *_told(statistics.median(read), rows), "1.00")
    table.add_row("verify", *_told(statistics.median(verified), rows), f"{ratio:.2f}")
    table.add_row("seal, once", *_told(sealing, rows), "")
    Console(width=110).print(table, f"verifying took {most / 2**20:.1f} MiB at the most")


def _told(seconds: float, rows: int) -> tuple[str, str]:
    return f"{seconds:.2f}", f"{rows / seconds:,.0f}"


def _fill(tx: Transaction, rows: int) -> None:
    """Rows such as promotions leave."""
    tx.connection.execute(
        "INSERT INTO audit (at, user_id, token_id, method, owner, repo, resource_id, target, request_id,"
        " code, reason, address, client, verdicts, build) WITH RECURSIVE more(n) AS"
        " (SELECT 1 UNION ALL SELECT n + 1 FROM more WHERE n < ?) SELECT 1790000000000 + n, 1, 1,"
        " 'PromoteBuild', 'octocat', 'app', n, 'production', 'request-' || n, 'OK', 'a release',"
        " '10.0.0.7', 'grpc-python-asyncio/1.80.0 grpc-c/52.0.0 (linux; chttp2)',"
        """ '[["access","passed","admin may write to octocat/app",[],0],["queue","passed","",[],0]]', n"""
        " FROM more",
        (rows,),
    )


async def _read(store: SqliteStore, rows: int) -> None:
    at = 0
    while at < rows:
        at = await store.listing(_read_some, at)


def _read_some(reader: Reader, at: int) -> int:
    sql = "SELECT * FROM audit WHERE seq > ? ORDER BY seq LIMIT ?"
    return at + len(reader.connection.execute(sql, (at, _BATCH)).fetchall())


if __name__ == "__main__":
    main()
