"""`shiplift figures`."""

from pathlib import Path

import pytest

from tests.support.cli import Cli
from tests.support.delivered import filled
from tests.support.repository import Repository


@pytest.fixture
def cli(repository: Repository, tmp_path: Path) -> Cli:
    """The site admin's command, in the repository of the test's own."""
    server = repository.server
    return Cli(tmp_path, server.address, server.admin_token, repository.slug)


def test_the_figures_of_an_environment(cli: Cli, repository: Repository) -> None:
    filled(repository)
    span = ("--since", "1970-01-01T00:00:01+00:00", "--until", "1970-01-05T00:00:01+00:00")
    found = cli.run("figures", "production", *span)
    assert (found.code, found.err) == (
        0,
        f"production of {repository.slug}, 1970-01-01 00:00 to 1970-01-05 00:00\n",
    )
    assert found.out.splitlines() == [
        "FIGURE                VALUE      OF",
        "deployment frequency  0.5 a day  2 promotions succeeded",
        "lead time             54m10s     of 2; nine in ten within 58m20s",
        "change failure rate   67%        2 of 3 failed or were rolled back",
        "time to restore       16m40s     of 2; nine in ten within 16m40s",
    ]
    none = cli.run("figures", "production")
    assert none.out.splitlines()[1:] == [
        "deployment frequency  0 a day  0 promotions succeeded",
        "lead time             -        of 0; none",
        "change failure rate   -        0 of 0 failed or were rolled back",
        "time to restore       -        of 0; none",
    ]
    shown = cli.run("figures", "production", *span, "--json=changes,failed_changes")
    assert shown.code == 0
