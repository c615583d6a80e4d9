"""The client library against a real server: one behaviour in both clients."""

import asyncio
import inspect
import itertools
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
import shiplift
from shiplift import (
    AsyncClient,
    Client,
    Denied,
    NotFound,
    Refused,
    SeveralBuilds,
    ShipliftError,
    Violation,
    was_replayed,
)
from shiplift.settings import TokenFile
from shiplift.v1 import access_pb2, builds_pb2, environments_pb2, stages_pb2

from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS

AFTER = "9fc1ad6ebf12462f3f9773003e26b4c6f54a772e"


@pytest.fixture
def client(server: Shipliftd) -> Iterator[Client]:
    """A client with the site admin's token."""
    with Client(server.address, server.admin_token) as made:
        yield made


def run_async(server: Shipliftd, use: Callable[[AsyncClient], Awaitable[None]]) -> None:
    """Uses an AsyncClient with the site admin's token."""

    async def run() -> None:
        async with AsyncClient(server.address, server.admin_token) as made:
            await use(made)

    asyncio.run(asyncio.wait_for(run(), 60))


def test_every_rpc_is_a_method_of_both_clients_with_the_same_arguments() -> None:
    rpcs = [
        method.name
        for file in (access_pb2, builds_pb2, environments_pb2, stages_pb2)
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    ]
    names = ["".join(f"_{c.lower()}" if c.isupper() else c for c in rpc).lstrip("_") for rpc in rpcs]
    assert [name for name in names if not callable(getattr(Client, name, None))] == []
    iterations = [name for name in dir(Client) if name.startswith("iterate_")]
    listed = (
        "access audit_events builds deployment_history deployments environments repositories runners"
        " secrets tokens users"
    )
    assert iterations == [f"iterate_{name}" for name in listed.split()]
    for name in (*names, *iterations):
        ours = inspect.signature(getattr(Client, name)).parameters
        assert ours == inspect.signature(getattr(AsyncClient, name)).parameters, name
        assert all(each.kind is each.KEYWORD_ONLY for each in list(ours.values())[1:]), name


def test_records_and_promotes_a_build(client: Client, repo: str) -> None:
    owner, name = repo.split("/")
    recorded = client.create_build(
        owner=owner,
        repo=name,
        event="tag",
        status=builds_pb2.BUILD_STATUS_SUCCESS,
        after=AFTER,
        release="v1.4.2",
        timestamp=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        artifacts=[builds_pb2.Artifact(name="image", uri="registry/app:1.4.2")],
        stages=[builds_pb2.StageSpec(name="deploy", kind="external")],
        params={"REGION": "eu"},
    )
    assert (recorded.number, recorded.event, recorded.status) == (1, builds_pb2.BUILD_EVENT_TAG, 7)
    assert recorded.timestamp.ToDatetime() == datetime(2026, 1, 2, 3, 4, 5)
    promoted = client.promote_build(
        owner=owner, repo=name, build=1, target="production", params={"TIER": "web"}, expected_current=0
    )
    assert (promoted.number, promoted.parent, promoted.deploy_to) == (2, 1, "production")
    assert dict(promoted.params) == {"REGION": "eu", "TIER": "web"}
    assert [stage.name for stage in promoted.stages] == ["deploy"]
    assert client.get_build(owner=owner, repo=name, build=2) == promoted
    done = client.update_build(owner=owner, repo=name, build=2, status="success", version=1)
    assert (done.status, done.version) == (builds_pb2.BUILD_STATUS_SUCCESS, 2)


def test_records_and_promotes_a_build_asynchronously(server: Shipliftd, repo: str) -> None:
    owner, name = repo.split("/")

    async def use(client: AsyncClient) -> None:
        await client.create_build(owner=owner, repo=name, after=AFTER, params={"REGION": "eu"})
        promoted = await client.promote_build(owner=owner, repo=name, build=1, target="production")
        assert (promoted.number, promoted.parent, promoted.after) == (2, 1, AFTER)
        assert await client.get_build(owner=owner, repo=name, build=2) == promoted

    run_async(server, use)


def test_administers_access(client: Client, server: Shipliftd, repo: str, name: str) -> None:
    owner, repo_name = repo.split("/")
    assert client.create_user(login=name, machine=True).machine
    token = client.create_token(login=name, actions=["read", access_pb2.TOKEN_ACTION_PROMOTE])
    assert list(token.actions) == [access_pb2.TOKEN_ACTION_READ, access_pb2.TOKEN_ACTION_PROMOTE]
    granted = client.grant_access(owner=owner, repo=repo_name, login=name, level="read")
    assert [(each.login, each.level) for each in client.iterate_access(owner=owner, repo=repo_name)] == [
        (name, access_pb2.ACCESS_LEVEL_READ)
    ]
    assert granted.level == access_pb2.ACCESS_LEVEL_READ
    with Client(server.address, token.secret) as theirs:
        assert theirs.who_am_i().user.login == name
        may = theirs.get_repository(owner=owner, repo=repo_name).permissions
        assert (may.read, may.write, may.admin) == (True, False, False)
        with pytest.raises(ShipliftError) as refused:
            theirs.promote_build(owner=owner, repo=repo_name, build=1, target="production")
        assert refused.value.code is grpc.StatusCode.PERMISSION_DENIED
        assert client.revoke_token(id=token.id).HasField("revoked")
        with pytest.raises(ShipliftError) as refused:
            theirs.who_am_i()
        assert refused.value.code is grpc.StatusCode.UNAUTHENTICATED


def test_the_repository_s_own_timeout_is_not_the_call_s(client: Client, name: str) -> None:
    made = client.create_repository(
        owner="octocat", repo=name, timeout=timedelta(minutes=90), call_timeout=20
    )
    assert made.timeout.ToTimedelta() == timedelta(minutes=90)


def test_a_refusal_names_every_violation(client: Client, repo: str) -> None:
    owner, name = repo.split("/")
    with pytest.raises(ShipliftError) as refused:
        client.promote_build(owner=owner, repo=name, build=0, target="a b", request_id=repo)
    error = refused.value
    assert (error.code, error.reason, error.request_id) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_ARGUMENT",
        repo,
    )
    assert [violation.field for violation in error.violations] == ["build", "target"]
    assert error.message == "; ".join(f"{field}: {text}" for field, text in error.violations)
    assert str(error) == f"INVALID_ARGUMENT: {error.message}"
    assert (error.metadata, error.retry_after) == ({"field": "build"}, None)
    assert type(error) is ShipliftError


def test_a_refusal_is_the_same_asynchronously(server: Shipliftd, repo: str) -> None:
    owner, name = repo.split("/")

    async def use(client: AsyncClient) -> None:
        with pytest.raises(ShipliftError) as refused:
            await client.get_build(owner=owner, repo=name, build=7)
        assert (refused.value.code, refused.value.reason, refused.value.request_id) == (
            grpc.StatusCode.NOT_FOUND,
            "BUILD_NOT_FOUND",
            "",
        )
        assert refused.value.metadata == {"owner": owner, "repo": name, "build": "7"}
        with pytest.raises(ShipliftError) as refused:
            await client.get_build(owner=owner, repo=name, build=-1)
        assert refused.value.violations == (Violation("build", "is -1: wanted 1 or above"),)

    run_async(server, use)


def test_what_went_wrong_has_a_class_of_its_own(client: Client, server: Shipliftd, repo: str) -> None:
    owner, name = repo.split("/")
    where: dict[str, Any] = {"owner": owner, "repo": name}
    with pytest.raises(NotFound) as missing:
        client.get_build(**where, build=7)
    client.create_build(**where)
    with pytest.raises(Refused) as refused:
        client.promote_build(**where, build=1, target="qa")
    with pytest.raises(Refused) as taken:
        client.create_repository(**where)
    with pytest.raises(Denied) as unknown, Client(server.address, "shl_wrong") as stranger:
        stranger.who_am_i()
    reading = client.create_token(actions=["read"]).secret
    with pytest.raises(Denied) as denied, Client(server.address, reading) as reader:
        reader.create_build(**where)
    found = [each.value.code.name for each in (missing, refused, taken, unknown, denied)]
    assert found == [
        *("NOT_FOUND", "FAILED_PRECONDITION", "ALREADY_EXISTS"),
        *("UNAUTHENTICATED", "PERMISSION_DENIED"),
    ]


def test_the_library_lists_what_there_is() -> None:
    assert set(shiplift.__all__) <= set(dir(shiplift))
    code = "import shiplift; print(*dir(shiplift))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=SECONDS
    )
    assert set(shiplift.__all__) <= set(done.stdout.split())
    assert [name for name in shiplift.__all__ if not hasattr(shiplift, name)] == []


def test_words_stand_for_enums_at_every_depth(client: Client, repo: str) -> None:
    owner, name = repo.split("/")
    made = client.create_build(
        owner=owner,
        repo=name,
        after=AFTER,
        status="running",
        artifacts=[{"name": "image", "digest": "sha256:1"}],
        stages=[{"name": "deploy", "kind": "external", "labels": {"zone": "a"}}],
    )
    assert shiplift.word(made, "status") == shiplift.word(made.stages[0], "status") == "running"
    assert list(made.artifacts) == [builds_pb2.Artifact(name="image", digest="sha256:1")]
    assert dict(made.stages[0].labels) == {"zone": "a"}
    changed = client.update_repository(
        owner=owner,
        repo=name,
        update_mask=["visibility", "timeout"],
        repository={"visibility": "public", "timeout": timedelta(minutes=2)},
    )
    assert (shiplift.word(changed, "visibility"), changed.timeout.ToSeconds()) == ("public", 120)
    with pytest.raises(ValueError, match="Build has no single enum 'number'"):
        shiplift.word(made, "number")
    assert shiplift.word(builds_pb2.Build(), "status") == ""
    newer = builds_pb2.Build.FromString(b"\x40\x63")
    assert shiplift.word(newer, "status") == "99"


@pytest.mark.parametrize(
    ("fields", "kind", "told"),
    [
        (
            {"params": {"REPLICAS": 3}},
            TypeError,
            "params['REPLICAS'] is of the type int: wanted a text, in quotes",
        ),
        ({"params": {1: "x"}}, TypeError, "params has a key of the type int: wanted a text"),
        ({"status": "sucess"}, ValueError, "status: 'sucess' is none: wanted one of skipped, blocked, "),
        (
            {"stages": [{"name": "a"}, {"nam": "b"}]},
            ValueError,
            "stages[1] has no 'nam': StageSpec has name, ",
        ),
        (
            {"stages": [{"labels": {"zone": 1}}]},
            TypeError,
            "stages[0].labels['zone'] is of the type int: wanted a text, in quotes",
        ),
        ({"stages": ["deploy"]}, TypeError, "stages[0] is of the type str: wanted StageSpec or a mapping"),
    ],
)
def test_what_is_of_the_wrong_type_is_named(
    client: Client, fields: dict[str, Any], kind: type[Exception], told: str
) -> None:
    with pytest.raises(kind, match=f"^{re.escape(told)}"):
        client.create_build(owner="octocat", repo="hello", **fields)


def test_a_build_is_found_by_what_it_is_called(client: Client, server: Shipliftd, repo: str) -> None:
    owner, name = repo.split("/")
    where: dict[str, Any] = {"owner": owner, "repo": name}
    first = client.create_build(
        **where, after=AFTER, release="v1.4.2", external_id="ci#1", params={"A": "1"}
    )
    client.create_build(**where, after="1234567" + "a" * 33, external_id="ci#2")
    client.promote_build(**where, build=1, target="qa")
    for called in ("1", "v1.4.2", "ci#1", AFTER[:7].upper()):
        assert client.find_build(**where, name=called) == first
    assert client.find_build(**where, name="1234567").number == 2
    again = client.create_build(**where, after=AFTER, release="v1.4.3")
    with pytest.raises(SeveralBuilds) as several:
        client.find_build(**where, name=AFTER)
    assert several.value.message == f"{AFTER!r} names several builds of {repo}; say the number"
    assert [build.number for build in several.value.builds] == [again.number, 1]
    with pytest.raises(NotFound, match="has no build 'v9': no number, release, external id or commit"):
        client.find_build(**where, name="v9")
    with pytest.raises(NotFound, match="build 77 of"):
        client.find_build(**where, name="77")
    with pytest.raises(ValueError, match="which build"):
        client.find_build(**where, name="")

    async def use(client: AsyncClient) -> None:
        assert await client.find_build(**where, name="v1.4.2") == first
        with pytest.raises(SeveralBuilds):
            await client.find_build(**where, name=AFTER)

    run_async(server, use)


def test_a_write_has_a_request_id_and_its_repeat_makes_nothing(client: Client, repo: str) -> None:
    owner, name = repo.split("/")
    client.create_build(owner=owner, repo=name, after=AFTER)
    assert not was_replayed()
    first = client.promote_build(owner=owner, repo=name, build=1, target="qa", request_id="once")
    assert not was_replayed()
    again = client.promote_build(owner=owner, repo=name, build=1, target="qa", request_id="once")
    assert was_replayed()
    assert again == first
    other = client.promote_build(owner=owner, repo=name, build=1, target="qa")
    assert not was_replayed()
    assert other.number == first.number + 1


def test_a_repeat_is_known_asynchronously(server: Shipliftd, repo: str) -> None:
    owner, name = repo.split("/")

    async def use(client: AsyncClient) -> None:
        for replayed in (False, True):
            await client.create_build(owner=owner, repo=name, after=AFTER, external_id="ci#1")
            assert was_replayed() is replayed

    run_async(server, use)


def test_iterates_over_all_pages_one_at_a_time(client: Client, server: Shipliftd, repo: str) -> None:
    owner, name = repo.split("/")
    for _ in range(5):
        client.create_build(owner=owner, repo=name, after=AFTER)
    page = client.list_builds(owner=owner, repo=name, page_size=2)
    assert [build.number for build in page.builds] == [5, 4]
    found = client.iterate_builds(owner=owner, repo=name, page_size=2)
    assert [build.number for build in found] == [5, 4, 3, 2, 1]
    # What comes while somebody looks is not on the pages that they have yet to see.
    looking = client.iterate_builds(owner=owner, repo=name, page_size=2)
    first = list(itertools.islice(looking, 3))
    client.create_build(owner=owner, repo=name, after=AFTER)
    assert [build.number for build in (*first, *looking)] == [5, 4, 3, 2, 1]

    async def use(client: AsyncClient) -> None:
        found = client.iterate_builds(owner=owner, repo=name, events=["push"], page_size=4)
        assert [build.number async for build in found] == [6, 5, 4, 3, 2, 1]

    run_async(server, use)


def test_an_anonymous_caller_reads_what_is_public(client: Client, server: Shipliftd, name: str) -> None:
    client.create_repository(owner="octocat", repo=name, visibility="public")
    for token in (None, "", lambda: ""):
        with Client(server.address, token) as anonymous:
            assert anonymous.get_repository(owner="octocat", repo=name).name == name
            with pytest.raises(ShipliftError) as refused:
                anonymous.who_am_i()
            assert refused.value.code is grpc.StatusCode.UNAUTHENTICATED


def test_a_token_file_is_read_again(client: Client, server: Shipliftd, name: str, tmp_path: Path) -> None:
    client.create_user(login=name)
    file = tmp_path / "token"
    file.write_text(f"{server.admin_token}\n")
    with Client(server.address, TokenFile(str(file))) as renewed:
        assert renewed.who_am_i().user.login == "admin"
        file.write_text(client.create_token(login=name).secret)
        assert renewed.who_am_i().user.login == name
        file.write_text("\n")
        with pytest.raises(ValueError, match="is empty"):
            renewed.who_am_i()


def test_a_token_with_a_line_break_is_refused_without_showing_it(server: Shipliftd) -> None:
    with (
        Client(server.address, "shl_abc\ndef") as broken,
        pytest.raises(ValueError, match="characters") as no,
    ):
        broken.who_am_i()
    assert "abc" not in str(no.value)


def test_a_time_without_a_zone_is_refused(client: Client) -> None:
    with pytest.raises(ValueError, match="expires: 2026-01-02T00:00:00 has no time zone"):
        client.create_token(expires=datetime(2026, 1, 2))


def test_reaches_a_server_at_a_unix_socket(tmp_path: Path) -> None:
    listen = f"unix:{tmp_path}/s"
    with Shipliftd(tmp_path / "db", listen=listen) as server, Client(listen, server.admin_token) as client:
        assert client.who_am_i().user.login == "admin"


def test_the_settings_of_the_command_make_a_client(
    server: Shipliftd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "token"
    token.write_text(server.admin_token)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("SHIPLIFT_TOKEN", raising=False)
    monkeypatch.setenv("SHIPLIFT_SERVER", server.address)
    monkeypatch.setenv("SHIPLIFT_TOKEN_FILE", str(token))
    with Client.from_env(timeout=20) as client:
        assert client.who_am_i().user.login == "admin"


def test_the_library_loads_neither_the_command_s_libraries_nor_the_server() -> None:
    code = (
        "import shiplift.v1, sys; print('grpc' in sys.modules);"
        "import shiplift; shiplift.Client; print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=SECONDS
    )
    grpc_before, loaded = done.stdout.splitlines()
    heavy = {"typer", "rich", "platformdirs", "shipliftd", "peewee"}
    assert grpc_before == "False"
    assert heavy & {module.partition(".")[0] for module in loaded.split()} == set()
    assert shiplift.__all__ == sorted(shiplift.__all__)
