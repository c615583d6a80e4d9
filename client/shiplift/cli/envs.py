"""The commands about what is where: envs, settle."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated

import typer
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from shiplift.cli import completing
from shiplift.cli.holds import WhereOption, told_hold
from shiplift.cli.lengths import shown_length
from shiplift.cli.output import put, say, when, word
from shiplift.cli.session import RepositoryOption, RequestIdOption, Session, command
from shiplift.cli.tables import Column, put_table
from shiplift.cli.times import AGO, time_ago
from shiplift.v1 import builds_pb2 as pb
from shiplift.v1 import environments_pb2

app = typer.Typer()

_AGES = (("d", 86_400), ("h", 3_600), ("m", 60))


@command(
    app,
    "envs",
    "shiplift envs",
    "shiplift envs production --all",
    "shiplift envs --at 2h",
    answers=environments_pb2.Deployment,
)
def envs(
    session: Session,
    environment: Annotated[
        str,
        typer.Argument(
            metavar="[ENVIRONMENT]", autocompletion=completing.environments, help="Only this one."
        ),
    ] = "",
    repository: WhereOption = None,
    everywhere: Annotated[
        bool, typer.Option("--all", help="Of all repositories that the token may read.")
    ] = False,
    at: Annotated[
        str,
        typer.Option(metavar="TIME", help=f"What was there then: {AGO}."),
    ] = "",
) -> None:
    """Shows what is in the environments, since when and by whom, and what is on its way or in the way."""
    owner, repo = session.repository_or_all(repository, everywhere=everywhere)
    one = "" if repo == "*" else repo
    then = time_ago("--at", at)
    found = list(
        session.client.iterate_deployments(owner=owner, repo=one, environment=environment, at=then)
    )
    where = "any repository" if everywhere else f"{owner}/{repo}"
    columns = (Column("REPOSITORY", 6 if one else 0), *_COLUMNS)
    session.show(
        found,
        lambda: _put(columns, found, wide=session.wide),
        f"Nothing was promoted{environment and f' to {environment}'} in {where} yet."
        if then is None
        else f"Nothing had come{environment and f' to {environment}'} in {where} by then.",
    )


def _put(columns: Sequence[Column], found: Sequence[environments_pb2.Deployment], *, wide: bool) -> None:
    put_table(columns, map(_row, found), wide=wide)
    for each in found:
        if each.in_flight.waiting_for:
            say(f"{each.environment}: build {each.in_flight.number}: {each.in_flight.waiting_for}")


_COLUMNS = (
    Column("ENVIRONMENT"),
    Column("CURRENT"),
    Column("RELEASE", 2),
    Column("COMMIT", 4),
    Column("AGE", 3),
    Column("BY", 5),
    Column("STATE", 1, is_text=True, is_folded=True),
)


def _row(deployment: environments_pb2.Deployment) -> Sequence[str]:
    current = deployment.current
    return (
        f"{deployment.owner}/{deployment.repo}",
        deployment.environment,
        str(current.number or ""),
        current.release,
        current.after[:8],
        _age(deployment, "since") or _age(current, "finished"),
        current.trigger,
        "; ".join(_state(deployment)),
    )


def _age(message: environments_pb2.Deployment | pb.Build, field: str) -> str:
    """How long ago a time was, in the largest unit that it has one of; empty where it is unset."""
    if not message.HasField(field):
        return ""
    at: Timestamp = getattr(message, field)
    seconds = (datetime.now(UTC) - at.ToDatetime(UTC)).total_seconds()
    return next((f"{seconds // size:.0f}{unit}" for unit, size in _AGES if seconds >= size), "now")


def _state(deployment: environments_pb2.Deployment) -> Iterator[str]:
    """What is on its way there, and what is in the way, the worst first."""
    if deployment.HasField("uncertain"):
        lost = deployment.uncertain
        at = f"{lost.machine or 'its machine'} in {lost.stage}, {when(lost, 'since')[:16]}"
        yield f"uncertain: {lost.build} was lost on {at}"
    if deployment.HasField("hold"):
        hold = deployment.hold
        # One that stops more than this environment says what.
        wide = "" if hold.environment and hold.repo == deployment.repo else f"{hold.owner}/{hold.repo} is "
        yield f"{wide}{told_hold(hold)}"
    if deployment.HasField("freeze"):
        frozen = deployment.freeze
        why = f": {frozen.reason}" if frozen.reason else ""
        yield f"frozen by {frozen.name} until {when(frozen, 'until')[:16]}{why}"
    if deployment.HasField("in_flight"):
        yield _with_status(deployment.in_flight)
    for build in deployment.waiting:
        yield f"{build.number} waits for {build.waiting_for}"
    if deployment.HasField("last_failed"):
        at = f" at {deployment.failed_step}" if deployment.failed_step else ""
        yield f"{_with_status(deployment.last_failed)}{at}"


def _with_status(build: pb.Build) -> str:
    return f"{build.number} {word(pb.BuildStatus, build.status)}"


@command(
    app,
    "history",
    "shiplift history production",
    "shiplift history production --since 7d --json",
    answers=environments_pb2.Arrival,
)
def history(
    session: Session,
    environment: Annotated[
        str,
        typer.Argument(metavar="ENVIRONMENT", autocompletion=completing.environments, help="Which one."),
    ],
    repository: RepositoryOption = None,
    since: Annotated[
        str,
        typer.Option(metavar="TIME", help=f"Only what came since then: {AGO}."),
    ] = "",
    until: Annotated[str, typer.Option(metavar="TIME", help="Only what came before then.")] = "",
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="How many at the most.")] = 50,
) -> None:
    """Shows what came into an environment, newest first: how long it stood, by whom and why."""
    owner, repo = session.repository(repository)
    arrivals = session.client.iterate_deployment_history(
        owner=owner,
        repo=repo,
        environment=environment,
        since=time_ago("--since", since),
        until=time_ago("--until", until),
        page_size=min(limit, 1000),
    )
    found = list(islice(arrivals, limit))
    session.show(
        found,
        lambda: put_table(_HISTORY_COLUMNS, map(_history_row, found), wide=session.wide),
        f"Nothing came to {environment} of {owner}/{repo}{' in that time' if since or until else ' yet'}.",
    )


_HISTORY_COLUMNS = (
    Column("SINCE"),
    Column("STOOD", 3),
    Column("BUILD"),
    Column("RELEASE", 2),
    Column("COMMIT", 5),
    Column("BY", 4),
    Column("STATE", 1),
    Column("WHY", 6, is_text=True),
)


def _history_row(arrival: environments_pb2.Arrival) -> Sequence[str]:
    build = arrival.build
    return (
        when(arrival, "since"),
        _stood(arrival),
        str(build.number or "nothing"),
        build.release,
        build.after[:8],
        arrival.by,
        "; ".join(_history_state(arrival)),
        arrival.comment,
    )


def _stood(arrival: environments_pb2.Arrival) -> str:
    if not arrival.HasField("until"):
        return "still there"
    seconds = arrival.until.ToMilliseconds() // 1000 - arrival.since.ToMilliseconds() // 1000
    # Below zero where the server's clock was set back between.
    return shown_length(Duration(seconds=max(seconds, 0)))


def _history_state(arrival: environments_pb2.Arrival) -> Iterator[str]:
    if arrival.settled:
        yield "settled"
    if arrival.build.rollback_of:
        yield f"rollback of {arrival.build.rollback_of}"
    if arrival.build.rolled_back_by:
        yield f"rolled back by {arrival.build.rolled_back_by}"


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
