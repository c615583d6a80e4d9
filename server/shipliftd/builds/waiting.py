"""Promotions that wait for their gates: setting them going, and ending those that wait in vain."""

import json
from collections.abc import Iterable, Sequence

from peewee import SQL, fn

from shipliftd import builds, environments
from shipliftd.clock import now
from shipliftd.environments import Asked, Verdict
from shipliftd.stages import begin, carry_on, end_stage
from shipliftd.store import moves
from shipliftd.store.compiled import Compiled, arg
from shipliftd.store.models import ENDED, IS_QUEUED, IS_UNDER_WAY, QUEUED, Build
from shipliftd.store.rows import BuildRow
from shipliftd.store.transaction import Change, Kind, Reader, Transaction

# So many environments are looked at in a second.
_MOST_AT_ONCE = 100
# So many of a queue are asked again when one ends, and of those that wait for something else: as many as
# ListDeployments tells of.
_MOST_QUEUED = 10
# What no event tells of is looked at this often.
_LOOK_MS = 60_000

# With the environment named, or SQLite would go through all builds of the repository.
_IN_REPOSITORY = (Build.repo == arg(0)) & (Build.deploy_to > SQL("''")) & (Build.waits > SQL("0"))
_WAITING = Compiled(
    Build.select(Build.id)
    .where(_IN_REPOSITORY, SQL(IS_UNDER_WAY))
    # A rollback goes before what it undoes, and those that people must look at come last.
    .order_by(Build.event.desc(), Build.status.desc(), Build.number)
)
_DUE = Compiled(
    Build.select(fn.MIN(Build.id))
    .where(Build.waits > SQL("0"), Build.waits <= arg(0), SQL(IS_UNDER_WAY))
    .group_by(Build.repo, Build.deploy_to)
    .limit(_MOST_AT_ONCE)
)
_WHERE = Compiled(Build.select(Build.repo, Build.deploy_to).where(Build.id == arg(0)))
_QUEUES = Compiled(Build.select(fn.MIN(Build.id)).where(IS_QUEUED).group_by(Build.repo, Build.deploy_to))
_QUEUE = Compiled(
    Build.select(Build.id)
    .where(Build.repo == arg(0), Build.deploy_to == arg(1), IS_QUEUED)
    .order_by(Build.event.desc(), Build.number)
    .limit(_MOST_QUEUED)
)
# These wait for people or a time; what they are told to wait for is shown.
_BESIDE = Compiled(
    Build.select(Build.id)
    .where(
        Build.repo == arg(0),
        Build.deploy_to == arg(1),
        Build.waits > SQL("0"),
        Build.waits < SQL(str(QUEUED)),
        SQL(IS_UNDER_WAY),
    )
    .order_by(Build.waits, Build.id)
    .limit(_MOST_QUEUED)
)
_ALL = Compiled(Build.select(Build.repo).distinct().where(Build.waits > SQL("0"), SQL(IS_UNDER_WAY)))
_IN_ENVIRONMENT = Compiled(
    Build.select()
    .where(Build.repo == arg(0), Build.deploy_to == arg(1), Build.waits > SQL("0"), SQL(IS_UNDER_WAY))
    .order_by(Build.number)
)
_WAITS = Compiled(Build.update({Build.waits: arg(1)}).where(Build.id == arg(0)))


def standing(verdicts: Sequence[Verdict]) -> tuple[str, str]:
    """The statuses of a build that waits, and of its stages."""
    for_people = any(v.gate == "approvals" and v.result == "waiting" for v in verdicts)
    return ("blocked", "blocked") if for_people else ("pending", "waiting_on_dependencies")


def next_look(verdicts: Sequence[Verdict], approvals_end: int, at: int) -> int:
    """When to ask the gates of a build again; 0 where none is against it."""
    against = environments.against(verdicts)
    if not against:
        return 0
    if all(verdict.gate == "queue" for verdict in against):
        return QUEUED
    times = [verdict.earliest for verdict in against if verdict.earliest]
    if any(verdict.gate == "approvals" for verdict in against):
        times.append(approvals_end)
    return max(min(times, default=at + _LOOK_MS), at + 1)


def advance(tx: Transaction, repo_id: int, build_ids: Iterable[int]) -> None:
    """Sets going those of the builds that wait no more; their repository is locked meanwhile."""
    moves.lock_repository(tx, repo_id)
    for build_id in build_ids:
        look(tx, build_id)


def concerned(reader: Reader, kind: Kind, row_id: int) -> tuple[int, list[int]]:
    """The repository that a change is about, and whom to ask again there, in the order in which they go.

    Only a change of rules is looked at by all: there may be any number, and something ends all the time.
    """
    if kind == "gates":
        return row_id, [row[0] for row in _WAITING.run(reader, row_id).fetchall()]
    where = _WHERE.one(reader, row_id)
    if where is None:
        # It has been removed meanwhile.
        return 0, []
    if kind == "asked":
        return where[0], [row_id]
    rows = [*_QUEUE.run(reader, *where).fetchall(), *_BESIDE.run(reader, *where).fetchall()]
    return where[0], [row[0] for row in rows]


def everywhere(reader: Reader) -> list[Change]:
    """What is to be looked at after a time in which changes may not have been told."""
    return [("gates", row[0]) for row in _ALL.run(reader).fetchall()]


def queues(reader: Reader) -> list[Change]:
    """The same of what goes on by nothing but being told, in case it was not."""
    return [("left", row[0]) for row in _QUEUES.run(reader).fetchall()]


def due(reader: Reader) -> list[Change]:
    """What is to be looked at by now: one after the other in each environment, as they were asked for."""
    return [("left", row[0]) for row in _DUE.run(reader, now()).fetchall()]


def look(tx: Transaction, build_id: int) -> BuildRow:
    """Asks the gates of a build that waits again, and does what they say; the repository is locked."""
    moves.lock_build(tx, build_id)
    build = builds.by_id(tx, build_id)
    if build.status in ENDED or not build.waits:
        return build
    place = environments.place_of(tx, build.repo_id, build.deploy_to)
    asked = _asked(tx, place, build)
    unknown = environments.unknown_to(tx, build.repo_id, build.deploy_to, build.number)
    facts = environments.facts(tx, place, asked, unknown)
    before = environments.read(build.verdicts)
    verdicts = environments.evaluate(facts, is_rollback=build.event == "rollback", before=before)
    if facts.rules is not None and asked.at >= facts.approvals_end and _wants_people(verdicts):
        told = f"expired: {_reason_of(verdicts, 'approvals')}"
        return end(tx, build, "declined", told)
    waits = next_look(verdicts, facts.approvals_end, asked.at)
    if not waits:
        return _let_go(tx, build, verdicts, asked.at)
    if waits == QUEUED != build.waits:
        # What is ahead may have ended meanwhile, and told those of whom it was none yet.
        tx.tell("asked", build.id)
    elif build.waits == QUEUED != waits:
        tx.tell("left", build.id)
    status, of_stages = standing(verdicts)
    if verdicts == before and status == build.status:
        if waits != build.waits:
            _WAITS.run(tx, build.id, waits)
        return build
    if status != build.status:
        for stage in builds.stages_of(tx, build.id):
            moves.move_stage(tx, stage._replace(status=of_stages, updated=asked.at))
    return moves.move_waiting(
        tx,
        build._replace(
            status=status, verdicts=environments.stored(verdicts), waits=waits, updated=asked.at
        ),
    )


def end(tx: Transaction, build: BuildRow, status: str, told: str) -> BuildRow:
    """Ends a build that waits."""
    at = max(now(), build.created)
    for stage in builds.stages_of(tx, build.id):
        if stage.status not in ENDED:
            end_stage(tx, stage, "skipped", "", at)
    return carry_on(tx, build._replace(status=status, error=told, finished=at, updated=at))


def supersede(tx: Transaction, newer: BuildRow) -> None:
    """Ends those that wait for an environment, because of a newer promotion to it.

    What is to be put back stays so, unless something else is to be.
    """
    for row in _IN_ENVIRONMENT.run(tx, newer.repo_id, newer.deploy_to).fetchall():
        moves.lock_build(tx, row[0])
        build = builds.by_id(tx, row[0])
        is_spared = build.event == "rollback" and newer.event != "rollback"
        if build.status not in ENDED and build.waits and not is_spared:
            tx.execute(Build.update(superseded_by=newer.number).where(Build.id == build.id))
            end(tx, build, "killed", f"superseded by {newer.number}")


def _asked(tx: Transaction, place: environments.Place, build: BuildRow) -> Asked:
    promoted = builds.find(tx, build.repo_id, build.parent)
    access, is_admin = environments.access_of(tx, place, build.trigger)
    return Asked(
        id=build.id,
        repo_id=build.repo_id,
        environment=build.deploy_to,
        login=build.trigger,
        access=access,
        is_admin=is_admin,
        build=build.parent,
        status=promoted.status if promoted is not None else "",
        commit=build.after,
        origin=build.origin,
        params=json.loads(build.params),
        at=now(),
        created=build.created,
        event=build.event,
        number=build.number,
        masked=frozenset(json.loads(build.sealed_params)),
    )


def _let_go(tx: Transaction, build: BuildRow, verdicts: tuple[Verdict, ...], at: int) -> BuildRow:
    stages = builds.stages_of(tx, build.id)
    for stage, begun in zip(stages, begin(stages), strict=True):
        moves.move_stage(tx, stage._replace(status=begun.status, updated=at))
    tx.tell("begun", build.id)
    return moves.move_waiting(
        tx,
        build._replace(status="pending", verdicts=environments.stored(verdicts), waits=0, updated=at),
    )


def _wants_people(verdicts: Sequence[Verdict]) -> bool:
    return standing(verdicts)[0] == "blocked"


def _reason_of(verdicts: Sequence[Verdict], gate: str) -> str:
    return next(verdict.reason for verdict in verdicts if verdict.gate == gate)
