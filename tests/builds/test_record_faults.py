"""CreateBuild: what is refused of a build, and how long its texts may be."""

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from shiplift.v1 import builds_pb2 as pb

from tests.support.refusals import invalid, refusal
from tests.support.repository import BEGUN, ENDED, Repository

EVENTS = "BUILD_EVENT_PUSH, BUILD_EVENT_PULL_REQUEST, BUILD_EVENT_TAG, BUILD_EVENT_CRON, BUILD_EVENT_CUSTOM"

STATUSES = (
    "BUILD_STATUS_PENDING, BUILD_STATUS_RUNNING, BUILD_STATUS_SUCCESS, BUILD_STATUS_FAILURE,"
    " BUILD_STATUS_ERROR, BUILD_STATUS_KILLED"
)

# As the comments of CreateBuildRequest say.
CHARACTERS = {
    "external_id": 200,
    "action": 100,
    "link": 2000,
    "title": 2000,
    "ref": 500,
    "source_repo": 500,
    "source": 500,
    "target": 500,
    "author_login": 200,
    "author_name": 200,
    "author_email": 254,
    "author_avatar": 2000,
    "sender": 200,
    "cron": 200,
    "release": 100,
}


@pytest.mark.parametrize("event", [pb.BUILD_EVENT_PROMOTE, pb.BUILD_EVENT_ROLLBACK, 8, 99, -1])
def test_events_that_are_not_a_ci_systems_are_refused(repository: Repository, event: pb.BuildEvent) -> None:
    assert refusal(repository.record, event=event) == invalid(
        ("event", f"{event} is not allowed here: wanted one of {EVENTS}")
    )


@pytest.mark.parametrize(
    "status",
    [
        pb.BUILD_STATUS_SKIPPED,
        pb.BUILD_STATUS_BLOCKED,
        pb.BUILD_STATUS_DECLINED,
        pb.BUILD_STATUS_WAITING_ON_DEPENDENCIES,
        11,
        -1,
    ],
)
def test_statuses_that_are_not_a_ci_systems_are_refused(
    repository: Repository, status: pb.BuildStatus
) -> None:
    assert refusal(repository.record, status=status) == invalid(
        ("status", f"{status} is not allowed here: wanted one of {STATUSES}")
    )


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        (
            {"started": BEGUN},
            ("started", "is set, but a pending build has not begun: set status too"),
        ),
        (
            {"status": pb.BUILD_STATUS_RUNNING, "finished": ENDED},
            ("finished", "is set, but the status is not one of an end: set status too"),
        ),
        (
            {"status": pb.BUILD_STATUS_SUCCESS, "started": ENDED, "finished": BEGUN},
            ("finished", "is before `started`"),
        ),
        (
            {"timestamp": Timestamp(seconds=-1)},
            ("timestamp", "-1 s is not a time between 1970 and 9999"),
        ),
        (
            {"timestamp": Timestamp(seconds=253_402_300_800)},
            ("timestamp", "253402300800 s is not a time between 1970 and 9999"),
        ),
        (
            {"status": pb.BUILD_STATUS_SUCCESS, "finished": Timestamp(seconds=2**63 - 1)},
            ("finished", "9223372036854775807 s is not a time between 1970 and 9999"),
        ),
        ({"release": "42"}, ("release", "'42' would be taken for a build's number: add a letter")),
        ({"before": "xyz"}, ("before", "'xyz' is not a commit: wanted at most 64 hexadecimal digits")),
        (
            {"after": "a" * 65},
            ("after", f"'{'a' * 57}...' is not a commit: wanted at most 64 hexadecimal digits"),
        ),
        ({"artifacts": [pb.Artifact()]}, ("artifacts[0].name", "is empty: name it, such as 'image'")),
        (
            {"artifacts": [pb.Artifact(name="a"), pb.Artifact(name="a")]},
            ("artifacts", "'a' stands there twice: each name may stand once"),
        ),
        (
            {"artifacts": [pb.Artifact(name=str(n)) for n in range(51)]},
            ("artifacts", "51 of them: at most 50"),
        ),
        (
            {"artifacts": [pb.Artifact(name="a" * 101)]},
            ("artifacts[0].name", "has 101 characters: at most 100 are taken"),
        ),
        (
            {"artifacts": [pb.Artifact(name="a"), pb.Artifact(name="b", uri="u" * 2001)]},
            ("artifacts[1].uri", "has 2001 characters: at most 2000 are taken"),
        ),
        (
            {"artifacts": [pb.Artifact(name="a", digest="d" * 201)]},
            ("artifacts[0].digest", "has 201 characters: at most 200 are taken"),
        ),
        (
            {"artifacts": [pb.Artifact(name="a", digest="\0")]},
            ("artifacts[0].digest", "has a NUL character: leave it out"),
        ),
        ({"title": "a\0b"}, ("title", "has a NUL character: leave it out")),
        ({"message": "a\0b"}, ("message", "has a NUL character: leave it out")),
        ({"external_id": "\0"}, ("external_id", "has a NUL character: leave it out")),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_fault_is_told_with_its_field(
    repository: Repository, fields: dict[str, object], fault: tuple[str, str]
) -> None:
    assert refusal(repository.record, **fields) == invalid(fault)
    assert (repository.numbers(), repository.counter()) == ([], 0)


def test_all_faults_of_a_build_are_reported_together(repository: Repository) -> None:
    told = refusal(
        repository.record,
        number=0,
        event=pb.BUILD_EVENT_PROMOTE,
        status=pb.BUILD_STATUS_BLOCKED,
        action="a" * 101,
        after="g",
        params={"LD_PRELOAD": "x", "1": ""},
        timestamp=Timestamp(seconds=-1),
        release="7",
        artifacts=[pb.Artifact()],
        stages=[pb.StageSpec(kind="x", limit=-1)],
        request_id="\n",
    )
    assert sorted(field for field, _ in told.violations) == [
        "action",
        "after",
        "artifacts[0].name",
        "event",
        "number",
        "params['1']",
        "params['LD_PRELOAD']",
        "release",
        "request_id",
        "stages[0].kind",
        "stages[0].limit",
        "status",
        "timestamp",
    ]
    assert (told.code, told.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT")
    assert (repository.numbers(), repository.counter()) == ([], 0)


@pytest.mark.parametrize(("field", "most"), CHARACTERS.items())
def test_a_text_is_taken_up_to_its_length(repository: Repository, field: str, most: int) -> None:
    # Characters, not bytes.
    longest = "ä" * most
    recorded = repository.record(**{field: longest})
    assert getattr(repository.get(1), field) == getattr(recorded, field) == longest
    assert refusal(repository.record, **{field: longest + "x"}) == invalid(
        (field, f"has {most + 1} characters: at most {most} are taken")
    )


@pytest.mark.parametrize("field", ["before", "after"])
def test_a_commit_is_taken_up_to_its_length_and_kept_in_lower_case(
    repository: Repository, field: str
) -> None:
    longest = "0123456789abcdefABCDEF".ljust(64, "0")
    assert getattr(repository.record(**{field: longest}), field) == longest.lower()


@pytest.mark.parametrize("character", ["x", "ä", "🚢"])
def test_a_message_is_taken_up_to_64_kib(repository: Repository, character: str) -> None:
    longest = character * (64 * 1024 // len(character.encode()))
    assert repository.record(message=longest).message == longest
    told = refusal(repository.record, message=longest + "x")
    assert (told.code, [field for field, _ in told.violations]) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        ["message"],
    )


def test_artifacts_are_taken_up_to_their_lengths(repository: Repository) -> None:
    longest = [
        pb.Artifact(name=str(n).ljust(100, "ä"), uri="ä" * 2000, digest="ä" * 200) for n in range(50)
    ]
    assert list(repository.record(artifacts=longest).artifacts) == longest
