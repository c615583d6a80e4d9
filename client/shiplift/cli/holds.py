"""The commands that stop environments and let them go: hold, resume."""

from typing import Annotated

import typer

from shiplift.cli import completing
from shiplift.cli.output import put, when
from shiplift.cli.session import RequestIdOption, Session, UsageError, command
from shiplift.cli.times import time_from_now
from shiplift.v1 import environments_pb2 as pb

app = typer.Typer()

EnvironmentArgument = Annotated[
    str,
    typer.Argument(metavar="[ENVIRONMENT]", autocompletion=completing.environments, help="Which one."),
]
WhereOption = Annotated[
    str | None,
    typer.Option(
        "--repository",
        "-R",
        metavar="OWNER/REPO",
        autocompletion=completing.repositories,
        help="The repository, or 'OWNER/*'. [SHIPLIFT_REPO, else the git remote origin]",
    ),
]
AllOption = Annotated[
    bool, typer.Option("--all", help="All environments of the repository, or of all of an owner's.")
]


@command(
    app,
    "hold",
    "shiplift hold production --reason 'the shop is down'",
    "shiplift hold production --automatic --until 2h --reason 'by hand today'",
    "shiplift hold --all -R 'octocat/*' --reason 'moving the data centre'",
    answers=pb.Hold,
)
def hold(
    session: Session,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for whoever is stopped by it.")],
    environment: EnvironmentArgument = "",
    repository: WhereOption = None,
    automatic: Annotated[
        bool, typer.Option("--automatic", help="Stop machine users alone: people may promote.")
    ] = False,
    until: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help="When it ends by itself: 2h from now, or 2026-12-24T18:00 as clocks show it here.",
        ),
    ] = "",
    everything: AllOption = False,
    request_id: RequestIdOption = None,
) -> None:
    """Stops promotions to an environment until `resume`. What runs goes on; what waits goes on waiting."""
    owner, repo = _where(session, repository, environment, everything=everything)
    held = session.client.hold_environment(
        owner=owner,
        repo=repo,
        environment=environment,
        scope="automatic" if automatic else "all",
        reason=reason,
        until=time_from_now("--until", until),
        request_id=request_id,
    )
    session.show(held, lambda: put(f"{held.owner}/{held.repo}: {_what(environment)} is {told_hold(held)}"))


@command(
    app,
    "resume",
    "shiplift resume production",
    "shiplift resume --all --comment 'moved'",
    answers=pb.Hold,
)
def resume(
    session: Session,
    environment: EnvironmentArgument = "",
    repository: WhereOption = None,
    comment: Annotated[str, typer.Option(help="Why; kept in the audit.")] = "",
    everything: AllOption = False,
    request_id: RequestIdOption = None,
) -> None:
    """Takes back what `hold` said, in the same words. What waits for nothing else goes on at once."""
    owner, repo = _where(session, repository, environment, everything=everything)
    was = session.client.resume_environment(
        owner=owner, repo=repo, environment=environment, comment=comment, request_id=request_id
    )
    told = f"it was by {was.by} since {when(was, 'since')[:16]}: {was.reason}"
    session.show(was, lambda: put(f"{owner}/{repo}: {_what(environment)} is held no more; {told}"))


def told_hold(held: pb.Hold) -> str:
    """Who holds it, until when and why, in words."""
    machines = " for machine users" if held.scope == pb.HOLD_SCOPE_AUTOMATIC else ""
    until = f" until {when(held, 'until')[:16]}" if held.HasField("until") else ""
    return f"held by {held.by}{machines}{until}: {held.reason}"


def _what(environment: str) -> str:
    return environment or "every environment"


def _where(session: Session, given: str | None, environment: str, *, everything: bool) -> tuple[str, str]:
    """The owner and the repository, or `*`. Raises UsageError where it is not said what is meant."""
    owner, repo = session.repository(given)
    if everything and environment:
        raise UsageError(f"--all and {environment} are both given: leave one out")
    if not (everything or environment):
        raise UsageError(f"which environment of {owner}/{repo}? Name it, or say --all")
    return owner, repo
