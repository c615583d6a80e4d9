"""Files of environments: what is written is read as what it was, and faults name their lines."""

from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from hypothesis import given, settings
from hypothesis import strategies as st
from shiplift.cli.environment_files import File, read, said_fields, written
from shiplift.cli.lengths import length, shown_length
from shiplift.v1 import access_pb2
from shiplift.v1 import environments_pb2 as pb

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
DURATIONS = st.builds(Duration, seconds=st.integers(0, 400 * 86_400), nanos=st.integers(0, 999_999_999))
WINDOWS = st.builds(lambda begin, end: pb.WeeklyWindow(**{"from": begin, "to": end}), TEXTS, TEXTS)
FREEZES = st.builds(
    lambda begin, **said: pb.Freeze(**{"from": begin}, **said),
    TEXTS,
    name=TEXTS,
    zone=TEXTS,
    to=TEXTS,
    weekly=st.lists(WINDOWS, max_size=2),
    reason=TEXTS,
)
RULES = st.builds(
    pb.ParameterRule,
    name=TEXTS,
    description=TEXTS,
    required=st.booleans(),
    default=TEXTS,
    choices=st.lists(TEXTS, max_size=2),
    pattern=TEXTS,
)
LOGINS = st.lists(TEXTS, max_size=2)
SAID: dict[str, st.SearchStrategy[Any]] = {
    "name": st.text("abc./-1", min_size=1, max_size=5),
    "deployer": st.sampled_from(pb.Deployer.values()),
    "promoters": LOGINS,
    "promoter_level": st.sampled_from([0, access_pb2.ACCESS_LEVEL_WRITE, access_pb2.ACCESS_LEVEL_ADMIN]),
    "required_approvals": st.integers(0, 10),
    "approvers": LOGINS,
    "approval_window": st.none() | DURATIONS,
    "requires": TEXTS,
    "soak": st.none() | DURATIONS,
    "allow_failed": st.booleans(),
    "queue_policy": st.sampled_from(pb.QueuePolicy.values()),
    "freezes": st.lists(FREEZES, max_size=2),
    "params": st.lists(RULES, max_size=2),
    "overriders": LOGINS,
    "link": TEXTS,
    "description": TEXTS,
    "confirm": st.booleans(),
}
ENVIRONMENTS = st.builds(pb.Environment, **SAID)
DECLARED = st.lists(ENVIRONMENTS, max_size=3, unique_by=lambda each: each.name)


@settings(deadline=None)
@given(
    st.builds(
        File,
        environments=DECLARED,
        repositories=st.none(),
        freezes=st.none() | st.lists(FREEZES, max_size=2),
    )
)
def test_what_is_written_is_read_as_what_it_was(file: File) -> None:
    text = written(file)
    assert text.isascii()
    assert read(text, "x.yml") == file


@settings(deadline=None)
@given(st.dictionaries(st.text("ab.-1", min_size=1, max_size=5), DECLARED, max_size=2))
def test_so_is_what_is_written_of_an_owner(repositories: dict[str, list[pb.Environment]]) -> None:
    file = File(repositories=repositories, freezes=[])
    assert read(written(file), "x.yml") == file


def test_what_is_tried_above_has_every_field_that_is_said() -> None:
    assert {"name", *said_fields()} == SAID.keys()


def test_what_the_server_says_is_not_written() -> None:
    environment = pb.Environment(owner="octocat", repo="hello", name="qa", version=3, rules_version=2)
    environment.created.GetCurrentTime()
    assert written(File(environments=[environment])) == "environments:\n- name: qa\n"


@settings(deadline=None)
@given(DURATIONS)
def test_a_length_is_read_as_it_is_shown(duration: Duration) -> None:
    assert length(shown_length(duration)) == duration


@pytest.mark.parametrize(
    ("text", "seconds", "shown"),
    [
        *(("10m", 600, "10m"), ("1h30m", 5400, "1h30m"), ("90", 90, "1m30s"), ("7d", 604_800, "7d")),
        *(("0", 0, "0s"), ("0s", 0, "0s"), ("1d2h3m4s", 93_784, "1d2h3m4s"), ("1.5s", 1.5, "1.5s")),
    ],
)
def test_lengths(text: str, seconds: float, shown: str) -> None:
    found = length(text)
    assert (found.ToTimedelta().total_seconds(), shown_length(found)) == (seconds, shown)


@pytest.mark.parametrize("text", ["", "h", "1m1h", "-1m", "1.5h", "1 h", "\u0661m", "9" * 20, "1e3"])
def test_what_is_no_length(text: str) -> None:
    with pytest.raises(ValueError, match="is no length of time: wanted such as 10m, 1h30m, 7d or 90"):
        length(text)


ONE = "environments:\n- name: x\n  "


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", " is empty: wanted environments, repositories, freezes"),
        ("- a", ":1: the file: wanted keys and values"),
        ("? [a, b]\n: 1", ":1: the file: a key is a list or a mapping: wanted a name"),
        ("a: \0", ": is no YAML: unacceptable character #x0000: special characters are not allowed"),
        ("a: 1\n---\nb: 1", ":2: is no YAML: but found another document"),
        ("a: 1", ":1: the file: there is no 'a': wanted some of environments, repositories, freezes"),
        ("environments: [", ":1: is no YAML: expected the node content, but found '<stream end>'"),
        (
            ONE + "nam: y",
            ":3: environments: there is no 'nam': wanted some of name, ",
        ),
        (ONE + "version: 3", ":3: environments: there is no 'version': wanted "),
        ("environments:\n- link: x", ":2: the environment has no name"),
        ("environments:\n- name: x\n- name: x", ":3: environment x stands there twice"),
        (ONE + "name: y", ":3: environments: name stands there twice"),
        (ONE + "promoters: mona", ":3: promoters: wanted a list"),
        (
            ONE + "link: [a]",
            ":3: link is a list, a mapping or empty: wanted one value",
        ),
        (ONE + "link:", ":3: link is a list, a mapping or empty: wanted one value"),
        (
            ONE + "required_approvals: two",
            ":3: required_approvals: 'two': wanted a num",
        ),
        (ONE + "confirm: maybe", ":3: confirm: 'maybe': wanted true or false"),
        (
            ONE + "soak: soon",
            ":3: soak: 'soon' is no length of time: wanted such as ",
        ),
        (
            ONE + "queue_policy: a",
            ":3: queue_policy: 'a' is none: wanted one of queue, ",
        ),
        (
            ONE + "freezes:\n  - zon: x",
            ":4: freezes: there is no 'zon': wanted some of ",
        ),
        ("environments: []\nrepositories: {}", ":2: environments are said as well: leave one out"),
        ("environments: &a\n- *a", ":1: environments: wanted keys and values"),
    ],
)
def test_a_fault_names_its_line(text: str, fault: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011  # what it says is looked at
        read(text, "x.yml")
    assert str(refused.value).startswith(f"x.yml{fault}")


def test_texts_are_taken_as_they_are_written() -> None:
    text = (
        "environments:\n- name: 2026\n  confirm: yes\n  params:\n  - {name: A, default: 1.0}\n"
        "  - {name: B, default: no, choices: [no, 0x10, 1_000]}\n"
    )
    found = read(text, "x.yml").environments
    assert found == [
        pb.Environment(
            name="2026",
            confirm=True,
            params=[
                pb.ParameterRule(name="A", default="1.0"),
                pb.ParameterRule(name="B", default="no", choices=["no", "0x10", "1_000"]),
            ],
        )
    ]
