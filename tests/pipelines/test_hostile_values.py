"""Values that a caller can choose are never code, in our runner's steps and in what Drone's runners get."""

import base64
import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from shiplift.v1 import builds_pb2 as pb

from tests.support.harness import Shipliftd
from tests.support.hostile import PWNED, VALUES
from tests.support.patience import within
from tests.support.repository import Repository
from tests.support.runner_wire import Work
from tests.support.runners import Fleet, pipeline
from tests.support.staged import Staged

_PAIRS = re.compile(r"\$\$|\\[\\/]")
# The longest is as long as a parameter may be.
PARAMS = {name: value[: 30 * 1024] for name, value in VALUES.items()}


@pytest.fixture
def staged(repository: Repository) -> Staged:
    """A runner for a repository of the test's own."""
    return Staged.of(repository)


CASE = """\
kind: pipeline
type: exec
name: d
steps:
- name: s
  commands:
  - echo "region ${REGION}"
"""


def written(name: str, folder: Path) -> list[str]:
    """Commands that write what becomes of a variable to files."""
    forms = (f"${{{name}}}", f"${{{name}:1}}", f"${{NONE:-${{{name}}}}}", f"x${{{name}/x/y}}")
    return [f'printf %s "{form}" > {folder}/{name}.{number}' for number, form in enumerate(forms)]


def check(name: str, value: str, folder: Path) -> None:
    """What the commands wrote, byte for byte."""
    expected = [value, value[1:], value, "x" + value.replace("x", "y", 1)]
    found = [(folder / f"{name}.{number}").read_bytes().decode() for number in range(len(expected))]
    assert (name, found) == (name, expected)


def test_our_runner_runs_no_value(server: Shipliftd, repository: Repository, tmp_path: Path) -> None:
    fleet = Fleet.make(server, repository, tmp_path)
    steps = [
        {
            "name": f"step {name}",
            "commands": written(name, tmp_path),
            "environment": {"COPY": f"<${{{name}}}>"},
        }
        for name in PARAMS
    ]
    build = fleet.promote("".join(f"- {json.dumps(step)}\n" for step in steps), **PARAMS)
    assert fleet.once().code == 0
    for number, (name, value) in enumerate(PARAMS.items(), start=1):
        check(name, value, tmp_path)
        assert PWNED not in "".join(fleet.log(build, number))


def test_our_runner_runs_nothing_that_the_recorder_said(
    server: Shipliftd, repository: Repository, tmp_path: Path
) -> None:
    fleet = Fleet.make(server, repository, tmp_path)
    said = {
        "message": "DRONE_COMMIT_MESSAGE",
        "target": "DRONE_COMMIT_BRANCH",
        "author_login": "DRONE_COMMIT_AUTHOR",
        "author_name": "DRONE_COMMIT_AUTHOR_NAME",
        "link": "DRONE_COMMIT_LINK",
        "title": "DRONE_PULL_REQUEST_TITLE",
    }
    value = f'x"; echo {PWNED}; echo "\'$(echo {PWNED})`echo {PWNED}`'
    commands = [line for name in said.values() for line in written(name, tmp_path)]
    recorded = repository.record(
        pipeline=pipeline(f"- {json.dumps({'name': 's', 'commands': commands})}\n"),
        ref="refs/pull/1/head",
        status=pb.BUILD_STATUS_SUCCESS,
        **dict.fromkeys(said, value),
    )
    build = repository.promote(recorded.number).number
    assert fleet.once().code == 0
    for name in said.values():
        check(name, value, tmp_path)
    assert PWNED not in "".join(fleet.log(build, 1))


def test_the_case_that_was_found(server: Shipliftd, repository: Repository, tmp_path: Path) -> None:
    fleet = Fleet.make(server, repository, tmp_path)
    build = fleet.promote(CASE.partition("steps:\n")[2], REGION='x"; echo PWNED; echo "')
    assert fleet.once().code == 0
    assert fleet.log(build, 1) == ['+ echo "region ${REGION}"\n', 'region x"; echo PWNED; echo "\n']


def of_the_wire(work: Work, file: str, params: Mapping[str, str]) -> list[dict[str, Any]]:
    """The documents of the file that a Drone runner gets for a promotion's stage."""
    work.promoted(file, params=params)
    stage = work.runner.accept(work.runner.request(type="docker").json).json
    detail = work.runner.call("GET", f"/stage/{stage['id']}").json
    found = detail["build"]["params"]
    assert {name: value for name, value in found.items() if not name.startswith("SHIPLIFT_")} == params
    text = base64.b64decode(detail["config"]["Data"]).decode()
    # Nothing is left for Drone's library, which reads each of these as its second character.
    assert "${" not in _PAIRS.sub("", text)
    return list(yaml.safe_load_all(_PAIRS.sub(lambda pair: pair[0][1], text)))


def test_drones_runners_get_no_value_as_code(tmp_path: Path) -> None:
    with Shipliftd(tmp_path / "shiplift.db", ("--http", "127.0.0.1:0")) as server:
        work = Work.at(server, server.http, "wire")
        params = {name: value for name, value in PARAMS.items() if name not in ("EMPTY", "LONG")}
        steps = [
            {
                "name": "s",
                "image": f"${{{name}}}",
                "commands": written(name, tmp_path),
                "environment": {"COPY": f"<${{{name}}}>"},
            }
            for name in params
        ]
        for number, step in enumerate(steps):
            step["name"] = f"step {number}"
        text = json.dumps({"kind": "pipeline", "type": "docker", "name": "d", "steps": steps})
        [document] = of_the_wire(work, text, params)
        found = document["steps"]
        assert isinstance(found, list)
        assert len(found) == len(params)
        for step, (name, value) in zip(found, params.items(), strict=True):
            assert (step["image"], step["environment"]["COPY"]) == (value, f"<{value}>")
            # A Drone runner has the parameters and the step's own in the environment, as we do.
            done = subprocess.run(
                ["sh", "-ec", "\n".join(step["commands"])],
                env={"PATH": "/usr/bin:/bin", **params, **step["environment"]},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=20,
                check=True,
            )
            assert done.stdout == b""
            check(name, value, tmp_path)


HEAVY = "${A/x/" + "}" * 30_000


@pytest.mark.parametrize("command", [HEAVY, "${A/x/" * 9000 + "}" * 9000, "${A##*b*c}" * 6000])
def test_a_plan_takes_no_time_of_others(staged: Staged, command: str) -> None:
    steps = [{"name": f"s{n}", "commands": [command]} for n in range(15)]
    build = staged.promoted({"name": "d", "steps": steps}, params={"A": "a" * 32 * 1024})
    stage = build.stages[0].id
    with within(1):
        if command == HEAVY:
            accepted = staged.runner.accept(stage)
            lease = staged.runner.lease(stage)
            assert len(lease.plan.steps) == 15
            assert lease.plan == accepted.plan
        else:
            told = "its steps hold more than 4000 '${...}' and '$$'"
            with pytest.raises(grpc.RpcError, match="cannot be done") as refused:
                staged.runner.accept(stage)
            assert told in str(refused.value)
