"""The logs of steps: AppendLog and TailLog."""

import signal
import threading
from datetime import timedelta

import grpc
import pytest
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as api
from shiplift.v1 import stages_pb2 as pb

from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS
from tests.support.refusals import Refusal, code_of, invalid, refusal
from tests.support.repository import Repository
from tests.support.staged import FAILURE, RUNNING, SUCCESS, Staged, lose, stored
from tests.support.waiting import tail

MIB = 1024 * 1024
CUT = "The log ends here: a step keeps 5 MiB of it.\n"
MISSING = "build 2 has no step {step} in stage {stage}: a step is there once its runner has reported it"


@pytest.fixture
def staged(repository: Repository) -> Staged:
    """A repository of the test's own with its runner."""
    return Staged.of(repository)


def log(repository: Repository, position: int = 0) -> list[api.LogLine]:
    """The lines from a position on; each part says where the next begins."""
    lines: list[api.LogLine] = []
    for part in tail(repository, position):
        lines += part.lines
        assert part.next_position == position + len(lines)
    return lines


def texts(repository: Repository) -> list[str]:
    lines = log(repository)
    assert [line.position for line in lines] == list(range(len(lines)))
    return [line.text for line in lines]


def at(second: int) -> timedelta:
    """When the line came that the tests' runner sends as so-manieth."""
    return timedelta(seconds=second, milliseconds=7)


def test_lines_are_kept_as_they_came(staged: Staged) -> None:
    (step,) = staged.stepping()
    assert staged.runner.append(step.id, 0, "one\n", "", "zwei ü 🚢\r\n", "unended") == 4
    assert log(staged.repository) == [
        api.LogLine(position=0, text="one\n", time=at(0)),
        api.LogLine(position=1, text="", time=at(1)),
        api.LogLine(position=2, text="zwei ü 🚢\r\n", time=at(2)),
        api.LogLine(position=3, text="unended", time=at(3)),
    ]
    assert log(staged.repository, 2)[0].text == "zwei ü 🚢\r\n"
    assert (log(staged.repository, 4), log(staged.repository, 2**31 - 1)) == ([], [])


def test_a_line_that_the_release_before_wrote_has_whole_seconds(staged: Staged) -> None:
    (step,) = staged.stepping()
    staged.runner.append(step.id, 0, "a", "b")
    server = staged.repository.server
    assert stored(
        server, "SELECT time, milliseconds FROM log_lines WHERE step_id = ? ORDER BY position", step.id
    ) == [(0, 7), (1, 1007)]
    stored(server, "INSERT INTO log_lines (step_id, position, time, text) VALUES (?, 2, 61, 'c')", step.id)
    stored(server, "UPDATE steps SET log_lines = 3 WHERE id = ?", step.id)
    assert [line.time.ToTimedelta() for line in log(staged.repository)] == [
        at(0),
        at(1),
        timedelta(seconds=61),
    ]


def test_lines_that_are_there_already_stay(staged: Staged) -> None:
    (step,) = staged.stepping()
    assert staged.runner.append(step.id, 0, "a", "b") == 2
    assert staged.runner.append(step.id, 0, "a", "b") == 2
    assert staged.runner.append(step.id, 1, "B", "c", "d") == 4
    assert staged.runner.append(step.id, 0, "x") == 4
    assert staged.runner.append(step.id, 0) == 4
    assert texts(staged.repository) == ["a", "b", "c", "d"]


def test_a_gap_is_out_of_range(staged: Staged) -> None:
    (step,) = staged.stepping()
    staged.runner.append(step.id, 0, "a", "b")
    assert refusal(staged.runner.append, step.id, 3, "d") == Refusal(
        grpc.StatusCode.OUT_OF_RANGE,
        "first_position is 3, and the log has 2 lines: send those between first",
        "LOG_GAP",
    )
    assert texts(staged.repository) == ["a", "b"]


def test_lines_can_be_put_in_the_place_of_others(staged: Staged) -> None:
    (step,) = staged.stepping()
    staged.runner.append(step.id, 0, "a", "b", "c", "d")
    assert staged.runner.append(step.id, 1, "B", "C", replace=True) == 3
    assert texts(staged.repository) == ["a", "B", "C"]
    assert staged.runner.append(step.id, 3, "D", replace=True) == 4
    assert refusal(staged.runner.append, step.id, 5, "F", replace=True).reason == "LOG_GAP"
    # With none in their place the others go, and the log goes on from there.
    assert staged.runner.append(step.id, 2, replace=True) == 2
    assert staged.runner.append(step.id, 2, "c") == 3
    assert texts(staged.repository) == ["a", "B", "c"]
    assert staged.runner.append(step.id, 0, replace=True) == 0
    assert texts(staged.repository) == []


def test_a_step_keeps_five_mebibytes_and_says_so(staged: Staged) -> None:
    (step,) = staged.stepping()
    line = "ä" * (MIB // 2)

    def is_full() -> bool:
        return staged.runner.stages.AppendLog(pb.AppendLogRequest(step_id=step.id)).full

    for n in range(4):
        assert staged.runner.append(step.id, n, line) == n + 1
    assert not is_full()
    assert staged.runner.append(step.id, 4, line, "more", "and more") == 7
    assert is_full()
    # What is sent on is dropped, and its sender need not care.
    assert staged.runner.append(step.id, 7, "dropped") == 8
    assert staged.runner.append(step.id, 5, "dropped") == 8
    assert texts(staged.repository) == [*[line] * 5, CUT, "3 lines left out.\n"]
    # Its sender may count what it drops itself.
    assert staged.runner.append(step.id, 1000) == 1000
    assert texts(staged.repository) == [*[line] * 5, CUT, "995 lines left out.\n"]
    # The end of a log that is too long stays said.
    assert staged.runner.append(step.id, 6, "x", replace=True) == 7
    assert texts(staged.repository) == [*[line] * 5, CUT, "2 lines left out.\n"]
    assert staged.runner.append(step.id, 5, replace=True) == 5
    assert texts(staged.repository) == [*[line] * 5, CUT]
    assert staged.runner.append(step.id, 4, "short", replace=True) == 5
    assert staged.runner.append(step.id, 5, "again") == 6
    assert texts(staged.repository) == [*[line] * 4, "short", "again"]
    assert not is_full()


def test_who_follows_a_log_that_is_full_is_told_at_its_end_how_much_is_missing(staged: Staged) -> None:
    (step,) = staged.stepping()
    line = "x" * MIB
    for n in range(5):
        staged.runner.append(step.id, n, line)
    follow = tail(staged.repository, 5, follow=True)
    assert [found.text for found in next(follow).lines] == [CUT]
    staged.runner.append(step.id, 5, *["dropped"] * 7000)
    staged.runner.append(step.id, 7005, *["dropped"] * 7000)
    staged.runner.report_step(step.id, SUCCESS)
    rest = [(found.position, found.text) for part in follow for found in part.lines]
    assert rest == [(6, "14000 lines left out.\n")]
    # Who comes back goes on where they were.
    assert [found.text for found in log(staged.repository, 6)] == ["14000 lines left out.\n"]
    assert log(staged.repository, 7) == []


def test_each_step_has_a_log_of_its_own(staged: Staged) -> None:
    first, second = staged.stepping("first", "second")
    staged.runner.append(first.id, 0, "a")
    staged.runner.append(second.id, 0, "b", "c")
    assert [
        [line.text for part in tail(staged.repository, step=n) for line in part.lines] for n in (1, 2)
    ] == [
        ["a"],
        ["b", "c"],
    ]


def test_ten_thousand_lines_come_in_one_batch(staged: Staged) -> None:
    (step,) = staged.stepping()
    lines = [f"{n}\n" for n in range(10_000)]
    assert staged.runner.append(step.id, 0, *lines) == 10_000
    assert texts(staged.repository) == lines
    assert refusal(staged.runner.append, step.id, 10_000, *lines, "one more") == invalid(
        ("lines", "10001 of them: at most 10000")
    )


def test_a_nul_is_replaced(staged: Staged) -> None:
    (step,) = staged.stepping()
    staged.runner.append(step.id, 0, "a\0b\n")
    assert texts(staged.repository) == ["a\ufffdb\n"]


def test_a_line_as_long_as_a_request_can_be_read(staged: Staged) -> None:
    (step,) = staged.stepping()
    line = "\0" * (4 * MIB - 100)
    assert staged.runner.append(step.id, 0, line, "after") == 2
    found = texts(staged.repository)
    # What a NUL becomes is longer, and no longer message could be read.
    assert found == ["\ufffd" * ((4 * MIB - 1024) // 3), "after"]


def test_a_log_can_be_completed_after_its_step(staged: Staged) -> None:
    (step,) = staged.stepping()
    staged.runner.report_step(step.id, SUCCESS)
    staged.runner.report(step.stage_id, SUCCESS)
    assert staged.runner.append(step.id, 0, "late") == 1
    assert texts(staged.repository) == ["late"]


@pytest.mark.parametrize(
    ("request_", "fault"),
    [
        (pb.AppendLogRequest(first_position=-1), ("first_position", "is -1: wanted 0 or above")),
        (
            pb.AppendLogRequest(lines=[api.LogLine(text="x", time=timedelta(milliseconds=-1))]),
            ("lines[0].time", "is -0.001 s: wanted 0 or above, at most 10,000 years"),
        ),
    ],
    ids=["position", "time"],
)
def test_a_bad_batch_is_refused(
    staged: Staged, request_: pb.AppendLogRequest, fault: tuple[str, str]
) -> None:
    (step,) = staged.stepping()
    request_.step_id = step.id
    assert refusal(staged.runner.stages.AppendLog, request_) == invalid(fault)


def test_who_follows_sees_lines_as_they_come_and_the_end_of_the_step(staged: Staged) -> None:
    (step,) = staged.stepping()
    staged.runner.append(step.id, 0, "a", "b")
    follow = tail(staged.repository, 1, follow=True)
    seen = [next(follow)]
    for n, text in ((2, "c"), (3, "d")):
        staged.runner.append(step.id, n, text)
        seen.append(next(follow))
    assert [[(line.position, line.text) for line in part.lines] for part in seen] == [
        [(1, "b")],
        [(2, "c")],
        [(3, "d")],
    ]
    staged.runner.append(step.id, 4, "last")
    staged.runner.report_step(step.id, FAILURE)
    assert [line.text for part in follow for line in part.lines] == ["last"]


@pytest.mark.parametrize("how", ["stage", "build", "cancel", "lost"])
def test_who_follows_hears_the_end_however_it_comes(staged: Staged, how: str) -> None:
    repository = staged.repository
    (step,) = staged.stepping()
    staged.runner.append(step.id, 0, "a")
    follow = tail(repository, follow=True, timeout=SECONDS)
    assert next(follow).next_position == 1
    if how == "stage":
        staged.runner.report(step.stage_id, SUCCESS)
    elif how == "build":
        repository.report(2, FAILURE)
    elif how == "cancel":
        repository.builds.CancelBuild(
            api.CancelBuildRequest(owner=repository.owner, repo=repository.name, build=2)
        )
    else:
        lose(repository.server, step.stage_id)
    assert list(follow) == []


def test_many_follow_a_step_at_once(staged: Staged) -> None:
    (step,) = staged.stepping()
    follows = [tail(staged.repository, follow=True) for _ in range(8)]
    seen: list[list[str]] = [[] for _ in follows]

    def read(n: int) -> None:
        seen[n] = [line.text for part in follows[n] for line in part.lines]

    threads = [threading.Thread(target=read, args=(n,)) for n in range(len(follows))]
    for thread in threads:
        thread.start()
    lines = [f"{n}\n" for n in range(30)]
    for n, line in enumerate(lines):
        staged.runner.append(step.id, n, line)
    staged.runner.report_step(step.id, SUCCESS)
    for thread in threads:
        thread.join(timeout=SECONDS)
    assert seen == [lines] * len(follows)


def test_who_follows_is_sent_away_when_the_server_stops(own_server: Shipliftd) -> None:
    staged = Staged.of(Repository.make(own_server, "octocat", "app"))
    (step,) = staged.stepping()
    staged.runner.append(step.id, 0, "a")
    follow = tail(staged.repository, follow=True)
    watch = staged.runner.stages.WatchStage(pb.WatchStageRequest(stage_id=step.stage_id))
    assert (next(follow).next_position, next(watch).status) == (1, RUNNING)
    own_server.process.send_signal(signal.SIGTERM)
    for stream in (follow, watch):
        assert refusal(list, stream) == Refusal(
            grpc.StatusCode.UNAVAILABLE, "the server is shutting down: try again", "UNAVAILABLE"
        )
    assert own_server.stop() == 0


@pytest.mark.parametrize(
    ("fields", "words", "reason"),
    [
        ({"step": 2}, MISSING.format(step=2, stage=1), "STEP_NOT_FOUND"),
        ({"stage": 2}, MISSING.format(step=1, stage=2), "STEP_NOT_FOUND"),
        ({"build": 9}, "build 9 of {slug} not found: ListBuilds shows those there are", "BUILD_NOT_FOUND"),
    ],
    ids=["step", "stage", "build"],
)
def test_a_log_that_is_not_there_is_not_found(
    staged: Staged, fields: dict[str, int], words: str, reason: str
) -> None:
    staged.stepping()
    assert refusal(list, tail(staged.repository, **fields)) == Refusal(
        grpc.StatusCode.NOT_FOUND, words.format(slug=staged.repository.slug), reason
    )


def test_all_faults_of_what_is_asked_for_are_told_together(repository: Repository) -> None:
    assert refusal(list, tail(repository, -1, build=0, stage=-1, step=-2)) == invalid(
        ("build", "is 0: wanted 1 or above"),
        ("stage", "is -1: wanted 0 or above"),
        ("step", "is -2: wanted 0 or above"),
        ("position", "is -1: wanted 0 or above"),
    )
    assert refusal(list, tail(repository, stage=0, step=3)) == invalid(
        ("stage", "is 0: name the stage that step 3 is of")
    )
    assert refusal(list, tail(repository, 7, step=0)) == invalid(
        ("position", "is 7: goes with stage and step, as each step counts its own lines")
    )


def test_who_may_read_the_repository_reads_its_logs(staged: Staged) -> None:
    repository = staged.repository
    (step,) = staged.stepping()
    staged.runner.append(step.id, 0, "a")
    reader = repository.of(f"reader-{repository.name}", access_pb2.ACCESS_LEVEL_READ)
    assert texts(reader) == ["a"]
    stranger = repository.of(f"stranger-{repository.name}")
    assert refusal(list, tail(stranger)).reason == "REPOSITORY_NOT_FOUND"
    assert code_of(list, tail(repository.seen_by(""))) == grpc.StatusCode.UNAUTHENTICATED
    # A runner's token is for its stages.
    assert refusal(list, tail(repository.seen_by(staged.runner.token))).reason == "TOKEN_CUT_TO_ACTIONS"
