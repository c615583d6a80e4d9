"""How much of a build GetBuild and ListBuilds return, and by what else a list is narrowed."""

from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb
from shipliftd.access.callers import Caller
from shipliftd.builds import listing
from shipliftd.store import SqliteStore
from shipliftd.store.transaction import Reader

from tests.support.harness import Shipliftd
from tests.support.refusals import code_of, invalid, refusal
from tests.support.repository import Repository
from tests.support.staged import KILLED, PENDING, RUNNING, SUCCESS, Staged, stored

BASIC, FULL = pb.BUILD_VIEW_BASIC, pb.BUILD_VIEW_FULL
MIB = 1024 * 1024


def seen(repository: Repository, number: int, view: Any) -> pb.Build:  # noqa: ANN401  # also none of the enum
    """GetBuild with a view."""
    request = pb.GetBuildRequest(owner=repository.owner, repo=repository.name, build=number, view=view)
    return repository.builds.GetBuild(request)


def filled(repository: Repository) -> list[pb.Build]:
    """Builds of all kinds: with steps, parameters, warnings, what they wait for; newest first."""
    staged = Staged.of(repository)
    repository.record(after="", params={"A": "1"}, stages=[pb.StageSpec(name="a"), pb.StageSpec(name="b")])
    staged.stepping("one", "two")
    repository.promote(2)
    repository.record(release="v1")
    return [repository.get(number) for number in range(repository.page().builds[0].number, 0, -1)]


def basic(build: pb.Build) -> pb.Build:
    """What the basic view has of a build."""
    kept = pb.Build()
    kept.CopyFrom(build)
    for field in ("params", "stages", "waiting_for", "warnings"):
        kept.ClearField(field)
    return kept


def test_a_view_is_the_same_of_one_build_and_of_a_list(repository: Repository) -> None:
    made = filled(repository)
    assert any(build.params for build in made)
    assert any(step.name == "one" for build in made for stage in build.stages for step in stage.steps)
    assert {bool(build.warnings) for build in made} == {bool(build.waiting_for) for build in made}
    unset = pb.BUILD_VIEW_UNSPECIFIED
    for build in made:
        views = [seen(repository, build.number, view) for view in (unset, FULL, BASIC)]
        assert views == [build, build, basic(build)]
    short = [basic(build) for build in made]
    lists = [list(repository.page(view=view).builds) for view in (unset, FULL, BASIC)]
    assert lists == [short, made, short]
    everywhere = repository.server.builds().ListBuilds(pb.ListBuildsRequest(view=FULL, page_size=len(made)))
    assert list(everywhere.builds) == made
    # Page by page, too.
    request: dict[str, Any] = {"view": FULL, "page_size": 2}
    first = repository.page(**request)
    assert list(repository.page(**request, page_token=first.next_page_token).builds) == made[2:4]


def test_a_list_is_of_now_whatever_it_was_when_it_was_read_before(repository: Repository) -> None:
    def look() -> None:
        for _ in range(2):
            listed = list(repository.page().builds)
            assert listed == [seen(repository, build.number, BASIC) for build in listed]
            looked.append([(build.number, build.status) for build in listed])

    looked: list[list[tuple[int, Any]]] = []
    repository.record()
    look()
    # Too long to be remembered.
    repository.record(message="x" * 10_000)
    look()
    repository.promote(1)
    look()
    repository.report(3, RUNNING)
    look()
    repository.report(3, SUCCESS, message="done")
    look()
    owner, name = repository.owner, repository.name
    repository.builds.RetryBuild(pb.RetryBuildRequest(owner=owner, repo=name, build=3))
    look()
    repository.builds.CancelBuild(pb.CancelBuildRequest(owner=owner, repo=name, build=4))
    look()
    recorded = [(2, PENDING), (1, PENDING)]
    states = [
        recorded[1:],
        recorded,
        [(3, PENDING), *recorded],
        [(3, RUNNING), *recorded],
        [(3, SUCCESS), *recorded],
        [(4, PENDING), (3, SUCCESS), *recorded],
        [(4, KILLED), (3, SUCCESS), *recorded],
    ]
    assert looked == [state for state in states for _ in range(2)]


def test_a_view_is_one_of_those_there_are(repository: Repository) -> None:
    repository.record()
    told = invalid(("view", "3 is not allowed here: wanted one of BUILD_VIEW_BASIC, BUILD_VIEW_FULL"))
    assert refusal(repository.page, view=3) == told
    assert refusal(seen, repository, 1, 3) == told
    assert code_of(seen, repository, 9, BASIC) == grpc.StatusCode.NOT_FOUND


def test_a_page_of_whole_builds_has_a_mebibyte(repository: Repository) -> None:
    params = {f"P{n}": "x" * 30_000 for n in range(4)}
    for _ in range(12):
        repository.record(params=params)
    found, token = [], ""
    while True:
        page = repository.page(view=FULL, page_token=token)
        assert page.ByteSize() < MIB + 200_000
        found += [len(page.builds)]
        token = page.next_page_token
        if not token:
            break
    assert found == [8, 4]


@pytest.mark.sqlite
def test_a_page_of_whole_builds_takes_few_queries(own_server: Shipliftd) -> None:
    repository = Repository.make(own_server, "octocat", "app")
    for _ in range(127):
        repository.record(status=RUNNING)
    own_server.stop()
    store = SqliteStore(own_server.database)
    try:
        queries: list[str] = []
        reader = Reader(store.writer)
        reader.connection.set_trace_callback(queries.append)
        caller = Caller("ListBuilds", owner="octocat", repo="app", repo_id=1)
        rows, _ = listing.page(reader, caller, repository.listing(view=FULL, page_size=126))
        whole = list(listing.whole(reader, rows, listing.named(reader, caller)))
    finally:
        store.close()
    assert [each.build.number for each in whole] == list(range(127, 0, -1))
    assert {len(each.stages) for each in whole} == {1}
    # The builds, then stages and steps of 1, 2, 4, ... 64 of them.
    assert len(queries) == 1 + 2 * 7


@pytest.mark.sqlite
def test_what_is_promoted_of_a_build_is_listed(repository: Repository) -> None:
    repository.record()
    repository.record()
    for parent in (1, 3, 2, 1, 3):
        repository.promote(parent)
    assert repository.numbers(parent=1) == [6, 3]
    assert repository.numbers(parent=3) == [7, 4]
    assert repository.numbers(parent=1, page_size=1) == [6]
    assert repository.numbers(parent=9) == repository.numbers(parent=7) == []
    assert refusal(repository.page, parent=-1) == invalid(("parent", "is -1: wanted 0 or above"))
    plan = (
        "EXPLAIN QUERY PLAN SELECT * FROM builds t WHERE repo_id = 1 AND parent = 1 AND"
        " origin = (SELECT origin FROM builds u WHERE u.repo_id = 1 AND u.number = 1)"
        " ORDER BY number DESC LIMIT 10"
    )
    assert "USING INDEX builds_of_origin (repo_id=? AND origin=?)" in stored(repository.server, plan)[0][3]


def test_builds_are_listed_by_who_made_them(repository: Repository) -> None:
    mona = repository.of(f"mona-{repository.name}", access_pb2.ACCESS_LEVEL_WRITE)
    for who in (repository, mona, repository, mona):
        who.record()
    assert repository.numbers(trigger=f"mona-{repository.name}") == [4, 2]
    assert repository.numbers(trigger="admin") == [3, 1]
    assert code_of(repository.page, trigger="a b") == grpc.StatusCode.INVALID_ARGUMENT


def test_builds_are_listed_by_when_they_were_made(repository: Repository) -> None:
    for _ in range(4):
        repository.record()
    ids = [repository.get(number).id for number in range(1, 5)]
    for n, build_id in enumerate(ids):
        stored(repository.server, f"UPDATE builds SET created = {1000 * (n + 1)} WHERE id = {build_id}")

    def at(seconds: int, nanos: int = 0) -> Timestamp:
        return Timestamp(seconds=seconds, nanos=nanos)

    assert repository.numbers(created_after=at(2)) == [4, 3, 2]
    assert repository.numbers(created_before=at(3)) == [2, 1]
    assert repository.numbers(created_after=at(2), created_before=at(4)) == [3, 2]
    assert repository.numbers(created_after=at(2, 1), created_before=at(4, 1)) == [4, 3]
    assert repository.numbers(created_after=at(3), created_before=at(3)) == []
    assert code_of(repository.page, created_after=at(-1)) == grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    "filters", [{"trigger": "admin"}, {"created_after": Timestamp()}, {"created_before": Timestamp()}]
)
def test_what_scans_is_not_skipped(repository: Repository, filters: dict[str, Any]) -> None:
    told = "goes with no filter by events, statuses, trigger or time alone: take page_token"
    assert refusal(repository.page, skip=1, **filters) == invalid(("skip", told))
    assert repository.numbers(skip=1, parent=1, **filters) == []
