"""Ends that nobody reports: a build is cancelled, a runner is lost, a stage waits in vain."""

from peewee import SQL
from shiplift.v1 import builds_pb2 as pb

from shipliftd import builds, environments
from shipliftd.access.callers import Caller
from shipliftd.access.write_once import Written, write
from shipliftd.clock import now
from shipliftd.fields import Faults
from shipliftd.stages import LEASE_MS, carry_on, end_stage, follow
from shipliftd.store import moves
from shipliftd.store.compiled import Compiled, arg
from shipliftd.store.models import ENDED, Build, Stage
from shipliftd.store.rows import BuildRow, BuildWithStages, StageRow
from shipliftd.store.transaction import Reader, Transaction

PENDING_MS = 24 * 60 * 60 * 1000
_MOST_AT_ONCE = 100
# The number of this housekeeping among those that one replica does at a time.
_SWEEP = 1

# Or it ends later than a lease can: the clock has been set back.
_LOST = Compiled(
    Stage.select()
    .where(Stage.lease_expires > 0, (Stage.lease_expires < arg(0)) | (Stage.lease_expires > arg(1)))
    .limit(_MOST_AT_ONCE)
)
_WAITING = Compiled(
    Stage.select()
    .join(Build)
    .where(
        Stage.status == SQL("'pending'"),
        Stage.lease_expires == 0,
        Stage.updated < arg(0),
        # What a CI system records is its own to do, in its own time.
        (Stage.kind == "pipeline") | (Build.parent > 0),
    )
    # Not by id, or SQLite would go through the ended ones as well.
    .order_by(Stage.updated)
    .limit(_MOST_AT_ONCE)
)


@write(load=builds.load, look=builds.in_its_environment)
def cancel(tx: Transaction, caller: Caller, request: pb.CancelBuildRequest) -> Written[BuildWithStages]:
    """Stops a build: what runs is killed, what waits is skipped. One that has ended stays as it is.

    Raises Invalid, NotFound, Denied (the token is cut to other environments).
    """
    faults = Faults()
    faults.positive("build", request.build)
    faults.refuse()
    build = builds.find(tx, caller.repo_id, request.build)
    if build is None:
        raise builds.not_found(caller, request.build)
    if build.status not in ENDED:
        stop(tx, build, f"cancelled by {caller.login}")
    return Written(builds.load(tx, caller, build.id))


def stop(tx: Transaction, build: BuildRow, told: str) -> None:
    """Kills a build that has not ended, and what runs of it."""
    moves.lock_build(tx, build.id)
    at = max(now(), build.created, build.started)
    for stage in builds.stages_of(tx, build.id):
        if stage.status not in ENDED:
            taken = stage.status == "running" or stage.lease_hash is not None
            end_stage(tx, stage, "killed" if taken else "skipped", told if taken else "", at)
    carry_on(tx, build._replace(status="killed", error=told, finished=at, updated=at))


def sweep(tx: Transaction) -> int:
    """Ends the stages whose runner is lost, and those that no runner took in a day; how many were lost.

    A lease from before the clock was set back gets its time anew, or its runner would never be lost.
    """
    if not tx.is_alone(_SWEEP):
        return 0
    at = now()
    lost = [StageRow._make(row) for row in _LOST.run(tx, at, at + LEASE_MS).fetchall()]
    waiting = [StageRow._make(row) for row in _WAITING.run(tx, at - PENDING_MS).fetchall()]
    moves.lock_builds(tx, (stage.build_id for stage in (*lost, *waiting)))
    losses = 0
    for stage in lost:
        if stage.lease_expires > at:
            tx.execute(Stage.update(lease_expires=at + LEASE_MS).where(Stage.id == stage.id))
        else:
            _lose(tx, stage, at)
            losses += 1
    for stage in waiting:
        _give_up(tx, stage, at)
    return losses


def any_lost(reader: Reader) -> bool:
    """Whether a lease has ended."""
    at = now()
    return _LOST.one(reader, at, at + LEASE_MS) is not None


def any_in_vain(reader: Reader) -> bool:
    """Whether a stage has waited for too long. Looks at all that wait."""
    return _WAITING.one(reader, now() - PENDING_MS) is not None


def _lose(tx: Transaction, stage: StageRow, at: int) -> None:
    machine = stage.machine or "its machine"
    told = f"runner lost: nothing was heard of {machine} for {LEASE_MS // 1000} s"
    build = _end(tx, stage, told, at)
    if build.deploy_to:
        environments.lose(tx, build, stage, at)


def _give_up(tx: Transaction, stage: StageRow, at: int) -> None:
    hours = PENDING_MS // 3_600_000
    _end(tx, stage, f"no runner took it within {hours} h: is one running that can?", at)


def _end(tx: Transaction, stage: StageRow, told: str, at: int) -> BuildRow:
    end_stage(tx, stage, "error", told, at)
    build = builds.by_id(tx, stage.build_id)
    return follow(tx, build, at)
