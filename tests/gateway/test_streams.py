"""Server-sent events: builds as they move and lines as they come, and where a browser comes back."""

import pytest
from shiplift.v1 import access_pb2

from tests.support.events import Event, events
from tests.support.gateway import Caller
from tests.support.repository import Repository
from tests.support.staged import PENDING, RUNNING, SUCCESS, Staged


def path_of(repository: Repository) -> str:
    return f"/api/repos/{repository.slug}/stream"


def number_of(event: Event) -> int:
    """The build of a change."""
    found: int = event.data["change"]["build"]
    return found


@pytest.fixture
def staged(repository: Repository) -> Staged:
    """A repository of the test's own with its runner."""
    return Staged.of(repository)


def test_builds_are_told_as_they_move_and_from_an_id_on(repository: Repository, caller: Caller) -> None:
    repository.record(status=PENDING)
    with events(caller, path_of(repository)) as stream:
        assert (stream.status, stream.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        assert (stream.headers["cache-control"], stream.headers["x-accel-buffering"]) == ("no-store", "no")
        found = iter(stream)
        snapshot, end = next(found), next(found)
        assert (snapshot.id, snapshot.data["snapshot"]["number"]) == ("", 1)
        assert end.data == {"cursor": end.id, "snapshotEnd": {}}
        repository.report(1, SUCCESS)
        stage, build = next(found), next(found)
    assert stage.data["change"]["movedStage"]["status"] == "BUILD_STATUS_SUCCESS"
    assert build.data["change"]["movedBuild"]["status"] == "BUILD_STATUS_SUCCESS"
    assert build.data["cursor"] == build.id
    repository.record(status=SUCCESS)
    for last, expected in ((end.id, [1, 1, 2]), (stage.id, [1, 2]), (build.id, [2])):
        with events(caller, path_of(repository), last) as stream:
            found = iter(stream)
            assert next(found) == Event(last, None)
            assert [number_of(next(found)) for _ in expected] == expected
    with events(caller, f"{path_of(repository)}?cursor={build.id}") as stream:
        found = iter(stream)
        assert next(found).data is None
        assert number_of(next(found)) == 2


def test_all_repositories_and_filters(repository: Repository, caller: Caller) -> None:
    with (
        events(caller, "/api/stream?event=promote,rollback&environment=production") as everywhere,
        events(caller, f"/api/stream/{repository.slug}?build=1") as one,
    ):
        all_of_it = iter(everywhere)
        while "snapshotEnd" not in next(all_of_it).data:
            pass
        assert one.status == 404
    repository.record(status=SUCCESS)
    with events(caller, f"/api/stream/{repository.slug}?build=1") as one:
        assert next(iter(one)).data["snapshot"]["number"] == 1
    repository.promote(1, "staging")
    repository.promote(1, "production")
    with events(caller, "/api/stream?event=promote,rollback&environment=production") as everywhere:
        builds = []
        for event in everywhere:
            if "snapshotEnd" in event.data:
                break
            builds.append(event.data["snapshot"])
    assert [build["number"] for build in builds if build["repo"] == repository.name] == [3]


def test_what_is_wrong_is_said_before_the_first_event(repository: Repository, caller: Caller) -> None:
    path = path_of(repository)
    known = "push,pull_request,tag,cron,custom,promote,rollback"
    for query, told in (
        ("?a=b", "'a' is no filter of a stream: there are build, environment, event, cursor"),
        ("?event=merge", f"event: 'merge' is none: wanted some of {known}"),
        ("?build=x", "build: 'x' is not a build's number"),
        ("?cursor=yesterday", "cursor: 'yesterday' is not one that a watch has told"),
    ):
        answer = caller.get(path + query)
        assert (answer.status, answer.json["message"]) == (400, told)
    assert caller.get("/api/repos/octocat/none-such/stream").status == 404
    assert caller.having("").get("/api/stream").status == 401
    assert caller.post(path).status == 405
    assert caller.get(f"{path}?cursor=00000000-1").status == 400


def test_a_browser_whose_id_is_too_old_begins_anew(repository: Repository, caller: Caller) -> None:
    repository.record(status=PENDING)
    with events(caller, path_of(repository), "00000000-1") as stream:
        assert next(iter(stream)).data["snapshot"]["number"] == 1


def test_the_token_may_stand_in_the_query(repository: Repository, caller: Caller) -> None:
    path = f"{path_of(repository)}?access_token={caller.token}"
    with events(caller.having(""), path) as stream:
        assert "snapshotEnd" in next(iter(stream)).data


def test_a_stream_ends_with_the_access_of_its_caller(repository: Repository, caller: Caller) -> None:
    access = repository.server.access()
    token = access.CreateToken(access_pb2.CreateTokenRequest(name=f"of {repository.name}"))
    with events(caller.having(token.secret), path_of(repository)) as stream:
        found = iter(stream)
        assert "snapshotEnd" in next(found).data
        access.RevokeToken(access_pb2.RevokeTokenRequest(id=token.id))
        assert list(found) == []


def test_the_lines_of_a_step_are_told_to_its_end(staged: Staged, caller: Caller) -> None:
    (step,) = staged.stepping("only")
    staged.runner.append(step.id, 0, "one\n", "two\n")
    build = staged.repository.page(page_size=1).builds[0].number
    for path in (
        f"/api/repos/{staged.repository.slug}/builds/{build}/logs/1/1/stream",
        f"/api/stream/{staged.repository.slug}/{build}/1/1",
    ):
        with events(caller, path, "0") as stream:
            found = iter(stream)
            assert next(found) == Event("1", {"pos": 1, "out": "two\n", "time": 1})
    path = f"/api/repos/{staged.repository.slug}/builds/{build}/logs/1/1/stream"
    with events(caller, path) as stream:
        found = iter(stream)
        assert [next(found).data["out"] for _ in range(2)] == ["one\n", "two\n"]
        staged.runner.append(step.id, 2, "three\n")
        assert next(found) == Event("2", {"pos": 2, "out": "three\n", "time": 2})
        staged.runner.report_step(step.id, SUCCESS)
        staged.runner.report(step.stage_id, SUCCESS)
        assert list(found) == []
    # Who comes back after the end is told not to.
    with events(caller, path, "2") as stream:
        assert (stream.status, stream.body()) == (204, b"")
    assert staged.repository.get(build).status != RUNNING
