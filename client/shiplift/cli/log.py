"""The commands that stay with a build: log, wait."""

import asyncio
from typing import Annotated

import typer

from shiplift._waiting import ENDED
from shiplift.cli.builds import BuildArgument
from shiplift.cli.following import Shown, TimeoutOption, state, until_ended
from shiplift.cli.naming import number_of
from shiplift.cli.output import say
from shiplift.cli.session import RepositoryOption, Session, UnresolvedError, command
from shiplift.v1 import builds_pb2 as pb

app = typer.Typer()


@command(app, "log", "shiplift log 42 --follow", "shiplift log 42 default/deploy")
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
    number = number_of(session.client, owner, repo, build)
    found = session.client.get_build(owner=owner, repo=repo, build=number)
    if follow and found.status not in ENDED and not found.HasField("started"):
        say(state(found))
    is_there = asyncio.run(_show(session, found, where, follow=follow, as_json=session.json is not None))
    if not is_there and where:
        raise UnresolvedError(f"build {number} of {owner}/{repo} has no step {where!r}")
    if not is_there:
        say(f"build {number} of {owner}/{repo} has no steps")


async def _show(session: Session, build: pb.Build, where: str, *, follow: bool, as_json: bool) -> bool:
    async with session.connect_async() as client:
        return await Shown(client, build, where, as_json=as_json).show(follow=follow)


@command(app, "wait", "shiplift wait 42 --timeout 600", answers=pb.Build)
def wait(
    session: Session,
    build: BuildArgument,
    repository: RepositoryOption = None,
    timeout: TimeoutOption = None,
) -> None:
    """Waits until a build has ended, and shows its log and how it moves meanwhile.

    Exit code 0: it ended in success; 4: it failed; 5: it was declined or superseded; 6: not in time. With
    --json, puts out the build in place of the log. Ctrl-C ends the waiting alone.
    """
    owner, repo = session.repository(repository)
    number = number_of(session.client, owner, repo, build)
    until_ended(session, session.client.get_build(owner=owner, repo=repo, build=number), timeout)
