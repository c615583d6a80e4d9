"""What was in environments: where each stood at some time, and all that came into one.

Rows of arrivals are never changed, and the newest by id says what is there, also where the clock was set
back between two. So what was there at some time is what came last of all that came until then.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from peewee import Select
from shiplift.v1 import environments_pb2 as pb

from shipliftd import builds, environments
from shipliftd.access.callers import Caller
from shipliftd.errors import NotFound
from shipliftd.fields import Faults
from shipliftd.store import pages
from shipliftd.store.compiled import Compiled, CompiledIn, arg
from shipliftd.store.models import Arrival, Build, Environment, Repository
from shipliftd.store.rows import ArrivalRow, BuildRow, Standing
from shipliftd.store.transaction import Reader

# Parameters may be 64 KiB each, and a page ends at 1 MiB.
_AT_ONCE = 16
_AFTER_ALL = 2**62


class PastPlace(NamedTuple):
    """An environment, and what had come into it last; `build` is None where that was nothing."""

    id: int
    owner: str
    repo: str
    environment: str
    build: int | None
    since: int


def select(at: Any) -> Select:  # noqa: ANN401  # peewee's expressions
    """The columns of `PastPlace`, of `Environment` joined with `Repository`, where anything had come."""
    arrival: Any = Arrival.alias()
    last = (
        arrival.select(arrival.id)
        .where(arrival.repo == Environment.repo, arrival.environment == Environment.name, arrival.at <= at)
        .order_by(arrival.id.desc())
        .limit(1)
    )
    return (
        Environment.select(
            *(Environment.id, Repository.owner, Repository.name, Environment.name),
            *(Arrival.build, Arrival.at),
        )
        .join(Repository)
        .join(Arrival, on=(Arrival.id == last))
    )


def of(reader: Reader, places: Sequence[PastPlace]) -> Iterator[Standing]:
    """What was in the environments, and since when."""
    found = builds.listed_of(reader, {place.build for place in places if place.build is not None})
    for place in places:
        if place.build is None or place.build in found:
            yield Standing(
                owner=place.owner,
                repo=place.repo,
                environment=place.environment,
                current=found.get(place.build or 0),
                in_flight=None,
                last_failed=None,
                failed_step="",
                lost=None,
                newest=None,
                id=place.id,
                declared=False,
                hold=None,
                freeze=None,
                since=place.since,
            )


_next: Any = Arrival.alias()
_IN_ONE = Compiled(
    Arrival.select(
        *(Arrival.id, Arrival.build, Arrival.at),
        _next.select(_next.at)
        .where(_next.repo == Arrival.repo, _next.environment == Arrival.environment, _next.id > Arrival.id)
        .order_by(_next.id)
        .limit(1),
        *(Arrival.said_by, Arrival.comment),
    )
    .where(
        *(Arrival.repo == arg(0), Arrival.environment == arg(1), Arrival.id < arg(2)),
        *(Arrival.at >= arg(3), Arrival.at < arg(4)),
    )
    .order_by(Arrival.id.desc())
    .limit(arg(5))
)
_BUILDS = CompiledIn(lambda ids: Build.select().where(Build.id.in_(ids)))


def page(reader: Reader, caller: Caller, request: pb.ListDeploymentHistoryRequest) -> Iterator[ArrivalRow]:
    """What came into an environment, newest first: a page and one more. Raises Invalid, NotFound."""
    faults = Faults()
    faults.target("environment", request.environment)
    since, until = faults.time("since", request.since), faults.time("until", request.until)
    faults.refuse()
    wanted = pages.size(request.page_size) + 1
    key = pages.after(reader, request, request.page_token) or [_AFTER_ALL]
    if environments.place_of(reader, caller.repo_id, request.environment).environment_id is None:
        raise never_promoted_to(caller, request.environment)
    end = until if request.HasField("until") else _AFTER_ALL
    args = (caller.repo_id, request.environment, key[0], since, end, wanted)
    return _with_builds(reader, caller, iter(_IN_ONE.run(reader, *args).fetchall()))


def _with_builds(reader: Reader, caller: Caller, rows: Iterator[Any]) -> Iterator[ArrivalRow]:
    while some := list(islice(rows, _AT_ONCE)):
        ids = sorted({build_id for _, build_id, *_ in some if build_id is not None})
        found = {row[0]: BuildRow._make(row) for row in _BUILDS.rows(reader, ids)}
        for id_, build_id, at, until, said_by, comment in some:
            build = found.get(build_id)
            yield ArrivalRow(id_, caller.owner, caller.repo, build, at, until or 0, said_by, comment)


def key_of(row: ArrivalRow) -> pages.Key:
    """What the page after an arrival begins behind."""
    return [row.id]


def never_promoted_to(caller: Caller, environment: str) -> NotFound:
    """The refusal of an environment that nothing was promoted to."""
    return NotFound(
        f"nothing was promoted to {environment!r} of {caller.owner}/{caller.repo} yet:"
        " ListDeployments shows what there is",
        reason="ENVIRONMENT_NOT_FOUND",
        metadata={"owner": caller.owner, "repo": caller.repo, "environment": environment},
    )
