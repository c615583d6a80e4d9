"""Faults of pipeline files: what is wrong and where, and texts that are made to harm."""

import json
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from shipliftd.errors import Invalid
from shipliftd.pipelines import parse

MIB = 1024 * 1024


def faults(text: str) -> list[tuple[str, str]]:
    """What is wrong with a file; it is told soon, whatever the text."""
    began = time.thread_time()
    try:
        parse(text)
    except Invalid as error:
        return list(error.violations)
    finally:
        assert time.thread_time() - began < 5
    return []


def fault(text: str) -> tuple[str, str]:
    (only,) = faults(text)
    return only


@pytest.mark.parametrize(
    ("text", "field", "description"),
    [
        ("a: [", "2:1", "is not YAML: did not find expected node content while parsing a flow node"),
        (
            "kind: pipeline\nname: a: b",
            "2:8",
            "is not YAML: mapping values are not allowed in this context",
        ),
        (
            "\tkind: pipeline",
            "1:1",
            "is not YAML: found character that cannot start any token while scanning for the next token",
        ),
        ("kind: pipeline\nname: *a", "2:7", "the alias '*a' has no anchor before it"),
        ("kind: &a\n--- *a", "2:5", "the alias '*a' has no anchor before it"),
        ("kind: &a [*a]", "1:11", "the alias '*a' stands in what it is an alias of"),
        (
            "kind: template\nload: a.yaml\ndata: {b: c}",
            "1:7",
            "templates are not supported: send the pipelines that it makes instead",
        ),
        (
            "clone: {git: {depth: 1}}\npipeline:\n  build: {image: a}",
            "2:1",
            "`pipeline:` without a kind is the format of Drone 0.8: `drone convert --save` converts it",
        ),
        ("kind: pipeline\n<<: 3", "2:5", "'<<' is text ('3'): wanted a mapping or a list of them"),
        ("kind: pipeline\n? [a]\n: b", "2:3", "a key is a list: wanted text"),
        ("- a", "1:1", "the document is a list: wanted a mapping with kind: pipeline"),
        ("pipeline", "1:1", "the document is text ('pipeline'): wanted a mapping with kind: pipeline"),
        ("---\n# hello\nname: a", "3:1", "has no kind: wanted kind: pipeline"),
        ("kind: [pipeline]", "1:7", "kind is a list: wanted text"),
        ("kind: pipeline\nname: {a: b}", "2:7", "name is a mapping: wanted text"),
        ("kind: pipeline\nname: " + "x" * 101, "2:7", "name has 101 characters: at most 100"),
        (
            'kind: pipeline\nname: "a\\nb"',
            "2:7",
            r"name 'a\nb' has a line break or a control character",
        ),
        ("kind: pipeline\nsteps: build", "2:8", "steps is text ('build'): wanted a list"),
        ("kind: pipeline\nsteps: [a]", "2:9", "a step is text ('a'): wanted a mapping with a name"),
        ("kind: pipeline\nsteps:\n- image: a", "3:3", "a step has no name: give it one"),
        (
            "kind: pipeline\nsteps:\n- name: a\n  image: b\n  commands:\n  - echo: a",
            "6:5",
            "an item of commands is a mapping: wanted text, quoted if it holds ': '",
        ),
        (
            "kind: pipeline\nsteps: [{name: a, image: b, commands: {a: b}}]",
            "2:39",
            "commands is a mapping: wanted text or a list of texts",
        ),
        (
            "kind: pipeline\nsteps: [{name: a, image: b, detach: 7}]",
            "2:37",
            "detach is text ('7'): wanted true or false",
        ),
        (
            "kind: pipeline\nconcurrency: {limit: -1}",
            "2:22",
            "limit is text ('-1'): wanted a whole number from 0 to 2147483647",
        ),
        (
            "kind: pipeline\nconcurrency: {limit: 2147483648}",
            "2:22",
            "limit is text ('2147483648'): wanted a whole number from 0 to 2147483647",
        ),
        (
            "kind: pipeline\nenvironment: {A: [b]}",
            "2:18",
            "A is a list: wanted text or {from_secret: NAME}",
        ),
        ("kind: pipeline\nenvironment: {A=B: c}", "2:15", "'A=B' is not a variable's name"),
        ("kind: pipeline\nplatform: linux", "2:11", "platform is text ('linux'): wanted a mapping"),
        ("kind: pipeline\nnode: {a: [b]}", "2:11", "a is a list: wanted text"),
        (
            "kind: pipeline\ntrigger: {branch: 'a['}",
            "2:19",
            "'a[' is not a pattern: a '[' has no ']'",
        ),
        (
            "kind: pipeline\ntrigger: {branch: {exclude: [x, '[]']}}",
            "2:33",
            r"'[]' is not a pattern: a ']' in '[...]' stands where a character should: write '\]'",
        ),
        ("kind: pipeline\ntrigger: {ref: '\\'}", "2:16", "'\\\\' is not a pattern: it ends with a '\\'"),
        (
            "kind: pipeline\n---\nkind: pipeline",
            "3:1",
            "'default' is another pipeline of this file, too, in line 1: give each a name of its own",
        ),
        (
            "kind: pipeline\nsteps:\n- {name: a, image: b}\n- {name: a, image: b}",
            "4:10",
            "'a' is another step of this pipeline, too, in line 3: give each a name of its own",
        ),
        ("kind: pipeline\ndepends_on: [a]", "2:14", "'a' is not a pipeline of this file"),
        (
            "kind: pipeline\nclone: {disable: true}\nsteps:\n- {name: a, image: b,\n  depends_on: clone}",
            "5:15",
            "'clone' is not a step of this pipeline",
        ),
        (
            "kind: pipeline\nname: a\ndepends_on: a",
            "3:13",
            "wait for each other, so that none can begin: 'a' -> 'a'",
        ),
        (
            "kind: pipeline\nname: a\ndepends_on: [b]\n---\nkind: pipeline\nname: b\ndepends_on: [a]",
            "3:14",
            "wait for each other, so that none can begin: 'a' -> 'b' -> 'a'",
        ),
        (
            "kind: pipeline\ntype: exec\nsteps:\n- name: a\n  image: b\n  settings: {c: d}",
            "5:3",
            "step 'a' has an image, but a pipeline of type exec runs commands on the runner's own machine:"
            " leave that out, or make the pipeline one of type docker",
        ),
        (
            "kind: pipeline\ntype: exec\nsteps:\n- name: a\n  settings: {c: d}\n  commands: e",
            "5:3",
            "step 'a' has settings, but a pipeline of type exec runs commands on the runner's own machine:"
            " leave that out, or make the pipeline one of type docker",
        ),
        (
            "kind: pipeline\ntype: exec\nsteps:\n- name: a\n  commands: []",
            "4:3",
            "step 'a' has no commands, but a pipeline of type exec runs commands on the runner's own"
            " machine and nothing else",
        ),
        (
            "kind: pipeline\ntype: kubernetes\nsteps:\n- name: a\n  commands: b",
            "4:3",
            "step 'a' has no image: a pipeline of type kubernetes runs each step in one",
        ),
        ('a: "\\0"', "1:4", "has a NUL character"),
        ("a: b\nc: \x00", "2:4", "has the character U+0000: not in YAML"),
        ("a: b\r\nc: d\r\r\x1b", "4:1", "has the character U+001B: not in YAML"),
        ("\ud83d", "1:1", "has the character U+D83D: not in YAML"),
        (
            'a: "\\ud83d"',
            "1:7",
            "is not YAML: found invalid Unicode character escape code while parsing a quoted scalar",
        ),
    ],
)
def test_a_fault_has_its_line_and_column(text: str, field: str, description: str) -> None:
    assert fault(text) == (f"pipeline:{field}", description)


def test_every_fault_is_told_in_the_order_of_the_file() -> None:
    text = """\
kind: pipeline
name: [a]
trigger: {event: {include: [push, '[']}}
concurrency: {limit: many}
type: exec
steps:
- name: a
  commands: d
  depends_on: [c, b]
- name: b
  commands: d
  depends_on: a
- commands: d
---
kind: pipeline
depends_on: {a: b}
"""
    assert faults(text) == [
        ("pipeline:2:7", "name is a list: wanted text"),
        ("pipeline:3:35", "'[' is not a pattern: a '[' has no ']'"),
        ("pipeline:4:22", "limit is text ('many'): wanted a whole number from 0 to 2147483647"),
        ("pipeline:9:16", "'c' is not a step of this pipeline"),
        ("pipeline:9:19", "wait for each other, so that none can begin: 'a' -> 'b' -> 'a'"),
        ("pipeline:13:3", "a step has no name: give it one"),
        (
            "pipeline:15:1",
            "'default' is another pipeline of this file, too, in line 2: give each a name of its own",
        ),
        ("pipeline:16:13", "depends_on is a mapping: wanted text or a list of texts"),
    ]


def test_a_thousand_faults_are_enough() -> None:
    assert (
        len(faults("kind: pipeline\nenvironment:\n" + "".join(f" A{n}: [a]\n" for n in range(9000))))
        == 1000
    )


def steps(count: int) -> str:
    return "kind: pipeline\nsteps:\n" + "".join(f"- name: s{n}\n  image: a\n" for n in range(count))


@pytest.mark.parametrize(
    ("most", "more", "told"),
    [
        (
            "---\nkind: pipeline\n" + "".join(f"---\nkind: pipeline\nname: p{n}\n" for n in range(99)),
            "---\nkind: pipeline\nname: p99",
            ("pipeline:301:1", "is one pipeline more than the 100 that are taken"),
        ),
        (steps(200), "- name: more\n  image: a", ("pipeline:3:1", "201 steps: at most 200")),
        ("---\n" * 200, "---\n", ("pipeline:201:1", "is one document more than the 200 that are taken")),
        (
            "#" + "x" * (MIB - 1),
            "x",
            ("pipeline", f"has {MIB + 1} characters: at most {MIB} bytes (1 MiB)"),
        ),
        ("#x" + "é" * (MIB // 2 - 1), "é", ("pipeline", f"has {MIB + 2} bytes: at most {MIB} (1 MiB)")),
        (
            "kind: pipeline\nsteps: [{name: a, image: b, commands: [" + "x" * (64 * 1024 - 1),
            "x",
            ("pipeline:2:9", "65537 bytes of commands in a step: at most 65536 (64 KiB)"),
        ),
        (
            "kind: secret\na: [" + "x, " * 49995,
            "x",
            ("pipeline:2:149990", "more than 50000 values, with aliases written out, are not taken"),
        ),
        (
            "kind: secret\na: &a\n" + "- b\n" * 99 + "c: [" + "*a, " * 498 + "d, " * 94,
            "d",
            ("pipeline:102:2279", "more than 50000 values, with aliases written out, are not taken"),
        ),
        (
            "kind: secret\na: &a " + "x" * 1000 + "\nc: [" + "*a, " * 1046 + "*a",
            ", *a",
            ("pipeline:3:4193", "more than 1 MiB of text, with aliases written out, is not taken"),
        ),
        (
            "kind: secret\na: " + "[" * 63,
            "[",
            ("pipeline:2:67", "is nested more than 64 deep"),
        ),
        (
            "kind: pipeline\nnode: {" + ", ".join(f"a{n}: b" for n in range(32)),
            ", a: b",
            ("pipeline:2:7", "33 labels: at most 32"),
        ),
    ],
    ids=[
        *(
            "pipelines",
            "steps",
            "documents",
            "characters",
            "bytes",
            "commands",
            "nodes",
            "aliases",
            "laughs",
        ),
        *("depth", "labels"),
    ],
)
def test_limits(most: str, more: str, told: tuple[str, str]) -> None:
    def closed(text: str) -> str:
        # JSON's brackets, if the text has opened any.
        opened = [] if text.startswith("#") else [c for c in text if c in "[{"]
        return text + "".join({"[": "]", "{": "}"}[c] for c in reversed(opened))

    assert faults(closed(most)) == []
    assert faults(closed(most + more)) == [told]


BOMBS = {
    "brackets": "[" * 40_000,
    "braces": "{" * 40_000,
    "dashes": "- " * 40_000,
    "questions": "? " * 40_000,
    "laughs": "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    + "".join(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 10)}]\n" for n in range(9)),
    "long laughs": f"a: &a {'x' * 100_000}\nb: [{', '.join(['*a'] * 99)}]",
    "merges": "a0: &a0 {"
    + ", ".join(f"k{n}: 1" for n in range(900))
    + "}\n"
    + "".join(f"a{n + 1}: &a{n + 1} {{<<: [*a{n}, *a{n}]}}\n" for n in range(40)),
    # Each directive is compared with all before it.
    "directives": "".join(f"%TAG !a{n}! b\n" for n in range(70_000)) + "--- a",
    "tags": f"%TAG !a! {'b' * 500_000}\n--- [{'!a!x y, ' * 40_000}]",
    "documents": "--- a\n" * 150_000,
    "empty values": "[" + "," * 500_000,
    "keys": "{" + ",".join(f"a{n}" for n in range(100_000)) + "}",
    "quotes": '"' + "\\\n" * 500_000,
    "spaces": "a:" + " " * 1_000_000 + "[",
    "lines": "a: |\n" + "\n" * 1_000_000,
    "comments": "#\n" * 500_000 + "[",
    "patterns": json.dumps({"kind": "pipeline", "trigger": {"ref": [f"*{n}*" for n in range(6000)]}}),
    "classes": json.dumps({"kind": "pipeline", "trigger": {"ref": [f"[{n}]" for n in range(9000)]}}),
    "globs": json.dumps({"kind": "pipeline", "trigger": {"ref": "[" * 500}}),
    "steps": json.dumps(
        {
            "kind": "pipeline",
            "steps": [
                {"name": f"s{n}", "depends_on": [f"s{m}" for m in range(n, 200)]} for n in range(200)
            ],
        }
    ),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_text_that_is_made_to_harm_is_refused_soon(bomb: str) -> None:
    assert faults(BOMBS[bomb]) != []


def is_refused_or_read(text: str) -> None:
    found = faults(text)
    assert len(found) <= 1000
    assert all(field.startswith("pipeline") and description for field, description in found)
    assert len(Invalid(found).status().SerializeToString()) < 4096


pieces = st.sampled_from(
    [
        *("[", "]", "{", "}", ",", ":", "-", "?", "&a", "*a", "!t", "!!str", "|", ">", "'", '"', "#", "%"),
        *("\n", "\n  ", "\n- ", " ", "\t", "---", "...", "<<: ", "a: ", "null", "\\", "\0", "é", "\ufeff"),
        *("kind: pipeline\n", "steps:\n", "- name: a\n", "  commands: [b]\n", "trigger:\n", "  event: x\n"),
        *("depends_on: [a]\n", "environment: {A: &a b}\n", "%TAG ! a\n", "\ud800", "\u2028", "\x85"),
    ]
)


@given(st.text())
@settings(max_examples=300, deadline=None)
def test_any_text_is_refused_or_read(text: str) -> None:
    is_refused_or_read(text)


@given(st.lists(pieces, max_size=40).map("".join))
@example("kind: pipeline\nsteps: [{name: a, depends_on: a}, {name: a, depends_on: a}]")
@settings(max_examples=1000, deadline=None)
def test_any_text_that_looks_like_yaml_is_refused_or_read(text: str) -> None:
    is_refused_or_read(text)
    is_refused_or_read("kind: pipeline\n" + text)


keys = st.sampled_from(
    [
        *("name", "type", "platform", "os", "version", "node", "concurrency", "limit", "depends_on"),
        *("trigger", "branch", "event", "target", "status", "include", "exclude", "clone", "disable"),
        *("workspace", "path", "environment", "A", "from_secret", "steps", "image", "commands", "when"),
        *("failure", "detach", "privileged", "shell", "services", "<<"),
    ]
)
texts = st.one_of(
    st.none(), st.booleans(), st.integers(), st.sampled_from(["a", "b", "a*", "["]), st.text()
)
values = st.recursive(
    texts, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=5))
)


@given(st.lists(st.dictionaries(keys, values, max_size=8), max_size=3))
@settings(max_examples=200, deadline=None)
def test_any_structure_is_refused_or_read(documents: list[dict[str, object]]) -> None:
    is_refused_or_read("\n---\n".join(json.dumps({"kind": "pipeline", **each}) for each in documents))
