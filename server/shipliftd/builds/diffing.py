"""What a promotion changes in its environment: what is there, what would come, and what lies between."""

import json
import re
from typing import NamedTuple
from urllib.parse import urlsplit

from peewee import SQL, Field, Function, Select, Value, fn
from shiplift.v1 import builds_pb2 as pb

from shipliftd import builds, environments
from shipliftd.access.callers import Caller
from shipliftd.errors import Invalid
from shipliftd.fields import Faults
from shipliftd.store.compiled import Compiled, arg
from shipliftd.store.models import Build, Repository
from shipliftd.store.rows import BuildRow
from shipliftd.store.transaction import Reader

_MOST_BETWEEN = 50
# So many numbers are looked at, whatever they are of.
_MOST_LOOKED_AT = 5000
_MOST_MESSAGE = 1000
_HEX = re.compile(r"[0-9a-f]{7,64}")


def _between(*columns: Field | Function | Value) -> Select:
    """The builds recorded of a branch between two numbers."""
    return Build.select(*columns).where(
        Build.repo == arg(0),
        Build.number > arg(1),
        Build.number <= arg(2),
        Build.target == arg(3),
        # A sum, or an index of what was recorded is taken, in which they are not in their order.
        Build.parent + 0 == SQL("0"),
        Build.event != "pull_request",
    )


_LEFT_OUT = {Build.params: "{}", Build.artifacts: "[]", Build.verdicts: "[]"}
_COLUMNS = [Value(_LEFT_OUT[field]) if field in _LEFT_OUT else field for field in Build._meta.sorted_fields]
_COUNT = Compiled(_between(fn.COUNT(SQL("1"))))
_NEWEST = Compiled(_between(*_COLUMNS).order_by(Build.number.desc()).limit(_MOST_BETWEEN))

Part = tuple[str, str, str]


class ParameterChange(NamedTuple):
    """A parameter's values, None where it has none; of one that is masked they are empty."""

    name: str
    before: str | None
    after: str | None
    is_masked: bool


class Diff(NamedTuple):
    """What a promotion changes."""

    current: BuildRow | None
    build: BuildRow
    compare_link: str
    is_backwards: bool
    builds: list[BuildRow]
    more_builds: int
    params: list[ParameterChange]
    # Name, before and after; None where there is none.
    artifacts: list[tuple[str, Part | None, Part | None]]


def promoted(reader: Reader, caller: Caller, request: pb.PromoteRequest) -> BuildRow:
    """The promotion that a request without a target is about. Raises Invalid, NotFound."""
    faults = Faults()
    faults.positive("build", request.build)
    for field in ("params", "drop_params", "overrides"):
        if getattr(request, field):
            faults.add(field, "goes with target: a promotion has what it was made with")
    faults.refuse()
    build = builds.find(reader, caller.repo_id, request.build)
    if build is None:
        raise builds.not_found(caller, request.build)
    if not build.deploy_to:
        told = (
            f"is empty, and build {build.number} is no promotion: name the environment that it is to go to"
        )
        raise Invalid([("target", told)])
    return build


def diff(reader: Reader, build: BuildRow) -> Diff:
    """What a promotion, stored or not, changes where it goes."""
    number = environments.current_number(reader, build.repo_id, build.deploy_to)
    # What was there may have been removed since.
    current = builds.find(reader, build.repo_id, number) if number else None
    if current is None:
        return Diff(None, build, "", False, [], 0, _params(None, build), _artifacts("[]", build.artifacts))
    is_backwards = build.origin < current.origin
    older, newer = (build, current) if is_backwards else (current, build)
    span = (build.repo_id, max(older.origin, newer.origin - _MOST_LOOKED_AT), newer.origin, newer.target)
    rows = [BuildRow._make(row) for row in _NEWEST.run(reader, *span).fetchall()]
    return Diff(
        current=current,
        build=build,
        compare_link=_compare_link(reader.by_id(Repository, build.repo_id), older.after, newer.after),
        is_backwards=is_backwards,
        builds=[row._replace(message=row.message[:_MOST_MESSAGE]) for row in rows],
        more_builds=_COUNT.one(reader, *span)[0] - len(rows) if len(rows) == _MOST_BETWEEN else 0,
        params=_params(current, build),
        artifacts=_artifacts(current.artifacts, build.artifacts),
    )


def _params(before: BuildRow | None, after: BuildRow) -> list[ParameterChange]:
    was, masked = ({}, set[str]()) if before is None else _params_of(before)
    will, masked_then = _params_of(after)
    masked |= masked_then
    return [
        ParameterChange(name, was.get(name), will.get(name), name in masked)
        for name in sorted(was.keys() | will.keys())
        # Whether a secret one changes nobody can tell.
        if was.get(name) != will.get(name) or name in masked
    ]


def _params_of(build: BuildRow) -> tuple[dict[str, str], set[str]]:
    """The parameters, and the names of the secret ones, which are empty."""
    names = json.loads(build.sealed_params)
    return {**json.loads(build.params), **dict.fromkeys(names, "")}, set(names)


def _artifacts(before: str, after: str) -> list[tuple[str, Part | None, Part | None]]:
    was, will = ({part[0]: part for part in json.loads(text)} for text in (before, after))
    names = sorted(was.keys() | will.keys())
    return [(name, was.get(name), will.get(name)) for name in names if was.get(name) != will.get(name)]


def _compare_link(repository: Repository, older: str, newer: str) -> str:
    """The page of the repository's host that compares two commits; '' where that is not known."""
    link = repository.link.rstrip("/") or repository.git_http_url.rstrip("/").removesuffix(".git")
    if older == newer or not _HEX.fullmatch(older) or not _HEX.fullmatch(newer):
        return ""
    try:
        url = urlsplit(link)
    except ValueError:
        return ""
    host = url.hostname or ""
    if url.scheme not in ("http", "https") or not host:
        return ""
    # By its name where that says it, for most are registered as `git`.
    kind = repository.scm.lower()
    names = (kind, *host.split("."))
    if "bitbucket" in names:
        return f"{link}/branches/compare/{newer}..{older}" if host == "bitbucket.org" else ""
    if "gitlab" in names:
        return f"{link}/-/compare/{older}...{newer}"
    if {"github", "gitea", "forgejo", "gogs", "codeberg"}.intersection(names):
        return f"{link}/compare/{older}...{newer}"
    return ""
