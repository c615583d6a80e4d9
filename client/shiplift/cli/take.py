"""The commands of deployers: take, report."""

import asyncio
import os
import signal
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Literal

import typer

from shiplift import AsyncClient
from shiplift.cli.builds import BuildArgument
from shiplift.cli.formats import as_json
from shiplift.cli.naming import number_of
from shiplift.cli.output import put, put_lines, say, word
from shiplift.cli.session import (
    RepositoryOption,
    RequestIdOption,
    Session,
    UnresolvedError,
    command,
)
from shiplift.runner.holding import Holding
from shiplift.runner.processes import Group
from shiplift.runner.stage import Outcome
from shiplift.runner.taking import Taker, Wanted, host_name
from shiplift.v1 import builds_pb2 as pb
from shiplift.v1 import stages_pb2

app = typer.Typer()

ReportedStatus = Literal["pending", "running", "success", "failure", "error", "killed"]
# As a shell says that it found no program.
_NOT_FOUND, _NOT_STARTED = 127, 126


@command(app, "take")
def take(
    session: Session,
    environment: Annotated[str, typer.Argument(metavar="ENVIRONMENT", help="Where the promotion goes.")],
    program: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- COMMAND...]", show_default=False, help="What deploys it."),
    ] = None,
    repository: Annotated[
        str | None,
        typer.Option(
            "--repository",
            "-R",
            metavar="OWNER/REPO",
            help="Only this repository's. [SHIPLIFT_REPO, else all that the token reaches]",
        ),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=0, help="How long to wait for one. [for ever]"),
    ] = None,
    name: Annotated[
        str, typer.Option(metavar="NAME", help="What this machine is called. [the host's name]")
    ] = "",
) -> None:
    """Takes a promotion that waits for a deployer, and runs a command for it.

    The command finds the parameters and the DRONE_* variables in its environment, beside those that are
    there. Its exit code is reported, and is this one's. Where the build is cancelled, it is ended with all
    that it started. Without a command, puts out the lease as JSON: `shiplift report` is to follow.
    """
    owner, repo = "", ""
    if repository or os.environ.get("SHIPLIFT_REPO"):
        owner, repo = session.repository(repository)
    wanted = Wanted(
        machine=name or host_name(), kind="external", owner=owner, repo=repo, environments=[environment]
    )
    code = asyncio.run(_take(session, wanted, program or [], timeout))
    if code:
        raise typer.Exit(code)


async def _take(session: Session, wanted: Wanted, program: Sequence[str], seconds: float | None) -> int:
    async with session.connect_async() as client:
        taker = Taker(client, wanted, say)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, taker.stop)
        lease = await taker.take(seconds)
        if lease is None and taker.is_stopping:
            raise KeyboardInterrupt
        if lease is None:
            where = ", ".join(wanted.environments)
            raise UnresolvedError(f"nothing came to be taken for {where} within {seconds:g} s")
        if not program:
            put_lines(as_json(lease))
            return 0
        return await _deploy(client, lease, program)


async def _deploy(client: AsyncClient, lease: stages_pb2.StageLease, program: Sequence[str]) -> int:
    build = lease.build
    what = f"{build.owner}/{build.repo}: build {build.number} to {build.deploy_to}"
    say(f"{what}: begins")
    async with Holding(client, lease) as holding:
        stop = partial(holding.stop, "killed", "the deployer was stopped", hurry=True)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop)
        await holding.update_stage("running")
        outcome = await _run(holding, program, {**os.environ, **lease.plan.environment})
        await holding.finish(*outcome)
    say(f"{what}: {': '.join(filter(None, (outcome.status, outcome.error)))}")
    return outcome.exit_code


async def _run(holding: Holding, program: Sequence[str], environment: dict[str, str]) -> Outcome:
    if holding.stopped is not None:
        return Outcome(*holding.stopped, exit_code=1)
    try:
        group = await Group.start(program, environment)
    except (OSError, ValueError) as error:
        words = f"{program[0]} could not be started: {error}"
        return Outcome("error", words, _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_STARTED)
    code = await holding.unless_stopped(group.wait())
    # What it left behind, too.
    await group.end()
    if code is None:
        return Outcome(*holding.why_stopped, exit_code=await group.wait() or 1)
    return Outcome("failure", f"{program[0]}: exit code {code}", code) if code else Outcome("success")


@command(app, "report", pb.Build)
def report(
    session: Session,
    build: BuildArgument,
    status: Annotated[ReportedStatus, typer.Argument(metavar="STATUS", help="How far it is.")],
    repository: RepositoryOption = None,
    message: Annotated[str | None, typer.Option(help="How it goes, in a few words.")] = None,
    link: Annotated[str | None, typer.Option(metavar="URL", help="Where it can be watched.")] = None,
    request_id: RequestIdOption = None,
) -> None:
    """Reports how a build or a promotion goes on."""
    owner, repo = session.repository(repository)
    number = number_of(session.client, owner, repo, build)
    made = session.client.update_build(
        owner=owner,
        repo=repo,
        build=number,
        status=status,
        message=message,
        link=link,
        request_id=request_id,
    )
    told = f"{made.owner}/{made.repo}: build {made.number} is {word(pb.BuildStatus, made.status)}"
    session.show(made, lambda: put(told))
