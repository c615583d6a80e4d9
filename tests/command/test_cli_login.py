"""Logging in, where the server and the token come from, and what a terminal sees."""

import json
import os
import pty
import select
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from shiplift import Client

from tests.support.cli import COMMAND, Cli
from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS
from tests.support.repository import COMMIT


@pytest.fixture
def stranger(tmp_path: Path) -> Cli:
    """A user who has set nothing up."""
    return Cli(tmp_path)


def test_login_keeps_the_token_where_only_the_user_can_read_it(server: Shipliftd, stranger: Cli) -> None:
    said = stranger.run("login", "--server", server.address, stdin=f"{server.admin_token}\n")
    path = stranger.home / "config" / "shiplift" / "login.json"
    assert said == (0, f"Logged in to {server.address} as admin; kept in {path}\n", "")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["login.json"]
    assert json.loads(path.read_text()) == {
        "current": server.address,
        "contexts": {
            server.address: {
                "server": server.address,
                "user": "admin",
                "token": server.admin_token,
                "ca_file": None,
                "cert_file": None,
                "key_file": None,
                "insecure": False,
                "server_name": None,
            }
        },
    }
    assert stranger.run("whoami", "--json").json()["user"]["login"] == "admin"


def test_login_refuses_a_token_that_the_server_does_not_know(server: Shipliftd, stranger: Cli) -> None:
    said = stranger.run("login", "--server", server.address, stdin="shl_wrong\n")
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("shiplift: refused (UNAUTHENTICATED): ")
    assert "shl_wrong" not in said.err
    assert not (stranger.home / "config").exists()
    assert stranger.run("login", "--server", server.address) == (
        2,
        "",
        "shiplift: no token: pipe it in, or say --token-file\n",
    )


def test_each_server_has_its_own_login_and_the_last_one_is_the_default(
    server: Shipliftd, own_server: Shipliftd, stranger: Cli
) -> None:
    for each in (server, own_server):
        file = stranger.home / "token"
        file.write_text(each.admin_token)
        assert stranger.run("login", "--server", each.address, "--token-file", str(file)).code == 0
    kept = json.loads((stranger.home / "config" / "shiplift" / "login.json").read_text())
    assert {name: login["token"] for name, login in kept["contexts"].items()} == {
        server.address: server.admin_token,
        own_server.address: own_server.admin_token,
    }
    assert stranger.run("whoami").out.split()[:2] == ["server", own_server.address]
    other = stranger.run("whoami", "--server", server.address)
    assert other.out.split()[:2] == ["server", server.address]
    # A token goes to the server that it was kept for, and to no other.
    elsewhere = stranger.run("whoami", "--server", server.address.replace("127.0.0.1", "localhost"))
    assert (elsewhere.code, "UNAUTHENTICATED" in elsewhere.err) == (1, True)


def test_a_setting_comes_before_the_login(server: Shipliftd, stranger: Cli, name: str) -> None:
    with Client(server.address, server.admin_token) as client:
        logins = [f"{name}-{number}" for number in range(4)]
        for login in logins:
            client.create_user(login=login)
        tokens = [client.create_token(login=login).secret for login in logins]
    stranger.server = server.address
    files = [stranger.home / login for login in logins]
    for file, token in zip(files, tokens, strict=True):
        file.write_text(f"{token}\n")
    assert stranger.run("login", stdin=tokens[0]).code == 0

    def who(*arguments: str, **variables: str) -> str:
        login: str = stranger.run("whoami", "--json", *arguments, **variables).json()["user"]["login"]
        return login

    file_variable = {"SHIPLIFT_TOKEN_FILE": str(files[1])}
    assert who() == logins[0]
    assert who(**file_variable) == logins[1]
    assert who(**file_variable, SHIPLIFT_TOKEN=tokens[2]) == logins[2]
    assert who("--token-file", str(files[3]), **file_variable, SHIPLIFT_TOKEN=tokens[2]) == logins[3]
    assert who("--token", tokens[0], **file_variable) == logins[0]


def test_a_broken_login_file_is_said_so(stranger: Cli) -> None:
    path = stranger.home / "config" / "shiplift" / "login.json"
    path.parent.mkdir(parents=True)
    for text in ("[]", '{"server": "a", "logins": {"a": {"tokken": "x"}}}'):
        path.write_text(text)
        assert stranger.run("whoami") == (
            2,
            "",
            f"shiplift: {path} is not what `shiplift login` writes: remove it and log in again\n",
        )


def test_login_takes_the_token_of_each_place_that_its_help_names(server: Shipliftd, stranger: Cli) -> None:
    file = stranger.home / "token"
    file.write_text(f"{server.admin_token}\n")
    here = ("login", "--server", server.address)
    told = f"Logged in to {server.address} as admin; kept in "
    for words, variables in (
        (("--token", server.admin_token), {}),
        (("--token-file", str(file)), {"SHIPLIFT_TOKEN": "shl_other"}),
        ((), {"SHIPLIFT_TOKEN": server.admin_token, "SHIPLIFT_TOKEN_FILE": "/no/such/file"}),
        ((), {"SHIPLIFT_TOKEN_FILE": str(file)}),
    ):
        said = stranger.run(*here, *words, **variables)
        assert (said.code, said.out.startswith(told), said.err) == (0, True, ""), (words, said)


def logged_in(cli: Cli, server: Shipliftd, *words: str) -> None:
    """Logs the admin in."""
    assert cli.run("login", "--server", server.address, *words, stdin=f"{server.admin_token}\n").code == 0


def test_contexts_are_listed_and_chosen(server: Shipliftd, own_server: Shipliftd, stranger: Cli) -> None:
    assert stranger.run("context", "list") == (0, "", "No contexts: `shiplift login` makes one.\n")
    logged_in(stranger, server, "--context", "work")
    logged_in(stranger, own_server)

    def rows() -> list[list[str]]:
        return [line.split() for line in stranger.run("context", "list").out.splitlines()[1:]]

    def reached(*words: str, **variables: str) -> str:
        return stranger.run("whoami", *words, **variables).out.split()[1]

    assert rows() == [
        [own_server.address, "*", own_server.address, "admin"],
        ["work", server.address, "admin"],
    ]
    assert reached() == own_server.address
    for chosen in (reached("--context", "work"), reached(SHIPLIFT_CONTEXT="work")):
        assert chosen == server.address
    # What is said in the command line comes before what the environment says.
    assert reached("--server", own_server.address, SHIPLIFT_CONTEXT="work") == own_server.address
    assert reached("--context", "work", SHIPLIFT_SERVER=own_server.address) == server.address
    told = f"Context work is the current one: {server.address}\n"
    assert stranger.run("context", "use", "work") == (0, told, "")
    assert reached() == server.address
    # The same server again renews its context.
    logged_in(stranger, server, "--context", "work")
    assert [row[0] for row in rows()] == [own_server.address, "work"]


def test_a_context_that_there_is_not_is_refused(server: Shipliftd, stranger: Cli) -> None:
    logged_in(stranger, server, "--context", "work")
    told = "shiplift: context 'home' is not known: there is work (shiplift login makes one)\n"
    for words in (
        ("whoami", "--context", "home"),
        ("context", "use", "home"),
        ("logout", "--context", "home"),
    ):
        assert stranger.run(*words) == (2, "", told)
    assert stranger.run("whoami", SHIPLIFT_CONTEXT="home") == (2, "", told)
    assert stranger.run("whoami", "--context", "work", "--server", "a") == (
        2,
        "",
        "shiplift: --context and --server are both given: leave one out\n",
    )


def test_who_logs_out_is_forgotten(server: Shipliftd, stranger: Cli) -> None:
    logged_in(stranger, server, "--context", "work")
    path = stranger.home / "config" / "shiplift" / "login.json"
    assert stranger.run("logout") == (
        0,
        f"Logged out of {server.address}: context work is forgotten\n",
        "Its token works on until it is revoked: shiplift token list, shiplift token revoke ID\n",
    )
    assert json.loads(path.read_text()) == {"current": "", "contexts": {}}
    assert stranger.run("logout") == (
        1,
        "",
        "shiplift: nobody is logged in: `shiplift context list` shows who is\n",
    )


def test_the_file_of_the_release_before_is_read_and_renewed(
    server: Shipliftd, own_server: Shipliftd, stranger: Cli
) -> None:
    path = stranger.home / "config" / "shiplift" / "login.json"
    path.parent.mkdir(parents=True)
    usual = {"ca_file": None, "cert_file": None, "key_file": None, "insecure": False, "server_name": None}
    logins = {each.address: {"token": each.admin_token, **usual} for each in (server, own_server)}
    path.write_text(json.dumps({"server": server.address, "logins": logins}))
    assert stranger.run("whoami").out.split()[1] == server.address
    assert stranger.run("context", "use", own_server.address).code == 0
    assert stranger.run("whoami").out.split()[1] == own_server.address
    assert json.loads(path.read_text())["contexts"].keys() == logins.keys()


class Terminal:
    """A terminal with the command in it; what it shows is read as it comes."""

    def __init__(self, cli: Cli, *arguments: str, **variables: str) -> None:
        self._own, other = pty.openpty()
        # The terminal must be the process's own, or the password prompt would look for another.
        code = (
            "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
            "os.execvp(sys.argv[1], sys.argv[1:])"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *COMMAND, *arguments],
            stdin=other,
            stdout=other,
            stderr=other,
            cwd=cli.home,
            env={**cli.environment, "TERM": "xterm", **variables},
            start_new_session=True,
        )
        os.close(other)
        self.shown = ""

    def until(self, text: str) -> None:
        """Reads until the text was shown."""
        end = time.monotonic() + SECONDS
        while text not in self.shown:
            assert time.monotonic() < end, self.shown
            self.shown += os.read(self._own, 4096).decode()

    def type(self, text: str) -> None:
        """Types a line."""
        os.write(self._own, f"{text}\n".encode())

    def interrupt(self) -> None:
        """Types Ctrl-C, and once more where nothing comes of it: as people do.

        Of a signal between the prompt and the read behind it Python knows, but goes on to wait.
        """
        for _ in range(int(SECONDS) // 2):
            os.write(self._own, b"\x03")
            if select.select([self._own], [], [], 2)[0]:
                return

    def end(self) -> tuple[int, str]:
        """Reads the rest; returns the exit code and all that was shown."""
        try:
            while data := os.read(self._own, 4096):
                self.shown += data.decode()
        except OSError:
            # How Linux says that nobody has the other side open.
            pass
        os.close(self._own)
        return self.process.wait(timeout=SECONDS), self.shown.replace("\r\n", "\n")


def test_login_asks_on_a_terminal_and_does_not_show_the_token(server: Shipliftd, stranger: Cli) -> None:
    terminal = Terminal(stranger, "login")
    terminal.until("Server [127.0.0.1:50051]: ")
    terminal.type(server.address)
    terminal.until(f"Token for {server.address}: ")
    terminal.type(server.admin_token)
    code, shown = terminal.end()
    assert (code, server.admin_token in shown) == (0, False)
    assert shown.endswith(f"kept in {stranger.home}/config/shiplift/login.json\n")


def test_ctrl_c_at_a_prompt_ends_quietly(stranger: Cli) -> None:
    terminal = Terminal(stranger, "login", "--server", "localhost")
    terminal.until("Token for localhost: ")
    terminal.interrupt()
    assert terminal.end() == (130, "Token for localhost: \n")


def test_colour_is_for_terminals_that_want_it(server: Shipliftd, repo: str, stranger: Cli) -> None:
    owner, name = repo.split("/")
    with Client(server.address, server.admin_token) as client:
        client.create_build(owner=owner, repo=name, after=COMMIT, status="failure")
    there = Cli(stranger.home, server.address, server.admin_token, repo)
    coloured = Terminal(there, "builds").end()
    assert (coloured[0], "\x1b[31mfailure" in coloured[1]) == (0, True)
    plain = Terminal(there, "builds", NO_COLOR="1").end()
    assert (plain[0], "failure" in plain[1], "\x1b[31m" in plain[1]) == (0, True, False)
    assert "\x1b" not in there.run("builds").out
