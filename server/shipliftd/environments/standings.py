"""How environments stand: of a page of them by a few queries, however many there are.

First the environments and which builds are there or on their way there, then these builds, then the stages
and steps that are told about; each goes by an index.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from peewee import JOIN, SQL, Select, fn

from shipliftd import builds
from shipliftd.clock import now
from shipliftd.environments import rules
from shipliftd.environments.freezes import active
from shipliftd.store.compiled import Compiled, CompiledIn, arg
from shipliftd.store.models import (
    ENDED,
    FAILED,
    IS_UNDER_WAY,
    UNENDED,
    Arrival,
    Build,
    Environment,
    Hold,
    Lost,
    OwnerRules,
    Repository,
)
from shipliftd.store.rows import BuildRow, StageRow, Standing, StepRow
from shipliftd.store.transaction import Reader

Part = TypeVar("Part", StageRow, StepRow)
# Peewee's own types say nothing of what is a column of what.
Expression = Any

# So many environments' builds are read at once: each has up to four, and one can have 64 KiB and more.
_AT_ONCE = 128
# Of all that waits in the repositories of a page, and of what waits for an environment.
_MOST_WAITING = 1000
_MOST_TOLD = 10
# Not bound: SQLite prepares a statement anew for each value that decides about a partial index.
_ZERO = SQL("0")
# In the words of the index of what failed.
_FAILED = (SQL("'failure'"), SQL("'error'"))


class Place(NamedTuple):
    """An environment, and the ids of the builds that are told of it; None where there is none."""

    id: int
    repo_id: int
    owner: str
    repo: str
    environment: str
    declared: bool
    said: str
    rules_version: int
    owner_said: str | None
    newest: int | None
    current: int | None
    under_way: int | None
    running: int | None
    failed: int | None
    # The promotion that was lost on its way there, with its stage and machine, and when.
    lost: int | None
    stage: str
    machine: str
    at: int

    @property
    def builds(self) -> tuple[int | None, ...]:
        """The ids of the builds."""
        return self.newest, self.current, self.under_way, self.running, self.failed


def select() -> Select:
    """The columns of `Place`, of `Environment` joined with `Repository`."""

    def promotion(build: Expression, *conditions: Expression) -> Expression:
        mine = (build.repo == Environment.repo, build.deploy_to == Environment.name, *conditions)
        return build.select(build.id).where(*mine).order_by(build.number.desc()).limit(1)

    def arrived(column: str) -> Expression:
        arrival: Expression = Arrival.alias()
        mine = (arrival.repo == Environment.repo, arrival.environment == Environment.name)
        return arrival.select(getattr(arrival, column)).where(*mine).order_by(arrival.id.desc()).limit(1)

    newest, running, failed = Build.alias(), Build.alias(), Build.alias()
    # Only what is newer than what is there, so that few are looked at.
    newer = failed.number > fn.COALESCE(arrived("number"), 0)
    lost = (Lost.repo == Environment.repo) & (Lost.environment == Environment.name)
    return (
        Environment.select(
            *(Environment.id, Environment.repo, Repository.owner, Repository.name, Environment.name),
            *(Environment.declared, Environment.said, Environment.rules_version, OwnerRules.said),
            promotion(newest, newest.parent > _ZERO),
            arrived("build"),
            _going(),
            # In the words of the index of what runs, and not of another.
            promotion(running, running.status == SQL("'running'")),
            promotion(failed, failed.deploy_to != SQL("''"), newer, failed.status.in_(_FAILED)),
            *(Lost.number, Lost.stage, Lost.machine, Lost.at),
        )
        .join(Repository)
        .join(OwnerRules, JOIN.LEFT_OUTER, on=(OwnerRules.owner == Repository.owner))
        .join(Lost, JOIN.LEFT_OUTER, on=lost)
    )


def _going() -> Expression:
    """One that is under way to a declared environment, of which there is one at a time."""
    build: Expression = Build.alias()
    return (
        build.select(build.id)
        .where(
            build.repo == Environment.repo,
            build.deploy_to == Environment.name,
            build.waits == _ZERO,
            build.parent > _ZERO,
            build.status.in_([SQL(repr(status)) for status in UNENDED]),
            Environment.declared,
        )
        .limit(1)
    )


_THE_PLACE = Compiled(select().where(Environment.repo == arg(0), Environment.name == arg(1)))
_WAITING = CompiledIn(
    lambda repositories: (
        Build.select(Build.id, Build.repo, Build.deploy_to)
        # With the environment named, or SQLite would go through all builds of a repository.
        .where(
            Build.repo.in_(repositories),
            Build.deploy_to > SQL("''"),
            Build.waits > _ZERO,
            SQL(IS_UNDER_WAY),
        )
        .order_by(Build.number)
        .limit(_MOST_WAITING)
    )
)
_HOLDS = CompiledIn(lambda owners: Hold.select().where(Hold.owner.in_(owners), Hold.ended == 0))
_HOLD_FIELDS = [field.name for field in Hold._meta.sorted_fields]


def of_one(reader: Reader, repo_id: int, environment: str) -> Standing | None:
    """How an environment stands; None where it is not declared, and nothing was ever promoted to it."""
    places = [Place._make(row) for row in _THE_PLACE.run(reader, repo_id, environment).fetchall()]
    return next(of(reader, places), None)


def of(reader: Reader, places: Sequence[Place]) -> Iterator[Standing]:
    """How the environments stand. One whose builds have gone meanwhile is left out."""
    at = now()
    for start in range(0, len(places), _AT_ONCE):
        some = places[start : start + _AT_ONCE]
        waiting = _waiting(reader, some)
        ids = {id_ for place in some for id_ in place.builds if id_ is not None}
        found = builds.listed_of(reader, ids.union(*waiting.values()))
        holds = _holds(reader, some)
        rows = [
            _standing(place, found, waiting.get((place.repo_id, place.environment), ()), holds, at)
            for place in some
            # What was promoted there may have gone meanwhile.
            if place.declared or place.newest in found
        ]
        told = {build.id for row in rows for build in (row.in_flight, row.last_failed) if build is not None}
        stages = builds.stages_of_each(reader, told)
        failed = _failed_steps(reader, (row.last_failed for row in rows), stages)
        for row in rows:
            yield row._replace(
                failed_step=failed.get(row.last_failed.id, "") if row.last_failed is not None else "",
                stages=tuple(stages[row.in_flight.id]) if row.in_flight is not None else (),
            )


def _waiting(reader: Reader, places: Sequence[Place]) -> dict[tuple[int, str], list[int]]:
    """The ids of what waits, by the repository and the environment; of each the first few."""
    found: dict[tuple[int, str], list[int]] = {}
    rows = _WAITING.rows(reader, sorted({place.repo_id for place in places if place.newest is not None}))
    for build_id, repo_id, environment in rows:
        ids = found.setdefault((repo_id, environment), [])
        if len(ids) < _MOST_TOLD:
            ids.append(build_id)
    return found


def _holds(reader: Reader, places: Sequence[Place]) -> dict[tuple[str, str, str], Hold]:
    """The holds on the owners of the places, by what they are on."""
    rows = _HOLDS.rows(reader, sorted({place.owner for place in places}))
    found = (Hold(**dict(zip(_HOLD_FIELDS, row, strict=True))) for row in rows)
    return {(hold.owner, hold.repo, hold.environment): hold for hold in found}


def _standing(
    place: Place,
    found: Mapping[int, BuildRow],
    waiting: Iterable[int],
    holds: Mapping[tuple[str, str, str], Hold],
    at: int,
) -> Standing:
    newest, running = found.get(place.newest or 0), found.get(place.running or 0)
    candidates = (found.get(place.under_way or 0), newest, running)
    goes = (row for row in candidates if row is not None and row.status not in ENDED and not row.waits)
    freezes = list(rules.said_owner(place.owner_said).freezes) if place.owner_said else []
    if place.declared:
        freezes += rules.said(place.said, place.rules_version).message.freezes
    on = [(place.repo, place.environment), (place.repo, ""), ("*", place.environment), ("*", "")]
    held = [holds[key] for repo, name in on if (key := (place.owner, repo, name)) in holds]
    return Standing(
        owner=place.owner,
        repo=place.repo,
        environment=place.environment,
        current=found.get(place.current or 0),
        in_flight=next(goes, None),
        last_failed=found.get(place.failed or 0),
        failed_step="",
        lost=None if place.lost is None else (place.lost, place.stage, place.machine, place.at),
        newest=newest,
        id=place.id,
        declared=bool(place.declared),
        hold=next((row for row in held if not row.until or row.until > at), None),
        freeze=active(freezes, at),
        waiting=tuple(found[id_] for id_ in waiting if id_ in found),
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
