"""Drone's routes over HTTP: builds listed, shown and recorded."""

import pytest
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb

from tests.support.gateway import Caller
from tests.support.repository import Repository


def path(repository: Repository, rest: str = "") -> str:
    """The repository's builds."""
    return f"/api/repos/{repository.slug}/builds{rest}"


def numbers(caller: Caller, repository: Repository, **query: object) -> list[int]:
    """The numbers on a page."""
    answer = caller.get(path(repository), **query)
    assert answer.status == 200
    return [build["number"] for build in answer.json]


@pytest.fixture
def many(repository: Repository) -> Repository:
    """A repository with 30 builds."""
    for _ in range(30):
        repository.record()
    return repository


def test_an_rpc_that_waits_is_reached_over_http(caller: Caller, repository: Repository) -> None:
    repository.record(status=pb.BUILD_STATUS_SUCCESS)
    named = {"owner": repository.owner, "repo": repository.name, "build": 1}
    waited = caller.rpc("BuildService/WaitBuild", **named, seenVersion=2147483647)
    assert (waited.status, waited.json) == (200, caller.rpc("BuildService/GetBuild", **named).json)


@pytest.mark.parametrize("place", ["0/0", "1/0", "0/1"])
def test_drones_log_is_one_steps(caller: Caller, repository: Repository, place: str) -> None:
    repository.record()
    zeros = [name for name, at in zip(("stage", "step"), place.split("/"), strict=True) if at == "0"]
    answer = caller.get(path(repository, f"/1/logs/{place}"))
    told = "; ".join(f"{name}: is 0: wanted 1 or above" for name in zeros)
    assert (answer.status, answer.json) == (400, {"message": told, "code": "INVALID_ARGUMENT"})


# Lists.


def test_a_list_has_the_newest_build_first_and_no_stages(caller: Caller, repository: Repository) -> None:
    repository.record(params={"A": "1"}, stages=[pb.StageSpec(name="one")])
    repository.promote(1, params={"B": "2"})
    expected = []
    for number in (2, 1):
        build = caller.get(path(repository, f"/{number}")).json
        del build["stages"], build["params"]
        expected.append(build)
    answer = caller.get(path(repository))
    assert (answer.status, answer.json) == (200, expected)


def test_a_list_is_paged(caller: Caller, many: Repository) -> None:
    assert numbers(caller, many) == [*range(30, 5, -1)]
    assert numbers(caller, many, page=1) == [*range(30, 5, -1)]
    assert numbers(caller, many, page=2) == [*range(5, 0, -1)]
    assert numbers(caller, many, page=2, per_page=7) == [*range(23, 16, -1)]
    assert numbers(caller, many, per_page=1) == [30]
    assert numbers(caller, many, per_page=100) == [*range(30, 0, -1)]
    assert numbers(caller, many, page=5, per_page=7) == [2, 1]


def test_what_is_no_page_is_the_first_one_and_what_is_no_size_is_25(
    caller: Caller, many: Repository
) -> None:
    for size in ("0", "101", "-1", "", "x", "1e1", "+7", "7.0", "\u0667", "9" * 50):
        assert numbers(caller, many, per_page=size) == [*range(30, 5, -1)]
    for page in ("0", "-1", "", "x", "1.5", "9" * 50):
        assert numbers(caller, many, page=page) == [*range(30, 5, -1)]


def test_beyond_the_end_there_is_nothing(caller: Caller, many: Repository) -> None:
    for page in (3, 100, 40_000):
        answer = caller.get(path(many), page=page)
        assert (answer.status, answer.body) == (200, b"[]")
    assert caller.get(path(many), page=10_002, per_page=100).told == (
        400,
        "page: 10002 is past build 1000000: page through ListBuilds instead",
    )


def test_a_page_holds_builds_of_any_size(caller: Caller, repository: Repository) -> None:
    # An rpc's page ends at 1 MiB.
    for _ in range(40):
        repository.record(message="x" * 60_000)
    assert numbers(caller, repository, per_page=35) == [*range(40, 5, -1)]
    assert numbers(caller, repository, per_page=35, page=2) == [*range(5, 0, -1)]


def test_a_repository_without_builds_has_an_empty_list(caller: Caller, repository: Repository) -> None:
    answer = caller.get(path(repository))
    assert (answer.status, answer.body) == (200, b"[]")


# The latest.


def test_the_latest_build_is_that_of_the_default_branch_or_of_the_one_that_is_named(
    caller: Caller, repository: Repository
) -> None:
    repository.record(ref="refs/heads/main")
    repository.record(ref="refs/heads/feature/1")
    repository.record(ref="refs/tags/main")
    repository.record(ref="refs/pull/1/head", source="main")
    latest = caller.get(path(repository, "/latest"))
    assert (latest.status, latest.json) == (200, caller.get(path(repository, "/1")).json)
    assert latest.json["stages"][0]["name"] == "default"
    # The CLI sends the key when it was told of none, too.
    assert caller.get(path(repository, "/latest"), branch="").json["number"] == 1
    assert caller.get(path(repository, "/latest"), branch="feature/1").json["number"] == 2


def test_where_the_default_branch_has_no_build_the_latest_is_the_newest_of_all(
    caller: Caller, repository: Repository
) -> None:
    assert caller.get(path(repository, "/latest")).told == (404, "no build is recorded yet")
    repository.record(ref="refs/heads/dev")
    repository.record(ref="refs/tags/v1")
    assert caller.get(path(repository, "/latest")).json["number"] == 2
    assert caller.get(path(repository, "/latest"), branch="main").status == 404


def test_a_promotion_counts_as_a_build_of_its_branch(caller: Caller, repository: Repository) -> None:
    repository.record(ref="refs/heads/main")
    repository.promote(1)
    latest = caller.get(path(repository, "/latest")).json
    assert (latest["number"], latest["event"], latest["parent"]) == (2, "promote", 1)


def test_a_branch_without_builds_has_no_latest_one(caller: Caller, repository: Repository) -> None:
    repository.record(ref="refs/heads/main")
    assert caller.get(path(repository, "/latest"), branch="dev").told == (
        404,
        "no build of the branch 'dev' is recorded",
    )
    assert caller.get(path(repository, "/latest"), branch="x" * 600).status == 400


# Asking for builds; `test_asked.py` has more of them.


def test_what_cannot_be_recorded_is_not(caller: Caller, repository: Repository) -> None:
    commit = caller.post(path(repository), {"commit": "x"})
    assert commit.told == (
        400,
        "after: 'x' is not a commit: wanted at most 64 hexadecimal digits",
    )
    name = caller.post(path(repository), {"PATH": "x"})
    assert name.told == (
        400,
        "params['PATH']: this name is refused, because a runner, a shell or a language obeys it: choose"
        " another",
    )
    assert repository.numbers() == []


def test_who_may_not_record_is_told_why(caller: Caller, repository: Repository) -> None:
    slug = repository.slug
    reader = repository.of(f"reader-{repository.name}", access_pb2.ACCESS_LEVEL_READ).token or ""
    outsider = repository.of(f"outsider-{repository.name}").token or ""
    assert caller.having(reader).post(path(repository)).told == (
        403,
        f"CreateBuild needs write on {slug}; reader-{repository.name} has read: an admin of the"
        " repository can grant it",
    )
    hidden = (404, f"repository {slug} not found: it does not exist, or you may not read it")
    assert caller.having(outsider).post(path(repository)).told == hidden
    assert caller.having("").post(path(repository)).status == 401
    for who in (outsider, ""):
        for rest in ("", "/1", "/latest"):
            assert caller.having(who).get(path(repository, rest)).status == (404 if who else 401)
