"""Rollbacks: putting back what was in an environment before."""

from typing import NamedTuple

from peewee import SQL
from shiplift.v1 import builds_pb2 as pb

from shipliftd import builds, environments
from shipliftd.access.callers import Caller
from shipliftd.access.write_once import Written, write
from shipliftd.builds import endings, secret_params
from shipliftd.builds.beginning import Wish, begin, decide
from shipliftd.builds.parameters import ParameterRules
from shipliftd.builds.promotions import expect_current, new_params
from shipliftd.builds.rolled_back import began, is_replaced, leave
from shipliftd.errors import Precondition
from shipliftd.fields import Faults
from shipliftd.store import moves
from shipliftd.store.compiled import Compiled, arg
from shipliftd.store.models import ENDED, IS_UNDER_WAY, Arrival, Build
from shipliftd.store.rows import BuildRow, BuildWithStages
from shipliftd.store.transaction import Transaction

# What came into the environment before is looked through so far.
_MOST = 1000


_ARRIVED = Compiled(
    Arrival.select(Build.number, Build.origin)
    .join(Build)
    .where(Arrival.repo == arg(0), Arrival.environment == arg(1), Build.status == "success")
    .order_by(Arrival.id.desc())
    .limit(_MOST)
)
# The newest that began or is to begin, unless it had ended when what is there came.
_NEWEST = Compiled(
    Build.select()
    .where(
        Build.repo == arg(0),
        Build.deploy_to == arg(1),
        Build.parent > SQL("0"),
        Build.number > arg(2),
        began(Build),
        Build.status.not_in(ENDED) | (Build.updated >= arg(3)),
    )
    .order_by(Build.number.desc())
    .limit(1)
)
# In no order, or SQLite would go through all that was ever promoted there.
_IN_IT = (Build.repo == arg(0)) & (Build.deploy_to == arg(1)) & SQL(IS_UNDER_WAY)
_ROLLBACK = Compiled(Build.select().where(_IN_IT, Build.event == "rollback").limit(1))
# What goes, and rollbacks that wait, which would go before the new one.
_IN_THE_WAY = Compiled(
    Build.select(Build.id).where(_IN_IT, (Build.waits == SQL("0")) | (Build.event == "rollback"))
)


class _Arrived(NamedTuple):
    number: int
    origin: int


def _to_its_target(_tx: Transaction, caller: Caller, request: pb.RollbackRequest) -> None:
    caller.require_environment(request.target)


@write(load=builds.load, look=_to_its_target)
def roll_back(
    tx: Transaction,
    caller: Caller,
    request: pb.RollbackRequest,
    rules: ParameterRules,
    traceparent: str | None,
) -> Written[BuildWithStages]:
    """Makes a new build of event rollback: what was there before, with the parameters that it had then.

    `traceparent` is the trace that the call is part of. Raises Invalid, Denied (the token is cut to other
    environments), NotFound, Aborted, Precondition (there is nothing to roll back to, another rollback is
    under way, or a gate failed that a rollback does not pass over).
    """
    faults = Faults()
    faults.target("target", request.target)
    if request.HasField("build"):
        faults.positive("build", request.build)
    if request.HasField("expected_current"):
        faults.not_negative("expected_current", request.expected_current)
    faults.text("comment", request.comment, 2000)
    faults.refuse()
    moves.lock_repository(tx, caller.repo_id)
    if not request.HasField("build") and not request.cancel_running:
        _require_none_under_way(tx, caller, request.target)
    bad = _replaced(tx, caller, request.target)
    if request.cancel_running:
        bad = _undone(tx, caller, bad)
    there = _chosen(tx, caller, request, bad)
    found = builds.find_whole(tx, caller.repo_id, there.number)
    assert found is not None  # noqa: S101  # it arrived
    last, stages = found
    params = new_params(request, last, rules, faults)
    faults.refuse()
    if request.HasField("expected_current"):
        expect_current(tx, caller, request.target, request.expected_current)
    replaced = {bad.number} if bad is not None else set()
    if request.cancel_running:
        replaced |= _cancel(tx, caller, request.target)
    wanted = last._replace(
        event="rollback",
        params=params,
        retry_of=0,
        rollback_of=bad.number if bad is not None else 0,
        comment=request.comment,
        traceparent=traceparent,
    )
    promoted = builds.find(tx, caller.repo_id, last.parent) or last
    said = secret_params.Said(rules.keyring, request.params, last, request.drop_params)
    made = begin(tx, caller, decide(tx, caller, Wish(wanted, promoted, stages, params=said)))
    leave(tx, caller, made.build, replaced)
    return Written(made)


def _require_none_under_way(tx: Transaction, caller: Caller, environment: str) -> None:
    """Raises Precondition where somebody rolls back already: a second one would go further back."""
    row = _ROLLBACK.one(tx, caller.repo_id, environment)
    if row is None:
        return
    there = BuildRow._make(row)
    waits = "waits" if there.waits else "is under way"
    raise Precondition(
        f"rollback {there.number} of {environment}, which puts back build {there.parent}, {waits}: wait for"
        " its end, name the build to put back, or have what is on its way stopped (cancel_running)",
        reason="ROLLBACK_UNDER_WAY",
        violations=[("target", f"rollback {there.number} {waits}")],
        metadata={
            "owner": caller.owner,
            "repo": caller.repo,
            "environment": environment,
            "build": there.number,
            "puts_back": there.parent,
        },
    )


def _undone(tx: Transaction, caller: Caller, bad: BuildRow | None) -> BuildRow | None:
    """What is to be replaced once rollbacks are stopped: what the first of them was to replace."""
    while bad is not None and bad.event == "rollback" and bad.status not in ENDED:
        bad = builds.find(tx, caller.repo_id, bad.rollback_of)
    return bad


def _replaced(tx: Transaction, caller: Caller, environment: str) -> BuildRow | None:
    """What a rollback replaces: the newest that began after what is there, else that."""
    current, since = environments.newest_arrival(tx, caller.repo_id, environment)
    row = _NEWEST.one(tx, caller.repo_id, environment, current, since)
    if row is not None:
        return BuildRow._make(row)
    return builds.find(tx, caller.repo_id, current) if current else None


def _chosen(tx: Transaction, caller: Caller, request: pb.RollbackRequest, bad: BuildRow | None) -> _Arrived:
    """What is put back. Raises Precondition."""
    arrived = [_Arrived._make(row) for row in _ARRIVED.run(tx, caller.repo_id, request.target).fetchall()]
    if request.HasField("build"):
        # By the number of the promotion, or of what was recorded: its newest one then.
        named = (each for each in arrived if request.build in (each.number, each.origin))
        chosen = next(named, None)
        told = f"build {request.build} has not succeeded in {request.target}"
    else:
        chosen = _newest_good(tx, caller, request.target, arrived, bad.origin if bad is not None else 0)
        told = f"nothing else has succeeded in {request.target} that was not rolled back itself"
    if chosen is not None:
        return chosen
    mistyped = environments.undeclared(tx, caller.repo_id, request.target)
    raise Precondition(
        mistyped or f"{told}: promote what is to be there",
        reason="NOTHING_TO_ROLL_BACK_TO",
        violations=[(request.target, mistyped or told)],
        metadata={"environment": request.target, "build": request.build},
    )


def _newest_good(
    tx: Transaction, caller: Caller, environment: str, arrived: list[_Arrived], bad_origin: int
) -> _Arrived | None:
    """The newest of an origin that is not to be replaced, and has not been since it was last there."""
    seen = {bad_origin}
    for each in arrived:
        if each.origin not in seen:
            seen.add(each.origin)
            if not is_replaced(tx, caller, environment, each.origin, each.number):
                return each
    return None


def _cancel(tx: Transaction, caller: Caller, environment: str) -> set[int]:
    """Stops what is in the way; the numbers of what rollbacks among it were to replace."""
    ids = [row[0] for row in _IN_THE_WAY.run(tx, caller.repo_id, environment).fetchall()]
    moves.lock_builds(tx, ids)
    stopped = [build for build_id in ids if (build := builds.by_id(tx, build_id)).status not in ENDED]
    for build in stopped:
        endings.stop(tx, build, f"cancelled by {caller.login}, who rolled back")
    rollbacks = [build for build in stopped if build.event == "rollback"]
    return {build.rollback_of for build in rollbacks} - {0, *(build.number for build in rollbacks)}
