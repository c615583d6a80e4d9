"""What `promote --wait` and `wait` show of a promotion that failed, on a real server with a real runner."""

from pathlib import Path

import pytest
from shiplift.v1 import builds_pb2 as pb

from tests.support.harness import Shipliftd
from tests.support.repository import Repository
from tests.support.runners import Fleet, pipeline
from tests.support.staged import FAILURE, SUCCESS
from tests.support.terminal import wide_terminal

GOOD = "- {name: ship, commands: ['true']}\n"
# What comes behind it has the last lines that were shown.
BAD = (
    "- {name: ship, commands: ['for n in $(seq 30); do echo line $n; done; exit 3']}\n"
    "- {name: clean up, commands: ['echo cleaned'], when: {status: [failure]}}\n"
)
LAST = [f"line {n}" for n in range(11, 31)]


@pytest.fixture
def fleet(server: Shipliftd, repository: Repository, tmp_path: Path) -> Fleet:
    """Runners for a repository of the test's own."""
    return Fleet.make(server, repository, tmp_path)


def recorded(fleet: Fleet, steps: str) -> int:
    """Records a build with these steps; its number."""
    made = fleet.repository.record(
        pipeline=pipeline(steps), event=pb.BUILD_EVENT_PUSH, status=pb.BUILD_STATUS_SUCCESS
    )
    return made.number


def failed(fleet: Fleet) -> list[str]:
    """What is said of a promotion of what fails, from where it has ended."""
    build = recorded(fleet, BAD)
    with fleet.running("--once"):
        said = fleet.person.run("promote", str(build), "production", "--wait")
    assert said.code == 4
    lines = said.err.splitlines()
    end = next(n for n, line in enumerate(lines) if " is failure" in line)
    return lines[end + 1 :]


def test_the_step_its_last_lines_and_who_promoted(fleet: Fleet) -> None:
    assert failed(fleet) == [
        "It failed at default/ship, exit code 3. It was promoted by admin.",
        "--- the last lines of default/ship",
        *LAST,
    ]


def test_the_line_that_rolls_back_does(fleet: Fleet) -> None:
    slug = fleet.repository.slug
    good = recorded(fleet, GOOD)
    fleet.repository.promote(good)
    assert fleet.once().code == 0
    line = failed(fleet)[-1]
    assert line == f"To roll back: shiplift rollback production -R {slug}"
    said = fleet.person.run(
        *line.removeprefix("To roll back: shiplift ").split(), "--json=parent,rollback_of"
    )
    assert said._replace(err="").json() == {"parent": good, "rollback_of": 4}
    # Something else went there since.
    again = fleet.person.run("wait", "4", "--json")
    assert again.code == 4
    assert again.err.splitlines()[-1] == LAST[-1]


def test_nothing_rolls_back_what_never_began_or_what_it_is_itself(fleet: Fleet) -> None:
    repository = fleet.repository
    build = repository.record(status=SUCCESS).number
    first = repository.promote(build).number
    repository.report(first, SUCCESS)
    # The same build again: to go back to it is no way back.
    same = repository.promote(build).number
    repository.report(same, FAILURE)
    assert "roll back" not in fleet.person.run("wait", str(same)).err
    other = repository.promote(repository.record(status=SUCCESS).number).number
    repository.report(other, FAILURE)
    assert "To roll back: " in fleet.person.run("wait", str(other)).err


def test_what_stands_on_the_terminal_already_is_not_shown_again(fleet: Fleet) -> None:
    build = fleet.promote("- {name: ship, commands: ['echo only once', 'exit 3']}\n")
    assert fleet.once().code == 1
    shown = wide_terminal(fleet.person, 200, "wait", str(build), NO_COLOR="1")
    assert shown.count("\r\nonly once\r\n") == 1
    assert "It failed at default/ship, exit code 3. It was promoted by admin.\r\n" in shown


def test_a_build_that_goes_nowhere_has_no_way_back(fleet: Fleet) -> None:
    build = fleet.repository.record(status=FAILURE).number
    said = fleet.person.run("wait", str(build))
    assert said == (4, "", f"{fleet.repository.slug}: build {build} is failure\n")
