"""Leases: all that a runner needs for its stage."""

from datetime import UTC, datetime, timedelta

import grpc
import pytest
import yaml
from google.protobuf.timestamp_pb2 import Timestamp
from shiplift.v1 import access_pb2, builds_pb2
from shiplift.v1 import stages_pb2 as pb
from shipliftd import __version__

from tests.support.refusals import Refusal, refusal
from tests.support.repository import Repository, change
from tests.support.staged import ERROR, FAILURE, SUCCESS, Staged, pipelines, runner_of


@pytest.fixture
def staged(repository: Repository) -> Staged:
    """A repository of the test's own with its runner."""
    return Staged.of(repository)


def soon(time: Timestamp, seconds: float) -> bool:
    """Whether a time is about so many seconds from now."""
    left = time.ToDatetime(UTC) - datetime.now(UTC)
    return timedelta(seconds=seconds - 15) < left <= timedelta(seconds=seconds)


def test_a_lease_has_all_that_a_runner_needs(staged: Staged) -> None:
    repository = staged.repository
    change(repository, runner_secrets=True)
    text = pipelines(
        {
            "name": "deploy",
            "type": "docker",
            "clone": {"disable": True},
            "workspace": {"path": "/src"},
            "environment": {"REGION_OF": "<${REGION}>"},
            "steps": [
                {
                    "name": "to ${DRONE_DEPLOY_TO}",
                    "image": "deployer:${DRONE_COMMIT:0:7}",
                    "commands": ["./deploy.sh $REGION", "echo ${REGION^^}"],
                    "environment": {"KEY": {"from_secret": "key"}, "PLAIN": "x"},
                    "failure": "ignore",
                    "privileged": True,
                },
                {"name": "on staging", "when": {"target": "staging"}},
                {"name": "mourn", "detach": True, "shell": "bash", "when": {"status": "failure"}},
            ],
        }
    )
    recorded = repository.record(
        pipeline=text,
        status=SUCCESS,
        after="9fc1ad6ebf12462f3f9773003e26b4c6f54a772e",
        before="e332",
        message="updated README",
        link="https://github.com/1",
        ref="refs/tags/v1",
        source="feature",
        target="main",
        author_login="mona",
        author_name="Mona",
        author_email="mona@example.com",
        author_avatar="https://a/1.png",
        release="v1.2.3",
        artifacts=[builds_pb2.Artifact(name="image", uri="registry/app", digest="sha256:9fc1")],
    )
    there = repository.promote(recorded.number)
    there = repository.report(there.number, SUCCESS)
    promoted = repository.promote(recorded.number, params={"REGION": "eu"})

    lease = staged.runner.accept(promoted.stages[0].id)
    build = repository.get(promoted.number)
    assert build.stages[0].machine == "box"
    there.ClearField("stages")
    request = access_pb2.GetRepositoryRequest(owner=repository.owner, repo=repository.name)
    of_repository = repository.server.access().GetRepository(request)
    of_repository.permissions.admin = False
    assert soon(lease.expires, 60)
    assert lease == pb.StageLease(
        lease_token=lease.lease_token,
        expires=lease.expires,
        build=build,
        stage=build.stages[0],
        repository=of_repository,
        pipeline=text,
        current=there,
        plan=pb.Plan(
            environment={
                **dict.fromkeys(lease.plan.environment, ""),
                "CI": "true",
                "DRONE": "true",
                "REGION": "eu",
                "DRONE_BRANCH": "main",
                "DRONE_BUILD_CREATED": str(build.created.seconds),
                "DRONE_BUILD_EVENT": "promote",
                "DRONE_BUILD_LINK": f"http://{repository.server.http}/{repository.slug}/3",
                "DRONE_BUILD_NUMBER": "3",
                "DRONE_BUILD_PARENT": "1",
                "DRONE_BUILD_STATUS": "success",
                "DRONE_BUILD_TRIGGER": "admin",
                "DRONE_COMMIT": "9fc1ad6ebf12462f3f9773003e26b4c6f54a772e",
                "DRONE_COMMIT_AFTER": "9fc1ad6ebf12462f3f9773003e26b4c6f54a772e",
                "DRONE_COMMIT_AUTHOR": "mona",
                "DRONE_COMMIT_AUTHOR_AVATAR": "https://a/1.png",
                "DRONE_COMMIT_AUTHOR_EMAIL": "mona@example.com",
                "DRONE_COMMIT_AUTHOR_NAME": "Mona",
                "DRONE_COMMIT_BEFORE": "e332",
                "DRONE_COMMIT_BRANCH": "main",
                "DRONE_COMMIT_LINK": "https://github.com/1",
                "DRONE_COMMIT_MESSAGE": "updated README",
                "DRONE_COMMIT_REF": "refs/tags/v1",
                "DRONE_COMMIT_SHA": "9fc1ad6ebf12462f3f9773003e26b4c6f54a772e",
                "DRONE_DEPLOY_TO": "production",
                "DRONE_SEMVER_ERROR": "1 is not in dotted-tri format",
                "DRONE_REPO": repository.slug,
                "DRONE_REPO_BRANCH": "main",
                "DRONE_REPO_NAME": repository.name,
                "DRONE_REPO_NAMESPACE": "octocat",
                "DRONE_REPO_OWNER": "octocat",
                "DRONE_REPO_PRIVATE": "true",
                "DRONE_REPO_SCM": "git",
                "DRONE_REPO_VISIBILITY": "private",
                "DRONE_SOURCE_BRANCH": "feature",
                "DRONE_STAGE_ARCH": "amd64",
                "DRONE_STAGE_KIND": "pipeline",
                "DRONE_STAGE_MACHINE": "box",
                "DRONE_STAGE_NAME": "deploy",
                "DRONE_STAGE_NUMBER": "1",
                "DRONE_STAGE_OS": "linux",
                "DRONE_STAGE_STATUS": "success",
                "DRONE_STAGE_TYPE": "docker",
                "DRONE_SYSTEM_HOST": repository.server.http,
                "DRONE_SYSTEM_HOSTNAME": repository.server.http,
                "DRONE_SYSTEM_PROTO": "http",
                "DRONE_SYSTEM_VERSION": __version__,
                "DRONE_TAG": "v1",
                "DRONE_TARGET_BRANCH": "main",
                "SHIPLIFT_ARTIFACT_IMAGE": "registry/app",
                "SHIPLIFT_ARTIFACT_IMAGE_DIGEST": "sha256:9fc1",
                "SHIPLIFT_BRANCH": "main",
                "SHIPLIFT_BUILD": "3",
                "SHIPLIFT_COMMIT": "9fc1ad6ebf12462f3f9773003e26b4c6f54a772e",
                "SHIPLIFT_ENVIRONMENT": "production",
                "SHIPLIFT_EVENT": "promote",
                "SHIPLIFT_LINK": f"http://{repository.server.http}/{repository.slug}/3",
                "SHIPLIFT_ORIGIN": "1",
                "SHIPLIFT_PARENT": "1",
                "SHIPLIFT_PREVIOUS_BUILD": "2",
                "SHIPLIFT_PREVIOUS_COMMIT": "9fc1ad6ebf12462f3f9773003e26b4c6f54a772e",
                "SHIPLIFT_PREVIOUS_RELEASE": "v1.2.3",
                "SHIPLIFT_REF": "refs/tags/v1",
                "SHIPLIFT_RELEASE": "v1.2.3",
                "SHIPLIFT_REPO": repository.slug,
                "SHIPLIFT_TRIGGER": "admin",
            },
            clone_disabled=True,
            workspace="/src",
            steps=[
                pb.PlanStep(
                    number=1,
                    name="to production",
                    image="deployer:9fc1ad6",
                    commands=["./deploy.sh $REGION", "echo ${SHIPLIFT_REGION_1}"],
                    environment={
                        "REGION_OF": "<eu>",
                        "PLAIN": "x",
                        "SHIPLIFT_REGION_1": "EU",
                        "DRONE_STEP_NAME": "to production",
                        "DRONE_STEP_NUMBER": "1",
                    },
                    secrets={"KEY": "key"},
                    errignore=True,
                    privileged=True,
                    on_success=True,
                ),
                pb.PlanStep(
                    number=2,
                    name="mourn",
                    image="alpine",
                    environment={
                        "REGION_OF": "<eu>",
                        "DRONE_STEP_NAME": "mourn",
                        "DRONE_STEP_NUMBER": "2",
                    },
                    detached=True,
                    shell="bash",
                    on_failure=True,
                    depends_on=["to production"],
                ),
            ],
        ),
    )
    secret, lease.lease_token = lease.lease_token, ""
    # Who holds it can ask for it again, with the API token that accepted it or with the lease's own.
    assert staged.runner.lease(lease.stage.id) == lease
    other = runner_of(repository, f"other-{repository.name}")
    assert other.lease(lease.stage.id, secret) == lease


def test_a_lease_of_an_external_stage_has_no_steps(staged: Staged) -> None:
    promoted = staged.external(params={"REGION": "eu"})
    lease = staged.runner.accept(promoted.stages[0].id)
    assert (lease.pipeline, list(lease.plan.steps), lease.HasField("current")) == ("", [], False)
    assert (lease.plan.environment["REGION"], lease.plan.environment["DRONE_DEPLOY_TO"]) == (
        "eu",
        "production",
    )


def test_a_stage_for_failures_is_told_which_stages_failed(staged: Staged) -> None:
    lease = staged.running(
        {"name": "test"},
        {"name": "mourn", "depends_on": ["test"], "trigger": {"event": "promote", "status": "failure"}},
    )
    assert lease.plan.environment["DRONE_FAILED_STAGES"] == ""
    staged.runner.report(lease.stage.id, FAILURE)
    found = staged.runner.accept(lease.build.stages[1].id).plan.environment
    assert (found["DRONE_FAILED_STAGES"], found["DRONE_BUILD_STATUS"]) == ("test", "failure")


def test_the_file_for_drones_runners_comes_only_when_it_is_asked_for(staged: Staged) -> None:
    steps = [{"name": "s", "image": "${P}", "commands": ["echo ${P}"]}]
    lease = staged.running({"name": "deploy", "type": "docker", "steps": steps}, params={"P": "a: b"})
    request = pb.GetLeaseRequest(stage_id=lease.stage.id)
    assert staged.runner.stages.GetLease(request).resolved_pipeline == ""
    request.resolve_pipeline = True
    found = staged.runner.stages.GetLease(request)
    # Both would be more than a message holds.
    assert (bool(lease.pipeline), found.pipeline) == (True, "")
    [step] = yaml.safe_load(found.resolved_pipeline)["steps"]
    assert step == {"name": "s", "image": "a: b", "commands": ["echo $${P}"]}
    external = staged.runner.accept(staged.external().stages[0].id).stage.id
    request.stage_id = external
    assert staged.runner.stages.GetLease(request).resolved_pipeline == ""


def test_a_file_that_no_drone_runner_can_take_ends_its_stage(staged: Staged) -> None:
    # What a plan leaves out, such as services, a runner of Drone's does.
    images = [{"name": f"s{n}", "image": "${P}"} for n in range(70)]
    promoted = staged.promoted({"name": "deploy", "services": images}, params={"P": "x" * 32 * 1024})
    stage = promoted.stages[0].id
    staged.runner.accept(stage)
    words = "pipeline: its steps come to more than 2097152 bytes with the parameters"
    request = pb.GetLeaseRequest(stage_id=stage, resolve_pipeline=True)
    assert refusal(staged.runner.stages.GetLease, request) == Refusal(
        grpc.StatusCode.ABORTED,
        f"stage {stage} cannot be done: {words}",
        "NO_PLAN",
        (("pipeline", words.removeprefix("pipeline: ")),),
    )
    ended = staged.repository.get(promoted.number)
    assert (ended.status, ended.error, ended.stages[0].status) == (ERROR, words, ERROR)


def test_a_stage_whose_plan_is_too_large_ends_in_error(staged: Staged) -> None:
    steps = [{"name": f"s{n}", "image": "${P}"} for n in range(40)]
    file = {"name": "deploy", "type": "docker", "steps": steps}
    promoted = staged.promoted(file, params={"P": "x" * 32 * 1024})
    words = "pipeline: its steps come to more than 1048576 bytes with the parameters"
    stage = promoted.stages[0].id
    assert refusal(staged.runner.accept, stage) == Refusal(
        grpc.StatusCode.ABORTED,
        f"stage {stage} cannot be done: {words}",
        "NO_PLAN",
        (("pipeline", words.removeprefix("pipeline: ")),),
    )
    ended = staged.repository.get(promoted.number)
    assert (ended.status, ended.error, ended.stages[0].status) == (ERROR, words, ERROR)
    # Nothing was done, so everybody knows what is there.
    assert staged.repository.promote(1).number == 3
