"""What a new user slips on: a mistyped environment, a wrong address, a release recorded twice."""

import re
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb

from tests.support.cli import COMMAND, Cli
from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS, within
from tests.support.repository import COMMIT, Repository
from tests.support.terminal import answered

OTHER = "e3320539a4c03ccfda992641646deb67d8bf98f3"


@pytest.fixture
def cli(repository: Repository, tmp_path: Path) -> Cli:
    """The site admin's command, in the repository of the test's own."""
    server = repository.server
    return Cli(tmp_path, server.address, server.admin_token, repository.slug)


@pytest.fixture
def promoted(repository: Repository) -> Repository:
    """A build that went to production."""
    repository.record()
    repository.promote(1, "production")
    return repository


def targets(repository: Repository) -> list[str]:
    """Where builds went, newest first."""
    return [build.deploy_to for build in repository.page().builds if build.deploy_to]


def test_a_mistyped_environment_is_warned_of(cli: Cli, promoted: Repository) -> None:
    told = "prodution is new here; did you mean production?"
    said = cli.run("promote", "1", "prodution")
    assert said.code == 0
    assert said.err.splitlines()[0] == f"warning: {told} If not, say --new-environment."
    assert targets(promoted) == ["prodution", "production"]
    # It is known from now on, and so is what is near nothing.
    for words in (["prodution"], ["staging"], ["stagin", "--new-environment"]):
        assert "warning" not in cli.run("promote", "1", *words).err


def test_a_mistyped_environment_is_asked_for_on_a_terminal(cli: Cli, promoted: Repository) -> None:
    asked = "prodution is new here; did you mean production? Promote to prodution all the same [y/N]: "
    question = "".join(asked.split())
    code, shown = answered(cli, "n\n", "promote", "1", "prodution")
    assert (code, question in shown) == (1, True)
    assert "shiplift:nothingwaspromotedtoprodution" in shown
    assert targets(promoted) == ["production"]
    code, shown = answered(cli, "y\n", "promote", "1", "prodution")
    assert (code, question in shown) == (0, True)
    assert targets(promoted) == ["prodution", "production"]


def test_a_token_that_may_not_read_is_not_asked(cli: Cli, promoted: Repository) -> None:
    cli.token = promoted.server.user(
        f"promoter-{promoted.name}",
        promoted.slug,
        access_pb2.ACCESS_LEVEL_WRITE,
        actions=[access_pb2.TOKEN_ACTION_PROMOTE],
    )
    said = cli.run("promote", "1", "prodution")
    assert (said.code, "warning" in said.err) == (0, False)


def test_a_release_of_one_commit_is_recorded_once(cli: Cli, repository: Repository) -> None:
    words = ("record", "--release", "v1", "--commit", COMMIT)
    first, second = cli.run(*words), cli.run(*words)
    slug = repository.slug
    assert first.out == f"{slug}: build 1 recorded: success, release v1, commit {COMMIT[:12]}\n"
    assert second.out == f"{slug}: build 1 was recorded before: success, release v1, commit {COMMIT[:12]}\n"
    assert cli.run(*words, "-o", "name").out == "1\n"
    assert repository.numbers() == [1]
    # A run of a CI system is another build, and so is what has a name of its own.
    assert cli.run(*words, "--external-id", "mine/2", "-o", "name").out == "2\n"
    other = cli.run("record", "--release", "v1", "--commit", OTHER)
    assert (other.code, other.err) == (
        0,
        f"warning: release v1 is also build 2, of commit {COMMIT[:12]}\n",
    )
    assert repository.numbers() == [3, 2, 1]


def test_what_has_ended_is_not_stopped(cli: Cli, promoted: Repository) -> None:
    assert cli.run("cancel", "2").out == f"{promoted.slug}: build 2 is killed\n"
    told = f"shiplift: build 2 of {promoted.slug} has ended in killed: there is nothing to stop\n"
    assert cli.run("cancel", "2") == (1, "", told)
    assert promoted.get(2).status == pb.BUILD_STATUS_KILLED


@pytest.mark.parametrize("words", [("record", "--commit", COMMIT), ("promote", "1", "production")])
def test_a_repository_that_is_not_registered_is_said_how_to(cli: Cli, words: tuple[str, ...]) -> None:
    said = cli.run(*words, "-R", "no/such")
    assert (said.code, said.out) == (1, "")
    assert said.err.splitlines()[-1] == "If it is new here: shiplift repo add no/such"


def test_who_has_no_token_is_told_in_the_commands_words(cli: Cli) -> None:
    cli.token = ""
    said = cli.run("builds")
    assert said == (
        1,
        "",
        "shiplift: refused (UNAUTHENTICATED): ListBuilds needs a token, and none was given\n"
        "Run `shiplift login`, or set SHIPLIFT_TOKEN or SHIPLIFT_TOKEN_FILE.\n",
    )


@pytest.fixture
def silent() -> Iterator[str]:
    """Where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


def test_the_gateways_address_is_no_server(cli: Cli, server: Shipliftd) -> None:
    with within(3):
        said = cli.run("builds", "--server", server.http)
    told = f"{server.http} speaks HTTP/1.1, and no gRPC: it may be the server's JSON gateway, "
    assert (said.code, said.out) == (3, "")
    assert said.err.startswith(f"shiplift: no answer from {server.http}: {told}")


def test_where_nobody_listens_is_said_so(cli: Cli, silent: str) -> None:
    said = cli.run("builds", "--server", silent)
    told = f"nothing listens on {silent}: is the server running, and is this its address?"
    assert said == (3, "", f"shiplift: no answer from {silent}: {told}\n")


@contextmanager
def not_serving() -> Iterator[str]:
    """The address of a server that says of its health that it does not serve."""
    server = grpc.server(ThreadPoolExecutor(4))
    told = health.HealthServicer()
    told.set("shiplift.v1.BuildService", health_pb2.HealthCheckResponse.NOT_SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(told, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait()


def test_of_several_it_is_said_which_does_not_serve(cli: Cli, silent: str) -> None:
    with not_serving() as one, not_serving() as other:
        for servers, away in ((f"{silent},{one}", silent), (f"{one},{other}", "")):
            said = cli.run("builds", "--server", servers)
            there = servers.removeprefix(f"{silent},")
            told = f"{there} is there and does not serve: does it start or stop, or is its store away?"
            told += f" And nothing listens on {away}" if away else ""
            assert said == (3, "", f"shiplift: no answer from {servers}: {told}\n")


@pytest.mark.parametrize(
    "words",
    [
        *(("promote", "99", "x"), ("show", "abc"), ("builds", "--status", "odd"), ("envs", "-R", "a")),
        *(("token", "revoke", "99999999"), ("repo", "show", "no/such"), ("record", "--commit", "xyz")),
    ],
    ids=" ".join,
)
def test_no_word_of_grpc_is_said(cli: Cli, words: tuple[str, ...]) -> None:
    done = subprocess.run(
        [*COMMAND, *words],
        cwd=cli.home,
        env=cli.environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode in (1, 2)
    assert not re.search(r"metadata|ListBuilds|ListTokens|rpc|Traceback", done.stderr), done.stderr
