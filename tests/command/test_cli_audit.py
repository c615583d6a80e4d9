"""`shiplift audit`: a table for people, lines for programs, and what comes."""

import json
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from shiplift.v1 import access_pb2 as pb

from tests.support.beside import opened
from tests.support.cli import Cli
from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS, until
from tests.support.refusals import refusal
from tests.support.repository import Repository


@pytest.fixture
def cli(own_server: Shipliftd, tmp_path: Path) -> Cli:
    """octocat/app, of which build 1 was promoted and build 9 was not."""
    repository = Repository.make(own_server, "octocat", "app")
    repository.record()
    repository.promote(1, comment="the \x1b[31mfair")
    refusal(repository.promote, 9, "staging")
    seal(own_server)
    return Cli(tmp_path, own_server.address, own_server.admin_token, "octocat/app")


def seal(server: Shipliftd) -> None:
    """Returns once all rows are sealed."""

    def is_sealed() -> bool:
        with opened(server.database) as store:
            found = store.execute("SELECT count(*) FROM audit WHERE seq IS NULL").fetchone()
            return bool(found[0] == 0)

    until(is_sealed)


def test_a_table_has_the_newest_first(cli: Cli) -> None:
    said = cli.run("audit", "--limit", "3")
    assert (said.code, said.err) == (0, "")
    heading, *rows = said.out.splitlines()
    assert heading.split() == ["TIME", "WHO", "WHAT", "WHERE", "OUTCOME", "FROM", "WHY"]
    refused, promoted, recorded = rows
    assert "admin (first start)  PromoteBuild 9  octocat/app staging     NOT_FOUND  127.0.0.1" in refused
    assert promoted.endswith("PromoteBuild 2  octocat/app production  ok         127.0.0.1  the [31mfair")
    assert "CreateBuild 1" in recorded
    assert cli.run("audit", "--user", "admin", "--outcome", "ABORTED").err == (
        "Nothing of this stands in the audit.\n"
    )
    assert (
        len(cli.run("audit", "--since", "1h", "--method", "PromoteBuild", "-e", "staging").out.splitlines())
        == 2
    )
    assert cli.run("audit", "--until", "1h").err == "Nothing of this stands in the audit.\n"
    assert cli.run("audit", "--since", "yesterday") == (
        2,
        "",
        "shiplift: --since 'yesterday': wanted how long ago, such as 10m, 1h30m, 7d or 90 (seconds),"
        " or a time, such as 2026-12-24T18:00\n",
    )


def lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def test_lines_for_programs_go_on_where_they_ended(cli: Cli) -> None:
    first = lines(cli.run("audit", "--all", "--after", "0", "--json").out)
    assert [int(event["seq"]) for event in first] == list(range(1, len(first) + 1))
    last = first[-1]
    assert (last["method"], last["outcome"], last["environment"]) == (
        "PromoteBuild",
        "NOT_FOUND",
        "staging",
    )
    assert list(last) == [field.name for field in pb.AuditEvent.DESCRIPTOR.fields]
    assert cli.run("audit", "--all", "--after", last["seq"], "--json") == (0, "", "")
    assert lines(cli.run("audit", "--limit", "1", "--json").out) == [last]


def test_follow_shows_what_comes_until_it_is_interrupted(cli: Cli, own_server: Shipliftd) -> None:
    following = cli.start("audit", "--follow", "--json")
    assert following.stdout is not None
    app, is_seen = Repository(own_server, "octocat", "app"), threading.Event()

    def promote() -> None:
        # From where on it follows it knows once it has begun.
        while not is_seen.wait(0.05):
            app.promote(1)

    promoting = threading.Thread(target=promote)
    promoting.start()
    try:
        seen = [json.loads(following.stdout.readline())]
        is_seen.set()
        promoting.join()
        app.promote(1, comment="the last one")
        while seen[-1]["reason"] != "the last one":
            seen.append(json.loads(following.stdout.readline()))
    finally:
        is_seen.set()
        following.send_signal(signal.SIGINT)
    rest, errors = following.communicate(timeout=SECONDS)
    assert (following.returncode, rest, errors) == (130, "", "")
    seqs = [int(event["seq"]) for event in seen]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
