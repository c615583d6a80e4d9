"""Promotions: putting a build into an environment. Plain functions, each in one transaction."""

import json

from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb

from shipliftd import builds, environments
from shipliftd.access.callers import Caller
from shipliftd.access.write_once import Written, write
from shipliftd.builds import secret_params
from shipliftd.builds.beginning import Decision, Wish, begin, decide, overrides
from shipliftd.builds.parameters import MOST_COUNT, ParameterRules
from shipliftd.builds.rolled_back import leave_again
from shipliftd.enum_words import as_json
from shipliftd.errors import Aborted, Precondition
from shipliftd.fields import Faults
from shipliftd.store.models import ENDED
from shipliftd.store.rows import BuildRow, BuildWithStages
from shipliftd.store.transaction import Transaction


def _to_its_target(_tx: Transaction, caller: Caller, request: pb.PromoteRequest) -> None:
    caller.require_environment(request.target)


@write(load=builds.load, look=_to_its_target)
def promote(
    tx: Transaction,
    caller: Caller,
    request: pb.PromoteRequest,
    rules: ParameterRules,
    traceparent: str | None,
) -> Written[BuildWithStages]:
    """Makes a new build of event promote: the parent's commit, pending stages, the target.

    `traceparent` is the trace that the call is part of. Raises Invalid, Denied (the token is cut to other
    environments, the caller may not override), NotFound, Aborted, Precondition (a gate failed).
    """
    wish = _wanted(tx, caller, request, rules, traceparent)
    return Written(begin(tx, caller, decide(tx, caller, wish)))


def explain(tx: Transaction, caller: Caller, request: pb.PromoteRequest, rules: ParameterRules) -> Decision:
    """What `promote` would do, of which nothing is stored. Raises what it does, but for what gates say."""
    return decide(tx, caller, _wanted(tx, caller, request, rules), to_begin=False)


def _wanted(
    tx: Transaction,
    caller: Caller,
    request: pb.PromoteRequest,
    rules: ParameterRules,
    traceparent: str | None = None,
) -> Wish:
    """What a request asks for. Raises Invalid, NotFound, Aborted."""
    faults = Faults()
    faults.positive("build", request.build)
    faults.target("target", request.target)
    if request.HasField("expected_current"):
        faults.not_negative("expected_current", request.expected_current)
    faults.not_negative("despite_lost", request.despite_lost)
    faults.text("comment", request.comment, 2000)
    passed = overrides(request.overrides, caller, faults)
    found = builds.find_whole(tx, caller.repo_id, request.build)
    parent = found[0] if found else None
    params = new_params(request, parent, rules, faults)
    faults.refuse()
    if found is None:
        raise builds.not_found(caller, request.build)
    if request.HasField("expected_current"):
        expect_current(tx, caller, request.target, request.expected_current)
    parent, stages = found
    wanted = parent._replace(
        parent=parent.number,
        event="promote",
        deploy_to=request.target,
        params=params,
        retry_of=0,
        rollback_of=0,
        comment=request.comment,
        traceparent=traceparent,
    )
    said = secret_params.Said(rules.keyring, request.params)
    return Wish(wanted, parent, stages, passed, request.despite_lost, said)


def _may_try_again(tx: Transaction, caller: Caller, request: pb.RetryBuildRequest) -> None:
    builds.in_its_environment(tx, caller, request)
    if caller.cut is None or not caller.cut.actions:
        return
    build = builds.find(tx, caller.repo_id, request.build)
    # It passes gates over, too.
    if build is not None and build.event == "rollback":
        caller.require_action(access_pb2.TOKEN_ACTION_ROLLBACK, f"another try of rollback {build.number}")


@write(load=builds.load, look=_may_try_again)
def retry(
    tx: Transaction,
    caller: Caller,
    request: pb.RetryBuildRequest,
    rules: ParameterRules,
    traceparent: str | None,
) -> Written[BuildWithStages]:
    """Makes a new build that is another try of one: the same event, parent and target.

    Raises Invalid, Denied, NotFound, Precondition (what goes to an environment has not ended, and what
    `promote` raises).
    """
    faults = Faults()
    faults.positive("build", request.build)
    faults.text("comment", request.comment, 2000)
    passed = overrides(request.overrides, caller, faults)
    found = builds.find_whole(tx, caller.repo_id, request.build)
    params = new_params(request, found[0] if found else None, rules, faults)
    faults.refuse()
    if found is None:
        raise builds.not_found(caller, request.build)
    build, stages = found
    promoted = builds.find(tx, caller.repo_id, build.parent) if build.parent else None
    # Two runs of what deploys nothing stand in nobody's way.
    if build.deploy_to and build.status not in ENDED:
        raise Precondition(
            f"build {build.number} is {build.status}: it can be tried again once it has ended",
            reason="BUILD_NOT_ENDED",
            violations=[("build", f"is {build.status}")],
            metadata={"build": build.number, "status": build.status},
        )
    wanted = build._replace(
        params=params, retry_of=build.number, comment=request.comment, traceparent=traceparent
    )
    # Whoever tries what was lost again names it.
    said = secret_params.Said(rules.keyring, request.params, build, request.drop_params)
    wish = Wish(wanted, promoted or build, stages, passed, build.number, said)
    made = begin(tx, caller, decide(tx, caller, wish))
    if wish.is_rollback:
        leave_again(tx, caller, made.build)
    return Written(made)


def new_params(
    request: pb.PromoteRequest | pb.RetryBuildRequest | pb.RollbackRequest,
    parent: BuildRow | None,
    rules: ParameterRules,
    faults: Faults,
) -> str:
    """The new build's parameters: its parent's, without those that are dropped, and those given."""
    given = request.params
    text = parent.params if parent is not None else "{}"
    inherited: dict[str, str] = json.loads(text) if text != "{}" else {}
    if parent is not None:
        if request.drop_params:
            names = faults.few("drop_params", request.drop_params, MOST_COUNT)
            kept = {} if isinstance(request, pb.PromoteRequest) else json.loads(parent.sealed_params)
            rules.check_dropped(names, given, {**inherited, **kept}, parent.number, faults)
            inherited = {name: value for name, value in inherited.items() if name not in names}
            text = as_json(inherited)
        rules.check_inherited(inherited.keys() - given.keys(), parent.number, faults)
    if not given:
        return text
    rules.check(given, faults)
    if len(given) > MOST_COUNT:
        rules.check_total(given, faults)
        return text
    merged = {**inherited, **given}
    rules.check_total(merged, faults)
    return as_json(merged)


def expect_current(tx: Transaction, caller: Caller, environment: str, expected: int) -> None:
    """Raises Aborted when another build is current in the environment."""
    current = environments.current_number(tx, caller.repo_id, environment)
    if current == expected:
        return
    there = f"build {current} is current in {environment}" if current else f"{environment} is empty"
    wanted = f"build {expected}" if expected else "nothing"
    raise Aborted(
        f"{there}, expected was {wanted}: look at what is there, then promote with"
        f" expected_current {current}",
        reason="UNEXPECTED_CURRENT",
        violations=[("expected_current", f"{current} is current in {environment}")],
        metadata={"environment": environment, "expected": expected, "current": current},
    )
