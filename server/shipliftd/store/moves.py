"""How rows move: builds, stages and steps, each by one UPDATE that says what it expects of the row.

Whoever moves a row has read it before; where it has moved since, the verb runs again (Overtaken). A
version goes up by one with each move. Those who watch are told once it is on disk.

Locks are taken in one order, so that nobody waits in a circle: repository, build, stages, steps. Who moves
a stage, or several, locks their build first.
"""

from collections.abc import Iterable
from typing import Literal

from shipliftd.store.compiled import Compiled, arg, inserting
from shipliftd.store.models import ENDED, Build, Change, Repository, Stage, Step
from shipliftd.store.rows import BuildRow, StageRow, StepRow
from shipliftd.store.transaction import Transaction

_BUILD = Compiled(
    Build.update(
        {
            Build.status: arg(2),
            Build.error: arg(3),
            Build.started: arg(4),
            Build.finished: arg(5),
            Build.updated: arg(6),
            Build.version: Build.version + 1,
        }
    ).where(Build.id == arg(0), Build.version == arg(1))
)
_WAITING = Compiled(
    Build.update(
        {
            Build.status: arg(2),
            Build.verdicts: arg(3),
            Build.waits: arg(4),
            Build.updated: arg(5),
            Build.version: Build.version + 1,
        }
    ).where(Build.id == arg(0), Build.version == arg(1))
)
_REPLACED = Compiled(
    Build.update({Build.rolled_back_by: arg(2), Build.version: Build.version + 1}).where(
        Build.id == arg(0), Build.version == arg(1)
    )
)
_STAGE = Compiled(
    Stage.update(
        {
            Stage.status: arg(2),
            Stage.error: arg(3),
            Stage.exit_code: arg(4),
            Stage.machine: arg(5),
            Stage.started: arg(6),
            Stage.stopped: arg(7),
            Stage.updated: arg(8),
            Stage.message: arg(9),
            Stage.link: arg(10),
            Stage.lease_expires: arg(11),
            Stage.os: arg(12),
            Stage.arch: arg(13),
            Stage.variant: arg(14),
            Stage.kernel: arg(15),
            Stage.version: Stage.version + 1,
        }
    ).where(Stage.id == arg(0), Stage.version == arg(1))
)
_STEP = Compiled(
    Step.update(
        {
            Step.status: arg(2),
            Step.error: arg(3),
            Step.exit_code: arg(4),
            Step.started: arg(5),
            Step.stopped: arg(6),
            Step.schema: arg(7),
            Step.errignore: arg(8),
            Step.image: arg(9),
            Step.detached: arg(10),
            Step.version: Step.version + 1,
        }
    ).where(Step.id == arg(0), Step.version == arg(1))
)
_CLAIM = Compiled(
    Stage.update(
        {
            Stage.machine: arg(2),
            Stage.lease_hash: arg(3),
            Stage.lease_token_id: arg(4),
            Stage.lease_expires: arg(5),
            Stage.updated: arg(6),
            Stage.version: Stage.version + 1,
        }
    ).where(
        Stage.id == arg(0),
        Stage.version == arg(1),
        Stage.status == "pending",
        Stage.lease_hash.is_null(),
    )
)
# What is done to environments, as `EnvironmentAction` of the API has it.
EnvironmentAction = Literal["created", "updated", "deleted", "held", "resumed", "settled"]

_CHANGE = inserting(Change, "seq")
# To change a row to what it is takes its lock, where others can write at the same time.
_LOCK_BUILD = Compiled(Build.update({Build.version: Build.version}).where(Build.id == arg(0)))
_LOCK_BUILD_OF = Compiled(
    Build.update({Build.version: Build.version}).where(
        Build.id == Stage.select(Stage.build).where(Stage.id == arg(0))
    )
)
_LOCK_REPOSITORY = Compiled(
    Repository.update({Repository.counter: Repository.counter}).where(Repository.id == arg(0))
)


def lock_build(tx: Transaction, build_id: int) -> None:
    """Has others wait who would move this build's stages: what is read of them from here on stays so."""
    _LOCK_BUILD.run(tx, build_id)


def lock_build_of(tx: Transaction, stage_id: int) -> None:
    """The same for the build of a stage, of which nothing needs to be read before."""
    _LOCK_BUILD_OF.run(tx, stage_id)


def lock_builds(tx: Transaction, build_ids: Iterable[int]) -> None:
    """The same for several builds, one after the other by id."""
    for build_id in sorted(set(build_ids)):
        # Not by executemany: PostgreSQL does not end a transaction for being idle that has waited in one.
        _LOCK_BUILD.run(tx, build_id)


def lock_repository(tx: Transaction, repo_id: int) -> None:
    """Has others wait who would begin stages in this repository."""
    _LOCK_REPOSITORY.run(tx, repo_id)


def lock_repositories(tx: Transaction, owner: str) -> None:
    """The same in all of an owner's, one after the other by id."""
    mine = Repository.select(Repository.id).where(Repository.owner == owner).order_by(Repository.id)
    for row in tx.rows(mine):
        _LOCK_REPOSITORY.run(tx, row[0])


def move_build(tx: Transaction, build: BuildRow) -> BuildRow:
    """Stores how far a build is; `build` has the version that was read."""
    _BUILD.move(
        tx,
        build.id,
        build.version,
        build.status,
        build.error,
        build.started,
        build.finished,
        build.updated,
    )
    if build.status in ENDED and build.deploy_to:
        # Others may wait for this one.
        tx.tell("left", build.id)
    return _has_moved(tx, build)


def move_waiting(tx: Transaction, build: BuildRow) -> BuildRow:
    """Stores what a build waits for; `build` has the version that was read."""
    _WAITING.move(tx, build.id, build.version, build.status, build.verdicts, build.waits, build.updated)
    return _has_moved(tx, build)


def replace_build(tx: Transaction, build: BuildRow, by: int) -> BuildRow:
    """Stores which rollback replaces a build; `build` has the version that was read."""
    _REPLACED.move(tx, build.id, build.version, by)
    return _has_moved(tx, build)


def _has_moved(tx: Transaction, build: BuildRow) -> BuildRow:
    build = build._replace(version=build.version + 1)
    changed(tx, build)
    tx.tell("moved", build.id)
    return build


def move_stage(tx: Transaction, stage: StageRow) -> StageRow:
    """Stores how far a stage is; `stage` has the version that was read."""
    _STAGE.move(
        tx,
        stage.id,
        stage.version,
        stage.status,
        stage.error,
        stage.exit_code,
        stage.machine,
        stage.started,
        stage.stopped,
        stage.updated,
        stage.message,
        stage.link,
        0 if stage.status in ENDED else stage.lease_expires,
        stage.os,
        stage.arch,
        stage.variant,
        stage.kernel,
    )
    tx.tell("moved", stage.build_id)
    moved = stage._replace(version=stage.version + 1)
    stage_changed(tx, moved)
    return moved


def move_step(tx: Transaction, stage: StageRow, step: StepRow, at: int) -> StepRow:
    """Stores how far a step of a stage is; `step` has the version that was read."""
    _STEP.move(
        tx,
        step.id,
        step.version,
        step.status,
        step.error,
        step.exit_code,
        step.started,
        step.stopped,
        step.schema,
        step.errignore,
        step.image,
        step.detached,
    )
    moved = step._replace(version=step.version + 1)
    step_changed(tx, stage, moved, at)
    return moved


def claim_stage(
    tx: Transaction, stage: StageRow, machine: str, lease_hash: bytes, token_id: int, expires: int, at: int
) -> None:
    """Gives a pending stage that nobody has to a machine; `expires` and `at` are in milliseconds."""
    _CLAIM.move(tx, stage.id, stage.version, machine, lease_hash, token_id, expires, at)
    stage_changed(tx, stage._replace(version=stage.version + 1, updated=at))
    tx.tell("accepted", stage.id)
    tx.tell("moved", stage.build_id)


def changed(tx: Transaction, build: BuildRow) -> None:
    """Notes for those who watch that a build was made or moved."""
    _note(tx, build.repo_id, build.id, build.version, build.updated, 0, 0, build.status, "")


def stage_changed(tx: Transaction, stage: StageRow) -> None:
    """Notes for those who watch that a stage moved."""
    _note(tx, stage.repo_id, stage.build_id, stage.version, stage.updated, stage.id, 0, stage.status, "")


def step_changed(tx: Transaction, stage: StageRow, step: StepRow, at: int) -> None:
    """Notes for those who watch that a step was made or moved."""
    _note(tx, stage.repo_id, stage.build_id, step.version, at, stage.id, step.id, step.status, "")


def environment_changed(
    tx: Transaction, repo_id: int, environment: str, action: EnvironmentAction, version: int, at: int
) -> None:
    """Notes for those who watch what was done to an environment; '' for all of a repository's."""
    _note(tx, repo_id, 0, version, at, 0, 0, action, environment)


def _note(tx: Transaction, *columns: int | str) -> None:
    _CHANGE.put(tx, *columns)
    tx.tell("changed")
