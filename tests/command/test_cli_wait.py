"""`shiplift wait`, `promote --wait` and `log -f` of what has not begun, on a real server."""

import signal
from pathlib import Path

import pytest
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb
from shiplift.v1 import environments_pb2 as env

from tests.support.cli import Said
from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS, until
from tests.support.repository import Repository
from tests.support.runners import Fleet, pipeline, waiting_for
from tests.support.staged import RUNNING, SUCCESS, stored

STEPS = "- {name: build it, commands: ['echo one']}\n- {name: ship, commands: ['echo two']}\n"
LOG = "+ echo one\none\n+ echo two\ntwo\n"


@pytest.fixture
def fleet(server: Shipliftd, repository: Repository, tmp_path: Path) -> Fleet:
    """Runners for a repository of the test's own."""
    return Fleet.make(server, repository, tmp_path)


def states(said: Said) -> list[str]:
    """What is said of the builds' states, without what a pending one waits for."""
    return [line.partition(" waits for a runner")[0] for line in said.err.splitlines()]


def recorded(fleet: Fleet, steps: str = STEPS) -> str:
    made = fleet.repository.record(
        pipeline=pipeline(steps), event=pb.BUILD_EVENT_PUSH, status=pb.BUILD_STATUS_SUCCESS
    )
    return str(made.number)


def test_promote_waits_and_shows_the_log_and_how_it_moves(fleet: Fleet) -> None:
    slug = fleet.repository.slug
    with fleet.running("--once"):
        said = fleet.person.run("promote", recorded(fleet), "production", "--wait")
    assert (said.code, said.out) == (0, LOG)
    told = states(said)
    assert told[0].endswith("to production as build 2")
    assert told[-1] == f"{slug}: build 2 is success"
    assert [line for line in told if line.startswith("---")] == [
        "--- default/build it (1/1)",
        "--- default/ship (1/2)",
    ]
    # What it was in between depends on who was faster.
    assert set(told[1:-1]) <= {
        f"{slug}: build 2 is pending",
        f"{slug}: build 2 is pending: stage 'default'",
        f"{slug}: build 2 is running",
        "--- default/build it (1/1)",
        "--- default/ship (1/2)",
    }


def test_a_build_that_fails_is_exit_code_4(fleet: Fleet) -> None:
    build = str(fleet.promote("- {name: ship, commands: ['exit 3']}\n"))
    waiting = fleet.person.start("wait", build)
    assert fleet.once().code == 1
    out, err = waiting.communicate(timeout=SECONDS)
    assert (waiting.returncode, out) == (4, "+ exit 3\n")
    told = err.splitlines()
    assert told[-4].startswith(f"{fleet.repository.slug}: build {build} is failure")
    assert told[-3:] == [
        "It failed at default/ship, exit code 3. It was promoted by admin.",
        "--- the last lines of default/ship",
        "+ exit 3",
    ]
    # And again at once, for it has ended.
    again = fleet.person.run("wait", build)
    assert (again.code, again.out) == (4, "+ exit 3\n")


def test_in_json_the_build_comes_in_the_end(fleet: Fleet) -> None:
    fleet.promote(STEPS)
    assert fleet.once().code == 0
    said = fleet.person.run("wait", "2", "--json")
    shown = fleet.person.run("show", "2", "--json")
    assert (said.code, said.out) == (0, shown.out)
    assert said.err == f"{fleet.repository.slug}: build 2 is success\n"


def test_a_wait_that_is_over_leaves_the_build_alone(fleet: Fleet) -> None:
    slug = fleet.repository.slug
    said = fleet.person.run("promote", recorded(fleet), "production", "--wait", "--timeout", "0.5")
    assert (said.code, said.out) == (6, "")
    assert said.err.splitlines()[-2:] == [
        f"shiplift: build 2 of {slug} had not ended within 0.5 s",
        f"Build 2 goes on. To wait again: shiplift wait 2 -R {slug}",
    ]
    assert fleet.repository.get(2).status == pb.BUILD_STATUS_PENDING
    assert fleet.person.run("promote", "1", "production", "--timeout", "1") == (
        2,
        "",
        "shiplift: --timeout says how long to wait: it goes with --wait\n",
    )


def test_ctrl_c_leaves_the_promotion_running_and_says_how_to_come_back(fleet: Fleet) -> None:
    number = recorded(fleet)
    waiting = fleet.person.start("promote", number, "production", "--wait")
    assert waiting.stderr is not None
    assert waiting.stderr.readline().endswith("to production as build 2\n")
    assert " is pending: " in waiting.stderr.readline()
    waiting.send_signal(signal.SIGINT)
    _, err = waiting.communicate(timeout=SECONDS)
    assert waiting.returncode == 130
    come_back = f"shiplift wait 2 -R {fleet.repository.slug}"
    assert err.splitlines() == [f"Build 2 goes on. To wait again: {come_back}"]
    assert fleet.repository.get(2).status == pb.BUILD_STATUS_PENDING
    fleet.repository.report(2, SUCCESS)
    assert fleet.person.run(*come_back.split()[1:]).code == 0


def test_a_wait_goes_on_while_people_are_asked(fleet: Fleet) -> None:
    slug = fleet.repository.slug
    build = fleet.repository.record(status=RUNNING)
    stored(fleet.repository.server, "UPDATE builds SET status = 'blocked' WHERE id = ?", build.id)
    said = fleet.person.run("wait", "1", "--timeout", "0.5")
    assert (said.code, said.err.splitlines()[:2]) == (
        6,
        [f"{slug}: build 1 is blocked", f"shiplift: build 1 of {slug} had not ended within 0.5 s"],
    )


def test_what_is_declined_or_superseded_is_exit_code_5(fleet: Fleet) -> None:
    repository = fleet.repository
    production = env.Environment(
        name="production", required_approvals=1, queue_policy="QUEUE_POLICY_SUPERSEDE"
    )
    repository.server.environments().CreateEnvironment(
        env.CreateEnvironmentRequest(owner=repository.owner, repo=repository.name, environment=production)
    )
    recorded = repository.record(status=SUCCESS).number
    first = fleet.person.start("promote", str(recorded), "production", "--wait")
    until(lambda: repository.counter() == recorded + 1)
    second = fleet.person.start("promote", str(recorded), "production", "--wait")
    _, err = first.communicate(timeout=SECONDS)
    assert (first.returncode, err.splitlines()[-1]) == (
        5,
        f"{repository.slug}: build 2 is killed: superseded by 3",
    )
    mona = repository.of(f"mona-{repository.name}", access_pb2.ACCESS_LEVEL_ADMIN)
    mona.builds.DeclineBuild(pb.DeclineBuildRequest(owner=repository.owner, repo=repository.name, build=3))
    _, err = second.communicate(timeout=SECONDS)
    assert (second.returncode, "build 3 is declined" in err.splitlines()[-1]) == (5, True)


def test_a_log_of_what_has_not_begun_says_what_it_waits_for_and_goes_on(fleet: Fleet) -> None:
    build = str(fleet.promote(STEPS))
    follower = fleet.person.start("log", build, "1/2", "-f")
    assert follower.stderr is not None
    told = follower.stderr.readline()
    assert told.startswith(f"{fleet.repository.slug}: build {build} is pending: stage 'default' waits for")
    assert fleet.once().code == 0
    out, err = follower.communicate(timeout=SECONDS)
    assert (follower.returncode, out, err) == (0, "+ echo two\ntwo\n", "")


def test_a_wait_goes_on_through_a_restart_of_the_server(own_server: Shipliftd, tmp_path: Path) -> None:
    repository = Repository.make(own_server, "octocat", "again")
    fleet = Fleet.make(own_server, repository, tmp_path)
    build = fleet.promote(f"- {{name: only, commands: ['echo begun', '{waiting_for(tmp_path / 'go')}']}}\n")
    shown = tmp_path / "shown"
    with fleet.running("--once"):
        with shown.open("w") as file:
            waiting = fleet.person.start("wait", str(build), stdout=file.fileno())
        until(lambda: "begun" in shown.read_text())
        own_server.listen = own_server.address
        own_server.stop()
        own_server.start()
        (tmp_path / "go").touch()
        _, err = waiting.communicate(timeout=SECONDS)
    assert waiting.returncode == 0, err
    assert shown.read_text().startswith("+ echo begun\nbegun\n+ while ")
    assert shown.read_text().count("begun") == 2
    assert err.splitlines()[-1] == f"octocat/again: build {build} is success"
