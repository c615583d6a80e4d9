"""Plans: what the steps of a stage find in their environment, and what they run."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shipliftd.errors import Invalid
from shipliftd.pipelines import Pipeline, Secret, Step, parse
from shipliftd.pipelines.conditions import Facts
from shipliftd.pipelines.plans import (
    Artifact,
    BuildFacts,
    Inputs,
    PlannedStep,
    Previous,
    RepositoryFacts,
    StageFacts,
    SystemFacts,
    environment,
    steps,
)

from tests.support.hostile import ODD_VALUES

INPUTS = Inputs(
    build=BuildFacts(
        number=43,
        parent=42,
        event="promote",
        action="deploy",
        status="failure",
        created=1564085874,
        started=1564085875,
        finished=1564085876,
        link="https://github.com/octocat/hello-world/compare/a...b",
        message='updated "README"\n\nand more',
        before="e3320539a4c03ccfda992641646deb67d8bf98f3",
        after="9fc1ad6ebf12462f3f9773003e26b4c6f54a772e",
        ref="refs/tags/v1.2.3",
        source="feature/x",
        target="main",
        deploy_to="production",
        author_login="octocat",
        author_name="The Octocat",
        author_email="octocat@github.com",
        author_avatar="http://www.gravatar.com/avatar/7194e8d48fa1d2b689f99443b767316c",
        trigger="hubot",
        title="no pull request",
        failed_stages=("lint", "test"),
        origin=41,
        release="v1.2.3",
        external_id="github/1.1",
        # Of two that come to one name the first.
        artifacts=(
            Artifact("image", "registry/app", "sha256:9fc1"),
            Artifact("helm-chart", "oci://registry/chart:1", ""),
            Artifact("helm.chart", "oci://registry/other:1", "sha256:1"),
        ),
        previous=Previous(40, "v1.2.2", "e332"),
    ),
    repository=RepositoryFacts(
        owner="octocat",
        name="hello-world",
        scm="git",
        link="https://github.com/octocat/hello-world",
        branch="main",
        visibility="private",
        private=True,
        git_http_url="https://github.com/octocat/hello-world.git",
        git_ssh_url="git@github.com:octocat/hello-world.git",
    ),
    stage=StageFacts(
        number=2,
        name="deploy",
        kind="pipeline",
        type="exec",
        machine="runner-1",
        os="linux",
        arch="arm64",
        variant="v8",
        status="success",
        started=1564085880,
        finished=1564085890,
        depends_on=("test", "lint"),
    ),
    system=SystemFacts(
        proto="https",
        host="shiplift.example.com:8443",
        hostname="shiplift.example.com",
        version="0.2.0",
        link="https://shiplift.example.com:8443/",
    ),
)

BUILT_IN = {
    "CI": "true",
    "DRONE": "true",
    "DRONE_BRANCH": "main",
    "DRONE_BUILD_ACTION": "deploy",
    "DRONE_BUILD_CREATED": "1564085874",
    "DRONE_BUILD_EVENT": "promote",
    "DRONE_BUILD_FINISHED": "1564085876",
    "DRONE_BUILD_LINK": "https://shiplift.example.com:8443/octocat/hello-world/43",
    "DRONE_BUILD_NUMBER": "43",
    "DRONE_BUILD_PARENT": "42",
    "DRONE_BUILD_STARTED": "1564085875",
    "DRONE_BUILD_STATUS": "failure",
    "DRONE_BUILD_TRIGGER": "hubot",
    "DRONE_CALVER": "",
    "DRONE_CALVER_MAJOR": "",
    "DRONE_CALVER_MAJOR_MINOR": "",
    "DRONE_CALVER_MICRO": "",
    "DRONE_CALVER_MINOR": "",
    "DRONE_CALVER_MODIFIER": "",
    "DRONE_CALVER_SHORT": "",
    "DRONE_COMMIT": "9fc1ad6ebf12462f3f9773003e26b4c6f54a772e",
    "DRONE_COMMIT_AFTER": "9fc1ad6ebf12462f3f9773003e26b4c6f54a772e",
    "DRONE_COMMIT_AUTHOR": "octocat",
    "DRONE_COMMIT_AUTHOR_AVATAR": "http://www.gravatar.com/avatar/7194e8d48fa1d2b689f99443b767316c",
    "DRONE_COMMIT_AUTHOR_EMAIL": "octocat@github.com",
    "DRONE_COMMIT_AUTHOR_NAME": "The Octocat",
    "DRONE_COMMIT_BEFORE": "e3320539a4c03ccfda992641646deb67d8bf98f3",
    "DRONE_COMMIT_BRANCH": "main",
    "DRONE_COMMIT_LINK": "https://github.com/octocat/hello-world/compare/a...b",
    "DRONE_COMMIT_MESSAGE": 'updated "README"\n\nand more',
    "DRONE_COMMIT_REF": "refs/tags/v1.2.3",
    "DRONE_COMMIT_SHA": "9fc1ad6ebf12462f3f9773003e26b4c6f54a772e",
    "DRONE_DEPLOY_TO": "production",
    "DRONE_FAILED_STAGES": "lint,test",
    "DRONE_FAILED_STEPS": "",
    "DRONE_GIT_HTTP_URL": "https://github.com/octocat/hello-world.git",
    "DRONE_GIT_SSH_URL": "git@github.com:octocat/hello-world.git",
    "DRONE_PULL_REQUEST": "",
    "DRONE_PULL_REQUEST_TITLE": "",
    "DRONE_REMOTE_URL": "https://github.com/octocat/hello-world.git",
    "DRONE_REPO": "octocat/hello-world",
    "DRONE_REPO_BRANCH": "main",
    "DRONE_REPO_LINK": "https://github.com/octocat/hello-world",
    "DRONE_REPO_NAME": "hello-world",
    "DRONE_REPO_NAMESPACE": "octocat",
    "DRONE_REPO_OWNER": "octocat",
    "DRONE_REPO_PRIVATE": "true",
    "DRONE_REPO_SCM": "git",
    "DRONE_REPO_VISIBILITY": "private",
    "DRONE_SEMVER": "1.2.3",
    "DRONE_SEMVER_BUILD": "",
    "DRONE_SEMVER_ERROR": "",
    "DRONE_SEMVER_MAJOR": "1",
    "DRONE_SEMVER_MINOR": "2",
    "DRONE_SEMVER_PATCH": "3",
    "DRONE_SEMVER_PRERELEASE": "",
    "DRONE_SEMVER_SHORT": "1.2.3",
    "DRONE_SOURCE_BRANCH": "feature/x",
    "DRONE_STAGE_ARCH": "arm64",
    "DRONE_STAGE_DEPENDS_ON": "test,lint",
    "DRONE_STAGE_FINISHED": "1564085890",
    "DRONE_STAGE_KIND": "pipeline",
    "DRONE_STAGE_MACHINE": "runner-1",
    "DRONE_STAGE_NAME": "deploy",
    "DRONE_STAGE_NUMBER": "2",
    "DRONE_STAGE_OS": "linux",
    "DRONE_STAGE_STARTED": "1564085880",
    "DRONE_STAGE_STATUS": "success",
    "DRONE_STAGE_TYPE": "exec",
    "DRONE_STAGE_VARIANT": "v8",
    "DRONE_SYSTEM_HOST": "shiplift.example.com:8443",
    "DRONE_SYSTEM_HOSTNAME": "shiplift.example.com",
    "DRONE_SYSTEM_PROTO": "https",
    "DRONE_SYSTEM_VERSION": "0.2.0",
    "DRONE_TAG": "v1.2.3",
    "DRONE_TARGET_BRANCH": "main",
    "SHIPLIFT_ARTIFACT_HELM_CHART": "oci://registry/chart:1",
    "SHIPLIFT_ARTIFACT_HELM_CHART_DIGEST": "",
    "SHIPLIFT_ARTIFACT_IMAGE": "registry/app",
    "SHIPLIFT_ARTIFACT_IMAGE_DIGEST": "sha256:9fc1",
    "SHIPLIFT_BRANCH": "main",
    "SHIPLIFT_BUILD": "43",
    "SHIPLIFT_COMMIT": "9fc1ad6ebf12462f3f9773003e26b4c6f54a772e",
    "SHIPLIFT_ENVIRONMENT": "production",
    "SHIPLIFT_EVENT": "promote",
    "SHIPLIFT_EXTERNAL_ID": "github/1.1",
    "SHIPLIFT_LINK": "https://shiplift.example.com:8443/octocat/hello-world/43",
    "SHIPLIFT_ORIGIN": "41",
    "SHIPLIFT_PARENT": "42",
    "SHIPLIFT_PREVIOUS_BUILD": "40",
    "SHIPLIFT_PREVIOUS_COMMIT": "e332",
    "SHIPLIFT_PREVIOUS_RELEASE": "v1.2.2",
    "SHIPLIFT_REF": "refs/tags/v1.2.3",
    "SHIPLIFT_RELEASE": "v1.2.3",
    "SHIPLIFT_REPO": "octocat/hello-world",
    "SHIPLIFT_TRIGGER": "hubot",
}
# These are there without any facts, too.
ALWAYS = {
    "CI": "true",
    "DRONE": "true",
    "DRONE_BUILD_STATUS": "success",
    "DRONE_STAGE_STATUS": "success",
    "DRONE_REPO_PRIVATE": "false",
}

PROMOTE = Facts(branch="main", event="promote", repo="octocat/hello-world", target="production")


def plan(
    *written: dict[str, Any], facts: Facts = PROMOTE, params: dict[str, str] | None = None, **keys: object
) -> tuple[PlannedStep, ...]:
    """The plan of a pipeline of these steps; JSON is YAML, too."""
    (pipeline,) = parse(json.dumps({"kind": "pipeline", "type": "any", "steps": written, **keys})).pipelines
    return steps(pipeline, facts, environment(INPUTS, params or {}))


def test_the_environment_in_full() -> None:
    params = {"REGION": "eu", "A": ""}
    assert environment(INPUTS, params) == BUILT_IN | params


def test_what_is_absent_is_empty() -> None:
    fixed = [name for name in BUILT_IN if not name.startswith("SHIPLIFT_ARTIFACT_")]
    assert environment(Inputs(), {}) == dict.fromkeys(fixed, "") | ALWAYS


@pytest.mark.parametrize(
    ("ref", "number"),
    [
        ("refs/pull/12/head", "12"),
        ("refs/pull/12/merge", "12"),
        ("refs/merge-requests/7/head", "7"),
        ("refs/pull-requests/3/from", "3"),
        ("refs/heads/pull/12", ""),
        ("refs/pull/x/head", ""),
        ("refs/pull/12x", ""),
    ],
)
def test_a_pull_request_is_known_by_its_ref(ref: str, number: str) -> None:
    found = environment(Inputs(build=BuildFacts(ref=ref, title="Add x")), {})
    told = (found["DRONE_PULL_REQUEST"], found["DRONE_PULL_REQUEST_TITLE"])
    assert told == (number, "Add x" if number else "")


def test_only_a_tag_gives_a_tag() -> None:
    inputs = Inputs(build=BuildFacts(ref="refs/heads/refs/tags/x"))
    assert environment(inputs, {})["DRONE_TAG"] == ""


def test_no_parameter_replaces_a_built_in_variable() -> None:
    evil = dict.fromkeys([*BUILT_IN, "DRONE_STEP_NAME", "DRONE_STEP_NUMBER"], "evil")
    common = environment(INPUTS, evil)
    assert {name: common[name] for name in BUILT_IN} == BUILT_IN
    (step,) = plan(
        {"name": "a", "image": "x:${DRONE_DEPLOY_TO}", "commands": ["to ${DRONE_DEPLOY_TO^^}"]}, params=evil
    )
    assert (step.image, step.commands) == ("x:production", ("to ${SHIPLIFT_DRONE_DEPLOY_TO_1}",))
    assert step.environment == {
        "DRONE_STEP_NAME": "a",
        "DRONE_STEP_NUMBER": "1",
        "SHIPLIFT_DRONE_DEPLOY_TO_1": "PRODUCTION",
    }


def test_odd_parameters_come_through_byte_for_byte() -> None:
    common = environment(INPUTS, ODD_VALUES)
    assert {name: common[name].encode() for name in ODD_VALUES} == {
        name: value.encode() for name, value in ODD_VALUES.items()
    }
    (step,) = plan(
        {
            "name": "a",
            "commands": [f"${{{name}}}" for name in ODD_VALUES],
            "environment": {f"X_{name}": f"<${{{name}}}>" for name in ODD_VALUES},
        },
        params=ODD_VALUES,
    )
    assert step.commands == tuple(f"${{{name}}}" for name in ODD_VALUES)
    assert step.environment == {f"X_{name}": f"<{value}>" for name, value in ODD_VALUES.items()} | {
        "DRONE_STEP_NAME": "a",
        "DRONE_STEP_NUMBER": "1",
    }


@given(st.text())
@settings(max_examples=200, deadline=None)
def test_no_parameter_changes_what_steps_there_are(value: str) -> None:
    first, second = plan(
        {"name": "a", "commands": ["echo ${P}"], "environment": {"X": "${P}"}},
        {"name": "b", "image": "${P}", "commands": "${P}"},
        params={"P": value},
    )
    assert (first.commands, first.environment["X"]) == (("echo ${P}",), value)
    assert (second.image, second.commands, second.depends_on) == (value, ("${P}",), ("a",))


def test_steps_in_full() -> None:
    written: list[dict[str, Any]] = [
        {
            "name": "deploy ${DRONE_DEPLOY_TO}",
            "image": "registry/${DRONE_REPO_NAME}:${DRONE_TAG##v}",
            "commands": ["./deploy ${REGION:-us}", "echo $HOME $${HOME}"],
            "environment": {"WHERE": "${REGION}", "KEY": {"from_secret": "key_${DRONE_DEPLOY_TO}"}},
            "failure": "ignore",
            "privileged": True,
            "shell": "${REGION}",
        },
        {"name": "tell", "detach": True, "when": {"status": ["failure"]}},
    ]
    shared = {"TIER": "${DRONE_DEPLOY_TO}", "WHERE": "shared", "DRONE_DEPLOY_TO": "other"}
    assert plan(*written, params={"REGION": "eu"}, environment=shared) == (
        PlannedStep(
            number=1,
            name="deploy production",
            image="registry/hello-world:1.2.3",
            commands=("./deploy ${REGION}", "echo $HOME ${HOME}"),
            environment={
                "TIER": "production",
                "WHERE": "eu",
                "KEY": Secret("key_production"),
                "DRONE_STEP_NAME": "deploy production",
                "DRONE_STEP_NUMBER": "1",
            },
            ignore_failure=True,
            detached=False,
            privileged=True,
            shell="${REGION}",
            on_success=True,
            on_failure=False,
            depends_on=(),
        ),
        PlannedStep(
            number=2,
            name="tell",
            image="",
            commands=(),
            environment={
                "TIER": "production",
                "WHERE": "shared",
                "DRONE_STEP_NAME": "tell",
                "DRONE_STEP_NUMBER": "2",
            },
            ignore_failure=False,
            detached=True,
            privileged=False,
            shell="",
            on_success=False,
            on_failure=True,
            depends_on=("deploy production",),
        ),
    )


def test_what_is_known_only_when_a_step_runs_is_not_put_in() -> None:
    names = ["DRONE_BUILD_STATUS", "DRONE_STAGE_STARTED", "DRONE_STEP_NAME", "DRONE_FAILED_STEPS"]
    texts = [f"<${{{name}}}>" for name in names]
    (step,) = plan({"name": "a", "image": "".join(texts), "commands": texts})
    assert (step.image, step.commands) == ("<><><><>", tuple(texts))


@pytest.mark.parametrize(
    ("when", "facts", "runs"),
    [
        (None, PROMOTE, True),
        ({"target": "production"}, PROMOTE, True),
        ({"target": "staging"}, PROMOTE, False),
        ({"event": {"exclude": ["promote"]}}, PROMOTE, False),
        ({"branch": "main", "event": ["push", "promote"]}, PROMOTE, True),
        ({"instance": "*.example.com"}, PROMOTE._replace(instance="drone.example.com"), True),
        ({"instance": "*.example.com"}, PROMOTE, False),
        # Whether it may run is known when those before it have ended.
        ({"status": "failure"}, PROMOTE, True),
    ],
)
def test_conditions_of_steps(when: object, facts: Facts, runs: bool) -> None:
    assert [step.name for step in plan({"name": "a", "when": when}, facts=facts)] == (["a"] if runs else [])


NEVER = {"event": "push"}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        # One after the other.
        ([{"name": "a"}, {"name": "b", "when": NEVER}, {"name": "c"}], {"a": (), "c": ("a",)}),
        ([{"name": "a", "when": NEVER}, {"name": "b"}], {"b": ()}),
        # A graph; one that does not run is skipped over.
        (
            [
                {"name": "a"},
                {"name": "b"},
                {"name": "c", "depends_on": ["a", "b"], "when": NEVER},
                {"name": "d", "depends_on": ["c", "b"]},
                {"name": "e"},
            ],
            {"a": (), "b": (), "d": ("a", "b"), "e": ()},
        ),
        ([{"name": "b", "depends_on": "a"}, {"name": "a"}], {"b": ("a",), "a": ()}),
        ([{"name": "a", "when": NEVER}], {}),
    ],
)
def test_what_steps_wait_for(written: list[dict[str, Any]], expected: dict[str, tuple[str, ...]]) -> None:
    planned = plan(*written)
    assert {step.name: step.depends_on for step in planned} == expected
    assert [step.number for step in planned] == list(range(1, len(expected) + 1))


@pytest.mark.parametrize("value", ["", "b", "x" * 101, "a\nb"])
def test_a_step_whose_name_would_be_none_keeps_the_one_of_the_file(value: str) -> None:
    planned = plan({"name": "${P}"}, {"name": "b"}, params={"P": value})
    assert [(step.name, step.depends_on) for step in planned] == [("${P}", ()), ("b", ("${P}",))]


def test_a_plan_has_a_limit() -> None:
    params = {"P": "x" * 32 * 1024}
    assert len(plan(*({"name": f"s{n}", "image": "${P}"} for n in range(31)), params=params)) == 31
    for too_much in (
        [{"name": f"s{n}", "image": "${P}"} for n in range(33)],
        [{"name": f"s{n}", "commands": "${P^}"} for n in range(33)],
        [{"name": "s", "environment": {f"E{n}": "${P}" for n in range(33)}}],
        [{"name": "s", "image": "${P}" * 250}],
    ):
        with pytest.raises(Invalid) as told:
            plan(*too_much, params=params)
        assert told.value.violations == [
            ("pipeline", "its steps come to more than 1048576 bytes with the parameters")
        ]


def test_the_environment_of_a_pipeline_counts_for_each_step() -> None:
    shared = {"A": "x" * 10_000}
    pipeline = Pipeline(environment=shared, steps=tuple(Step(f"s{n}") for n in range(110)))
    with pytest.raises(Invalid):
        steps(pipeline, PROMOTE, {})
