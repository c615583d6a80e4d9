"""`shiplift secret`, on a real server."""

import os
import pty
import re
from contextlib import suppress
from pathlib import Path

import pytest
from shiplift.v1 import access_pb2

from tests.support.cli import COMMAND, Cli
from tests.support.harness import Shipliftd

TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000")
VALUE = "a value of some length"


@pytest.fixture
def cli(server: Shipliftd, name: str, tmp_path: Path) -> Cli:
    """The site admin's command, in a repository of an owner of its own."""
    server.access().CreateRepository(access_pb2.CreateRepositoryRequest(owner=f"o{name}", repo="app"))
    return Cli(tmp_path, server.address, server.admin_token, f"o{name}/app")


def digest(cli: Cli, name: str) -> str:
    found: str = cli.run("secret", "show", name, "--json=digest").json()["digest"]
    return found


def test_a_secret_is_set_shown_listed_and_deleted(cli: Cli, server: Shipliftd) -> None:
    server.secrets.hide(VALUE)
    owner = cli.repo.partition("/")[0]
    said = cli.run("secret", "set", "token", stdin=VALUE)
    assert said == (0, f"{cli.repo}: token is set, digest {digest(cli, 'token')}\n", "")
    of_all, narrow = ("-R", f"{owner}/*"), ("--environment", "production")
    assert cli.run("secret", "set", "token", *of_all, "--pull-requests", stdin="another").code == 0
    said = cli.run("secret", "set", "token", *narrow, stdin=VALUE)
    assert said.out == f"{cli.repo} in production: token is set, digest {digest(cli, 'token')}\n"
    listed = cli.run("secret", "list")
    rows = [line.split() for line in TIME.sub("TIME", listed.out).splitlines()]
    one = digest(cli, "token")
    other = cli.run("secret", "show", "token", *of_all, "--json=digest").json()["digest"]
    assert rows == [
        ["NAME", "OF", "ENVIRONMENT", "PULL", "REQUESTS", "DIGEST", "BY", "CHANGED"],
        ["token", f"{owner}/*", "yes", other, "admin", "TIME"],
        ["token", cli.repo, one, "admin", "TIME"],
        ["token", cli.repo, "production", one, "admin", "TIME"],
    ]
    shown = cli.run("secret", "show", "token", *narrow)
    assert [line.split() for line in TIME.sub("TIME", shown.out).splitlines()] == [
        ["secret", "token"],
        ["of", cli.repo, "in", "production"],
        ["digest", one],
        ["by", "admin"],
        ["created", "TIME"],
        ["changed", "TIME"],
        ["version", "1"],
    ]
    assert cli.run("secret", "delete", "token", *narrow) == (
        0,
        f"{cli.repo} in production: token is deleted\n",
        "",
    )
    assert cli.run("secret", "list", *of_all, "-o", "name").out == "token\n"
    gone = cli.run("secret", "show", "token", *narrow)
    assert (gone.code, gone.err.partition(":")[2]) == (
        1,
        f" refused (NOT_FOUND): there is no secret 'token' of {cli.repo} in production: `shiplift secret"
        " list` shows those there are\n",
    )
    everything = "".join((said.out, said.err, listed.out, shown.out, gone.err))
    assert VALUE not in everything


@pytest.mark.parametrize(
    ("piped", "same"),
    [(f"{VALUE}\n", True), (f"{VALUE}\r\n", True), (f"{VALUE}\n\n", False), (f" {VALUE}", False)],
)
def test_one_newline_at_the_end_is_dropped_and_nothing_else(cli: Cli, piped: str, same: bool) -> None:
    cli.run("secret", "set", "plain", stdin=VALUE)
    cli.run("secret", "set", "piped", stdin=piped)
    assert (digest(cli, "plain") == digest(cli, "piped")) is same


def test_it_takes_no_value_on_the_command_line_and_no_empty_one(cli: Cli) -> None:
    assert cli.run("secret", "set", "token", VALUE, stdin=VALUE).code == 2
    for nothing in ("", "\n"):
        said = cli.run("secret", "set", "token", stdin=nothing)
        assert (said.code, said.out, said.err) == (2, "", "shiplift: no value: pipe it in\n")
    assert cli.run("secret", "list").err == f"No secrets of {cli.repo}.\n"


def test_on_a_terminal_it_asks_and_shows_nothing_of_what_is_typed(cli: Cli) -> None:
    cli.run("secret", "set", "plain", stdin=VALUE)
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(cli.home)
        words = [*COMMAND, "secret", "set", "typed"]
        os.execvpe(words[0], words, {**cli.environment, "TERM": "dumb"})
    shown = b""
    # The last one to close it ends it with an error.
    with suppress(OSError):
        while part := os.read(terminal, 65536):
            if b"Value of typed: " in shown + part and b"Value of typed: " not in shown:
                os.write(terminal, f"{VALUE}\n".encode())
            shown += part
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0
    assert VALUE.encode() not in shown
    assert digest(cli, "typed") == digest(cli, "plain")
