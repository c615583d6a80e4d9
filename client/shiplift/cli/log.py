"""The command `log`."""

import json
import re
import sys
import time
from collections.abc import Iterator
from typing import Annotated, NamedTuple

import typer

from shiplift import Client, Unavailable
from shiplift.cli.builds import BuildArgument
from shiplift.cli.naming import number_of
from shiplift.cli.output import clean, say
from shiplift.cli.session import RepositoryOption, Session, UnresolvedError, command
from shiplift.v1 import builds_pb2 as pb

app = typer.Typer()

# How often a build is looked at that has no step to follow yet.
_POLL_SECONDS = 1.0
# A server that is started again is back by then; without following, one that is away is an error.
_PATIENCE_SECONDS = 600.0
_COLOUR = re.compile(r"\x1b\[[0-9;:]*[A-Za-z]")
_UNENDED = frozenset(
    {
        pb.BUILD_STATUS_BLOCKED,
        pb.BUILD_STATUS_WAITING_ON_DEPENDENCIES,
        pb.BUILD_STATUS_PENDING,
        pb.BUILD_STATUS_RUNNING,
    }
)


class Place(NamedTuple):
    """A build of a repository."""

    owner: str
    repo: str
    build: int


@command(app, "log")
def log(
    session: Session,
    build: BuildArgument,
    where: Annotated[
        str,
        typer.Argument(metavar="[STAGE[/STEP]]", help="Only this stage or step, by number or name."),
    ] = "",
    repository: RepositoryOption = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until it has ended.")] = False,
) -> None:
    """Shows what the steps of a build printed, in their order.

    With --json, each line is an object: stage and step, position, time in seconds since the step began,
    and the text.
    """
    owner, repo = session.repository(repository)
    place = Place(owner, repo, number_of(session.client, owner, repo, build))
    several = "/" not in where
    shown = 0
    for stage, step in _steps(session.client, place, where, follow=follow):
        if several and not session.json:
            say(f"--- {stage.name}/{step.name} ({stage.number}/{step.number})")
        shown += 1
        for line in _lines(session.client, place, stage.number, step.number, follow=follow):
            _put_line(session, stage, step, line)
    if not shown and where:
        raise UnresolvedError(f"build {place.build} of {owner}/{repo} has no step {where!r}")
    if not shown:
        say(f"build {place.build} of {owner}/{repo} has no steps")


def _steps(client: Client, place: Place, where: str, *, follow: bool) -> Iterator[tuple[pb.Stage, pb.Step]]:
    """The steps that are named, each once; following, as they come until the build has ended."""
    seen: set[int] = set()
    while True:
        build = _get(client, place, follow=follow)
        found = [
            (stage, step)
            for stage in build.stages
            for step in stage.steps
            if step.id not in seen and _is_named(stage, step, where)
        ]
        # One that has not begun is not waited for while another already prints.
        begun = [each for each in found if each[1].status not in _UNENDED or each[1].HasField("started")]
        if build.status not in _UNENDED or not follow:
            yield from found
            return
        for stage, step in begun:
            seen.add(step.id)
            yield stage, step
        if not begun:
            time.sleep(_POLL_SECONDS)


def _get(client: Client, place: Place, *, follow: bool) -> pb.Build:
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return client.get_build(owner=place.owner, repo=place.repo, build=place.build)
        except Unavailable:
            if not follow or time.monotonic() > until:
                raise
            time.sleep(_POLL_SECONDS)


def _is_named(stage: pb.Stage, step: pb.Step, where: str) -> bool:
    # Names may have slashes in them.
    stages = (str(stage.number), stage.name)
    steps = (str(step.number), step.name)
    return where in ("", *stages) or where in {f"{a}/{b}" for a in stages for b in steps}


def _lines(client: Client, place: Place, stage: int, step: int, *, follow: bool) -> Iterator[pb.LogLine]:
    """A step's lines, each once, however often the server goes away meanwhile."""
    position = 0
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            for some in client.tail_log(
                owner=place.owner,
                repo=place.repo,
                build=place.build,
                stage=stage,
                step=step,
                position=position,
                follow=follow,
            ):
                until = time.monotonic() + _PATIENCE_SECONDS
                yield from some.lines
                position = some.next_position
        except Unavailable:
            if not follow or time.monotonic() > until:
                raise
            time.sleep(_POLL_SECONDS)
        else:
            return


def _put_line(session: Session, stage: pb.Stage, step: pb.Step, line: pb.LogLine) -> None:
    if session.json:
        fields = {"stage": stage.number, "step": step.number, "position": line.position}
        sys.stdout.write(
            json.dumps({**fields, "time": line.time.ToMilliseconds() / 1000, "text": line.text}) + "\n"
        )
    elif sys.stdout.isatty():
        text = _COLOUR.sub("", line.text.removesuffix("\n").expandtabs())
        sys.stdout.write(f"{clean(text)}\n")
    else:
        # A program or a file gets what was printed.
        sys.stdout.write(line.text)
    sys.stdout.flush()
