"""How builds move with their stages, and stages with those that they wait for.

As on Drone's side: when a stage ends, those whose dependencies have all ended become pending, or skipped
where on_success and on_failure say so; the first stage that did not go well decides the build.
"""

import json
from collections.abc import Iterable, Sequence

from shipliftd import builds, environments
from shipliftd.store import moves
from shipliftd.store.models import ENDED, FAILED
from shipliftd.store.rows import BuildRow, StageRow
from shipliftd.store.transaction import Transaction


def carry_on(tx: Transaction, build: BuildRow) -> BuildRow:
    """Stores how far a build is, and what its success puts into an environment."""
    build = moves.move_build(tx, build)
    if build.status == "success" and build.deploy_to:
        environments.becomes_current(tx, build)
        build = environments.settle_by_success(tx, build)
    return build


def follow(tx: Transaction, build: BuildRow, at: int) -> BuildRow:
    """Moves on what follows from a stage's change: the stages that waited for it, and the build.

    The caller has locked the build: two stages that end at once would not see each other's end.
    """
    stages = _released(tx, builds.stages_of(tx, build.id), at)
    if build.status in ENDED:
        return build
    began = min((stage.started for stage in stages if stage.started), default=0)
    if all(stage.status in ENDED for stage in stages):
        started = build.started or began or max(at, build.created)
        decides = next((s for s in stages if s.status in FAILED and not s.errignore), None)
        return carry_on(
            tx,
            build._replace(
                status=decides.status if decides else "success",
                error=decides.error if decides else "",
                started=started,
                # Not before it began, where the clock was set back.
                finished=max(at, started),
                updated=at,
            ),
        )
    if began and build.status == "pending":
        return carry_on(tx, build._replace(status="running", started=began, updated=at))
    return build


def begin(stages: Iterable[StageRow]) -> list[StageRow]:
    """How new stages stand: those that wait for nothing are pending, or skipped as nothing has failed."""
    by_name = {stage.name: stage._replace(status="waiting_on_dependencies") for stage in stages}
    while moved := _ready(by_name):
        by_name |= {stage.name: stage for stage in moved}
    return list(by_name.values())


def _released(tx: Transaction, stages: Sequence[StageRow], at: int) -> list[StageRow]:
    """The stages, with those moved that wait for nothing any more."""
    by_name = {stage.name: stage for stage in stages}
    while moved := [moves.move_stage(tx, stage._replace(updated=at)) for stage in _ready(by_name)]:
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
    went: dict[str, bool] = {}
    went_well = all(_went_well(name, by_name, went) for name in _depends_on(stage))
    return "pending" if (stage.on_success if went_well else stage.on_failure) else "skipped"


def _went_well(name: str, by_name: dict[str, StageRow], went: dict[str, bool]) -> bool:
    """Whether a stage that has ended went well; one that was skipped is as well as those before it."""
    if name not in went:
        stage = by_name.get(name)
        if stage is None:
            went[name] = True
        elif stage.status == "skipped":
            went[name] = all(_went_well(before, by_name, went) for before in _depends_on(stage))
        else:
            went[name] = stage.status == "success" or bool(stage.errignore)
    return went[name]


def _depends_on(stage: StageRow) -> list[str]:
    names: list[str] = json.loads(stage.depends_on) if stage.depends_on != "[]" else []
    return names
