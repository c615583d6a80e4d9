"""What the holders of stages report of them and of their steps."""

import time
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as api
from shiplift.v1 import stages_pb2 as pb

from tests.support.refusals import Refusal, invalid, refusal
from tests.support.repository import Repository
from tests.support.staged import (
    ERROR,
    FAILURE,
    KILLED,
    PENDING,
    RUNNING,
    SKIPPED,
    SUCCESS,
    Runner,
    Staged,
    runner_of,
    stored,
    word,
)

EARLY = Timestamp(seconds=1_564_085_874, nanos=123_000_000)
LATER = Timestamp(seconds=1_564_085_999, nanos=1_000_000)
REPORTED = (
    "BUILD_STATUS_PENDING, BUILD_STATUS_RUNNING, BUILD_STATUS_SUCCESS, BUILD_STATUS_FAILURE,"
    " BUILD_STATUS_ERROR, BUILD_STATUS_KILLED,"
    " BUILD_STATUS_SKIPPED"
)
ENDS = [SUCCESS, FAILURE, ERROR, KILLED, SKIPPED]


@pytest.fixture
def staged(repository: Repository) -> Staged:
    """A repository of the test's own with its runner."""
    return Staged.of(repository)


def no_lease(stage: int) -> Refusal:
    return Refusal(
        grpc.StatusCode.PERMISSION_DENIED,
        f"stage {stage} is not yours: AcceptStage gives its lease",
        "NO_LEASE",
    )


def stale(what: str, row: int, version: int, seen: int) -> Refusal:
    return Refusal(
        grpc.StatusCode.ABORTED,
        f"{what} {row} is at version {version}, not {seen}: read it again",
        "STALE_VERSION",
        (("version", f"{what} {row} is at version {version}"),),
    )


def test_a_stage_runs_and_succeeds(staged: Staged) -> None:
    promoted = staged.promoted({"name": "deploy", "steps": [{"name": "a"}, {"name": "b"}]})
    accepted = staged.runner.accept(promoted.stages[0].id).stage
    assert (accepted.version, accepted.status) == (2, PENDING)
    steps = [pb.StepReport(number=n, name=name) for n, name in enumerate("ab", start=1)]

    running = staged.runner.report(accepted.id, RUNNING, version=2, steps=steps)
    ids = [step.id for step in running.steps]
    assert running == api.Stage(
        **fields_of(accepted, "status", "version", "updated"),
        status=RUNNING,
        version=3,
        started=running.updated,
        updated=running.updated,
        steps=[
            api.Step(id=step, stage_id=accepted.id, number=n, name=name, status=PENDING, version=1)
            for step, n, name in zip(ids, (1, 2), "ab", strict=True)
        ],
    )
    build = staged.repository.get(promoted.number)
    assert (build.status, build.started, build.version) == (RUNNING, running.started, 2)
    assert build.stages[0] == running

    first = staged.runner.report_step(ids[0], RUNNING, version=1)
    assert first.HasField("started")
    assert first == api.Step(
        **fields_of(running.steps[0], "status", "version"), status=RUNNING, version=2, started=first.started
    )
    first = staged.runner.report_step(ids[0], SUCCESS, stopped=LATER)
    assert (word(first.status), first.version, first.stopped) == ("success", 3, LATER)

    ended = staged.runner.report(accepted.id, SUCCESS, message="all up", link="https://argo/1")
    assert ended == api.Stage(
        **fields_of(running, "status", "version", "updated", "steps"),
        status=SUCCESS,
        version=4,
        updated=ended.updated,
        stopped=ended.updated,
        message="all up",
        link="https://argo/1",
        # What did not begin is left out.
        steps=[first, moved_step(running.steps[1], status=SKIPPED, version=2)],
    )
    build = staged.repository.get(promoted.number)
    assert (build.status, build.finished, build.version, build.error) == (SUCCESS, ended.stopped, 3, "")
    assert build.stages[0] == ended


def fields_of(message: Any, *but: str) -> dict[str, Any]:  # noqa: ANN401
    """What is set of a message, apart from some."""
    return {field.name: value for field, value in message.ListFields() if field.name not in but}


def moved_step(step: api.Step, **changes: object) -> api.Step:
    moved = api.Step()
    moved.CopyFrom(step)
    moved.MergeFrom(api.Step(**changes))  # type: ignore[arg-type]
    return moved


@pytest.mark.parametrize("status", [FAILURE, ERROR, KILLED])
def test_a_stage_that_fails_says_why(staged: Staged, status: api.BuildStatus) -> None:
    stage = staged.running().stage
    ended = staged.runner.report(
        stage.id, status, error="no room", exit_code=7, started=EARLY, stopped=LATER, machine="other"
    )
    assert (ended.status, ended.error, ended.exit_code) == (status, "no room", 7)
    assert (ended.started, ended.stopped, ended.machine) == (EARLY, LATER, "other")
    build = staged.repository.get(2)
    assert (build.status, build.error, build.stages[0]) == (status, "no room", ended)


def test_a_stage_says_where_it_runs(staged: Staged) -> None:
    lease = staged.running({"name": "a", "platform": {"os": "linux", "arch": "arm"}})
    place = {"machine": "pi", "os": "linux", "arch": "arm", "variant": "v7", "kernel": "6.1"}
    told = staged.runner.report(lease.stage.id, RUNNING, **place)
    assert {name: getattr(told, name) for name in place} == place
    assert (told.status, told.version) == (RUNNING, lease.stage.version + 2)
    # What a report does not name stays, and what it names as empty is.
    ended = staged.runner.report(lease.stage.id, SUCCESS, variant="")
    assert {name: getattr(ended, name) for name in place} == {**place, "variant": ""}
    assert staged.repository.get(2).stages[0] == ended


@pytest.mark.parametrize("end", ENDS)
def test_a_late_report_changes_nothing(staged: Staged, end: api.BuildStatus) -> None:
    steps = [pb.StepReport(number=1, name="only", status=RUNNING)]
    stage = staged.running().stage
    staged.runner.report(stage.id, steps=steps)
    ended = staged.runner.report(stage.id, end)
    build = staged.repository.get(2)
    assert staged.runner.report(stage.id, RUNNING, version=1, message="late", steps=steps) == ended
    assert staged.runner.report(stage.id, end) == ended
    step = ended.steps[0]
    assert staged.runner.report_step(step.id, FAILURE, version=1, error="late") == step
    assert step.status == (KILLED if end in (KILLED, SKIPPED) else ERROR)
    assert staged.repository.get(2) == build


def test_a_report_of_another_version_is_aborted(staged: Staged) -> None:
    stage = staged.running().stage
    step = staged.runner.report(stage.id, steps=[pb.StepReport(number=1, name="a")]).steps[0]
    assert refusal(staged.runner.report, stage.id, SUCCESS, version=2) == stale("stage", stage.id, 3, 2)
    assert refusal(staged.runner.report_step, step.id, RUNNING, version=0) == stale("step", step.id, 1, 0)
    assert staged.runner.report(stage.id, SUCCESS, version=3).status == SUCCESS


def test_what_runs_does_not_go_back(staged: Staged) -> None:
    stage = staged.running().stage
    step = staged.runner.report(stage.id, steps=[pb.StepReport(number=1, name="a", status=RUNNING)]).steps[
        0
    ]
    assert staged.runner.report(stage.id, PENDING).status == RUNNING
    assert staged.runner.report_step(step.id, PENDING).status == RUNNING
    assert staged.repository.get(2).status == RUNNING


def test_a_step_keeps_what_is_reported_of_it(staged: Staged) -> None:
    stage = staged.running().stage
    report: dict[str, Any] = {
        "number": 7,
        "name": "seven",
        "status": RUNNING,
        "errignore": True,
        "started": EARLY,
        "depends_on": ["a", "b"],
        "image": "golang:1.22",
        "detached": True,
    }
    step = staged.runner.report(stage.id, steps=[pb.StepReport(**report)]).steps[0]
    assert step == api.Step(**report, id=step.id, stage_id=stage.id, version=1)
    later = pb.StepReport(number=7, status=FAILURE, error="no", exit_code=3, stopped=LATER, schema="card/1")
    expected = moved_step(
        step, status=FAILURE, error="no", exit_code=3, stopped=LATER, schema="card/1", version=2
    )
    assert list(staged.runner.report(stage.id, steps=[later]).steps) == [expected]
    assert list(staged.repository.get(2).stages[0].steps) == [expected]


@pytest.mark.parametrize(
    ("field", "first", "then"),
    [
        ("exit_code", 3, 0),
        ("errignore", True, False),
        ("detached", True, False),
        ("error", "not yet up", ""),
        ("image", "golang:1.22", ""),
        ("schema", "card/1", ""),
    ],
)
def test_what_is_reported_as_nothing_is_nothing(
    staged: Staged, field: str, first: object, then: object
) -> None:
    stage = staged.running().stage
    values: dict[str, Any] = {"number": 1, "name": "a", "status": RUNNING, "started": EARLY}
    (step,) = staged.runner.report(stage.id, steps=[pb.StepReport(**values | {field: first})]).steps
    expected = api.Step(**values, id=step.id, stage_id=stage.id, version=1)
    setattr(expected, field, first)
    assert step == expected
    # Of what a report does not name nothing changes.
    assert list(staged.runner.report(stage.id, steps=[pb.StepReport(number=1)]).steps) == [expected]
    setattr(expected, field, then)
    expected.version = 2
    told: dict[str, Any] = {"number": 1, field: then}
    assert list(staged.runner.report(stage.id, steps=[pb.StepReport(**told)]).steps) == [expected]
    assert list(staged.repository.get(2).stages[0].steps) == [expected]


def test_a_step_that_is_reported_alone_keeps_it_too(staged: Staged) -> None:
    (step,) = staged.stepping()
    moved = staged.runner.report_step(
        step.id, ERROR, error="no", exit_code=-1, started=EARLY, stopped=LATER, schema="card/1"
    )
    assert moved == api.Step(
        id=step.id,
        stage_id=step.stage_id,
        number=1,
        name="only",
        status=ERROR,
        error="no",
        exit_code=-1,
        started=EARLY,
        stopped=LATER,
        version=2,
        schema="card/1",
    )


def test_a_sign_of_life_keeps_the_lease_and_changes_nothing(staged: Staged) -> None:
    (step,) = staged.stepping()
    stage = step.stage_id
    server = staged.repository.server
    calls: list[Callable[[], object]] = [
        lambda: staged.runner.report(stage),
        lambda: staged.runner.report_step(step.id),
        lambda: staged.runner.lease(stage),
        lambda: staged.runner.append(step.id, 0),
        lambda: next(staged.runner.stages.WatchStage(pb.WatchStageRequest(stage_id=stage))),
    ]
    before = staged.repository.get(2)
    for call in calls:
        almost = int((time.time() + 20) * 1000)
        stored(server, "UPDATE stages SET lease_expires = ? WHERE id = ?", almost, stage)
        call()
        (kept,) = stored(server, "SELECT lease_expires FROM stages WHERE id = ?", stage)[0]
        assert kept - almost > 35_000
    assert staged.repository.get(2) == before


def test_only_the_holder_reports(staged: Staged, name: str) -> None:
    (step,) = staged.stepping()
    stage = step.stage_id
    other = runner_of(staged.repository, f"other-{name}")
    for runner, wrong in ((other, ""), (other, "x" * 43), (staged.runner, "x" * 43)):
        calls: list[Any] = [
            lambda r=runner, w=wrong: r.lease(stage, w),
            lambda r=runner, w=wrong: r.report(stage, SUCCESS, lease_token=w),
            lambda r=runner, w=wrong: r.report_step(step.id, SUCCESS, lease_token=w),
            lambda r=runner, w=wrong: r.append(step.id, 0, "x", lease_token=w),
            lambda r=runner, w=wrong: list(
                r.stages.WatchStage(pb.WatchStageRequest(stage_id=stage, lease_token=w))
            ),
        ]
        for call in calls:
            assert refusal(call) == no_lease(stage)
    assert staged.repository.get(2).stages[0].steps[0] == step


def test_nobody_holds_a_stage_that_was_not_accepted(staged: Staged) -> None:
    stage = staged.promoted().stages[0].id
    assert refusal(staged.runner.report, stage, RUNNING) == no_lease(stage)
    assert refusal(staged.runner.report, 2**40, RUNNING).reason == "STAGE_NOT_FOUND"
    assert refusal(staged.runner.report_step, 2**40, RUNNING).reason == "STEP_NOT_FOUND"


def test_a_holder_whose_grant_is_taken_back_holds_nothing(staged: Staged) -> None:
    stage = staged.running().stage.id
    repository = staged.repository
    login = f"runner-{repository.name}"
    request = access_pb2.RevokeAccessRequest(owner=repository.owner, repo=repository.name, login=login)
    repository.server.access().RevokeAccess(request)
    assert refusal(staged.runner.report, stage, SUCCESS).reason == "STAGE_NOT_FOUND"


@pytest.mark.parametrize(
    ("report", "fault"),
    [
        (
            {"status": api.BUILD_STATUS_BLOCKED},
            ("status", f"2 is not allowed here: wanted one of {REPORTED}"),
        ),
        ({"error": "e" * 2001}, ("error", "has 2001 characters: at most 2000 are taken")),
        ({"message": "a\0"}, ("message", "has a NUL character: leave it out")),
        ({"link": "l" * 2001}, ("link", "has 2001 characters: at most 2000 are taken")),
        ({"machine": "m" * 201}, ("machine", "has 201 characters: at most 200 are taken")),
        *(
            ({name: "x" * 101}, (name, "has 101 characters: at most 100 are taken"))
            for name in ("os", "arch", "variant", "kernel")
        ),
        ({"started": Timestamp(seconds=-1)}, ("started", "-1 s is not a time between 1970 and 9999")),
        (
            {"steps": [pb.StepReport(number=n) for n in range(1, 202)]},
            ("steps", "201 of them: at most 200"),
        ),
        ({"steps": [pb.StepReport()]}, ("steps[0].number", "is 0: wanted 1 or above")),
        (
            {"steps": [pb.StepReport(number=1, name="n" * 101)]},
            ("steps[0].name", "has 101 characters: at most 100 are taken"),
        ),
        (
            {"steps": [pb.StepReport(number=1, name="a", depends_on=["b"] * 201)]},
            ("steps[0].depends_on", "201 of them: at most 200"),
        ),
        (
            {"steps": [pb.StepReport(number=1, image="\0")]},
            ("steps[0].image", "has a NUL character: leave it out"),
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_bad_report_is_refused(staged: Staged, report: dict[str, Any], fault: tuple[str, str]) -> None:
    stage = staged.running().stage.id
    before = staged.repository.get(2)
    assert refusal(staged.runner.report, stage, **report) == invalid(fault)
    assert staged.repository.get(2) == before


def test_all_faults_of_a_steps_report_are_told_together(staged: Staged) -> None:
    (step,) = staged.stepping()
    told = refusal(
        staged.runner.report_step, step.id, api.BUILD_STATUS_DECLINED, error="e" * 2001, schema="s" * 1001
    )
    assert told == invalid(
        ("status", f"3 is not allowed here: wanted one of {REPORTED}"),
        ("error", "has 2001 characters: at most 2000 are taken"),
        ("schema", "has 1001 characters: at most 1000 are taken"),
    )


def test_a_repeated_lease_token_is_not_a_persons_to_use(staged: Staged) -> None:
    lease = staged.running()
    person = Runner(staged.repository.server, staged.repository.server.admin_token)
    assert refusal(person.report, lease.stage.id, SUCCESS, lease_token=lease.lease_token).reason == (
        "NO_RUNNER_TOKEN"
    )
