"""Plans: which steps of a stage run, after which, and what they run."""

from typing import Any

import pytest
from shipliftd.errors import Invalid
from shipliftd.pipelines import Pipeline, Secret, Step
from shipliftd.pipelines.conditions import Facts
from shipliftd.pipelines.plans import (
    PlannedStep,
    steps,
)

from tests.support.plans import PROMOTE, plan


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
