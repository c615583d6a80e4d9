"""Pipeline files: which pipelines a build runs, as which stages, and why none."""

from typing import Any

import pytest
from shipliftd.errors import Precondition
from shipliftd.pipelines import Pipeline, Pipelines, Secret, Step, parse
from shipliftd.pipelines.conditions import Condition, Conditions, Facts
from shipliftd.pipelines.matching import MatchedStage, match

from tests.support.pipeline_files import EXAMPLE, PROMOTE, TEAM, file


def names(text: str, facts: Facts) -> list[str]:
    try:
        return [stage.name for stage in match(parse(text), facts)]
    except Precondition:
        return []


def test_a_file_is_read_in_full() -> None:
    assert parse(EXAMPLE) == Pipelines(
        (
            Pipeline(
                name="1.10",
                type="exec",
                os="windows",
                arch="arm64",
                variant="v8",
                kernel="1809",
                labels={"disk": "ssd", "rack": "07"},
                limit=2,
                trigger=Conditions(
                    branch=Condition(("main",)),
                    event=Condition(("promote", "rollback")),
                    target=Condition(("prod*",), ("prod-old",)),
                    status=Condition(("success", "failure")),
                ),
                clone_disabled=True,
                workspace="/src",
                environment={"REGION": "eu", "TOKEN": Secret("token")},
                steps=(
                    Step(
                        name="build",
                        commands=("go build", "go test ./..."),
                        environment={
                            "REPLICAS": "3",
                            "ON": "true",
                            "SINCE": "2024-01-01",
                            "VERSION": "1.10",
                            "OCTAL": "0777",
                            "QUOTED": "~",
                            "EMPTY": "",
                            "NULL": "",
                            "KEY": Secret("key"),
                        },
                    ),
                    Step(
                        name="notify",
                        commands=("echo one\necho two\n",),
                        when=Conditions(
                            instance=Condition(("drone.example.com",)), status=Condition(("failure",))
                        ),
                        depends_on=("build",),
                        ignore_failure=True,
                        detach=True,
                        privileged=True,
                        shell="bash",
                    ),
                ),
            ),
        )
    )


def test_a_stage_is_made_in_full() -> None:
    assert match(parse(EXAMPLE), PROMOTE) == [
        MatchedStage(
            number=1,
            name="1.10",
            kind="pipeline",
            type="exec",
            os="windows",
            arch="arm64",
            variant="v8",
            kernel="1809",
            limit=2,
            labels={"disk": "ssd", "rack": "07"},
            on_success=True,
            on_failure=True,
            depends_on=(),
        )
    ]


def test_a_stage_has_the_defaults_of_drone() -> None:
    assert match(parse("kind: pipeline\nname:"), Facts()) == [
        MatchedStage(
            number=1,
            name="default",
            kind="pipeline",
            type="docker",
            os="linux",
            arch="amd64",
            variant="",
            kernel="",
            limit=0,
            labels={},
            on_success=True,
            on_failure=False,
            depends_on=(),
        )
    ]


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        ({"arch": "arm64"}, ("linux", "arm64", "", "")),
        ({"os": "windows", "version": 1809}, ("windows", "amd64", "", "1809")),
        ({"arch": "arm", "variant": "v7"}, ("linux", "arm", "v7", "")),
        ({"os": None, "arch": ""}, ("linux", "amd64", "", "")),
        (None, ("linux", "amd64", "", "")),
    ],
)
def test_platforms(platform: object, expected: tuple[str, ...]) -> None:
    (stage,) = match(parse(file({"platform": platform})), Facts())
    assert (stage.os, stage.arch, stage.variant, stage.kernel) == expected


@pytest.mark.parametrize(
    ("trigger", "facts", "runs"),
    [
        ({}, Facts(), True),
        (None, PROMOTE, True),
        ({"event": "promote"}, PROMOTE, True),
        ({"event": "push"}, PROMOTE, False),
        ({"event": ["push", "promote"]}, PROMOTE, True),
        ({"event": []}, PROMOTE, True),
        ({"event": {"exclude": ["promote"]}}, PROMOTE, False),
        ({"event": {"exclude": ["push"]}}, PROMOTE, True),
        ({"target": {"include": ["prod*"], "exclude": ["production"]}}, PROMOTE, False),
        ({"target": {"include": "prod*", "exclude": "staging"}}, PROMOTE, True),
        ({"target": {"include": None, "exclude": None}}, PROMOTE, True),
        ({"target": "production"}, Facts(event="push"), False),
        ({"branch": "main", "event": "promote", "target": "production"}, PROMOTE, True),
        ({"branch": "main", "event": "promote", "target": "staging"}, PROMOTE, False),
        ({"branch": "feature/*"}, Facts(branch="feature/x"), True),
        ({"branch": "feature/*"}, Facts(branch="feature/x/y"), False),
        ({"branch": "feature/**"}, Facts(branch="feature/x/y"), False),
        ({"ref": "refs/pull/*/head"}, Facts(ref="refs/pull/7/head"), True),
        ({"repo": "octocat/*"}, PROMOTE, True),
        ({"repo": "spaceghost/*"}, PROMOTE, False),
        ({"action": ["opened", "reopened"]}, Facts(action="reopened"), True),
        ({"action": "opened"}, Facts(), False),
        ({"cron": "night*"}, Facts(event="cron", cron="nightly"), True),
        ({"cron": "nightly"}, Facts(event="cron", cron="weekly"), False),
        # A pipeline is for every instance, and its status is looked at when the ones before have ended.
        ({"instance": "other"}, PROMOTE, True),
        ({"status": ["success", "failure"]}, PROMOTE, True),
        ({"paths": ["docs/**"]}, PROMOTE, True),
    ],
)
def test_triggers(trigger: object, facts: Facts, runs: bool) -> None:
    assert names(file({"name": "it", "trigger": trigger}), facts) == (["it"] if runs else [])


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ([], (True, False)),
        ("success", (True, False)),
        ("failure", (False, True)),
        (["success", "failure"], (True, True)),
        ({"exclude": ["success"]}, (False, True)),
        ({"include": ["*"]}, (True, True)),
        ("changed", (False, False)),
    ],
)
def test_statuses_that_let_a_stage_begin(status: object, expected: tuple[bool, bool]) -> None:
    _, stage = match(parse(file({"name": "before"}, {"trigger": {"status": status}})), PROMOTE)
    assert (stage.on_success, stage.on_failure) == expected


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        # Of one that is not matched its own dependencies are taken, and theirs.
        (
            Facts(event="promote", target="production", branch="main"),
            {
                "test": (),
                "image": ("test",),
                "eu": ("image",),
                "us": ("image",),
                "report": ("eu", "us", "test"),
            },
        ),
        (
            Facts(event="promote", target="canary", branch="main"),
            {"test": (), "image": ("test",), "canary": ("test",), "report": ("image", "canary")},
        ),
        (Facts(event="promote", target="staging", branch="fix"), {"test": (), "report": ("test",)}),
        (Facts(event="push", branch="fix"), {"test": (), "lint": ("test",), "alone": ("lint",)}),
        (Facts(event="tag"), {"alone": ()}),
    ],
)
def test_fan_out_and_fan_in(facts: Facts, expected: dict[str, tuple[str, ...]]) -> None:
    stages = match(parse(TEAM), facts)
    assert {stage.name: stage.depends_on for stage in stages} == expected
    assert [stage.name for stage in stages] == list(expected)
    assert [stage.number for stage in stages] == list(range(1, len(expected) + 1))


def test_steps_run_one_after_the_other_unless_one_says_what_it_waits_for() -> None:
    steps: list[dict[str, Any]] = [{"name": name} for name in "abc"]
    (serial,) = parse(file({"steps": steps})).pipelines
    assert [step.depends_on for step in serial.steps] == [(), ("a",), ("b",)]
    steps[2]["depends_on"] = ["a", "clone", "redis", "a"]
    (graph,) = parse(file({"steps": steps, "services": [{"name": "redis"}]})).pipelines
    assert [step.depends_on for step in graph.steps] == [(), (), ("a",)]


def test_anchors_and_merge_keys() -> None:
    text = """\
kind: pipeline
x-base: &base {image: alpine, environment: &env {A: 1, B: 2}}
x-more: &more {image: golang, shell: bash}
steps:
- <<: *base
  name: a
- <<: [*base, *more]
  name: b
  environment:
    <<: *env
    B: 3
"""
    assert parse(text).pipelines[0].steps == (
        Step(name="a", image="alpine", environment={"A": "1", "B": "2"}),
        Step(
            name="b",
            image="alpine",
            environment={"A": "1", "B": "3"},
            shell="bash",
            depends_on=("a",),
        ),
    )


def test_a_pipeline_is_found_by_the_name_of_its_stage() -> None:
    pipelines = parse(TEAM)
    assert pipelines.find("eu") == pipelines.pipelines[3]
    assert pipelines.find("other") is None
