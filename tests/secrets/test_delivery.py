"""Delivery: a stage's holder gets the secrets that its plan wants, and nobody else."""

import base64
from pathlib import Path
from typing import Any

import grpc
import pytest
from shiplift.v1 import access_pb2, stages_pb2
from shiplift.v1 import builds_pb2 as api
from shiplift.v1 import secrets_pb2 as pb

from tests.support.beside import opened
from tests.support.harness import SECRET_KEY, Shipliftd
from tests.support.refusals import Refusal, code_of, refusal
from tests.support.repository import Repository, change
from tests.support.runner_wire import Work
from tests.support.staged import ERROR, RUNNING, SUCCESS, Runner, Staged, pipelines

VALUE = "correct horse battery staple"


def set_secret(repository: Repository, name: str, value: str, **fields: Any) -> None:  # noqa: ANN401
    """SetSecret."""
    where = {"owner": repository.owner, "repo": repository.name, **fields}
    repository.server.secret_service().SetSecret(pb.SetSecretRequest(name=name, value=value, **where))


def wanting(**secrets: str) -> dict[str, Any]:
    """A pipeline with a step whose variables come from these secrets."""
    variables = {variable: {"from_secret": name} for variable, name in secrets.items()}
    return {"name": "deploy", "steps": [{"name": "only", "commands": ["true"], "environment": variables}]}


def given(lease: stages_pb2.StageLease) -> dict[str, str]:
    """The secrets of a lease."""
    return {secret.name: secret.value for secret in lease.secrets}


def another_token(repository: Repository) -> str:
    """Another token of the runner's user."""
    request = access_pb2.CreateTokenRequest(
        login=f"runner-{repository.name}",
        actions=[access_pb2.TOKEN_ACTION_RUN],
        repositories=[repository.slug],
    )
    return repository.server.access().CreateToken(request).secret


@pytest.fixture
def staged(repository: Repository) -> Staged:
    """A repository of the test's own with its runner."""
    return Staged.of(repository)


def test_a_holder_gets_what_its_plan_wants_the_narrower_of_several(staged: Staged) -> None:
    repository = staged.repository
    set_secret(repository, "wide", "seen in all the repository")
    set_secret(repository, "narrow", "no longer seen in it")
    set_secret(repository, "narrow", VALUE, environment="production")
    set_secret(repository, "unwanted", "not for this pipeline")
    document = wanting(WIDE="wide", NARROW="narrow")
    document["steps"].append(
        {
            "name": "not now",
            "when": {"target": "staging"},
            "environment": {"X": {"from_secret": "unwanted"}},
        }
    )
    promoted = staged.promoted(document)
    stage = promoted.stages[0].id
    lease = staged.runner.accept(stage, request_id="once")
    assert given(lease) == {"wide": "seen in all the repository", "narrow": VALUE}
    assert lease.plan.steps[0].secrets == {"WIDE": "wide", "NARROW": "narrow"}
    assert given(staged.runner.lease(stage)) == given(lease)
    assert given(staged.runner.accept(stage, request_id="once")) == given(lease)
    token = lease.lease_token
    lease.ClearField("secrets")
    assert VALUE not in str(lease)
    assert VALUE not in str(repository.get(promoted.number))
    # What another token of theirs repeats tells of the stage, and not what it got.
    other = Runner(repository.server, another_token(repository))
    again = other.accept(stage, request_id="once")
    assert (again.stage.id, given(again), again.lease_token) == (stage, {}, "")
    assert code_of(other.lease, stage) == grpc.StatusCode.PERMISSION_DENIED
    assert given(other.lease(stage, token)) == {"wide": "seen in all the repository", "narrow": VALUE}
    # Nor longer than it goes on.
    staged.runner.report(stage, SUCCESS)
    assert given(staged.runner.lease(stage)) == {}
    assert given(staged.runner.accept(stage, request_id="once")) == {}


def test_the_audit_says_which_secrets_were_given(staged: Staged) -> None:
    set_secret(staged.repository, "one", VALUE)
    set_secret(staged.repository, "two", VALUE)
    stage = staged.promoted(wanting(A="one", B="two")).stages[0].id
    staged.runner.accept(stage)
    none = staged.promoted().stages[0].id
    staged.runner.accept(none)
    with opened(staged.repository.server.database) as store:
        statement = (
            "SELECT resource_id, reason FROM audit WHERE method = 'AcceptStage' AND resource_id IN (?, ?)"
        )
        rows = store.execute(statement, (stage, none)).fetchall()
    assert sorted(map(tuple, rows)) == [(stage, "secrets: one, two"), (none, "")]


def test_a_build_of_a_pull_request_gets_only_what_is_for_those(staged: Staged) -> None:
    repository = staged.repository
    # Its runners bring the other one.
    change(repository, runner_secrets=True)
    set_secret(repository, "open", VALUE, pull_requests=True)
    set_secret(repository, "closed", "not for strangers")
    document = {**wanting(OPEN="open", CLOSED="closed"), "trigger": {}}
    text = pipelines(document)
    leases = {}
    for event in (api.BUILD_EVENT_PUSH, api.BUILD_EVENT_PULL_REQUEST):
        recorded = repository.record(pipeline=text, event=event, run=True)
        leases[event] = given(staged.runner.accept(recorded.stages[0].id))
    assert leases == {
        api.BUILD_EVENT_PUSH: {"open": VALUE, "closed": "not for strangers"},
        api.BUILD_EVENT_PULL_REQUEST: {"open": VALUE},
    }


def test_drones_runner_gets_them_with_the_stage(server: Shipliftd, name: str) -> None:
    work = Work.at(server, server.http, name)
    repository = Repository(server, work.repository.owner, work.repository.name)
    set_secret(repository, "password", VALUE)
    document = wanting(PASSWORD="password")
    # Where our own runner's plan has nothing of it.
    document |= {
        "type": "docker",
        "steps": [{"name": "s", "image": "i", "settings": {"p": {"from_secret": "password"}}}],
    }
    recorded = repository.record(pipeline=pipelines(document), status=SUCCESS)
    repository.promote(recorded.number)
    offer = work.runner.request(type="docker").json
    stage = work.runner.accept(offer).json
    detail = work.runner.call("GET", f"/stage/{stage['id']}").json
    assert detail["secrets"] == [{"name": "password", "data": VALUE, "pull_request": True}]


def test_what_a_holder_reports_is_stored_without_them(staged: Staged) -> None:
    repository = staged.repository
    set_secret(repository, "password", VALUE)
    promoted = staged.promoted(wanting(PASSWORD="password"))
    stage = promoted.stages[0].id
    staged.runner.accept(stage)
    encoded = base64.b64encode(VALUE.encode()).decode()
    report = stages_pb2.StepReport(number=1, name="only", status=RUNNING, image=f"x/{VALUE}", error=VALUE)
    [step] = staged.runner.report(
        stage, RUNNING, message=f"with {VALUE}", link=f"http://x/{encoded}", steps=[report]
    ).steps
    staged.runner.append(step.id, 0, f"it is {VALUE}!\n", "nothing\n", f"or {encoded}\n")
    staged.runner.report_step(step.id, ERROR, error=f"{VALUE} is wrong" + "x" * 1960)
    staged.runner.report(stage, ERROR, error=f"step only: {VALUE} is wrong")
    found = repository.get(promoted.number).stages[0]
    assert (found.message, found.link, found.error) == (
        "with ******",
        "http://x/******==",
        "step only: ****** is wrong",
    )
    [there] = found.steps
    assert (there.image, there.error) == ("x/******", "****** is wrong" + "x" * 1960)
    request = api.TailLogRequest(
        owner=repository.owner, repo=repository.name, build=promoted.number, stage=1, step=1
    )
    lines = [line.text for some in repository.builds.TailLog(request) for line in some.lines]
    assert lines == ["it is ******!\n", "nothing\n", "or ******==\n"]


def test_a_server_that_did_not_give_them_masks_them_as_well(tmp_path: Path) -> None:
    database = tmp_path / "shiplift.db"
    with Shipliftd(database) as server:
        staged = Staged.of(Repository.make(server, "octocat", "app"))
        set_secret(staged.repository, "password", VALUE)
        promoted = staged.promoted(wanting(PASSWORD="password"))
        stage = staged.runner.accept(promoted.stages[0].id, request_id="once").stage.id
        step = staged.runner.report(
            stage, RUNNING, steps=[stages_pb2.StepReport(number=1, name="only", status=RUNNING)]
        ).steps[0]
        token, admin = staged.runner.token, server.admin_token
        other = another_token(staged.repository)
    with Shipliftd(database) as server:
        repository = Repository(server, "octocat", "app", admin)
        runner = Runner(server, token)
        # Which is told nothing of them.
        assert given(Runner(server, other).accept(stage, request_id="once")) == {}
        runner.append(step.id, 0, f"{VALUE}\n")
        runner.report(stage, ERROR, error=VALUE)
        assert repository.get(promoted.number).stages[0].error == "******"
        request = api.TailLogRequest(owner="octocat", repo="app", build=promoted.number, stage=1, step=1)
        lines = [line.text for some in repository.builds.TailLog(request) for line in some.lines]
        assert lines == ["******\n"]


def test_a_secret_whose_key_is_lost_ends_the_stage_that_wants_it(tmp_path: Path) -> None:
    database = tmp_path / "shiplift.db"
    with Shipliftd(database) as server:
        staged = Staged.of(Repository.make(server, "octocat", "app"))
        set_secret(staged.repository, "password", VALUE)
        promoted = staged.promoted(wanting(PASSWORD="password"))
        other = staged.promoted()
        token, admin = staged.runner.token, server.admin_token
    environment = {"SHIPLIFTD_SECRET_KEY": "new:" + SECRET_KEY.partition(":")[2]}
    with Shipliftd(database, environment=environment) as server:
        runner = Runner(server, token)
        stage = promoted.stages[0].id
        words = "cannot be opened: its key 'tests' is not among the server's"
        assert refusal(
            runner.stages.AcceptStage, stages_pb2.AcceptStageRequest(stage_id=stage, machine="box")
        ) == Refusal(
            grpc.StatusCode.ABORTED,
            f"stage {stage} cannot be done: secrets[password]: {words}",
            "NO_PLAN",
            (("secrets[password]", words),),
        )
        ended = Repository(server, "octocat", "app", admin).get(promoted.number)
        assert (ended.status, ended.error) == (ERROR, f"secrets[password]: {words}")
        assert runner.accept(other.stages[0].id).stage.status != ERROR
