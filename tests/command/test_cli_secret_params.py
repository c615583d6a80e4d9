"""Secret parameters on the command line: read from standard input or a terminal, and never shown."""

import os
import pty
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.cli import COMMAND, Cli
from tests.support.declared import Declared
from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS
from tests.support.repository import Repository
from tests.support.staged import SUCCESS, Staged

VALUE = "a-value-of-the-command-line"
RULES = [
    {"name": "PASSWORD", "secret": True, "required": True},
    {"name": "KEY", "secret": True},
]


@pytest.fixture
def staged(repository: Repository) -> Staged:
    """A repository with one build, and a runner."""
    repository.server.secrets.hide(VALUE)
    Declared(repository).declare(params=RULES)
    repository.record(status=SUCCESS)
    return Staged.of(repository)


@pytest.fixture
def cli(server: Shipliftd, staged: Staged, tmp_path: Path) -> Cli:
    """The command, for that repository."""
    return Cli(tmp_path, server.address, server.admin_token, staged.repository.slug)


def found(staged: Staged, number: int) -> dict[str, str]:
    """The secret parameters that the stage of a promotion finds."""
    environment = staged.runner.accept(staged.repository.get(number).stages[0].id).plan.environment
    return {name: environment[name] for name in ("KEY", "PASSWORD") if name in environment}


def test_one_is_read_whole_and_several_a_line_each(cli: Cli, staged: Staged) -> None:
    said = cli.run("promote", "1", "production", "--secret-param", "PASSWORD", stdin=f"{VALUE}\nand more\n")
    assert said.code == 0
    assert "PASSWORD=******" in said.out
    assert VALUE not in said.out + said.err
    assert found(staged, 2) == {"PASSWORD": f"{VALUE}\nand more"}
    staged.runner.report(staged.repository.get(2).stages[0].id, SUCCESS)
    options = ("--secret-param", "KEY", "--secret-param", "PASSWORD")
    assert cli.run("promote", "1", "production", *options, stdin=f"one\n{VALUE}\n").code == 0
    assert found(staged, 3) == {"KEY": "one", "PASSWORD": VALUE}
    shown = cli.run("show", "3").out
    assert ("KEY=******" in shown, "PASSWORD=******" in shown, VALUE in shown) == (True, True, False)
    assert cli.run("show", "3", "--json").json()["masked_params"] == ["KEY", "PASSWORD"]
    explained = cli.run("explain", "1", "production", "-p", f"PASSWORD={VALUE}")
    assert ("PASSWORD=******" in explained.out, VALUE in explained.out) == (True, False)


def test_another_try_and_a_rollback_are_given_another_one(cli: Cli, staged: Staged) -> None:
    password = ("--secret-param", "PASSWORD")
    assert cli.run("promote", "1", "production", *password, stdin=VALUE).code == 0
    assert found(staged, 2) == {"PASSWORD": VALUE}
    staged.runner.report(staged.repository.get(2).stages[0].id, SUCCESS)
    for number, words in enumerate((("retry", "2"), ("rollback", "production", "1")), 3):
        said = cli.run(*words, *password, stdin=f"{VALUE} {number}\n")
        assert (said.code, VALUE in said.out + said.err) == (0, False)
        assert found(staged, number) == {"PASSWORD": f"{VALUE} {number}"}
        staged.runner.report(staged.repository.get(number).stages[0].id, SUCCESS)


@pytest.mark.parametrize(
    ("options", "stdin", "told"),
    [
        (["--secret-param", "PASSWORD"], "", "--secret-param PASSWORD: standard input has no value for it"),
        (
            ["--secret-param", "PASSWORD", "--secret-param", "KEY"],
            "one\n",
            "--secret-param KEY: standard input has no value for it",
        ),
        (["-p", "KEY=x", "--secret-param", "KEY"], "one\n", "--secret-param KEY: KEY is given twice"),
        (["--secret-param", "KEY", "--secret-param", "KEY"], "", "--secret-param KEY: KEY is given twice"),
    ],
)
def test_what_is_missing_or_there_twice_is_told(
    cli: Cli, options: list[str], stdin: str, told: str
) -> None:
    said = cli.run("promote", "1", "production", *options, stdin=stdin)
    assert (said.code, said.out) == (2, "")
    assert told in said.err


def test_a_terminal_is_asked_for_what_is_required_without_showing_it(cli: Cli, staged: Staged) -> None:
    master, terminal = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "promote", "1", "production"],
        cwd=cli.home,
        env={**cli.environment, "TERM": "dumb"},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        # Without a terminal of its own it reads this one.
        start_new_session=True,
    )
    os.close(terminal)
    shown = b""
    with suppress(OSError):
        while part := os.read(master, 65536):
            # The prompt comes in two parts, and what is typed before its end is thrown away.
            is_new = b"PASSWORD: " not in shown
            shown += part
            if is_new and b"PASSWORD: " in shown:
                os.write(master, f"{VALUE}\n".encode())
    assert process.wait(SECONDS) == 0
    os.close(master)
    assert b"PASSWORD=******" in shown
    assert VALUE.encode() not in shown
    assert found(staged, 2) == {"PASSWORD": VALUE}
