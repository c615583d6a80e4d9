"""`shiplift repo set`."""

from pathlib import Path

import pytest

from tests.support.cli import Cli
from tests.support.harness import Shipliftd


@pytest.fixture
def cli(server: Shipliftd, repo: str, tmp_path: Path) -> Cli:
    """The site admin, at a repository of the test's own."""
    return Cli(tmp_path, server.address, server.admin_token, repo)


def test_settings_are_set_and_the_others_stay(cli: Cli) -> None:
    before = cli.run("repo", "show", "--json").json()
    options = (
        *("--git-url", "https://git.example/app.git", "--default-branch", "trunk"),
        *("--visibility", "public", "--timeout", "5", "--runner-secrets", "--inactive"),
    )
    changed = cli.run("repo", "set", *options, "--json").json()
    settings = {
        "git_http_url": "https://git.example/app.git",
        "default_branch": "trunk",
        "visibility": "VISIBILITY_PUBLIC",
        "timeout": "300s",
        "runner_secrets": True,
        "active": False,
    }
    assert changed == {**before, **settings, "version": 2, "updated": changed["updated"]}
    back = cli.run("repo", "set", "--no-runner-secrets", "--active", "--json").json()
    assert back == {
        **changed,
        "runner_secrets": False,
        "active": True,
        "version": 3,
        "updated": back["updated"],
    }


def test_a_url_is_known_by_its_form_and_cleared_by_an_empty_one(cli: Cli) -> None:
    def urls(url: str) -> tuple[str, str]:
        changed = cli.run("repo", "set", "--git-url", url, "--json").json()
        return changed["git_http_url"], changed["git_ssh_url"]

    assert urls("git@git.example:app.git") == ("", "git@git.example:app.git")
    assert urls("HTTP://git.example/app") == ("HTTP://git.example/app", "git@git.example:app.git")
    assert urls("") == ("", "")


def test_what_was_set_is_shown(cli: Cli, repo: str) -> None:
    said = cli.run("repo", "set", "--inactive", "--runner-secrets", "--git-url", "git@git.example:app.git")
    assert (said.code, said.err) == (0, "")
    lines = {line[:15].strip(): line[15:].strip() for line in said.out.splitlines()}
    assert {name: lines[name] for name in ("repository", "disabled", "git over ssh", "secrets")} == {
        "repository": repo,
        "disabled": "yes: it takes no new builds",
        "git over ssh": "git@git.example:app.git",
        "secrets": "its runners bring them",
    }


def test_nothing_to_change_and_a_refusal_are_told(cli: Cli) -> None:
    assert cli.run("repo", "set") == (
        2,
        "",
        "shiplift: what is to change? Say it with an option, such as --git-url URL\n",
    )
    said = cli.run("repo", "set", "--git-url", "https://mona:hunter2@git.example/app.git")
    assert said == (
        1,
        "",
        "shiplift: refused (INVALID_ARGUMENT): repository.git_http_url: has credentials in it, which"
        " everybody who may see the repository would see: leave them out (the server's --netrc-file is"
        " for them)\n",
    )


def test_a_disabled_repository_says_how_it_is_enabled(cli: Cli, repo: str) -> None:
    cli.run("repo", "set", "--inactive")
    said = cli.run("record")
    assert said == (
        1,
        "",
        f"shiplift: refused (FAILED_PRECONDITION): repository {repo} is disabled, and takes no new builds:"
        f" an admin of it can enable it, shiplift repo set {repo} --active\n",
    )
