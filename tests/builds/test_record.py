"""CreateBuild: a CI system records a build."""

from datetime import UTC, datetime, timedelta

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb

from tests.support.refusals import Refusal, invalid, refusal
from tests.support.repository import BEGUN, ENDED, Repository, replayed


def test_every_field_comes_back_whole(repository: Repository) -> None:
    told = {
        "external_id": "jenkins/app#1043",
        "event": pb.BUILD_EVENT_CRON,
        "status": pb.BUILD_STATUS_ERROR,
        "action": "synchronized",
        "link": "https://ci/1?a=1&b=2#c",
        "title": "Ein Titel, 标题",
        "message": "first line\n\n\tsecond 'line' \"quoted\" \\ $HOME 🚢\r\n",
        "before": "0" * 40,
        "after": "9fc1ad6ebf12462f3f9773003e26b4c6f54a772e",
        "ref": "refs/heads/feature/ä",
        "source_repo": "fork/app",
        "source": "feature",
        "target": "main",
        "author_login": "mona",
        "author_name": "Mona Lisa",
        "author_email": "mona@example.com",
        "author_avatar": "https://a/1.png",
        "sender": "hubot",
        "cron": "nightly",
        "debug": True,
        "params": {"A": "1", "_b2": ""},
        "timestamp": Timestamp(seconds=1, nanos=2_000_000),
        "started": BEGUN,
        "finished": ENDED,
        "release": "v1.4.2",
        "artifacts": [
            pb.Artifact(name="image", uri="oci://registry/app:1", digest="sha256:9fc1"),
            pb.Artifact(name="chart"),
        ],
    }
    stages = [
        {
            "name": "build",
            "kind": "pipeline",
            "type": "exec",
            "os": "windows",
            "arch": "arm64",
            "variant": "v8",
            "kernel": "1909",
            "machine": "m1",
            "errignore": True,
            "limit": 2,
            "throttle": 3,
            "on_success": False,
            "on_failure": True,
            "labels": {"zone": "a", "disk": ""},
        },
        {"name": "roll out", "kind": "external", "on_success": True, "depends_on": ["build"]},
    ]
    begun = datetime.now(UTC)
    recorded = repository.record(**told, stages=[pb.StageSpec(**stage) for stage in stages])  # type: ignore[arg-type]
    ended = datetime.now(UTC)
    assert begun - timedelta(milliseconds=1) <= recorded.created.ToDatetime(UTC) <= ended
    repo = repository.server.access().GetRepository(
        access_pb2.GetRepositoryRequest(owner=repository.owner, repo=repository.name)
    )
    assert recorded == pb.Build(
        **told,  # type: ignore[arg-type]
        id=recorded.id,
        repo_id=repo.id,
        owner=repository.owner,
        repo=repository.name,
        number=1,
        origin=1,
        trigger="admin",
        created=recorded.created,
        updated=recorded.created,
        version=1,
        stages=[
            pb.Stage(
                **stage,  # type: ignore[arg-type]
                id=kept.id,
                repo_id=repo.id,
                build_id=recorded.id,
                number=number,
                status=pb.BUILD_STATUS_ERROR,
                started=BEGUN,
                stopped=ENDED,
                created=recorded.created,
                updated=recorded.created,
                version=1,
            )
            for number, (stage, kept) in enumerate(zip(stages, recorded.stages, strict=True), start=1)
        ],
    )
    assert recorded.stages[0].id < recorded.stages[1].id
    assert repository.get(1) == recorded


def test_an_empty_request_records_a_pending_push(repository: Repository) -> None:
    writer = repository.of(f"ci-{repository.name}", access_pb2.ACCESS_LEVEL_WRITE)
    recorded = writer.record(after="")
    assert recorded == pb.Build(
        id=recorded.id,
        repo_id=recorded.repo_id,
        owner=repository.owner,
        repo=repository.name,
        number=1,
        origin=1,
        status=pb.BUILD_STATUS_PENDING,
        event=pb.BUILD_EVENT_PUSH,
        trigger=f"ci-{repository.name}",
        created=recorded.created,
        updated=recorded.created,
        version=1,
        stages=[recorded.stages[0]],
        warnings=["it has no commit (`after`), and a build without one is not promoted"],
    )
    assert len(recorded.stages) == 1


def test_builds_are_numbered_from_1(repository: Repository) -> None:
    assert [repository.record().number for _ in range(3)] == [1, 2, 3]
    assert repository.counter() == 3


def test_an_external_id_recorded_again_returns_the_build_that_has_it(repository: Repository) -> None:
    request = repository.recording(external_id="jenkins/app#1043", title="first")
    _, call = repository.builds.CreateBuild.with_call(request)
    assert not replayed(call)
    moved = repository.report(1, pb.BUILD_STATUS_RUNNING)

    other = repository.recording(
        external_id="jenkins/app#1043", title="second", status=pb.BUILD_STATUS_SUCCESS
    )
    again, call = repository.builds.CreateBuild.with_call(other)
    assert (again, replayed(call)) == (moved, True)
    # Also to another user, and with a request_id, which then stands for it.
    writer = repository.of(f"ci-{repository.name}", access_pb2.ACCESS_LEVEL_WRITE)
    assert writer.record(external_id="jenkins/app#1043", request_id="r") == moved
    assert writer.record(external_id="jenkins/app#1043", request_id="r") == moved
    assert (repository.numbers(), repository.counter()) == ([1], 1)
    assert repository.record(external_id="JENKINS/app#1043").number == 2


def test_an_external_id_is_unique_in_its_repository_alone(repository: Repository) -> None:
    name = f"{repository.name}-other"
    repository.server.access().CreateRepository(
        access_pb2.CreateRepositoryRequest(owner=repository.owner, repo=name)
    )
    other = Repository(repository.server, repository.owner, name)
    mine, theirs = repository.record(external_id="1"), other.record(external_id="1")
    assert (mine.id == theirs.id, mine.number, theirs.number) == (False, 1, 1)


def test_builds_without_an_external_id_are_not_the_same(repository: Repository) -> None:
    assert [repository.record(external_id="").number for _ in range(2)] == [1, 2]


def test_a_promotion_has_no_external_id(repository: Repository) -> None:
    repository.record(external_id="1")
    assert repository.promote(1).external_id == ""
    assert repository.numbers(external_id="1") == [1]


def test_a_number_of_ones_own_choice_needs_admin(repository: Repository) -> None:
    login = f"ci-{repository.name}"
    writer = repository.of(login, access_pb2.ACCESS_LEVEL_WRITE)
    assert refusal(writer.record, number=41) == Refusal(
        grpc.StatusCode.PERMISSION_DENIED,
        f"a number of one's own choice needs admin on {repository.slug}; {login} has write:"
        " leave `number` out to get the next one",
        "PERMISSION_DENIED",
    )
    assert (repository.numbers(), repository.counter()) == ([], 0)
    owner = repository.of(f"owner-{repository.name}", access_pb2.ACCESS_LEVEL_ADMIN)
    assert owner.record(number=41).number == 41


def test_an_imported_number_moves_the_counter_up_and_never_down(repository: Repository) -> None:
    imported = repository.record(number=41)
    assert (imported.number, imported.origin, repository.counter()) == (41, 41, 41)
    assert repository.record().number == 42
    assert (repository.record(number=7).number, repository.counter()) == (7, 42)
    assert repository.promote(7).number == 43
    assert repository.numbers() == [43, 42, 41, 7]


def test_a_number_that_is_taken_is_refused(repository: Repository) -> None:
    repository.record()
    repository.promote(1)
    for number in (1, 2):
        assert refusal(repository.record, number=number) == Refusal(
            grpc.StatusCode.ALREADY_EXISTS,
            f"{repository.slug} has a build {number}: import this one under another number, or leave"
            " `number` out",
            "NUMBER_TAKEN",
        )
    assert (repository.numbers(), repository.counter()) == ([2, 1], 2)


@pytest.mark.parametrize("number", [0, -1, -(2**31), 2_000_000_001, 2**31 - 1])
def test_a_number_out_of_range_is_refused(repository: Repository, number: int) -> None:
    assert refusal(repository.record, number=number) == invalid(
        ("number", f"is {number}: wanted 1 to 2000000000")
    )


def test_builds_go_on_after_the_highest_number_that_can_be_imported(repository: Repository) -> None:
    repository.record(number=2_000_000_000)
    assert repository.promote(2_000_000_000).number == 2_000_000_001


def test_an_import_recorded_again_by_its_external_id_returns_the_build(repository: Repository) -> None:
    first = repository.record(number=41, external_id="1")
    assert repository.record(number=41, external_id="1") == first


@pytest.mark.parametrize(
    "event",
    [
        pb.BUILD_EVENT_PUSH,
        pb.BUILD_EVENT_PULL_REQUEST,
        pb.BUILD_EVENT_TAG,
        pb.BUILD_EVENT_CRON,
        pb.BUILD_EVENT_CUSTOM,
    ],
)
def test_the_events_of_a_ci_system_are_taken(repository: Repository, event: pb.BuildEvent) -> None:
    assert repository.record(event=event).event == event


def test_times_follow_from_the_status_where_nobody_told_them(repository: Repository) -> None:
    def times(**fields: object) -> tuple[str, str]:
        build = repository.record(**fields)
        words = {build.created.ToMilliseconds(): "now", 0: "", BEGUN.ToMilliseconds(): "told"}
        (stage,) = build.stages
        assert (stage.started, stage.stopped, stage.status) == (build.started, build.finished, build.status)
        return words[build.started.ToMilliseconds()], words[build.finished.ToMilliseconds()]

    assert times() == ("", "")
    assert times(status=pb.BUILD_STATUS_PENDING) == ("", "")
    assert times(status=pb.BUILD_STATUS_RUNNING) == ("now", "")
    assert times(status=pb.BUILD_STATUS_RUNNING, started=BEGUN) == ("told", "")
    assert times(status=pb.BUILD_STATUS_SUCCESS) == ("now", "now")
    assert times(status=pb.BUILD_STATUS_SUCCESS, started=BEGUN) == ("told", "now")
    # It cannot have begun later than it ended.
    assert times(status=pb.BUILD_STATUS_FAILURE, finished=BEGUN) == ("told", "told")
    assert times(status=pb.BUILD_STATUS_KILLED, started=BEGUN, finished=BEGUN) == ("told", "told")
