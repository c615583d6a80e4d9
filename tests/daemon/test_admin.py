"""`shipliftd` on the store itself: beside a running server, and where the store is not as it should be."""

import re
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import grpc
import pytest
from shiplift.v1 import access_pb2, builds_pb2

from tests.support.commands import MIGRATIONS, command, refusal, said, shipliftd
from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS, until, within
from tests.support.refusals import code_of
from tests.support.stores import ADD, GRANT, TOKEN, create, damage, mode, numbers, promote, record

SECRET = re.compile(r"shl_[A-Za-z0-9_-]{43}\n")


# Beside a running server.


def test_a_user_token_and_grant_take_effect_at_once(server: Shipliftd, name: str, repo: str) -> None:
    record(server, repo)
    database = server.database
    added = said("user", "add", name, "--machine", "--database", database)
    made = said("token", "create", "--login", name, "--database", database)
    assert added == f"created user {name}\n"
    assert SECRET.fullmatch(made)
    token = made.strip()
    whoami = server.access(token).WhoAmI(access_pb2.WhoAmIRequest())
    assert (whoami.user.login, whoami.user.machine, whoami.user.admin) == (name, True, False)

    with pytest.raises(grpc.RpcError) as error:
        promote(server.builds(token), repo)
    assert error.value.code() == grpc.StatusCode.NOT_FOUND
    assert (
        said("grant", "add", name, "read", "-R", repo, "--database", database)
        == f"{name} has read on {repo}\n"
    )
    with pytest.raises(grpc.RpcError) as error:
        promote(server.builds(token), repo)
    assert error.value.code() == grpc.StatusCode.PERMISSION_DENIED
    assert (
        said("grant", "add", name, "write", "-R", repo, "--database", database)
        == f"{name} has write on {repo}\n"
    )
    promotion = promote(server.builds(token), repo)
    assert (promotion.number, promotion.trigger) == (2, name)

    with closing(sqlite3.connect(database)) as store:
        rows = store.execute(
            "SELECT method, owner, repo, code FROM audit WHERE user_id = 0 ORDER BY id DESC LIMIT 4"
        ).fetchall()
    assert rows == [
        ("GrantAccess", *repo.split("/"), "OK"),
        ("GrantAccess", *repo.split("/"), "OK"),
        ("CreateToken", "", "", "OK"),
        ("CreateUser", "", "", "OK"),
    ]


def test_a_token_is_cut_as_told(server: Shipliftd) -> None:
    cuts = ("--name", "ci", "--action", "promote", "--action", "read", "--expires-in", "30")
    places = ("--repository", "octocat/*", "--environment", "staging")
    token = said("token", "create", "--login", "admin", *cuts, *places, "--database", server.store).strip()
    made = server.access(token).WhoAmI(access_pb2.WhoAmIRequest()).token
    assert (made.login, made.name, made.hint) == ("admin", "ci", token[:8])
    assert list(made.actions) == [access_pb2.TOKEN_ACTION_READ, access_pb2.TOKEN_ACTION_PROMOTE]
    assert (list(made.repositories), list(made.environments)) == (["octocat/*"], ["staging"])
    assert 0 <= made.created.seconds + 30 * 24 * 3600 - made.expires.seconds <= 1


def test_a_grant_on_all_of_an_owners_repositories_holds_for_later_ones(
    server: Shipliftd, name: str
) -> None:
    token = server.user(name)
    granted = said("grant", "add", name, "write", "-R", f"{name}/*", "--database", server.store)
    assert granted == f"{name} has write on {name}/*\n"
    server.access().CreateRepository(access_pb2.CreateRepositoryRequest(owner=name, repo="later"))
    record(server, f"{name}/later")
    assert promote(server.builds(token), f"{name}/later").trigger == name


def test_many_commands_at_once_all_take_effect_beside_promotions(own_server: Shipliftd) -> None:
    create(own_server)
    adding = [
        subprocess.Popen(
            command("user", "add", f"user{n}", "--database", own_server.store), stdout=subprocess.PIPE
        )
        for n in range(4)
    ]
    builds = own_server.builds()
    count = 0
    while any(process.poll() is None for process in adding):
        count += 1
        assert promote(builds).number == count + 1
    assert [process.communicate()[0] for process in adding] == [
        f"created user user{n}\n".encode() for n in range(4)
    ]
    with closing(sqlite3.connect(own_server.database)) as store:
        assert store.execute("SELECT count(*) FROM users").fetchone() == (5,)


@pytest.fixture
def busy(own_server: Shipliftd) -> Iterator[list[int]]:
    """The numbers of the promotions that go on while the test runs; the list grows."""
    create(own_server)
    acknowledged: list[int] = []
    enough, stop = threading.Event(), threading.Event()

    def go_on() -> None:
        builds = own_server.builds()
        while not stop.is_set():
            acknowledged.append(promote(builds).number)
            if len(acknowledged) == 50:
                enough.set()

    callers = [threading.Thread(target=go_on) for _ in range(4)]
    for caller in callers:
        caller.start()
    assert enough.wait(SECONDS)
    yield acknowledged
    stop.set()
    for caller in callers:
        caller.join()


def test_a_level_that_is_lowered_counts_within_moments_on_a_busy_server(
    own_server: Shipliftd, busy: list[int]
) -> None:
    builds = own_server.builds(own_server.user("dora", "octocat/app", access_pb2.ACCESS_LEVEL_WRITE))
    assert promote(builds).trigger == "dora"
    said("grant", "add", "dora", "read", "-R", "octocat/app", "--database", own_server.store)

    # The server looks every second whether another process has written to its store.
    with within(3):
        code = until(lambda: found if (found := code_of(promote, builds)) != grpc.StatusCode.OK else None)
    assert code == grpc.StatusCode.PERMISSION_DENIED
    assert len(busy) > 50


def test_a_backup_of_a_live_store_is_sound_and_holds_what_was_acknowledged(
    own_server: Shipliftd, busy: list[int], tmp_path: Path
) -> None:
    copy = tmp_path / "copy.db"
    before = list(busy)
    assert said("backup", copy, "--database", own_server.store) == f"backed up to {copy}\n"
    assert len(busy) > len(before), "promotions went on"
    there = numbers(copy)
    assert set(before) <= set(there)
    assert there == list(range(1, len(there) + 1))
    assert (
        said("check", "--database", copy) == f"{copy}: ok, 1 repositories, {len(there)} builds, 1 users\n"
    )
    assert mode(copy) == 0o600
    # One file, with nothing beside it that could be forgotten.
    assert sorted(path.name for path in tmp_path.glob("copy*")) == ["copy.db"]


def test_check_runs_beside_a_server(own_server: Shipliftd, busy: list[int]) -> None:
    before = len(busy)
    line = said("check", "--database", own_server.store)
    found = re.fullmatch(
        rf"{re.escape(str(own_server.database))}: ok, 1 repositories, (\d+) builds, 1 users\n", line
    )
    assert found is not None
    assert before < int(found[1])


def test_commands_beside_a_server_take_nothing_away_from_it(
    store: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    # A file that was there before the server, as it is from its second start on.
    server = Shipliftd(store).start()
    request.addfinalizer(server.process.kill)
    for n, words in enumerate((("check",), ("user", "add", "dora"), ("backup", tmp_path / "copy.db"))):
        said(*words, "--database", store)
        assert promote(server.builds()).number == 301 + n
        assert numbers(store)[-1] == 301 + n
    server.stop(signal.SIGKILL)
    assert numbers(store) == list(range(1, 304))


@pytest.mark.parametrize("command", ["migrate", "restore"])
def test_what_would_change_the_store_under_a_server_is_refused(
    server: Shipliftd, repo: str, filled: Path, command: str
) -> None:
    arguments = [filled] if command == "restore" else []
    assert refusal(command, *arguments, "--database", server.store) == (
        f"the store {server.database} is in use by another shipliftd: stop that one first,"
        " or name another file with --database"
    )
    record(server, repo)
    assert promote(server.builds(), repo).number == 2


# The state of the file.


def test_migrate_makes_a_new_store_once(tmp_path: Path) -> None:
    database = tmp_path / "deep" / "shiplift.db"
    assert said("migrate", "--database", database) == f"applied {', '.join(MIGRATIONS)}\n"
    assert said("migrate", "--database", database) == "nothing to apply\n"
    assert said("check", "--database", f"sqlite:///{database}") == (
        f"{database}: ok, 0 repositories, 0 builds, 0 users\n"
    )
    assert mode(database) == 0o600


def test_a_store_can_be_filled_before_its_first_server(tmp_path: Path) -> None:
    database = tmp_path / "shiplift.db"
    said("migrate", "--database", database)
    assert said("user", "add", "root", "--admin", "--database", database) == "created site admin root\n"
    token = said("token", "create", "--login", "root", "--database", database).strip()
    with Shipliftd(database) as server:
        assert server.access(token).WhoAmI(access_pb2.WhoAmIRequest()).user.admin
    # Whoever made a site admin needs no second admin that nobody asked for.
    assert not Path(f"{database}.admin-token").exists()


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


# What is refused, in the words of the API.


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("user", "add", "admin"), "user admin exists already"),
        (("token", "create", "--login", "nobody"), "user nobody not found: a site admin can create one"),
        (
            ("grant", "add", "admin", "read", "-R", "octocat"),
            "repo: '' is not a name: wanted 1 to 100 of letters, digits, '.', '_', '-',"
            " and not '.' or '..'",
        ),
        (
            (*TOKEN, "--repository", "octocat"),
            "repositories: 'octocat': wanted owner/repo or owner/*",
        ),
    ],
)
def test_a_refusal_is_one_line_and_exit_code_1(store: Path, command: tuple[str, ...], words: str) -> None:
    assert refusal(*command, "--database", store) == words


def test_a_store_of_another_kind_is_refused() -> None:
    assert refusal("check", "--database", "mysql://shiplift:secret@db/shiplift") == (
        "--database mysql://... is not a store that this release knows: wanted a file's path,"
        " sqlite:///PATH, or postgresql://USER@HOST/NAME"
    )


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("frobnicate",), "No such command 'frobnicate'"),
        (("grant", "add", "admin", "owner", "-R", "o/r"), "'owner' is not one of 'read', 'write', 'admin'"),
        ((*TOKEN, "--action", "sing"), "'sing': wanted one of read, record,"),
        ((*TOKEN, "--expires-in", "99999999999"), "--expires-in"),
        (("serve", "--drain-seconds", "soon"), "--drain-seconds"),
    ],
)
def test_a_command_that_is_not_understood_is_exit_code_2(
    store: Path, command: tuple[str, ...], words: str
) -> None:
    done = shipliftd(*command, environment={"SHIPLIFTD_DATABASE": str(store), "COLUMNS": "200"})
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_the_version_is_told() -> None:
    assert said("--version") == "shipliftd 0.2.0\n"
