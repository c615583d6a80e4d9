"""The daemon as an operator meets it: starting, listening, health, logs, stopping."""

import asyncio
import json
import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health, health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from shiplift.v1 import access_pb2, access_pb2_grpc, builds_pb2, builds_pb2_grpc
from shipliftd import first_start
from shipliftd import server as server_module
from shipliftd.api.services.runs import Runs
from shipliftd.errors import Unavailable
from shipliftd.stages.known_runners import KnownRunners
from shipliftd.store import SqliteStore

from tests.support.commands import MIGRATIONS, command, refusal, said, shipliftd
from tests.support.daemons import health_of, promotion, record, reflection_of
from tests.support.harness import Shipliftd
from tests.support.inside import inside
from tests.support.patience import SECONDS
from tests.support.repository import COMMIT

BUILDS, ACCESS = "shiplift.v1.BuildService", "shiplift.v1.AccessService"
SERVING = health_pb2.HealthCheckResponse.SERVING


# Starting.


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
    Path(f"{database}.admin-token").unlink()
    with Shipliftd(database) as server:
        assert server.access(token).WhoAmI(access_pb2.WhoAmIRequest()).user.login == "admin"
    assert not Path(f"{database}.admin-token").exists()
    assert "first start" not in [line["event"] for line in server.log]


def test_a_terminal_shows_the_token_and_lines_for_people_and_control_c_stops(tmp_path: Path) -> None:
    database = tmp_path / "shiplift.db"
    master, terminal = pty.openpty()

    take = "import fcntl, os, termios; os.setsid(); fcntl.ioctl(2, termios.TIOCSCTTY, 0)"
    process = subprocess.Popen(
        command("serve", "--database", database, "--listen", "127.0.0.1:0", before=take),
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
    assert not Path(f"{database}.admin-token").exists()
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
    database = tmp_path / "shiplift.db"
    said("migrate", "--database", database)
    said("user", "add", "dora", "--database", database)
    with Shipliftd(database) as server:
        user = server.access().WhoAmI(access_pb2.WhoAmIRequest()).user
    assert (user.login, user.admin) == ("admin", True)


def test_a_user_admin_who_is_no_site_admin_stays_that(tmp_path: Path) -> None:
    database = tmp_path / "shiplift.db"
    said("migrate", "--database", database)
    said("user", "add", "admin", "--database", database)
    with Shipliftd(database) as server:
        token = said("token", "create", "--login", "admin", "--database", database).strip()
        assert not server.access(token).WhoAmI(access_pb2.WhoAmIRequest()).user.admin
    (line,) = [line for line in server.log if line["event"] == "no site admin"]
    assert line["error"] == (
        "there is no site admin, and user admin is none: `shipliftd user add --admin` makes one"
    )
    assert not Path(f"{database}.admin-token").exists()


def test_a_first_start_that_cannot_write_the_token_makes_no_admin(tmp_path: Path) -> None:
    database = tmp_path / "shiplift.db"
    said("migrate", "--database", database)
    in_the_way = Path(f"{database}.admin-token")
    in_the_way.mkdir()
    assert "admin-token" in refusal("serve", "--database", database, "--listen", "127.0.0.1:0")
    in_the_way.rmdir()
    assert not Path(f"{in_the_way}.new").exists()
    with Shipliftd(database) as server:
        assert server.access().WhoAmI(access_pb2.WhoAmIRequest()).user.admin


def test_a_first_start_that_was_killed_before_its_commit_is_made_again(tmp_path: Path) -> None:
    database = tmp_path / "shiplift.db"
    token_file = Path(f"{database}.admin-token")
    said("migrate", "--database", database)
    killed_after_rename = """
import os, sys
from shipliftd import command, first_start
first_start.sync = lambda folder: os._exit(9)
command.main()
"""
    arguments = ("serve", "--database", str(database), "--listen", "127.0.0.1:0")
    done = subprocess.run([sys.executable, "-c", killed_after_rename, *arguments], stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (9, b"")
    lost = token_file.read_text()
    with Shipliftd(database) as server:
        assert server.access().WhoAmI(access_pb2.WhoAmIRequest()).user.admin
    assert token_file.read_text() != lost


def test_a_first_start_whose_commit_fails_leaves_no_token(tmp_path: Path) -> None:
    async def start() -> None:
        with closing(SqliteStore(database)) as store:
            # The commit finds a row that points nowhere.
            store.writer.execute_sql(
                "CREATE TRIGGER late AFTER INSERT ON tokens BEGIN INSERT INTO child VALUES (7); END"
            )
            await first_start.first_start(store)

    database = tmp_path / "shiplift.db"
    said("migrate", "--database", database)
    with closing(sqlite3.connect(database)) as changed:
        changed.execute("CREATE TABLE child (id REFERENCES users (id) DEFERRABLE INITIALLY DEFERRED)")
    with pytest.raises(Unavailable):
        asyncio.run(start())
    assert list(tmp_path.glob("*.admin-token*")) == []
    with closing(sqlite3.connect(database)) as there:
        assert there.execute("SELECT count(*) FROM users").fetchone() == (0,)


# Listening.


def test_a_second_server_on_the_same_store_is_refused(server: Shipliftd, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(server.database)
    for name in (server.database, f"sqlite:///{server.database}", link):
        assert refusal("serve", "--database", name, "--listen", "127.0.0.1:0") == (
            f"the store {server.database} is in use by another shipliftd: stop that one first, or name"
            " another file with --database"
        )
    assert server.access().WhoAmI(access_pb2.WhoAmIRequest()).user.login == "admin"


def test_a_second_server_on_the_same_port_is_refused(server: Shipliftd, tmp_path: Path) -> None:
    database = tmp_path / "shiplift.db"
    said("migrate", "--database", database)
    said("user", "add", "root", "--admin", "--database", database)
    assert refusal("serve", "--database", database, "--listen", server.address) == (
        f"cannot listen on {server.address}: is the port taken, or the address not this machine's?"
        " Name another with --listen"
    )


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", ":0"])
def test_an_address_that_others_reach_is_refused_without_tls(tmp_path: Path, listen: str) -> None:
    database = tmp_path / "shiplift.db"
    assert refusal("serve", "--database", database, "--listen", listen) == (
        f"{listen} is reachable from elsewhere, and tokens would travel in the clear: give --tls-cert and"
        " --tls-key, or --insecure where something before it does TLS"
    )
    assert not database.exists()


def test_insecure_allows_it(tmp_path: Path) -> None:
    # The loopback in a form that is not known to be it: nobody else is to reach a test.
    with Shipliftd(tmp_path / "shiplift.db", ("--insecure",), listen="[::ffff:127.0.0.1]:0") as server:
        assert server.access().WhoAmI(access_pb2.WhoAmIRequest()).user.login == "admin"


@pytest.mark.parametrize("listen", ["50051", "127.0.0.1", "127.0.0.1:99999", "127.0.0.1:grpc", ""])
def test_what_is_no_address_is_refused(tmp_path: Path, listen: str) -> None:
    assert refusal("serve", "--database", tmp_path / "shiplift.db", "--listen", listen) == (
        f"--listen {listen!r} is not an address: wanted HOST:PORT with a port of 0 to 65535, such as"
        " 127.0.0.1:50051, or unix:PATH"
    )


def test_listens_on_a_unix_socket_also_after_it_was_killed(tmp_path: Path) -> None:
    database, listen = tmp_path / "shiplift.db", f"unix:{tmp_path}/socket"
    server = Shipliftd(database, listen=listen).start()
    assert server.address == listen
    record(server)
    assert server.stop(signal.SIGKILL) == -signal.SIGKILL
    with Shipliftd(database, listen=listen) as server:
        assert server.builds().PromoteBuild(promotion()).number == 2


# Health and reflection.


@pytest.mark.parametrize("service", ["", BUILDS, ACCESS])
def test_health_is_told_for_the_server_and_for_each_service(server: Shipliftd, service: str) -> None:
    health = health_of(server.channel(""))
    request = health_pb2.HealthCheckRequest(service=service)
    assert health.Check(request).status == SERVING


def test_the_health_of_an_unknown_service_is_not_found(server: Shipliftd) -> None:
    health = health_of(server.channel(""))
    with pytest.raises(grpc.RpcError) as error:
        health.Check(health_pb2.HealthCheckRequest(service="shiplift.v1.TeaService"))
    assert error.value.code() == grpc.StatusCode.NOT_FOUND


def reflect(
    server: Shipliftd, request: reflection_pb2.ServerReflectionRequest
) -> reflection_pb2.ServerReflectionResponse:
    answer: reflection_pb2.ServerReflectionResponse
    (answer,) = reflection_of(server.channel("")).ServerReflectionInfo(iter([request]))
    return answer


def test_reflection_lists_the_services_to_anyone(server: Shipliftd) -> None:
    listed = reflect(server, reflection_pb2.ServerReflectionRequest(list_services=""))
    assert sorted(service.name for service in listed.list_services_response.service) == [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        ACCESS,
        BUILDS,
        "shiplift.v1.EnvironmentService",
        "shiplift.v1.ServerService",
        "shiplift.v1.StageService",
    ]


def test_reflection_tells_comments_under_both_names_of_the_protocol(server: Shipliftd) -> None:
    asked = reflection_pb2.ServerReflectionRequest(file_containing_symbol=f"{BUILDS}.PromoteBuild")
    for version in ("v1alpha", "v1"):
        ask = server.channel("").stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            reflection_pb2.ServerReflectionRequest.SerializeToString,
            reflection_pb2.ServerReflectionResponse.FromString,
        )
        (answer,) = ask(iter([asked]))
        told = [
            FileDescriptorProto.FromString(file)
            for file in answer.file_descriptor_response.file_descriptor_proto
        ]
        assert told[0].name == "shiplift/v1/builds.proto"
        assert {name for file in told for name in file.dependency} == {file.name for file in told[1:]}
        comments = [place.leading_comments for place in told[0].source_code_info.location]
        assert " What PromoteBuild takes.\n" in comments


def test_reflection_describes_itself(server: Shipliftd) -> None:
    name = "grpc/reflection/v1/reflection.proto"
    for asked in (
        reflection_pb2.ServerReflectionRequest(file_by_filename=name),
        reflection_pb2.ServerReflectionRequest(
            file_containing_symbol="grpc.reflection.v1.ServerReflection"
        ),
    ):
        (told,) = reflect(server, asked).file_descriptor_response.file_descriptor_proto
        file = FileDescriptorProto.FromString(told)
        assert (file.name, file.package) == (name, "grpc.reflection.v1")
        assert file.service[0].method[0].input_type == ".grpc.reflection.v1.ServerReflectionRequest"


# Limits.


def test_a_message_of_more_than_4_mb_is_refused_before_it_is_read(server: Shipliftd, repo: str) -> None:
    owner, name = repo.split("/")

    def refused(size: int) -> grpc.StatusCode:
        request = builds_pb2.CreateBuildRequest(owner=owner, repo=name, after=COMMIT, message="m" * size)
        with pytest.raises(grpc.RpcError) as error:
            server.builds().CreateBuild(request)
        code: grpc.StatusCode = error.value.code()
        return code

    assert refused(4 * 1024 * 1024 - 100) == grpc.StatusCode.INVALID_ARGUMENT
    assert refused(4 * 1024 * 1024 + 1) == grpc.StatusCode.RESOURCE_EXHAUSTED
    with closing(sqlite3.connect(server.database)) as store:
        query = "SELECT counter FROM repositories WHERE name = ?"
        assert store.execute(query, (name,)).fetchone() == (0,)


def test_clients_may_ping_as_often_as_those_of_go_do() -> None:
    # Go's clients ping every 10 s at the most often, also between calls. To see one cut off takes
    # longer than a test should, so only the options are looked at.
    options = dict(server_module._OPTIONS)
    assert int(options["grpc.http2.min_ping_interval_without_data_ms"]) <= 5_000
    assert options["grpc.keepalive_permit_without_calls"] == 1


# Logs.


def test_the_log_is_json_without_secrets(own_server: Shipliftd) -> None:
    record(own_server)
    secret = own_server.user("dora")
    own_server.builds().PromoteBuild(promotion(PASSWORD="hunter2"))
    wrong = "shl_" + "x" * 43
    for token in (secret, wrong, "", "hunter2 hunter3"):
        with pytest.raises(grpc.RpcError):
            own_server.builds(token).PromoteBuild(promotion(PASSWORD="hunter2"))
    with closing(sqlite3.connect(own_server.database)) as store:
        store.execute("DROP TABLE changes")
    with pytest.raises(grpc.RpcError) as error:
        own_server.builds().PromoteBuild(promotion(PASSWORD="hunter2"))
    assert own_server.stop() == 0

    # A defect, and not a store that is away: to try again would not help.
    assert error.value.code() == grpc.StatusCode.INTERNAL
    found = re.fullmatch(
        r"a defect in the server; its log has the cause under id (\w+)", str(error.value.details())
    )
    assert found is not None
    (defect,) = [line for line in own_server.log if line.get("id") == found[1]]
    assert "no such table: changes" in defect["trace"]

    assert all({"time", "level", "event"} <= line.keys() for line in own_server.log), own_server.log
    events = [line["event"] for line in own_server.log]
    migrated = ["migrated"] * len(MIGRATIONS)
    assert events[: len(migrated) + 2] == [*migrated, "first start", "listening"]
    assert events[-3:] == ["draining", "strangers refused", "stopped"]
    text = json.dumps(own_server.log)
    for private in (own_server.admin_token, secret, wrong, "hunter2"):
        assert private not in text


# Housekeeping.


def rename_last_used(database: Path, old: str, new: str) -> None:
    with closing(sqlite3.connect(database)) as store:
        store.execute(f"ALTER TABLE tokens RENAME COLUMN {old} TO {new}")


def test_a_stop_is_clean_when_the_use_of_tokens_cannot_be_stored(own_server: Shipliftd) -> None:
    record(own_server)
    rename_last_used(own_server.database, "last_used", "renamed")
    assert own_server.stop() == 0
    assert [line["event"] for line in own_server.log][-3:] == [
        "draining",
        "token use not stored",
        "stopped",
    ]


def test_housekeeping_outlives_what_it_cannot_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server_module, "_NOTE_SECONDS", 1)
    database = tmp_path / "shiplift.db"

    async def until(come: Callable[[], bool]) -> None:
        async with asyncio.timeout(SECONDS):
            while not come():
                await asyncio.sleep(0.05)

    def is_noted() -> bool:
        with closing(sqlite3.connect(database)) as store:
            (noted,) = store.execute("SELECT last_used FROM tokens").fetchone()
        return bool(noted)

    async def run() -> None:
        async with inside(database) as served:
            runs = Runs(served.store, KnownRunners(served.store, ()))
            housekeeping = asyncio.create_task(
                server_module._housekeep(
                    served.store, served.interceptor, health.aio.HealthServicer(), runs
                )
            )
            await served.call("WhoAmI", access_pb2.WhoAmIRequest())
            rename_last_used(database, "last_used", "renamed")
            await until(lambda: "token use not stored" in caplog.messages)
            rename_last_used(database, "renamed", "last_used")
            await served.call("WhoAmI", access_pb2.WhoAmIRequest())
            await until(is_noted)
            housekeeping.cancel()

    asyncio.run(run())
