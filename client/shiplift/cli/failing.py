"""What is said of a promotion that failed: where, what was printed there last, who, and the way back."""

from collections import deque
from contextlib import suppress

from shiplift import AsyncClient, ShipliftError
from shiplift.cli.output import say
from shiplift.v1 import builds_pb2 as pb

_FAILED = (pb.BUILD_STATUS_FAILURE, pb.BUILD_STATUS_ERROR)
_MOST_LINES = 20
_MOST_BUILDS = 100


async def say_failure(client: AsyncClient, build: pb.Build, seen: tuple[int, int] | None) -> None:
    """Says it of a build that has ended; nothing of one that went nowhere, or did not fail.

    `seen` are the numbers of the stage and the step whose last lines stand on the terminal already.
    """
    if not build.deploy_to or build.status not in _FAILED:
        return
    found = _failed_step(build)
    if found is not None:
        stage, step = found
        where = f"{stage.name}/{step.name}" if step.number else stage.name
        code = f", exit code {step.exit_code}" if step.exit_code else ""
        what = "rolled back" if build.event == pb.BUILD_EVENT_ROLLBACK else "promoted"
        say(f"It failed at {where}{code}. It was {what} by {build.trigger}.")
        if step.number and seen != (stage.number, step.number):
            await _say_last_lines(client, build, stage, step, where)
    # Of one that never began, a rollback would replace what is there, which is as it was.
    if build.HasField("started") and await _can_be_rolled_back(client, build):
        say(f"To roll back: shiplift rollback {build.deploy_to} -R {build.owner}/{build.repo}")


def _failed_step(build: pb.Build) -> tuple[pb.Stage, pb.Step] | None:
    """The first stage that failed, and of it the first step that did, if one did."""
    for stage in build.stages:
        if stage.status in _FAILED and not stage.errignore:
            steps = (step for step in stage.steps if step.status in _FAILED and not step.errignore)
            return stage, next(steps, pb.Step())
    return None


async def _say_last_lines(
    client: AsyncClient, build: pb.Build, stage: pb.Stage, step: pb.Step, where: str
) -> None:
    lines: deque[str] = deque(maxlen=_MOST_LINES)
    # A token that may promote need not be one that may read.
    with suppress(ShipliftError):
        async for part in client.tail_log(
            owner=build.owner, repo=build.repo, build=build.number, stage=stage.number, step=step.number
        ):
            lines.extend(line.text for line in part.lines)
    if lines:
        say(f"--- the last lines of {where}")
    for line in lines:
        say(line.removesuffix("\n"))


async def _can_be_rolled_back(client: AsyncClient, build: pb.Build) -> bool:
    """Whether something else succeeded there before, and nothing went there since."""
    try:
        page = await client.list_builds(
            owner=build.owner, repo=build.repo, environment=build.deploy_to, page_size=_MOST_BUILDS
        )
    except ShipliftError:
        return False
    newest, *before = page.builds or [pb.Build()]
    return newest.number == build.number and any(
        each.status == pb.BUILD_STATUS_SUCCESS and each.origin != build.origin and not each.rolled_back_by
        for each in before
    )
