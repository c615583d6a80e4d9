"""The commands about builds: cancel, show, builds."""

import itertools
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, get_args

import typer

from shiplift import Denied
from shiplift._methods import BuildEventWord, BuildStatusWord
from shiplift._waiting import ENDED
from shiplift.cli import completing
from shiplift.cli.differing import put_diff
from shiplift.cli.naming import number_of
from shiplift.cli.output import first_line, put, when, word
from shiplift.cli.session import (
    RepositoryOption,
    RequestIdOption,
    Session,
    UnresolvedError,
    chosen,
    command,
)
from shiplift.cli.showing import event_of, show_build
from shiplift.cli.tables import Column, put_table
from shiplift.cli.times import AGO, time_ago
from shiplift.v1 import builds_pb2 as pb

app = typer.Typer()

EVENTS: tuple[BuildEventWord, ...] = get_args(BuildEventWord)
STATUSES: tuple[BuildStatusWord, ...] = get_args(BuildStatusWord)

BuildArgument = Annotated[
    str,
    typer.Argument(
        metavar="BUILD",
        autocompletion=completing.builds,
        help="Its number, release, external id or commit (7 digits on); latest, latest@BRANCH or a branch:"
        " the newest that succeeded; an environment: what is there.",
    ),
]
EnvironmentArgument = Annotated[
    str,
    typer.Argument(
        metavar="ENVIRONMENT", autocompletion=completing.environments, help="Where to, such as production."
    ),
]
ParameterOption = Annotated[
    list[str] | None,
    typer.Option("--param", "-p", metavar="KEY=VALUE", help="A parameter for the steps; may be repeated."),
]


@command(app, "cancel", "shiplift cancel 42", answers=pb.Build)
def cancel(
    session: Session,
    build: BuildArgument,
    repository: RepositoryOption = None,
    request_id: RequestIdOption = None,
) -> None:
    """Stops a build: what runs is ended, what waits is left out."""
    owner, repo = session.repository(repository)
    number = number_of(session.client, owner, repo, build)
    _refuse_if_ended(session, owner, repo, number)
    stopped = session.client.cancel_build(owner=owner, repo=repo, build=number, request_id=request_id)
    told = f"build {stopped.number} is {word(pb.BuildStatus, stopped.status)}"
    session.show(stopped, lambda: put(f"{stopped.owner}/{stopped.repo}: {told}"))


def _refuse_if_ended(session: Session, owner: str, repo: str, number: int) -> None:
    # The server takes it, as a repeat of the call that ended the build would be; whoever types it is late.
    with suppress(Denied):
        found = session.client.get_build(owner=owner, repo=repo, build=number)
        if found.status in ENDED:
            told = f"build {number} of {owner}/{repo} has ended in {word(pb.BuildStatus, found.status)}"
            raise UnresolvedError(f"{told}: there is nothing to stop")


@command(app, "show", "shiplift show 42", "shiplift show v1.4.2 -R octocat/hello-world", answers=pb.Build)
def show(session: Session, build: BuildArgument, repository: RepositoryOption = None) -> None:
    """Shows a build with its parameters, stages and steps; while it waits for people, what it changes."""
    owner, repo = session.repository(repository)
    number = number_of(session.client, owner, repo, build)
    found = session.client.get_build(owner=owner, repo=repo, build=number)
    show_build(session, found)
    if found.status == pb.BUILD_STATUS_BLOCKED and found.deploy_to and not session.for_programs:
        diff = session.client.diff_promotion(owner=owner, repo=repo, build=number, target="")
        put("")
        put_diff(diff, wide=session.wide)


@command(
    app,
    "builds",
    "shiplift builds --environment production --status success",
    "shiplift builds --branch main -n 5",
    "shiplift builds --environment production --since 7d --all",
    answers=pb.Build,
)
def builds(
    session: Session,
    repository: RepositoryOption = None,
    event: Annotated[
        list[str] | None,
        typer.Option(metavar="EVENT", help=f"Only of this event ({', '.join(EVENTS)}); may be repeated."),
    ] = None,
    status: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STATUS", help=f"Only of this status ({', '.join(STATUSES)}); may be repeated."
        ),
    ] = None,
    environment: Annotated[
        str | None,
        typer.Option(
            "--environment",
            "-e",
            autocompletion=completing.environments,
            help="Only promotions and rollbacks to it.",
        ),
    ] = None,
    release: Annotated[str | None, typer.Option(help="Only of this release.")] = None,
    commit: Annotated[str | None, typer.Option(metavar="HASH", help="Only of this commit.")] = None,
    branch: Annotated[str | None, typer.Option(help="Only of this git branch.")] = None,
    origin: Annotated[
        int, typer.Option(metavar="NUMBER", help="Only this build and what was promoted from it.")
    ] = 0,
    since: Annotated[str, typer.Option(metavar="TIME", help=f"Only those created since then: {AGO}.")] = "",
    until: Annotated[
        str, typer.Option(metavar="TIME", help="Only those created before; with --since half-open.")
    ] = "",
    by: Annotated[
        str, typer.Option(metavar="LOGIN", help="Only those that they recorded or promoted.")
    ] = "",
    everywhere: Annotated[
        bool, typer.Option("--all", help="Of all repositories that the token may read.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at the most.")] = 20,
) -> None:
    """Lists builds, newest first."""
    owner, repo = session.repository_or_all(repository, everywhere=everywhere)
    found = session.client.iterate_builds(
        owner=owner,
        repo=repo,
        events=chosen("--event", event, EVENTS),
        statuses=chosen("--status", status, STATUSES),
        environment=environment or "",
        release=release or "",
        commit=(commit or "").lower(),
        ref=f"refs/heads/{branch}" if branch else "",
        origin=origin,
        created_after=time_ago("--since", since),
        created_before=time_ago("--until", until),
        trigger=by,
        page_size=min(limit, 1000),
    )
    listed = list(itertools.islice(found, limit))
    filters = (event, status, environment, release, commit, branch, origin, since, until, by)
    where = "any repository" if everywhere else f"{owner}/{repo}"
    columns = (*((Column("REPOSITORY"),) if everywhere else ()), *_BUILD_COLUMNS)
    rows = (_row(each, with_repository=everywhere) for each in listed)
    session.show(
        listed,
        lambda: put_table(columns, rows, wide=session.wide),
        f"No builds of {where}{' that fit' if any(filters) else ''}.",
    )


_BUILD_COLUMNS = (
    Column("BUILD"),
    Column("STATUS"),
    Column("EVENT", 6),
    Column("ENVIRONMENT", 1),
    Column("RELEASE", 2),
    Column("COMMIT"),
    Column("BRANCH", 7),
    Column("BY", 4),
    Column("CREATED", 3),
    Column("MESSAGE", 5, is_text=True),
)


def _row(build: pb.Build, *, with_repository: bool) -> Sequence[str]:
    return (
        *((f"{build.owner}/{build.repo}",) if with_repository else ()),
        str(build.number),
        word(pb.BuildStatus, build.status),
        event_of(build),
        build.deploy_to,
        build.release,
        build.after[:8],
        build.target,
        build.trigger,
        when(build, "created")[:16],
        first_line(build.title or build.message),
    )
