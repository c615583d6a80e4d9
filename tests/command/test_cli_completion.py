"""What shells offer for the word that is being typed."""

import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli import Cli
from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS, within
from tests.support.repository import Repository
from tests.support.toolchains import need

BIN = Path(sys.executable).parent


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
    words = line.split(" ")
    asked = {
        "_SHIPLIFT_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": str(len(words) - 1),
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


def completed(shell: str, script: str, cli: Cli) -> str:
    """What a shell prints for a script with the completion in it."""
    need(shell)
    done = subprocess.run(
        [shell, "-c", script],
        env={**cli.environment, "PATH": f"{BIN}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_bash_completes(cli: Cli) -> None:
    script = """
        source <(shiplift completion bash)
        COMP_WORDS=(shiplift promote 1 prod) COMP_CWORD=3
        _shiplift_completion shiplift
        echo "${COMPREPLY[@]}"
    """
    assert completed("bash", script, cli) == "production\n"


def test_fish_completes(cli: Cli) -> None:
    def offered(line: str) -> list[str]:
        return completed(
            "fish", f"shiplift completion fish | source; complete -C '{line}'", cli
        ).splitlines()

    assert offered("shiplift promote 1 ") == ["production", "staging"]
    assert offered(f"shiplift builds -R {cli.repo}") == [cli.repo]
    assert "revoke\tRevokes a token: it stops working at once." in offered("shiplift token ")
    assert all("\t" in line for line in offered("shiplift promote --"))


def test_zsh_completes(cli: Cli) -> None:
    need("zsh")
    master, terminal = pty.openpty()
    environment = {**cli.environment, "PATH": f"{BIN}:{os.environ['PATH']}", "TERM": "dumb"}
    process = subprocess.Popen(
        ["zsh", "-f", "-i"],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=environment,
        cwd=cli.home,
        start_new_session=True,
    )
    os.close(terminal)
    shown = b""

    def type_and_see(keys: str, word: str) -> None:
        nonlocal shown
        shown = b""
        os.write(master, keys.encode())
        while word.encode() not in shown:
            assert select.select([master], [], [], SECONDS)[0], shown
            shown += os.read(master, 65536)

    try:
        # In two parts, or the echo of the line would be taken for its output.
        type_and_see(
            "autoload -Uz compinit; compinit -u -D; source <(shiplift completion zsh);"
            " shiplift() { print -r -- TYP''ED=$* }; print REA''DY\n",
            "READY",
        )
        for keys, word, typed in (
            ("shiplift promote 1 prod", "production", "TYPED=promote 1 production"),
            ("shiplift tok", "token", "TYPED=token"),
            ("shiplift envs stag", "staging", "TYPED=envs staging"),
        ):
            type_and_see(f"{keys}\t", word)
            type_and_see("\n", f"{typed}\r\n")
    finally:
        process.kill()
        process.wait(SECONDS)
        os.close(master)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(cli: Cli, shell: str) -> None:
    said = cli.run("completion", shell)
    assert (said.code, said.err) == (0, "")
    assert f"_SHIPLIFT_COMPLETE=complete_{shell}" in said.out


def test_another_shell_is_refused(cli: Cli) -> None:
    said = cli.run("completion", "tcsh")
    assert (said.code, said.out) == (2, "")
