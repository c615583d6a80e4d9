"""The command that shows builds as they move."""

import sys
from collections.abc import Iterable
from typing import Annotated

import typer

from shiplift.cli import completing
from shiplift.cli.builds import EVENTS
from shiplift.cli.following import state
from shiplift.cli.formats import as_line
from shiplift.cli.output import clean, put, put_lines, say, when, word
from shiplift.cli.session import RepositoryOption, Session, chosen, command
from shiplift.v1 import builds_pb2 as pb

app = typer.Typer()

# Of stages, by owner, repository, and the numbers of build and stage.
_Names = dict[tuple[str, str, int, int], str]


@command(
    app,
    "watch",
    "shiplift watch",
    "shiplift watch --all --environment production",
    "shiplift watch --all --json",
)
def watch(
    session: Session,
    repository: RepositoryOption = None,
    everywhere: Annotated[bool, typer.Option("--all", help="All repositories that you can see.")] = False,
    environment: Annotated[
        str,
        typer.Option(
            "--environment",
            "-e",
            metavar="NAME",
            autocompletion=completing.environments,
            help="Only what goes there, and what becomes of it.",
        ),
    ] = "",
    event: Annotated[
        list[str] | None,
        typer.Option(metavar="EVENT", help=f"Only builds of it: {', '.join(EVENTS)}; may be repeated."),
    ] = None,
    cursor: Annotated[
        str, typer.Option(metavar="CURSOR", help="Go on behind this one, which --json has told.")
    ] = "",
) -> None:
    """Shows what has not ended, and then every change, a line each, until Ctrl-C.

    With --json each line is an object; who comes back with its `cursor` misses nothing.
    """
    owner, repo = session.repository_or_all(repository, everywhere=everywhere)
    events = chosen("--event", event, EVENTS)
    names: _Names = {}
    for response in session.client.watch(
        owner=owner, repo=repo, environment=environment, events=events, cursor=cursor
    ):
        if session.json is not None:
            put_lines(as_line(response))
        elif response.HasField("snapshot"):
            _remember(names, response.snapshot)
            put(state(response.snapshot))
        elif response.HasField("change"):
            put("  ".join(_words(names, response.change)))
        elif sys.stderr.isatty():
            say("This is what has not ended; what changes follows, until Ctrl-C.")
        # Who reads a pipe wants what there is.
        sys.stdout.flush()


def _remember(names: _Names, build: pb.Build) -> None:
    for stage in build.stages:
        names[build.owner, build.repo, build.number, stage.number] = stage.name


def _words(names: _Names, change: pb.Change) -> Iterable[str]:
    """When, in which repository, what, and how it is."""
    yield when(change, "time")
    yield f"{change.owner}/{change.repo}"
    where = f" to {change.environment}" if change.environment else ""
    if change.HasField("moved_build"):
        build = change.moved_build
        yield f"build {build.number}{where}"
        yield word(pb.BuildStatus, build.status) + (f": {clean(build.error)}" if build.error else "")
    elif change.HasField("moved_stage"):
        stage = change.moved_stage
        names[change.owner, change.repo, change.build, stage.number] = stage.name
        yield f"build {change.build}{where}: {stage.name}"
        yield word(pb.BuildStatus, stage.status) + (f": {clean(stage.error)}" if stage.error else "")
    elif change.HasField("moved_step"):
        step = change.moved_step
        place = change.owner, change.repo, change.build, change.stage
        yield f"build {change.build}{where}: {names.get(place, str(change.stage))}/{step.name}"
        yield word(pb.BuildStatus, step.status)
    else:
        yield change.environment or "all environments"
        yield word(pb.EnvironmentAction, change.environment_action)
