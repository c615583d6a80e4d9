"""Which pipelines of a file a build runs, and why it runs none. Pure: facts in, stages out."""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from shipliftd.errors import Precondition
from shipliftd.pipelines import MOST_NAME, STEPPED, Pipeline, Pipelines, Step, cannot_run, globs, graphs
from shipliftd.pipelines.conditions import TRIGGER, WHEN, Answers, Conditions, Facts

_DEPLOYS = frozenset({"promote", "rollback"})
_MOST_TOLD = 10
_MOST_VIOLATIONS = 100
_MOST_TARGETS = 200
_AFTER_FAILURE = "begins only after a failure, and nothing before it can fail"


class MatchedStage(NamedTuple):
    """A stage that a build is to have."""

    number: int
    name: str
    kind: str
    type: str
    os: str
    arch: str
    variant: str
    kernel: str
    limit: int
    labels: Mapping[str, str]
    on_success: bool
    on_failure: bool
    depends_on: tuple[str, ...]


def match(said: Pipelines, facts: Facts) -> list[MatchedStage]:
    """The stages of the pipelines whose triggers let the build through.

    Raises Precondition, with what each pipeline failed on, when none begins; and for what deploys when no
    step would run, or one that its pipeline cannot run.
    """
    answers = Answers(facts, said.asked)
    failed = [(pipeline, answers.failed(pipeline.trigger, TRIGGER)) for pipeline in said.pipelines]
    matched = [pipeline for pipeline, name in failed if not name]
    if not any(pipeline.trigger.on_success for pipeline in matched):
        raise _no_match(answers, failed, facts)
    if facts.event in _DEPLOYS:
        _require_steps(answers, failed, facts)
    waits_for = graphs.skipping(
        {pipeline.name: pipeline.depends_on for pipeline in said.pipelines},
        {pipeline.name for pipeline in matched},
    )
    return [
        _stage(number, pipeline, waits_for[pipeline.name])
        for number, pipeline in enumerate(matched, start=1)
    ]


def _stage(number: int, pipeline: Pipeline, depends_on: tuple[str, ...]) -> MatchedStage:
    return MatchedStage(
        number=number,
        name=pipeline.name,
        kind="pipeline",
        type=pipeline.type,
        os=pipeline.os,
        arch=pipeline.arch,
        variant=pipeline.variant,
        kernel=pipeline.kernel,
        limit=pipeline.limit,
        labels=pipeline.labels,
        on_success=pipeline.trigger.on_success,
        on_failure=pipeline.trigger.on_failure,
        depends_on=depends_on,
    )


# Pipelines, each with the condition of its trigger that the build fails, if there is one.
_Failed = Sequence[tuple[Pipeline, str]]


def _no_match(answers: Answers, failed: _Failed, facts: Facts) -> Precondition:
    if not failed:
        return Precondition(
            "the file has no document of kind pipeline",
            reason="NO_PIPELINE_MATCHES",
            violations=[("pipeline", "has no document of kind pipeline")],
            metadata={"environment": facts.target},
        )
    why = [
        (pipeline.name, answers.why_not(pipeline.trigger, name) if name else _AFTER_FAILURE)
        for pipeline, name in failed
    ]
    hint = _hint(_targets(_triggers(failed)), facts)
    return Precondition(
        f"no pipeline of the file runs for this build{hint} {_told(why, len(why))}",
        reason="NO_PIPELINE_MATCHES",
        violations=why,
        metadata={"environment": facts.target},
    )


def _require_steps(answers: Answers, failed: _Failed, facts: Facts) -> None:
    """Raises Precondition where a promotion would do nothing, or cannot do what it should."""
    matched = [pipeline for pipeline, name in failed if not name]
    steps = [
        (pipeline, step, answers.failed(step.when, WHEN)) for pipeline in matched for step in pipeline.steps
    ]
    unable = [
        (f"{pipeline.name}/{step.name}", problem)
        for pipeline, step, name in steps
        if not name and (problem := cannot_run(pipeline.type, step))
    ]
    if unable:
        raise Precondition(
            f"the file has steps that cannot be run: {_told(unable, len(unable))}",
            reason="STEP_CANNOT_RUN",
            violations=unable[:_MOST_VIOLATIONS],
            metadata={"environment": facts.target},
        )
    begin = {pipeline.name for pipeline in matched if pipeline.trigger.on_success}
    # What stages of other types have to do stands where only their runners read it.
    if any(pipeline.name in begin and pipeline.type not in STEPPED for pipeline in matched):
        return
    if any(pipeline.name in begin and not name and step.when.on_success for pipeline, step, name in steps):
        return
    why = list(islice(_why_no_step(answers, matched, begin, steps), _MOST_VIOLATIONS))
    whens = ((step.when, name) for _, step, name in steps)
    hint = _hint(_targets((*_triggers(failed), *whens)), facts)
    raise Precondition(
        f"no step of the file runs for this build{hint} {_told(why, max(len(why), len(steps)))}",
        reason="NO_STEP_RUNS",
        violations=why,
        metadata={"environment": facts.target},
    )


def _why_no_step(
    answers: Answers,
    matched: Iterable[Pipeline],
    begin: set[str],
    steps: Iterable[tuple[Pipeline, Step, str]],
) -> Iterator[tuple[str, str]]:
    yield from ((pipeline.name, "has no steps") for pipeline in matched if not pipeline.steps)
    for pipeline, step, name in steps:
        if name:
            yield f"{pipeline.name}/{step.name}", answers.why_not(step.when, name)
        else:
            yield f"{pipeline.name}/{step.name}", _AFTER_FAILURE


def _told(why: Sequence[tuple[str, str]], count: int) -> str:
    told = "; ".join(f"{name}: {text}" for name, text in why[:_MOST_TOLD])
    return f"{told}; and {count - _MOST_TOLD} more" if count > _MOST_TOLD else told


def _triggers(failed: _Failed) -> Iterator[tuple[Conditions, str]]:
    return ((pipeline.trigger, name) for pipeline, name in failed)


def _targets(failed: Iterable[tuple[Conditions, str]]) -> Iterator[str]:
    """The targets that conditions name which fail at nothing but their target."""
    return (
        pattern
        for conditions, name in failed
        if name == "target"
        for pattern in conditions.target.include
        if globs.is_plain(pattern) and len(pattern) <= MOST_NAME
    )


def _hint(named: Iterable[str], facts: Facts) -> str:
    """Which of the targets may have been meant, and the colon before what is told."""
    by_word = {name.casefold(): name for name in islice(dict.fromkeys(named), _MOST_TARGETS)}
    target = facts.target[:MOST_NAME].casefold()
    nearest = difflib.get_close_matches(target, list(by_word), n=1, cutoff=0.5)
    return f", did you mean the target {by_word[nearest[0]]!r}?" if nearest else ":"
