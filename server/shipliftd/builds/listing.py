"""Lists of builds: a page of a repository's, or of all that may be read."""

import functools
from collections.abc import Callable, Collection, Iterator
from itertools import islice
from typing import Any, NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp
from peewee import SQL, Case, Field, Select, Value, fn
from shiplift.v1 import builds_pb2 as pb

from shipliftd.access.callers import Caller
from shipliftd.access.reach import visible
from shipliftd.builds.records import check_view
from shipliftd.enum_words import EVENT_WORD, STATUS_OF, STATUS_WORD
from shipliftd.fields import Faults
from shipliftd.store import pages
from shipliftd.store.compiled import Compiled, CompiledIn, arg
from shipliftd.store.models import (
    IS_UNENDED,
    UNENDED,
    Build,
    Repository,
    Stage,
    Step,
)
from shipliftd.store.rows import BuildRow, BuildWithStages, StageRow, StepRow
from shipliftd.store.transaction import Reader

# A list leaves parameters out, and they may be most of a build.
_LISTED = [Value("{}") if field is Build.params else field for field in Build._meta.sorted_fields]


class Version(NamedTuple):
    """A build at a moment: all that lists say of it is the same as long as these are."""

    id: int
    version: int
    # Beside the version, should an older state of the store be put back under a running server.
    updated: int
    number: int


def _newest(*columns: Field | Value) -> Compiled:
    """The newest builds of a repository, which most lists are of."""
    return Compiled(
        Build.select(*columns)
        .where(Build.repo == arg(0), Build.number < arg(1))
        .order_by(Build.number.desc())
        .limit(arg(2))
        .offset(arg(3))
    )


_NEWEST = _newest(*_LISTED)
_OF_IDS = CompiledIn(lambda ids: Build.select(*_LISTED).where(Build.id.in_(ids)))
_NEWEST_VERSIONS = _newest(Build.id, Build.version, Build.updated, Build.number)
# A page that is short is read on the loop: a thread and the way there and back cost more.
_OF_ANY_PAGE = frozenset({"owner", "repo", "page_size", "page_token", "skip", "view"})
_MOST_SHORT, _MOST_SHORT_SKIPPED = 100, 1000
_ABOVE_ALL = 2**31
_ABOVE_ALL_IDS = 2**63 - 1
_MOST_LOOKED_AT = 50_000
_UNENDED = frozenset(STATUS_OF[word] for word in UNENDED)
_IS_UNENDED = SQL(IS_UNENDED)
_MOST_WORDS = 20
# What is a repository's own, or no index serves over all of them.
_OF_A_REPOSITORY = ("commit", "release", "external_id", "ref", "origin", "parent", "skip")
_MOST_SKIPPED = 1_000_000
# So many builds' stages are read at once, at the most.
_MOST_AT_ONCE = 64


def page(
    reader: Reader, caller: Caller, request: pb.ListBuildsRequest
) -> tuple[Iterator[BuildRow], pages.Key | None]:
    """The builds of a page and one more, newest first, and where to go on when they run out.

    Of the caller's repository, by number; without one of all that may be read, by id. Filters that no
    index serves look at so many builds a page and no more. Raises Invalid.
    """
    most = pages.size(request.page_size)
    key = pages.after(reader, request, request.page_token)
    _check_skip(request)
    filters = _filters(caller.repo_id, request)
    lowest, highest = _span_of_time(reader, caller.repo_id, request)
    if not highest:
        return iter(()), None
    order = Build.number if caller.repo_id else Build.id
    mine = Build.repo == caller.repo_id if caller.repo_id else of_readable(caller)
    columns = [Build] if request.view == pb.BUILD_VIEW_FULL else _LISTED
    query = Build.select(*columns).where(mine, *filters)
    end: int | None = int(key[0]) if key is not None else None
    if highest < _ABOVE_ALL_IDS:
        end = min(end or _ABOVE_ALL_IDS, highest + 1)
    if end is not None:
        query = query.where(order < end)
    begin = 0
    if caller.repo_id:
        if not _is_indexed(request):
            begin = (end or 1 + reader.by_id(Repository, caller.repo_id).counter) - _MOST_LOOKED_AT
    elif request.statuses and _UNENDED.issuperset(request.statuses):
        # In the words of the partial index, or it is not used.
        query = query.where(_IS_UNENDED)
        begin = _last_unended(reader, end)
    else:
        begin = (end or 1 + (reader.scalar(Build.select(fn.MAX(Build.id))) or 0)) - _MOST_LOOKED_AT
    if max(begin, lowest) > 1:
        query = query.where(order >= max(begin, lowest))
    rows = reader.each(query.order_by(order.desc()).limit(most + 1).offset(request.skip))
    return map(BuildRow._make, rows), [begin] if begin > lowest else None


def is_short(request: pb.ListBuildsRequest) -> bool:
    """Whether a page is of a repository's newest builds and small: then `newest` reads it at once."""
    return (
        bool(request.repo)
        and 0 <= request.page_size <= _MOST_SHORT
        and 0 <= request.skip <= _MOST_SHORT_SKIPPED
        and request.view in (pb.BUILD_VIEW_UNSPECIFIED, pb.BUILD_VIEW_BASIC)
        and all(field.name in _OF_ANY_PAGE for field, _ in request.ListFields())
    )


def newest(reader: Reader, caller: Caller, request: pb.ListBuildsRequest) -> Iterator[BuildRow]:
    """The builds of a short page and one more, newest first. Raises Invalid."""
    return map(BuildRow._make, _run(_NEWEST, reader, caller, request))


def newest_versions(reader: Reader, caller: Caller, request: pb.ListBuildsRequest) -> list[Version]:
    """Which builds `newest` has: a seventh of its time. Raises Invalid."""
    return [*map(Version._make, _run(_NEWEST_VERSIONS, reader, caller, request))]


def _run(query: Compiled, reader: Reader, caller: Caller, request: pb.ListBuildsRequest) -> Any:  # noqa: ANN401
    key = pages.after(reader, request, request.page_token)
    end = int(key[0]) if key is not None else _ABOVE_ALL
    most = pages.size(request.page_size)
    return query.run(reader, caller.repo_id, end, most + 1, request.skip)


def listed_of(reader: Reader, ids: Collection[int]) -> dict[int, BuildRow]:
    """The builds of these ids that there are, without parameters."""
    return {row[0]: BuildRow._make(row) for row in _OF_IDS.rows(reader, [*ids])}


def whole(
    reader: Reader, rows: Iterator[BuildRow], names: Callable[[BuildRow], tuple[str, str]]
) -> Iterator[BuildWithStages]:
    """The builds of a page with their stages and steps.

    Read for more builds at a time as the page goes on, for a page can end with its first.
    """
    at_once = 1
    while some := list(islice(rows, at_once)):
        ids = [row.id for row in some]
        stages: dict[int, list[StageRow]] = {}
        query = Stage.select().where(Stage.build.in_(ids)).order_by(Stage.build, Stage.number)
        for stage in map(StageRow._make, reader.each(query)):
            stages.setdefault(stage.build_id, []).append(stage)
        found: dict[int, list[StepRow]] = {}
        of = {stage.id: stage.build_id for each in stages.values() for stage in each}
        begun = [row.id for row in some if row.status != "pending"]
        theirs = Step.select().join(Stage).where(Stage.build.in_(begun))
        for step in map(StepRow._make, reader.each(theirs.order_by(Step.stage, Step.number))):
            found.setdefault(of[step.stage_id], []).append(step)
        for row in some:
            yield BuildWithStages(
                row, *names(row), tuple(stages.get(row.id, ())), tuple(found.get(row.id, ()))
            )
        at_once = min(2 * at_once, _MOST_AT_ONCE)


def of_readable(caller: Caller) -> Any:  # noqa: ANN401  # peewee's expressions
    """The condition that the caller may read a build."""
    # A sum, because the index by repository has another order.
    return (Build.repo + 0).in_(Repository.select(Repository.id).where(visible(caller)))


def _span_of_time(reader: Reader, repo_id: int, request: pb.ListBuildsRequest) -> tuple[int, int]:
    """The lowest and the highest number, or id, that a build of the time asked for has; (0, 0) without any.

    They are looked up, for neither numbers nor ids go by time: clocks are set, and histories imported. Of a
    time with many builds nothing is said: those are looked through anyway.
    """
    if not request.HasField("created_after") and not request.HasField("created_before"):
        return 1, _ABOVE_ALL_IDS
    faults = Faults()
    after, before = (
        _whole_milliseconds(field, getattr(request, field), faults)
        for field in ("created_after", "created_before")
    )
    made = Build.created >= after
    if request.HasField("created_before"):
        made &= Build.created < before
    some = (
        Build.select(Build.id, Build.repo, Build.number).where(made).limit(_MOST_LOOKED_AT + 1).alias("s")
    )
    order = Case(None, [(some.c.repo_id == repo_id, some.c.number)]) if repo_id else some.c.id
    count, lowest, highest = reader.rows(
        Select([some], [fn.COUNT(SQL("1")), fn.MIN(order), fn.MAX(order)])
    )[0]
    return (1, _ABOVE_ALL_IDS) if count > _MOST_LOOKED_AT else (lowest or 0, highest or 0)


def _last_unended(reader: Reader, end: int | None) -> int:
    """The id of the last build that a page looks at of those that have not ended; 0 where it sees all."""
    query = Build.select(Build.id).where(_IS_UNENDED)
    if end is not None:
        query = query.where(Build.id < end)
    return reader.scalar(query.order_by(Build.id.desc()).offset(_MOST_LOOKED_AT)) or 0


def named(reader: Reader, caller: Caller) -> Callable[[BuildRow], tuple[str, str]]:
    """Whose builds they are: owner and name of each row's repository."""
    if caller.repo_id:
        return lambda _row: (caller.owner, caller.repo)

    @functools.cache
    def of(repo_id: int) -> tuple[str, str]:
        found = reader.by_id(Repository, repo_id)
        return found.owner, found.name

    return lambda row: of(row.repo_id)


def _check_skip(request: pb.ListBuildsRequest) -> None:
    faults = Faults()
    if not 0 <= request.skip <= _MOST_SKIPPED:
        faults.add("skip", f"is {request.skip}: wanted 0 to {_MOST_SKIPPED}")
    elif request.skip and request.repo and not _is_indexed(request):
        faults.add(
            "skip", "goes with no filter by events, statuses, trigger or time alone: take page_token"
        )
    faults.refuse()


def _is_indexed(request: pb.ListBuildsRequest) -> bool:
    scans = (request.events, request.statuses, request.trigger)
    if not any(scans) and not request.HasField("created_after") and not request.HasField("created_before"):
        return True
    return any(
        (
            request.commit,
            request.release,
            request.external_id,
            request.environment,
            request.ref,
            request.origin,
            request.parent,
        )
    )


def _filters(repo_id: int, request: pb.ListBuildsRequest) -> list[object]:
    faults = Faults()
    events = set(faults.few("events", request.events, _MOST_WORDS))
    statuses = set(faults.few("statuses", request.statuses, _MOST_WORDS))
    for event in events:
        faults.word("events", event, EVENT_WORD, pb.BuildEvent.keys()[1:])
    for status in statuses:
        faults.word("statuses", status, STATUS_WORD, pb.BuildStatus.keys()[1:])
    faults.text("release", request.release, 100)
    faults.text("external_id", request.external_id, 200)
    faults.text("ref", request.ref, 500)
    faults.not_negative("origin", request.origin)
    faults.not_negative("parent", request.parent)
    if request.trigger:
        faults.name("trigger", request.trigger)
    after = _whole_milliseconds("created_after", request.created_after, faults)
    before = _whole_milliseconds("created_before", request.created_before, faults)
    check_view(request.view, faults)
    if not repo_id:
        for field in _OF_A_REPOSITORY:
            if getattr(request, field):
                faults.add(field, "goes with owner and repo: name them, or leave it out")
    if request.environment:
        faults.target("environment", request.environment)
    if request.commit:
        faults.commit("commit", request.commit)
        if len(request.commit) < 7:
            faults.add("commit", f"has {len(request.commit)} digits: wanted 7 to 64")
    faults.refuse()
    filters: list[object] = []
    if events:
        filters.append(Build.event.in_([EVENT_WORD[event] for event in events]))
    if statuses:
        filters.append(Build.status.in_([STATUS_WORD[status] for status in statuses]))
    # A promotion has its origin's release and commit, so the recorded builds lead to it.
    if request.release:
        filters.append(_recorded(repo_id, Build.release == request.release))
    if request.commit:
        # 'g' follows the last hexadecimal digit.
        commit = request.commit.lower()
        of_commit = (Build.after >= commit) & (Build.after < commit + "g")
        filters.append(_recorded(repo_id, of_commit))
    if request.environment:
        # The partial index is used only where the query repeats its condition.
        filters += [Build.deploy_to == request.environment, Build.parent > 0]
    if request.external_id:
        filters.append(Build.external_id == request.external_id)
    if request.ref:
        filters.append(Build.ref == request.ref)
    if request.origin:
        filters.append(Build.origin == request.origin)
    if request.parent:
        # Whatever is promoted of a build has its origin, which has an index.
        origin = Build.alias()
        its = origin.select(origin.origin).where(origin.repo == repo_id, origin.number == request.parent)
        filters += [Build.origin == its, Build.parent == request.parent]
    if request.trigger:
        filters.append(Build.trigger == request.trigger)
    if request.HasField("created_after"):
        # A sum: its index is for `_span_of_time`, and has another order.
        filters.append(Build.created + 0 >= after)
    if request.HasField("created_before"):
        filters.append(Build.created + 0 < before)
    return filters


def _whole_milliseconds(field: str, time: Timestamp, faults: Faults) -> int:
    """The first millisecond that is not before the time."""
    return faults.time(field, time) + (time.nanos % 1_000_000 > 0)


def _recorded(repo_id: int, condition: object) -> object:
    """Builds that come from the recorded ones that meet the condition, these included."""
    origins = Build.select(Build.number).where(Build.repo == repo_id, Build.parent == 0, condition)
    return Build.origin.in_(origins)
