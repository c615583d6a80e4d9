"""ListBuilds by time: the half-open time from `created_after` to before `created_before`."""

import random

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb
from shipliftd.store.models import Build

from tests.support.harness import Shipliftd
from tests.support.repository import Repository
from tests.support.staged import stored

# What is not looked at by a page of a filter that no index serves.
MOST_LOOKED_AT = 50_000


def at(milliseconds: int) -> Timestamp:
    return Timestamp(seconds=milliseconds // 1000, nanos=milliseconds % 1000 * 1_000_000)


def everything(served: Shipliftd, **fields: object) -> list[tuple[str, int]]:
    """Repository and number of each build of the list, page by page."""
    request = pb.ListBuildsRequest(page_size=2, **fields)  # type: ignore[arg-type]
    found: list[tuple[str, int]] = []
    for _ in range(100):
        answer = served.builds().ListBuilds(request)
        found += [(build.repo, build.number) for build in answer.builds]
        request.page_token = answer.next_page_token
        if not request.page_token:
            return found
    raise AssertionError("the list has no end")


def test_a_time_is_half_open_whatever_clocks_did(own_server: Shipliftd) -> None:
    chance = random.Random(14)
    repositories = [Repository.make(own_server, "octocat", name) for name in ("one", "other")]
    # Newest first; neither ids nor numbers go by time.
    builds: list[tuple[str, int, int, str]] = []
    for _ in range(30):
        where = chance.choice(repositories)
        made = where.record(number=sum(name == where.name for name, *_ in builds) * 3 + 1)
        environment = ""
        if chance.random() < 0.5:
            created = chance.randrange(1000, 1020)
            stored(own_server, "UPDATE builds SET created = ? WHERE id = ?", created, made.id)
            builds.insert(0, (where.name, made.number, created, ""))
            made = where.promote(made.number, environment := chance.choice(["staging", "production"]))
        created = chance.randrange(1000, 1020)
        stored(own_server, "UPDATE builds SET created = ? WHERE id = ?", created, made.id)
        builds.insert(0, (where.name, made.number, created, environment))
    for _ in range(60):
        after, before = chance.randrange(995, 1022), chance.randrange(995, 1025)
        environment = chance.choice(["", "production"])
        repo = chance.choice(["", "one"])
        expected = [
            (name, number)
            for name, number, created, place in builds
            if after <= created < before and environment in ("", place) and repo in ("", name)
        ]
        fields: dict[str, object] = {"created_after": at(after), "created_before": at(before)}
        fields |= {"environment": environment, "owner": "octocat" if repo else "", "repo": repo}
        assert everything(own_server, **fields) == expected, fields


def test_each_bound_goes_alone(own_server: Shipliftd) -> None:
    repository = Repository.make(own_server, "octocat", "one")
    for created in (10, 20, 30):
        made = repository.record()
        stored(own_server, "UPDATE builds SET created = ? WHERE id = ?", created, made.id)
    assert repository.numbers(created_after=at(20)) == [3, 2]
    assert repository.numbers(created_before=at(20)) == [1]
    assert repository.numbers(created_after=Timestamp(nanos=20_000_001)) == [3]
    assert repository.numbers(created_before=Timestamp(nanos=20_000_001)) == [2, 1]
    assert everything(own_server, created_after=at(31)) == []
    assert everything(own_server, created_before=at(10)) == []


def test_what_went_where_by_whom_in_a_time(own_server: Shipliftd) -> None:
    one, other = (Repository.make(own_server, "octocat", name) for name in ("one", "other"))
    mona = one.of("mona", access_pb2.ACCESS_LEVEL_WRITE)
    one.record()
    other.record()
    since = mona.promote(1, "production").created
    one.promote(1, "production")
    other.promote(1, "staging")
    fields: dict[str, object] = {"created_after": since, "environment": "production"}
    assert everything(own_server, **fields) == [("one", 3), ("one", 2)]
    assert everything(own_server, **fields, trigger="mona") == [("one", 2)]
    assert everything(own_server, **fields, trigger="mona", created_before=since) == []


@pytest.mark.parametrize("of", [{}, {"owner": "octocat", "repo": "one"}], ids=["all", "one"])
def test_of_a_time_with_many_builds_none_is_left_out(own_server: Shipliftd, of: dict[str, str]) -> None:
    repository = Repository.make(own_server, "octocat", "one")
    mona = repository.of("mona", access_pb2.ACCESS_LEVEL_WRITE)
    first = mona.record()
    template = repository.record()
    columns = [f'"{field.column_name}"' for field in Build._meta.sorted_fields]
    names = ", ".join(columns)
    selected = names.replace('"id"', "id + n").replace('"number"', "number + n")
    stored(
        own_server,
        f"INSERT INTO builds ({names}) SELECT {selected} FROM builds,"  # of the schema
        " (WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < ?)"
        " SELECT n FROM counted) AS counted WHERE id = ?",
        MOST_LOOKED_AT,
        template.id,
    )
    stored(own_server, "UPDATE repositories SET counter = ?", template.number + MOST_LOOKED_AT)
    fields: dict[str, object] = {"created_after": first.created, "trigger": "mona", **of}
    page = own_server.builds().ListBuilds(pb.ListBuildsRequest(**fields))  # type: ignore[arg-type]
    assert not page.builds
    assert page.next_page_token
    assert everything(own_server, **fields) == [("one", 1)]
    # Of a time with few the page is the last one.
    until = {"created_before": at(first.created.ToMilliseconds() + 1)}
    assert ("one", 1) in everything(own_server, **fields, **until)


@pytest.mark.sqlite
@pytest.mark.parametrize("more", ["", " AND created < 9"])
def test_where_the_builds_of_a_time_are_is_read_of_an_index_alone(own_server: Shipliftd, more: str) -> None:
    query = (
        "EXPLAIN QUERY PLAN SELECT count(1), min(s.id), max(s.id) FROM"
        f" (SELECT id, repo_id, number FROM builds WHERE created >= 5{more} LIMIT 50001) AS s"
    )
    assert "USING COVERING INDEX builds_created (created>?" in str(stored(own_server, query))
