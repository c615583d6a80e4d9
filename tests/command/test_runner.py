"""`shiplift runner` does the steps of stages, as a process on a real server."""

import re
import signal
from pathlib import Path

import pytest
from shiplift.v1 import builds_pb2 as pb
from shiplift.v1 import secrets_pb2
from shipliftd.pipelines.plans import BUILT_IN

from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS, until, within
from tests.support.repository import Repository, change
from tests.support.runners import HEAD, Fleet, counting, is_running, pids, statuses, waiting_for

# 32 KiB with all that a shell, a file or a wire could stumble over.
_BEGIN = (
    " a  'b' \"c\" $HOME ${DRONE_DEPLOY_TO} $(id) `id` \\ \\n %s\n\n"
    "line\ttab\r\u00e9\u2028\U0001f600 *?[x] ; & | > #\n"
)
AWKWARD = _BEGIN + "x" * (32 * 1024 - len(_BEGIN.encode()) - 1) + "\n"


@pytest.fixture
def fleet(server: Shipliftd, repository: Repository, tmp_path: Path) -> Fleet:
    """Runners for a repository of the test's own."""
    return Fleet.make(server, repository, tmp_path)


def test_steps_run_in_their_order_and_what_they_print_is_kept(fleet: Fleet) -> None:
    build = fleet.promote(
        "- {name: first, commands: ['echo one > file', 'echo two >&2']}\n"
        "- {name: second, commands: ['cat file', 'printf unended']}\n"
    )
    said = fleet.once()
    assert (said.code, said.out) == (0, "")
    slug = fleet.repository.slug
    assert said.err.splitlines()[2:] == [
        f"{slug} {build}, stage default: begins",
        f"{slug} {build}, stage default: success",
    ]
    assert fleet.log(build, 1) == ["+ echo one > file\n", "+ echo two >&2\n", "two\n"]
    assert fleet.log(build, 2) == ["+ cat file\n", "one\n", "+ printf unended\n", "unended"]
    found = fleet.repository.get(build)
    assert (found.status, statuses(found)) == (
        pb.BUILD_STATUS_SUCCESS,
        {"first": "success", "second": "success"},
    )
    stage = found.stages[0]
    assert (stage.machine, [list(step.depends_on) for step in stage.steps]) == ("here", [[], ["first"]])


def test_says_on_start_as_whom_it_runs_what(fleet: Fleet) -> None:
    fleet.promote("- {name: only, commands: ['true']}\n")
    first, second = fleet.once().err.splitlines()[:2]
    assert re.fullmatch(r"here takes exec stages for \w+/\w+ from 127\.0\.0\.1:\d+, one\.", first)
    assert re.fullmatch(r"It runs what their pipelines tell it, as the user [\w-]+\.", second)


def test_a_failure_ends_the_stage_and_its_exit_code_is_kept(fleet: Fleet) -> None:
    build = fleet.promote(
        "- {name: fails, commands: ['echo before', 'exit 7', 'echo after']}\n"
        "- {name: never, commands: ['true']}\n"
        "- name: mourns\n"
        "  commands: ['echo $DRONE_BUILD_STATUS $DRONE_STAGE_STATUS ${DRONE_FAILED_STEPS}']\n"
        "  when: {status: [failure]}\n"
        "- {name: always, commands: ['true'], when: {status: [success, failure]}}\n"
    )
    assert fleet.once().code == 1
    found = fleet.repository.get(build)
    assert statuses(found) == {
        "fails": "failure",
        "never": "skipped",
        "mourns": "success",
        "always": "success",
    }
    stage = found.stages[0]
    assert (found.status, stage.status, stage.exit_code) == (
        pb.BUILD_STATUS_FAILURE,
        pb.BUILD_STATUS_FAILURE,
        7,
    )
    assert (stage.error, stage.steps[0].exit_code) == ("step fails: exit code 7", 7)
    assert fleet.log(build, 1) == ["+ echo before\n", "before\n", "+ exit 7\n"]
    assert fleet.log(build, 3)[1:] == ["failure failure fails\n"]


def test_a_failure_that_is_ignored_stops_nothing(fleet: Fleet) -> None:
    build = fleet.promote(
        "- {name: may, commands: ['false'], failure: ignore}\n"
        "- {name: after, commands: ['echo $DRONE_BUILD_STATUS ${DRONE_FAILED_STEPS:-none}']}\n"
        "- {name: mourns, commands: ['true'], when: {status: [failure]}}\n"
    )
    assert fleet.once().code == 0
    found = fleet.repository.get(build)
    assert statuses(found) == {"may": "failure", "after": "success", "mourns": "skipped"}
    assert (found.status, found.stages[0].steps[0].exit_code) == (pb.BUILD_STATUS_SUCCESS, 1)
    assert fleet.log(build, 2)[1:] == ["success none\n"]


def test_a_parameter_arrives_byte_for_byte(fleet: Fleet, tmp_path: Path) -> None:
    assert len(AWKWARD.encode()) == 32 * 1024
    build = fleet.promote(
        f"- name: only\n"
        f"  commands: ['printf %s \"$AWKWARD\" > {tmp_path}/got',\n"
        f"    'cat /proc/self/environ > {tmp_path}/all']\n",
        AWKWARD=AWKWARD,
    )
    assert fleet.once().code == 0
    assert (tmp_path / "got").read_bytes() == AWKWARD.encode()
    assert f"\0AWKWARD={AWKWARD}\0".encode() in b"\0" + (tmp_path / "all").read_bytes()
    assert fleet.ended(build).status == pb.BUILD_STATUS_SUCCESS


def test_the_environment_is_the_plans_and_a_process_s_least(fleet: Fleet) -> None:
    fleet.runner.variables |= {"SHIPLIFT_SECRET": "x", "SHELL": "/bin/odd", "LC_ALL": "C", "USER": "me"}
    build = fleet.promote(
        "- {name: only, commands: [env], environment: {OWN: 'a $$ b', REGION: mine}}\n",
        REGION="eu",
        SIZE="3",
    )
    assert fleet.once().code == 0
    lines = (line.rstrip("\n").partition("=") for line in fleet.log(build, 1)[1:])
    # The built-in variables are test_plan_environment's business.
    built_in = (BUILT_IN | {"DRONE_STEP_NAME", "DRONE_STEP_NUMBER"}) - {"CI"}
    found = {name: value for name, _, value in lines if name not in built_in}
    folder = found.pop("PWD")
    assert re.fullmatch(r"/\S+/shiplift-\w+/workspace", folder)
    root = str(Path(folder).parent)
    assert found == {
        "CI": "true",
        "REGION": "mine",
        "SIZE": "3",
        "OWN": "a $ b",
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": f"{root}/home",
        "TMPDIR": f"{root}/tmp",
        "LANG": "C.UTF-8",
    } | ({"_": found["_"]} if "_" in found else {})
    assert not Path(root).exists()


def test_output_is_there_while_the_step_runs(fleet: Fleet, tmp_path: Path) -> None:
    build = fleet.promote(
        f"- {{name: only, commands: ['echo begun', '{waiting_for(tmp_path / 'go')}', 'echo over']}}\n"
    )
    with fleet.running("--once"):
        until(
            lambda: (
                fleet.repository.get(build).status == pb.BUILD_STATUS_RUNNING and fleet.log(build, 1)[1:2]
            )
        )
        assert fleet.repository.get(build).stages[0].steps[0].status == pb.BUILD_STATUS_RUNNING
        (tmp_path / "go").touch()
        fleet.ended(build)
    assert fleet.log(build, 1)[-1] == "over\n"


def test_a_log_that_grows_too_long_says_how_many_lines_are_missing(fleet: Fleet) -> None:
    build = fleet.promote("- {name: only, commands: ['seq -f %0200.0f 60000']}\n")
    assert fleet.once().code == 0
    *kept, cut, told = fleet.log(build, 1)
    assert kept == ["+ seq -f %0200.0f 60000\n", *(f"{n:0200}\n" for n in range(1, len(kept)))]
    missing = 60_001 - len(kept)
    assert (cut, told) == ("The log ends here: a step keeps 5 MiB of it.\n", f"{missing} lines left out.\n")


def test_long_lines_bad_bytes_and_many_lines_are_all_kept(fleet: Fleet) -> None:
    build = fleet.promote(
        "- {name: long, commands: [\"head -c 150000 /dev/zero | tr '\\\\0' x; echo\"]}\n"
        "- {name: bad, commands: [\"printf 'a\\\\377b\\\\000c\\\\n'\"]}\n"
        "- {name: many, commands: ['seq 20000']}\n"
    )
    assert fleet.once().code == 0
    assert [len(line) for line in fleet.log(build, 1)[1:]] == [65536, 65536, 150001 - 2 * 65536]
    assert fleet.log(build, 2)[-1] == "a\ufffdb\ufffdc\n"
    assert fleet.log(build, 3)[1:] == [f"{number}\n" for number in range(1, 20001)]


def test_a_step_that_prints_without_end_is_not_held_up(fleet: Fleet) -> None:
    line = "0123456789" * 4
    build = fleet.promote(f"- {{name: only, commands: ['yes {line} | head -c 30000000', 'exit 3']}}\n")
    assert fleet.once().code == 1
    assert fleet.ended(build).stages[0].exit_code == 3
    said = fleet.person.run("log", str(build), "1/1")
    assert 5_000_000 < len(said.out) < 5_500_000


def test_a_cancel_ends_grandchildren_within_two_seconds(fleet: Fleet, tmp_path: Path) -> None:
    build = fleet.promote(
        f"- name: only\n"
        f"  commands: ['sh -c \"sleep 600 & echo \\$! > {tmp_path}/a.pid; wait\" &',\n"
        f"    'echo $! > {tmp_path}/b.pid; wait']\n"
        "- {name: never, commands: ['true']}\n"
    )
    with fleet.running("--once") as process:
        started = pids(tmp_path, 2)
        with within(2):
            assert fleet.person.run("cancel", str(build)).code == 0
            until(lambda: not any(map(is_running, started)))
        assert process.wait(timeout=SECONDS) == 1
    found = fleet.repository.get(build)
    assert (found.status, statuses(found)) == (
        pb.BUILD_STATUS_KILLED,
        {"only": "killed", "never": "skipped"},
    )


def test_what_a_step_leaves_running_ends_with_it(fleet: Fleet, tmp_path: Path) -> None:
    build = fleet.promote(
        f"- {{name: only, commands: ['sleep 600 & echo $! > {tmp_path}/a.pid', 'echo over']}}\n"
    )
    assert fleet.once().code == 0
    assert not any(map(is_running, pids(tmp_path, 1)))
    assert fleet.log(build, 1)[-1] == "over\n"


def test_a_stage_that_takes_too_long_ends_in_error(fleet: Fleet, tmp_path: Path) -> None:
    build = fleet.promote(f"- {{name: only, commands: ['echo $$$$ > {tmp_path}/a.pid', 'sleep 600']}}\n")
    assert fleet.once("--timeout", "4").code == 1
    found = fleet.repository.get(build)
    assert (found.status, found.stages[0].error) == (
        pb.BUILD_STATUS_ERROR,
        "it took longer than the runner's limit of 4 s",
    )
    assert statuses(found) == {"only": "killed"}
    assert not any(map(is_running, pids(tmp_path, 1)))


def test_a_detached_step_is_not_waited_for_and_ends_with_the_stage(fleet: Fleet, tmp_path: Path) -> None:
    build = fleet.promote(
        f"- {{name: service, detach: true, commands: ['echo $$$$ > {tmp_path}/a.pid', 'sleep 600']}}\n"
        f"- {{name: user, commands: ['{waiting_for(tmp_path / 'a.pid')}']}}\n"
    )
    assert fleet.once().code == 0
    assert not any(map(is_running, pids(tmp_path, 1)))
    assert statuses(fleet.repository.get(build)) == {"service": "success", "user": "success"}


def test_steps_that_wait_for_the_same_one_run_at_once(fleet: Fleet, tmp_path: Path) -> None:
    left = f"touch {tmp_path}/left; {waiting_for(tmp_path / 'right')}"
    right = f"touch {tmp_path}/right; {waiting_for(tmp_path / 'left')}"
    build = fleet.promote(
        "- {name: first, commands: ['true']}\n"
        f"- {{name: left, depends_on: [first], commands: ['{left}']}}\n"
        f"- {{name: right, depends_on: [first], commands: ['{right}']}}\n"
        "- {name: last, depends_on: [left, right], commands: ['true']}\n"
    )
    assert fleet.once().code == 0
    assert fleet.ended(build).status == pb.BUILD_STATUS_SUCCESS


def test_a_secret_that_there_is_not_is_named(fleet: Fleet) -> None:
    change(fleet.repository, runner_secrets=True)
    build = fleet.promote(
        "- {name: only, commands: ['true'], environment: {KEY: {from_secret: deploy_key}}}\n"
    )
    assert fleet.once().code == 1
    assert "the secret 'deploy_key'" in fleet.repository.get(build).stages[0].steps[0].error


def test_a_secret_arrives_and_is_masked_in_what_a_step_prints(fleet: Fleet, tmp_path: Path) -> None:
    value = "hunter2 \"with'  $quotes\nand a second line"
    owner, repo = fleet.repository.owner, fleet.repository.name
    request = secrets_pb2.SetSecretRequest(owner=owner, repo=repo, name="key", value=value)
    fleet.repository.server.secret_service().SetSecret(request)
    build = fleet.promote(
        "- name: only\n"
        "  environment: {KEY: {from_secret: key}, PLAIN: kept}\n"
        "  commands:\n"
        f'  - printf %s "$KEY" > {tmp_path}/got\n'
        '  - echo "$PLAIN $KEY"\n'
        "  - printf 'and a sec'; sleep 0.5; echo 'ond line.'\n"
        '  - printf %s "$KEY" | base64 -w 0; echo\n'
        "  - printf 'and a second li'\n"
    )
    assert fleet.once().code == 0
    assert (tmp_path / "got").read_text() == value
    shown = [line for line in fleet.log(build, 1) if not line.startswith("+ ")]
    assert shown == ["kept ******\n", "******\n", "******.\n", "******=\n", "and a second li"]


def test_a_shell_that_is_not_there_is_an_error_in_words(fleet: Fleet) -> None:
    build = fleet.promote("- {name: only, commands: ['true'], shell: /no/shell}\n")
    assert fleet.once().code == 1
    found = fleet.repository.get(build)
    assert (found.status, statuses(found)) == (pb.BUILD_STATUS_ERROR, {"only": "error"})
    assert "could not be started" in found.stages[0].error
    assert "/no/shell" in found.stages[0].error


def test_as_many_at_once_as_there_is_capacity_for(fleet: Fleet, tmp_path: Path) -> None:
    wait = waiting_for(tmp_path / "go")
    step = f"- {{name: only, commands: ['echo $$$$ > {tmp_path}/$NAME.pid', '{wait}']}}\n"
    builds = [fleet.promote(step, NAME=name) for name in "abc"]
    with fleet.running("--capacity", "2"):
        assert len(pids(tmp_path, 2)) == 2
        # All that another runner does meanwhile is time enough for a third one to begin.
        fleet.promote("- {name: only, commands: ['true']}\n", HEAD + "node: {zone: inner}\n")
        assert fleet.once("--label", "zone=inner").code == 0
        assert sorted(path.stem for path in tmp_path.glob("*.pid")) == ["a", "b"]
        (tmp_path / "go").touch()
        assert [fleet.ended(build).status for build in builds] == [pb.BUILD_STATUS_SUCCESS] * 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_runner_that_is_stopped_kills_and_says_so(fleet: Fleet, tmp_path: Path, number: int) -> None:
    build = fleet.promote(f"- {{name: only, commands: ['echo $$$$ > {tmp_path}/a.pid', 'sleep 600']}}\n")
    with fleet.running() as process:
        started = pids(tmp_path, 1)
        process.send_signal(number)
        assert process.wait(timeout=SECONDS) == 0
    found = fleet.repository.get(build)
    assert (found.status, found.stages[0].error) == (pb.BUILD_STATUS_KILLED, "the runner was stopped")
    assert not any(map(is_running, started))


def test_a_runner_that_is_killed_leaves_nothing_running(fleet: Fleet, tmp_path: Path) -> None:
    fleet.promote(f"- {{name: only, commands: ['sleep 600 & echo $! > {tmp_path}/a.pid', 'wait']}}\n")
    with fleet.running() as process:
        started = pids(tmp_path, 1)
        with within(2):
            process.kill()
            until(lambda: not any(map(is_running, started)))


def test_a_runner_that_waits_stops_at_once(fleet: Fleet) -> None:
    build = fleet.promote("- {name: only, commands: ['true']}\n")
    with fleet.running() as process:
        # Its one stage is done: from now on it waits.
        fleet.ended(build)
        with within(3):
            process.terminate()
            assert process.wait(timeout=SECONDS) == 0


def test_labels_are_matched(fleet: Fleet) -> None:
    head = HEAD + "node: {zone: inner}\n"
    build = fleet.promote("- {name: only, commands: ['true']}\n", head)
    later = fleet.promote("- {name: only, commands: ['true']}\n")
    with fleet.running():
        # It takes the second one, and not the first, which has waited longer.
        assert fleet.ended(later).status == pb.BUILD_STATUS_SUCCESS
        assert fleet.repository.get(build).status == pb.BUILD_STATUS_PENDING
    assert fleet.once("--label", "zone=inner").code == 0


def test_a_token_that_may_not_run_is_told_so(fleet: Fleet, server: Shipliftd) -> None:
    fleet.runner.token = server.user(f"other-{fleet.repository.name}")
    said = fleet.once()
    assert said.code == 1
    assert said.err.splitlines()[2].startswith("shiplift: refused (PERMISSION_DENIED): AcquireStage")


def test_a_server_that_starts_again_loses_nothing(tmp_path: Path) -> None:
    database, log = tmp_path / "shiplift.db", tmp_path / "err"
    with Shipliftd(database) as first:
        repository = Repository.make(first, "octocat", "again")
        fleet = Fleet.make(first, repository, tmp_path)
        build = fleet.promote(counting(tmp_path))
        with log.open("w") as file:
            process = fleet.runner.start("runner", "--once", stderr=file.fileno())
        until(
            lambda: (
                fleet.repository.get(build).status == pb.BUILD_STATUS_RUNNING and fleet.log(build, 1)[5:]
            )
        )
        listen = first.address
    # It goes on while nobody takes what it prints.
    counted = len((tmp_path / "count").read_text())
    until(lambda: len((tmp_path / "count").read_text()) > counted + 10)
    with Shipliftd(database, listen=listen) as second:
        (tmp_path / "go").touch()
        assert process.wait(timeout=SECONDS) == 0, log.read_text()
        fleet = Fleet(Repository(second, "octocat", "again"), fleet.runner, fleet.person)
        printed = len((tmp_path / "count").read_text())
        assert fleet.log(build, 1)[1:] == [f"{number}\n" for number in range(printed)]
        assert fleet.repository.get(build).status == pb.BUILD_STATUS_SUCCESS
