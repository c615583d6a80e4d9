"""`shiplift hold` and `resume`, on a real server."""

from pathlib import Path

import pytest
from shiplift.v1 import access_pb2

from tests.support.cli import Cli
from tests.support.repository import Repository
from tests.support.staged import SUCCESS
from tests.support.terminal import TIME


@pytest.fixture
def cli(repository: Repository, tmp_path: Path) -> Cli:
    """The site admin's command, in a repository with a build."""
    repository.record(status=SUCCESS)
    server = repository.server
    return Cli(tmp_path, server.address, server.admin_token, repository.slug)


def refused(cli: Cli, target: str) -> list[str]:
    """What is said of a promotion that gates refuse, a line for each."""
    said = cli.run("promote", "1", target)
    assert (said.code, said.out) == (1, ""), said
    return said.err.splitlines()[1:-1]


def test_an_environment_is_held_and_let_go(cli: Cli, repository: Repository) -> None:
    slug, reason = repository.slug, ("--reason", "the shop is down")
    held = f"{slug}: production is held by admin: the shop is down\n"
    assert cli.run("hold", "production", *reason) == (0, held, "")
    assert refused(cli, "production") == ["  hold: production is held by admin: the shop is down"]
    assert cli.run("promote", "1", "staging").code == 0
    said = cli.run("resume", "production", "--comment", "up again")
    assert (said.code, TIME.sub("TIME", said.out)) == (
        0,
        f"{slug}: production is held no more; it was by admin since TIME: the shop is down\n",
    )
    assert cli.run("promote", "1", "production").code == 0
    said = cli.run("resume", "production")
    assert (said.code, said.err.partition(":")[2]) == (
        1,
        " refused (NOT_FOUND): nobody holds production: what stops it may be a hold of the repository or of"
        " all of octocat's, or a freeze; `shiplift envs` shows which\n",
    )


def test_a_hold_ends_by_itself(cli: Cli, repository: Repository) -> None:
    words = ("hold", "production", "--reason", "x", "--until")
    hold = cli.run(*words, "2999-12-24T18:00+01:00", "--json").json()
    assert (hold["until"], hold["scope"]) == ("2999-12-24T17:00:00Z", "HOLD_SCOPE_ALL")
    # As clocks show it here.
    for zone, told in (("Asia/Tokyo", "09:00"), ("UTC", "18:00")):
        hold = cli.run(*words, "2999-12-24T18:00", "--json", TZ=zone).json()
        assert hold["until"] == f"2999-12-24T{told}:00Z"
    said = cli.run(*words, "1h30m")
    assert TIME.sub("TIME", said.out) == f"{repository.slug}: production is held by admin until TIME: x\n"
    for wrong in ("tomorrow", "2h3", "2999-13-24T18:00"):
        told = "wanted a length from now, such as 10m, 1h30m, 7d or 90 (seconds), or a time, such as"
        assert cli.run(*words, wrong) == (2, "", f"shiplift: --until {wrong!r}: {told} 2026-12-24T18:00\n")


def test_machine_users_alone_are_held(cli: Cli, repository: Repository) -> None:
    held = cli.run("hold", "production", "--automatic", "--reason", "by hand today")
    told = "production is held by admin for machine users: by hand today"
    assert held == (0, f"{repository.slug}: {told}\n", "")
    bot = f"bot-{repository.name}"
    assert cli.run("user", "add", bot, "--machine").code == 0
    assert cli.run("grant", "add", bot, "write").code == 0
    token = cli.run("token", "create", "--login", bot).out.strip()
    machine = Cli(cli.home, cli.server, token, repository.slug)
    assert refused(machine, "production") == [f"  hold: {told}"]
    assert cli.run("promote", "1", "production").code == 0


def test_a_repository_and_an_owner_are_held_as_a_whole(cli: Cli, repository: Repository) -> None:
    assert cli.run("hold", "--reason", "x") == (
        2,
        "",
        f"shiplift: which environment of {repository.slug}? Name it, or say --all\n",
    )
    assert cli.run("resume", "production", "--all") == (
        2,
        "",
        "shiplift: --all and production are both given: leave one out\n",
    )
    said = cli.run("hold", "--all", "--reason", "moving")
    assert said.out == f"{repository.slug}: every environment is held by admin: moving\n"
    assert refused(cli, "qa") == [f"  hold: {repository.slug} is held by admin: moving"]
    assert cli.run("resume", "--all").code == 0


def test_an_owner_is_held_as_a_whole(cli: Cli, repository: Repository) -> None:
    # Of an owner of its own, for others' tests run on this server.
    owner = f"of-{repository.name}"
    other = Repository.make(repository.server, owner, "hello")
    other.record(status=SUCCESS)
    everywhere = ("-R", f"{owner}/*")
    said = cli.run("hold", "--all", *everywhere, "--reason", "moving", "-o", "name")
    assert said == (0, "", "")
    cli.repo = other.slug
    assert refused(cli, "qa") == [f"  hold: {owner}/* is held by admin: moving"]
    writer = Cli(
        cli.home, cli.server, other.of(f"w-{owner}", access_pb2.ACCESS_LEVEL_WRITE).token or "", other.slug
    )
    assert writer.run("resume", "--all", *everywhere).code == 1
    assert cli.run("resume", "--all", *everywhere).code == 0
    assert cli.run("promote", "1", "qa").code == 0
