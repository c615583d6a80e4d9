"""Leases: who may have a stage, claiming it, keeping it."""

import hmac
import json
from collections.abc import Mapping
from typing import NamedTuple

from google.protobuf.message import Message
from peewee import SQL
from shiplift.v1 import access_pb2
from shiplift.v1 import stages_pb2 as pb

from shipliftd import builds, environments
from shipliftd.access.callers import Caller, hash_of
from shipliftd.access.reach import reaches
from shipliftd.clock import now
from shipliftd.errors import Denied, Invalid, NotFound
from shipliftd.fields import Faults
from shipliftd.pipelines import Pipelines
from shipliftd.secrets import given
from shipliftd.stages import build_stages
from shipliftd.store import moves
from shipliftd.store.compiled import Compiled, arg
from shipliftd.store.models import ENDED, Repository, Stage, Step
from shipliftd.store.rows import BuildRow, BuildWithStages, SecretRow, StageRow, StepRow
from shipliftd.store.transaction import Reader, Transaction

LEASE_MS = 60_000
# A lease with more than this left is not stored anew.
_FRESH_MS = 45_000

_STAGE = Compiled(Stage.select().where(Stage.id == arg(0)))
_STEP = Compiled(Step.select().where(Step.id == arg(0)))
# While it is held: a stage that has ended meanwhile gets no lease again.
_EXTEND = Compiled(
    Stage.update({Stage.lease_expires: arg(1)}).where(Stage.id == arg(0), Stage.lease_expires > 0)
)
_EXTEND_ALL = Compiled(
    Stage.update({Stage.lease_expires: arg(0)}).where(Stage.build == arg(1), Stage.lease_expires > SQL("0"))
)
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


def room_for(reader: Reader, stage: StageRow) -> bool:
    """Whether another stage of its name, and of its repository, may run now."""
    if stage.limit and len(_RUNNING.run(reader, stage.repo_id, stage.name).fetchall()) >= stage.limit:
        return False
    if not stage.throttle:
        return True
    return len(_RUNNING_IN_REPO.run(reader, stage.repo_id).fetchall()) < stage.throttle


class Work(NamedTuple):
    """What a stage's holder does, and the values of the secrets that it gets: not to be shown."""

    plan: pb.Plan
    secrets: Mapping[str, str]
    # Of the plan's environment.
    params: Mapping[str, str]

    def __repr__(self) -> str:
        """Without the values."""
        return f"Work({[*self.secrets, *self.params]})"


class Leased(NamedTuple):
    """A stage that its holder has to do, with all that its plan is made of.

    `text` is the pipeline file's and `said` what it says, '' and None where the build has none; `current`
    is what is in the environment, and `secrets` are those that there are for the build. Where the lease is
    made it has its `secret`, and its `work` or why there is none.
    """

    stage: StageRow
    whole: BuildWithStages
    repository: Repository
    text: str
    said: Pipelines | None
    current: BuildRow | None
    secrets: Mapping[str, SecretRow]
    secret: str = ""
    work: Work | Invalid | None = None

    @property
    def id(self) -> int:
        """The stage's id."""
        return self.stage.id

    def without_secrets(self) -> "Leased":
        """The same, for whoever is not to have the values."""
        build = self.whole.build._replace(sealed_params="{}")
        return self._replace(whole=self.whole._replace(build=build), secrets={})


def load(reader: Reader, _caller: Caller, stage_id: int) -> Leased:
    """The lease of a stage that a verb knows to be there."""
    stage = StageRow._make(_STAGE.one(reader, stage_id))
    return _leased(reader, stage, builds.by_id(reader, stage.build_id))


def reported(reader: Reader, stage_id: int, step_id: int) -> Leased | None:
    """The stage that a report is of, or the step's; None where there is none, or nobody ever had it."""
    if step_id:
        row = _STEP.one(reader, step_id)
        stage_id = StepRow._make(row).stage_id if row is not None else 0
    row = _STAGE.one(reader, stage_id)
    if row is None or StageRow._make(row).lease_hash is None:
        return None
    stage = StageRow._make(row)
    return _leased(reader, stage, builds.by_id(reader, stage.build_id))


def given_of(reader: Reader, repo_id: int, number: int) -> list[int]:
    """The ids of a build's stages that somebody has or had."""
    build = builds.find(reader, repo_id, number)
    stages = builds.stages_of(reader, build.id) if build is not None else ()
    return [stage.id for stage in stages if stage.lease_hash is not None]


def lease(reader: Reader, caller: Caller, request: pb.GetLeaseRequest) -> tuple[Leased, bool]:
    """The lease that the caller holds; whether it is long enough. Raises Invalid, NotFound, Denied."""
    faults = Faults()
    check_held(request, faults)
    faults.refuse()
    stage, build = _held(reader, caller, request.stage_id, request.lease_token)
    return _leased(reader, stage, build), _is_fresh(stage, now())


def keep_lease(tx: Transaction, caller: Caller, request: pb.GetLeaseRequest) -> Leased:
    """The same, and keeps it."""
    return _leased(tx, *held_stage(tx, caller, request.stage_id, request.lease_token))


def keep_all(tx: Transaction, build_id: int) -> None:
    """Keeps the leases of all of a build's stages; the caller has locked it."""
    _EXTEND_ALL.run(tx, now() + LEASE_MS, build_id)


def extend_leases(tx: Transaction) -> None:
    """Gives every lease its whole time again: that time was lost to runners, or the clock was set."""
    held = tx.rows(Stage.select(Stage.build).where(Stage.lease_expires > 0).distinct())
    moves.lock_builds(tx, (build_id for (build_id,) in held))
    _EXTEND_ALL.run_each(tx, [(now() + LEASE_MS, build_id) for (build_id,) in held])


class Watched(NamedTuple):
    """How a stage, or the build of the caller's stages, stands; `is_kept` if no lease needed keeping."""

    build_id: int
    status: str
    error: str
    is_kept: bool


def watched(reader: Reader, caller: Caller, request: pb.WatchStageRequest) -> Watched:
    """What the caller watches, as it stands. Raises NotFound, Denied."""
    return _watched(reader, caller, request)[0]


def keep_watched(tx: Transaction, caller: Caller, request: pb.WatchStageRequest) -> Watched:
    """The same, and keeps the leases."""
    seen, stages = _watched(tx, caller, request)
    if len(stages) > 1:
        moves.lock_build(tx, seen.build_id)
    for stage in stages:
        _keep(tx, stage)
    return seen


def _watched(
    reader: Reader, caller: Caller, request: pb.WatchStageRequest
) -> tuple[Watched, list[StageRow]]:
    if request.build_id:
        build, held = _held_of(reader, caller, request.build_id)
        build_id, status, error = build.id, build.status, build.error
    else:
        stage, _ = _held(reader, caller, request.stage_id, request.lease_token)
        held = [stage]
        build_id, status, error = stage.build_id, stage.status, stage.error
    at = now()
    return Watched(build_id, status, error, all(_is_fresh(each, at) for each in held)), held


def _held_of(reader: Reader, caller: Caller, build_id: int) -> tuple[BuildRow, list[StageRow]]:
    """A build, and the stages of it that the caller holds. Raises NotFound."""
    held = [s for s in builds.stages_of(reader, build_id) if s.lease_token_id == caller.token_id]
    build = builds.by_id(reader, build_id) if held else None
    if build is None or not _reaches(reader, caller, build):
        raise NotFound(
            f"build {build_id} not found: no stage of it is yours",
            reason="BUILD_NOT_FOUND",
            metadata={"build_id": build_id},
        )
    return build, held


def holds(reader: Reader, caller: Caller, build_id: int) -> bool:
    """Whether the caller's token has every stage of a build that has not ended, or had the last of them."""
    stages = builds.stages_of(reader, build_id)
    mine = {stage.id for stage in stages if stage.lease_token_id == caller.token_id}
    return bool(mine) and all(stage.id in mine for stage in stages if stage.status not in ENDED)


def held_stage(
    tx: Transaction, caller: Caller, stage_id: int, lease_token: str
) -> tuple[StageRow, BuildRow]:
    """A stage that the caller holds; its lease is kept. Raises NotFound, Denied."""
    stage, build = _held(tx, caller, stage_id, lease_token)
    return _keep(tx, stage), build


def _held(reader: Reader, caller: Caller, stage_id: int, lease_token: str) -> tuple[StageRow, BuildRow]:
    stage, build = reached(reader, caller, stage_id)
    if lease_token:
        is_holder = stage.lease_hash is not None and hmac.compare_digest(
            stage.lease_hash, hash_of(lease_token)
        )
    else:
        is_holder = stage.lease_token_id == caller.token_id and stage.lease_hash is not None
    if not is_holder:
        raise Denied(
            f"stage {stage_id} is not yours: AcceptStage gives its lease",
            reason="NO_LEASE",
            metadata={"stage_id": stage_id},
        )
    return stage, build


def held_step(
    tx: Transaction, caller: Caller, step_id: int, lease_token: str
) -> tuple[StepRow, StageRow, BuildRow]:
    """A step of a stage that the caller holds. Raises NotFound, Denied."""
    row = _STEP.one(tx, step_id)
    if row is None:
        raise NotFound(
            f"step {step_id} not found: report it with its stage first",
            reason="STEP_NOT_FOUND",
            metadata={"step_id": step_id},
        )
    step = StepRow._make(row)
    return step, *held_stage(tx, caller, step.stage_id, lease_token)


def reached(reader: Reader, caller: Caller, stage_id: int) -> tuple[StageRow, BuildRow]:
    """A stage that the caller's token lets it do, whoever has it. Raises NotFound."""
    stage, build = stage_and_build(reader, stage_id)
    if not _reaches(reader, caller, build):
        raise missing(stage_id)
    return stage, build


def stage_and_build(reader: Reader, stage_id: int) -> tuple[StageRow, BuildRow]:
    """A stage, whoever may do it, and its build. Raises NotFound."""
    row = _STAGE.one(reader, stage_id)
    if row is None:
        raise missing(stage_id)
    stage = StageRow._make(row)
    return stage, builds.by_id(reader, stage.build_id)


def _reaches(reader: Reader, caller: Caller, build: BuildRow) -> bool:
    """Whether the caller may do a build's stages: write on its repository, and the token's cuts."""
    cut = caller.cut.environments if caller.cut is not None else ()
    if cut and build.deploy_to not in cut:
        return False
    return reaches(reader, caller, build.repo_id, access_pb2.ACCESS_LEVEL_WRITE)


def missing(stage_id: int) -> NotFound:
    """What a caller is told of a stage that is not there, or not one for its token."""
    return NotFound(
        f"stage {stage_id} not found: it does not exist, or is not one for this token",
        reason="STAGE_NOT_FOUND",
        metadata={"stage_id": stage_id},
    )


def _keep(tx: Transaction, stage: StageRow) -> StageRow:
    at = now()
    if _is_fresh(stage, at):
        return stage
    _EXTEND.run(tx, stage.id, at + LEASE_MS)
    return stage._replace(lease_expires=at + LEASE_MS)


def _is_fresh(stage: StageRow, at: int) -> bool:
    return stage.status in ENDED or stage.lease_expires - at > _FRESH_MS


def _leased(reader: Reader, stage: StageRow, build: BuildRow) -> Leased:
    repository = reader.by_id(Repository, build.repo_id)
    stages = builds.stages_of(reader, build.id)
    steps = builds.steps_of_build(reader, build.id)
    whole = BuildWithStages(build, repository.owner, repository.name, stages, steps)
    text, said = build_stages.pipeline(reader, build.pipeline_id)
    secrets: Mapping[str, SecretRow] = {}
    if stage.kind == "pipeline":
        is_of_pull_request = given.is_of_pull_request(build)
        secrets = given.available(
            reader, repository.owner, repository.name, build.deploy_to, is_of_pull_request
        )
    return Leased(stage, whole, repository, text, said, _current(reader, build), secrets)


def _current(reader: Reader, build: BuildRow) -> BuildRow | None:
    if not build.deploy_to:
        return None
    number = environments.current_number(reader, build.repo_id, build.deploy_to)
    return builds.find(reader, build.repo_id, number) if number else None


def labels_of(stage: StageRow) -> tuple[tuple[str, str], ...]:
    """The labels that the stage's runner must have, sorted."""
    if stage.labels == "{}":
        return ()
    labels: dict[str, str] = json.loads(stage.labels)
    return tuple(sorted(labels.items()))
