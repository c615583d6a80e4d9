"""What the steps of a plan find in their environment, and what parameters do to it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shipliftd.pipelines.plans import (
    BuildFacts,
    Inputs,
    environment,
)

from tests.support.hostile import ODD_VALUES
from tests.support.plans import INPUTS, plan

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


def test_the_environment_in_full() -> None:
    params = {"REGION": "eu", "A": ""}
    assert environment(INPUTS, params) == BUILT_IN | params


def test_what_is_absent_is_empty() -> None:
    fixed = [name for name in BUILT_IN if not name.startswith("SHIPLIFT_ARTIFACT_")]
    assert environment(Inputs(), {}) == dict.fromkeys(fixed, "") | ALWAYS


def test_a_trace_is_there_where_there_is_one_and_no_parameter_replaces_it() -> None:
    traced = Inputs(build=BuildFacts(traceparent="00-1-2-01"))
    given = {"TRACEPARENT": "a parameter"}
    assert environment(traced, given) == environment(Inputs(), {}) | {"TRACEPARENT": "00-1-2-01"}
    assert environment(Inputs(), given) == environment(Inputs(), {}) | given


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
