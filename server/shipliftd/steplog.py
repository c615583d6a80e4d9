"""The logs of steps: lines by position."""

from shiplift.v1 import builds_pb2
from shiplift.v1 import stages_pb2 as pb

from shipliftd import builds, leases
from shipliftd.compiled import Compiled, Executor, arg
from shipliftd.errors import NotFound, OutOfRange
from shipliftd.fields import Faults
from shipliftd.guard import Caller
from shipliftd.models import ENDED, Build, LogLine, Stage, Step, database
from shipliftd.rows import StepRow

MOST_BYTES = 5 * 1024 * 1024
CUT = "The log ends here: a step keeps 5 MiB of it.\n"
_MOST_LINES = 10_000
_PAGE = 1000
# Of a message, which its reader takes up to 4 MiB.
_PAGE_BYTES = 1024 * 1024
_MOST_LINE = 4 * 1024 * 1024 - 1024

_FIND = Compiled(
    Step.select()
    .join(Stage)
    .join(Build)
    .where(Build.repo == arg(0), Build.number == arg(1), Stage.number == arg(2), Step.number == arg(3))
)
_READ = Compiled(
    LogLine.select(LogLine.position, LogLine.text, LogLine.time)
    .where(LogLine.step_id == arg(0), LogLine.position >= arg(1))
    .order_by(LogLine.position)
    .limit(_PAGE)
)
_GROWN = Compiled(Step.update({Step.log_lines: arg(1), Step.log_bytes: arg(2)}).where(Step.id == arg(0)))
_INSERT = Compiled(
    LogLine.insert(
        {LogLine.step_id: arg(0), LogLine.position: arg(1), LogLine.time: arg(2), LogLine.text: arg(3)}
    )
)


def append(caller: Caller, request: pb.AppendLogRequest) -> tuple[int, int]:
    """Adds lines to a step's log; returns the next position and the step's id.

    Raises Invalid, NotFound, Denied (another's stage), OutOfRange (a gap).
    """
    faults = Faults()
    leases.check_held(request, faults)
    faults.not_negative("first_position", request.first_position)
    if len(request.lines) > _MOST_LINES:
        faults.add("lines", f"{len(request.lines)} of them: at most {_MOST_LINES}")
    for n, line in enumerate(request.lines[:_MOST_LINES]):
        if line.time < 0:
            faults.add(f"lines[{n}].time", f"is {line.time}: wanted 0 or above")
    faults.refuse()
    step, _, _ = leases.held_step(caller, request.step_id, request.lease_token)
    first, lines = request.first_position, request.lines
    position, size = step.log_lines, step.log_bytes
    # The last line of a full log, which says that it is, is not the caller's.
    if request.replace and first < position - (size >= MOST_BYTES):
        position, size = first, _cut_back(step, first)
    if size >= MOST_BYTES:
        # What is sent on is dropped, and its sender none the wiser.
        return max(position, first + len(lines)), step.id
    if first > position:
        raise OutOfRange(
            f"first_position is {first}, and the log has {position} lines: send those between first",
            reason="LOG_GAP",
        )
    for line in lines[position - first :]:
        text, length = _kept(line.text)
        _INSERT.run(database, step.id, position, line.time, text)
        position, size = position + 1, size + length
        if size >= MOST_BYTES:
            _INSERT.run(database, step.id, position, line.time, CUT)
            position += 1
            break
    if (position, size) != (step.log_lines, step.log_bytes):
        _GROWN.run(database, step.id, position, size)
    return max(position, first + len(lines)), step.id


def _kept(text: str) -> tuple[str, int]:
    """The text that is kept of a line, and its bytes: without NUL, and no more than can be read again."""
    text = text.replace("\0", "\ufffd")
    data = text.encode()
    if len(data) <= _MOST_LINE:
        return text, len(data)
    data = data[:_MOST_LINE]
    return data.decode(errors="ignore"), len(data)


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
    )


def read(executor: Executor, step_id: int, position: int) -> list[tuple[int, str, int]]:
    """Some lines from a position on, each with its position and time."""
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
