"""The commands of deployers: take, report."""

import asyncio
import os
import signal
from collections.abc import Callable
from typing import Annotated, Any, Literal

import typer

from shiplift.cli import completing
from shiplift.cli.builds import BuildArgument
from shiplift.cli.formats import as_json
from shiplift.cli.naming import number_of
from shiplift.cli.output import put, put_lines, say, word
from shiplift.cli.pages import Command
from shiplift.cli.session import (
    RepositoryOption,
    RequestIdOption,
    Session,
    UnresolvedError,
    command,
)
from shiplift.runner.deploying import Deployer
from shiplift.runner.taking import Taker, Wanted, host_name
from shiplift.v1 import builds_pb2 as pb

app = typer.Typer()

ReportedStatus = Literal["pending", "running", "success", "failure", "error", "killed"]


class _WithProgram(Command):
    """A command line with another one behind `--`: that is left in the context's `args`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401  # Typer's own has no public name
        at = args.index("--") if "--" in args else len(args)
        super().parse_args(ctx, args[:at])
        ctx.args = args[at + 1 :]
        return args[at + 1 :]

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ANN401  # as above
        return [*super().collect_usage_pieces(ctx), "[-- COMMAND...]"]


@command(
    app,
    "take",
    "shiplift take production -- ./deploy.sh",
    "shiplift take production -R octocat/hello-world --timeout 60",
    kind=_WithProgram,
)
def take(
    session: Session,
    environments: Annotated[
        list[str],
        typer.Argument(
            metavar="ENVIRONMENT",
            autocompletion=completing.environments,
            help="Where the promotions go. Behind `--` stands what deploys them.",
        ),
    ],
    repository: Annotated[
        str | None,
        typer.Option(
            "--repository",
            "-R",
            metavar="OWNER/REPO",
            help="Only this repository's. [SHIPLIFT_REPO, else all that the token reaches]",
        ),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Take one; its exit code is the command's.")] = False,
    timeout: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=0, help="End when none came for so long. [wait for ever]"),
    ] = None,
    name: Annotated[
        str, typer.Option(metavar="NAME", help="What this machine is called. [the host's name]")
    ] = "",
) -> None:
    """Takes promotions that wait for a deployer, one after the other, and runs a command for each.

    The command finds the parameters and the DRONE_* variables in its environment, beside those that are
    there, but for SHIPLIFT_TOKEN and SHIPLIFT_TOKEN_FILE. What it prints is put out, and kept as the log
    of the step "deploy"; its exit code is reported. Where the build is cancelled, it is ended with all that
    it started. Without a command, takes one promotion and puts out its lease as JSON: `shiplift report` is
    to follow.

    It goes on until it is stopped: by SIGTERM with exit code 0, unless a command ran, which is then ended
    and reported as killed; its exit code is this one's. Where none came for --timeout SECONDS it is 0 if
    something was taken before, and else 1.
    """
    owner, repo = "", ""
    if repository or os.environ.get("SHIPLIFT_REPO"):
        owner, repo = session.repository(repository)
    wanted = Wanted(
        machine=name or host_name(), kind="external", owner=owner, repo=repo, environments=environments
    )
    code = asyncio.run(
        _deploy(session, wanted, session.behind, timeout, once=once)
        if session.behind
        else _take(session, wanted, timeout)
    )
    if code:
        raise typer.Exit(code)


async def _deploy(
    session: Session, wanted: Wanted, program: list[str], seconds: float | None, *, once: bool
) -> int:
    if once:
        say(_beginning(session, wanted, "one promotion", "."))
    else:
        say(_beginning(session, wanted, "promotions", " until stopped; --once takes one."))
    async with session.connect_async() as client:
        deployer = Deployer(client, wanted, program, say)
        signals = _stopped_by(deployer.stop)
        code = await deployer.run(once=once, seconds=seconds)
    if code is not None:
        return code
    if signals:
        return 0 if signals[0] == signal.SIGTERM and not once else 128 + signals[0]
    if not deployer.count:
        raise _nothing_came(wanted, seconds)
    say(f"Nothing came within {seconds:g} s.")
    return 0


async def _take(session: Session, wanted: Wanted, seconds: float | None) -> int:
    say(_beginning(session, wanted, "one promotion", ", and has no command."))
    async with session.connect_async() as client:
        taker = Taker(client, wanted, say)
        signals = _stopped_by(taker.stop)
        lease = await taker.take(seconds)
    if lease is not None:
        put_lines(as_json(lease))
        return 0
    if signals:
        return 128 + signals[0]
    raise _nothing_came(wanted, seconds)


def _beginning(session: Session, wanted: Wanted, what: str, end: str) -> str:
    where = ", ".join(wanted.environments)
    return f"{wanted.machine} takes {what} to {where} from {session.settings.server}{end}"


def _stopped_by(stop: Callable[[], None]) -> list[int]:
    """Has SIGTERM and Ctrl-C stop it; which of them came."""
    came: list[int] = []

    def handle(number: int) -> None:
        came.append(number)
        stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, handle, number)
    return came


def _nothing_came(wanted: Wanted, seconds: float | None) -> UnresolvedError:
    where = ", ".join(wanted.environments)
    return UnresolvedError(f"nothing came to be taken for {where} within {seconds:g} s")


@command(
    app,
    "report",
    "shiplift report 42 running --message 'half of the machines'",
    "shiplift report 42 success",
    answers=pb.Build,
)
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
