"""What the command takes from git: the repository of the remote, the commit of the checkout."""

import shutil
import subprocess
from pathlib import Path

import pytest
from shiplift.cli.git import remote_repository
from shiplift.v1 import access_pb2

from tests.support.cli import Cli
from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS

WRITE = access_pb2.ACCESS_LEVEL_WRITE
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
        "event": "BUILD_EVENT_PUSH",
        "message": "second [red]one[/red]\n\nwith a body",
        "owner": repo.partition("/")[0],
        "ref": "refs/heads/main",
        "release": "v1",
        "repo": repo.partition("/")[2],
        "source": "main",
        "status": "BUILD_STATUS_SUCCESS",
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
        " -R owner/repo; or --all\n",
    )


def cloned(server: Shipliftd, repo: str) -> tuple[str, str]:
    """Where the repository is cloned from, over HTTP and SSH."""
    owner, name = repo.split("/")
    found = server.access().GetRepository(access_pb2.GetRepositoryRequest(owner=owner, repo=name))
    return found.git_http_url, found.git_ssh_url


@needs_git
@pytest.mark.parametrize(
    ("origin", "url", "is_http"),
    [
        ("https://mona:hunter2@git.example:8443/{}.git", "https://git.example:8443/{}.git", True),
        ("http://hunter2@git.example/{}", "http://git.example/{}", True),
        ("git@git.example:{}.git", "git@git.example:{}.git", False),
        ("ssh://git:hunter2@git.example:2222/{}", "ssh://git@git.example:2222/{}", False),
    ],
)
def test_record_says_where_the_repository_is_cloned_from(
    server: Shipliftd, repo: str, checkout: Path, origin: str, url: str, is_http: bool
) -> None:
    git(checkout, "remote", "set-url", "origin", origin.format(repo))
    cli = Cli(checkout, server.address, server.admin_token)
    url = url.format(repo)
    cli.run("record", "--external-id", "e1", "-R", repo, SHIPLIFT_TOKEN=server.user(repo[8:], repo, WRITE))
    said = cli.run("record", "--external-id", "e1")
    assert (said.code, said.err) == (0, f"{repo} is cloned from {url} from now on, as git's origin says\n")
    assert f"{repo}: build 1 was recorded before: " in said.out
    assert cloned(server, repo) == ((url, "") if is_http else ("", url))
    git(checkout, "remote", "set-url", "origin", f"https://elsewhere.example/{repo}")
    if is_http:
        assert cli.run("record").err == ""
        assert cloned(server, repo) == (url, "")


@needs_git
def test_record_of_another_repository_takes_nothing_from_the_remote(
    server: Shipliftd, repo: str, checkout: Path
) -> None:
    git(checkout, "remote", "set-url", "origin", "https://git.example/octocat/other.git")
    said = Cli(checkout, server.address, server.admin_token, repo).run("record")
    assert (said.code, said.err) == (0, "")
    assert cloned(server, repo) == ("", "")


@needs_git
def test_record_says_who_can_say_where_a_repository_is_cloned_from(
    server: Shipliftd, repo: str, checkout: Path
) -> None:
    url = f"https://github.com/{repo}.git"
    told = (
        f"nobody has said where {repo} is cloned from; an admin of it can: shiplift repo set {repo}"
        f" --git-url {url}\n"
    )
    name = repo.partition("/")[2]
    writer = server.user(f"w-{name}", repo, access_pb2.ACCESS_LEVEL_WRITE)
    cut = server.user(
        f"a-{name}",
        repo,
        access_pb2.ACCESS_LEVEL_ADMIN,
        actions=[access_pb2.TOKEN_ACTION_RECORD, access_pb2.TOKEN_ACTION_READ],
    )
    blind = server.user(
        f"b-{name}", repo, access_pb2.ACCESS_LEVEL_ADMIN, actions=[access_pb2.TOKEN_ACTION_RECORD]
    )
    for token, err in ((writer, told), (cut, told), (blind, "")):
        said = Cli(checkout, server.address, token).run("record")
        assert (said.code, said.err) == (0, err)
    assert cloned(server, repo) == ("", "")


@needs_git
def test_a_repository_is_added_with_the_remote_it_is_of(
    server: Shipliftd, name: str, checkout: Path
) -> None:
    cli = Cli(checkout, server.address, server.admin_token)
    git(checkout, "remote", "set-url", "origin", f"https://mona:hunter2@git.example/octocat/{name}-a.git")
    assert cli.run("repo", "add", "--json").json()["git_http_url"] == (
        f"https://git.example/octocat/{name}-a.git"
    )
    cli.run("repo", "add", f"octocat/{name}-b")
    assert cloned(server, f"octocat/{name}-b") == ("", "")
    cli.run("repo", "add", f"octocat/{name}-c", "--git-url", "git@git.example:c.git")
    assert cloned(server, f"octocat/{name}-c") == ("", "git@git.example:c.git")
