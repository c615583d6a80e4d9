"""The daemon as an operator meets it: listening, health, limits, logs, housekeeping."""

import asyncio
import json
import re
import signal
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health, health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from shiplift.v1 import access_pb2, builds_pb2
from shipliftd import server as server_module
from shipliftd.api.services.runs import Runs
from shipliftd.stages.known_runners import KnownRunners

from tests.support import postgres
from tests.support.beside import opened
from tests.support.commands import MIGRATIONS, refusal, said
from tests.support.daemons import health_of, promotion, record, reflection_of
from tests.support.harness import Shipliftd
from tests.support.inside import inside
from tests.support.patience import SECONDS
from tests.support.repository import COMMIT

BUILDS, ACCESS = "shiplift.v1.BuildService", "shiplift.v1.AccessService"
SERVING = health_pb2.HealthCheckResponse.SERVING


# Listening.


@pytest.mark.sqlite
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
        "shiplift.v1.SecretService",
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
    with opened(server.database) as store:
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
    with opened(own_server.database) as store:
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
    gone = 'relation "changes" does not exist' if postgres.is_in_use() else "no such table: changes"
    assert gone in defect["trace"]

    assert all({"time", "level", "event"} <= line.keys() for line in own_server.log), own_server.log
    events = [line["event"] for line in own_server.log]
    # The tests' databases in PostgreSQL have their tables.
    migrated = [] if postgres.is_in_use() else ["migrated"] * len(MIGRATIONS)
    assert events[: len(migrated) + 2] == [*migrated, "first start", "listening"]
    assert events[-3:] == ["draining", "strangers refused", "stopped"]
    text = json.dumps(own_server.log)
    for private in (own_server.admin_token, secret, wrong, "hunter2"):
        assert private not in text


# Housekeeping.


def rename_last_used(database: Path, old: str, new: str) -> None:
    with opened(database) as store:
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
        with opened(database) as store:
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
