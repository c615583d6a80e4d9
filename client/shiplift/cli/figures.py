"""The command about how well is delivered: figures."""

from datetime import timedelta
from typing import Annotated

import typer

from shiplift.cli import completing
from shiplift.cli.lengths import shown_length
from shiplift.cli.output import say, when
from shiplift.cli.session import RepositoryOption, Session, command
from shiplift.cli.tables import Column, put_table
from shiplift.cli.times import time_ago
from shiplift.v1 import environments_pb2 as pb

app = typer.Typer()


@command(
    app,
    "figures",
    "shiplift figures production",
    "shiplift figures production --since 90d",
    answers=pb.DeliveryFigures,
)
def figures(
    session: Session,
    environment: Annotated[
        str, typer.Argument(autocompletion=completing.environments, help="The environment.")
    ],
    repository: RepositoryOption = None,
    since: Annotated[
        str, typer.Option(metavar="TIME", help="From then on: 30d ago, or 2026-11-20T12:00. [30d]")
    ] = "",
    until: Annotated[str, typer.Option(metavar="TIME", help="Up to then. [now]")] = "",
) -> None:
    """Shows DORA's four figures of an environment: how often, how fast, how surely, and how soon mended."""
    owner, repo = session.repository(repository)
    found = session.client.get_delivery_figures(
        owner=owner,
        repo=repo,
        environment=environment,
        since=time_ago("--since", since),
        until=time_ago("--until", until),
    )
    session.show(found, lambda: _put(found, f"{environment} of {owner}/{repo}", wide=session.wide))


def _put(found: pb.DeliveryFigures, what: str, *, wide: bool) -> None:
    say(f"{what}, {when(found, 'since')[:16]} to {when(found, 'until')[:16]}")
    days = (found.until.ToDatetime() - found.since.ToDatetime()) / timedelta(days=1)
    rate = f"{found.failed_changes / found.changes:.0%}" if found.changes else "-"
    rows = (
        (
            "deployment frequency",
            f"{found.deployments / days:.2g} a day",
            f"{found.deployments} promotions succeeded",
        ),
        ("lead time", _length(found.lead_time), f"of {found.lead_time.count}; {_nine(found.lead_time)}"),
        (
            "change failure rate",
            rate,
            f"{found.failed_changes} of {found.changes} failed or were rolled back",
        ),
        (
            "time to restore",
            _length(found.time_to_restore),
            f"of {found.time_to_restore.count}; {_nine(found.time_to_restore)}"
            + ("; the last one is not restored" if found.unrestored else ""),
        ),
    )
    put_table((Column("FIGURE"), Column("VALUE"), Column("OF", 1, is_text=True)), rows, wide=wide)
    if found.incomplete:
        say("There were more promotions than the newest 10,000, which alone were looked at.")


def _length(lengths: pb.Lengths) -> str:
    return shown_length(lengths.median) if lengths.count else "-"


def _nine(lengths: pb.Lengths) -> str:
    return f"nine in ten within {shown_length(lengths.p90)}" if lengths.count else "none"
