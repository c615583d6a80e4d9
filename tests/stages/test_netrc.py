"""Logins to clone with: who gets which, and that nobody else sees them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from shiplift.v1 import access_pb2
from shiplift.v1 import stages_pb2 as pb

from tests.support.commands import refusal
from tests.support.harness import Shipliftd
from tests.support.repository import Repository, change
from tests.support.runner_wire import Work
from tests.support.staged import Staged, runner_of

PASSWORD = "hunter2-clones"
NETRC = f"""\
machine Git.Example login mona password {PASSWORD}
machine nobody.example login mona
default login anybody password {PASSWORD}
"""
LOGIN = pb.Netrc(machine="Git.Example", login="mona", password=PASSWORD)


@pytest.fixture
def netrc(tmp_path: Path) -> Path:
    """The file."""
    path = tmp_path / "netrc"
    path.write_text(NETRC)
    path.chmod(0o600)
    return path


@pytest.fixture
def cloning(tmp_path: Path, netrc: Path) -> Iterator[Shipliftd]:
    """A server that has it."""
    arguments = ("--http", "127.0.0.1:0", "--netrc-file", str(netrc))
    with Shipliftd(tmp_path / "shiplift.db", arguments) as running:
        yield running


@pytest.fixture
def staged(cloning: Shipliftd) -> Staged:
    """A repository there, cloned from the file's machine."""
    repository = Repository.make(cloning, "octocat", "app")
    change(repository, git_http_url="https://git.example:8443/octocat/app.git")
    return Staged.of(repository)


def login(staged: Staged) -> pb.Netrc | None:
    """What the lease of a new promotion has, in both rpcs that give it."""
    lease = staged.runner.accept(staged.promoted().stages[0].id)
    again = staged.runner.lease(lease.stage.id)
    assert again.netrc == lease.netrc
    return lease.netrc if lease.HasField("netrc") else None


def test_the_holder_of_a_stage_gets_the_login_of_the_host(staged: Staged) -> None:
    assert login(staged) == LOGIN


@pytest.mark.parametrize(
    "url",
    [
        *("http://git.example/octocat/app.git", "https://nobody.example/app", "https://default/app"),
        *("https://elsewhere.example/git.example", "https://sub.git.example/app", ""),
    ],
)
def test_another_host_and_plain_http_get_none(staged: Staged, url: str) -> None:
    change(staged.repository, "git_http_url", **({"git_http_url": url} if url else {}))
    assert login(staged) is None


def test_a_deployer_and_others_get_none(staged: Staged) -> None:
    lease = staged.runner.accept(staged.external().stages[0].id)
    assert not lease.HasField("netrc")
    held = staged.runner.accept(staged.promoted(target="staging").stages[0].id)
    other = runner_of(staged.repository, "other")
    with pytest.raises(Exception, match="is not yours"):
        other.lease(held.stage.id)


def test_drones_runner_gets_it_as_drone_has_it(cloning: Shipliftd) -> None:
    work = Work.at(cloning, cloning.http, "wire")
    change(work.repository, git_http_url="https://git.example/wire.git")
    work.promoted()
    stage = work.runner.accept(work.runner.request().json).json
    assert work.runner.call("GET", f"/stage/{stage['id']}").json["netrc"] == {
        "machine": "Git.Example",
        "login": "mona",
        "password": PASSWORD,
    }


def test_a_file_that_has_changed_is_read_again_and_a_bad_one_is_not(staged: Staged, netrc: Path) -> None:
    netrc.write_text("machine git.example login mona password another\n")
    assert login(staged) == pb.Netrc(machine="git.example", login="mona", password="another")
    new = netrc.with_name("new")
    new.write_text(f"machine git.example login mona {PASSWORD}\n")
    new.chmod(0o600)
    new.replace(netrc)
    assert login(staged) == pb.Netrc(machine="git.example", login="mona", password="another")


def test_no_login_is_in_the_log_or_the_store(cloning: Shipliftd, staged: Staged, netrc: Path) -> None:
    assert login(staged) == LOGIN
    netrc.write_text(f"{PASSWORD}\n")
    assert login(staged) == LOGIN
    shown = cloning.access().GetRepository(access_pb2.GetRepositoryRequest(owner="octocat", repo="app"))
    assert PASSWORD not in str(shown)
    cloning.stop()
    assert any(line["event"] == "the netrc file is not read again" for line in cloning.log)
    assert PASSWORD not in repr(cloning.log)
    assert not [
        each
        for each in cloning.database.parent.glob("shiplift.db*")
        if PASSWORD.encode() in each.read_bytes()
    ]


@pytest.mark.parametrize(
    ("text", "mode", "told"),
    [
        (NETRC, 0o640, "can be read or written by others: chmod 600 it, it has passwords"),
        (f"machine a login b {PASSWORD}\n", 0o600, "near line 2: is not what a netrc file has"),
        (None, 0, "cannot be read: No such file or directory"),
    ],
)
def test_a_file_that_does_not_serve_is_told(tmp_path: Path, text: str | None, mode: int, told: str) -> None:
    path = tmp_path / "netrc"
    if text is not None:
        path.write_text(text)
        path.chmod(mode)
    said = refusal("serve", "--database", tmp_path / "shiplift.db", "--netrc-file", path)
    assert told in said
    assert PASSWORD not in said
