"""What is remembered of builds that lists had."""

from typing import Any

import pytest
from shiplift.v1 import builds_pb2 as pb
from shipliftd.api import listed
from shipliftd.api.listed import ListedBuilds
from shipliftd.builds.listing import Version
from shipliftd.store.rows import BuildRow

ROW = BuildRow._make(
    0 if kind is int else False if kind is bool else "" for kind in BuildRow.__annotations__.values()
)


def row(number: int, **fields: Any) -> BuildRow:  # noqa: ANN401  # fields of any kind
    """A build of octocat/app."""
    known = {"version": 1, "updated": 1000, "status": "pending", "event": "push", "artifacts": "[]"}
    return ROW._replace(**{"id": number, "number": number, **known, **fields})


def version(row: BuildRow) -> Version:
    """What a list asks for."""
    return Version(row.id, row.version, row.updated, row.number)


def test_builds_one_after_the_other_are_a_page() -> None:
    made = ListedBuilds()
    joined = b"".join(made.made(row(number), "octocat", "app")[1] for number in (7, 3))
    page = pb.ListBuildsResponse.FromString(joined)
    assert [(build.number, build.owner, build.repo) for build in page.builds] == [
        (7, "octocat", "app"),
        (3, "octocat", "app"),
    ]


def test_a_build_is_known_in_its_version_and_under_its_names_alone() -> None:
    made, first = ListedBuilds(), row(1)
    of_it = made.made(first, "octocat", "app")
    assert made.known([version(first)], "octocat", "app") == [of_it]
    assert made.known([version(first)], "octocat", "other") is None
    assert made.known([version(first)], "spaceghost", "app") is None
    assert made.known([version(first)._replace(version=2)], "octocat", "app") is None
    assert made.known([version(first)._replace(updated=1001)], "octocat", "app") is None
    assert made.known([version(first), version(row(2))], "octocat", "app") is None
    later = made.made(first._replace(version=2, status="running"), "octocat", "app")
    assert later != of_it
    assert made.known([version(first)], "octocat", "app") == [of_it]


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listed, "_MOST_REMEMBERED", 3)
    made = ListedBuilds()
    rows = [row(number) for number in range(1, 5)]

    def known() -> list[int]:
        return [each.number for each in rows if made.known([version(each)], "octocat", "app")]

    for each in rows[:3]:
        made.made(each, "octocat", "app")
    assert known() == [1, 2, 3]
    made.made(rows[3], "octocat", "app")
    assert known() == [4]
    # It would be as much as thousands of others.
    long = row(9, message="x" * 4096)
    assert len(made.made(long, "octocat", "app")[1]) > 4096
    assert made.known([version(long)], "octocat", "app") is None
    assert known() == [4]
