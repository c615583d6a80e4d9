"""Logs of steps that are removed, because they are old."""

from shipliftd.stages.step_logs import REMOVED
from shipliftd.store.compiled import Compiled, arg
from shipliftd.store.models import ENDED, Build, LogLine, Stage, Step
from shipliftd.store.transaction import Transaction

MOST_ROWS = 500
_MOST_BYTES = 1024 * 1024
_MOST_STEPS = 200

_NEXT = Compiled(
    LogLine.select(LogLine.step_id, LogLine.position)
    .where(LogLine.step_id > arg(0))
    .order_by(LogLine.step_id, LogLine.position)
    .limit(1)
)
_OF_STEP = Compiled(
    Step.select(Step.log_bytes, Build.status, Build.created, Build.updated)
    .join(Stage)
    .join(Build)
    .where(Step.id == arg(0))
)
_MARK = Compiled(Step.update({Step.log_bytes: REMOVED}).where(Step.id == arg(0)))
_CUT = Compiled(LogLine.delete().where(LogLine.step_id == arg(0), LogLine.position < arg(1)))


def remove(tx: Transaction, before: int, after: int) -> tuple[int, int | None]:
    """Removes a batch of the logs of builds that ended before a time; of those that go on none.

    Goes through the steps that have a log, by id, from the one behind `after` on. Returns how many lines
    were removed, and where to go on, None at the end.
    """
    lines = size = 0
    for _ in range(_MOST_STEPS):
        found = _NEXT.one(tx, after)
        if found is None:
            return lines, None
        step_id, first = found
        log_bytes, status, created, updated = _OF_STEP.one(tx, step_id)
        if created >= before:
            # Steps that were reported later are of builds that ended later.
            return lines, None
        if status in ENDED and updated < before:
            room = MOST_ROWS - lines
            # Before its lines go, so that who reads it is told.
            _MARK.run(tx, step_id)
            removed = _CUT.run(tx, step_id, first + room).rowcount
            lines, size = lines + removed, size + max(log_bytes, 0)
            if lines >= MOST_ROWS or size >= _MOST_BYTES:
                # Behind the step before: it may have more.
                return lines, step_id - 1
        after = step_id
    return lines, after
