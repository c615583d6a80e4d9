"""`shipliftd` on the store itself: a new one, and where it is not as it should be."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import grpc
import pytest
from shiplift.v1 import access_pb2, builds_pb2

from tests.support.commands import MIGRATIONS, checked, refusal, said, shipliftd
from tests.support.harness import Shipliftd
from tests.support.stores import ADD, GRANT, TOKEN, damage, mode, promote

pytestmark = pytest.mark.sqlite


def test_migrate_makes_a_new_store_once(tmp_path: Path) -> None:
    database = tmp_path / "deep" / "shiplift.db"
    assert said("migrate", "--database", database) == f"applied {', '.join(MIGRATIONS)}\n"
    assert said("migrate", "--database", database) == "nothing to apply\n"
    assert checked(f"sqlite:///{database}") == (f"{database}: ok, 0 repositories, 0 builds, 0 users\n")
    assert mode(database) == 0o600


@pytest.mark.parametrize(
    "command",
    [
        ("check",),
        ("backup", "copy.db"),
        ("user", "add", "dora"),
        TOKEN,
        GRANT,
    ],
    ids=lambda command: command[0],
)
def test_a_store_that_is_not_there_is_named_and_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    database = tmp_path / "typo" / "shiplift.db"
    monkeypatch.chdir(tmp_path)
    assert refusal(*command, "--database", database) == (
        f"there is no store at {database}: name it with --database"
    )
    assert list(tmp_path.iterdir()) == []


# A command for each way in which the file is opened.
SERVE = ("serve", "--listen", "127.0.0.1:0")
MIGRATE = ("migrate",)
CHECK = ("check",)
MAKING = pytest.mark.parametrize("command", [SERVE, MIGRATE], ids=lambda command: command[0])


@pytest.mark.parametrize("command", [SERVE, ADD, MIGRATE, CHECK], ids=lambda command: command[0])
def test_a_file_that_is_no_store_is_refused_and_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("Buy milk.\n" * 500)
    assert "file is not a database" in refusal(*command, "--database", notes)
    assert notes.read_text() == "Buy milk.\n" * 500


def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as made:
        made.execute("CREATE TABLE bookmarks (url)")
    assert refusal("check", "--database", other) == (
        f"{other} is not a store of Shiplift's: no such table: builds"
    )


@pytest.mark.parametrize("command", [SERVE, ADD, CHECK], ids=lambda command: command[0])
def test_a_store_whose_schema_is_damaged_is_refused(store: Path, command: tuple[str, ...]) -> None:
    with store.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 900)
    assert "malformed" in refusal(*command, "--database", store)


def test_check_finds_damaged_pages(store: Path) -> None:
    text = refusal("check", "--database", damage(store))
    assert text.startswith(f"{store} is damaged: ")
    assert text.endswith("; restore a backup")


def test_check_finds_rows_that_point_nowhere(store: Path) -> None:
    with closing(sqlite3.connect(store)) as changed:
        changed.execute("DELETE FROM users")
        changed.commit()
    text = refusal("check", "--database", store)
    assert text.startswith(f"{store} is damaged: ")
    assert "users" in text


def test_a_server_goes_on_beside_damaged_pages_and_logs_what_they_cost(store: Path) -> None:
    damage(store)
    with Shipliftd(store) as server:
        request = builds_pb2.GetBuildRequest(owner="octocat", repo="app", build=1)
        with pytest.raises(grpc.RpcError) as error:
            server.builds().GetBuild(request)
        with pytest.raises(grpc.RpcError) as write:
            promote(server.builds())
        server.access().CreateUser(access_pb2.CreateUserRequest(login="dora"))
        assert server.access().WhoAmI(access_pb2.WhoAmIRequest()).user.login == "admin"
    assert error.value.code() == grpc.StatusCode.INTERNAL
    found = re.fullmatch(
        r"the store is damaged: `shipliftd check` tells its operator more, and the log under id (\w+)",
        str(error.value.details()),
    )
    assert found is not None
    # Build 1 is what is promoted; what has nothing to do with it goes on.
    assert (write.value.code(), write.value.details()) == (
        grpc.StatusCode.UNAVAILABLE,
        "the store is damaged; nothing was stored: `shipliftd check` tells its operator more",
    )
    (line,) = [line for line in server.log if line.get("id") == found[1]]
    assert "malformed" in line["trace"]


@MAKING
def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "file").touch()
    database = tmp_path / "file" / "shiplift.db"
    assert refusal(*command, "--database", database) == (
        f"the store {database} cannot be opened ([Errno 17] File exists: '{tmp_path}/file'): it must be"
        " a SQLite file that is sound, or a new one in a directory that may be written to"
    )


# Takes from root the right to write where others may not; nobody else has it.
AS_ANYBODY = """
import ctypes
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1
ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)
"""


@MAKING
def test_a_directory_that_may_not_be_written_to_is_refused(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    tmp_path.chmod(0o500)
    database = tmp_path / "shiplift.db"
    done = shipliftd(*command, "--database", database, before=AS_ANYBODY)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stderr
    assert done.stderr.startswith(
        f"shipliftd: the store {database} cannot be opened ([Errno 13] Permission denied: '{database}"
    )


def test_a_backup_onto_a_full_disk_is_refused_and_cleared_away(filled: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    small = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))"
    done = shipliftd("backup", copy, "--database", filled, before=small)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stderr
    assert done.stderr.startswith("shipliftd: ")
    assert not copy.exists()


def test_a_backup_never_writes_over_a_file(filled: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    copy.write_text("last night's")
    assert refusal("backup", copy, "--database", filled) == (
        f"{copy} exists already: name another file, or move it away"
    )
    assert copy.read_text() == "last night's"


def test_a_backup_into_a_directory_that_is_not_there_is_refused(filled: Path, tmp_path: Path) -> None:
    copy = tmp_path / "nowhere" / "copy.db"
    assert refusal("backup", copy, "--database", filled) == (
        f"{copy} cannot be written: No such file or directory"
    )
