"""How builds move with their stages, and stages with those that they wait for.

As on Drone's side: when a stage ends, those whose dependencies have all ended become pending, or skipped
where on_success and on_failure say so; the first stage that did not go well decides the build.
"""

import json
from collections.abc import Iterable, Sequence

from shipliftd import builds, environments
from shipliftd.store.compiled import Compiled, arg
from shipliftd.store.models import ENDED, FAILED, Build, Stage, database
from shipliftd.store.rows import BuildRow, StageRow

_MOVE_STAGE = Compiled(
    Stage.update(
        {
            Stage.status: arg(1),
            Stage.error: arg(2),
            Stage.exit_code: arg(3),
            Stage.machine: arg(4),
            Stage.started: arg(5),
            Stage.stopped: arg(6),
            Stage.updated: arg(7),
            Stage.message: arg(8),
            Stage.link: arg(9),
            Stage.lease_expires: arg(10),
            Stage.version: Stage.version + 1,
        }
    ).where(Stage.id == arg(0))
)
_MOVE_BUILD = Compiled(
    Build.update(
        {
            Build.status: arg(1),
            Build.error: arg(2),
            Build.started: arg(3),
            Build.finished: arg(4),
            Build.updated: arg(5),
            Build.version: arg(6),
        }
    ).where(Build.id == arg(0))
)


def keep_stage(stage: StageRow) -> StageRow:
    """Stores what a stage's report changes; its version goes up by one."""
    _MOVE_STAGE.run(
        database,
        stage.id,
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
    )
    return stage._replace(version=stage.version + 1)


def keep_build(build: BuildRow) -> BuildRow:
    """Stores how far a build is, tells the watchers, and what its success puts into an environment."""
    build = build._replace(version=build.version + 1)
    _MOVE_BUILD.run(
        database,
        build.id,
        build.status,
        build.error,
        build.started,
        build.finished,
        build.updated,
        build.version,
    )
    if build.status == "success" and build.deploy_to:
        environments.becomes_current(build)
        build = environments.settle_by_success(build)
    builds.changed(build)
    return build


def follow(build: BuildRow, stages: Sequence[StageRow], at: int) -> BuildRow:
    """Moves on what follows from a stage's change: the stages that waited for it, and the build."""
    stages = _released(stages, at)
    if build.status in ENDED:
        return build
    began = min((stage.started for stage in stages if stage.started), default=0)
    if all(stage.status in ENDED for stage in stages):
        decides = next((s for s in stages if s.status in FAILED and not s.errignore), None)
        return keep_build(
            build._replace(
                status=decides.status if decides else "success",
                error=decides.error if decides else "",
                started=build.started or began or at,
                finished=at,
                updated=at,
            )
        )
    if began and build.status == "pending":
        return keep_build(build._replace(status="running", started=began, updated=at))
    return build


def begin(stages: Iterable[StageRow]) -> list[StageRow]:
    """How new stages stand: those that wait for nothing are pending, or skipped as nothing has failed."""
    by_name = {stage.name: stage._replace(status="waiting_on_dependencies") for stage in stages}
    while moved := _ready(by_name):
        by_name |= {stage.name: stage for stage in moved}
    return list(by_name.values())


def _released(stages: Sequence[StageRow], at: int) -> list[StageRow]:
    """The stages, with those moved that wait for nothing any more."""
    by_name = {stage.name: stage for stage in stages}
    while moved := [keep_stage(stage._replace(updated=at)) for stage in _ready(by_name)]:
        by_name |= {stage.name: stage for stage in moved}
    return list(by_name.values())


def _ready(by_name: dict[str, StageRow]) -> list[StageRow]:
    """Those of the stages that wait for nothing any more, moved."""
    return [
        stage._replace(status=_next(stage, by_name))
        for stage in by_name.values()
        if stage.status == "waiting_on_dependencies"
        and all(by_name[name].status in ENDED for name in _depends_on(stage) if name in by_name)
    ]


def _next(stage: StageRow, by_name: dict[str, StageRow]) -> str:
    known: dict[str, bool] = {}
    went_well = all(_went_well(name, by_name, known) for name in _depends_on(stage))
    return "pending" if (stage.on_success if went_well else stage.on_failure) else "skipped"


def _went_well(name: str, by_name: dict[str, StageRow], known: dict[str, bool]) -> bool:
    """Whether a stage that has ended went well; one that was skipped is as well as those before it."""
    if name not in known:
        stage = by_name.get(name)
        if stage is None:
            known[name] = True
        elif stage.status == "skipped":
            known[name] = all(_went_well(before, by_name, known) for before in _depends_on(stage))
        else:
            known[name] = stage.status == "success" or bool(stage.errignore)
    return known[name]


def _depends_on(stage: StageRow) -> list[str]:
    names: list[str] = json.loads(stage.depends_on) if stage.depends_on != "[]" else []
    return names
