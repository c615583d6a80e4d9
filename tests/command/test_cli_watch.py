"""`shiplift watch`: changes as lines, for people and for programs."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import Cli
from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS
from tests.support.repository import Repository
from tests.support.staged import FAILURE, PENDING, RUNNING, SUCCESS, Staged

TIME = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000  ")


@pytest.fixture
def cli(server: Shipliftd, repository: Repository, tmp_path: Path) -> Cli:
    """The site admin at that repository."""
    return Cli(tmp_path, server.address, server.admin_token, repository.slug)


def lines_of(process: Any, count: int) -> list[str]:  # noqa: ANN401
    """So many lines that it puts out."""
    return [process.stdout.readline().rstrip("\n") for _ in range(count)]


def test_each_change_is_a_line(repository: Repository, cli: Cli) -> None:
    slug = repository.slug
    repository.record(status=PENDING)
    watch = cli.start("watch")
    assert lines_of(watch, 1) == [f"{slug}: build 1 is pending"]
    staged = Staged.of(repository)
    repository.report(1, FAILURE, message="no space")
    lease = staged.running()
    staged.runner.report(lease.stage.id, SUCCESS)
    told = [TIME.sub("", line) for line in lines_of(watch, 9)]
    assert told == [
        f"{slug}  build 1: default  failure: no space",
        f"{slug}  build 1  failure: no space",
        f"{slug}  build 2  success",
        f"{slug}  build 3 to production  pending",
        f"{slug}  build 3 to production: deploy  pending",
        f"{slug}  build 3 to production: deploy  running",
        f"{slug}  build 3 to production  running",
        f"{slug}  build 3 to production: deploy  success",
        f"{slug}  build 3 to production  success",
    ]
    watch.send_signal(2)
    _, err = watch.communicate(timeout=SECONDS)
    assert (watch.returncode, err) == (130, "")


def test_in_json_each_line_is_an_object_and_its_cursor_goes_on(repository: Repository, cli: Cli) -> None:
    repository.record(status=RUNNING)
    watch = cli.start("watch", "--json", "--event", "push", "--event", "custom")
    snapshot, end = map(json.loads, lines_of(watch, 2))
    assert (snapshot["snapshot"]["number"], snapshot["snapshot"]["status"]) == (1, "BUILD_STATUS_RUNNING")
    assert end["snapshot_end"] == {}
    watch.kill()
    watch.communicate(timeout=SECONDS)
    repository.report(1, SUCCESS)
    again = cli.start("watch", "--json", "--cursor", end["cursor"])
    found = [json.loads(line)["change"] for line in lines_of(again, 2)]
    again.kill()
    again.communicate(timeout=SECONDS)
    assert [each["build"] for each in found] == [1, 1]
    assert found[1]["moved_build"]["status"] == "BUILD_STATUS_SUCCESS"


def test_what_cannot_be_watched_is_said(cli: Cli) -> None:
    said = cli.run("watch", "--event", "merge")
    assert (said.code, said.err.partition(":")[2]) == (
        2,
        " --event 'merge': wanted one of push, pull_request, tag, cron, custom, promote, rollback\n",
    )
    old = cli.run("watch", "--cursor", "00000000-1")
    assert (old.code, "are not kept any more" in old.err) == (1, True)
