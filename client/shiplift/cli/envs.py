"""The commands about what is where: envs, settle."""

from collections.abc import Sequence
from typing import Annotated

import typer

from shiplift.cli import completing
from shiplift.cli.output import put, say, when, word
from shiplift.cli.session import RepositoryOption, RequestIdOption, Session, UsageError, command
from shiplift.cli.tables import Column, put_table
from shiplift.v1 import builds_pb2 as pb
from shiplift.v1 import environments_pb2

app = typer.Typer()


@command(
    app, "envs", "shiplift envs", "shiplift envs production --all", answers=environments_pb2.Deployment
)
def envs(
    session: Session,
    environment: Annotated[
        str,
        typer.Argument(
            metavar="[ENVIRONMENT]", autocompletion=completing.environments, help="Only this one."
        ),
    ] = "",
    repository: RepositoryOption = None,
    everywhere: Annotated[
        bool, typer.Option("--all", help="Of all repositories that the token may read.")
    ] = False,
) -> None:
    """Shows what is in the environments."""
    owner, repo = "", ""
    if not everywhere:
        try:
            owner, repo = session.repository(repository)
        except UsageError as error:
            raise UsageError(f"{error}; or --all") from None
    found = list(session.client.iterate_deployments(owner=owner, repo=repo, environment=environment))
    where = "any repository" if everywhere else f"{owner}/{repo}"
    columns = (Column("REPOSITORY", 0 if everywhere else 6), *_COLUMNS)
    session.show(
        found,
        lambda: _put(columns, found, wide=session.wide),
        f"Nothing was promoted{environment and f' to {environment}'} in {where} yet.",
    )


def _put(columns: Sequence[Column], found: Sequence[environments_pb2.Deployment], *, wide: bool) -> None:
    put_table(columns, map(_row, found), wide=wide)
    for each in found:
        if each.in_flight.waiting_for:
            say(f"{each.environment}: build {each.in_flight.number}: {each.in_flight.waiting_for}")


_COLUMNS = (
    Column("ENVIRONMENT"),
    Column("CURRENT"),
    Column("RELEASE", 1),
    Column("COMMIT"),
    Column("SINCE", 5),
    Column("IN FLIGHT", 2),
    Column("LAST FAILED", 4),
    Column("UNCERTAIN", 3, is_text=True),
)


def _row(deployment: environments_pb2.Deployment) -> Sequence[str]:
    current = deployment.current
    return (
        f"{deployment.owner}/{deployment.repo}",
        deployment.environment,
        _number(current),
        current.release,
        current.after[:8],
        when(current, "finished")[:16],
        _with_status(deployment.in_flight),
        " at ".join(filter(None, (_with_status(deployment.last_failed), deployment.failed_step))),
        _uncertain(deployment),
    )


def _number(build: pb.Build) -> str:
    return str(build.number) if build.number else ""


def _with_status(build: pb.Build) -> str:
    return f"{build.number} {word(pb.BuildStatus, build.status)}" if build.number else ""


def _uncertain(deployment: environments_pb2.Deployment) -> str:
    if not deployment.HasField("uncertain"):
        return ""
    lost = deployment.uncertain
    since = when(lost, "since")[:16]
    return f"{lost.build} was lost on {lost.machine or 'its machine'} in {lost.stage}, {since}"


@command(
    app,
    "settle",
    "shiplift settle production --current 42 --comment 'rolled back by hand'",
    answers=environments_pb2.Deployment,
)
def settle(
    session: Session,
    environment: Annotated[
        str,
        typer.Argument(metavar="ENVIRONMENT", autocompletion=completing.environments, help="Which one."),
    ],
    current: Annotated[
        int,
        typer.Option(metavar="NUMBER", min=0, help="The promotion or rollback that is there; 0: none is."),
    ],
    repository: RepositoryOption = None,
    comment: Annotated[str, typer.Option(help="Why, in a few words.")] = "",
    request_id: RequestIdOption = None,
) -> None:
    """Says what is in an environment where the server cannot know: promotions to it are taken again."""
    owner, repo = session.repository(repository)
    settled = session.client.settle_environment(
        owner=owner,
        repo=repo,
        environment=environment,
        build=current,
        comment=comment,
        request_id=request_id,
    )
    there = f"build {settled.current.number}" if settled.current.number else "nothing"
    told = f"{settled.owner}/{settled.repo}: {there} is in {settled.environment}"
    session.show(settled, lambda: put(told))
