"""What nobody will take says so: in answers, and where the command shows a build."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from shiplift.v1 import access_pb2, environments_pb2, environments_pb2_grpc

from tests.support.cli import COMMAND, Cli
from tests.support.patience import SECONDS
from tests.support.repository import COMMIT, Repository
from tests.support.staged import Staged, pipelines

DEPLOYER = (
    "stage 'default' waits for a deployer of production: none that may take it has asked in the last hour"
    " (shiplift take production -- COMMAND)"
)


@pytest.fixture
def cli(repository: Repository, tmp_path: Path) -> Cli:
    """The site admin's command, in the repository of the test's own."""
    server = repository.server
    return Cli(tmp_path, server.address, server.admin_token, repository.slug)


def asked(repository: Repository, *words: str, **cuts: object) -> None:
    """A deployer that asks for what the words say, for a moment."""
    token = repository.server.user(
        f"deployer-{repository.name}-{len(words)}-{'-'.join(words)}".replace("/", "-"),
        repository.slug,
        access_pb2.ACCESS_LEVEL_WRITE,
        actions=[access_pb2.TOKEN_ACTION_RUN],
        repositories=[repository.slug],
        **cuts,
    )
    subprocess.run(
        [*COMMAND, "take", *words, "--timeout", "0"],
        env={**os.environ, "SHIPLIFT_SERVER": repository.server.address, "SHIPLIFT_TOKEN": token},
        capture_output=True,
        timeout=SECONDS,
    )


def deployment(repository: Repository) -> environments_pb2.Deployment:
    """What is in production."""
    environments = environments_pb2_grpc.EnvironmentServiceStub(repository.server.channel(None))
    return environments.GetDeployment(
        environments_pb2.GetDeploymentRequest(
            owner=repository.owner, repo=repository.name, environment="production"
        )
    )


def test_a_promotion_says_that_it_waits_for_a_deployer(repository: Repository) -> None:
    repository.record()
    assert repository.promote(1).waiting_for == DEPLOYER
    assert repository.get(2).waiting_for == DEPLOYER
    assert deployment(repository).in_flight.waiting_for == DEPLOYER
    # What CI does itself waits for nobody.
    assert repository.get(1).waiting_for == ""


def test_a_deployer_of_another_environment_is_none(repository: Repository) -> None:
    repository.record()
    repository.promote(1)
    asked(repository, "staging")
    assert repository.get(2).waiting_for == DEPLOYER
    asked(repository, "staging", "production", environments=["staging", "production"])
    assert repository.get(2).waiting_for == ""
    assert deployment(repository).in_flight.waiting_for == ""


def test_the_command_says_it_wherever_it_shows_the_build(cli: Cli, repository: Repository) -> None:
    repository.record(after=COMMIT)
    told = f"waiting for  {DEPLOYER}\n"
    assert told in cli.run("promote", "1", "production").out
    assert told in cli.run("show", "2").out
    said = cli.run("envs")
    assert said.err == f"production: build 2: {DEPLOYER}\n"
    assert said.out.splitlines()[1].split() == [repository.slug, "production", "2", "pending"]
    state = f"{repository.slug}: build 2 is pending: {DEPLOYER}"
    assert cli.run("wait", "2", "--timeout", "0.1").err.splitlines()[0] == state
    with subprocess.Popen(
        [*COMMAND, "log", "2", "-f"], cwd=cli.home, env=cli.environment, stderr=subprocess.PIPE, text=True
    ) as follow:
        assert follow.stderr is not None
        assert follow.stderr.readline() == f"{state}\n"
        follow.send_signal(signal.SIGINT)


def test_a_docker_stage_says_what_it_waits_for(cli: Cli, repository: Repository) -> None:
    staged = Staged.of(repository)
    repository.record(pipeline=pipelines({"name": "deploy", "type": "docker"}))
    staged.repository.promote(1)
    told = (
        "stage 'deploy' waits for a runner of type docker for linux/amd64:"
        " none that may take it has asked in the last hour"
    )
    assert repository.get(2).waiting_for == told
    assert cli.run("envs").err == f"production: build 2: {told}\n"
