"""The commands about what is where: envs, settle."""

from collections.abc import Sequence
from typing import Annotated

import typer

from shiplift.cli.output import put, put_json, put_table, when, word
from shiplift.cli.session import RepositoryOption, RequestIdOption, Session, UsageError, command
from shiplift.v1 import builds_pb2 as pb
from shiplift.v1 import environments_pb2

app = typer.Typer()


@command(app, "envs")
def envs(
    session: Session,
    environment: Annotated[str, typer.Argument(metavar="[ENVIRONMENT]", help="Only this one.")] = "",
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
    if session.json:
        put_json(found)
        return
    headings = (
        *("REPOSITORY", "ENVIRONMENT", "CURRENT", "RELEASE", "COMMIT", "SINCE"),
        *("IN FLIGHT", "LAST FAILED", "UNCERTAIN"),
    )
    put_table(headings, map(_row, found))


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


@command(app, "settle")
def settle(
    session: Session,
    environment: Annotated[str, typer.Argument(metavar="ENVIRONMENT", help="Which one.")],
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
    if session.json:
        put_json(settled)
        return
    there = f"build {settled.current.number}" if settled.current.number else "nothing"
    put(f"{settled.owner}/{settled.repo}: {there} is in {settled.environment}")
