"""Builds as rows: looking them up, storing new ones.

The verbs that make and change them are in `recording.py`, `promotions.py` and `reports.py`.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol

from shiplift.v1 import builds_pb2 as pb

from shipliftd import environments
from shipliftd.access.callers import Caller
from shipliftd.errors import NotFound, Precondition
from shipliftd.fields import Faults
from shipliftd.store import moves
from shipliftd.store.compiled import Compiled, CompiledIn, arg, inserting
from shipliftd.store.models import (
    ENDED,
    Approval,
    Build,
    Repository,
    Stage,
    Step,
)
from shipliftd.store.rows import ApprovalRow, BuildRow, BuildWithStages, StageRow, StepRow
from shipliftd.store.transaction import Reader, Transaction

_BY_NUMBER = Compiled(Build.select().where(Build.repo == arg(0), Build.number == arg(1)))
_HOW_FAR = Compiled(Build.select(Build.status, Build.version).where(Build.id == arg(0)))
_BY_ID = Compiled(Build.select().where(Build.id == arg(0)))
# In one statement, and so of one moment: a build has a stage at least.
_WHOLE = Compiled(
    Build.select(Build, Stage)
    .join(Stage, on=(Stage.build == Build.id))
    .where(Build.repo == arg(0), Build.number == arg(1))
    .order_by(Stage.number)
)
_STAGES = Compiled(Stage.select().where(Stage.build == arg(0)).order_by(Stage.number))
_STEPS_OF_STAGE = Compiled(Step.select().where(Step.stage == arg(0)).order_by(Step.number))
_STAGES_OF_EACH = CompiledIn(
    lambda ids: Stage.select().where(Stage.build.in_(ids)).order_by(Stage.build, Stage.number)
)
_STEPS_OF_EACH = CompiledIn(
    lambda ids: Step.select().where(Step.stage.in_(ids)).order_by(Step.stage, Step.number)
)
_STEPS_OF_BUILD = Compiled(
    Step.select().join(Stage).where(Stage.build == arg(0)).order_by(Stage.number, Step.number)
)
_COUNT_UP = Compiled(
    Repository.update({Repository.counter: Repository.counter + 1})
    .where(Repository.id == arg(0))
    .returning(
        Repository.counter,
        Repository.active,
        Repository.runner_secrets,
        Repository.git_http_url,
        Repository.owner,
        Repository.name,
    )
)
_APPROVALS = Compiled(
    Approval.select(Approval.login, Approval.declined, Approval.comment, Approval.at, Approval.void)
    .where(Approval.build == arg(0))
    .order_by(Approval.at, Approval.id)
)
_VIEWS = frozenset(pb.BuildView.values())
_INSERT_BUILD = inserting(Build, with_id=True)
_INSERT_STAGE = inserting(Stage, with_id=True)


class _AboutBuild(Protocol):
    """A request that names a build."""

    build: int


def find(reader: Reader, repo_id: int, number: int) -> BuildRow | None:
    """A build by its number."""
    row = _BY_NUMBER.one(reader, repo_id, number)
    return row and BuildRow._make(row)


def by_id(reader: Reader, build_id: int) -> BuildRow:
    """A build that is known to be there."""
    return BuildRow._make(_BY_ID.one(reader, build_id))


def find_whole(reader: Reader, repo_id: int, number: int) -> tuple[BuildRow, tuple[StageRow, ...]] | None:
    """A build by its number, and its stages by theirs."""
    rows = _WHOLE.run(reader, repo_id, number).fetchall()
    if not rows:
        return None
    width = len(BuildRow._fields)
    return BuildRow._make(rows[0][:width]), tuple(StageRow._make(row[width:]) for row in rows)


def stages_of(reader: Reader, build_id: int) -> tuple[StageRow, ...]:
    """A build's stages, by number."""
    return tuple(map(StageRow._make, _STAGES.run(reader, build_id).fetchall()))


def stages_of_each(reader: Reader, build_ids: Collection[int]) -> dict[int, list[StageRow]]:
    """The stages of each of the builds, by number."""
    found: dict[int, list[StageRow]] = {build_id: [] for build_id in build_ids}
    for stage in map(StageRow._make, _STAGES_OF_EACH.rows(reader, [*found])):
        found[stage.build_id].append(stage)
    return found


def steps_of_stage(reader: Reader, stage_id: int) -> tuple[StepRow, ...]:
    """A stage's steps, by number."""
    return tuple(map(StepRow._make, _STEPS_OF_STAGE.run(reader, stage_id).fetchall()))


def steps_of_each(reader: Reader, stage_ids: Collection[int]) -> dict[int, list[StepRow]]:
    """The steps of each of the stages, by number."""
    found: dict[int, list[StepRow]] = {stage_id: [] for stage_id in stage_ids}
    for step in map(StepRow._make, _STEPS_OF_EACH.rows(reader, [*found])):
        found[step.stage_id].append(step)
    return found


def steps_of_build(reader: Reader, build_id: int) -> tuple[StepRow, ...]:
    """The steps of all of a build's stages, by the stages' numbers and their own."""
    return tuple(map(StepRow._make, _STEPS_OF_BUILD.run(reader, build_id).fetchall()))


def not_found(caller: Caller, number: int) -> NotFound:
    """What a caller is told of a build that is not there."""
    return NotFound(
        f"build {number} of {caller.owner}/{caller.repo} not found: ListBuilds shows those there are",
        reason="BUILD_NOT_FOUND",
        metadata={"owner": caller.owner, "repo": caller.repo, "build": number},
    )


def get(
    reader: Reader, caller: Caller, request: pb.GetBuildRequest | pb.WaitBuildRequest
) -> BuildWithStages:
    """One build with its stages. Raises NotFound."""
    _check_build(request)
    found = find_whole(reader, caller.repo_id, request.build)
    if found is None:
        raise not_found(caller, request.build)
    return _with_steps(reader, found[0], caller.owner, caller.repo, found[1])


def get_basic(reader: Reader, caller: Caller, request: pb.GetBuildRequest) -> BuildRow:
    """One build alone. Raises NotFound."""
    _check_build(request)
    found = find(reader, caller.repo_id, request.build)
    if found is None:
        raise not_found(caller, request.build)
    return found


def _check_build(request: pb.GetBuildRequest | pb.WaitBuildRequest) -> None:
    view = request.view if isinstance(request, pb.GetBuildRequest) else pb.BUILD_VIEW_FULL
    if request.build < 1 or view not in _VIEWS:
        faults = Faults()
        faults.positive("build", request.build)
        check_view(view, faults)
        faults.refuse()


def check_view(view: pb.BuildView, faults: Faults) -> None:
    """Whether it is one of the views."""
    faults.word("view", view, _VIEWS, pb.BuildView.keys()[1:])


def awaited(reader: Reader, caller: Caller, request: pb.WaitBuildRequest) -> int:
    """The id of the build that is waited for. Raises Invalid, NotFound."""
    faults = Faults()
    faults.positive("build", request.build)
    faults.not_negative("seen_version", request.seen_version)
    faults.refuse()
    build = find(reader, caller.repo_id, request.build)
    if build is None:
        raise not_found(caller, request.build)
    return build.id


def has_news(reader: Reader, build_id: int, seen_version: int) -> bool:
    """Whether a build has a version above this one, or there is nothing to wait for but a person."""
    status, version = _HOW_FAR.one(reader, build_id)
    return version > seen_version or status in ENDED or status == "blocked"


def _with_steps(
    reader: Reader, build: BuildRow, owner: str, repo: str, stages: tuple[StageRow, ...]
) -> BuildWithStages:
    # What has not begun has none, and is what is asked for most.
    steps = () if build.status == "pending" else steps_of_build(reader, build.id)
    approvals = () if build.verdicts == "[]" else approvals_of(reader, build.id)
    return BuildWithStages(build, owner, repo, stages, steps, approvals)


def approvals_of(reader: Reader, build_id: int) -> tuple[ApprovalRow, ...]:
    """What people said of a promotion, oldest first."""
    return tuple(map(ApprovalRow._make, _APPROVALS.run(reader, build_id).fetchall()))


def waits_for(build: BuildRow) -> str:
    """What a build waits for, in words; '' where its gates are open."""
    if not build.waits or build.status in ENDED:
        return ""
    against = environments.against(environments.read(build.verdicts))
    return "; ".join(f"{verdict.gate}: {verdict.reason}" for verdict in against)


def in_its_environment(reader: Reader, caller: Caller, request: _AboutBuild) -> None:
    """Raises Denied when the token is cut to other environments than the build's."""
    if caller.cut is None or not caller.cut.environments:
        return
    row = find(reader, caller.repo_id, request.build)
    if row is not None and row.deploy_to:
        caller.require_environment(row.deploy_to)


def load(reader: Reader, caller: Caller, build_id: int) -> BuildWithStages:
    """A build that a verb knows to be there, as it stands in its transaction."""
    row = by_id(reader, build_id)
    return _with_steps(reader, row, caller.owner, caller.repo, stages_of(reader, build_id))


class Taken(NamedTuple):
    """A number that was taken, and what the repository's row says of new builds."""

    number: int
    active: bool
    runner_secrets: bool
    git_http_url: str
    owner: str
    repo: str

    @property
    def slug(self) -> str:
        """The repository."""
        return f"{self.owner}/{self.repo}"


def take_number(tx: Transaction, caller: Caller) -> Taken:
    """Takes the repository's next number; its row is locked from here on.

    Raises Precondition where the repository is disabled.
    """
    taken = Taken._make(_COUNT_UP.one(tx, caller.repo_id))
    if not taken.active:
        raise disabled(caller)
    return taken


def disabled(caller: Caller) -> Precondition:
    """What a caller is told who would begin something in a repository that is not active."""
    slug = f"{caller.owner}/{caller.repo}"
    return Precondition(
        f"repository {slug} is disabled, and takes no new builds: an admin of it can enable it,"
        f" shiplift repo set {slug} --active",
        reason="REPOSITORY_DISABLED",
        violations=[(slug, "is disabled")],
        metadata={"owner": caller.owner, "repo": caller.repo},
    )


class Ids(NamedTuple):
    """The ids of a build that is to be stored, and of its stages; None where storing makes them."""

    build: int | None
    stages: list[int | None]


def ids(tx: Transaction, stages: int) -> Ids:
    """The ids of a build and so many stages, taken before the repository is locked for its number."""
    (build,), of_stages = tx.ids((Build, 1), (Stage, stages))
    return Ids(build, of_stages)


def insert(
    tx: Transaction, caller: Caller, build: BuildRow, stages: Sequence[StageRow], ids: Ids
) -> BuildWithStages:
    """Stores a new build and its stages, which get their ids; the transaction reads them no more."""
    build = BuildRow(_INSERT_BUILD.place(tx, ids.build, *build[1:]), *build[1:])
    kept = []
    for stage, row_id in zip(stages, ids.stages, strict=True):
        ours = stage._replace(build_id=build.id)
        kept.append(StageRow(_INSERT_STAGE.place(tx, row_id, *ours[1:]), *ours[1:]))
    moves.changed(tx, build)
    tx.tell("begun", build.id)
    return BuildWithStages(build, caller.owner, caller.repo, tuple(kept))
