"""What can become of a store's file, disk and clock: what was acknowledged stays, words say the rest."""

import random
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import grpc
import pytest
from shiplift.v1 import builds_pb2 as pb

from tests.support.commands import refusal, said
from tests.support.harness import Shipliftd
from tests.support.patience import until
from tests.support.refusals import code_of
from tests.support.refusals import refusal as told
from tests.support.repository import Repository
from tests.support.staged import Staged

pytestmark = pytest.mark.sqlite

PROMOTIONS = 30
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
HOUR_MS = 3_600_000


def promote(server: Shipliftd, n: int) -> pb.Build:
    """The promotion with this request_id."""
    request = pb.PromoteRequest(owner="octocat", repo="app", build=1, target="qa", request_id=f"id {n}")
    return server.builds().PromoteBuild(request)


def numbers(database: Path) -> list[int]:
    """The builds in a store."""
    with closing(sqlite3.connect(database)) as store:
        return [row[0] for row in store.execute("SELECT number FROM builds ORDER BY number")]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of a server that was killed: the file, and beside it all of 30 promotions in the -wal."""
    database = tmp_path_factory.mktemp("killed") / "shiplift.db"
    with Shipliftd(database) as server:
        Repository.make(server, "octocat", "app").record()
    server = Shipliftd(database).start()
    for n in range(PROMOTIONS):
        assert promote(server, n).number == n + 2
    server.stop(signal.SIGKILL)
    return database


def copied(database: Path, folder: Path) -> Path:
    """A copy of a store with what is beside it."""
    for path in database.parent.glob("shiplift.db*"):
        shutil.copy(path, folder)
    return folder / database.name


@pytest.mark.parametrize("how", ["cut", "flipped", "all of it cut"])
def test_of_a_wal_that_is_damaged_what_came_before_is_whole_and_the_rest_can_be_repeated(
    killed: Path, tmp_path: Path, how: str
) -> None:
    database = copied(killed, tmp_path)
    wal = database.with_name("shiplift.db-wal")
    content = bytearray(wal.read_bytes())
    # Seeded, and not in the last transaction.
    at = random.Random(how).randrange(len(content) // 4, len(content) * 3 // 4)
    content[at] ^= 1
    wal.write_bytes({"cut": bytes(content[:at]), "flipped": bytes(content), "all of it cut": b""}[how])
    left = len(numbers(database))
    assert (left, left < PROMOTIONS + 1) == (1 if how == "all of it cut" else left, True)
    assert numbers(database) == list(range(1, left + 1))
    assert f"{left} builds" in said("check", "--database", database)
    with Shipliftd(database) as server:
        assert [promote(server, n).number for n in range(PROMOTIONS)] == list(range(2, PROMOTIONS + 2))
    assert numbers(database) == list(range(1, PROMOTIONS + 2))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", folder]).returncode:
        pytest.skip("only root may mount")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def remount(disk: Path, options: str) -> None:
    """Changes the disk."""
    subprocess.run(["mount", "-o", f"remount,{options}", disk], check=True)


def test_a_disk_that_fills_loses_nothing_and_takes_writes_again_once_there_is_room(disk: Path) -> None:
    database = disk / "shiplift.db"
    with Shipliftd(database) as server:
        repository = Repository.make(server, "octocat", "app")
        repository.record(message="m" * 500)
        acknowledged = 0
        while code_of(promote, server, acknowledged) == grpc.StatusCode.OK:
            acknowledged += 1
        refused = told(promote, server, acknowledged)
        assert (refused.code, refused.message) == (
            grpc.StatusCode.UNAVAILABLE,
            "the store cannot take the write now; nothing was stored: try again",
        )
        # Reads go on.
        assert repository.get(acknowledged + 1).number == acknowledged + 1
        assert f"{acknowledged + 1} builds" in said("check", "--database", database)
        assert "database or disk is full" in refusal("backup", disk / "copy.db", "--database", database)
        assert not (disk / "copy.db").exists()
        remount(disk, "size=60m")
        assert promote(server, acknowledged).number == acknowledged + 2
    assert numbers(database) == list(range(1, acknowledged + 3))


def test_a_disk_that_is_read_only_is_told_of_and_can_be_looked_at(disk: Path, tmp_path: Path) -> None:
    remount(disk, "size=60m")
    database = disk / "shiplift.db"
    with Shipliftd(database) as server:
        Repository.make(server, "octocat", "app").record()
    remount(disk, "ro")
    for words in (("serve", "--listen", "127.0.0.1:0"), ("migrate",), ("user", "add", "dora")):
        assert refusal(*words, "--database", database).startswith(
            f"the store {database} cannot be opened ([Errno 30] Read-only file system: '{database}"
        )
    assert "1 builds" in said("check", "--database", database)
    copy = tmp_path / "copy.db"
    said("backup", copy, "--database", database)
    assert numbers(copy) == [1]


@pytest.mark.skipif(FAKETIME is None, reason="libfaketime sets the clock (Debian: apt install libfaketime)")
def test_a_clock_that_is_set_back_by_an_hour_costs_nothing(tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+0")
    # Each process reads it anew; what measures spans goes on.
    environment = {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_RESET": "1",
    }
    with Shipliftd(tmp_path / "shiplift.db", environment=environment) as server:
        staged = Staged.of(Repository.make(server, "octocat", "app"))
        lease = staged.running()
        before = staged.repository.get(2)
        clock.write_text("-1h")

        def leased() -> int:
            return staged.runner.lease(lease.stage.id).expires.ToMilliseconds()

        # The lease ends a minute from now, not an hour and a minute: a runner that is lost will be missed.
        until(lambda: leased() < lease.expires.ToMilliseconds() - HOUR_MS // 2)
        assert (
            staged.runner.report(lease.stage.id, pb.BUILD_STATUS_SUCCESS).status == pb.BUILD_STATUS_SUCCESS
        )
        after = staged.repository.get(2)
        assert (after.status, after.version > before.version) == (pb.BUILD_STATUS_SUCCESS, True)
        assert after.created == before.created
        assert after.finished.ToMilliseconds() < before.created.ToMilliseconds() - HOUR_MS // 2
        # Numbers, not times, put builds in their order.
        assert staged.repository.promote(1).number == 3
        assert [build.number for build in staged.repository.page().builds] == [3, 2, 1]
    assert "3 builds" in said("check", "--database", server.store)
