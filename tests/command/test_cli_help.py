"""The form of the command line: help pages, their examples, and where options may stand."""

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from shiplift.cli.app import app
from shipliftd.command import app as daemon
from typer.core import TyperGroup
from typer.main import get_command

from tests.support.cli import COMMAND, Cli
from tests.support.commands import shipliftd
from tests.support.harness import Shipliftd
from tests.support.terminal import on_terminal

ROOT = get_command(app)
GLOBAL = re.compile(r"^  (?:-\w, )?(--[a-z-]+)", re.MULTILINE)


def pages(command: Any = ROOT, *words: str) -> Iterator[tuple[str, ...]]:  # noqa: ANN401  # Typer's own
    """The words before `-h` of each help page that there is."""
    yield words
    if isinstance(command, TyperGroup):
        for name, each in command.commands.items():
            yield from pages(each, *words, name)


PAGES = [*pages()]


def page(*words: str) -> str:
    """A help page, made in this process; the tests below see that a process makes the same."""
    command: Any = ROOT
    context = command.context_class(command, info_name="shiplift", **command.context_settings)
    for word in words:
        command = command.commands[word]
        context = command.context_class(command, info_name=word, parent=context)
    return f"{context.get_help()}\n"


def sections(text: str) -> dict[str, str]:
    """A help page's sections, in their order."""
    parts = re.split(r"^(\S.*):\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def parse(words: list[str]) -> None:
    """Parses a command line as the command does, and runs nothing. Raises Typer's errors."""
    command, context, rest = ROOT, None, words
    name: str | None = "shiplift"
    while True:
        context = command.make_context(name, list(rest), parent=context)
        if not isinstance(command, TyperGroup):
            return
        name, found, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert found is not None
        command = found


def test_there_are_help_pages_of_groups_and_commands() -> None:
    assert {(), ("promote",), ("token",), ("token", "list")} < set(PAGES)


@pytest.mark.parametrize("words", PAGES, ids=" ".join)
def test_each_page_fits_and_has_sections_in_their_order(words: tuple[str, ...]) -> None:
    text = page(*words)
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert "\x1b" not in text
    assert "-h, --help" in text
    found = list(sections(text))
    order = ["Arguments", "Options", "Commands", "Global options", "Examples"]
    assert found == [each for each in order if each in found]
    assert found[-2:] == ["Global options", "Examples"]


@pytest.mark.parametrize("words", PAGES, ids=" ".join)
def test_the_examples_of_each_page_parse_and_are_of_that_command(words: tuple[str, ...]) -> None:
    examples = sections(page(*words))["Examples"].splitlines()
    assert 1 <= len(examples) <= 4
    for example in examples:
        program, *rest = shlex.split(example)
        assert program == "shiplift"
        assert tuple(rest[: len(words)]) == words
        parse(rest)


def test_what_does_not_parse_is_told_by_the_parser_that_tries_the_examples() -> None:
    with pytest.raises(Exception, match="No such option: --enviroment"):
        parse(["builds", "--enviroment", "production"])


def test_every_page_has_the_same_global_options() -> None:
    kinds = {tuple(GLOBAL.findall(sections(page(*words))["Global options"])) for words in PAGES}
    assert len(kinds) == 1
    assert {"--json", "--server", "--token", "--token-file", "--insecure"} < set(*kinds)


@pytest.mark.parametrize("words", [(), ("promote",), ("token",), ("repo", "set")], ids=" ".join)
def test_a_process_shows_that_page(words: tuple[str, ...], tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    for flag in ("-h", "--help"):
        assert cli.run(*words, flag, COLUMNS="80") == (0, page(*words), "")
    environment = {**cli.environment, "COLUMNS": "80", "NO_COLOR": "1"}
    shown = on_terminal([*COMMAND, *words, "-h"], environment, tmp_path)
    assert shown.replace("\r\n", os.linesep) == page(*words)


def test_a_global_option_stands_before_or_after_the_command(
    server: Shipliftd, own_server: Shipliftd, tmp_path: Path
) -> None:
    cli = Cli(tmp_path, token=server.admin_token)
    here = ("--server", server.address)

    def tokens(*words: str) -> list[str]:
        return [each["hint"] for each in cli.run(*words).json()]

    expected = tokens("token", "list", "--json", *here)
    assert server.admin_token[:8] in expected
    for words in (
        (*here, "--json", "token", "list"),
        ("--json", "token", *here, "list"),
        ("token", "--json", "list", *here),
        (*here, "token", "--json", "list"),
    ):
        assert tokens(*words) == expected
    # The last one counts, as with one that is given twice after the command.
    there = ("--server", own_server.address)
    assert tokens(*there, "token", "--server", "127.0.0.1:1", "list", *here, "--json") == expected
    assert cli.run(*here, "whoami", *there).err.startswith("shiplift: refused (UNAUTHENTICATED)")


def test_options_that_contradict_each_other_do_so_wherever_they_stand(tmp_path: Path) -> None:
    said = Cli(tmp_path).run("--token", "a", "whoami", "--token-file", "b")
    assert said == (2, "", "shiplift: --token and --token-file are both given: leave one out\n")


def test_a_group_without_a_command_shows_its_page(tmp_path: Path) -> None:
    said = Cli(tmp_path).run("token", COLUMNS="80")
    assert (said.code, said.out + said.err) == (2, page("token"))
    assert Cli(tmp_path).run("--json").err.endswith("Error: Missing command.\n")


@pytest.mark.parametrize("words", ["user add", "token create", "grant add"])
def test_shipliftd_takes_the_same_words_for_the_same_thing(words: str) -> None:
    found = []
    group, name = words.split()
    for root in (ROOT, get_command(daemon)):
        groups: Any = root
        command = groups.commands[group].commands[name]
        beside = {"--request-id", "--database"}
        found.append(
            {
                tuple(each.opts): (each.metavar, each.multiple, each.param_type_name)
                for each in command.params
                if getattr(each, "rich_help_panel", None) != "Global options" and not beside & {*each.opts}
            }
        )
    # An operator is nobody's user, and has no git checkout: whose and where are said.
    assert found[0] == found[1]


def test_shipliftd_helps_by_h_as_well() -> None:
    for words in ((), ("grant",), ("grant", "add")):
        short, long = (shipliftd(*words, flag) for flag in ("-h", "--help"))
        assert (short.returncode, short.stdout, short.stderr) == (0, long.stdout, "")
