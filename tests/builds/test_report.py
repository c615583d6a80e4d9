"""UpdateBuild: how a recorded build or a promotion goes on."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from shiplift.v1 import builds_pb2 as pb

from tests.support.patience import SECONDS
from tests.support.refusals import Refusal, invalid, refusal
from tests.support.repository import Repository, replayed

EARLY = Timestamp(seconds=1_564_085_874, nanos=123_000_000)
LATER = Timestamp(seconds=1_564_085_999, nanos=1_000_000)
NEVER = Timestamp()
ENDS = [pb.BUILD_STATUS_SUCCESS, pb.BUILD_STATUS_FAILURE, pb.BUILD_STATUS_ERROR, pb.BUILD_STATUS_KILLED]
REPORTED = [pb.BUILD_STATUS_PENDING, pb.BUILD_STATUS_RUNNING, *ENDS]


def word(status: pb.BuildStatus) -> str:
    return pb.BuildStatus.Name(status).removeprefix("BUILD_STATUS_").lower()


def moved(before: pb.Build, after: pb.Build, on_stages: dict[str, object], **changes: object) -> pb.Build:
    """`before` as one report changes it; `updated` must be now."""
    now = after.updated.ToDatetime(UTC)
    assert datetime.now(UTC) - timedelta(seconds=SECONDS) < now <= datetime.now(UTC)
    expected = pb.Build()
    expected.CopyFrom(before)
    expected.ClearField("waiting_for")
    expected.MergeFrom(pb.Build(**changes, version=before.version + 1, updated=after.updated))  # type: ignore[arg-type]
    for stage in expected.stages:
        stage.MergeFrom(
            pb.Stage(**on_stages, version=stage.version + 1, updated=after.updated)  # type: ignore[arg-type]
        )
    return expected


def test_a_promotion_runs_and_succeeds(repository: Repository) -> None:
    repository.record(stages=[pb.StageSpec(name="a"), pb.StageSpec(name="b", kind="external")])
    pending = repository.promote(1, params={"A": "1"})

    running = repository.report(2, pb.BUILD_STATUS_RUNNING, message="1 of 3 up", link="https://argo/1")
    assert running == moved(
        pending,
        running,
        {
            "status": pb.BUILD_STATUS_RUNNING,
            "started": running.updated,
            "message": "1 of 3 up",
            "link": "https://argo/1",
        },
        status=pb.BUILD_STATUS_RUNNING,
        started=running.updated,
    )
    halfway = repository.report(2, message="2 of 3 up")
    assert halfway == moved(running, halfway, {"message": "2 of 3 up"})

    done = repository.report(2, pb.BUILD_STATUS_SUCCESS, message="all up")
    assert done == moved(
        halfway,
        done,
        {"status": pb.BUILD_STATUS_SUCCESS, "stopped": done.updated, "message": "all up"},
        status=pb.BUILD_STATUS_SUCCESS,
        finished=done.updated,
    )
    assert repository.get(2) == done
    # The promoted build has no part in it.
    assert repository.get(1).version == 1


@pytest.mark.parametrize("end", [pb.BUILD_STATUS_FAILURE, pb.BUILD_STATUS_ERROR, pb.BUILD_STATUS_KILLED])
def test_what_ends_badly_says_why(repository: Repository, end: pb.BuildStatus) -> None:
    repository.record(message="the commit's own words", link="https://github/1")
    running = repository.report(1, pb.BUILD_STATUS_RUNNING)
    ended = repository.report(1, end, message="no image", link="https://argo/1")
    assert ended == moved(
        running,
        ended,
        {
            "status": end,
            "stopped": ended.updated,
            "error": "no image",
            "message": "no image",
            "link": "https://argo/1",
        },
        status=end,
        finished=ended.updated,
        error="no image",
    )


def test_a_success_leaves_no_error(repository: Repository) -> None:
    repository.record()
    done = repository.report(1, pb.BUILD_STATUS_SUCCESS, message="all up")
    assert (done.error, done.stages[0].error, done.stages[0].message) == ("", "", "all up")


def test_an_empty_message_takes_the_last_one_away(repository: Repository) -> None:
    repository.record()
    repository.report(1, pb.BUILD_STATUS_RUNNING, message="one", link="https://argo/1")
    (stage,) = repository.report(1, message="").stages
    assert (stage.message, stage.link) == ("", "https://argo/1")


@pytest.mark.parametrize("start", REPORTED, ids=word)
@pytest.mark.parametrize("end", REPORTED, ids=word)
def test_builds_go_onwards_only(repository: Repository, start: pb.BuildStatus, end: pb.BuildStatus) -> None:
    before = repository.record(status=start)
    if start == end:
        assert repository.report(1, end) == before
    elif start in ENDS:
        assert refusal(repository.report, 1, end) == Refusal(
            grpc.StatusCode.FAILED_PRECONDITION,
            f"build 1 has ended in {word(start)}, and what has ended does not change: promote again for"
            " another try",
            "BUILD_ENDED",
            (("status", f"is {word(start)}"),),
        )
        assert repository.get(1) == before
    elif end == pb.BUILD_STATUS_PENDING:
        assert refusal(repository.report, 1, end) == Refusal(
            grpc.StatusCode.FAILED_PRECONDITION,
            "build 1 is running, and does not go back to pending",
            "BUILD_RUNNING",
            (("status", "is running"),),
        )
        assert repository.get(1) == before
    else:
        after = repository.report(1, end)
        (stage,) = after.stages
        assert (after.status, after.version, stage.status, stage.version) == (end, 2, end, 2)
        assert repository.get(1) == after


@pytest.mark.parametrize(
    "report",
    [{"message": "x"}, {"link": "x"}, {"started": EARLY}, {"finished": LATER}],
    ids=lambda report: next(iter(report)),
)
def test_what_has_ended_takes_no_more_words_or_times(
    repository: Repository, report: dict[str, object]
) -> None:
    done = repository.record(status=pb.BUILD_STATUS_SUCCESS)
    assert refusal(repository.report, 1, pb.BUILD_STATUS_UNSPECIFIED, **report).reason == "BUILD_ENDED"
    assert repository.get(1) == done


def test_a_report_of_nothing_changes_nothing(repository: Repository) -> None:
    pending = repository.record()
    assert repository.report(1) == pending
    running = repository.report(1, pb.BUILD_STATUS_RUNNING)
    assert repository.report(1) == running


def test_a_stale_version_is_refused(repository: Repository) -> None:
    repository.record()
    repository.report(1, pb.BUILD_STATUS_RUNNING, version=1)
    for stale in (0, 1, 3, -1):
        assert refusal(repository.report, 1, pb.BUILD_STATUS_SUCCESS, version=stale) == Refusal(
            grpc.StatusCode.ABORTED,
            f"build 1 is at version 2, not {stale}: read it again",
            "STALE_VERSION",
            (("version", "build 1 is at version 2"),),
        )
    assert repository.report(1, pb.BUILD_STATUS_SUCCESS, version=2).version == 3


def test_of_many_reports_on_one_version_one_is_taken(repository: Repository) -> None:
    repository.record()

    def report(n: int) -> str:
        try:
            return (
                repository.report(1, pb.BUILD_STATUS_RUNNING, message=f"from {n}", version=1)
                .stages[0]
                .message
            )
        except grpc.RpcError as error:
            return error.code().name

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(report, range(16)))
    assert answers.count("ABORTED") == 15
    (winner,) = set(answers) - {"ABORTED"}
    build = repository.get(1)
    assert (build.version, build.stages[0].message) == (2, winner)


@pytest.mark.parametrize("build", [0, -1, -(2**31)])
def test_a_number_below_1_is_refused(repository: Repository, build: int) -> None:
    assert refusal(repository.report, build) == invalid(("build", f"is {build}: wanted 1 or above"))


def test_a_build_that_is_not_there_is_not_found(repository: Repository) -> None:
    assert refusal(repository.report, 1, pb.BUILD_STATUS_RUNNING) == Refusal(
        grpc.StatusCode.NOT_FOUND,
        f"build 1 of {repository.slug} not found: ListBuilds shows those there are",
        "BUILD_NOT_FOUND",
    )


def test_all_faults_of_a_report_are_told_together(repository: Repository) -> None:
    repository.record()
    assert refusal(
        repository.report,
        -1,
        pb.BUILD_STATUS_BLOCKED,
        message="m" * 2001,
        link="\0",
        started=Timestamp(seconds=-1),
        finished=Timestamp(nanos=-1),
        request_id="\t",
    ) == invalid(
        ("build", "is -1: wanted 1 or above"),
        (
            "status",
            "2 is not allowed here: wanted one of BUILD_STATUS_PENDING, BUILD_STATUS_RUNNING,"
            " BUILD_STATUS_SUCCESS,"
            " BUILD_STATUS_FAILURE, BUILD_STATUS_ERROR, BUILD_STATUS_KILLED",
        ),
        ("message", "has 2001 characters: at most 2000 are taken"),
        ("link", "has a NUL character: leave it out"),
        ("started", "-1 s is not a time between 1970 and 9999"),
        ("finished", "0 s is not a time between 1970 and 9999"),
        ("request_id", "'\\t': wanted 1 to 128 printable ASCII characters"),
    )
    assert repository.get(1).version == 1


def test_words_are_taken_up_to_their_length(repository: Repository) -> None:
    repository.record()
    ended = repository.report(1, pb.BUILD_STATUS_ERROR, message="ä" * 2000, link="ö" * 2000)
    (stage,) = ended.stages
    assert (ended.error, stage.message, stage.link) == ("ä" * 2000, "ä" * 2000, "ö" * 2000)


@pytest.mark.parametrize("status", [pb.BUILD_STATUS_RUNNING, *ENDS], ids=word)
def test_times_are_kept_as_told(repository: Repository, status: pb.BuildStatus) -> None:
    repository.record()
    finished = LATER if status in ENDS else NEVER
    build = repository.report(1, status, started=EARLY, finished=finished)
    (stage,) = build.stages
    assert (build.started, build.finished) == (EARLY, finished)
    assert (stage.started, stage.stopped) == (EARLY, finished)


def test_times_may_come_one_after_the_other(repository: Repository) -> None:
    repository.record()
    repository.report(1, pb.BUILD_STATUS_RUNNING)
    running = repository.report(1, started=EARLY)
    assert (running.started, running.HasField("finished"), running.version) == (EARLY, False, 3)
    ended = repository.report(1, pb.BUILD_STATUS_SUCCESS, finished=LATER)
    assert (ended.started, ended.finished) == (EARLY, LATER)


@pytest.mark.parametrize("status", ENDS, ids=word)
def test_what_ends_without_having_run(repository: Repository, status: pb.BuildStatus) -> None:
    repository.record()
    build = repository.report(1, status)
    # What was killed or broke before it began never began.
    began = status in (pb.BUILD_STATUS_SUCCESS, pb.BUILD_STATUS_FAILURE)
    assert (build.started, build.finished) == (build.updated if began else NEVER, build.updated)


@pytest.mark.parametrize(
    ("status", "times", "fault"),
    [
        (
            pb.BUILD_STATUS_PENDING,
            {"started": EARLY},
            ("started", "is set, but the build has not begun: report it running"),
        ),
        (
            pb.BUILD_STATUS_RUNNING,
            {"finished": LATER},
            ("finished", "is set, but the build has not ended: report how it did"),
        ),
        (
            pb.BUILD_STATUS_SUCCESS,
            {"started": LATER, "finished": EARLY},
            ("finished", "is before `started`"),
        ),
    ],
    ids=["begun", "ended", "order"],
)
def test_times_that_contradict_the_status_are_refused(
    repository: Repository, status: pb.BuildStatus, times: dict[str, Timestamp], fault: tuple[str, str]
) -> None:
    pending = repository.record()
    assert refusal(repository.report, 1, status, **times) == invalid(fault)
    assert repository.get(1) == pending


def test_an_end_before_the_known_beginning_is_refused(repository: Repository) -> None:
    repository.record(status=pb.BUILD_STATUS_RUNNING, started=LATER)
    assert refusal(repository.report, 1, pb.BUILD_STATUS_SUCCESS, finished=EARLY) == invalid(
        ("finished", "is before `started`")
    )


def test_a_repeated_request_id_reports_once(repository: Repository) -> None:
    repository.record()
    request = pb.UpdateBuildRequest(
        owner=repository.owner,
        repo=repository.name,
        build=1,
        status=pb.BUILD_STATUS_RUNNING,
        version=1,
        request_id=repository.name,
    )
    running, call = repository.builds.UpdateBuild.with_call(request)
    assert (running.version, replayed(call)) == (2, False)
    done = repository.report(1, pb.BUILD_STATUS_SUCCESS)
    # As it stands now, whatever version it asks for.
    again, call = repository.builds.UpdateBuild.with_call(request)
    assert (again, replayed(call)) == (done, True)

    request.status = pb.BUILD_STATUS_KILLED
    assert refusal(repository.builds.UpdateBuild, request) == Refusal(
        grpc.StatusCode.ALREADY_EXISTS,
        f"request_id '{repository.name}' was used for another UpdateBuild: use a new one for a new"
        " request, and the old one only to repeat it unchanged",
        "REQUEST_ID_TAKEN",
    )


def test_a_refused_report_keeps_no_request_id(repository: Repository) -> None:
    repository.record()
    stale = refusal(repository.report, 1, pb.BUILD_STATUS_RUNNING, version=2, request_id=repository.name)
    assert stale.code == grpc.StatusCode.ABORTED
    assert repository.report(1, pb.BUILD_STATUS_RUNNING, version=1, request_id=repository.name).version == 2
