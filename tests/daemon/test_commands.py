"""`shipliftd` on a store of either kind, without a server; and what it refuses, in which words."""

from pathlib import Path

import pytest
from shiplift.v1 import access_pb2

from tests.support.commands import refusal, said, shipliftd
from tests.support.harness import Shipliftd
from tests.support.stores import TOKEN


def test_a_store_can_be_filled_before_its_first_server(tmp_path: Path) -> None:
    server = Shipliftd(tmp_path / "shiplift.db")
    said("migrate", "--database", server.store)
    assert said("user", "add", "root", "--admin", "--database", server.store) == "created site admin root\n"
    token = said("token", "create", "--login", "root", "--database", server.store).strip()
    with server:
        assert server.access(token).WhoAmI(access_pb2.WhoAmIRequest()).user.admin
    # Whoever made a site admin needs no second admin that nobody asked for.
    assert not server.token_file.exists()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("user", "add", "admin"), "user admin exists already"),
        (("token", "create", "--login", "nobody"), "user nobody not found: a site admin can create one"),
        (
            ("grant", "add", "admin", "read", "-R", "octocat"),
            "repo: '' is not a name: wanted 1 to 100 of letters, digits, '.', '_', '-',"
            " and not '.' or '..'",
        ),
        (
            (*TOKEN, "--repository", "octocat"),
            "repositories: 'octocat': wanted owner/repo or owner/*",
        ),
    ],
)
def test_a_refusal_is_one_line_and_exit_code_1(store: Path, command: tuple[str, ...], words: str) -> None:
    assert refusal(*command, "--database", Shipliftd(store).store) == words


def test_a_store_of_another_kind_is_refused() -> None:
    assert refusal("check", "--database", "mysql://shiplift:secret@db/shiplift") == (
        "--database mysql://... is not a store that this release knows: wanted a file's path,"
        " sqlite:///PATH, or postgresql://USER@HOST/NAME"
    )


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("frobnicate",), "No such command 'frobnicate'"),
        (("grant", "add", "admin", "owner", "-R", "o/r"), "'owner' is not one of 'read', 'write', 'admin'"),
        ((*TOKEN, "--action", "sing"), "'sing': wanted one of read, record,"),
        ((*TOKEN, "--expires-in", "99999999999"), "--expires-in"),
        (("serve", "--drain-seconds", "soon"), "--drain-seconds"),
    ],
)
def test_a_command_that_is_not_understood_is_exit_code_2(
    store: Path, command: tuple[str, ...], words: str
) -> None:
    done = shipliftd(*command, environment={"SHIPLIFTD_DATABASE": Shipliftd(store).store, "COLUMNS": "200"})
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_the_version_is_told() -> None:
    assert said("--version") == "shipliftd 0.2.0\n"
