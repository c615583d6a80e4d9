"""What readers of YAML 1.1 take, and Drone with them, is taken here with a warning."""

from shipliftd.pipelines import Secret, parse

from tests.support.repository import Repository

TWICE = """\
kind: pipeline
type: exec
name: d
steps:
- name: s
  environment: {A: 1}
  commands: [echo]
  environment: {B: 2, C: 3, B: {from_secret: b}}
"""
TOLD = [
    "pipeline:8:3: the key 'environment' stands there twice, first in line 6: the last one counts",
    "pipeline:8:29: the key 'B' stands there twice, first in line 8: the last one counts",
]


def test_the_last_of_two_keys_counts(repository: Repository) -> None:
    assert parse(TWICE).pipelines[0].steps[0].environment == {"B": Secret("b"), "C": "3"}
    recorded = repository.record(pipeline=TWICE)
    assert list(recorded.warnings) == TOLD
    # The file is known by now, and what is odd about it as well.
    assert list(repository.record(pipeline=TWICE).warnings) == TOLD
    assert list(repository.get(recorded.number).warnings) == TOLD


def test_a_later_kind_counts_too() -> None:
    assert parse("kind: pipeline\nkind: secret").pipelines == ()


def test_all_merges_of_a_mapping_apply() -> None:
    text = """\
x: &x {image: one, shell: bash, privileged: true}
y: &y {image: two, shell: sh}
kind: pipeline
name: d
steps:
- <<: *x
  <<: *y
  name: s
  shell: zsh
"""
    said = parse(text)
    (step,) = said.pipelines[0].steps
    assert (step.image, step.shell, step.privileged) == ("two", "zsh", True)
    assert said.warnings == ()
    # Quoted it is a key like others.
    assert len(parse('a: &a {b: c}\nkind: pipeline\n"<<": *a\n"<<": *a').warnings) == 1


def test_warnings_are_bounded() -> None:
    said = parse("kind: pipeline\nenvironment:\n" + f"  {'A' * 200}: b\n" * 5001)
    assert len(said.warnings) == 21
    assert said.warnings[-1] == "pipeline: and 4980 more"
    assert max(map(len, said.warnings)) < 200
