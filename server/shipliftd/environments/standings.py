"""How environments stand: of a page of them by a few queries, however many there are.

First which builds are there or on their way there, then these builds, then the stages and steps that are
told about; each goes by an index.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from peewee import JOIN, SQL, Select, Tuple, Value, fn

from shipliftd import builds
from shipliftd.store.compiled import Compiled, CompiledIn, arg
from shipliftd.store.models import ENDED, FAILED, Arrival, Build, Lost, Repository
from shipliftd.store.rows import BuildRow, StageRow, Standing, StepRow
from shipliftd.store.transaction import Reader

Part = TypeVar("Part", StageRow, StepRow)
# Peewee's own types say nothing of what is a column of what.
Expression = Any

# So many environments' builds are read at once: each has up to four, and one can have 64 KiB and more.
_AT_ONCE = 128
# Not bound: SQLite prepares a statement anew for each value that decides about a partial index.
_ZERO = SQL("0")


class Place(NamedTuple):
    """An environment, and the ids of the builds that are told of it; None where there is none."""

    owner: str
    repo: str
    environment: str
    newest: int
    current: int | None
    running: int | None
    failed: int | None
    # The promotion that was lost on its way there, with its stage and machine, and when.
    lost: int | None
    stage: str
    machine: str
    at: int


def _places(found: Expression) -> Select:
    """The columns of `Place`, of a table of environments, in the order of its `n`."""
    repo, environment = found.c.repo_id, found.c.environment

    def promotion(build: Expression, *conditions: Expression) -> Expression:
        mine = (build.repo == repo, build.deploy_to == environment, *conditions)
        return build.select(build.id).where(*mine).order_by(build.number.desc()).limit(1)

    def arrived(column: str) -> Expression:
        arrival: Expression = Arrival.alias()
        mine = (arrival.repo == repo, arrival.environment == environment)
        return arrival.select(getattr(arrival, column)).where(*mine).order_by(arrival.id.desc()).limit(1)

    newest, running, failed = Build.alias(), Build.alias(), Build.alias()
    # Only what is newer than what is there, so that few are looked at.
    newer = failed.number > fn.COALESCE(arrived("number"), 0)
    columns = (
        *(found.c.owner, found.c.repo, environment),
        promotion(newest, newest.parent > _ZERO),
        arrived("build"),
        # In the words of the index of what is in flight, and not of another.
        promotion(running, running.status == SQL("'running'")),
        promotion(failed, failed.parent > _ZERO, newer, failed.status.in_(["failure", "error"])),
        *(Lost.number, Lost.stage, Lost.machine, Lost.at),
    )
    lost = (Lost.repo == repo) & (Lost.environment == environment)
    query = Select([found], columns).join(Lost, JOIN.LEFT_OUTER, on=lost)
    return query.with_cte(found).order_by(found.c.n)


_COLUMNS = ("n", "repo_id", "owner", "repo", "environment")


def _at(n: Expression, build: Expression, repository: Expression) -> tuple[Expression, ...]:
    return n, repository.id, repository.owner, repository.name, build.deploy_to


def _the_place() -> Select:
    """One environment: arg(1) of the repository arg(0), if something was promoted to it."""
    mine = (Build.repo == arg(0), Build.deploy_to == arg(1), Build.parent > _ZERO)
    first = Build.select(*_at(SQL("1"), Build, Repository)).join(Repository).where(*mine).limit(1)
    return _places(first.cte("place", columns=_COLUMNS))


def _walk(repositories: list[Value], *only: Expression) -> Select:
    """The first arg(0) environments, by owner, repository and name, of repositories that have one.

    From behind the environment arg(2) of the repository arg(1), which is arg(3)/arg(4), or of the one
    after it. Each is found from the one before by one step in an index, for no table has them by name.
    """

    def first_of(repo: Expression, behind: Expression) -> Expression:
        """The id of a promotion to the repository's first environment behind this one."""
        build: Expression = Build.alias()
        mine = (build.repo == repo, build.deploy_to > behind, build.parent > _ZERO)
        query = build.select(build.id).where(*mine).order_by(build.deploy_to, build.number).limit(1)
        return query.where(build.deploy_to == only[0]) if only else query

    def next_to(repo: Expression, environment: Expression, *named: Expression) -> Expression:
        """The same of the environment that comes next; `named` are the repository's owner and name."""
        other: Expression = Repository.alias()
        # A sum, because the index by id has another order.
        listed = (other.id + _ZERO).in_(repositories)
        after = (
            other.select(other.id)
            .where(Tuple(other.owner, other.name) > Tuple(*named), listed)
            # The last of its promotions may have gone meanwhile.
            .where(fn.EXISTS(first_of(other.id, "")))
            .order_by(other.owner, other.name)
            .limit(1)
        )
        return fn.COALESCE(first_of(repo, environment), first_of(after, ""))

    first, its = Build.alias(), Repository.alias()
    walk = (
        first.select(*_at(SQL("1"), first, its))
        .join(its, on=(its.id == first.repo))
        .where(first.id == next_to(arg(1), arg(2), arg(3), arg(4)))
        .cte("walk", recursive=True, columns=_COLUMNS)
    )
    then, its = Build.alias(), Repository.alias()
    # As expressions: SQLite takes no two columns of a table for a range in an index.
    behind = walk.c.owner.concat(""), walk.c.repo.concat("")
    step = (
        Select([walk], _at(walk.c.n + SQL("1"), then, its))
        .join(then, on=(then.id == next_to(walk.c.repo_id, walk.c.environment, *behind)))
        .join(its, on=(its.id == then.repo))
        .where(walk.c.n < arg(0))
    )
    return _places(walk.union_all(step))


_THE_PLACE = Compiled(_the_place())
_WALK = CompiledIn(_walk, 5)
_WALK_OF_ONE = CompiledIn(lambda repositories: _walk(repositories, arg(5)), 6)


def of_one(reader: Reader, repo_id: int, environment: str) -> Standing | None:
    """How an environment stands; None where nothing was ever promoted to it."""
    places = [Place._make(row) for row in _THE_PLACE.run(reader, repo_id, environment).fetchall()]
    return next(of(reader, places), None)


def walk(
    reader: Reader, repositories: Sequence[tuple[int, str, str]], after: str, most: int, environment: str
) -> list[Place]:
    """So many environments of repositories (id, owner, name, in that order), behind `after` of the first.

    Where an environment is named, only those that are called so.
    """
    if not repositories:
        return []
    begin = (most, repositories[0][0], after, *repositories[0][1:])
    ids = [row[0] for row in repositories]
    if environment:
        rows = _WALK_OF_ONE.rows(reader, ids, *begin, environment)
    else:
        rows = _WALK.rows(reader, ids, *begin)
    return [Place._make(row) for row in rows]


def of(reader: Reader, places: Sequence[Place]) -> Iterator[Standing]:
    """How the environments stand. One whose builds have gone meanwhile is left out."""
    for start in range(0, len(places), _AT_ONCE):
        some = places[start : start + _AT_ONCE]
        found = builds.listed_of(reader, {id_ for place in some for id_ in place[3:7] if id_ is not None})
        rows = [_standing(place, found) for place in some if place.newest in found]
        told = {build.id for row in rows for build in (row.in_flight, row.last_failed) if build is not None}
        stages = builds.stages_of_each(reader, told)
        failed = _failed_steps(reader, (row.last_failed for row in rows), stages)
        for row in rows:
            yield row._replace(
                failed_step=failed.get(row.last_failed.id, "") if row.last_failed is not None else "",
                stages=tuple(stages[row.in_flight.id]) if row.in_flight is not None else (),
            )


def _standing(place: Place, found: Mapping[int, BuildRow]) -> Standing:
    newest, running = found[place.newest], found.get(place.running or 0)
    under_way = (row for row in (newest, running) if row is not None and row.status not in ENDED)
    return Standing(
        owner=place.owner,
        repo=place.repo,
        environment=place.environment,
        current=found.get(place.current or 0),
        in_flight=next(under_way, None),
        last_failed=found.get(place.failed or 0),
        failed_step="",
        lost=None if place.lost is None else (place.lost, place.stage, place.machine, place.at),
        newest=newest,
    )


def _failed_steps(
    reader: Reader, failed: Iterable[BuildRow | None], stages: Mapping[int, Sequence[StageRow]]
) -> dict[int, str]:
    """Where each build stopped: the stage, and the step if one failed."""
    stopped = {
        build.id: stage
        for build in failed
        if build is not None and (stage := _first_failed(stages[build.id])) is not None
    }
    steps = builds.steps_of_each(reader, {stage.id for stage in stopped.values()})
    found = {build_id: (stage, _first_failed(steps[stage.id])) for build_id, stage in stopped.items()}
    return {
        build_id: stage.name if step is None else f"{stage.name}/{step.name}"
        for build_id, (stage, step) in found.items()
    }


def _first_failed(rows: Iterable[Part]) -> Part | None:
    return next((row for row in rows if row.status in FAILED and not row.errignore), None)
