"""What shells offer for the word that is being typed."""

import os
import subprocess
from pathlib import Path

import pytest
from shiplift.cli import completing
from shipliftd import environments

from tests.support.cli import Cli
from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS, within
from tests.support.repository import Repository
from tests.support.shells import BIN, Typist
from tests.support.staged import SUCCESS
from tests.support.toolchains import need


@pytest.fixture
def cli(repository: Repository, tmp_path: Path) -> Cli:
    """The site admin's command, in a repository with a promotion."""
    repository.record(release="v1.4.2")
    repository.promote(1, "production")
    repository.promote(1, "staging")
    server = repository.server
    return Cli(tmp_path, server.address, server.admin_token, repository.slug)


def offered(cli: Cli, line: str, **variables: str) -> list[str]:
    """What bash is offered for the last word of a line."""
    asked = {
        "_SHIPLIFT_COMPLETE": "complete_bash",
        "_SHIPLIFT_LINE": line,
        "_SHIPLIFT_REPLACED": line.split(" ")[-1],
    }
    said = cli.run(**asked, **variables)
    assert (said.code, said.err) == (0, "")
    return said.out.split()


def test_builds_environments_and_repositories_are_offered(cli: Cli, repository: Repository) -> None:
    assert offered(cli, "shiplift promote ") == ["3", "2", "1"]
    assert offered(cli, "shiplift show 2") == ["2"]
    assert offered(cli, "shiplift promote 1 ") == ["production", "staging"]
    assert offered(cli, "shiplift envs s") == ["staging"]
    assert offered(cli, "shiplift builds --environment p") == ["production"]
    assert offered(cli, f"shiplift builds -R {repository.slug}") == [repository.slug]
    # Of the repository that stands on the line.
    assert offered(cli, "shiplift show -R no/such ") == []
    assert "promote" in offered(cli, "shiplift p")


def test_what_waits_for_people_and_what_is_declared_are_offered(cli: Cli, repository: Repository) -> None:
    for name, words in {"qa": (), "shop": ("--required-approvals", "1"), "production": ()}.items():
        assert cli.run("env", "set", name, *words).code == 0
    repository.report(1, SUCCESS)
    blocked = repository.promote(1, "shop").number
    for command in ("approve", "decline"):
        assert offered(cli, f"shiplift {command} ") == [str(blocked)]
    for line in ("explain 1 ", "hold ", "env show ", "rollback ", "env set x --requires "):
        assert offered(cli, f"shiplift {line}") == ["production", "qa", "shop", "staging"]
    assert offered(cli, "shiplift rollback shop ") == [str(n) for n in range(blocked, 0, -1)]
    assert offered(cli, "shiplift hold -R oct") == offered(cli, "shiplift envs -R oct") != []


def test_gates_that_can_be_overridden_are_offered(cli: Cli) -> None:
    for command in ("promote", "retry", "explain"):
        line = f"shiplift {command} --override "
        assert offered(cli, line) == ["success=", "predecessor=", "hold=", "freeze="]
        assert offered(cli, f"{line}ho") == ["hold="]
    assert completing.OVERRIDABLE == environments.OVERRIDABLE


def test_contexts_are_offered(cli: Cli, server: Shipliftd) -> None:
    assert cli.run("login", "--context", "work", stdin=f"{server.admin_token}\n").code == 0
    assert offered(cli, "shiplift context use ") == ["work"]
    assert offered(cli, "shiplift builds --context w") == ["work"]
    # Some shells evaluate what they are offered.
    hostile = "w$(touch x)"
    assert cli.run("login", "--context", hostile, stdin=f"{server.admin_token}\n").code == 0
    assert offered(cli, "shiplift context use w") == ["work"]


@pytest.mark.parametrize("address", ["127.0.0.1:1", "no-such-host.invalid", "a b"])
def test_what_fails_offers_nothing_and_says_nothing(cli: Cli, address: str) -> None:
    with within(4):
        assert offered(cli, "shiplift show ", SHIPLIFT_SERVER=address) == []
    assert offered(cli, "shiplift show ", SHIPLIFT_TOKEN="shl_wrong") == []


def login(cli: Cli, server: Shipliftd, context: str) -> None:
    said = cli.run("login", "--context", context, stdin=f"{server.admin_token}\n")
    assert said.code == 0, said


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_line_goes_on_at_a_press_of_tab(cli: Cli, server: Shipliftd, name: str, shell: str) -> None:
    need(shell)
    login(cli, server, "127.0.0.1:50051")
    login(cli, server, "me@host/b")
    (cli.home / "secret.txt").touch()
    slug = Repository.make(server, f"of-{name}", "hello").slug
    typed = slug[:-1]
    with Typist(shell, cli) as typist:
        for line, whole in {
            "shiplift tok": "shiplift token ",
            "shiplift token r": "shiplift token revoke ",
            "cd x; shiplift promote 1 prod": "cd x; shiplift promote 1 production ",
            'shiplift envs "stag': 'shiplift envs "staging" ',
            f"shiplift envs -R {typed}": f"shiplift envs -R {slug} ",
            f"shiplift envs --repository={typed}": f"shiplift envs --repository={slug} ",
            "shiplift --output=j": "shiplift --output=json ",
            # Readline parts words at `:`, `@` and `=`.
            "shiplift context use 127.0.0.1:5": "shiplift context use 127.0.0.1:50051 ",
            "shiplift context use me@h": "shiplift context use me@host/b ",
            "shiplift builds --context=127.0.0.1:": "shiplift builds --context=127.0.0.1:50051 ",
            "shiplift builds --context 'me@": "shiplift builds --context 'me@host/b' ",
            f"shiplift --server {cli.server} envs prod": f"shiplift --server {cli.server} envs production ",
            "shiplift promote --param A=é:b 1 prod": "shiplift promote --param A=é:b 1 production ",
            # Where nothing is offered, files are.
            "shiplift --token-file sec": "shiplift --token-file secret.txt ",
            "shiplift --token-file=sec": "shiplift --token-file=secret.txt ",
        }.items():
            assert typist.tab(line) == whole


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_all_that_goes_on_is_offered(cli: Cli, shell: str) -> None:
    need(shell)
    with Typist(shell, cli) as typist:
        for line, offered in {
            "shiplift token ": "create list revoke show ",
            "shiplift promote ": "1 2 3 ",
            "shiplift promote 1 ": "production staging ",
            "shiplift completion ": "bash fish zsh ",
        }.items():
            assert typist.everything(line) == line + offered
        whole = "shiplift promote --repository --request-id "
        assert typist.everything("shiplift promote --re") == whole


def test_zsh_shows_help_as_it_is_written(cli: Cli) -> None:
    said = cli.run(_SHIPLIFT_COMPLETE="complete_zsh", _TYPER_COMPLETE_ARGS="shiplift --serv")
    assert (said.code, said.err) == (0, "")
    need("zsh")
    done = subprocess.run(
        ["zsh", "-f", "-c", '_arguments() { print -r -- "$1" }; eval $(cat)'],
        input=said.out,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    told = (
        "The server, or its replicas with commas between."
        r" [SHIPLIFT_SERVER, else the context's, else 127.0.0.1\\:50051]"
    )
    name = "The name in the server's certificate, if not the address. [SHIPLIFT_SERVER_NAME]"
    assert (done.stdout, done.stderr) == (f'*: :(("--server":"{told}" "--server-name":"{name}"))\n', "")


def test_fish_completes(cli: Cli, server: Shipliftd, name: str) -> None:
    need("fish")
    login(cli, server, "127.0.0.1:50051")
    slug = Repository.make(server, f"of-{name}", "hello").slug
    lines = {
        "shiplift tok": ["token\tCreates, lists, shows and revokes tokens."],
        "shiplift token r": ["revoke\tRevokes a token: it stops working at once."],
        "shiplift promote ": ["1", "2", "3"],
        "shiplift promote 1 ": ["production", "staging"],
        f"shiplift envs -R {slug[:-1]}": [slug],
        f"shiplift envs --repository={slug[:-1]}": [f"--repository={slug}"],
        "shiplift context use 127.0.0.1:5": ["127.0.0.1:50051"],
        "shiplift builds --context=127.": ["--context=127.0.0.1:50051"],
        f"shiplift --server {cli.server} promote 1 prod": ["production"],
        # Help that is longer than a line of the terminal is one line.
        "shiplift promote --re": [
            "--repository\tThe repository. [SHIPLIFT_REPO, else the git remote origin]",
            "--request-id\tRepeats a call that got no answer; a fresh one when left out.",
        ],
    }
    done = subprocess.run(
        [
            "fish",
            "-c",
            "shiplift completion fish | source; for l in $argv; complete -C $l; echo; end",
            *lines,
        ],
        env={**cli.environment, "PATH": f"{BIN}:{os.environ['PATH']}", "COLUMNS": "40"},
        cwd=cli.home,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert (done.returncode, done.stderr) == (0, "")
    said = [part.splitlines() for part in done.stdout.removesuffix("\n\n").split("\n\n")]
    assert dict(zip(lines, said, strict=True)) == lines


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(cli: Cli, shell: str) -> None:
    said = cli.run("completion", shell)
    assert (said.code, said.err) == (0, "")
    assert f"_SHIPLIFT_COMPLETE=complete_{shell}" in said.out


def test_another_shell_is_refused(cli: Cli) -> None:
    said = cli.run("completion", "tcsh")
    assert (said.code, said.out) == (2, "")
