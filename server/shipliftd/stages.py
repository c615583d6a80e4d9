"""Stages: who may have one, claiming it, and what its holder reports."""

import hashlib
import hmac
import json
import secrets
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as builds_api
from shiplift.v1 import stages_pb2 as pb

from shipliftd import builds, derived, flow
from shipliftd.clock import now
from shipliftd.compiled import Compiled, Executor, arg, inserting
from shipliftd.errors import Aborted, Denied, NotFound
from shipliftd.fields import Faults
from shipliftd.guard import Caller, reachable
from shipliftd.models import ENDED, Build, Deployment, Repository, Stage, Step, database
from shipliftd.rows import BuildRow, BuildWithStages, Leased, StageRow, StepRow
from shipliftd.words import STATUS_WORD, as_json
from shipliftd.writes import Written, write

LEASE_MS = 60_000
# A lease with more than this left is not stored anew.
_FRESH_MS = 45_000
_MOST_STEPS = 200
_REPORTED = (
    builds_api.STATUS_PENDING,
    builds_api.STATUS_RUNNING,
    builds_api.STATUS_SUCCESS,
    builds_api.STATUS_FAILURE,
    builds_api.STATUS_ERROR,
    builds_api.STATUS_KILLED,
    builds_api.STATUS_SKIPPED,
)

_STAGE = Compiled(Stage.select().where(Stage.id == arg(0)))
_BUILD = Compiled(Build.select().where(Build.id == arg(0)))
_STEP = Compiled(Step.select().where(Step.id == arg(0)))
_INSERT_STEP = inserting(Step)
_CLAIM = Compiled(
    Stage.update(
        {
            Stage.machine: arg(1),
            Stage.lease_hash: arg(2),
            Stage.lease_token_id: arg(3),
            Stage.lease_expires: arg(4),
            Stage.updated: arg(5),
            Stage.version: Stage.version + 1,
        }
    ).where(Stage.id == arg(0))
)
_KEEP = Compiled(Stage.update({Stage.lease_expires: arg(1)}).where(Stage.id == arg(0)))
_RUNNING = Compiled(
    Stage.select(Stage.id).where(
        Stage.repo == arg(0),
        Stage.lease_expires > 0,
        Stage.status.in_(["pending", "running"]),
        Stage.name == arg(1),
    )
)
_RUNNING_IN_REPO = Compiled(
    Stage.select(Stage.id).where(
        Stage.repo == arg(0), Stage.lease_expires > 0, Stage.status.in_(["pending", "running"])
    )
)
_MOVE_STEP = Compiled(
    Step.update(
        {
            Step.status: arg(1),
            Step.error: arg(2),
            Step.exit_code: arg(3),
            Step.started: arg(4),
            Step.stopped: arg(5),
            Step.schema: arg(6),
            Step.version: Step.version + 1,
        }
    ).where(Step.id == arg(0))
)


def check_held(request: Message, faults: Faults) -> None:
    """Adds the faults of what names a lease: the stage, the step or the build, and the token."""
    for name in ("stage_id", "step_id", "build_id"):
        if name in request.DESCRIPTOR.fields_by_name:
            faults.not_negative(name, getattr(request, name))
    faults.text("lease_token", getattr(request, "lease_token", ""), 100)


def check_machine(machine: str, faults: Faults) -> None:
    """Adds the fault of a machine's name."""
    if not machine:
        faults.add("machine", "is empty: name the machine that asks")
    faults.text("machine", machine, 200)


def room_for(executor: Executor, stage: StageRow) -> bool:
    """Whether another stage of its name, and of its repository, may run now."""
    if stage.limit and len(_RUNNING.run(executor, stage.repo_id, stage.name).fetchall()) >= stage.limit:
        return False
    if not stage.throttle:
        return True
    return len(_RUNNING_IN_REPO.run(executor, stage.repo_id).fetchall()) < stage.throttle


def _load(caller: Caller, stage_id: int) -> Leased:
    stage = StageRow._make(_STAGE.one(database, stage_id))
    return _leased(caller, stage, BuildRow._make(_BUILD.one(database, stage.build_id)))


@write(load=_load)
def accept(caller: Caller, request: pb.AcceptStageRequest) -> Written[Leased]:
    """Claims a stage for the caller. Raises Invalid, NotFound, Aborted (somebody else has it)."""
    faults = Faults()
    check_held(request, faults)
    check_machine(request.machine, faults)
    faults.refuse()
    stage, build = _reached(caller, request.stage_id)
    if not _is_to_be_taken(stage, build):
        raise _missing(stage.id)
    if stage.status != "pending" or stage.lease_hash is not None:
        held = f" by {stage.machine}" if stage.machine and stage.lease_hash is not None else ""
        raise Aborted(
            f"stage {stage.id} is {stage.status} and taken{held}: ask for another"
            if stage.lease_hash is not None
            else f"stage {stage.id} is {stage.status}, not pending: ask for another",
            reason="STAGE_TAKEN",
        )
    if not room_for(database, stage):
        raise Aborted(
            f"as many stages {stage.name!r} run now as may: ask again once one has ended",
            reason="LIMIT_REACHED",
        )
    secret = secrets.token_urlsafe(32)
    at = now()
    _CLAIM.run(database, stage.id, request.machine, _hash(secret), caller.token_id, at + LEASE_MS, at)
    return Written(_load(caller, stage.id)._replace(secret=secret))


def _is_to_be_taken(stage: StageRow, build: BuildRow) -> bool:
    """Whether there is something to do: what a CI system records is its own, and steps stand in a file."""
    if stage.kind == "external":
        return build.parent > 0
    said = derived.said_by(build.pipeline_id)
    return said is not None and said.find(stage.name) is not None


def lease(caller: Caller, request: pb.GetLeaseRequest) -> Leased:
    """The lease that the caller holds. Raises NotFound, Denied."""
    faults = Faults()
    check_held(request, faults)
    faults.refuse()
    stage, build = _held(caller, request.stage_id, request.lease_token)
    return _leased(caller, stage, build)


def keep(caller: Caller, stage_id: int, lease_token: str) -> StageRow:
    """Keeps the lease, and returns how its stage stands. Raises NotFound, Denied."""
    return _held(caller, stage_id, lease_token)[0]


def keep_all(build_id: int) -> None:
    """Keeps the leases of all of a build's stages."""
    Stage.update(lease_expires=now() + LEASE_MS).where(
        Stage.build == build_id, Stage.lease_expires > 0
    ).execute()


def keep_any(caller: Caller, build_id: int) -> BuildRow:
    """Keeps the leases that the caller holds of a build's stages. Raises NotFound, Denied."""
    row = _BUILD.one(database, build_id)
    held = [s for s in builds.stages_of(database, build_id) if s.lease_token_id == caller.token_id]
    if row is None or not held:
        raise NotFound(f"build {build_id} not found: no stage of it is yours", reason="BUILD_NOT_FOUND")
    for stage in held:
        _keep(stage)
    return BuildRow._make(row)


def update_stage(caller: Caller, request: pb.UpdateStageRequest) -> tuple[StageRow, tuple[StepRow, ...]]:
    """Reports how a stage goes on. Raises Invalid, NotFound, Denied, Aborted (another version)."""
    report = _checked(request)
    stage, build = _held(caller, request.stage_id, request.lease_token)
    if stage.status in ENDED:
        return stage, builds.steps_of_stage(database, stage.id)
    if request.HasField("version") and request.version != stage.version:
        raise _stale("stage", stage.id, stage.version, request.version)
    at = now()
    steps = _report_steps(stage, request.steps, at)
    if not report.says_something and not request.HasField("machine"):
        return stage, steps
    moved = _moved(stage, report, at)
    if request.HasField("machine"):
        moved = moved._replace(machine=request.machine)
    moved = flow.keep_stage(moved._replace(updated=at))
    if moved.status in ENDED:
        steps = _end_steps(steps, moved, at)
    flow.follow(build, builds.stages_of(database, build.id), at)
    return moved, steps


def update_step(caller: Caller, request: pb.UpdateStepRequest) -> tuple[StepRow, StageRow]:
    """Reports how a step goes on. Raises Invalid, NotFound, Denied, Aborted (another version)."""
    report = _checked(request)
    step, stage, _ = held_step(caller, request.step_id, request.lease_token)
    if step.status in ENDED:
        return step, stage
    if request.HasField("version") and request.version != step.version:
        raise _stale("step", step.id, step.version, request.version)
    if not report.says_something and not request.HasField("schema"):
        return step, stage
    moved = _moved(step, report, now())
    if request.HasField("schema"):
        moved = moved._replace(schema=request.schema)
    return _keep_step(moved), stage


def held_step(caller: Caller, step_id: int, lease_token: str) -> tuple[StepRow, StageRow, BuildRow]:
    """A step of a stage that the caller holds. Raises NotFound, Denied."""
    row = _STEP.one(database, step_id)
    if row is None:
        raise NotFound(f"step {step_id} not found: report it with its stage first", reason="STEP_NOT_FOUND")
    step = StepRow._make(row)
    return step, *_held(caller, step.stage_id, lease_token)


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
    check_held(request, faults)
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


_TEXTS = {"error": 2000, "message": 2000, "link": 2000, "machine": 200, "schema": 1000}


def _check_status(field: str, status: int, faults: Faults) -> None:
    if status:
        faults.word(field, status, _REPORTED, [builds_api.Status.Name(word) for word in _REPORTED])


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
    if not started and (status == "running" or status in ("success", "failure")):
        started = at
    row = row._replace(
        status=status,
        error=row.error if report.error is None else report.error,
        exit_code=row.exit_code if report.exit_code is None else report.exit_code,
        started=started,
        stopped=(report.stopped or at) if status in ENDED else 0,
    )
    if report.message is not None:
        row = row._replace(message=report.message)
    if report.link is not None:
        row = row._replace(link=report.link)
    return row


def _report_steps(stage: StageRow, reports: Iterable[pb.StepReport], at: int) -> tuple[StepRow, ...]:
    """Makes the steps that are not there yet, and moves the others on."""
    there = {step.number: step for step in builds.steps_of_stage(database, stage.id)}
    for report in reports:
        step = there.get(report.number)
        if step is None:
            there[report.number] = _new_step(stage, report)
        elif step.status not in ENDED:
            there[report.number] = _stepped(step, report, at)
    return tuple(there[number] for number in sorted(there))


def _new_step(stage: StageRow, report: pb.StepReport) -> StepRow:
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
        started=_ms(report.started),
        stopped=_ms(report.stopped),
        version=1,
        depends_on=as_json(list(report.depends_on)),
        image=report.image,
        detached=report.detached,
        schema=report.schema,
        log_lines=0,
        log_bytes=0,
    )
    return values._replace(id=_INSERT_STEP.insert(database, *values[1:]))


def _stepped(step: StepRow, report: pb.StepReport, at: int) -> StepRow:
    said = _Report(
        STATUS_WORD.get(report.status, ""),
        report.error or None,
        report.exit_code or None,
        _ms(report.started),
        _ms(report.stopped),
    )
    moved: StepRow = _moved(step, said, at)._replace(schema=report.schema or step.schema)
    return step if moved == step else _keep_step(moved)


def _end_steps(steps: Iterable[StepRow], stage: StageRow, at: int) -> tuple[StepRow, ...]:
    """Nothing of a stage that has ended goes on."""
    ended = []
    for step in steps:
        if step.status in ("pending", "waiting_on_dependencies"):
            ended.append(_keep_step(step._replace(status="skipped")))
        elif step.status not in ENDED:
            status = "killed" if stage.status in ("killed", "skipped") else "error"
            error = step.error or stage.error
            ended.append(_keep_step(step._replace(status=status, stopped=at, error=error)))
        else:
            ended.append(step)
    return tuple(ended)


def end_steps(stage: StageRow, at: int) -> None:
    """Ends the steps of a stage that ends."""
    _end_steps(builds.steps_of_stage(database, stage.id), stage, at)


def end_stage(stage: StageRow, status: str, error: str, at: int) -> StageRow:
    """Ends a stage that its holder does not report of any more, and its steps with it."""
    stopped = at if stage.started or status != "skipped" else 0
    stage = flow.keep_stage(stage._replace(status=status, error=error, stopped=stopped, updated=at))
    end_steps(stage, at)
    return stage


def _keep_step(step: StepRow) -> StepRow:
    _MOVE_STEP.run(
        database, step.id, step.status, step.error, step.exit_code, step.started, step.stopped, step.schema
    )
    return step._replace(version=step.version + 1)


def _reached(caller: Caller, stage_id: int) -> tuple[StageRow, BuildRow]:
    """A stage that the caller's token lets it do, whoever has it. Raises NotFound."""
    row = _STAGE.one(database, stage_id)
    if row is None:
        raise _missing(stage_id)
    stage = StageRow._make(row)
    build = BuildRow._make(_BUILD.one(database, stage.build_id))
    allowed = Repository.select(Repository.id).where(
        Repository.id == stage.repo_id, reachable(caller, access_pb2.LEVEL_WRITE)
    )
    cut = caller.cut.environments if caller.cut is not None else ()
    if not allowed.exists() or (cut and build.deploy_to not in cut):
        raise _missing(stage_id)
    return stage, build


def _missing(stage_id: int) -> NotFound:
    return NotFound(
        f"stage {stage_id} not found: it does not exist, or is not one for this token",
        reason="STAGE_NOT_FOUND",
    )


def _held(caller: Caller, stage_id: int, lease_token: str) -> tuple[StageRow, BuildRow]:
    """A stage that the caller holds; its lease is kept. Raises NotFound, Denied."""
    stage, build = _reached(caller, stage_id)
    if lease_token:
        is_holder = stage.lease_hash is not None and hmac.compare_digest(
            stage.lease_hash, _hash(lease_token)
        )
    else:
        is_holder = stage.lease_token_id == caller.token_id and stage.lease_hash is not None
    if not is_holder:
        raise Denied(f"stage {stage_id} is not yours: AcceptStage gives its lease", reason="NO_LEASE")
    return _keep(stage), build


def _keep(stage: StageRow) -> StageRow:
    at = now()
    if stage.status in ENDED or stage.lease_expires - at > _FRESH_MS:
        return stage
    _KEEP.run(database, stage.id, at + LEASE_MS)
    return stage._replace(lease_expires=at + LEASE_MS)


def _leased(caller: Caller, stage: StageRow, build: BuildRow) -> Leased:
    repository: Repository = Repository.get_by_id(build.repo_id)
    stages = builds.stages_of(database, build.id)
    steps = builds.steps_of_build(database, build.id)
    whole = BuildWithStages(build, repository.owner, repository.name, stages, steps)
    text, said = derived.pipeline(build.pipeline_id)
    return Leased(stage, whole, repository, text, said, _current(build))


def _current(build: BuildRow) -> BuildRow | None:
    if not build.deploy_to:
        return None
    found = Deployment.get_or_none(
        Deployment.repo == build.repo_id, Deployment.environment == build.deploy_to
    )
    if found is None or not found.number:
        return None
    return builds.find(database, build.repo_id, found.number)


def _stale(what: str, row_id: int, version: int, seen: int) -> Aborted:
    return Aborted(
        f"{what} {row_id} is at version {version}, not {seen}: read it again", reason="STALE_VERSION"
    )


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _ms(time: Timestamp) -> int:
    return time.seconds * 1000 + time.nanos // 1_000_000


def labels_of(stage: StageRow) -> dict[str, str]:
    """The labels that the stage's runner must have."""
    labels: dict[str, str] = json.loads(stage.labels)
    return labels
