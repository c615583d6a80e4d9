"""Which pipelines of a file a build runs, and why it runs none. Pure: facts in, stages out."""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from shipliftd import globs, graphs
from shipliftd.conditions import TRIGGER, Answers, Conditions, Facts
from shipliftd.errors import Precondition
from shipliftd.pipelines import MOST_NAME, Pipeline, Pipelines

_MOST_TOLD = 10
_MOST_TARGETS = 200


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

    Raises Precondition, with what each pipeline failed on, when there are none.
    """
    answers = Answers(facts, said.asked)
    failed = [(pipeline, answers.failed(pipeline.trigger, TRIGGER)) for pipeline in said.pipelines]
    matched = [pipeline for pipeline, name in failed if not name]
    if not matched:
        raise _no_match(answers, failed, facts)
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
        return Precondition("the file has no document of kind pipeline", reason="NO_PIPELINE_MATCHES")
    why = [(pipeline.name, answers.why_not(pipeline.trigger, name)) for pipeline, name in failed]
    hint = _hint(_targets(_triggers(failed)), facts)
    return Precondition(
        f"no pipeline of the file runs for this build{hint} {_told(why, len(why))}",
        reason="NO_PIPELINE_MATCHES",
        violations=why,
    )


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
