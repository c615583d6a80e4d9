"""ListBuilds without a repository: the builds of all that the caller may read, newest first."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb

from tests.support.harness import Shipliftd
from tests.support.refusals import code_of, invalid, refusal
from tests.support.repository import Repository
from tests.support.staged import stored

PENDING, RUNNING, SUCCESS = pb.BUILD_STATUS_PENDING, pb.BUILD_STATUS_RUNNING, pb.BUILD_STATUS_SUCCESS


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Shipliftd]:
    """A server of the test's own, for all that is there is listed."""
    with Shipliftd(tmp_path / "shiplift.db") as running:
        yield running


def made(
    server: Shipliftd, name: str, visibility: access_pb2.Visibility = access_pb2.VISIBILITY_PRIVATE
) -> Repository:
    """A new repository."""
    request = access_pb2.CreateRepositoryRequest(owner="octocat", repo=name, visibility=visibility)
    server.access().CreateRepository(request)
    return Repository(server, "octocat", name)


def listed(server: Shipliftd, token: str | None = None, **fields: object) -> list[str]:
    """Which builds are on the first page, as repository and number."""
    answer = server.builds(token).ListBuilds(pb.ListBuildsRequest(**fields))  # type: ignore[arg-type]
    return [f"{build.repo} {build.number}" for build in answer.builds]


def test_the_builds_are_those_that_the_caller_may_read(served: Shipliftd) -> None:
    private, public = made(served, "private"), made(served, "public", access_pb2.VISIBILITY_PUBLIC)
    internal = made(served, "internal", access_pb2.VISIBILITY_INTERNAL)
    for repository in (private, public, internal, private):
        repository.record()
    everything = ["private 2", "internal 1", "public 1", "private 1"]
    assert listed(served) == everything
    assert (
        listed(served, served.user("mona", "octocat/private", access_pb2.ACCESS_LEVEL_READ)) == everything
    )
    assert listed(served, served.user("hubot")) == ["internal 1", "public 1"]
    cut = served.user(
        "cut", "octocat/private", access_pb2.ACCESS_LEVEL_READ, repositories=["octocat/other"]
    )
    assert listed(served, cut) == ["public 1"]
    builds = served.builds("")
    assert code_of(builds.ListBuilds, pb.ListBuildsRequest()) == grpc.StatusCode.UNAUTHENTICATED


def test_what_narrows_them(served: Shipliftd) -> None:
    one, other = made(served, "one"), made(served, "other")
    one.record(status=SUCCESS)
    other.record(status=RUNNING, event=pb.BUILD_EVENT_TAG)
    one.promote(1)
    assert listed(served, statuses=[PENDING, RUNNING]) == ["one 2", "other 1"]
    assert listed(served, statuses=[PENDING]) == ["one 2"]
    assert listed(served, statuses=[PENDING, SUCCESS]) == ["one 2", "one 1"]
    assert listed(served, events=[pb.BUILD_EVENT_TAG, pb.BUILD_EVENT_PUSH]) == ["other 1", "one 1"]
    assert listed(served, events=[pb.BUILD_EVENT_TAG], statuses=[PENDING]) == []
    assert listed(served, environment="production") == ["one 2"]
    assert listed(served, environment="staging") == []
    assert listed(served, trigger="admin", events=[pb.BUILD_EVENT_PROMOTE]) == ["one 2"]
    assert listed(served, trigger="mona") == []
    newest = one.get(2).created
    assert listed(served, created_after=newest)[0] == "one 2"
    assert "one 2" not in listed(served, created_before=newest)
    wrong: dict[str, object] = {
        "commit": "a" * 40,
        "release": "v1",
        "external_id": "1",
        "ref": "refs/heads/main",
        "origin": 1,
        "parent": 1,
        "skip": 1,
    }
    request = pb.ListBuildsRequest(**wrong)  # type: ignore[arg-type]
    told = "goes with owner and repo: name them, or leave it out"
    assert refusal(served.builds().ListBuilds, request) == invalid(*((field, told) for field in wrong))
    # Half a name is no name.
    for request in (pb.ListBuildsRequest(owner="octocat"), pb.ListBuildsRequest(repo="one")):
        assert code_of(served.builds().ListBuilds, request) == grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("statuses", [(), (PENDING,), (PENDING, SUCCESS)])
def test_pages_go_on_where_they_ended(served: Shipliftd, statuses: tuple[pb.BuildStatus, ...]) -> None:
    one, other = made(served, "one"), made(served, "other")
    for _ in range(5):
        one.record()
        other.record()
    request, found = pb.ListBuildsRequest(page_size=3, statuses=statuses), []
    for _ in range(5):
        answer = served.builds().ListBuilds(request)
        found += [f"{build.repo} {build.number}" for build in answer.builds]
        request.page_token = answer.next_page_token
        if not request.page_token:
            break
        # What comes meanwhile shifts nothing.
        one.record()
    assert found == [f"{name} {number}" for number in range(5, 0, -1) for name in ("other", "one")]


@pytest.mark.sqlite
def test_a_page_looks_at_what_has_not_ended_alone(served: Shipliftd) -> None:
    made(served, "one").record()
    query = (
        "EXPLAIN QUERY PLAN SELECT * FROM builds WHERE (repo_id + 0) IN (SELECT id FROM repositories)"
        " AND status IN ('pending')"
        " AND status IN ('blocked', 'waiting_on_dependencies', 'pending', 'running')"
        " AND id < 5 ORDER BY id DESC LIMIT 10"
    )
    assert "USING INDEX builds_unended (id<?)" in stored(served, query)[0][3]


@pytest.mark.sqlite
@pytest.mark.parametrize(
    "more", ["deploy_to = 'production' AND parent > 0", "trigger = 'mona'", "created + 0 < 5"]
)
def test_other_filters_look_at_a_range_of_ids(served: Shipliftd, more: str) -> None:
    query = (
        "EXPLAIN QUERY PLAN SELECT * FROM builds WHERE (repo_id + 0) IN (SELECT id FROM repositories)"
        f" AND {more} AND id < 90000 AND id >= 40000 ORDER BY id DESC LIMIT 10"
    )
    assert "USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)" in stored(served, query)[0][3]
