"""Which build a name means: a number, else a release, an external id or a commit. Pure."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import grpc

from shiplift.errors import NotFound, SeveralBuilds
from shiplift.v1 import builds_pb2 as pb

# A promotion has the commit and the release of what it promotes; names mean what was recorded.
_RECORDED = (
    pb.BUILD_EVENT_PUSH,
    pb.BUILD_EVENT_PULL_REQUEST,
    pb.BUILD_EVENT_TAG,
    pb.BUILD_EVENT_CRON,
    pb.BUILD_EVENT_CUSTOM,
)
_COMMIT = re.compile(r"[0-9A-Fa-f]{7,64}")
_COMMIT_DIGITS = 7
_HIGHEST = 2**31 - 1
_MOST_LISTED = 10
# What the server takes.
_MOST_RELEASE, _MOST_EXTERNAL_ID = 100, 200


class Name(NamedTuple):
    """A name, and where the build is looked for that is called this."""

    owner: str
    repo: str
    text: str

    @property
    def number(self) -> int | None:
        """The number that it is, if it is one."""
        if self.text.isascii() and self.text.isdigit() and int(self.text) <= _HIGHEST:
            return int(self.text)
        return None

    @property
    def is_number_alone(self) -> bool:
        """Whether it can be nothing but a number: it is too short for a commit."""
        return self.number is not None and len(self.text) < _COMMIT_DIGITS

    def lists(self) -> Iterator[pb.ListBuildsRequest]:
        """What lists the builds that are called this."""
        # One more than is told, so as to know that there are more.
        where = pb.ListBuildsRequest(
            owner=self.owner, repo=self.repo, events=_RECORDED, page_size=_MOST_LISTED + 1
        )
        if len(self.text) <= _MOST_RELEASE:
            yield _with(where, pb.ListBuildsRequest(release=self.text))
        if len(self.text) <= _MOST_EXTERNAL_ID:
            yield _with(where, pb.ListBuildsRequest(external_id=self.text))
        if _COMMIT.fullmatch(self.text):
            yield _with(where, pb.ListBuildsRequest(commit=self.text.lower()))

    def only(self, found: Iterable[pb.Build]) -> int:
        """The number of the one build that was found. Raises NotFound, SeveralBuilds."""
        builds = {build.number: build for build in found}
        if len(builds) == 1:
            return next(iter(builds))
        slug = f"{self.owner}/{self.repo}"
        if not builds:
            raise NotFound(
                grpc.StatusCode.NOT_FOUND,
                f"{slug} has no build {self.text!r}: no number, release, external id or commit"
                f" ({_COMMIT_DIGITS} digits or more) is that",
                reason="BUILD_NOT_FOUND",
            )
        raise SeveralBuilds(
            f"{self.text!r} names several builds of {slug}; say the number",
            sorted(builds.values(), key=lambda build: -build.number),
        )


def name_of(owner: str, repo: str, text: str) -> Name:
    """The name. Raises ValueError when it is empty."""
    if not text:
        raise ValueError("which build? Say its number, release, external id or commit")
    return Name(owner, repo, text)


def _with(where: pb.ListBuildsRequest, more: pb.ListBuildsRequest) -> pb.ListBuildsRequest:
    more.MergeFrom(where)
    return more
