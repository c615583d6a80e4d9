"""What promotions the rules of a file would have stopped, of those that there were."""

from collections.abc import Sequence

from shiplift.cli.applying import Change
from shiplift.cli.output import put, say, when, word
from shiplift.cli.session import Session
from shiplift.cli.showing import event_of
from shiplift.cli.tables import Column, put_table
from shiplift.v1 import builds_pb2, environments_pb2


def rehearse(session: Session, changes: Sequence[Change], last: int) -> None:
    """Puts out, for each environment that is declared or changed, what its rules would have said."""
    for change in changes:
        if change.environment is None:
            say(f"{change.what}: not rehearsed: only environments that are declared or changed are")
            continue
        found = session.client.rehearse_policy(
            owner=change.owner, repo=change.repo, environment=change.environment, last=last
        )
        if found.promotions:
            put_table(_COLUMNS, map(_row, found.promotions), wide=session.wide)
        told = f"{found.refused} of the last {found.looked_at} would have been refused"
        put(f"{change.what}: {told}, {found.waited} would have waited")
        if more := found.refused + found.waited - len(found.promotions):
            say(f"{more} more than there was room for: say a lower --last")
    say("Nothing was changed: --rehearse.")


_COLUMNS = (
    Column("BUILD"),
    Column("RELEASE", 2),
    Column("EVENT", 4),
    Column("BY", 1),
    Column("CREATED", 3),
    Column("RESULT"),
    Column("WHY", is_text=True, is_folded=True),
)


def _row(promotion: environments_pb2.RehearsedPromotion) -> Sequence[str]:
    build, verdicts = promotion.build, promotion.verdicts
    is_refused = any(each.result == builds_pb2.GATE_RESULT_FAILED for each in verdicts)
    result = builds_pb2.GATE_RESULT_FAILED if is_refused else builds_pb2.GATE_RESULT_WAITING
    return (
        str(build.number),
        build.release,
        event_of(build),
        build.trigger,
        when(build, "created")[:16],
        word(builds_pb2.GateResult, result),
        "; ".join(f"{each.gate}: {each.reason}" for each in verdicts),
    )
