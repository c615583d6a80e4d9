"""Promotions in which nothing would be done are refused, and say what was meant."""

import json
from typing import Any

import grpc
import pytest
from shiplift.v1 import builds_pb2 as api

from tests.support.refusals import Refusal, refusal
from tests.support.repository import Repository
from tests.support.staged import FAILURE, SUCCESS, Staged, pipelines, statuses, stored


@pytest.fixture
def staged(repository: Repository) -> Staged:
    return Staged.of(repository)


def deploys(*names: str, **when: Any) -> dict[str, Any]:  # noqa: ANN401
    """An exec pipeline whose steps, of these names, have this condition."""
    return {"steps": [{"name": name, "commands": "echo", "when": when} for name in names]}


def refused(repository: Repository, target: str, *documents: dict[str, Any]) -> Refusal:
    build = repository.record(pipeline=pipelines(*documents), status=SUCCESS)
    return refusal(repository.promote, build.number, target)


def test_a_target_that_only_steps_name_is_asked_for(repository: Repository) -> None:
    document = deploys("deploy", event="promote", target=["production"])
    recorded = repository.record(pipeline=pipelines({"name": "d", **document}), status=SUCCESS)
    for target in ("prodution", "PRODUCTION", "prod"):
        assert refusal(repository.promote, recorded.number, target) == Refusal(
            grpc.StatusCode.FAILED_PRECONDITION,
            "no step of the file runs for this build, did you mean the target 'production'?"
            f" d/deploy: target is '{target}', wanted production",
            "NO_STEP_RUNS",
            (("d/deploy", f"target is '{target}', wanted production"),),
        )
    assert statuses(repository.promote(recorded.number, "production")) == {"d": "pending"}


@pytest.mark.parametrize(
    ("documents", "told"),
    [
        ([{"name": "d", "steps": []}], ": d: has no steps"),
        (
            [{"name": "d", "type": "docker", "steps": None, "services": [{"name": "redis"}]}],
            ": d: has no steps",
        ),
        (
            [{"name": "d", **deploys("mourn", status=["failure"])}],
            ": d/mourn: begins only after a failure, and nothing before it can fail",
        ),
        (
            [
                {"name": "d", **deploys("a", "b", target="staging")},
                {"name": "e", "trigger": {"target": "prod*"}},
                {"name": "f", "trigger": {"status": "failure"}},
            ],
            ", did you mean the target 'staging'? d/a: target is 'stagin', wanted staging;"
            " d/b: target is 'stagin', wanted staging;"
            " f/do: begins only after a failure, and nothing before it can fail",
        ),
        (
            [{"name": "d", **deploys(*(f"s{n}" for n in range(12)), event="push")}],
            ": "
            + "; ".join(f"d/s{n}: event is 'promote', wanted push" for n in range(10))
            + "; and 2 more",
        ),
    ],
)
def test_why_nothing_would_be_done(
    repository: Repository, documents: list[dict[str, Any]], told: str
) -> None:
    answer = refused(repository, "stagin", *documents)
    assert (answer.reason, answer.message) == (
        "NO_STEP_RUNS",
        f"no step of the file runs for this build{told}",
    )


def test_one_step_is_enough(repository: Repository) -> None:
    documents = (
        {"name": "a", **deploys("never", event="push")},
        {"name": "b", **deploys("always")},
        {"name": "c", "type": "of one's own", "steps": []},
    )
    for n, some in enumerate((documents, documents[1:2], documents[2:])):
        build = repository.record(pipeline=pipelines(*some), status=SUCCESS)
        assert len(repository.promote(build.number, f"e{n}").stages) == len(some)


def test_a_plugin_is_a_step(repository: Repository) -> None:
    steps = [{"name": "helm", "image": "some/plugin", "settings": {"a": "b"}}]
    text = json.dumps({"kind": "pipeline", "type": "docker", "name": "d", "steps": steps})
    build = repository.record(pipeline=text, status=SUCCESS)
    assert statuses(repository.promote(build.number)) == {"d": "pending"}


def test_what_a_ci_system_records_need_not_run_a_step_here(repository: Repository) -> None:
    text = pipelines({"name": "test", "trigger": {}, **deploys("deploy", event="promote")})
    assert statuses(repository.record(pipeline=text)) == {"test": "pending"}


@pytest.fixture
def recorded_earlier(repository: Repository) -> api.Build:
    """A build whose file an earlier release took, with a step that cannot be run."""
    text = pipelines({"name": "d", "steps": [{"name": "s", "commands": "echo", "when": {"target": "qa"}}]})
    build = repository.record(pipeline=text, status=SUCCESS)
    promoted = repository.promote(build.number, "qa")
    repository.report(promoted.number, FAILURE)
    (parsed,) = stored(repository.server, "SELECT parsed FROM pipelines ORDER BY id DESC LIMIT 1")[0]
    (said,) = json.loads(parsed)
    said["steps"][0].pop("commands")
    said["steps"][0]["image"] = "some/plugin"
    stored(
        repository.server, "UPDATE pipelines SET parsed = ? WHERE parsed = ?", json.dumps([said]), parsed
    )
    return promoted


def test_a_step_that_cannot_be_run_is_refused_when_its_file_is_older(
    repository: Repository, recorded_earlier: api.Build
) -> None:
    told = (
        "has an image, but a pipeline of type exec runs commands on the runner's own machine:"
        " leave that out, or make the pipeline one of type docker"
    )
    request = api.RetryBuildRequest(
        owner=repository.owner, repo=repository.name, build=recorded_earlier.number
    )
    for answer in (
        refusal(repository.promote, recorded_earlier.parent, "qa"),
        refusal(repository.builds.RetryBuild, request),
    ):
        assert answer == Refusal(
            grpc.StatusCode.FAILED_PRECONDITION,
            f"the file has steps that cannot be run: d/s: {told}",
            "STEP_CANNOT_RUN",
            (("d/s", told),),
        )
    # Where it would not run it is in nobody's way.
    assert refusal(repository.promote, recorded_earlier.parent, "production").reason == "NO_STEP_RUNS"


FAILURE_ONLY = {"trigger": {"event": "promote", "status": "failure"}}


def test_what_runs_only_after_a_failure_is_skipped_where_nothing_can_fail(staged: Staged) -> None:
    promoted = staged.promoted(
        {"name": "deploy"},
        {"name": "alarm", **FAILURE_ONLY},
        {"name": "after alarm", "depends_on": ["alarm"]},
        {"name": "test", "trigger": {"event": "push"}},
        {"name": "mourn tests", "depends_on": ["test"], **FAILURE_ONLY},
        {"name": "mourn", "depends_on": ["deploy"], **FAILURE_ONLY},
    )
    assert statuses(promoted) == {
        "deploy": "pending",
        "alarm": "skipped",
        "after alarm": "pending",
        "mourn tests": "skipped",
        "mourn": "waiting_on_dependencies",
    }
    for stage in promoted.stages[:3:2]:
        lease = staged.runner.accept(stage.id)
        staged.runner.report(lease.stage.id, SUCCESS)
    ended = staged.repository.get(promoted.number)
    assert (ended.status, statuses(ended)["mourn"]) == (SUCCESS, "skipped")


def test_a_promotion_of_nothing_but_what_runs_after_a_failure_is_refused(repository: Repository) -> None:
    answer = refused(repository, "production", {"name": "alarm", **FAILURE_ONLY})
    assert (answer.reason, answer.message) == (
        "NO_PIPELINE_MATCHES",
        "no pipeline of the file runs for this build:"
        " alarm: begins only after a failure, and nothing before it can fail",
    )


def test_the_same_holds_for_stages_without_a_file(repository: Repository) -> None:
    alarm = api.StageSpec(name="alarm", kind="external", on_success=False, on_failure=True)
    build = repository.record(stages=[api.StageSpec(name="deploy", kind="external"), alarm])
    assert statuses(build) == {"deploy": "pending", "alarm": "skipped"}
    assert statuses(repository.promote(build.number)) == {"deploy": "pending", "alarm": "skipped"}
    alone = repository.record(stages=[alarm])
    answer = refusal(repository.promote, alone.number)
    assert (answer.reason, answer.message) == (
        "NO_STAGE_BEGINS",
        "no stage would begin, as each does so only after a failure: alarm",
    )
