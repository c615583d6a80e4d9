"""Which build a word on the command line names."""

import re
from collections.abc import Iterator

from shiplift import Client, ShipliftError
from shiplift._methods import BuildEventWord
from shiplift.cli.output import first_line, when, word
from shiplift.cli.session import UnresolvedError, UsageError
from shiplift.v1 import builds_pb2 as pb

# A promotion has the commit and the release of what it promotes; names mean what was recorded.
_RECORDED: tuple[BuildEventWord, ...] = ("push", "pull_request", "tag", "cron", "custom")
_COMMIT = re.compile(r"[0-9A-Fa-f]{7,64}")
_HIGHEST = 2**31 - 1
_MOST_LISTED = 10


def number_of(client: Client, owner: str, repo: str, name: str) -> int:
    """The number of the build that is called this: a number, else a release, external id or commit.

    Digits are a number first; seven or more that no build has may be a commit or an external id.
    Raises UnresolvedError when it fits no recorded build, or several; UsageError when it is empty.
    """
    if not name:
        raise UsageError("which build? Say its number, release, external id or commit")
    if name.isascii() and name.isdigit() and int(name) <= _HIGHEST:
        number = int(name)
        if len(name) < 7 or _is_there(client, owner, repo, number):
            return number
    found = {build.number: build for build in _named(client, owner, repo, name)}
    if len(found) == 1:
        return next(iter(found))
    if not found:
        raise UnresolvedError(
            f"{owner}/{repo} has no build {name!r}: no number, release, external id or commit (7 digits or"
            " more) is that"
        )
    shown = sorted(found.values(), key=lambda build: -build.number)[:_MOST_LISTED]
    more = ["  ..."] if len(found) > len(shown) else []
    lines = "\n".join([*map(_line, shown), *more])
    raise UnresolvedError(f"{name!r} names several builds of {owner}/{repo}; say the number:\n{lines}")


def _is_there(client: Client, owner: str, repo: str, number: int) -> bool:
    try:
        client.get_build(owner=owner, repo=repo, build=number)
    except ShipliftError as error:
        if error.reason == "BUILD_NOT_FOUND":
            return False
        raise
    return True


def _named(client: Client, owner: str, repo: str, name: str) -> Iterator[pb.Build]:
    # One more than is shown, so as to know that there are more. The server refuses longer names.
    if len(name) <= 100:
        yield from client.list_builds(
            owner=owner, repo=repo, events=_RECORDED, release=name, page_size=_MOST_LISTED + 1
        ).builds
    if len(name) <= 200:
        yield from client.list_builds(owner=owner, repo=repo, events=_RECORDED, external_id=name).builds
    if _COMMIT.fullmatch(name):
        yield from client.list_builds(
            owner=owner, repo=repo, events=_RECORDED, commit=name.lower(), page_size=_MOST_LISTED + 1
        ).builds


def _line(build: pb.Build) -> str:
    parts = (
        str(build.number),
        word(pb.BuildEvent, build.event),
        word(pb.BuildStatus, build.status),
        build.release,
        build.after[:12],
        build.target,
        build.external_id,
        when(build, "created"),
        first_line(build.message)[:60],
    )
    return "  " + "  ".join(part for part in parts if part)
