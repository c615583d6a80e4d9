"""Stages: what their holders report of them and of their steps."""

from collections.abc import Collection, Iterable
from typing import Any, Literal, NamedTuple

from shiplift.v1 import builds_pb2 as builds_api
from shiplift.v1 import stages_pb2 as pb

from shipliftd import builds
from shipliftd.access.callers import Caller
from shipliftd.clock import now
from shipliftd.enum_words import STATUS_WORD, as_json
from shipliftd.errors import stale
from shipliftd.fields import Faults, milliseconds
from shipliftd.stages import flow, leases
from shipliftd.store import moves
from shipliftd.store.compiled import inserting
from shipliftd.store.models import ENDED, Step
from shipliftd.store.rows import StageRow, StepRow
from shipliftd.store.transaction import Transaction

_MOST_STEPS = 200
_REPORTED = (
    builds_api.BUILD_STATUS_PENDING,
    builds_api.BUILD_STATUS_RUNNING,
    builds_api.BUILD_STATUS_SUCCESS,
    builds_api.BUILD_STATUS_FAILURE,
    builds_api.BUILD_STATUS_ERROR,
    builds_api.BUILD_STATUS_KILLED,
    builds_api.BUILD_STATUS_SKIPPED,
)

_INSERT_STEP = inserting(Step)


def update_stage(
    tx: Transaction, caller: Caller, request: pb.UpdateStageRequest
) -> tuple[StageRow, tuple[StepRow, ...]]:
    """Reports how a stage goes on. Raises Invalid, NotFound, Denied, Aborted (another version)."""
    report = _checked(request)
    place = {name: getattr(request, name) for name in _PLACE if request.HasField(name)}
    if report.says_something or place:
        moves.lock_build_of(tx, request.stage_id)
    stage, build = leases.held_stage(tx, caller, request.stage_id, request.lease_token)
    if stage.status in ENDED:
        return stage, builds.steps_of_stage(tx, stage.id)
    if request.HasField("version") and request.version != stage.version:
        raise stale(f"stage {stage.id}", stage.version, request.version)
    # Not before it was made, where the clock was set back.
    at = max(now(), stage.created)
    steps = _report_steps(tx, stage, request.steps, at)
    tx.tell("moved", stage.build_id)
    if not report.says_something and not place:
        return stage, steps
    moved = _moved(stage, report, at)._replace(**place)
    moved = moves.move_stage(tx, moved._replace(updated=at))
    if moved.status in ENDED:
        steps = _end_steps(tx, steps, moved, at)
    flow.follow(tx, build, at)
    return moved, steps


def update_step(tx: Transaction, caller: Caller, request: pb.UpdateStepRequest) -> tuple[StepRow, StageRow]:
    """Reports how a step goes on. Raises Invalid, NotFound, Denied, Aborted (another version)."""
    report = _checked(request)
    step, stage, _ = leases.held_step(tx, caller, request.step_id, request.lease_token)
    if step.status in ENDED:
        return step, stage
    if request.HasField("version") and request.version != step.version:
        raise stale(f"step {step.id}", step.version, request.version)
    if not report.says_something and not request.HasField("schema"):
        return step, stage
    at = now()
    moved = _moved(step, report, at)
    if request.HasField("schema"):
        moved = moved._replace(schema=request.schema)
    tx.tell("moved", stage.build_id)
    return moves.move_step(tx, stage, moved, at), stage


class _Report(NamedTuple):
    """What a report says: '' and None and 0 where it says nothing."""

    status: str
    error: str | None
    exit_code: int | None
    started: int
    stopped: int
    message: str | None = None
    link: str | None = None

    @property
    def says_something(self) -> bool:
        """Whether it is more than a sign of life."""
        told = (self.error, self.exit_code, self.message, self.link)
        return bool(self.status or self.started or self.stopped) or told != (None,) * 4


def _checked(request: pb.UpdateStageRequest | pb.UpdateStepRequest) -> _Report:
    faults = Faults()
    leases.check_held(request, faults)
    _check_status("status", request.status, faults)
    texts: dict[str, str] = {}
    for name, most in _TEXTS.items():
        if name in request.DESCRIPTOR.fields_by_name and request.HasField(name):
            texts[name] = getattr(request, name)
            faults.text(name, texts[name], most)
    started = faults.time("started", request.started)
    stopped = faults.time("stopped", request.stopped)
    if isinstance(request, pb.UpdateStageRequest):
        _check_steps(request.steps, faults)
    faults.refuse()
    return _Report(
        STATUS_WORD.get(request.status, ""),
        texts.get("error"),
        request.exit_code if request.HasField("exit_code") else None,
        started,
        stopped,
        texts.get("message"),
        texts.get("link"),
    )


# Of a report's step, beside what reports of stages have as well.
_OF_A_STEP: tuple[Literal["errignore", "image", "detached", "schema"], ...]
_OF_A_STEP = ("errignore", "image", "detached", "schema")
# Where a stage runs: once somebody has it, no longer what is asked of its runner.
_PLACE: tuple[Literal["machine", "os", "arch", "variant", "kernel"], ...]
_PLACE = ("machine", "os", "arch", "variant", "kernel")
_TEXTS = {
    **{"error": 2000, "message": 2000, "link": 2000, "machine": 200, "schema": 1000},
    **dict.fromkeys(("os", "arch", "variant", "kernel"), 100),
}


def _check_status(field: str, status: int, faults: Faults) -> None:
    if status:
        faults.word(field, status, _REPORTED, [builds_api.BuildStatus.Name(word) for word in _REPORTED])


def _check_steps(steps: Collection[pb.StepReport], faults: Faults) -> None:
    for n, step in enumerate(faults.few("steps", steps, _MOST_STEPS)):
        at = f"steps[{n}]"
        faults.positive(f"{at}.number", step.number)
        _check_status(f"{at}.status", step.status, faults)
        for name, most in (("name", 100), ("error", 2000), ("image", 1000), ("schema", 1000)):
            faults.text(f"{at}.{name}", getattr(step, name), most)
        for name in faults.few(f"{at}.depends_on", step.depends_on, _MOST_STEPS):
            faults.text(f"{at}.depends_on", name, 100)
        faults.time(f"{at}.started", step.started)
        faults.time(f"{at}.stopped", step.stopped)


def _moved(row: Any, report: _Report, at: int) -> Any:  # noqa: ANN401  # a stage or a step, as it came
    # What runs does not go back to waiting.
    status = row.status if report.status in ("", "pending") else report.status
    started = report.started or row.started
    if not started and status in ("running", "success", "failure"):
        started = at
    row = row._replace(
        status=status,
        error=row.error if report.error is None else report.error,
        exit_code=row.exit_code if report.exit_code is None else report.exit_code,
        started=started,
        stopped=(report.stopped or max(at, started)) if status in ENDED else 0,
    )
    if report.message is not None:
        row = row._replace(message=report.message)
    if report.link is not None:
        row = row._replace(link=report.link)
    return row


def _report_steps(
    tx: Transaction, stage: StageRow, reports: Iterable[pb.StepReport], at: int
) -> tuple[StepRow, ...]:
    """Makes the steps that are not there yet, and moves the others on."""
    there = {step.number: step for step in builds.steps_of_stage(tx, stage.id)}
    for report in reports:
        step = there.get(report.number)
        if step is None:
            there[report.number] = _new_step(tx, stage, report, at)
        elif step.status not in ENDED:
            there[report.number] = _stepped(tx, stage, step, report, at)
    return tuple(there[number] for number in sorted(there))


def _new_step(tx: Transaction, stage: StageRow, report: pb.StepReport, at: int) -> StepRow:
    status = STATUS_WORD.get(report.status, "pending")
    values = StepRow(
        id=0,
        stage_id=stage.id,
        number=report.number,
        name=report.name or f"step {report.number}",
        status=status,
        error=report.error,
        errignore=report.errignore,
        exit_code=report.exit_code,
        started=milliseconds(report.started),
        stopped=milliseconds(report.stopped),
        version=1,
        depends_on=as_json(list(report.depends_on)),
        image=report.image,
        detached=report.detached,
        schema=report.schema,
        log_lines=0,
        log_bytes=0,
    )
    step = values._replace(id=_INSERT_STEP.insert(tx, *values[1:]))
    moves.step_changed(tx, stage, step, at)
    return step


def _stepped(tx: Transaction, stage: StageRow, step: StepRow, report: pb.StepReport, at: int) -> StepRow:
    said = _Report(
        STATUS_WORD.get(report.status, ""),
        report.error if report.HasField("error") else None,
        report.exit_code if report.HasField("exit_code") else None,
        milliseconds(report.started),
        milliseconds(report.stopped),
    )
    others = {name: getattr(report, name) for name in _OF_A_STEP if report.HasField(name)}
    moved: StepRow = _moved(step, said, at)._replace(**others)
    return step if moved == step else moves.move_step(tx, stage, moved, at)


def _end_steps(tx: Transaction, steps: Iterable[StepRow], stage: StageRow, at: int) -> tuple[StepRow, ...]:
    """Nothing of a stage that has ended goes on."""
    ended = []
    for step in steps:
        if step.status in ("pending", "waiting_on_dependencies"):
            ended.append(moves.move_step(tx, stage, step._replace(status="skipped"), at))
        elif step.status not in ENDED:
            status = "killed" if stage.status in ("killed", "skipped") else "error"
            error = step.error or stage.error
            stopped = max(at, step.started)
            moved = step._replace(status=status, stopped=stopped, error=error)
            ended.append(moves.move_step(tx, stage, moved, at))
        else:
            ended.append(step)
    return tuple(ended)


def end_steps(tx: Transaction, stage: StageRow, at: int) -> None:
    """Ends the steps of a stage that ends."""
    _end_steps(tx, builds.steps_of_stage(tx, stage.id), stage, at)


def end_stage(tx: Transaction, stage: StageRow, status: str, error: str, at: int) -> StageRow:
    """Ends a stage that its holder does not report of any more, and its steps with it."""
    stopped = max(at, stage.started) if stage.started or status != "skipped" else 0
    stage = moves.move_stage(tx, stage._replace(status=status, error=error, stopped=stopped, updated=at))
    end_steps(tx, stage, at)
    return stage
