"""Pipeline files as Drone's runners get them, read as these read them: with Drone's own library."""

import json
import re
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shipliftd.errors import Invalid
from shipliftd.pipelines.resolved import resolved

from tests.support.hostile import VALUES
from tests.support.toolchains import ROOT, SECONDS, need, run

# Downloading and compiling the modules is part of the first test.
pytestmark = pytest.mark.timeout(SECONDS)

Json = dict[str, Any]
# What a runner would put in where it is let.
EVIL = {"P": "EVIL", "N": "EVIL", "DRONE_COMMIT_MESSAGE": "EVIL", "HOME": "EVIL"}
THE_RUNNERS = {"OPERATOR": "op", "DRONE_BUILD_LINK": "http://drone/1", "DRONE_STAGE_STATUS": "success"}

FILE = """\
# a file
kind: pipeline
name: deploy ${P}
concurrency: {limit: 1}
environment: {SHARED: "<${P}>", "${P}": key}
steps:
- name: a ${P}
  image: image:${P}
  detach: on
  environment: {OWN: "${P^^}", "NULL": , SHIPLIFT_P_1: mine}
  settings:
    link: ${DRONE_BUILD_LINK}
    status: ${DRONE_STAGE_STATUS}
    operators: ${OPERATOR}-${OTHER:-x}
    commands: ${P}
    text: 'it''s \\/ \\\\ "$" $$ $${P} $P ${P-x} ${OPERATOR/x/y} ${NONE:-${P}}'
  commands:
  - echo "${P}" ${P:0:3} ${OPERATOR} ${NONE:-${P}} $${P} ${P-x}
  - |
    printf '%s\\\\n' "a
    b"
- name: b
  entrypoint: [sh, -c, "echo ${P}"]
---
kind: secret
name: ${P}
---
kind: pipeline
name: other
other: {text: "${P} ${!bad} ${", more: $$}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program of tests/interop/go/runner."""
    need("go")
    path = tmp_path_factory.mktemp("go") / "runner"
    run(["go", "build", "-o", path, "."], ROOT / "tests" / "interop" / "go" / "runner")
    return path


Reader = Callable[..., list[list[Json]]]


@pytest.fixture(scope="module")
def read(program: Path) -> Reader:
    """The documents of files, as a Drone runner has them."""

    def documents(*texts: str) -> list[list[Json]]:
        files = [{"text": text, "variables": EVIL | THE_RUNNERS} for text in texts]
        done = subprocess.run(
            [program], input=json.dumps(files).encode(), stdout=subprocess.PIPE, check=True, timeout=60
        )
        found = json.loads(done.stdout)
        assert [each["error"] for each in found] == [""] * len(texts)
        return [each["documents"] for each in found]

    return documents


def test_a_file_in_full(read: Reader) -> None:
    value = 'v"; echo: $(id) # \\ \n---\n'
    [[deploy, secret, other]] = read(resolved(FILE, "deploy ${P}", {"P": value}))
    first, second = deploy.pop("steps")
    assert (deploy["name"], deploy["concurrency"]) == ("deploy ${P}", {"limit": 1})
    assert deploy["environment"] == {"SHARED": f"<{value}>", "${P}": "key"}
    assert first == {
        "name": f"a {value}",
        "image": f"image:{value}",
        "detach": True,
        "environment": {
            "OWN": value.upper(),
            "NULL": "",
            "SHIPLIFT_P_1": "mine",
            "SHIPLIFT_P_2": value[:3],
        },
        "settings": {
            "link": "http://drone/1",
            "status": "success",
            "operators": "op-x",
            "commands": value,
            "text": f'it\'s \\/ \\\\ "$" $ ${{P}} $P ${{P-x}}  {value}',
        },
        "commands": [
            'echo "${P}" ${SHIPLIFT_P_2} op ${P} ${P} ${P-x}',
            "printf '%s\\\\n' \"a\nb\"\n",
        ],
        "entrypoint": None,
    }
    assert second["entrypoint"] == ["sh", "-c", "echo ${P}"]
    assert (secret["kind"], secret["name"]) == ("secret", value)
    assert other["other"] == {"text": "${P} ${!bad} ${", "more": "$$"}


def test_a_scalar_that_is_a_number_or_a_truth_stays_one(read: Reader) -> None:
    text = "{kind: pipeline, concurrency: {limit: 2}, steps: [{name: 1.10, detach: yes, image: ~}]}"
    [[found]] = read(resolved(text, "default", {}))
    assert found["concurrency"] == {"limit": 2}
    [step] = found["steps"]
    assert (step["name"], step["detach"], step["image"]) == ("1.10", True, "")
    text = "kind: pipeline\nconcurrency:\n  limit: ${N}\nsteps:\n- detach: ${YES}\n  name: ${NONE}\n"
    [[found]] = read(resolved(text, "default", {"N": "3", "YES": "true"}))
    assert (found["concurrency"], found["steps"][0]["detach"]) == ({"limit": 3}, True)


def test_aliases_and_merged_keys_are_written_out(read: Reader) -> None:
    text = """\
base: &base {commands: &c ["echo ${P^}"], environment: {A: "1"}}
kind: pipeline
steps:
- {<<: *base, name: a}
- {name: b, image: "${P}", commands: *c}
"""
    [[found]] = read(resolved(text, "default", {"P": "x"}))
    told = [(step["commands"], step["environment"]) for step in found["steps"]]
    assert told == [
        (["echo ${SHIPLIFT_P_1}"], {"A": "1", "SHIPLIFT_P_1": "X"}),
        (["echo ${SHIPLIFT_P_1}"], {"SHIPLIFT_P_1": "X"}),
    ]


def test_windows_reads_its_own_variables(read: Reader) -> None:
    text = "{kind: pipeline, platform: {os: windows}, steps: [{commands: ['echo ${P} ${P^}']}]}"
    [[found]] = read(resolved(text, "default", {"P": "x"}))
    assert found["steps"][0]["commands"] == ["echo ${env:P} ${env:SHIPLIFT_P_1}"]


@pytest.mark.parametrize("name", VALUES)
def test_a_value_comes_through_as_it_is_and_makes_nothing(read: Reader, name: str) -> None:
    value = VALUES[name]
    text = """\
kind: pipeline
environment: {A: "${P}", B: "-${P}-"}
steps:
- name: s
  image: "${P}"
  settings: {quoted: '${P}', long: "${P}${P}", cut: "${P:1}"}
  commands: ['echo "${P}"']
- {name: last}
"""
    [[found]] = read(resolved(text, "default", {"P": value}))
    assert found["environment"] == {"A": value, "B": f"-{value}-"}
    [step, last] = found["steps"]
    assert step["settings"] == {"quoted": value, "long": value * 2, "cut": value[1:]}
    assert (step["image"], step["commands"], step["detach"]) == (value, ['echo "${P}"'], False)
    assert last["name"] == "last"


pieces = st.sampled_from(
    [*"${}\\/\"' \n\t:#-&*!%@`", "${P}", "$$", "---\n", "...", "${", "\\/", "é", "\u2028", "🚢", "x" * 5000]
)
texts = st.lists(pieces, max_size=30).map("".join)


@given(values=st.lists(st.tuples(texts, texts), min_size=20, max_size=20))
@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_text_and_any_value_come_through(read: Reader, values: list[tuple[str, str]]) -> None:
    # What stands in another pipeline stays, to the letter.
    def file(text: str) -> str:
        other = {"kind": "pipeline", "name": "other", "other": {"text": text}}
        # YAML has other escapes than JSON beyond U+FFFF.
        told = json.dumps(other).replace("\\ud83d\\udea2", "🚢")
        return f"{{kind: pipeline, other: {{text: '<${{P}}>'}}}}\n---\n{told}\n"

    made = [resolved(file(text), "default", {"P": value}) for text, value in values]
    assert all(len(line) < 60_000 for text in made for line in text.split("\n"))
    found = read(*made)
    assert [each[0]["other"]["text"] for each in found] == [f"<{value}>" for _, value in values]
    assert [each[1]["other"]["text"] for each in found] == [text for text, _ in values]


def test_what_comes_to_too_much_is_refused() -> None:
    text = json.dumps({"kind": "pipeline", "a": ["${P}"] * 70})
    with pytest.raises(Invalid) as told:
        resolved(text, "default", {"P": "x" * 32 * 1024})
    words = "its steps come to more than 2097152 bytes with the parameters"
    assert told.value.violations == [("pipeline", words)]
    with pytest.raises(Invalid) as told:
        resolved(json.dumps({"kind": "pipeline", "a": ["${P}"] * 20}), "default", {"P": "\1" * 32 * 1024})
    [(_, words)] = told.value.violations
    assert re.fullmatch(r"comes to 39\d{5} bytes with the parameters: at most 2097152", words)


@pytest.mark.parametrize(
    "text",
    ["- ${A/x/" + "}" * 30_000 + "\n", "- '" + "${A/x/" * 9000 + "}" * 9000 + "'\n", "- ${#A}\n" * 3000],
    ids=["closed often", "nested", "many"],
)
def test_no_file_takes_long(text: str) -> None:
    file = "kind: pipeline\nlist:\n" + text * min(15, 900_000 // len(text))
    began = time.thread_time()
    told: Mapping[str, str] = {"A": "a" * 32 * 1024}
    try:
        resolved(file, "default", told)
    except Invalid as refused:
        assert "its steps hold more than 4000 '${...}' and '$$'" in str(refused)  # noqa: PT017
    assert time.thread_time() - began < 1
