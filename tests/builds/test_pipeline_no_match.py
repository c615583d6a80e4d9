"""What a caller is told when a build runs no pipeline of its file."""

import pytest
from shipliftd.errors import Precondition
from shipliftd.pipelines import parse
from shipliftd.pipelines.conditions import Facts
from shipliftd.pipelines.matching import match

from tests.support.pipeline_files import PROMOTE, file


def refused(text: str, facts: Facts) -> Precondition:
    with pytest.raises(Precondition) as told:
        match(parse(text), facts)
    assert told.value.reason == "NO_PIPELINE_MATCHES"
    assert len(told.value.status().SerializeToString()) < 4096
    return told.value


def test_nothing_matches() -> None:
    text = file(
        {"name": "test", "trigger": {"event": "push"}},
        {"name": "deploy", "trigger": {"target": ["production", "staging"]}},
        {"name": "old", "trigger": {"branch": {"exclude": ["main"]}}},
        {"name": "nightly", "trigger": {"cron": ["a", "b", "c"]}},
        {"name": "many", "trigger": {"action": list("abcdefgh")}},
    )
    told = refused(text, PROMOTE._replace(target="prod"))
    assert told.violations == [
        ("test", "event is 'promote', wanted push"),
        ("deploy", "target is 'prod', wanted production or staging"),
        ("old", "branch is 'main', which is excluded"),
        ("nightly", "cron is not set, wanted a, b or c"),
        ("many", "action is not set, wanted a, b, c, d, e or one of 3 more"),
    ]
    assert told.message == (
        "no pipeline of the file runs for this build, did you mean the target 'production'? "
        + "; ".join(f"{name}: {text}" for name, text in told.violations)
    )


@pytest.mark.parametrize(
    ("target", "hint"),
    [
        ("PROD", ", did you mean the target 'production'?"),
        ("Staging", ", did you mean the target 'staging'?"),
        ("prod", ", did you mean the target 'production'?"),
        ("qa", ":"),
        ("", ":"),
        ("x" * 5000, ":"),
    ],
)
def test_the_nearest_target_is_named(target: str, hint: str) -> None:
    text = file({"name": "deploy", "trigger": {"target": ["production", "staging", "stag*"]}})
    told = refused(text, Facts(event="promote", target=target))
    assert told.message.startswith(f"no pipeline of the file runs for this build{hint} deploy: target is ")


def test_no_target_is_named_when_the_target_is_not_why() -> None:
    text = file({"name": "deploy", "trigger": {"event": "push", "target": "production"}})
    assert refused(text, PROMOTE._replace(target="prod")).message == (
        "no pipeline of the file runs for this build: deploy: event is 'promote', wanted push"
    )


def test_what_is_told_of_many_pipelines_is_bounded() -> None:
    patterns = [f"{n}{'x' * 400}" for n in range(20)]
    text = file(*({"name": f"{n}".ljust(100, "n"), "trigger": {"branch": patterns}} for n in range(100)))
    told = refused(text, PROMOTE)
    assert (len(told.violations), told.message[-13:]) == (100, "; and 90 more")


@pytest.mark.parametrize("text", ["", "---\n---", "kind: secret\nname: x", "# nothing"])
def test_a_file_without_pipelines_matches_nothing(text: str) -> None:
    assert refused(text, PROMOTE).message == "the file has no document of kind pipeline"
