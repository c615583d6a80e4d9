"""Two known values go through everything, and are looked for in every byte that comes of it."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from shiplift.v1 import builds_pb2 as api
from shiplift.v1 import secrets_pb2 as pb
from shiplift.v1 import stages_pb2

from tests.support import postgres
from tests.support.beside import everything, opened
from tests.support.cli import Said
from tests.support.collector import Collector
from tests.support.commands import shipliftd
from tests.support.declared import Declared
from tests.support.gateway import Caller
from tests.support.harness import Shipliftd
from tests.support.repository import Repository
from tests.support.runners import Fleet, pipeline
from tests.support.staged import ERROR, RUNNING, Runner

SECRET = "a-secret-of-the-repository-7f3e"
PARAMETER = "a-parameter-of-production-91ac"
STEPS = """\
- name: only
  environment: {{TOKEN: {{from_secret: token}}}}
  commands:
  - printf '%s %s' "$TOKEN" "$PASSWORD" > {folder}/$DRONE_BUILD_NUMBER.got
  - echo "token $TOKEN, password ${{PASSWORD}}"
  - printf '%s' "${{TOKEN:0:9}}"; sleep 0.4; printf '%s\\n' "${{TOKEN:9}}"
  - printf 'Basic '; printf 'user:%s' "$TOKEN" | base64 -w 0; printf '%s' "$PASSWORD" | base64
  - for n in $(seq 3000); do printf '%s' "$PASSWORD$TOKEN"; done
  - set -x; test "$TOKEN" = "$PASSWORD"
"""


def needles() -> list[bytes]:
    """The values, and what cannot be but of them in base64."""
    found = []
    for value in (SECRET.encode(), PARAMETER.encode()):
        found.append(value)
        for before, mixed in enumerate((0, 2, 3)):
            inner = base64.b64encode(bytes(before) + value)
            found.append(inner[mixed : (before + len(value)) * 8 // 6])
    return found


@dataclass
class Seen:
    """All that was put out, by where."""

    all: dict[str, bytes] = field(default_factory=dict)

    def add(self, where: str, what: object) -> None:
        """Notes something as it is, or as text."""
        data = what if isinstance(what, bytes) else str(what).encode()
        self.all[f"{len(self.all)} {where}"] = data

    def said(self, where: str, said: Said, code: int = 0) -> None:
        """Notes what a command said, which ended so."""
        assert said.code == code, said
        self.add(where, f"{said.out}\n{said.err}")

    def found(self) -> list[str]:
        """Where one of the values is."""
        return [where for where, data in self.all.items() if any(needle in data for needle in needles())]


@dataclass
class Scene:
    """A server with all of its doors, which tells traces, and what is seen of it."""

    server: Shipliftd
    collector: Collector
    repository: Repository
    fleet: Fleet
    seen: Seen
    folder: Path


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """A repository with a secret, and a secret parameter of production."""
    for name in ("store", "home", "steps"):
        (tmp_path / name).mkdir()
    arguments = ("--http", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
    with Collector() as collector:
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        with Shipliftd(tmp_path / "store" / "shiplift.db", arguments, environment=environment) as server:
            server.secrets.hide(SECRET)
            server.secrets.hide(PARAMETER)
            repository = Repository.make(server, "octocat", "app")
            fleet = Fleet.make(server, repository, tmp_path / "home")
            yield Scene(server, collector, repository, fleet, Seen(), tmp_path)


def begin(scene: Scene) -> None:
    """Sets both, and promotes by Drone's route."""
    repository, seen = scene.repository, scene.seen
    secrets = scene.server.secret_service()
    where: dict[str, Any] = {"owner": "octocat", "repo": "app"}
    seen.add("SetSecret", secrets.SetSecret(pb.SetSecretRequest(**where, name="token", value=SECRET)))
    seen.add("GetSecret", secrets.GetSecret(pb.GetSecretRequest(**where, name="token")))
    seen.add("ListSecrets", secrets.ListSecrets(pb.ListSecretsRequest(**where)))
    rule = {"name": "PASSWORD", "secret": True, "required": True, "pattern": "[a-z0-9-]+"}
    seen.add("CreateEnvironment", Declared(repository).declare(params=[rule]))
    recorded = repository.record(
        pipeline=pipeline(STEPS.format(folder=scene.folder / "steps")),
        event=api.BUILD_EVENT_PUSH,
        status=api.BUILD_STATUS_SUCCESS,
    )
    assert recorded.number == 1
    caller = Caller(scene.server.http, scene.server.admin_token)
    query = {"target": "production", "PASSWORD": PARAMETER}
    answer = caller.post("/api/repos/octocat/app/builds/1/promote", query)
    assert answer.status == 200
    seen.add(
        "promote, refused",
        caller.post(
            "/api/repos/octocat/app/builds/1/promote", {**query, "PASSWORD": PARAMETER.upper()}
        ).body,
    )
    seen.add("promote", answer.body)
    wrong = scene.fleet.person.run("promote", "1", "production", "-p", f"PASSWORD={PARAMETER}!")
    seen.said("promote, refused", wrong, 1)


def run(scene: Scene) -> None:
    """Has our runner do it, and another try; then a runner that masks nothing."""
    fleet, seen, got = scene.fleet, scene.seen, scene.folder / "steps"
    seen.said("runner", fleet.once(), 1)
    assert (got / "2.got").read_text() == f"{SECRET} {PARAMETER}"
    seen.said("retry", fleet.person.run("retry", "2"))
    seen.said("runner again", fleet.once(), 1)
    assert (got / "3.got").read_text() == f"{SECRET} {PARAMETER}"
    seen.said("explain", fleet.person.run("explain", "1", "production", "-p", f"PASSWORD={PARAMETER}"))
    promoted = scene.fleet.person.run(
        "promote", "1", "production", "--secret-param", "PASSWORD", stdin=PARAMETER
    )
    seen.said("promote", promoted)
    runner = Runner(scene.server, fleet.runner.token)
    lease = runner.accept(scene.repository.get(4).stages[0].id)
    assert (lease.secrets[0].value, lease.plan.environment["PASSWORD"]) == (SECRET, PARAMETER)
    step = stages_pb2.StepReport(number=1, name="only", status=RUNNING)
    stage = runner.report(lease.stage.id, RUNNING, message=f"{SECRET} is used", steps=[step])
    encoded = base64.b64encode(f"user:{PARAMETER}".encode()).decode()
    runner.append(stage.steps[0].id, 0, f"{SECRET} and {encoded}\n")
    seen.add("UpdateStep", runner.report_step(stage.steps[0].id, ERROR, error=f"{PARAMETER} is wrong"))
    seen.add("UpdateStage", runner.report(lease.stage.id, ERROR, error=f"step only: {PARAMETER} is wrong"))


def look(scene: Scene) -> None:
    """Asks every door for what there is."""
    seen, person = scene.seen, scene.fleet.person
    for words in (
        *(
            ("show", "2"),
            ("show", "2", "--json"),
            ("log", "2"),
            ("log", "4"),
            ("builds",),
            ("builds", "--json"),
        ),
        *(("envs",), ("env", "show", "production"), ("explain", "2", "production")),
    ):
        said = person.run(*words)
        seen.add(" ".join(words), f"{said.out}{said.err}")
        assert said.out, words
    caller = Caller(scene.server.http, scene.server.admin_token)
    for path in (
        "builds",
        "builds/2",
        "builds/4",
        "builds/2/logs/1/1",
        "builds/3/logs/1/1",
        "builds/4/logs/1/1",
    ):
        answer = caller.get(f"/api/repos/octocat/app/{path}")
        assert answer.status == 200, path
        seen.add(path, answer.body)
    page = caller.get("/octocat/app/2")
    assert page.status == 200
    seen.add("page", page.body)
    seen.add("metrics", Caller(scene.server.metrics).get("/metrics").body)
    scene.collector.wait(lambda span: span.name.endswith("/UpdateStage"))
    seen.add("traces", scene.collector.spans)


def look_beside(scene: Scene) -> None:
    """Looks into the store, its backup, the log and what commands on the store say."""
    seen, server = scene.seen, scene.server
    if not postgres.is_in_use():
        copy = scene.folder / "store" / "copy.db"
        done = shipliftd("backup", copy, "--database", server.store)
        seen.add("backup", done.stdout + done.stderr)
        assert copy.stat().st_size
    for path in (scene.folder / "store").iterdir():
        if path.is_file():
            seen.add(f"file {path.name}", path.read_bytes())
    with opened(server.database) as store:
        for table, rows in everything(store).items():
            seen.add(f"table {table}", "\n".join(map(str, rows)))
    seen.add("check", shipliftd("check", "--database", server.store).stdout)


def test_they_are_found_in_the_steps_alone(scene: Scene) -> None:
    begin(scene)
    run(scene)
    look(scene)
    look_beside(scene)
    assert scene.seen.found() == []
    # That what was looked through is what was meant.
    everything_seen = b"".join(scene.seen.all.values())
    assert b"token ******, password ******" in everything_seen
    assert b"****** is wrong" in everything_seen
    assert scene.server.stop() == 0
    log = "\n".join(map(json.dumps, scene.server.log))
    assert "/api/repos/octocat/app/builds/1/promote" in log
    scene.seen.add("log", log)
    assert scene.seen.found() == []
