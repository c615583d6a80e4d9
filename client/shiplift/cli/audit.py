"""The command that shows the audit."""

import sys
import time
from typing import Annotated, Any

import typer

from shiplift.cli import completing
from shiplift.cli.formats import as_line
from shiplift.cli.holds import WhereOption
from shiplift.cli.output import put, put_lines, say, when
from shiplift.cli.session import Session, command
from shiplift.cli.tables import Column, put_table
from shiplift.cli.times import AGO, time_ago
from shiplift.v1 import access_pb2 as pb

app = typer.Typer()

_FOLLOW_SECONDS = 1.0


@command(
    app,
    "audit",
    "shiplift audit --since 7d --outcome refused",
    "shiplift audit --all --user mona",
    "shiplift audit --all --after 0 --follow --json",
)
def audit(
    session: Session,
    repository: WhereOption = None,
    everywhere: Annotated[
        bool, typer.Option("--all", help="Of the whole installation, which needs a site admin.")
    ] = False,
    since: Annotated[str, typer.Option(metavar="TIME", help=f"From then on: {AGO}.")] = "",
    until: Annotated[str, typer.Option(metavar="TIME", help="Before then.")] = "",
    user: Annotated[str, typer.Option(metavar="LOGIN", help="Only what they did, or were refused.")] = "",
    environment: Annotated[
        str,
        typer.Option(
            "--environment",
            "-e",
            metavar="NAME",
            autocompletion=completing.environments,
            help="Only there.",
        ),
    ] = "",
    method: Annotated[str, typer.Option(metavar="RPC", help="Only these calls: PromoteBuild.")] = "",
    outcome: Annotated[
        str, typer.Option(metavar="OUTCOME", help="ok, refused, or a code, as PERMISSION_DENIED.")
    ] = "",
    limit: Annotated[int, typer.Option(min=1, help="How many of the newest.")] = 100,
    after: Annotated[
        int | None,
        typer.Option(
            metavar="SEQ", min=0, help="All behind this one, the oldest first; 0: from the first."
        ),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")
    ] = False,
) -> None:
    """Shows who did what, where, what was refused, and why: the newest first. Needs admin there.

    With --json each line is an object, as a SIEM takes them: go on with the last `seq` as --after.
    """
    owner, repo = ("", "") if everywhere else session.repository(repository)
    filters: dict[str, Any] = {
        "owner": owner,
        "repo": repo,
        "since": time_ago("--since", since),
        "until": time_ago("--until", until),
        "user": user,
        "environment": environment,
        "method": method,
        "outcome": outcome,
    }
    if after is not None or follow:
        _go_on(session, filters, after, follow=follow)
        return
    found: list[pb.AuditEvent] = []
    for event in session.client.iterate_audit_events(**filters, page_size=min(limit, 1000)):
        found.append(event)
        if len(found) == limit:
            break
    if session.json is not None:
        for event in found:
            put_lines(as_line(event))
    elif found:
        put_table(_COLUMNS, map(_row, found), wide=session.wide)
    else:
        say("Nothing of this stands in the audit.")


def _go_on(session: Session, filters: dict[str, Any], after: int | None, *, follow: bool) -> None:
    """Shows what is behind a place, and what comes, a line each."""
    if after is None:
        newest = session.client.list_audit_events(**{**filters, **_UNFILTERED}, page_size=1).events
        after = newest[0].seq if newest else 0
    while True:
        answer = session.client.list_audit_events(**filters, after=after, page_size=1000)
        for event in answer.events:
            if session.json is not None:
                put_lines(as_line(event))
            else:
                put("  ".join(filter(None, _row(event))))
        if answer.next_after > after:
            after = answer.next_after
            continue
        if not follow:
            return
        # Who reads a pipe wants what there is.
        sys.stdout.flush()
        time.sleep(_FOLLOW_SECONDS)


# What comes is behind the newest of all, of which these show but some.
_UNFILTERED: dict[str, Any] = {"user": "", "method": "", "outcome": "", "since": None, "until": None}

_COLUMNS = (
    Column("TIME", 1),
    Column("WHO"),
    Column("WHAT"),
    Column("WHERE", 2),
    Column("OUTCOME", 3),
    Column("FROM", 5),
    Column("WHY", 4, is_text=True),
)


def _row(event: pb.AuditEvent) -> tuple[str, ...]:
    where = f"{event.owner}/{event.repo}" if event.repo else event.owner
    who = f"{event.user} ({event.token})" if event.token else event.user
    return (
        when(event, "time"),
        who or "shipliftd",
        f"{event.method} {event.build}" if event.build else event.method,
        f"{where} {event.environment}".strip(),
        "ok" if event.outcome == "OK" else event.outcome,
        event.address,
        event.reason,
    )
