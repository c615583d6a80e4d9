"""Which build a word names: latest, a branch, an environment, a release; and what is ambiguous."""

import re
from pathlib import Path

import pytest
from shiplift import Client, NotFound, SeveralBuilds
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb

from tests.support.cli import Cli
from tests.support.repository import COMMIT, Repository, change

OTHER = "0123456789abcdef0123456789abcdef01234567"
SUCCESS, FAILURE = pb.BUILD_STATUS_SUCCESS, pb.BUILD_STATUS_FAILURE
TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000")


@pytest.fixture
def cli(repository: Repository, tmp_path: Path) -> Cli:
    """The site admin, in a repository of their own."""
    return Cli(tmp_path, repository.server.address, repository.server.admin_token, repository.slug)


def record(repository: Repository, branch: str, status: pb.BuildStatus = SUCCESS, **fields: object) -> int:
    """Records a build of a branch and returns its number."""
    return repository.record(
        status=status, target=branch, ref=f"refs/heads/{branch}", **{"after": COMMIT, **fields}
    ).number


def deploy(repository: Repository, build: int, environment: str) -> int:
    """Promotes a build, and has it succeed; its number."""
    made = repository.promote(build, environment).number
    repository.report(made, SUCCESS)
    return made


def found(cli: Cli, name: str) -> tuple[int, str]:
    """The number of what a name means, and what is said of that."""
    said = cli.run("show", name, "--json")
    return said._replace(err="").json()["number"], said.err


def test_latest_is_the_newest_of_a_branch_that_succeeded(repository: Repository, cli: Cli) -> None:
    record(repository, "main", release="v1", after=OTHER)
    newest = record(repository, "main", release="v2")
    record(repository, "main", FAILURE, release="v3")
    record(repository, "main", pb.BUILD_STATUS_RUNNING)
    record(repository, "main", event=pb.BUILD_EVENT_PULL_REQUEST)
    other = record(repository, "feature/x", after=OTHER)
    deploy(repository, newest, "production")
    told = f"build {newest}, v2, 9fc1ad6e: the newest of main that succeeded\n"
    for name in ("latest", "latest@main", "main"):
        assert found(cli, name) == (newest, f"{name} is {told}")
    of_other = f"build {other}, 01234567: the newest of feature/x that succeeded\n"
    for name in ("latest@feature/x", "feature/x"):
        assert found(cli, name) == (other, f"{name} is {of_other}")
    change(repository, default_branch="feature/x")
    assert found(cli, "latest") == (other, f"latest is {of_other}")


def test_an_environment_is_what_is_there(repository: Repository, cli: Cli) -> None:
    build = record(repository, "main", release="v2")
    there = deploy(repository, build, "eu/production")
    repository.report(repository.promote(build, "eu/production").number, FAILURE)
    told = f"eu/production is build {there}, v2, 9fc1ad6e: what is there now\n"
    assert found(cli, "eu/production") == (there, told)
    said = cli.run("promote", "eu/production", "qa")
    promoted = f"promoted build {there}, release v2, commit 9fc1ad6ebf12, to qa as build {there + 2}"
    assert said.err == f"{told}{repository.slug}: {promoted}\n"


def test_a_name_serves_wherever_a_build_is_named(repository: Repository, cli: Cli) -> None:
    record(repository, "main")
    said = "main is build 1, 9fc1ad6e: the newest of main that succeeded\n"
    for words in (("promote", "main", "qa"), ("show", "main"), ("wait", "main"), ("log", "main")):
        ran = cli.run(*words)
        assert (ran.code, ran.err.startswith(said)) == (0, True), ran
    # What has ended is neither stopped nor reported on.
    for words in (("cancel", "main"), ("report", "main", "success"), ("retry", "main")):
        assert cli.run(*words).err.startswith(said), words


def test_one_name_of_a_branch_and_an_environment_is_refused_with_both(
    repository: Repository, cli: Cli
) -> None:
    first = record(repository, "staging", release="v1")
    deployed = deploy(repository, first, "staging")
    said = cli.run("show", "staging")
    assert (said.code, TIME.sub("TIME", said.err)) == (
        1,
        f"shiplift: 'staging' names several builds of {repository.slug}; say the number:\n"
        f"  {deployed}  promote  success  in staging  v1  9fc1ad6ebf12  staging  TIME\n"
        f"  {first}  push  success  v1  9fc1ad6ebf12  staging  TIME\n",
    )
    assert found(cli, "latest@staging")[0] == first
    # So is `latest` where it is what something is called.
    newest = record(repository, "main")
    assert found(cli, "latest")[0] == newest
    record(repository, "feature", release="latest", after=OTHER)
    assert cli.run("show", "latest").code == 1


def test_only_one_of_a_branch_and_an_environment_has_a_build(repository: Repository, cli: Cli) -> None:
    first = record(repository, "staging", FAILURE)
    repository.promote(first, "staging")
    assert cli.run("show", "staging") == (
        1,
        "",
        f"shiplift: {repository.slug} has no build 'staging': no number, release, external id or commit"
        " (7 digits or more) is that, no branch with a build that succeeded, and no environment with"
        " anything in it\n",
    )
    second = record(repository, "staging")
    assert found(cli, "staging")[0] == second


def test_a_release_of_several_builds_of_one_commit_is_the_newest(repository: Repository, cli: Cli) -> None:
    for _ in range(2):
        newest = record(repository, "main", release="v1")
    assert found(cli, "v1") == (newest, f"v1 is build {newest}, 9fc1ad6e\n")
    # An abbreviated commit is the same one.
    newest = record(repository, "main", release="v1", after=COMMIT[:8])
    assert found(cli, "v1")[0] == newest
    record(repository, "main", release="v1", after=OTHER)
    assert cli.run("promote", "v1", "qa").err.startswith(
        f"shiplift: 'v1' names several builds of {repository.slug}; say the number:\n"
    )
    # What has no commit is not known to be the same.
    for _ in range(2):
        record(repository, "main", release="v2", after="")
    assert cli.run("show", "v2").code == 1


@pytest.mark.parametrize(
    ("word", "branch"), [("latest", "main"), ("latest@next", "next"), ("latest@feature/x y", "feature/x y")]
)
def test_a_branch_without_a_success_is_named(
    repository: Repository, cli: Cli, word: str, branch: str
) -> None:
    record(repository, branch, FAILURE)
    assert cli.run("show", word) == (
        1,
        "",
        f"shiplift: {repository.slug} has no build {word!r}: no build of the branch {branch!r} has"
        " succeeded yet\n",
    )


def test_who_may_only_read_finds_by_every_name(repository: Repository, name: str, tmp_path: Path) -> None:
    there = deploy(repository, record(repository, "main"), "production")
    reader = repository.of(f"{name}-reader", access_pb2.ACCESS_LEVEL_READ)
    cli = Cli(tmp_path, repository.server.address, reader.token or "", repository.slug)
    assert [found(cli, word)[0] for word in ("latest", "main", "production")] == [1, 1, there]


def test_names_that_nothing_can_have_are_refused_as_names(repository: Repository) -> None:
    with Client(repository.server.address, repository.server.admin_token) as client:
        for word in ("x" * 600, "a b", "latest@", "é", "@"):
            with pytest.raises(NotFound) as refused:
                client.find_build(owner=repository.owner, repo=repository.name, name=word)
            assert refused.value.reason == "BUILD_NOT_FOUND"
        record(repository, "qa")
        deploy(repository, 1, "qa")
        with pytest.raises(SeveralBuilds) as several:
            client.find_build(owner=repository.owner, repo=repository.name, name="qa")
        assert [build.number for build in several.value.builds] == [2, 1]
