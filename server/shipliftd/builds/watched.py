"""Where a watch of builds begins: what it asks for, and the builds that have not ended yet."""

from typing import NamedTuple

from peewee import SQL
from shiplift.v1 import builds_pb2 as pb

from shipliftd.access.callers import Caller
from shipliftd.access.reach import visible
from shipliftd.builds import listing, records
from shipliftd.changes import Cursor, Filter
from shipliftd.enum_words import EVENT_WORD
from shipliftd.fields import Faults
from shipliftd.store.models import IS_UNENDED, Build, Repository
from shipliftd.store.rows import BuildRow, BuildWithStages
from shipliftd.store.transaction import Reader

_MOST_WORDS = 20
_AT_ONCE = 50


class Wanted(NamedTuple):
    """What a watch asks for."""

    filter: Filter
    cursor: Cursor | None


def wanted(caller: Caller, request: pb.WatchBuildsRequest) -> Wanted:
    """What a request asks for. Raises Invalid."""
    faults = Faults()
    events = set(faults.few("events", request.events, _MOST_WORDS))
    for event in events:
        faults.word("events", event, EVENT_WORD, pb.BuildEvent.keys()[1:])
    faults.not_negative("build", request.build)
    if request.build and not caller.repo_id:
        faults.add("build", "goes with owner and repo: name them, or leave it out")
    if request.environment:
        faults.target("environment", request.environment)
    faults.refuse()
    of = frozenset(EVENT_WORD[event] for event in events)
    return Wanted(
        Filter(caller.repo_id, request.build, request.environment, of),
        Cursor.parse(request.cursor) if request.cursor else None,
    )


def named(reader: Reader, caller: Caller, number: int) -> BuildWithStages:
    """The one build that is watched. Raises NotFound."""
    return records.get(reader, caller, pb.GetBuildRequest(build=number))


def unended(
    reader: Reader, caller: Caller, wanted: Filter, after: int
) -> tuple[list[BuildWithStages], int | None]:
    """Some builds that have not ended, by id, and the id behind which there may be more, or None."""
    # In the words of the partial index, or it is not used.
    mine = Build.repo == wanted.repo_id if wanted.repo_id else listing.of_readable(caller)
    query = Build.select().where(SQL(IS_UNENDED), Build.id > after, mine)
    if wanted.environment:
        query = query.where(Build.deploy_to == wanted.environment)
    if wanted.events:
        query = query.where(Build.event.in_(sorted(wanted.events)))
    rows = [BuildRow._make(row) for row in reader.each(query.order_by(Build.id).limit(_AT_ONCE))]
    found = [*listing.whole(reader, iter(rows), listing.named(reader, caller))]
    return found, rows[-1].id if len(rows) == _AT_ONCE else None


def is_readable(reader: Reader, caller: Caller, repo_id: int) -> bool:
    """Whether the caller may read a repository."""
    mine = Repository.select(Repository.id).where(Repository.id == repo_id, visible(caller))
    return reader.scalar(mine) is not None
