"""The logs of steps: lines by position."""

from collections.abc import Sequence

from peewee import fn
from shiplift.v1 import builds_pb2
from shiplift.v1 import stages_pb2 as pb

from shipliftd import builds, leases
from shipliftd.compiled import Compiled, Executor, arg
from shipliftd.errors import NotFound, OutOfRange
from shipliftd.fields import Faults, milliseconds
from shipliftd.guard import Caller
from shipliftd.models import ENDED, Build, LogLine, Stage, Step, database
from shipliftd.rows import StepRow

MOST_BYTES = 5 * 1024 * 1024
CUT = "The log ends here: a step keeps 5 MiB of it.\n"
LEFT_OUT = "{} lines left out.\n"
MOST_LINES = 10_000
_PAGE = 1000
# Of a message: a reader who does not read has three of them in the server's memory.
_PAGE_BYTES = 128 * 1024
_MOST_LINE = 4 * 1024 * 1024 - 1024

_FIND = Compiled(
    Step.select()
    .join(Stage)
    .join(Build)
    .where(Build.repo == arg(0), Build.number == arg(1), Stage.number == arg(2), Step.number == arg(3))
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


def append(caller: Caller, request: pb.AppendLogRequest) -> tuple[int, int]:
    """Adds lines to a step's log; returns the next position and the step's id.

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
    step, _, _ = leases.held_step(caller, request.step_id, request.lease_token)
    first, lines = request.first_position, request.lines
    position, size = step.log_lines, step.log_bytes
    if request.replace and size >= MOST_BYTES and first >= (full_at := _last(database, step)[0]):
        # The line that says that the log is full is not the caller's.
        position = max(full_at, first) + 1
    elif request.replace and first < position:
        position, size = first, _cut_back(step, first)
    if size < MOST_BYTES:
        if first > position:
            raise OutOfRange(
                f"first_position is {first}, and the log has {position} lines: send those between first",
                reason="LOG_GAP",
                metadata={"first_position": first, "next_position": position},
            )
        position, size = _add(step, position, size, lines[position - first :])
    if size >= MOST_BYTES:
        # What is sent on is counted alone, with the line that says so, and its sender none the wiser.
        position = max(position, first + len(lines) + 1)
    if (position, size) != (step.log_lines, step.log_bytes):
        _GROWN.run(database, step.id, position, size)
    return max(position - (size >= MOST_BYTES), first + len(lines)), step.id


def _add(step: StepRow, position: int, size: int, lines: Sequence[builds_pb2.LogLine]) -> tuple[int, int]:
    """Adds the lines that there is room for; returns the log's lines and bytes then."""
    rows: list[tuple[object, ...]] = []
    for line in lines:
        text, length = _kept(line.text)
        at = milliseconds(line.time)
        rows.append((step.id, position, at // 1000, text, at))
        position, size = position + 1, size + length
        if size >= MOST_BYTES:
            rows.append((step.id, position, at // 1000, CUT, at))
            position += 1
            break
    _INSERT.run_each(database, rows)
    return position, size


def _kept(text: str) -> tuple[str, int]:
    """The text that is kept of a line, and its bytes: without NUL, and no more than can be read again."""
    text = text.replace("\0", "\ufffd")
    data = text.encode()
    if len(data) <= _MOST_LINE:
        return text, len(data)
    data = data[:_MOST_LINE]
    return data.decode(errors="ignore"), len(data)


def left_out(executor: Executor, step: StepRow, position: int) -> list[tuple[int, str, int]]:
    """The line behind a full log that says how many more were sent, to whoever has read as far as this."""
    if step.log_bytes < MOST_BYTES:
        return []
    last, at = _last(executor, step)
    # Of those counted one is the line that says that the log is full.
    count = step.log_lines - 1 - last
    return [(last + 1, LEFT_OUT.format(count), at)] if count > 0 and position <= last + 1 else []


def _last(executor: Executor, step: StepRow) -> tuple[int, int]:
    """The position of a log's last line, and its time in milliseconds."""
    last, at = _LAST.one(executor, step.id)
    return last, at


def _cut_back(step: StepRow, first: int) -> int:
    """Takes away the lines from a position on, and returns how many bytes are left."""
    LogLine.delete().where(LogLine.step_id == step.id, LogLine.position >= first).execute()
    return sum(len(line.text.encode()) for line in LogLine.select().where(LogLine.step_id == step.id))


def find(executor: Executor, caller: Caller, request: builds_pb2.TailLogRequest) -> StepRow:
    """The step whose log is asked for. Raises Invalid, NotFound."""
    faults = Faults()
    for name in ("build", "stage", "step"):
        faults.positive(name, getattr(request, name))
    faults.not_negative("position", request.position)
    faults.refuse()
    row = _FIND.one(executor, caller.repo_id, request.build, request.stage, request.step)
    if row is not None:
        return StepRow._make(row)
    if builds.find(executor, caller.repo_id, request.build) is None:
        raise builds.not_found(caller, request.build)
    raise NotFound(
        f"build {request.build} has no step {request.step} in stage {request.stage}: a step is there once"
        " its runner has reported it",
        reason="STEP_NOT_FOUND",
        metadata={"build": request.build, "stage": request.stage, "step": request.step},
    )


def read(executor: Executor, step_id: int, position: int) -> list[tuple[int, str, int]]:
    """Some lines from a position on, each with its position, text and time in milliseconds."""
    rows: list[tuple[int, str, int]] = []
    size = 0
    for row in _READ.run(executor, step_id, position):
        size += len(row[1].encode())
        if rows and size > _PAGE_BYTES:
            break
        rows.append(row)
    return rows


def has_ended(step: StepRow) -> bool:
    """Whether no more lines will come."""
    return step.status in ENDED
