"""Rows to messages: environments, their rules, what is in them and what stops them."""

from collections.abc import Callable

from shiplift.v1 import builds_pb2, environments_pb2

from shipliftd.api.messages import build as whole_build
from shipliftd.api.messages import duration, listed_build, time, verdict
from shipliftd.enum_words import EVENT_OF, STATUS_OF
from shipliftd.environments import rules
from shipliftd.environments.delivery import Delivered
from shipliftd.environments.figures import Lengths
from shipliftd.environments.rehearsing import Rehearsal
from shipliftd.store import pages
from shipliftd.store.models import Hold, OwnerRules
from shipliftd.store.rows import ArrivalRow, BuildRow, BuildWithStages, NamedEnvironment, Standing

_MOST_REASON = 1000
_SCOPES = {"all": environments_pb2.HOLD_SCOPE_ALL, "automatic": environments_pb2.HOLD_SCOPE_AUTOMATIC}


def deployment(
    row: Standing, waiting_for: Callable[[BuildWithStages], str] = lambda whole: ""
) -> environments_pb2.Deployment:
    """What is in an environment, and what promotions to it wait for."""
    # Mostly the newest is what is there, and to copy a message costs a tenth of making it.
    made: dict[int, builds_pb2.Build] = {}

    def short(found: BuildRow | None) -> builds_pb2.Build | None:
        if found is None:
            return None
        if found.id not in made:
            made[found.id] = listed_build(found, row.owner, row.repo)
        return made[found.id]

    lost = row.lost
    message = environments_pb2.Deployment(
        owner=row.owner,
        repo=row.repo,
        environment=row.environment,
        current=short(row.current),
        in_flight=short(row.in_flight),
        last_failed=short(row.last_failed),
        latest=short(row.newest),
        failed_step=row.failed_step,
        uncertain=None
        if lost is None
        else environments_pb2.Uncertain(build=lost[0], stage=lost[1], machine=lost[2], since=time(lost[3])),
    )
    message.declared = row.declared
    if since := time(row.since):
        message.since.CopyFrom(since)
    if row.hold is not None:
        message.hold.CopyFrom(hold(row.hold))
    if row.freeze is not None:
        name, reason, until = row.freeze
        message.freeze.CopyFrom(environments_pb2.ActiveFreeze(name=name, reason=reason, until=time(until)))
    if row.in_flight is not None:
        whole = BuildWithStages(row.in_flight, row.owner, row.repo, row.stages)
        if told := waiting_for(whole):
            message.in_flight.waiting_for = told
    for build in row.waiting:
        waits = message.waiting.add()
        waits.CopyFrom(listed_build(build, row.owner, row.repo))
        waits.waiting_for = waiting_for(BuildWithStages(build, row.owner, row.repo, ()))
    return message


def rehearsal(
    found: Rehearsal, owner: str, repo: str, environment: str
) -> environments_pb2.RehearsePolicyResponse:
    """What other rules would have said of promotions."""
    message = environments_pb2.RehearsePolicyResponse(looked_at=found.looked_at)
    total = 0
    for made, verdicts in found.found:
        if any(said.result == "failed" for said in verdicts):
            message.refused += 1
        else:
            message.waited += 1
        if total > pages.MOST_BYTES:
            continue
        one = environments_pb2.RehearsedPromotion(
            build=builds_pb2.Build(
                id=made.id,
                owner=owner,
                repo=repo,
                number=made.number,
                parent=made.parent,
                origin=made.origin,
                status=STATUS_OF[made.status],
                event=EVENT_OF[made.event],
                after=made.after,
                release=made.release,
                deploy_to=environment,
                trigger=made.trigger,
                created=time(made.created),
                started=time(made.started),
                finished=time(made.finished),
            ),
            verdicts=[
                verdict(said._replace(reason=said.reason[:_MOST_REASON], cleared_by=()))
                for said in verdicts
            ],
        )
        total += one.ByteSize()
        if total <= pages.MOST_BYTES:
            message.promotions.append(one)
    return message


def arrival(row: ArrivalRow) -> environments_pb2.Arrival:
    """What came into an environment."""
    message = environments_pb2.Arrival(
        since=time(row.at),
        until=time(row.until),
        by=row.said_by,
        comment=row.comment,
        settled=bool(row.said_by),
    )
    if row.build is not None:
        message.build.CopyFrom(whole_build(BuildWithStages(row.build, row.owner, row.repo, ())))
        if not row.said_by:
            message.by, message.comment = row.build.trigger, row.build.comment
    return message


def environment(named: NamedEnvironment) -> environments_pb2.Environment:
    """An environment and its rules."""
    row = named.row
    message = environments_pb2.Environment()
    message.CopyFrom(rules.said(row.said, row.rules_version).message)
    message.owner, message.repo, message.name = named.owner, named.repo, row.name
    message.rules_version, message.version = row.rules_version, row.version
    message.MergeFrom(environments_pb2.Environment(created=time(row.created), updated=time(row.updated)))
    return message


def hold(row: Hold) -> environments_pb2.Hold:
    """A stop of an environment."""
    return environments_pb2.Hold(
        owner=row.owner,
        repo=row.repo,
        environment=row.environment,
        scope=_SCOPES.get(row.scope, environments_pb2.HOLD_SCOPE_UNSPECIFIED),
        by=row.by,
        reason=row.reason,
        since=time(row.since),
        until=time(row.until),
    )


def owner_rules(row: OwnerRules) -> environments_pb2.OwnerRules:
    """The rules of all repositories of an owner."""
    message = environments_pb2.OwnerRules()
    message.CopyFrom(rules.said_owner(row.said))
    message.owner, message.version = row.owner, row.version
    return message


def delivery(found: Delivered) -> environments_pb2.DeliveryFigures:
    """How well an environment is delivered to."""
    told = found.figures
    return environments_pb2.DeliveryFigures(
        since=time(found.since),
        until=time(found.until),
        deployments=told.deployments,
        lead_time=_lengths(told.lead_time),
        changes=told.changes,
        failed_changes=told.failed,
        time_to_restore=_lengths(told.time_to_restore),
        unrestored=told.unrestored,
        incomplete=found.is_incomplete,
    )


def _lengths(found: Lengths) -> environments_pb2.Lengths:
    if not found.number:
        return environments_pb2.Lengths()
    return environments_pb2.Lengths(
        count=found.number, median=duration(found.median), p90=duration(found.p90)
    )
