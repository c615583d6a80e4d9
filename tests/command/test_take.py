"""`shiplift take` and `report`: a deployer that is no runner, with a shell script in helm's place."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from shiplift.runner.taking import host_name
from shiplift.v1 import builds_pb2 as pb

from tests.support.beside import opened
from tests.support.declared import Declared
from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS, until, within
from tests.support.repository import Repository
from tests.support.runners import Fleet, is_running, pids

NAME = host_name()
HELM = """\
#!/bin/sh
echo "helm $*" > "$OUT/said"
echo "$DRONE_DEPLOY_TO $DRONE_REPO $IMAGE" >> "$OUT/said"
printf %s "$AWKWARD" > "$OUT/awkward"
"""


@pytest.fixture
def fleet(server: Shipliftd, repository: Repository, tmp_path: Path) -> Fleet:
    """A repository with a build without pipeline, and a deployer's token."""
    repository.record(status=pb.BUILD_STATUS_SUCCESS, release="v1")
    return Fleet.make(server, repository, tmp_path)


@pytest.fixture
def helm(tmp_path: Path, fleet: Fleet) -> Path:
    """A program that writes down what it was called with."""
    path = tmp_path / "helm"
    path.write_text(HELM)
    path.chmod(0o700)
    fleet.runner.variables["OUT"] = str(tmp_path)
    return path


def test_a_command_finds_the_parameters(fleet: Fleet, helm: Path, tmp_path: Path) -> None:
    awkward = "a 'b' \"$HOME\"\n\u00e9`id`"
    build = fleet.repository.promote(1, params={"IMAGE": "app:1", "AWKWARD": awkward}).number
    said = fleet.runner.run(
        "take", "production", "--once", "--", str(helm), "upgrade", "--install", "-f", "v.yaml"
    )
    slug = fleet.repository.slug
    assert said == (
        0,
        "",
        f"{NAME} takes one promotion to production from {fleet.runner.server}.\n"
        f"{slug}: build {build} to production: begins\n{slug}: build {build} to production: success\n",
    )
    assert (tmp_path / "said").read_text() == (
        f"helm upgrade --install -f v.yaml\nproduction {slug} app:1\n"
    )
    assert (tmp_path / "awkward").read_bytes() == awkward.encode()
    found = fleet.repository.get(build)
    assert (found.status, found.stages[0].kind) == (pb.BUILD_STATUS_SUCCESS, "external")
    assert fleet.person.run("envs", "production", "--json").json()[0]["current"]["number"] == build


def test_what_the_command_prints_is_what_take_prints_and_the_log_of_its_step(fleet: Fleet) -> None:
    build = fleet.repository.promote(1).number
    script = "cat; echo out; echo err >&2; printf end; exit 3"
    said = fleet.runner.run("take", "production", "--once", "--", "sh", "-c", script, stdin="in\n")
    # In one order, on one stream: what take itself says is on the other one.
    assert (said.code, said.out, "err\n" in said.err) == (3, "in\nout\nerr\nend", False)
    assert fleet.log(build, 1) == ["in\n", "out\n", "err\n", "end"]
    assert fleet.person.run("log", str(build)).out == "in\nout\nerr\nend"
    (stage,) = fleet.repository.get(build).stages
    (step,) = stage.steps
    assert (step.number, step.name, step.status, step.exit_code, step.error) == (
        *(1, "deploy", pb.BUILD_STATUS_FAILURE, 3),
        "sh: exit code 3",
    )


def test_a_secret_parameter_arrives_and_is_masked_in_what_the_command_prints(
    fleet: Fleet, tmp_path: Path
) -> None:
    value = "hunter2-in-the-environment"
    fleet.repository.server.secrets.hide(value)
    Declared(fleet.repository).declare(params=[{"name": "PASSWORD", "secret": True}])
    build = fleet.repository.promote(1, params={"PASSWORD": value}).number
    script = f'printf %s "$PASSWORD" > {tmp_path}/got; echo "it is $PASSWORD"; no-such-"$PASSWORD"'
    said = fleet.runner.run("take", "production", "--once", "--", "sh", "-c", script)
    assert (tmp_path / "got").read_text() == value
    assert said.out.startswith("it is ******\n")
    assert value not in said.out + said.err
    assert fleet.log(build, 1) == said.out.splitlines(keepends=True)


def test_a_deployment_goes_on_where_nobody_reads_what_it_prints(fleet: Fleet) -> None:
    build = fleet.repository.promote(1).number
    script = "for n in 1 2 3; do echo $n; sleep 0.05; done"
    read, write = os.pipe()
    os.close(read)
    process = fleet.runner.start("take", "production", "--once", "--", "sh", "-c", script, stdout=write)
    os.close(write)
    _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, err
    assert fleet.log(build, 1) == ["1\n", "2\n", "3\n"]
    assert fleet.repository.get(build).status == pb.BUILD_STATUS_SUCCESS


def test_the_command_does_not_see_the_deployers_token(fleet: Fleet, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(fleet.runner.token)
    fleet.runner.variables["SHIPLIFT_TOKEN_FILE"] = str(file)
    fleet.repository.promote(1, params={"MINE": "1"})
    said = fleet.runner.run("take", "production", "--once", "--", "env")
    assert said.code == 0
    names = {line.partition("=")[0] for line in said.out.splitlines()}
    assert {"MINE", "PATH", "DRONE_DEPLOY_TO", "SHIPLIFT_SERVER"} <= names
    assert names.isdisjoint({"SHIPLIFT_TOKEN", "SHIPLIFT_TOKEN_FILE"})


@pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed")
def test_terraform_finds_the_parameters_as_its_variables(fleet: Fleet, tmp_path: Path) -> None:
    infra = tmp_path / "infra"
    infra.mkdir()
    (infra / "main.tf").write_text(
        'variable "image" {}\nresource "terraform_data" "app" { input = var.image }\n'
        'output "image" { value = terraform_data.app.output }\n'
    )
    subprocess.run(
        ["terraform", f"-chdir={infra}", "init", "-input=false"], check=True, capture_output=True
    )
    build = fleet.repository.promote(1, params={"TF_VAR_image": "app@sha256:1 é"}).number
    apply = ("terraform", f"-chdir={infra}", "apply", "-input=false", "-auto-approve", "-no-color")
    said = fleet.runner.run("take", "production", "--once", "--", *apply)
    assert (said.code, 'image = "app@sha256:1 é"' in said.out) == (0, True), said
    assert fleet.repository.get(build).status == pb.BUILD_STATUS_SUCCESS


def test_the_exit_code_is_reported_and_is_the_commands(fleet: Fleet) -> None:
    build = fleet.repository.promote(1).number
    assert fleet.runner.run("take", "production", "--once", "--", "sh", "-c", "exit 9").code == 9
    stage = fleet.repository.get(build).stages[0]
    assert (stage.status, stage.exit_code, stage.error) == (pb.BUILD_STATUS_FAILURE, 9, "sh: exit code 9")


def test_a_command_that_is_not_there_is_an_error(fleet: Fleet) -> None:
    build = fleet.repository.promote(1).number
    assert fleet.runner.run("take", "production", "--once", "--", "/no/helm").code == 127
    found = fleet.repository.get(build)
    assert found.status == pb.BUILD_STATUS_ERROR
    assert "/no/helm could not be started" in found.stages[0].error


def test_a_cancel_ends_the_command_and_its_children(fleet: Fleet, tmp_path: Path) -> None:
    build = fleet.repository.promote(1).number
    script = f"sleep 600 & echo $! > {tmp_path}/a.pid; echo $$ > {tmp_path}/b.pid; wait"
    process = fleet.runner.start("take", "production", "--once", "--", "sh", "-c", script)
    started = pids(tmp_path, 2)
    assert fleet.person.run("cancel", str(build)).out == (
        f"{fleet.repository.slug}: build {build} is killed\n"
    )
    with within(2):
        until(lambda: not any(map(is_running, started)))
    _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 143
    assert "cancelled" in err
    assert fleet.repository.get(build).status == pb.BUILD_STATUS_KILLED


@contextmanager
def looping(
    fleet: Fleet,
    *arguments: str,
    script: str = "echo $DRONE_DEPLOY_TO",
    stderr: int = subprocess.PIPE,
) -> Iterator["subprocess.Popen[str]"]:
    """A deployer for two environments that goes on, once it has done a promotion to one."""
    build = fleet.repository.promote(1, "staging").number
    command = ("take", "staging", "production", *arguments, "--", "sh", "-c", script)
    process = fleet.runner.start(*command, stderr=stderr)
    try:
        fleet.ended(build)
        yield process
    finally:
        process.kill()
        process.communicate()


def test_promotions_are_taken_until_it_is_stopped(fleet: Fleet) -> None:
    with looping(fleet) as process:
        builds = [fleet.repository.promote(1, where).number for where in ("production", "qa", "staging")]
        assert [fleet.ended(builds[n]).status for n in (0, 2)] == [pb.BUILD_STATUS_SUCCESS] * 2
        assert fleet.repository.get(builds[1]).status == pb.BUILD_STATUS_PENDING
        process.terminate()
        out, err = process.communicate(timeout=SECONDS)
        slug = fleet.repository.slug
        done = [(builds[0] - 1, "staging"), (builds[0], "production"), (builds[2], "staging")]
        assert (process.returncode, out, err) == (
            0,
            "".join(f"{where}\n" for _, where in done),
            f"{NAME} takes promotions to staging, production from {fleet.runner.server} until stopped;"
            " --once takes one.\n"
            + "".join(
                f"{slug}: build {build} to {where}: begins\n{slug}: build {build} to {where}: success\n"
                for build, where in done
            ),
        )


def test_a_command_that_fails_ends_nothing_else(fleet: Fleet) -> None:
    with looping(fleet, script="exit 4") as process:
        build = fleet.repository.promote(1).number
        assert fleet.ended(build).stages[0].exit_code == 4
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=SECONDS)
        assert process.returncode == 130


def test_it_ends_where_nothing_came_for_so_long(fleet: Fleet) -> None:
    with looping(fleet, "--timeout", "2") as process:
        _, err = process.communicate(timeout=SECONDS)
        assert (process.returncode, err.splitlines()[-1]) == (0, "Nothing came within 2 s.")
        said = fleet.runner.run("take", "staging", "production", "--timeout", "2", "--", "true")
        assert (said.code, said.err.splitlines()[1:]) == (
            1,
            ["shiplift: nothing came to be taken for staging, production within 2 s"],
        )


def test_a_cancel_ends_a_command_and_the_next_promotion_is_taken(fleet: Fleet, tmp_path: Path) -> None:
    script = f"case $HOW in long) echo $$ > {tmp_path}/a.pid; exec sleep 600;; esac"
    with looping(fleet, script=script) as process:
        build = fleet.repository.promote(1, params={"HOW": "long"}).number
        started = pids(tmp_path, 1)
        fleet.person.run("cancel", str(build))
        assert fleet.ended(fleet.repository.promote(1, "staging").number).status == pb.BUILD_STATUS_SUCCESS
        assert not any(map(is_running, started))
        (step,) = fleet.repository.get(build).stages[0].steps
        assert step.status == pb.BUILD_STATUS_KILLED
        process.terminate()
        process.communicate(timeout=SECONDS)
        assert process.returncode == 0


def test_a_server_that_is_away_is_waited_for(tmp_path: Path) -> None:
    database, said = tmp_path / "shiplift.db", tmp_path / "err"
    with ExitStack() as stack:
        with Shipliftd(database) as first:
            repository = Repository.make(first, "octocat", "again")
            repository.record(status=pb.BUILD_STATUS_SUCCESS)
            fleet = Fleet.make(first, repository, tmp_path)
            process = stack.enter_context(
                looping(fleet, stderr=stack.enter_context(said.open("w")).fileno())
            )
        until(lambda: "no answer from the server, trying again" in said.read_text())
        with Shipliftd(database, listen=first.address) as second:
            fleet = Fleet(Repository(second, "octocat", "again"), fleet.runner, fleet.person)
            assert fleet.ended(fleet.repository.promote(1).number).status == pb.BUILD_STATUS_SUCCESS
            process.terminate()
            assert process.wait(timeout=SECONDS) == 0
    assert said.read_text().count("trying again") == 1


@pytest.mark.parametrize("once", [(), ("--once",)], ids=["for ever", "once"])
def test_a_deployer_that_is_stopped_says_so(fleet: Fleet, tmp_path: Path, once: tuple[str, ...]) -> None:
    build = fleet.repository.promote(1).number
    script = f"echo $$ > {tmp_path}/a.pid; exec sleep 600"
    process = fleet.runner.start("take", "production", *once, "--", "sh", "-c", script)
    started = pids(tmp_path, 1)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=SECONDS)
    assert process.returncode == 143
    assert not any(map(is_running, started))
    assert fleet.repository.get(build).stages[0].error == "the deployer was stopped"


def test_the_lease_alone_is_json_and_the_report_follows(fleet: Fleet) -> None:
    build = fleet.repository.promote(1, params={"IMAGE": "app:1"}).number
    said = fleet.runner.run("take", "production")
    assert (said.code, said.err) == (
        0,
        f"{NAME} takes one promotion to production from {fleet.runner.server}, and has no command.\n",
    )
    lease = json.loads(said.out)
    assert (lease["build"]["number"], lease["stage"]["kind"]) == (build, "external")
    assert lease["plan"]["environment"]["IMAGE"] == "app:1"
    assert lease["lease_token"]
    slug = fleet.repository.slug
    link = ("--link", "https://argo.example.org/app", "--message", "syncing")
    assert fleet.person.run("report", str(build), "running", *link) == (
        0,
        f"{slug}: build {build} is running\n",
        "",
    )
    assert fleet.person.run("report", str(build), "success").out == f"{slug}: build {build} is success\n"
    stage = fleet.repository.get(build).stages[0]
    assert (stage.status, stage.message, stage.link) == (pb.BUILD_STATUS_SUCCESS, "syncing", link[1])


def test_only_what_goes_to_the_environment_is_taken(fleet: Fleet) -> None:
    fleet.repository.promote(1, "staging")
    said = fleet.runner.run("take", "production", "--timeout", "2")
    assert (said.code, said.out, said.err.splitlines()[1:]) == (
        1,
        "",
        ["shiplift: nothing came to be taken for production within 2 s"],
    )
    other = fleet.runner.run("take", "staging", "-R", "octocat/other", "--timeout", "2")
    assert other.code == 1
    assert fleet.runner.run("take", "staging", "-R", fleet.repository.slug).code == 0


def waiting(fleet: Fleet, *where: str) -> "subprocess.Popen[str]":
    """A deployer that has asked for what nobody has asked for yet, and waits."""

    def known() -> int:
        with opened(fleet.repository.server.database) as store:
            count: int = store.execute("SELECT count(*) FROM runners").fetchone()[0]
            return count

    before = known()
    process = fleet.runner.start("take", "production", *where)
    until(lambda: known() > before)
    return process


@pytest.mark.parametrize(
    ("number", "command", "code"),
    [
        (signal.SIGTERM, ("--", "true"), 0),
        (signal.SIGINT, ("--", "true"), 130),
        # Nothing was done, and whoever asked for one thing is to know.
        (signal.SIGTERM, ("--once", "--", "true"), 143),
        (signal.SIGTERM, (), 143),
        (signal.SIGINT, (), 130),
    ],
    ids=str,
)
def test_who_waits_stops_at_once(fleet: Fleet, number: int, command: tuple[str, ...], code: int) -> None:
    process = waiting(fleet, *command)
    with within(3):
        process.send_signal(number)
        process.communicate(timeout=SECONDS)
    assert process.returncode == code


def test_waits_for_a_promotion(fleet: Fleet) -> None:
    process = waiting(fleet)
    build = fleet.repository.promote(1).number
    out, _ = process.communicate(timeout=SECONDS)
    assert json.loads(out)["build"]["number"] == build
