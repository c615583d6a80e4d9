"""Parsed pipelines as they are stored."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shipliftd.pipelines import Pipeline, Pipelines, Step, dump, load, parse

from tests.support.pipeline_files import EXAMPLE, TEAM, file


@pytest.mark.parametrize("text", [EXAMPLE, TEAM, file(), file({}), "kind: secret"])
def test_what_is_stored_is_what_was_parsed(text: str) -> None:
    pipelines = parse(text) if text else Pipelines(())
    assert load(dump(pipelines)) == pipelines


def test_what_is_stored_leaves_out_defaults() -> None:
    text = file({"name": "a", "trigger": {"event": "push"}, "steps": [{"name": "b", "commands": "make"}]})
    assert json.loads(dump(parse(text))) == [
        {
            "name": "a",
            "trigger": {"event": {"include": ["push"]}},
            "steps": [{"name": "b", "image": "alpine", "commands": ["make"]}],
        }
    ]


def test_what_a_later_release_stored_can_be_read() -> None:
    stored = (
        '[{"name":"a","later":1,"trigger":{"paths":{}},"steps":[{"name":"b","later":[],"when":{"x":{}}}]}]'
    )
    assert load(stored) == Pipelines((Pipeline(name="a", steps=(Step(name="b"),)),))


@given(
    st.dictionaries(st.text(min_size=1, max_size=9), st.text(max_size=40), max_size=5), st.text(max_size=50)
)
@settings(max_examples=200, deadline=None)
def test_any_text_is_stored_byte_for_byte(environment: dict[str, str], command: str) -> None:
    pipelines = Pipelines((Pipeline(steps=(Step("a", commands=(command,), environment=environment),)),))
    assert load(dump(pipelines)) == pipelines
