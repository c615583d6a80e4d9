"""How stages follow each other, and how a build ends."""

from collections.abc import Mapping
from typing import Any

import grpc
import pytest
from shiplift.v1 import builds_pb2 as api
from shiplift.v1 import stages_pb2 as pb

from tests.support.beside import held
from tests.support.patience import within
from tests.support.refusals import Refusal, refusal
from tests.support.repository import Repository, change, replayed
from tests.support.staged import (
    ERROR,
    FAILURE,
    KILLED,
    PENDING,
    RUNNING,
    SKIPPED,
    SUCCESS,
    WAITING,
    Staged,
    pipelines,
    statuses,
    word,
)

Documents = list[dict[str, Any]]

ALWAYS = {"event": "promote", "status": ["success", "failure"]}
ON_FAILURE = {"event": "promote", "status": "failure"}
DIAMOND: Documents = [
    {"name": "a"},
    {"name": "b", "depends_on": ["a"]},
    {"name": "c", "depends_on": ["a"]},
    {"name": "d", "depends_on": ["b", "c"]},
]
CHAIN: Documents = [
    {"name": "a"},
    {"name": "b", "depends_on": ["a"]},
    {"name": "c", "depends_on": ["b"]},
    {"name": "mourn", "depends_on": ["c"], "trigger": ON_FAILURE},
    {"name": "always", "depends_on": ["c"], "trigger": ALWAYS},
]


@pytest.fixture
def staged(repository: Repository) -> Staged:
    """A repository of the test's own with its runner."""
    return Staged.of(repository)


def run_all(staged: Staged, build: api.Build, ends: Mapping[str, api.BuildStatus]) -> list[str]:
    """Does what is pending, oldest first, until nothing is; the stages in the order that they ran in."""
    done: list[str] = []
    while True:
        now = staged.repository.get(build.number)
        stage = next((stage for stage in now.stages if stage.status == PENDING), None)
        if stage is None:
            return done
        staged.runner.accept(stage.id)
        end = ends.get(stage.name, SUCCESS)
        staged.runner.report(stage.id, end, error=f"{stage.name} did" if end != SUCCESS else "")
        done.append(stage.name)


@pytest.mark.parametrize(
    ("documents", "ends", "ran", "ended", "status"),
    [
        (DIAMOND, {}, "abcd", {}, SUCCESS),
        (DIAMOND, {"b": FAILURE}, "abc", {"d": "skipped"}, FAILURE),
        (DIAMOND, {"a": ERROR}, "a", {"b": "skipped", "c": "skipped", "d": "skipped"}, ERROR),
        (DIAMOND, {"b": KILLED, "c": FAILURE}, "abc", {"d": "skipped"}, KILLED),
        # The first of the file decides, not the first that failed.
        ([*DIAMOND[:1], {"name": "z"}], {"a": FAILURE, "z": ERROR}, "az", {}, FAILURE),
        # A runner may leave a stage out: what waits for it goes on.
        (DIAMOND, {"b": SKIPPED}, "abcd", {}, SUCCESS),
        (CHAIN, {}, ["a", "b", "c", "always"], {"mourn": "skipped"}, SUCCESS),
        # What was skipped because of a failure is no success to what follows.
        (CHAIN, {"a": FAILURE}, ["a", "mourn", "always"], {"b": "skipped", "c": "skipped"}, FAILURE),
        (CHAIN, {"c": FAILURE}, ["a", "b", "c", "mourn", "always"], {}, FAILURE),
        (
            [{"name": "a"}, {"name": "undo", "depends_on": ["a"], "trigger": ON_FAILURE}],
            {"a": FAILURE, "undo": SUCCESS},
            ["a", "undo"],
            {},
            FAILURE,
        ),
        # Fan-in waits for all, with one that failed among them.
        (
            [{"name": "a"}, {"name": "b"}, {"name": "c", "depends_on": ["a", "b"], "trigger": ALWAYS}],
            {"a": FAILURE},
            "abc",
            {},
            FAILURE,
        ),
    ],
)
def test_stages_follow_each_other(
    staged: Staged,
    documents: Documents,
    ends: Mapping[str, api.BuildStatus],
    ran: str | list[str],
    ended: dict[str, str],
    status: api.BuildStatus,
) -> None:
    promoted = staged.promoted(*documents)
    order = run_all(staged, promoted, ends)
    assert order == list(ran)
    build = staged.repository.get(promoted.number)
    words = {name: word(ends.get(name, SUCCESS)) for name in ran}
    assert statuses(build) == words | ended
    decides = next((name for name in words if words[name] in ("failure", "error", "killed")), "")
    assert (build.status, build.error) == (status, f"{decides} did" if decides else "")
    assert build.HasField("finished")


def test_what_waits_begins_only_when_all_before_it_have_ended(staged: Staged) -> None:
    promoted = staged.promoted(*DIAMOND)
    assert statuses(promoted) == dict.fromkeys("a", "pending") | dict.fromkeys(
        "bcd", "waiting_on_dependencies"
    )
    a, b, c, d = (stage.id for stage in promoted.stages)
    staged.runner.accept(a)
    staged.runner.report(a, RUNNING)
    assert staged.repository.get(promoted.number).stages[1].status == WAITING
    staged.runner.report(a, SUCCESS)
    for stage in (b, c):
        staged.runner.accept(stage)
    staged.runner.report(c, SUCCESS)
    before = staged.repository.get(promoted.number)
    assert (before.stages[3].status, before.stages[3].version) == (WAITING, 1)
    staged.runner.report(b, SUCCESS)
    after = staged.repository.get(promoted.number)
    assert (after.stages[3].id, after.stages[3].status, after.stages[3].version) == (d, PENDING, 2)
    assert (after.status, after.HasField("finished")) == (RUNNING, False)


def test_a_stage_whose_failure_is_let_pass_fails_nothing(staged: Staged) -> None:
    stages = [
        api.StageSpec(name="may fail", kind="external", errignore=True),
        api.StageSpec(name="after", kind="external", depends_on=["may fail"]),
    ]
    recorded = staged.repository.record(stages=stages, status=SUCCESS)
    promoted = staged.repository.promote(recorded.number)
    assert run_all(staged, promoted, {"may fail": FAILURE}) == ["may fail", "after"]
    build = staged.repository.get(promoted.number)
    assert (build.status, build.error) == (SUCCESS, "")
    assert statuses(build) == {"may fail": "failure", "after": "success"}


def test_what_succeeded_is_current(staged: Staged) -> None:
    repository = staged.repository
    promoted = staged.promoted(*DIAMOND)
    repository.promote(1, expected_current=0)
    run_all(staged, promoted, {})
    assert refusal(repository.promote, 1, expected_current=0).reason == "UNEXPECTED_CURRENT"
    third = repository.promote(1, expected_current=promoted.number)
    assert run_all(staged, third, {"d": FAILURE})
    assert repository.promote(1, expected_current=promoted.number).number == 5


def test_a_person_may_report_the_build_beside_its_runner(staged: Staged) -> None:
    lease = staged.running(*DIAMOND)
    steps = [pb.StepReport(number=n, name=str(n), status=RUNNING if n == 1 else PENDING) for n in (1, 2)]
    staged.runner.report(lease.stage.id, steps=steps)
    ended = staged.repository.report(2, FAILURE, message="stopped it by hand")
    assert set(statuses(ended).values()) == {"failure"}
    # Nothing of what has ended goes on: who follows a log would wait for ever.
    assert [step.status for step in ended.stages[0].steps] == [ERROR, SKIPPED]
    assert ended == staged.repository.get(2)
    assert staged.runner.report(lease.stage.id, SUCCESS) == ended.stages[0]
    (told,) = staged.runner.stages.WatchStage(pb.WatchStageRequest(stage_id=lease.stage.id))
    assert told == pb.WatchStageResponse(status=FAILURE, stop=True, reason=ended.stages[0].error)


def test_a_watcher_hears_how_its_stage_stands(staged: Staged) -> None:
    stage = staged.runner.accept(staged.promoted().stages[0].id).stage.id
    watch = staged.runner.stages.WatchStage(pb.WatchStageRequest(stage_id=stage))
    assert next(watch) == pb.WatchStageResponse(status=PENDING)
    staged.runner.report(stage, RUNNING)
    assert next(watch) == pb.WatchStageResponse(status=RUNNING)
    staged.runner.report(stage, SUCCESS)
    assert list(watch) == [pb.WatchStageResponse(status=SUCCESS, stop=True, reason="it has ended: success")]


def test_who_looks_at_a_lease_that_is_long_enough_waits_for_no_write(staged: Staged) -> None:
    stage = staged.running().stage.id
    with held(staged.repository.server.database), within(2):
        watch = staged.runner.stages.WatchStage(pb.WatchStageRequest(stage_id=stage))
        assert next(watch) == pb.WatchStageResponse(status=RUNNING)
        lease = staged.runner.stages.GetLease(pb.GetLeaseRequest(stage_id=stage))
        assert (lease.stage.id, lease.build.number) == (stage, 2)
    watch.cancel()


def test_a_build_is_watched_by_who_holds_a_stage_of_it(staged: Staged) -> None:
    promoted = staged.promoted({"name": "a"}, {"name": "b"})
    request = pb.WatchStageRequest(build_id=promoted.id)
    assert refusal(list, staged.runner.stages.WatchStage(request)) == Refusal(
        grpc.StatusCode.NOT_FOUND,
        f"build {promoted.id} not found: no stage of it is yours",
        "BUILD_NOT_FOUND",
    )
    first, second = (staged.runner.accept(stage.id).stage.id for stage in promoted.stages)
    watch = staged.runner.stages.WatchStage(request)
    assert next(watch) == pb.WatchStageResponse(status=PENDING)
    staged.runner.report(first, SUCCESS)
    assert next(watch) == pb.WatchStageResponse(status=RUNNING)
    staged.runner.report(second, ERROR)
    assert list(watch) == [pb.WatchStageResponse(status=ERROR, stop=True, reason="it has ended: error")]


def cancel(repository: Repository, build: int, **fields: object) -> api.Build:
    return repository.builds.CancelBuild(
        api.CancelBuildRequest(owner=repository.owner, repo=repository.name, build=build, **fields)  # type: ignore[arg-type]
    )


def retry(repository: Repository, build: int, **fields: object) -> api.Build:
    return repository.builds.RetryBuild(
        api.RetryBuildRequest(owner=repository.owner, repo=repository.name, build=build, **fields)  # type: ignore[arg-type]
    )


def test_a_cancel_kills_what_runs_and_skips_what_waits(staged: Staged) -> None:
    promoted = staged.promoted(*DIAMOND[:3], {"name": "e"}, {"name": "f"})
    a, _, _, e, _ = (stage.id for stage in promoted.stages)
    for stage in (a, e):
        staged.runner.accept(stage)
    steps = [pb.StepReport(number=n, name=str(n), status=RUNNING if n == 1 else PENDING) for n in (1, 2)]
    staged.runner.report(a, RUNNING, steps=steps)

    cancelled = cancel(staged.repository, promoted.number)
    assert statuses(cancelled) == {
        "a": "killed",
        "b": "skipped",
        "c": "skipped",
        "e": "killed",
        "f": "skipped",
    }
    told = "cancelled by admin"
    assert (cancelled.status, cancelled.error) == (KILLED, told)
    assert cancelled.finished == cancelled.updated == cancelled.stages[0].stopped
    assert [step.status for step in cancelled.stages[0].steps] == [KILLED, SKIPPED]
    assert [stage.error for stage in cancelled.stages] == [
        "cancelled by admin",
        "",
        "",
        "cancelled by admin",
        "",
    ]
    assert staged.repository.get(promoted.number) == cancelled
    # What was not done is not in doubt.
    assert staged.repository.promote(1).status == PENDING


def test_a_watcher_hears_of_a_cancel_within_two_seconds(staged: Staged) -> None:
    stage = staged.running().stage.id
    watch = staged.runner.stages.WatchStage(pb.WatchStageRequest(stage_id=stage))
    assert next(watch).status == RUNNING
    told = pb.WatchStageResponse(status=KILLED, stop=True, reason="cancelled by admin")
    with within(2):
        cancel(staged.repository, 2)
        assert list(watch) == [told]
    # Also one that comes only then.
    with within(2):
        late = staged.runner.stages.WatchStage(pb.WatchStageRequest(stage_id=stage))
        assert list(late) == [told]


def test_a_build_that_has_ended_is_not_cancelled(staged: Staged) -> None:
    promoted = staged.promoted()
    run_all(staged, promoted, {})
    ended = staged.repository.get(promoted.number)
    assert cancel(staged.repository, promoted.number) == ended
    killed = cancel(staged.repository, staged.promoted().number, request_id="r")
    with_call = staged.repository.builds.CancelBuild.with_call
    request = api.CancelBuildRequest(
        owner=staged.repository.owner, repo=staged.repository.name, build=killed.number, request_id="r"
    )
    again, call = with_call(request)
    assert (again, replayed(call)) == (killed, True)
    assert refusal(cancel, staged.repository, 99).reason == "BUILD_NOT_FOUND"


def test_a_promotion_is_tried_again(staged: Staged) -> None:
    first = staged.promoted(*DIAMOND, params={"A": "1", "B": "1"})
    refused = refusal(retry, staged.repository, first.number)
    assert refused == Refusal(
        grpc.StatusCode.FAILED_PRECONDITION,
        f"build {first.number} is pending: it can be tried again once it has ended",
        "BUILD_NOT_ENDED",
        (("build", "is pending"),),
    )
    run_all(staged, first, {"a": FAILURE})
    second = retry(staged.repository, first.number, params={"B": "2"}, request_id="r")
    expected = api.Build()
    expected.CopyFrom(first)
    expected.MergeFrom(
        api.Build(
            id=second.id,
            number=3,
            created=second.created,
            updated=second.created,
            retry_of=2,
            params={"B": "2"},
        )
    )
    for stage, fresh in zip(expected.stages, second.stages, strict=True):
        assert fresh.id > stage.id
        stage.MergeFrom(
            api.Stage(id=fresh.id, build_id=second.id, created=second.created, updated=second.created)
        )
    assert second == expected
    assert retry(staged.repository, first.number, params={"B": "2"}, request_id="r") == second
    other = refusal(retry, staged.repository, first.number, params={"B": "3"}, request_id="r")
    assert other.reason == "REQUEST_ID_TAKEN"
    assert run_all(staged, second, {}) == list("abcd")
    assert staged.repository.get(3).status == SUCCESS


@pytest.mark.parametrize(
    "recorded",
    [
        {},
        {"pipeline": pipelines({"name": "deploy"})},
        {"pipeline": pipelines({"name": "test", "trigger": {"event": "push"}}, {"name": "deploy"})},
        {
            "pipeline": pipelines({"name": "test", "trigger": {}}),
            "stages": [
                api.StageSpec(name="own", kind="external"),
                api.StageSpec(name="two", kind="external", depends_on=["own"]),
            ],
        },
    ],
    ids=["no file", "no pipeline for it", "a pipeline for it", "stages of its own"],
)
def test_a_recorded_build_is_tried_again(staged: Staged, recorded: dict[str, Any]) -> None:
    change(staged.repository, git_http_url="https://git.example/app.git")
    first = staged.repository.record(**recorded, params={"A": "1"}, external_id="jenkins/1", target="main")
    for stage in first.stages:
        if stage.kind == "pipeline":
            staged.runner.accept(stage.id)
            staged.runner.report(stage.id, SUCCESS)
    if first.stages[0].kind == "external":
        staged.repository.report(1, FAILURE, message="broke", link="https://ci/1")
    second = retry(staged.repository, 1)
    expected = api.Build()
    expected.CopyFrom(first)
    expected.ClearField("external_id")
    expected.MergeFrom(
        api.Build(
            id=second.id,
            number=2,
            # It begins a chain of its own.
            origin=2,
            retry_of=1,
            created=second.created,
            updated=second.created,
        )
    )
    for stage, fresh in zip(expected.stages, second.stages, strict=True):
        stage.MergeFrom(
            api.Stage(id=fresh.id, build_id=second.id, created=second.created, updated=second.created)
        )
    assert second == expected


def test_fresh_stages_are_on_nobodys_machine(staged: Staged) -> None:
    first = staged.external()
    run_all(staged, first, {})
    assert staged.repository.get(first.number).stages[0].machine == "box"
    assert [stage.machine for stage in staged.repository.promote(first.number, "staging").stages] == [""]
