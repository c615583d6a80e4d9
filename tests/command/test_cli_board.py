"""`shiplift envs` as a board: what is where, what is on its way there, and what is in the way."""

from pathlib import Path

import pytest
from shiplift import Client
from shiplift.v1 import builds_pb2 as pb

from tests.support.cli import Cli
from tests.support.patience import until
from tests.support.repository import Repository
from tests.support.staged import FAILURE, SUCCESS, Staged, lose, stored
from tests.support.terminal import TIME, screen

HOUR_MS = 3_600_000


@pytest.fixture
def cli(repository: Repository, tmp_path: Path) -> Cli:
    """The site admin's command, in the repository of the test's own."""
    server = repository.server
    return Cli(tmp_path, server.address, server.admin_token, repository.slug)


def fill(repository: Repository) -> None:
    """Environments in every state, of a build 1."""
    freeze = {
        "name": "rest",
        "zone": "UTC",
        "from": "2026-01-01T00:00",
        "to": "2999-01-01T00:00",
        "reason": "for good",
    }
    with Client(repository.server.address, repository.server.admin_token) as client:
        for said in (
            {"name": "production", "required_approvals": 1, "approvers": ["mona"], "freezes": [freeze]},
            {"name": "qa"},
            {"name": "staging"},
        ):
            client.create_environment(owner=repository.owner, repo=repository.name, environment=said)
        client.hold_environment(
            owner=repository.owner, repo=repository.name, environment="staging", reason="broken"
        )
    hold, freezes = (pb.Override(gate=gate, reason="x") for gate in ("hold", "freeze"))
    repository.record(status=SUCCESS, release="v1")
    there = repository.promote(1, "staging", overrides=[hold])
    repository.report(there.number, SUCCESS)
    stored(
        repository.server,
        "UPDATE builds SET finished = finished - ?, version = version + 1 WHERE id = ?",
        *(2 * HOUR_MS, there.id),
    )
    repository.promote(1, "staging", overrides=[hold])
    repository.promote(1, "staging", overrides=[hold])
    repository.promote(1, "production", overrides=[freezes])
    failed = repository.promote(1, "qa").number
    repository.report(failed, FAILURE)


def test_the_board_has_all_that_is_on_its_way_or_in_it(cli: Cli, repository: Repository) -> None:
    slug = repository.slug
    assert cli.run("envs") == (0, "", f"Nothing was promoted in {slug} yet.\n")
    fill(repository)
    said = cli.run("envs")
    found = [TIME.sub("2026-01-02 03:04", line) for line in said.out.splitlines()]
    pad = " " * (len(slug) - len("REPOSITORY"))
    by = "2026-01-02 03:04"
    assert found[0] == f"REPOSITORY{pad}  ENVIRONMENT  CURRENT  RELEASE  COMMIT    AGE  BY     STATE"
    assert found[1].startswith(
        f"{slug}  production                                           frozen by rest until {by}: for good;"
        " 5 waits for approvals: 0 of 1 approvals; wanted is one of mona, by "
    )
    assert found[2:] == [
        f"{slug}  qa                                                   6 failure at default",
        f"{slug}  staging      2        v1       9fc1ad6e  2h   admin  held by admin: broken; 3 pending;"
        " 4 waits for queue: promotion 3 to staging is under way: this one goes when it has ended",
    ]
    assert said.err.startswith("staging: build 3: stage 'default' waits for a deployer of staging: ")
    assert cli.run("envs", "qa", "--json=current,declared").json() == [{"current": None, "declared": True}]


def test_the_board_fits_a_terminal_with_its_states_whole(cli: Cli, repository: Repository) -> None:
    fill(repository)
    shown = screen(cli, 100, "envs")
    # What is in flight waits for a deployer, which is told below the table.
    table = shown[: next(n for n, line in enumerate(shown) if line.startswith("staging: build 3: "))]
    assert max(map(len, table)) <= 100
    assert not any("…" in line for line in table)
    words = " ".join(" ".join(line.split()) for line in table)
    assert "6 failure at default" in words


def test_what_is_lost_is_told_first(cli: Cli, repository: Repository) -> None:
    staged = Staged.of(repository)
    lease = staged.running()
    lose(repository.server, lease.stage.id)

    def state() -> str:
        return TIME.sub("TIME", cli.run("envs").out.splitlines()[-1])

    cli.run("hold", "production", "--reason", "look at it")
    until(lambda: "uncertain" in state())
    told = "uncertain: 2 was lost on box in deploy, TIME; held by admin: look at it; 2 error at deploy"
    assert state().split("production")[1].strip() == told


def test_the_board_of_an_owner(cli: Cli, repository: Repository) -> None:
    # Of an owner of its own, for others' tests run on this server.
    owner = f"owner-of-{repository.name}"
    for name in ("one", "two"):
        made = Repository.make(repository.server, owner, name)
        made.record(status=SUCCESS)
        made.promote(1, "qa")
    assert cli.run("hold", "--all", "-R", f"{owner}/*", "--reason", "moving", "--automatic").code == 0
    said = cli.run("envs", "-R", f"{owner}/*")
    assert said.out.splitlines() == [
        f"REPOSITORY{' ' * (len(owner) - 6)}  ENVIRONMENT  STATE",
        *(
            f"{owner}/{name}  qa           {owner}/* is held by admin for machine users: moving; 2 pending"
            for name in ("one", "two")
        ),
    ]
