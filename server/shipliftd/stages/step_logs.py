"""The logs of steps: lines by position."""

from collections.abc import Sequence
from typing import NamedTuple

from peewee import fn
from shiplift.v1 import builds_pb2
from shiplift.v1 import stages_pb2 as pb

from shipliftd import builds
from shipliftd.access.callers import Caller
from shipliftd.errors import NotFound, OutOfRange
from shipliftd.fields import Faults, milliseconds
from shipliftd.stages import leases
from shipliftd.store.compiled import Compiled, arg
from shipliftd.store.models import ENDED, Build, LogLine, Stage, Step
from shipliftd.store.rows import StepRow
from shipliftd.store.transaction import Reader, Transaction

MOST_BYTES = 5 * 1024 * 1024
CUT = "The log ends here: a step keeps 5 MiB of it.\n"
LEFT_OUT = "{} lines left out.\n"
# `log_bytes` of a log that was removed.
REMOVED = -1
TOO_OLD = "This log of {} lines was removed: it was older than the server's --keep-logs.\n"
MOST_LINES = 10_000
_PAGE = 1000
# Of a message: a reader who does not read has three of them in the server's memory.
_PAGE_BYTES = 128 * 1024
_MOST_LINE = 4 * 1024 * 1024 - 1024

# Of one moment, and small: whoever follows asks again and again.
_STAGES = Compiled(
    Build.select(Build.id, Build.status, Stage.number, Stage.status)
    .join(Stage, on=(Stage.build == Build.id))
    .where(Build.repo == arg(0), Build.number == arg(1))
)
_STEP = Compiled(
    Step.select().join(Stage).where(Stage.build == arg(0), Stage.number == arg(1), Step.number == arg(2))
)
_STEPS = Compiled(
    Step.select(Step, Stage.number)
    .join(Stage)
    .where(Stage.build == arg(0))
    .order_by(Stage.number, Step.number)
)
# Of a line that release 0.1 wrote the seconds alone are known.
_TIME = fn.COALESCE(LogLine.milliseconds, LogLine.time * 1000)
_READ = Compiled(
    LogLine.select(LogLine.position, LogLine.text, _TIME)
    .where(LogLine.step_id == arg(0), LogLine.position >= arg(1))
    .order_by(LogLine.position)
    .limit(_PAGE)
)
_LAST = Compiled(
    LogLine.select(LogLine.position, _TIME)
    .where(LogLine.step_id == arg(0))
    .order_by(LogLine.position.desc())
    .limit(1)
)
_GROWN = Compiled(Step.update({Step.log_lines: arg(1), Step.log_bytes: arg(2)}).where(Step.id == arg(0)))
_INSERT = Compiled(
    LogLine.insert(
        {
            LogLine.step_id: arg(0),
            LogLine.position: arg(1),
            LogLine.time: arg(2),
            LogLine.text: arg(3),
            LogLine.milliseconds: arg(4),
        }
    )
)


# Position, text, and seconds since the step began.
Line = tuple[int, str, int]


def append(tx: Transaction, caller: Caller, request: pb.AppendLogRequest) -> tuple[int, bool]:
    """Adds lines to a step's log; returns the next position, and whether the log is full.

    Raises Invalid, NotFound, Denied (another's stage), OutOfRange (a gap).
    """
    faults = Faults()
    leases.check_held(request, faults)
    faults.not_negative("first_position", request.first_position)
    if len(request.lines) > MOST_LINES:
        faults.add("lines", f"{len(request.lines)} of them: at most {MOST_LINES}")
    for n, line in enumerate(request.lines[:MOST_LINES]):
        faults.duration(f"lines[{n}].time", line.time)
    faults.refuse()
    step, stage, _ = leases.held_step(tx, caller, request.step_id, request.lease_token)
    first, lines = request.first_position, request.lines
    position, size = step.log_lines, step.log_bytes
    if size == REMOVED:
        return max(position, first + len(lines)), True
    if request.replace and size >= MOST_BYTES and first >= (full_at := _last(tx, step)[0]):
        # The line that says that the log is full is not the caller's.
        position = max(full_at, first) + 1
    elif request.replace and first < position:
        position, size = first, _cut_back(tx, step, first)
    if size < MOST_BYTES:
        if first > position:
            raise OutOfRange(
                f"first_position is {first}, and the log has {position} lines: send those between first",
                reason="LOG_GAP",
                metadata={"first_position": first, "next_position": position},
            )
        position, size = _add(tx, step, position, size, lines[position - first :])
    if size >= MOST_BYTES:
        # What is sent on is counted alone, with the line that says so, and its sender none the wiser.
        position = max(position, first + len(lines) + 1)
    if (position, size) != (step.log_lines, step.log_bytes):
        _GROWN.run(tx, step.id, position, size)
    tx.tell("grown", stage.build_id)
    is_full = size >= MOST_BYTES
    return max(position - is_full, first + len(lines)), is_full


def _add(
    tx: Transaction, step: StepRow, position: int, size: int, lines: Sequence[builds_pb2.LogLine]
) -> tuple[int, int]:
    """Adds the lines that there is room for; returns the log's lines and bytes then."""
    rows: list[tuple[object, ...]] = []
    for line in lines:
        text, length = _stored(line.text)
        at = milliseconds(line.time)
        rows.append((step.id, position, at // 1000, text, at))
        position, size = position + 1, size + length
        if size >= MOST_BYTES:
            rows.append((step.id, position, at // 1000, CUT, at))
            position += 1
            break
    _INSERT.run_each(tx, rows)
    return position, size


def _stored(text: str) -> tuple[str, int]:
    """The text that is kept of a line, and its bytes: without NUL, and no more than can be read again."""
    text = text.replace("\0", "\ufffd")
    data = text.encode()
    if len(data) <= _MOST_LINE:
        return text, len(data)
    data = data[:_MOST_LINE]
    return data.decode(errors="ignore"), len(data)


def _left_out(reader: Reader, step: StepRow, position: int) -> list[Line]:
    """The line behind a full log that says how many more were sent, to whoever has read as far as this."""
    if step.log_bytes < MOST_BYTES:
        return []
    found = _LAST.one(reader, step.id)
    if found is None:
        # Removed since the step was looked at.
        return []
    last, at = found
    # Of those counted one is the line that says that the log is full.
    count = step.log_lines - 1 - last
    return [(last + 1, LEFT_OUT.format(count), at)] if count > 0 and position <= last + 1 else []


def _last(reader: Reader, step: StepRow) -> tuple[int, int]:
    """The position of a log's last line, and its time in milliseconds."""
    last, at = _LAST.one(reader, step.id)
    return last, at


def _cut_back(tx: Transaction, step: StepRow, first: int) -> int:
    """Takes away the lines from a position on, and returns how many bytes are left."""
    tx.execute(LogLine.delete().where(LogLine.step_id == step.id, LogLine.position >= first))
    left = LogLine.select(LogLine.text).where(LogLine.step_id == step.id)
    return sum(len(text.encode()) for (text,) in tx.each(left))


class Logs(NamedTuple):
    """The steps whose logs are asked for, by their stages' numbers, and whether no more lines will come."""

    build_id: int
    steps: list[tuple[int, StepRow]]
    have_ended: bool


def check(request: builds_pb2.TailLogRequest) -> None:
    """Raises Invalid where it is not clear what is to be read."""
    faults = Faults()
    faults.positive("build", request.build)
    for name in ("stage", "step", "position"):
        faults.not_negative(name, getattr(request, name))
    if request.step > 0 and not request.stage:
        faults.add("stage", f"is 0: name the stage that step {request.step} is of")
    if request.position > 0 and not request.step:
        faults.add(
            "position",
            f"is {request.position}: goes with stage and step, as each step counts its own lines",
        )
    faults.refuse()


def look(reader: Reader, caller: Caller, request: builds_pb2.TailLogRequest) -> Logs:
    """How the logs that are asked for stand. Raises NotFound."""
    stages = _STAGES.run(reader, caller.repo_id, request.build).fetchall()
    if not stages:
        raise builds.not_found(caller, request.build)
    build_id, status = stages[0][:2]
    if request.stage:
        status = next((row[3] for row in stages if row[2] == request.stage), None)
    if request.step:
        return _look_at_one(reader, build_id, status, request)
    if status is None:
        raise NotFound(
            f"build {request.build} has no stage {request.stage}: it has {len(stages)}",
            reason="STAGE_NOT_FOUND",
        )
    # After how far it is: whatever has ended has all its steps.
    steps = [(row[-1], StepRow._make(row[:-1])) for row in _STEPS.run(reader, build_id)]
    if request.stage:
        steps = [each for each in steps if each[0] == request.stage]
    return Logs(build_id, steps, status in ENDED)


def _look_at_one(
    reader: Reader, build_id: int, status: str | None, request: builds_pb2.TailLogRequest
) -> Logs:
    """How a step's log stands; `status` is its stage's, None where there is none."""
    row = _STEP.one(reader, build_id, request.stage, request.step)
    if row is not None:
        step = StepRow._make(row)
        return Logs(build_id, [(request.stage, step)], step.status in ENDED)
    if request.follow and status is not None and status not in ENDED:
        return Logs(build_id, [], have_ended=False)
    raise NotFound(
        f"build {request.build} has no step {request.step} in stage {request.stage}: a step is there once"
        " its runner has reported it",
        reason="STEP_NOT_FOUND",
        metadata={"build": request.build, "stage": request.stage, "step": request.step},
    )


def read(reader: Reader, step: StepRow, position: int, following: bool) -> list[Line]:
    """Some lines from a position on; behind the last one what says how many are left out, once known.

    Of a log that was removed the one that says so.
    """
    if step.log_bytes == REMOVED:
        return [(step.log_lines - 1, TOO_OLD.format(step.log_lines), 0)]
    rows: list[Line] = []
    size = 0
    for row in _READ.run(reader, step.id, position):
        size += len(row[1].encode())
        if rows and size > _PAGE_BYTES:
            break
        rows.append(row)
    if not rows and (step.status in ENDED or not following):
        return _left_out(reader, step, position)
    return rows
