"""Pipeline files that are made to take long: what they cost is bounded, and nobody waits for them."""

import contextlib
import json
import time
from dataclasses import replace
from typing import Any

import grpc
import pytest
from shipliftd.errors import Precondition
from shipliftd.pipelines import MOST_PATTERNS, Pipelines, parse
from shipliftd.pipelines.conditions import Facts
from shipliftd.pipelines.matching import match

from tests.support import probe
from tests.support.refusals import refusal
from tests.support.repository import Repository

# All different, and as long as a branch may be.
MANY = "".join(chr(0x4E00 + n) for n in range(500))


def document(name: str, whens: list[Any], **keys: object) -> str:
    steps = [{"name": f"s{n}", "commands": "a", "when": when} for n, when in enumerate(whens)]
    written = {"kind": "pipeline", "type": "exec", "name": name, "steps": steps, **keys}
    return json.dumps(written, ensure_ascii=False)


def branches(*patterns: str) -> str:
    return document("deploy", [{}], trigger={"branch": list(patterns)})


def files(*whens: Any) -> str:  # noqa: ANN401
    return "\n---\n".join(document(f"p{n}", [whens[n % len(whens)]] * 40) for n in range(100))


# Each as much as a file may hold, and the branch that it takes longest with.
HOSTILE = {
    "stars": (branches(*(f"*a*{n}*a*b*c" for n in range(1280))), "a" * 500),
    "the most stars": (branches("*" * 499 + "b"), "a" * 500),
    "long chunks": (branches(*("*" + "a" * 400 + chr(0x4E00 + n) for n in range(40))), "a" * 500),
    "any characters": (branches(*("*" + "?" * n + "b" for n in range(100, 200))), MANY),
    "classes": (branches(*(f"*[{MANY[n : n + 350]}]" for n in range(45))), MANY),
    "negated classes": (branches(*(f"*[^{character}]x" for character in MANY * 4)), MANY),
    "many steps": (files({"target": ["a", "b"]}), "a"),
    "many near targets": (files(*({"target": f"{'xy' * 24}{n}"} for n in range(100))), "a"),
}


@pytest.mark.parametrize("hostile", HOSTILE)
def test_whatever_a_file_holds_is_compared_in_a_tenth_of_a_second(hostile: str) -> None:
    text, branch = HOSTILE[hostile]
    said = parse(text)
    assert said.work > 400
    facts = Facts(branch=branch, event="promote", target="yx" * 25)
    # Of some tries the best: the test's process has other things to do, and a busy machine is slow.
    assert min(seconds(replace(said), facts) for _ in range(5)) < 0.1 * (4 if probe.IN_CI else 1)


def seconds(said: Pipelines, facts: Facts) -> float:
    """Of the processor, to match a file that was not matched before."""
    began = time.process_time()
    with contextlib.suppress(Precondition):
        match(said, facts)
    return time.process_time() - began


def test_patterns_past_what_can_be_compared_soon_are_refused(repository: Repository) -> None:
    text = branches(*(f"*a*{n}*a*b*c" for n in range(4990)))
    assert len(text) < 100_000
    told = probe.harmless(repository, lambda: refusal(repository.record, pipeline=text, target="a" * 400))
    size = sum(len(f"*a*{n}*a*b*c") for n in range(4990))
    assert (told.code, told.violations) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        (
            (
                "pipeline:1:1",
                f"{size} characters of patterns with '*', '?', '[' or '\\' in all triggers and steps:"
                f" at most {MOST_PATTERNS}",
            ),
        ),
    )


def test_a_pattern_counts_once_however_often_it_is_used() -> None:
    when = {"branch": "release/*" + "x" * 480}
    assert parse("\n---\n".join(document(f"p{n}", [when] * 50) for n in range(20))).size_of_patterns == 489


@pytest.mark.parametrize("hostile", HOSTILE)
def test_nobody_waits_for_a_build_with_such_a_file(hostile: str, repository: Repository) -> None:
    text, branch = HOSTILE[hostile]

    def promotions() -> list[str]:
        recorded = repository.record(pipeline=text, target=branch)
        calls = [refusal(repository.promote, recorded.number, f"{'yx' * 24}{n}") for n in range(3)]
        return [call.reason for call in calls]

    reasons = probe.harmless(repository, promotions)
    assert set(reasons) <= {"NO_PIPELINE_MATCHES", "NO_STEP_RUNS"}
