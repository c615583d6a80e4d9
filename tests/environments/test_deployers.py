"""What does a promotion: the environment says whether a deployer, or the build's pipeline file."""

from typing import Any

import grpc
import pytest
from shiplift.v1 import builds_pb2 as api
from shiplift.v1 import environments_pb2 as env

from tests.support.refusals import Refusal, refusal
from tests.support.repository import Repository
from tests.support.staged import FAILURE, SUCCESS, pipelines

FILE = pipelines(
    {"name": "build", "trigger": {"event": ["push"]}},
    {"name": "deploy", "trigger": {"event": ["promote", "rollback"]}},
)
EXTERNAL = [("default", "external", "")]


def declare(repository: Repository, deployer: env.Deployer, name: str = "production") -> None:
    request = env.CreateEnvironmentRequest(
        owner=repository.owner,
        repo=repository.name,
        environment=env.Environment(name=name, deployer=deployer),
    )
    repository.server.environments().CreateEnvironment(request)


def kinds(build: api.Build) -> list[tuple[str, str, str]]:
    return [(stage.name, stage.kind, stage.type) for stage in build.stages]


def explained(repository: Repository, build: int) -> api.ExplainPromotionResponse:
    return repository.builds.ExplainPromotion(repository.promotion(build))


@pytest.mark.parametrize(
    ("deployer", "stages"),
    [
        (env.DEPLOYER_UNSPECIFIED, [("deploy", "pipeline", "exec")]),
        (env.DEPLOYER_PIPELINE, [("deploy", "pipeline", "exec")]),
        (env.DEPLOYER_EXTERNAL, EXTERNAL),
    ],
)
def test_a_build_with_a_pipeline_file_is_deployed_as_its_environment_says(
    repository: Repository, deployer: env.Deployer, stages: list[tuple[str, str, str]]
) -> None:
    declare(repository, deployer)
    repository.record(pipeline=FILE, status=SUCCESS)
    assert kinds(explained(repository, 1).build) == stages
    promoted = repository.promote(1)
    assert kinds(promoted) == stages
    # So is another try of it, and what puts it back.
    repository.report(promoted.number, FAILURE)
    where: dict[str, Any] = {"owner": repository.owner, "repo": repository.name}
    again = repository.builds.RetryBuild(api.RetryBuildRequest(**where, build=promoted.number))
    assert kinds(again) == stages
    repository.report(again.number, SUCCESS)
    asked = api.RollbackRequest(**where, target="production", build=again.number)
    assert kinds(repository.builds.RollbackBuild(asked)) == stages


def test_a_build_without_a_file_goes_by_a_deployer(repository: Repository) -> None:
    declare(repository, env.DEPLOYER_EXTERNAL)
    repository.record(status=SUCCESS)
    assert kinds(repository.promote(1)) == EXTERNAL


def test_a_build_without_a_file_is_refused_where_pipelines_deploy(repository: Repository) -> None:
    declare(repository, env.DEPLOYER_PIPELINE)
    repository.record(status=SUCCESS, target="main")
    reason = (
        "production is deployed to by pipelines, and no pipeline file was recorded with the build: record"
        " it with one"
    )
    assert refusal(repository.promote, 1) == Refusal(
        grpc.StatusCode.FAILED_PRECONDITION,
        reason,
        "NO_PIPELINE",
        (("pipeline", "was not recorded with the build"),),
    )
    verdict = explained(repository, 1).verdicts[-1]
    assert (verdict.gate, verdict.result, verdict.reason) == ("stages", api.GATE_RESULT_FAILED, reason)
    assert repository.numbers() == [1]
