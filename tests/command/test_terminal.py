"""Texts that would steer a terminal, in names, messages, branches, logs and errors: none gets to one."""

import json
import os
import re
import subprocess
from pathlib import Path

import grpc
import pytest
from shiplift.v1 import builds_pb2 as pb

from tests.support.cli import COMMAND, Cli
from tests.support.commands import command
from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS
from tests.support.refusals import code_of
from tests.support.repository import Repository
from tests.support.runners import Fleet, statuses
from tests.support.terminal import on_terminal

# A title, a cleared screen, CSI in one character, a line written over, text that runs backwards, a bell.
HOSTILE = "a\x1b]0;owned\x07b\x1b[2Jc\x9b31md\re\b\bf\u202eg\x1b(0h\x7f"
STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")
LINE_END = "\r\n"


def shown(cli: Cli, *words: str) -> str:
    """What `shiplift` shows on a terminal; nothing in it steers that."""
    text = on_terminal([*COMMAND, *words], cli.environment, cli.home)
    found = STEERING.findall(text.replace(LINE_END, "\n"))
    assert not found, (words, found, text)
    return text


@pytest.fixture
def fleet(server: Shipliftd, repository: Repository, tmp_path: Path) -> Fleet:
    """Runners for a repository of the test's own."""
    return Fleet.make(server, repository, tmp_path)


def record_hostile(repository: Repository) -> set[str]:
    """Records a build with a hostile text in each field that takes one; those that take none."""
    refused, taken = set(), dict[str, str]()
    build = pb.CreateBuildRequest()
    for field in build.DESCRIPTOR.fields:
        if not isinstance(getattr(build, field.name), str) or field.name in ("owner", "repo", "pipeline"):
            continue
        code = code_of(lambda name: repository.record(**{name: HOSTILE}), field.name)
        if code != grpc.StatusCode.OK:
            assert (field.name, code) == (field.name, grpc.StatusCode.INVALID_ARGUMENT)
            refused.add(field.name)
        else:
            taken[field.name] = HOSTILE
    assert repository.record(**taken).number
    return refused


def test_what_was_recorded_does_not_steer_a_terminal(fleet: Fleet) -> None:
    refused = record_hostile(fleet.repository)
    assert {"message", "title", "author_name"}.isdisjoint(refused)
    shown(fleet.person, "builds")
    shown(fleet.person, "show", str(fleet.repository.page().builds[0].number))
    promoted = fleet.repository.promote(1, params={"A": HOSTILE}).number
    assert "owned" in shown(fleet.person, "promote", "1", "staging", "-p", f"A={HOSTILE}")
    shown(fleet.person, "report", str(promoted), "failure", "--message", HOSTILE, "--link", HOSTILE)
    shown(fleet.person, "show", str(promoted))
    shown(fleet.person, "envs")
    shown(fleet.person, "settle", "production", "--current", "0", "--comment", HOSTILE)
    shown(fleet.person, "retry", str(promoted))
    assert "owned" in shown(fleet.person, "hold", "production", "--reason", HOSTILE)
    assert "owned" in shown(fleet.person, "envs")
    assert "owned" in shown(fleet.person, "explain", "1", "production")
    assert "owned" in shown(fleet.person, "promote", "1", "production")
    assert "owned" in shown(fleet.person, "promote", "1", "production", "--override", f"hold={HOSTILE}")
    assert "owned" in shown(fleet.person, "resume", "production")
    assert "owned" in shown(fleet.person, "env", "set", "production", "--description", HOSTILE)


def test_what_a_step_is_called_and_prints_does_not_steer_a_terminal(fleet: Fleet) -> None:
    printed = "".join(f"\\{ord(c):03o}" if ord(c) < 256 else c for c in HOSTILE.encode().decode("latin-1"))
    commands = json.dumps([f"printf '{printed}'"])
    names = ("../../etc", "-rf", "a/b", "x" * 100, "$(id)", "%s%n", "a\u202eb")
    steps = [f"- {{name: {json.dumps(name)}, commands: {commands}}}\n" for name in names]
    build = fleet.promote("".join(steps))
    runner = [*COMMAND, "runner", "--once", "--name", "here"]
    text = on_terminal(runner, fleet.runner.environment, fleet.runner.home)
    assert not STEERING.findall(text.replace(LINE_END, "\n")), text
    found = fleet.repository.get(build)
    assert statuses(found) == dict.fromkeys(names, "success")
    assert [fleet.log(build, n)[-1] for n in range(1, len(names) + 1)] == [HOSTILE] * len(names)
    for words in (("log", "-f"), ("log", "--json"), ("show",)):
        assert "owned" in shown(fleet.person, *words, str(build)) or words == ("show",)


@pytest.mark.parametrize(
    "words",
    [
        ("show", HOSTILE),
        ("promote", "1", HOSTILE),
        ("promote", HOSTILE, "qa"),
        ("promote", "1", "qa", "-p", f"{HOSTILE}=1"),
        ("promote", "1", "qa", "-R", HOSTILE),
        ("promote", "1", "qa", "--request-id", HOSTILE),
        ("log", "1", HOSTILE),
        (HOSTILE,),
        ("report", "1", HOSTILE),
        ("builds", "--server", HOSTILE),
        ("builds", "--token-file", HOSTILE),
        ("record", "--pipeline", HOSTILE),
        ("user", "add", HOSTILE),
        ("grant", "add", HOSTILE, HOSTILE, "-R", HOSTILE),
        ("explain", HOSTILE, HOSTILE),
        ("rollback", HOSTILE),
        ("hold", HOSTILE, "--reason", HOSTILE, "--until", HOSTILE),
        ("env", "set", HOSTILE, "--soak", HOSTILE),
        ("env", "apply", HOSTILE),
    ],
    ids=lambda words: " ".join("HOSTILE" if HOSTILE in word else word for word in words),
)
def test_an_error_does_not_steer_a_terminal(fleet: Fleet, words: tuple[str, ...]) -> None:
    fleet.repository.record()
    assert len(shown(fleet.person, *words)) > 10


def test_the_server_does_not_steer_its_operators_terminal(tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(tmp_path)}
    odd = f"{tmp_path}/{HOSTILE}.db"
    token = ("token", "create", "--login", HOSTILE)
    for words in (("check",), ("user", "add", HOSTILE), token, ("restore", odd)):
        text = on_terminal(command(*words, "--database", odd), environment, tmp_path)
        assert not STEERING.findall(text.replace(LINE_END, "\n")), text


def test_a_log_line_does_not_steer_a_terminal(tmp_path: Path) -> None:
    code = (
        "import logging, sys; from shipliftd import logs; logs.set_up();"
        "logging.getLogger('x').info('event', extra={'login': sys.argv[1]})"
    )
    words = [*command()[:1], "-c", code, HOSTILE]
    text = on_terminal(words, dict(os.environ), tmp_path)
    assert "owned" in text
    assert not STEERING.findall(text.replace(LINE_END, "\n")), text
    # Elsewhere it is JSON, which has all of it and can be looked at as well.
    piped = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS).stderr
    assert json.loads(piped)["login"] == HOSTILE
    assert not STEERING.findall(piped)
