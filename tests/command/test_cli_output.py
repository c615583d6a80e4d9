"""What the command puts out: tables that fit, forms for programs, and nothing that a terminal obeys."""

import json
from pathlib import Path

import pytest
import yaml
from google.protobuf.json_format import ParseDict
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb

from tests.support.cli import Cli
from tests.support.harness import Shipliftd
from tests.support.repository import COMMIT, Repository
from tests.support.terminal import TIME, screen, wide_terminal


@pytest.fixture
def cli(repository: Repository, tmp_path: Path) -> Cli:
    """The site admin's command, in the repository of the test's own."""
    server = repository.server
    return Cli(tmp_path, server.address, server.admin_token, repository.slug)


@pytest.fixture
def filled(repository: Repository) -> Repository:
    """A recorded build with a long message, and a promotion of it."""
    repository.record(
        status=pb.BUILD_STATUS_SUCCESS,
        release="v1.4.2",
        source="main",
        target="main",
        ref="refs/heads/main",
        message="Say where the pages are kept, and for how long they are kept there; see the handbook",
    )
    repository.promote(1, "production")
    return repository


BUILDS = {
    60: [
        "BUILD  STATUS   ENVIRONMENT  RELEASE  COMMIT",
        "2      pending  production   v1.4.2   9fc1ad6e",
        "1      success               v1.4.2   9fc1ad6e",
    ],
    80: [
        "BUILD  STATUS   ENVIRONMENT  RELEASE  COMMIT    BY     CREATED",
        "2      pending  production   v1.4.2   9fc1ad6e  admin  2026-01-02 03:04",
        "1      success               v1.4.2   9fc1ad6e  admin  2026-01-02 03:04",
    ],
    120: [
        "BUILD  STATUS   EVENT         ENVIRONMENT  RELEASE  COMMIT    BRANCH  BY     CREATED         "
        "  MESSAGE",
        "2      pending  promote of 1  production   v1.4.2   9fc1ad6e  main    admin  2026-01-02 03:04"
        "  Say where the pages are …",
        "1      success  push                       v1.4.2   9fc1ad6e  main    admin  2026-01-02 03:04"
        "  Say where the pages are …",
    ],
    200: [
        "BUILD  STATUS   EVENT         ENVIRONMENT  RELEASE  COMMIT    BRANCH  BY     CREATED         "
        "  MESSAGE",
        "2      pending  promote of 1  production   v1.4.2   9fc1ad6e  main    admin  2026-01-02 03:04"
        "  Say where the pages are kept, and for how long they are kept there; see the handbook",
        "1      success  push                       v1.4.2   9fc1ad6e  main    admin  2026-01-02 03:04"
        "  Say where the pages are kept, and for how long they are kept there; see the handbook",
    ],
}


@pytest.mark.parametrize("width", BUILDS)
def test_builds_fit_the_terminal(cli: Cli, filled: Repository, width: int) -> None:
    assert screen(cli, width, "builds") == BUILDS[width]


def test_wide_and_a_pipe_leave_nothing_out(cli: Cli, filled: Repository) -> None:
    whole = BUILDS[200]
    assert screen(cli, 60, "builds", "-o", "wide") == whole
    for words in ((), ("-o", "wide")):
        piped = cli.run("builds", *words)
        assert TIME.sub("2026-01-02 03:04", piped.out).splitlines() == whole


@pytest.mark.parametrize("width", [20, 60, 80, 120, 200])
def test_what_names_a_row_is_never_cut(cli: Cli, filled: Repository, server: Shipliftd, width: int) -> None:
    deploy_bot = f"deploy-bot-{filled.name}"
    server.user(deploy_bot, filled.slug, access_pb2.ACCESS_LEVEL_WRITE, name="nightly deployments")
    for words, kept in (
        (("builds",), ["2", "pending", "9fc1ad6e"]),
        (("envs",), ["production"]),
        (("repo", "list", filled.owner), [filled.slug]),
        (("grant", "list"), [deploy_bot, "write", filled.slug]),
        (("user", "list"), [deploy_bot]),
        (("token", "list", "--login", deploy_bot), ["nightly deployments"]),
    ):
        # What a promotion waits for is told in a sentence, which a terminal folds.
        lines = [line for line in screen(cli, width, *words) if " waits for a deployer " not in line]
        assert any(all(text in line for text in kept) for line in lines), (words, lines)
        # What stays always may need more than there is; all else fits.
        assert width < 60 or max(map(len, lines)) <= width, (words, lines)


def test_an_empty_list_says_so(cli: Cli, repository: Repository) -> None:
    slug = repository.slug
    assert cli.run("builds") == (0, "", f"No builds of {slug}.\n")
    assert cli.run("builds", "--status", "failure") == (0, "", f"No builds of {slug} that fit.\n")
    assert cli.run("envs") == (0, "", f"Nothing was promoted in {slug} yet.\n")
    assert cli.run("envs", "staging") == (0, "", f"Nothing was promoted to staging in {slug} yet.\n")
    assert cli.run("grant", "list") == (0, "", f"Nobody was given access to {slug}.\n")
    assert cli.run("repo", "list", "nobody") == (0, "", "No repositories of nobody that you may read.\n")
    for form, empty in (("json", "[]\n"), ("yaml", "[]\n"), ("name", "")):
        assert cli.run("builds", "-o", form) == (0, empty, "")
    assert cli.run("builds", "--json=number") == (0, "[]\n", "")


def test_json_and_yaml_are_the_message(cli: Cli, filled: Repository) -> None:
    build = filled.get(2)
    for words in (("--json",), ("-o", "json"), ("--output", "json")):
        found = cli.run("show", "2", *words)
        assert ParseDict(found.json(), pb.Build()) == build
    found = cli.run("show", *("-o", "yaml"), "2")
    assert (found.code, found.err) == (0, "")
    assert ParseDict(yaml.safe_load(found.out), pb.Build()) == build
    # `--json` takes nothing but what stands behind `=`.
    assert cli.run("show", "--json", "2").json()["number"] == 2


def test_fields_are_in_plain_words(cli: Cli, filled: Repository) -> None:
    names = "number,status,event,deploy_to,id,created"
    found = cli.run("show", "2", f"--json={names}")
    build = filled.get(2)
    assert found.json() == {
        "number": 2,
        "status": "pending",
        "event": "promote",
        "deploy_to": "production",
        "id": build.id,
        "created": build.created.ToJsonString(),
    }
    assert list(found.json()) == names.split(",")
    assert [each["status"] for each in cli.run("builds", "--json=status").json()] == ["pending", "success"]
    stages = cli.run("show", "2", "--json=stages").json()["stages"]
    assert [(stage["status"], stage["build_id"]) for stage in stages] == [("pending", build.id)]


def test_a_field_that_there_is_not_is_refused_before_anything_is_done(cli: Cli, filled: Repository) -> None:
    said = cli.run("promote", "1", "production", "--json=number,state")
    assert (said.code, said.out) == (2, "")
    told = "shiplift: --json=number,state: there is no field 'state': wanted some of id, repo_id, owner, "
    assert said.err.startswith(told)
    assert filled.numbers() == [2, 1]
    assert cli.run("show", "2", "--json", "-o", "yaml") == (
        2,
        "",
        "shiplift: --json and -o yaml are both given: leave one out\n",
    )


def test_names_are_what_other_commands_take(cli: Cli, filled: Repository) -> None:
    assert cli.run("record", "--commit", COMMIT, "-o", "name").out == "3\n"
    assert cli.run("builds", "-o", "name").out == "3\n2\n1\n"
    assert cli.run("envs", "-o", "name").out == "production\n"
    assert cli.run("repo", "show", "-o", "name").out == f"{filled.slug}\n"
    assert cli.run("whoami", "-o", "name").out == "admin\n"
    token = cli.run("token", "create", "-o", "name").out
    assert cli.run("token", "revoke", token.strip(), "-o", "name").out == token


def test_texts_of_others_steer_no_terminal(cli: Cli, repository: Repository) -> None:
    hostile = "a\x1b]0;owned\x07\u202eb"
    repository.record(message=hostile)
    for words in (("--json",), ("-o", "yaml"), ("--json=message",)):
        said = cli.run("show", "1", *words)
        assert said.out.isascii()
        assert "\x1b" not in said.out
        loaded = yaml.safe_load(said.out) if "yaml" in words else json.loads(said.out)
        assert loaded["message"] == hostile


@pytest.mark.parametrize("words", [("builds",), ("show", "2"), ("builds", "--help"), ("show", "nothing")])
def test_no_escape_gets_out_where_colours_are_not_wanted(
    cli: Cli, filled: Repository, words: tuple[str, ...]
) -> None:
    assert "\x1b" not in wide_terminal(cli, 80, *words, NO_COLOR="1")
    assert "\x1b" not in wide_terminal(cli, 80, *words, TERM="dumb")
    said = cli.run(*words)
    assert "\x1b" not in said.out + said.err


def test_colours_are_there_where_they_are_wanted(cli: Cli, filled: Repository) -> None:
    assert "\x1b[33mpending" in wide_terminal(cli, 80, "builds")


def test_wide_characters_line_up(cli: Cli, repository: Repository) -> None:
    for release, message in (("v1-日本", "one"), ("v1-ab", "two")):
        repository.record(release=release, message=message)
    lines = screen(cli, 200, "builds")
    # A character of these takes two columns.
    assert [line.index("9fc1ad6e") for line in lines[1:]] == [
        lines[0].index("COMMIT"),
        lines[0].index("COMMIT") - 2,
    ]
