"""Changes as messages. Never queries."""

from shiplift.v1 import builds_pb2 as pb

from shipliftd.api import messages
from shipliftd.changes import ChangeRow, Cursor
from shipliftd.enum_words import ENVIRONMENT_ACTION_OF
from shipliftd.store.models import ENDED
from shipliftd.store.rows import BuildRow, StageRow, StepRow

# Before this nothing has begun.
_WAITING = frozenset({"blocked", "waiting_on_dependencies", "pending"})


def response(row: ChangeRow, epoch: str) -> pb.WatchBuildsResponse:
    """A change with its cursor."""
    return pb.WatchBuildsResponse(cursor=str(Cursor(epoch, row.place)), change=change(row))


def change(row: ChangeRow) -> pb.Change:
    """A change, as it was when it was stored."""
    message = pb.Change(
        time=messages.time(row.at),
        owner=row.owner,
        repo=row.repo,
        build=row.build.number if row.build is not None else 0,
        environment=row.build.deploy_to if row.build is not None else row.environment,
    )
    if row.step is not None:
        message.stage = row.stage.number if row.stage is not None else 0
        message.moved_step.CopyFrom(messages.step(_step(row.step, row)))
    elif row.stage is not None:
        message.moved_stage.CopyFrom(messages.stage(_stage(row.stage, row)))
    elif row.build is not None:
        message.moved_build.CopyFrom(messages.listed_build(_build(row.build, row), row.owner, row.repo))
    else:
        message.environment_action = ENVIRONMENT_ACTION_OF[row.status]
    return message


def _build(build: BuildRow, then: ChangeRow) -> BuildRow:
    """The build as it was: what moved later is put back to how it stands before it comes about."""
    if build.version == then.version:
        return build
    status = then.status or build.status
    if status not in ENDED:
        build = build._replace(error="", finished=0)
    if status in _WAITING:
        build = build._replace(started=0)
    return build._replace(status=status, updated=then.at, version=then.version)


def _stage(stage: StageRow, then: ChangeRow) -> StageRow:
    if stage.version == then.version:
        return stage
    if then.status not in ENDED:
        stage = stage._replace(error="", exit_code=0, stopped=0)
    if then.status in _WAITING:
        stage = stage._replace(started=0)
    return stage._replace(status=then.status, updated=then.at, version=then.version)


def _step(step: StepRow, then: ChangeRow) -> StepRow:
    if step.version == then.version:
        return step
    if then.status not in ENDED:
        step = step._replace(error="", exit_code=0, stopped=0)
    if then.status in _WAITING:
        step = step._replace(started=0)
    return step._replace(status=then.status, version=then.version)
