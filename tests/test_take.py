"""`shiplift take` and `report`: a deployer that is no runner, with a shell script in helm's place."""

import json
import shutil
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from shiplift.v1 import builds_pb2 as pb

from tests.harness import Shipliftd
from tests.patience import SECONDS, until, within
from tests.repository import Repository
from tests.runners import Fleet, is_running, pids

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
    said = fleet.runner.run("take", "production", "--", str(helm), "upgrade", "--install", "-f", "v.yaml")
    slug = fleet.repository.slug
    assert said == (
        0,
        "",
        f"{slug}: build {build} to production: begins\n{slug}: build {build} to production: success\n",
    )
    assert (tmp_path / "said").read_text() == (
        f"helm upgrade --install -f v.yaml\nproduction {slug} app:1\n"
    )
    assert (tmp_path / "awkward").read_bytes() == awkward.encode()
    found = fleet.repository.get(build)
    assert (found.status, found.stages[0].kind) == (pb.BUILD_STATUS_SUCCESS, "external")
    assert fleet.person.run("envs", "production", "--json").json()[0]["current"]["number"] == build


def test_what_the_command_prints_is_what_take_prints(fleet: Fleet) -> None:
    fleet.repository.promote(1)
    said = fleet.runner.run(
        "take", "production", "--", "sh", "-c", "cat; echo out; echo err >&2", stdin="in\n"
    )
    assert (said.code, said.out, "err\n" in said.err) == (0, "in\nout\n", True)


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
    said = fleet.runner.run("take", "production", "--", *apply)
    assert (said.code, 'image = "app@sha256:1 é"' in said.out) == (0, True), said
    assert fleet.repository.get(build).status == pb.BUILD_STATUS_SUCCESS


def test_the_exit_code_is_reported_and_is_the_commands(fleet: Fleet) -> None:
    build = fleet.repository.promote(1).number
    assert fleet.runner.run("take", "production", "--", "sh", "-c", "exit 9").code == 9
    stage = fleet.repository.get(build).stages[0]
    assert (stage.status, stage.exit_code, stage.error) == (pb.BUILD_STATUS_FAILURE, 9, "sh: exit code 9")


def test_a_command_that_is_not_there_is_an_error(fleet: Fleet) -> None:
    build = fleet.repository.promote(1).number
    assert fleet.runner.run("take", "production", "--", "/no/helm").code == 127
    found = fleet.repository.get(build)
    assert found.status == pb.BUILD_STATUS_ERROR
    assert "/no/helm could not be started" in found.stages[0].error


def test_a_cancel_ends_the_command_and_its_children(fleet: Fleet, tmp_path: Path) -> None:
    build = fleet.repository.promote(1).number
    script = f"sleep 600 & echo $! > {tmp_path}/a.pid; echo $$ > {tmp_path}/b.pid; wait"
    process = fleet.runner.start("take", "production", "--", "sh", "-c", script)
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


def test_a_deployer_that_is_stopped_says_so(fleet: Fleet, tmp_path: Path) -> None:
    build = fleet.repository.promote(1).number
    script = f"echo $$ > {tmp_path}/a.pid; exec sleep 600"
    process = fleet.runner.start("take", "production", "--", "sh", "-c", script)
    started = pids(tmp_path, 1)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=SECONDS)
    assert process.returncode == 143
    assert not any(map(is_running, started))
    assert fleet.repository.get(build).stages[0].error == "the deployer was stopped"


def test_the_lease_alone_is_json_and_the_report_follows(fleet: Fleet) -> None:
    build = fleet.repository.promote(1, params={"IMAGE": "app:1"}).number
    lease = fleet.runner.run("take", "production").json()
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
    assert said == (1, "", "shiplift: nothing came to be taken for production within 2 s\n")
    other = fleet.runner.run("take", "staging", "-R", "octocat/other", "--timeout", "2")
    assert other.code == 1
    assert fleet.runner.run("take", "staging", "-R", fleet.repository.slug).code == 0


def waiting(fleet: Fleet, *where: str) -> "subprocess.Popen[str]":
    """A deployer that has asked for what nobody has asked for yet, and waits."""

    def known() -> int:
        with closing(sqlite3.connect(fleet.repository.server.database)) as store:
            count: int = store.execute("SELECT count(*) FROM runners").fetchone()[0]
            return count

    before = known()
    process = fleet.runner.start("take", "production", *where)
    until(lambda: known() > before)
    return process


def test_waits_for_a_promotion_and_goes_when_interrupted(fleet: Fleet) -> None:
    process = waiting(fleet)
    build = fleet.repository.promote(1).number
    out, _ = process.communicate(timeout=SECONDS)
    assert json.loads(out)["build"]["number"] == build
    process = waiting(fleet, "--repository", fleet.repository.slug)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=SECONDS)
    assert process.returncode == 130
