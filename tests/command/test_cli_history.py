"""`shiplift history`, and `envs --at`."""

from pathlib import Path

import pytest
from shiplift.v1 import builds_pb2 as pb

from tests.support.cli import Cli
from tests.support.repository import Repository
from tests.support.staged import SUCCESS, stored

# 2026-01-02T03:04:05Z.
BEGIN_MS = 1_767_323_045_000


@pytest.fixture
def cli(repository: Repository, tmp_path: Path) -> Cli:
    """The site admin's command, in the repository of the test's own."""
    server = repository.server
    return Cli(tmp_path, server.address, server.admin_token, repository.slug)


def fill(repository: Repository, cli: Cli) -> None:
    """Two releases, a rollback to the first and a settlement, an hour and a minute after each other."""
    repository.record(status=SUCCESS, release="v1")
    repository.record(status=SUCCESS, release="v2")
    for build in (1, 2):
        repository.report(repository.promote(build, comment=f"release {build}").number, SUCCESS)
    back = pb.RollbackRequest(
        owner=repository.owner, repo=repository.name, target="production", comment="it is slow"
    )
    repository.report(repository.builds.RollbackBuild(back).number, SUCCESS)
    settled = cli.run("settle", "production", "--current", "0", "--comment", "the cluster is gone")
    assert settled.code == 0
    query = (
        "UPDATE arrivals SET at = ? + 3660000 * (SELECT count(*) FROM arrivals AS o"
        " WHERE o.repo_id = arrivals.repo_id AND o.id < arrivals.id)"
        " WHERE repo_id = (SELECT id FROM repositories WHERE name = ?)"
    )
    stored(repository.server, query, BEGIN_MS, repository.name)


def test_the_history_of_an_environment(cli: Cli, repository: Repository) -> None:
    refused = cli.run("history", "production")
    assert (refused.code, refused.out) == (1, "")
    assert refused.err == (
        "shiplift: refused (NOT_FOUND): nothing was promoted to 'production' of"
        f" {repository.slug} yet: `shiplift envs` shows what there is\n"
    )
    fill(repository, cli)
    shown = cli.run("history", "production")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.splitlines() == [
        "SINCE                      STOOD        BUILD    RELEASE  COMMIT    BY     STATE             WHY",
        "2026-01-02 06:07:05 +0000  still there  nothing                     admin  settled           the"
        " cluster is gone",
        "2026-01-02 05:06:05 +0000  1h1m         5        v1       9fc1ad6e  admin  rollback of 4     it is"
        " slow",
        "2026-01-02 04:05:05 +0000  1h1m         4        v2       9fc1ad6e  admin  rolled back by 5  "
        "release 2",
        "2026-01-02 03:04:05 +0000  1h1m         3        v1       9fc1ad6e  admin                    "
        "release 1",
    ]
    some = cli.run("history", "production", "--until", "2026-01-02T05:00Z", "--limit", "1", "--json")
    (told,) = some.json()
    assert (told["build"]["number"], told["until"], told["comment"]) == (
        4,
        "2026-01-02T05:06:05Z",
        "release 2",
    )
    none = cli.run("history", "production", "--since", "2026-01-02T07:00Z")
    assert none == (0, "", f"Nothing came to production of {repository.slug} in that time.\n")
    assert cli.run("history", "production", "--since", "soon") == (
        2,
        "",
        "shiplift: --since 'soon': wanted how long ago, such as 10m, 1h30m, 7d or 90 (seconds), or a time,"
        " such as 2026-12-24T18:00\n",
    )


def test_what_was_there_at_some_time(cli: Cli, repository: Repository) -> None:
    fill(repository, cli)
    (there,) = cli.run("envs", "--at", "2026-01-02T04:30Z", "--json=environment,current,since").json()
    assert (there["environment"], there["current"]["number"], there["since"]) == (
        "production",
        4,
        "2026-01-02T04:05:05Z",
    )
    early = cli.run("envs", "--at", "2026-01-02T03:00Z")
    assert early == (0, "", f"Nothing had come in {repository.slug} by then.\n")
    # Nothing is there, and has been since then.
    (heading, row) = cli.run("envs", "--at", "1h ago").out.splitlines()
    assert heading.split() == ["REPOSITORY", "ENVIRONMENT", "AGE"]
    assert row.split()[:-1] == [repository.slug, "production"]
