"""Reports: how a recorded build or a promotion goes on."""

from typing import NamedTuple

from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb

from shipliftd import builds
from shipliftd.access.callers import Caller
from shipliftd.access.write_once import Written, write
from shipliftd.builds.recording import check_status
from shipliftd.clock import now
from shipliftd.enum_words import STATUS_WORD
from shipliftd.errors import Denied, Precondition, stale
from shipliftd.fields import Faults
from shipliftd.stages import carry_on, end_steps, holds, keep_all
from shipliftd.store import moves
from shipliftd.store.models import ENDED, FAILED, Stage
from shipliftd.store.rows import BuildRow, BuildWithStages
from shipliftd.store.transaction import Transaction


class _Report(NamedTuple):
    """A report with its faults found: status '' and times 0 where it says nothing of them."""

    status: str
    started: int
    finished: int
    message: str | None
    link: str | None


def _look(tx: Transaction, caller: Caller, request: pb.UpdateBuildRequest) -> None:
    """Whether the token may say how this build goes on.

    What a CI system made is reported by whoever records; a report on a promotion decides what is in an
    environment, and is for whoever promotes, or has its stages.
    """
    if caller.cut is None or not (caller.cut.actions or caller.cut.environments):
        return
    row = builds.find(tx, caller.repo_id, request.build)
    if row is None:
        return
    if not row.deploy_to:
        caller.require_action(access_pb2.TOKEN_ACTION_RECORD, "a report on a recorded build")
        return
    caller.require_environment(row.deploy_to)
    what = f"a report on build {row.number}, which goes to {row.deploy_to},"
    if caller.may(access_pb2.TOKEN_ACTION_RUN) and not caller.may(access_pb2.TOKEN_ACTION_PROMOTE):
        if holds(tx, caller, row.id):
            return
        raise Denied(
            f"{what} needs the action promote, or all of its stages that have not ended, and this token has"
            " not got these: AcceptStage (shiplift take) gives a stage, UpdateStage reports on it",
            reason="NO_LEASE",
            metadata={"build": row.number, "environment": row.deploy_to},
        )
    caller.require_action(access_pb2.TOKEN_ACTION_PROMOTE, what, "or the action run and its stages")


@write(load=builds.load, look=_look)
def update(tx: Transaction, caller: Caller, request: pb.UpdateBuildRequest) -> Written[BuildWithStages]:
    """Moves a build, and its stages that have not ended, onwards.

    Raises Invalid, NotFound, Denied (the token is cut to other environments), Aborted (another version),
    Precondition (it has ended, or would go backwards).
    """
    report = _checked(request)
    row = builds.find(tx, caller.repo_id, request.build)
    if row is None:
        raise builds.not_found(caller, request.build)
    if request.HasField("version") and request.version != row.version:
        raise stale(f"build {row.number}", row.version, request.version)
    if row.waits and row.status not in ENDED:
        raise Precondition(
            f"promotion {row.number} waits, so nothing can be reported of it yet: {builds.waits_for(row)}",
            reason="PROMOTION_WAITS",
            violations=[("build", "waits")],
            metadata={"build": row.number, "environment": row.deploy_to},
        )
    moves.lock_build(tx, row.id)
    # Whoever deploys by hand has no other way to say that they are still at it.
    keep_all(tx, row.id)
    if not _moves(row, report):
        return Written(builds.load(tx, caller, row.id))
    moved = _moved(row, report, max(now(), row.created))
    _move_stages(tx, moved, report)
    carry_on(tx, moved)
    return Written(builds.load(tx, caller, row.id))


def _checked(request: pb.UpdateBuildRequest) -> _Report:
    faults = Faults()
    faults.positive("build", request.build)
    check_status(request.status, faults)
    faults.text("message", request.message, 2000)
    faults.text("link", request.link, 2000)
    started = faults.time("started", request.started)
    finished = faults.time("finished", request.finished)
    faults.refuse()
    return _Report(
        STATUS_WORD.get(request.status, ""),
        started,
        finished,
        request.message if request.HasField("message") else None,
        request.link if request.HasField("link") else None,
    )


def _moves(row: BuildRow, report: _Report) -> bool:
    """Whether the report changes anything; raises Precondition when it may not."""
    if row.status in ENDED:
        if report.status == row.status:
            return False
        raise Precondition(
            f"build {row.number} has ended in {row.status}, and what has ended does not change:"
            " promote again for another try",
            reason="BUILD_ENDED",
            violations=[("status", f"is {row.status}")],
            metadata={"build": row.number, "status": row.status},
        )
    if row.status == "running" and report.status == "pending":
        raise Precondition(
            f"build {row.number} is running, and does not go back to pending",
            reason="BUILD_RUNNING",
            violations=[("status", "is running")],
            metadata={"build": row.number},
        )
    if report.status not in ("", row.status) or report.started or report.finished:
        return True
    return report.message is not None or report.link is not None


def _moved(row: BuildRow, report: _Report, at: int) -> BuildRow:
    status = report.status or row.status
    ended = status in ENDED
    faults = Faults()
    if report.started and status == "pending":
        faults.add("started", "is set, but the build has not begun: report it running")
    if report.finished and not ended:
        faults.add("finished", "is set, but the build has not ended: report how it did")
    started = report.started or row.started
    finished = (report.finished or max(at, started)) if ended else 0
    # What was killed or broke before it began never began.
    if not started and status in ("running", "success", "failure"):
        started = min(at, finished or at)
    if finished and finished < started:
        faults.add("finished", "is before `started`")
    faults.refuse()
    return row._replace(
        status=status,
        error=report.message or "" if status in FAILED else "",
        started=started,
        finished=finished,
        updated=at,
    )


def _move_stages(tx: Transaction, row: BuildRow, report: _Report) -> None:
    stage: dict[str, object] = {
        "status": row.status,
        "error": row.error,
        "started": row.started,
        "stopped": row.finished,
        "updated": row.updated,
        "version": Stage.version + 1,
    }
    if row.status in ENDED:
        stage["lease_expires"] = 0
    for goes in builds.stages_of(tx, row.id):
        if goes.status not in ENDED:
            moved = goes._replace(
                status=row.status, error=row.error, updated=row.updated, version=goes.version + 1
            )
            if row.status in ENDED:
                end_steps(tx, moved, row.updated)
            moves.stage_changed(tx, moved)
    if report.message is not None:
        stage["message"] = report.message
    if report.link is not None:
        stage["link"] = report.link
    tx.execute(Stage.update(stage).where(Stage.build == row.id, Stage.status.not_in(ENDED)))
