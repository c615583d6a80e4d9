"""What the command takes from git: the repository of the remote, the commit of the checkout."""

import shutil
import subprocess
from pathlib import Path

import pytest
from shiplift.cli.git import remote_repository

from tests.cli import Cli
from tests.harness import Shipliftd
from tests.patience import SECONDS

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git makes the checkouts")


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/octocat/hello-world.git",
        "https://github.com/octocat/hello-world",
        "https://github.com/octocat/hello-world/",
        "https://user:secret@git.example.com:8443/octocat/hello-world.git",
        "http://git.example.com/octocat/hello-world.git",
        "ssh://git@github.com/octocat/hello-world.git",
        "ssh://git@git.example.com:2222/octocat/hello-world.git",
        "git+ssh://git@github.com/octocat/hello-world.git",
        "git://github.com/octocat/hello-world.git",
        "git@github.com:octocat/hello-world.git",
        "git@github.com:/octocat/hello-world",
        "github.com:octocat/hello-world.git",
    ],
)
def test_a_remote_names_its_repository(url: str) -> None:
    assert remote_repository(url) == ("octocat", "hello-world")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:secret@gitlab.com/group/sub/app.git", "group/sub/app.git"),
        ("git@gitlab.com:group/sub/app.git", "group/sub/app.git"),
        ("https://github.com/app.git", "app.git"),
        ("file:///srv/git/app.git", "a local path"),
        ("/srv/git/app.git", "a local path"),
        ("../app", "a local path"),
        ("C:\\git\\app", "a local path"),
        ("", "a local path"),
    ],
)
def test_another_remote_is_refused_without_its_password(url: str, shown: str) -> None:
    with pytest.raises(ValueError, match="not owner/repo") as refused:
        remote_repository(url)
    assert str(refused.value) == f"the git remote origin is {shown}, not owner/repo"


def git(place: Path, *arguments: str) -> str:
    """Runs git with an author of the tests' own."""
    options = (
        "-c",
        "user.name=Mona Lisa",
        "-c",
        "user.email=mona@example.com",
        "-c",
        "commit.gpgsign=false",
    )
    done = subprocess.run(
        ["git", *options, *arguments],
        cwd=place,
        capture_output=True,
        text=True,
        check=True,
        timeout=SECONDS,
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path, repo: str) -> Path:
    """A checkout of two commits on the branch main, whose remote is the repository."""
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "remote", "add", "origin", f"https://github.com/{repo}.git")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "first")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "second [red]one[/red]\n\nwith a body")
    return tmp_path


@needs_git
def test_records_what_is_checked_out(server: Shipliftd, repo: str, checkout: Path) -> None:
    cli = Cli(checkout, server.address, server.admin_token)
    build = cli.run("record", "--release", "v1", "--json").json()
    wanted = {
        "after": git(checkout, "rev-parse", "HEAD"),
        "author_email": "mona@example.com",
        "author_name": "Mona Lisa",
        "before": git(checkout, "rev-parse", "HEAD~1"),
        "event": "EVENT_PUSH",
        "message": "second [red]one[/red]\n\nwith a body",
        "owner": repo.partition("/")[0],
        "ref": "refs/heads/main",
        "release": "v1",
        "repo": repo.partition("/")[2],
        "source": "main",
        "status": "STATUS_SUCCESS",
        "target": "main",
    }
    assert {name: build[name] for name in wanted} == wanted


@needs_git
def test_records_another_commit_with_its_own_facts(server: Shipliftd, repo: str, checkout: Path) -> None:
    cli = Cli(checkout, server.address, server.admin_token, repo)
    first = git(checkout, "rev-parse", "HEAD~1")
    build = cli.run("record", "--commit", first[:10].upper(), "--json").json()
    assert (build["after"], build["message"], build["before"], build["ref"]) == (first, "first", "", "")
    unknown = cli.run("record", "--commit", "abcdef0", "--branch", "next", "--json").json()
    assert (unknown["after"], unknown["message"], unknown["ref"]) == ("abcdef0", "", "refs/heads/next")
    detached = git(checkout, "checkout", "-q", "--detach")
    assert detached == ""
    build = cli.run("record", "--ref", "refs/tags/v9", "--json").json()
    assert (build["ref"], build["target"], build["message"].split("\n")[0]) == (
        "refs/tags/v9",
        "",
        "second [red]one[/red]",
    )


@needs_git
def test_the_remote_of_another_form_asks_for_the_repository(checkout: Path) -> None:
    git(checkout, "remote", "set-url", "origin", "https://user:secret@gitlab.com/group/sub/app.git")
    said = Cli(checkout).run("builds")
    assert said == (
        2,
        "",
        "shiplift: the git remote origin is group/sub/app.git, not owner/repo: say which repository with"
        " -R owner/repo\n",
    )
