"""What can become of a store's file and disk: what was acknowledged stays, words say the rest."""

import os
import random
import resource
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2
from shiplift.v1 import builds_pb2 as pb

from tests.faults.conftest import Tell
from tests.support.bursts import assert_sound, promote, promotion, record_a_build
from tests.support.commands import refusal, said
from tests.support.daemons import health_of
from tests.support.faults import column, form
from tests.support.harness import Shipliftd
from tests.support.patience import until
from tests.support.refusals import Refusal, code_of
from tests.support.refusals import refusal as told
from tests.support.repository import Repository

pytestmark = pytest.mark.sqlite

PROMOTIONS = 30
ROUNDS = form(2, 30)
AWAY = Refusal(
    grpc.StatusCode.UNAVAILABLE,
    "the store cannot take the write now; nothing was stored: try again",
    "UNAVAILABLE",
)


def promote_one(server: Shipliftd, n: int) -> pb.Build:
    """The promotion with this request_id."""
    request = pb.PromoteRequest(owner="octocat", repo="app", build=1, target="qa", request_id=f"id {n}")
    return server.builds().PromoteBuild(request)


def numbers(database: Path) -> list[int]:
    """The builds in a store."""
    return column(database, "SELECT number FROM builds ORDER BY number")


def is_serving(server: Shipliftd) -> bool:
    """What the server says of its health."""
    answer = health_of(server.channel()).Check(health_pb2.HealthCheckRequest())
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of a server that was killed: the file, and beside it all of 30 promotions in the -wal."""
    database = tmp_path_factory.mktemp("killed") / "shiplift.db"
    with Shipliftd(database) as server:
        Repository.make(server, "octocat", "app").record()
    server = Shipliftd(database).start()
    for n in range(PROMOTIONS):
        assert promote_one(server, n).number == n + 2
    server.stop(signal.SIGKILL)
    return database


def copied(database: Path, folder: Path) -> Path:
    """A copy of a store with what is beside it."""
    for path in database.parent.glob("shiplift.db*"):
        shutil.copy(path, folder)
    return folder / database.name


@pytest.mark.parametrize("how", ["cut", "flipped", "all of it cut"])
def test_of_a_wal_that_is_damaged_what_came_before_is_whole_and_the_rest_can_be_repeated(
    killed: Path, tmp_path: Path, how: str, tell: Tell
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
        assert [promote_one(server, n).number for n in range(PROMOTIONS)] == list(range(2, PROMOTIONS + 2))
    assert numbers(database) == list(range(1, PROMOTIONS + 2))
    tell(f"{PROMOTIONS} promotions; {left - 1} were whole, {PROMOTIONS + 1 - left} gone and repeated")


class Limit:
    """Files of the server's that no byte may be added to or changed in, as on a disk that is full.

    With a limit of what they are long, what is small goes into what a checkpoint has left free.
    """

    def __init__(self, server: Shipliftd) -> None:
        self._process = server.process.pid
        self._unlimited = resource.prlimit(self._process, resource.RLIMIT_FSIZE)
        resource.prlimit(self._process, resource.RLIMIT_FSIZE, (0, self._unlimited[1]))

    def end(self) -> None:
        """Lets it grow again."""
        resource.prlimit(self._process, resource.RLIMIT_FSIZE, self._unlimited)


class Immutable:
    """Files of the server's that cannot be written to any more, as on a disk that became read-only.

    To remount one is refused while files are open on it.
    """

    def __init__(self, server: Shipliftd) -> None:
        self._files = [server.database, server.database.with_name("shiplift.db-wal")]
        self._set("+i")

    def _set(self, how: str) -> None:
        subprocess.run(["chattr", how, *self._files], check=True, capture_output=True)

    def end(self) -> None:
        """Lets them be written to again."""
        self._set("-i")


def holds_for_open_files(folder: Path) -> bool:
    """Whether `chattr +i` can be had here, and stops those who have the file open."""
    path = folder / "probe"
    probe = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        if shutil.which("chattr") is None or subprocess.run(["chattr", "+i", path]).returncode:
            return False
        os.write(probe, b"x")
    except PermissionError:
        return True
    else:
        return False
    finally:
        os.close(probe)
        subprocess.run(["chattr", "-i", path])


@pytest.mark.parametrize("fault", [Limit, Immutable])
def test_a_store_that_cannot_be_written_stops_writes_alone_until_it_can(
    own_server: Shipliftd, tmp_path: Path, fault: type[Limit | Immutable], tell: Tell
) -> None:
    if fault is Immutable and not holds_for_open_files(tmp_path):
        pytest.skip("chattr +i needs root, and a disk such as ext4")
    record_a_build(own_server)
    builds = own_server.builds()
    promotions, refusals = {"before": builds.PromoteBuild(promotion("before")).number}, 0
    for n in range(ROUNDS):
        ids = [f"round {n}, call {call}" for call in range(20)]
        begun = fault(own_server)
        try:
            refused, _ = promote(own_server, ids, expect=grpc.StatusCode.UNAVAILABLE)
            assert refused == {}
            assert told(builds.PromoteBuild, promotion(ids[0])) == AWAY
            assert builds.GetBuild(pb.GetBuildRequest(owner="octocat", repo="app", build=2)).number == 2
            until(lambda: not is_serving(own_server))
        finally:
            begun.end()
        # Nobody writes: the server looks by itself whether it can.
        until(lambda: is_serving(own_server))
        again, replayed = promote(own_server, ids)
        assert (set(again), replayed) == (set(ids), set())
        promotions |= again
        refusals += len(ids) + 1
    assert own_server.stop() == 0
    assert_sound(own_server.database, promotions)
    tell(f"{ROUNDS} times, {refusals} promotions refused; 0 of {len(promotions)} acknowledged ones lost")


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


def test_a_disk_that_fills_loses_nothing_and_takes_writes_again_once_there_is_room(
    disk: Path, tell: Tell
) -> None:
    database = disk / "shiplift.db"
    with Shipliftd(database) as server:
        repository = Repository.make(server, "octocat", "app")
        repository.record(message="m" * 500)
        acknowledged = 0
        while code_of(promote_one, server, acknowledged) == grpc.StatusCode.OK:
            acknowledged += 1
        refused = told(promote_one, server, acknowledged)
        assert refused == AWAY
        # Reads go on.
        assert repository.get(acknowledged + 1).number == acknowledged + 1
        assert f"{acknowledged + 1} builds" in said("check", "--database", database)
        assert "database or disk is full" in refusal("backup", disk / "copy.db", "--database", database)
        assert not (disk / "copy.db").exists()
        remount(disk, "size=60m")
        assert promote_one(server, acknowledged).number == acknowledged + 2
    assert numbers(database) == list(range(1, acknowledged + 3))
    tell(f"{acknowledged} promotions until the disk was full; 0 of them lost")


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
