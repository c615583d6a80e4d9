"""ListBuilds: a repository's builds, page by page."""

import base64
import json
from pathlib import Path

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb
from shipliftd.store.models import Build

from tests.support.beside import opened
from tests.support.harness import Shipliftd
from tests.support.refusals import invalid, refusal
from tests.support.repository import Repository
from tests.support.rpcs import RPCS, caller, message

NOT_GIVEN_OUT = (
    "page_token",
    "is not one that this list gave out: take `next_page_token` of the page before, and leave the other"
    " fields as they were there",
)


def pages(repository: Repository, **fields: object) -> list[list[int]]:
    """The numbers on each page, to the last one."""
    found, token = [], ""
    for _ in range(1000):
        page = repository.page(**fields, page_token=token)
        found.append([build.number for build in page.builds])
        token = page.next_page_token
        if not token:
            return found
    raise AssertionError("the list has no end")


@pytest.fixture
def filled(repository: Repository) -> Repository:
    """A repository with builds of several kinds.

    1: main, commit aaaaaaa1..., release v1, success; 3 is its promotion to staging, 5 the promotion of 3.
    2: a tag, commit aaaaaaa2..., release v2, running; 4 is its promotion to production.
    6: a pull request without a release.
    """
    repository.record(
        external_id="ci#1",
        after="aaaaaaa1" + "0" * 32,
        ref="refs/heads/main",
        release="v1",
        status=pb.BUILD_STATUS_SUCCESS,
    )
    repository.record(
        external_id="ci#2",
        event=pb.BUILD_EVENT_TAG,
        after="aaaaaaa2" + "f" * 32,
        ref="refs/tags/v2",
        release="v2",
        status=pb.BUILD_STATUS_RUNNING,
    )
    repository.promote(1, "staging")
    repository.promote(2, "production")
    repository.promote(3, "production")
    repository.record(event=pb.BUILD_EVENT_PULL_REQUEST, after="b" * 40, ref="refs/pull/1/head")
    return repository


def test_a_list_leaves_out_parameters_and_stages_and_nothing_else(repository: Repository) -> None:
    repository.record(
        external_id="1",
        message="m",
        params={"A": "1"},
        artifacts=[pb.Artifact(name="image")],
        status=pb.BUILD_STATUS_SUCCESS,
        stages=[pb.StageSpec(name="a")],
    )
    repository.promote(1, params={"B": "2"})
    expected = []
    for number in (2, 1):
        build = repository.get(number)
        assert build.params
        assert build.stages
        for field in ("params", "stages", "waiting_for", "warnings"):
            build.ClearField(field)
        expected.append(build)
    assert repository.page() == pb.ListBuildsResponse(builds=expected)


def test_a_repository_without_builds_has_an_empty_page(repository: Repository) -> None:
    assert repository.page() == pb.ListBuildsResponse()


def test_a_list_has_no_other_repositorys_builds(filled: Repository) -> None:
    name = f"{filled.name}-other"
    filled.server.access().CreateRepository(
        access_pb2.CreateRepositoryRequest(owner=filled.owner, repo=name)
    )
    other = Repository(filled.server, filled.owner, name)
    other.record(external_id="ci#1", after="aaaaaaa1" + "0" * 32, ref="refs/heads/main", release="v1")
    assert other.numbers(release="v1") == other.numbers(commit="aaaaaaa") == [1]
    assert filled.numbers(release="v1") == [5, 3, 1]


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        ({}, [6, 5, 4, 3, 2, 1]),
        ({"events": [pb.BUILD_EVENT_PUSH]}, [1]),
        ({"events": [pb.BUILD_EVENT_TAG, pb.BUILD_EVENT_PULL_REQUEST]}, [6, 2]),
        ({"events": [pb.BUILD_EVENT_PROMOTE]}, [5, 4, 3]),
        ({"events": [pb.BUILD_EVENT_ROLLBACK]}, []),
        ({"statuses": [pb.BUILD_STATUS_SUCCESS]}, [1]),
        ({"statuses": [pb.BUILD_STATUS_RUNNING, pb.BUILD_STATUS_PENDING]}, [6, 5, 4, 3, 2]),
        ({"statuses": [pb.BUILD_STATUS_BLOCKED]}, []),
        ({"commit": "aaaaaaa"}, [5, 4, 3, 2, 1]),
        ({"commit": "aaaaaaa1"}, [5, 3, 1]),
        ({"commit": "aaaaaaa2" + "f" * 32}, [4, 2]),
        ({"commit": "aaaaaaa2" + "f" * 31 + "0"}, []),
        ({"commit": "aaaaaaa2" + "f" * 33}, []),
        ({"release": "v1"}, [5, 3, 1]),
        ({"release": "v"}, []),
        ({"release": "V1"}, []),
        ({"external_id": "ci#2"}, [2]),
        ({"external_id": "ci#3"}, []),
        ({"environment": "production"}, [5, 4]),
        ({"environment": "staging"}, [3]),
        ({"environment": "prod"}, []),
        ({"ref": "refs/heads/main"}, [5, 3, 1]),
        ({"ref": "refs/heads"}, []),
        ({"origin": 1}, [5, 3, 1]),
        ({"origin": 3}, []),
        ({"origin": 2**31 - 1}, []),
        ({"release": "v1", "environment": "production"}, [5]),
        ({"release": "v1", "commit": "aaaaaaa2"}, []),
        (
            {
                "events": [pb.BUILD_EVENT_PROMOTE],
                "statuses": [pb.BUILD_STATUS_PENDING],
                "commit": "aaaaaaa",
                "release": "v2",
                "environment": "production",
                "ref": "refs/tags/v2",
                "origin": 2,
            },
            [4],
        ),
    ],
    ids=str,
)
def test_filters_must_all_match(filled: Repository, filters: dict[str, object], numbers: list[int]) -> None:
    assert filled.numbers(**filters) == numbers
    assert pages(filled, **filters, page_size=1) == [[number] for number in numbers] or [[]]


@pytest.mark.parametrize(
    ("filters", "fault"),
    [
        (
            {"events": [pb.BUILD_EVENT_PUSH, 99]},
            (
                "events",
                "99 is not allowed here: wanted one of BUILD_EVENT_PUSH, BUILD_EVENT_PULL_REQUEST,"
                " BUILD_EVENT_TAG,"
                " BUILD_EVENT_CRON, BUILD_EVENT_CUSTOM, BUILD_EVENT_PROMOTE, BUILD_EVENT_ROLLBACK",
            ),
        ),
        (
            {"events": [pb.BUILD_EVENT_UNSPECIFIED]},
            (
                "events",
                "0 is not allowed here: wanted one of BUILD_EVENT_PUSH, BUILD_EVENT_PULL_REQUEST,"
                " BUILD_EVENT_TAG,"
                " BUILD_EVENT_CRON, BUILD_EVENT_CUSTOM, BUILD_EVENT_PROMOTE, BUILD_EVENT_ROLLBACK",
            ),
        ),
        (
            {"statuses": [99]},
            (
                "statuses",
                "99 is not allowed here: wanted one of BUILD_STATUS_SKIPPED, BUILD_STATUS_BLOCKED,"
                " BUILD_STATUS_DECLINED,"
                " BUILD_STATUS_WAITING_ON_DEPENDENCIES, BUILD_STATUS_PENDING, BUILD_STATUS_RUNNING,"
                " BUILD_STATUS_SUCCESS,"
                " BUILD_STATUS_FAILURE, BUILD_STATUS_KILLED, BUILD_STATUS_ERROR",
            ),
        ),
        ({"commit": "abc123"}, ("commit", "has 6 digits: wanted 7 to 64")),
        (
            {"commit": "main-branch"},
            ("commit", "'main-branch' is not a commit: wanted at most 64 hexadecimal digits"),
        ),
        (
            {"environment": "a b"},
            (
                "environment",
                "'a b' is not an environment's name: wanted 1 to 100 of letters, digits, '.', '_', '-',"
                " '/'",
            ),
        ),
        ({"origin": -1}, ("origin", "is -1: wanted 0 or above")),
        ({"release": "r" * 101}, ("release", "has 101 characters: at most 100 are taken")),
        ({"ref": "\0"}, ("ref", "has a NUL character: leave it out")),
        ({"external_id": "\0"}, ("external_id", "has a NUL character: leave it out")),
        ({"page_size": -1}, ("page_size", "is -1: wanted 1 or above, or 0 for 100")),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_bad_filter_is_refused(
    filled: Repository, filters: dict[str, object], fault: tuple[str, str]
) -> None:
    assert refusal(filled.page, **filters) == invalid(fault)


def test_an_enum_may_be_repeated_but_not_without_end(filled: Repository) -> None:
    assert filled.numbers(events=[pb.BUILD_EVENT_TAG] * 20) == [2]
    assert filled.numbers(statuses=[pb.BUILD_STATUS_SUCCESS] * 20) == [1]
    told = refusal(
        filled.page, events=[pb.BUILD_EVENT_TAG] * 500_000, statuses=[pb.BUILD_STATUS_SUCCESS] * 21
    )
    assert told == invalid(("events", "500000 of them: at most 20"), ("statuses", "21 of them: at most 20"))


def test_a_page_has_100_builds_unless_told_otherwise(repository: Repository) -> None:
    repository.record()
    for _ in range(100):
        repository.promote(1)
    assert pages(repository) == [list(range(101, 1, -1)), [1]]
    assert pages(repository, page_size=1000) == [list(range(101, 0, -1))]
    assert pages(repository, page_size=40) == [
        list(range(101, 61, -1)),
        list(range(61, 21, -1)),
        list(range(21, 0, -1)),
    ]
    # No empty page follows one that is full.
    assert pages(repository, page_size=101) == [list(range(101, 0, -1))]


def test_a_page_has_1000_builds_where_more_are_asked_for(repository: Repository) -> None:
    # As many at once as one token may have.
    for count in (*[100] * 10, 1):
        for recorded in [
            repository.builds.CreateBuild.future(repository.recording()) for _ in range(count)
        ]:
            recorded.result()
    whole, rest = pages(repository, page_size=2**31 - 1)
    assert (whole, rest) == (list(range(1001, 1, -1)), [1])


@pytest.mark.parametrize(
    "rpc",
    [rpc for rpc in RPCS.values() if "page_size" in rpc.input_type.fields_by_name],
    ids=lambda r: r.name,
)
def test_every_list_takes_any_page_size_but_a_negative_one(
    repository: Repository, rpc: MethodDescriptor
) -> None:
    fields = rpc.input_type.fields_by_name
    of = {"owner": repository.owner, "repo": repository.name}
    if rpc.name == "ListDeploymentHistory":
        repository.promote(repository.record().number, "production")
        of["environment"] = "production"
    named = {name: value for name, value in of.items() if name in fields}
    server = repository.server
    with server.channel(server.admin_token) as channel:
        call = caller(channel, rpc)
        assert call(message(rpc.input_type, **named, page_size=2**31 - 1)).ByteSize() >= 0
        told = refusal(call, message(rpc.input_type, **named, page_size=-1))
    assert told == invalid(("page_size", "is -1: wanted 1 or above, or 0 for 100"))


def test_pages_are_stable_while_builds_are_added_and_changed(repository: Repository) -> None:
    for _ in range(6):
        repository.record()
    first = repository.page(page_size=3)
    assert [build.number for build in first.builds] == [6, 5, 4]
    repository.record()
    repository.record(number=1000)
    repository.report(2, pb.BUILD_STATUS_SUCCESS)
    second = repository.page(page_size=3, page_token=first.next_page_token)
    assert ([build.number for build in second.builds], second.next_page_token) == ([3, 2, 1], "")


def test_the_size_of_the_next_page_may_be_another(repository: Repository) -> None:
    for _ in range(4):
        repository.record()
    first = repository.page(page_size=1)
    second = repository.page(page_size=10, page_token=first.next_page_token)
    assert [build.number for build in second.builds] == [3, 2, 1]


def test_a_page_token_of_another_request_is_refused(filled: Repository) -> None:
    token = filled.page(page_size=1).next_page_token
    refused = invalid(NOT_GIVEN_OUT)
    assert refusal(filled.page, page_token=token, events=[pb.BUILD_EVENT_PUSH]) == refused
    assert refusal(filled.page, page_token=token, origin=1) == refused

    name = f"{filled.name}-other"
    access = filled.server.access()
    access.CreateRepository(access_pb2.CreateRepositoryRequest(owner=filled.owner, repo=name))
    other = Repository(filled.server, filled.owner, name)
    assert refusal(other.page, page_token=token) == refused
    request = access_pb2.ListAccessRequest(owner=filled.owner, repo=filled.name, page_token=token)
    assert refusal(access.ListAccess, request) == refused


def tampered(token: str) -> list[str]:
    """What a caller can make of a token who knows how it is made."""
    raw = base64.urlsafe_b64decode(token)
    mark, key = raw[:-3], raw[-3:]
    assert json.loads(key) == [6]
    texts = [
        "[]",
        "[5]",
        "[6] ",
        f"[{2**63}]",
        '["6"]',
        "[null]",
        "[[6]]",
        '[{"a":6}]',
        "[6,6]",
        "6",
        "{}",
        "",
        "[" * 100_000,
        "9" * 10_000,
    ]
    return [base64.urlsafe_b64encode(mark + text.encode()).decode() for text in texts]


def test_a_page_token_that_was_not_given_out_is_refused(filled: Repository) -> None:
    token = filled.page(page_size=1).next_page_token
    for other in (
        *tampered(token),
        token[:-4],
        token[:-1],
        token + "A",
        token + "\n",
        "x",
        "\0",
        "ä",
        "%%%",
        "=" * 1000,
    ):
        assert refusal(filled.page, page_token=other) == invalid(NOT_GIVEN_OUT), other[:100]


def test_a_page_stops_at_1_mib(repository: Repository) -> None:
    for _ in range(40):
        repository.record(message="m" * 60_000)
    whole = pages(repository)
    assert [number for page in whole for number in page] == list(range(40, 0, -1))
    assert [len(page) for page in whole] == [17, 17, 6]
    assert repository.page().ByteSize() < 1024 * 1024 + 200


def test_the_largest_builds_are_listed_few_a_page(repository: Repository) -> None:
    artifacts = [
        pb.Artifact(name=str(n).rjust(100, "🚢"), uri="🚢" * 2000, digest="🚢" * 200) for n in range(28)
    ]
    for _ in range(4):
        repository.record(message="m" * 64 * 1024, artifacts=artifacts, title="🚢" * 2000)
    assert pages(repository) == [[4, 3, 2], [1]]


def test_a_reader_may_list_and_a_stranger_may_not(filled: Repository) -> None:
    reader = filled.of(f"reader-{filled.name}", access_pb2.ACCESS_LEVEL_READ)
    assert reader.page() == filled.page()
    stranger = filled.of(f"stranger-{filled.name}")
    assert refusal(stranger.page).code == grpc.StatusCode.NOT_FOUND


def test_a_page_looks_at_so_many_builds_where_no_index_helps(tmp_path: Path) -> None:
    database = tmp_path / "shiplift.db"
    with Shipliftd(database) as server:
        server.access().CreateRepository(access_pb2.CreateRepositoryRequest(owner="octocat", repo="large"))
        Repository(server, "octocat", "large").record(status=pb.BUILD_STATUS_KILLED)
    with opened(database) as store:
        names = [field.column_name for field in Build._meta.sorted_fields][1:]
        values = {"number": "n", "origin": "n", "status": "'success'"}
        store.execute(
            f"WITH RECURSIVE more(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM more WHERE n < 100002)"
            f" INSERT INTO builds ({', '.join(names)})"
            f" SELECT {', '.join(values.get(name, f'builds.{name}') for name in names)} FROM more, builds"
        )
        store.execute("UPDATE repositories SET counter = 100002")
    with Shipliftd(database) as server:
        repository = Repository(server, "octocat", "large")
        # 50,000 a page: the killed one is on the third.
        assert pages(repository, statuses=[pb.BUILD_STATUS_KILLED]) == [[], [], [1]]
        assert pages(repository, statuses=[pb.BUILD_STATUS_KILLED], origin=1) == [[1]]
        found = pages(repository, statuses=[pb.BUILD_STATUS_SUCCESS], page_size=1000)
        assert [number for page in found for number in page] == list(range(100002, 1, -1))


def test_skip_passes_over_builds_and_a_page_token_goes_on_from_there(filled: Repository) -> None:
    assert filled.numbers(skip=2, page_size=2) == [4, 3]
    assert filled.numbers(skip=4) == [2, 1]
    assert filled.numbers(skip=6) == []
    token = filled.page(skip=2, page_size=2).next_page_token
    assert filled.numbers(page_token=token) == [2, 1]
    assert filled.numbers(page_token=token, skip=1) == [1]


def test_skip_goes_with_a_filter_that_an_index_serves(filled: Repository) -> None:
    assert filled.numbers(skip=1, release="v1", statuses=[pb.BUILD_STATUS_PENDING]) == [3]
    told = refusal(filled.page, skip=1, statuses=[pb.BUILD_STATUS_PENDING])
    assert told == invalid(
        ("skip", "goes with no filter by events, statuses, trigger or time alone: take page_token")
    )


@pytest.mark.parametrize("skip", [-1, 1_000_001])
def test_a_skip_of_too_much_or_backwards_is_refused(filled: Repository, skip: int) -> None:
    assert refusal(filled.page, skip=skip) == invalid(("skip", f"is {skip}: wanted 0 to 1000000"))


def test_a_short_page_and_a_long_one_have_the_same_builds(filled: Repository) -> None:
    # They are read by different queries: up to 100 builds on the event loop, more on a thread.
    short, long = (list(filled.page(page_size=size).builds) for size in (100, 101))
    assert short == long
    assert [build.number for build in short] == [6, 5, 4, 3, 2, 1]
    tokens = [filled.page(page_size=2).next_page_token, filled.page(page_size=2, skip=1).next_page_token]
    for token, numbers in zip(tokens, ([4, 3, 2, 1], [3, 2, 1]), strict=True):
        assert filled.numbers(page_size=100, page_token=token) == numbers
        assert filled.numbers(page_size=101, page_token=token) == numbers
