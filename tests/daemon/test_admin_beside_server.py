"""`shipliftd` on the store of a server that runs."""

import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from shiplift.v1 import access_pb2

from tests.support import postgres
from tests.support.beside import opened
from tests.support.commands import checked, command, refusal, said
from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS, until, within
from tests.support.refusals import code_of
from tests.support.stores import create, mode, numbers, promote, record

SECRET = re.compile(r"shl_[A-Za-z0-9_-]{43}\n")


def test_a_user_token_and_grant_take_effect_at_once(server: Shipliftd, name: str, repo: str) -> None:
    record(server, repo)
    database = server.store
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

    with opened(server.database) as store:
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
    with opened(own_server.database) as store:
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


@pytest.mark.sqlite
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
    assert checked(copy) == f"{copy}: ok, 1 repositories, {len(there)} builds, 1 users\n"
    assert mode(copy) == 0o600
    # One file, with nothing beside it that could be forgotten.
    assert sorted(path.name for path in tmp_path.glob("copy*")) == ["copy.db"]


def test_check_runs_beside_a_server(own_server: Shipliftd, busy: list[int]) -> None:
    before = len(busy)
    line = checked(own_server.store)
    if postgres.is_in_use():
        assert line == "ok\n"
        return
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
    backup = () if postgres.is_in_use() else (("backup", tmp_path / "copy.db"),)
    commands = (("check",), ("user", "add", "dora"), *backup)
    for n, words in enumerate(commands):
        said(*words, "--database", server.store)
        assert promote(server.builds()).number == 301 + n
        assert numbers(store)[-1] == 301 + n
    server.stop(signal.SIGKILL)
    assert numbers(store) == list(range(1, 301 + len(commands)))


@pytest.mark.sqlite
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
