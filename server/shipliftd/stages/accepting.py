"""Accepting a stage: who waited for it has it from here on."""

import secrets
from collections.abc import Callable

from shiplift.v1 import stages_pb2 as pb

from shipliftd.access.callers import Caller, hash_of
from shipliftd.access.write_once import Written, write
from shipliftd.clock import now
from shipliftd.errors import Aborted, Invalid
from shipliftd.fields import Faults
from shipliftd.stages import build_stages, flow, holders, leases
from shipliftd.stages.leases import Leased, Work
from shipliftd.store import moves
from shipliftd.store.rows import BuildRow, StageRow
from shipliftd.store.transaction import Reader, Transaction


def _in_reach(tx: Transaction, caller: Caller, request: pb.AcceptStageRequest) -> None:
    faults = Faults()
    leases.check_held(request, faults)
    leases.check_machine(request.machine, faults)
    faults.refuse()
    leases.reached(tx, caller, request.stage_id)


@write(load=leases.load, look=_in_reach)
def accept(
    tx: Transaction, caller: Caller, request: pb.AcceptStageRequest, work_of: Callable[[Leased], Work]
) -> Written[Leased]:
    """Claims a stage for the caller, and makes what it has to do.

    Where `work_of` raises Invalid nobody can do the stage, and it ends. Raises Invalid, NotFound, Aborted
    (somebody else has it).
    """
    stage, build = leases.stage_and_build(tx, request.stage_id)
    if not _is_to_be_taken(tx, stage, build):
        raise leases.missing(stage.id)
    if stage.status != "pending" or stage.lease_hash is not None:
        raise _taken(stage)
    if stage.limit or stage.throttle:
        moves.lock_repository(tx, stage.repo_id)
    moves.lock_build(tx, build.id)
    if not leases.room_for(tx, stage):
        raise Aborted(
            f"as many stages {stage.name!r} run now as may: ask again once one has ended",
            reason="LIMIT_REACHED",
            violations=[("stage_id", f"as many stages {stage.name!r} run now as may")],
            metadata={
                "stage_id": stage.id,
                "stage": stage.name,
                "limit": stage.limit,
                "throttle": stage.throttle,
            },
        )
    secret = secrets.token_urlsafe(32)
    at = now()
    moves.claim_stage(
        tx, stage, request.machine, hash_of(secret), caller.token_id, at + leases.LEASE_MS, at
    )
    leased = leases.load(tx, caller, stage.id)
    try:
        work: Work | Invalid = work_of(leased)
    except Invalid as error:
        # It must not wait until its runner counts as lost.
        holders.end_stage(tx, leased.stage, "error", str(error), at)
        flow.follow(tx, build, at)
        work = error
    given = [] if isinstance(work, Invalid) else [*work.secrets, *work.params]
    told = f"secrets: {', '.join(given)}" if given else ""
    return Written(leased._replace(secret=secret, work=work), noted=told)


def _taken(stage: StageRow) -> Aborted:
    machine = stage.machine if stage.lease_hash is not None else ""
    held = f"and taken by {machine}" if machine else "and taken"
    told = (
        f"is {stage.status} {held}" if stage.lease_hash is not None else f"is {stage.status}, not pending"
    )
    return Aborted(
        f"stage {stage.id} {told}: ask for another",
        reason="STAGE_TAKEN",
        violations=[("stage_id", told)],
        metadata={"stage_id": stage.id, "status": stage.status, "machine": machine},
    )


def _is_to_be_taken(reader: Reader, stage: StageRow, build: BuildRow) -> bool:
    """Whether there is something to do: what a CI system records is its own, and steps stand in a file."""
    if stage.kind == "external":
        return build.parent > 0
    said = build_stages.said_by(reader, build.pipeline_id)
    return said is not None and said.find(stage.name) is not None
