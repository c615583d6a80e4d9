"""The first start: with nothing configured, and the admin and token that it makes."""

import asyncio
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import grpc
import psycopg
import pytest
from shiplift.v1 import access_pb2, access_pb2_grpc, builds_pb2, builds_pb2_grpc
from shipliftd import first_start
from shipliftd.errors import Unavailable
from shipliftd.settings import database_of
from shipliftd.store import open_store

from tests.support import postgres
from tests.support.beside import opened
from tests.support.commands import command, refusal, said, shipliftd
from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS


@contextmanager
def unconfigured(home: Path, **environment: str) -> Iterator[dict[str, dict[str, str]]]:
    """A server that is told nothing but a free port; what it logs until it listens, by event."""
    bare = {k: v for k, v in os.environ.items() if not k.startswith(("SHIPLIFT", "XDG_"))}
    process = subprocess.Popen(
        command("serve"),
        stderr=subprocess.PIPE,
        text=True,
        env={**bare, "HOME": str(home), "SHIPLIFTD_LISTEN": "127.0.0.1:0", **environment},
    )
    assert process.stderr is not None
    events = {}
    try:
        for line in process.stderr:
            event = json.loads(line)
            events[event["event"]] = event
            if event["event"] == "listening":
                break
        yield events
    finally:
        process.terminate()
        process.stderr.read()
        assert process.wait(timeout=SECONDS) == 0


@pytest.mark.sqlite
@pytest.mark.parametrize("given", [True, False], ids=["XDG_STATE_HOME", "HOME alone"])
def test_starts_with_nothing_configured(tmp_path: Path, given: bool) -> None:
    state = tmp_path / "state" if given else tmp_path / ".local" / "state"
    with unconfigured(tmp_path, **({"XDG_STATE_HOME": str(state)} if given else {})) as events:
        database = state / "shiplift" / "shiplift.db"
        assert events["listening"]["database"] == str(database)
        token_file = Path(f"{database}.admin-token")
        assert events["first start"]["token_file"] == str(token_file)
        made = {path.name: path.stat().st_mode & 0o777 for path in database.parent.iterdir()}
        token = token_file.read_text()
        with grpc.insecure_channel(events["listening"]["address"]) as channel:
            builds = builds_pb2_grpc.BuildServiceStub(channel)
            with pytest.raises(grpc.RpcError) as error:
                builds.GetBuild(
                    builds_pb2.GetBuildRequest(owner="octocat", repo="app", build=1),
                    metadata=(("authorization", f"Bearer {token.strip()}"),),
                )
    assert error.value.code() == grpc.StatusCode.NOT_FOUND
    assert re.fullmatch(r"shl_[A-Za-z0-9_-]{43}\n", token)
    assert made == {
        "shiplift.db": 0o600,
        "shiplift.db-wal": 0o600,
        "shiplift.db-shm": 0o600,
        "shiplift.db.lock": 0o600,
        "shiplift.db.admin-token": 0o600,
    }


def test_listens_on_the_loopback_when_not_told_otherwise() -> None:
    told = shipliftd("serve", "--help", environment={"COLUMNS": "200"})
    assert "default: 127.0.0.1:50051]" in told.stdout


def test_the_second_start_makes_no_other_token(tmp_path: Path) -> None:
    database = tmp_path / "shiplift.db"
    with Shipliftd(database) as server:
        token = server.admin_token
    server.token_file.unlink()
    with Shipliftd(database) as server:
        assert server.access(token).WhoAmI(access_pb2.WhoAmIRequest()).user.login == "admin"
    assert not server.token_file.exists()
    assert "first start" not in [line["event"] for line in server.log]


def test_a_terminal_shows_the_token_and_lines_for_people_and_control_c_stops(tmp_path: Path) -> None:
    server = Shipliftd(tmp_path / "shiplift.db")
    master, terminal = pty.openpty()

    take = "import fcntl, os, termios; os.setsid(); fcntl.ioctl(2, termios.TIOCSCTTY, 0)"
    process = subprocess.Popen(
        command("serve", "--database", server.store, "--listen", "127.0.0.1:0", before=take),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    text = ""
    while "listening" not in text:
        text += os.read(master, 4096).decode()
    token = re.findall(r"^ +(shl_[A-Za-z0-9_-]{43})\r$", text, re.MULTILINE)
    address = re.findall(r"^\d\d:\d\d:\d\d info +listening  address=(\S+) ", text, re.MULTILINE)
    assert (len(token), len(address)) == (1, 1), text
    assert not server.token_file.exists()
    with grpc.insecure_channel(address[0]) as channel:
        access = access_pb2_grpc.AccessServiceStub(channel)
        bearer = (("authorization", f"Bearer {token[0]}"),)
        assert access.WhoAmI(access_pb2.WhoAmIRequest(), metadata=bearer).user.login == "admin"
    os.write(master, b"\x03")
    assert process.wait(timeout=SECONDS) == 0
    rest = os.read(master, 4096).decode()
    os.close(master)
    assert "stopped" in rest
    assert "{" not in text + rest
    assert "Traceback" not in rest


def test_a_store_whose_users_are_no_site_admins_gets_one(tmp_path: Path) -> None:
    server = Shipliftd(tmp_path / "shiplift.db")
    said("migrate", "--database", server.store)
    said("user", "add", "dora", "--database", server.store)
    with server:
        user = server.access().WhoAmI(access_pb2.WhoAmIRequest()).user
    assert (user.login, user.admin) == ("admin", True)


def test_a_user_admin_who_is_no_site_admin_stays_that(tmp_path: Path) -> None:
    server = Shipliftd(tmp_path / "shiplift.db")
    said("migrate", "--database", server.store)
    said("user", "add", "admin", "--database", server.store)
    with server:
        token = said("token", "create", "--login", "admin", "--database", server.store).strip()
        assert not server.access(token).WhoAmI(access_pb2.WhoAmIRequest()).user.admin
    (line,) = [line for line in server.log if line["event"] == "no site admin"]
    assert line["error"] == (
        "there is no site admin, and user admin is none: `shipliftd user add --admin` makes one"
    )
    assert not server.token_file.exists()


def test_a_first_start_that_cannot_write_the_token_makes_no_admin(tmp_path: Path) -> None:
    server = Shipliftd(tmp_path / "shiplift.db")
    said("migrate", "--database", server.store)
    in_the_way = server.token_file
    in_the_way.mkdir(parents=True)
    assert "admin-token" in refusal("serve", "--database", server.store, "--listen", "127.0.0.1:0")
    in_the_way.rmdir()
    assert not Path(f"{in_the_way}.new").exists()
    with server:
        assert server.access().WhoAmI(access_pb2.WhoAmIRequest()).user.admin


def test_a_first_start_that_was_killed_before_its_commit_is_made_again(tmp_path: Path) -> None:
    server = Shipliftd(tmp_path / "shiplift.db")
    said("migrate", "--database", server.store)
    killed_after_rename = """
import os, sys
from shipliftd import command, first_start
first_start.sync = lambda folder: os._exit(9)
command.main()
"""
    arguments = ("serve", "--database", server.store, "--listen", "127.0.0.1:0")
    done = subprocess.run([sys.executable, "-c", killed_after_rename, *arguments], stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (9, b"")
    lost = server.admin_token
    with server:
        assert server.access().WhoAmI(access_pb2.WhoAmIRequest()).user.admin
    assert server.admin_token != lost


# What has the commit of a token find a row that points nowhere.
CHILD = "CREATE TABLE child (id BIGINT REFERENCES users (id) DEFERRABLE INITIALLY DEFERRED)"
LATE = {
    False: ("CREATE TRIGGER late AFTER INSERT ON tokens BEGIN INSERT INTO child VALUES (7); END",),
    True: (
        "CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql"
        " AS 'BEGIN INSERT INTO child VALUES (7); RETURN NEW; END'",
        "CREATE TRIGGER late AFTER INSERT ON tokens FOR EACH ROW EXECUTE FUNCTION late()",
    ),
}
FAILURE = {False: Unavailable, True: psycopg.errors.ForeignKeyViolation}


def test_a_first_start_whose_commit_fails_leaves_no_token(tmp_path: Path) -> None:
    server = Shipliftd(tmp_path / "shiplift.db")
    said("migrate", "--database", server.store)
    with opened(server.database) as changed:
        for statement in (CHILD, *LATE[postgres.is_in_use()]):
            changed.execute(statement)

    async def start() -> None:
        with closing(open_store(database_of(server.store))) as store:
            await store.start()
            await first_start.first_start(store)

    with pytest.raises(FAILURE[postgres.is_in_use()]):
        asyncio.run(start())
    assert list(server.token_file.parent.glob(f"{server.token_file.name}*")) == []
    with opened(server.database) as there:
        assert there.execute("SELECT count(*) FROM users").fetchone() == (0,)
