"""Promotions: putting a build into an environment. Plain functions, each in one transaction."""

import json
from collections.abc import Iterable

from shiplift.v1 import builds_pb2 as pb

from shipliftd import builds, environments
from shipliftd.access.callers import Caller
from shipliftd.access.write_once import Written, write
from shipliftd.builds.parameters import MOST_COUNT, ParameterRules
from shipliftd.clock import now
from shipliftd.enum_words import as_json
from shipliftd.errors import Aborted, Precondition
from shipliftd.fields import Faults
from shipliftd.stages import again, lacking, said_by
from shipliftd.store.models import ENDED
from shipliftd.store.rows import BuildRow, BuildWithStages, StageRow
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
    environments), NotFound, Aborted, Precondition (the build has no commit, nobody knows what is in the
    environment, or no pipeline of the file matches).
    """
    faults = Faults()
    faults.positive("build", request.build)
    faults.target("target", request.target)
    if request.HasField("expected_current"):
        faults.not_negative("expected_current", request.expected_current)
    faults.not_negative("despite_lost", request.despite_lost)
    found = builds.find_whole(tx, caller.repo_id, request.build)
    parent = found[0] if found else None
    params = _params(request, parent, rules, faults)
    faults.refuse()
    if found is None:
        raise builds.not_found(caller, request.build)
    _require_commit(found[0])
    warnings = environments.accept_lost(tx, caller.repo_id, request.target, request.despite_lost)
    if request.HasField("expected_current"):
        _expect(tx, caller, request.target, request.expected_current)
    return _begin(
        tx,
        caller,
        found[0]._replace(
            parent=found[0].number,
            event="promote",
            deploy_to=request.target,
            params=params,
            retry_of=0,
            traceparent=traceparent,
        ),
        found[1],
        warnings,
    )


@write(load=builds.load, look=builds.in_its_environment)
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
    found = builds.find_whole(tx, caller.repo_id, request.build)
    params = _params(request, found[0] if found else None, rules, faults)
    faults.refuse()
    if found is None:
        raise builds.not_found(caller, request.build)
    build, stages = found
    warnings: list[str] = []
    if build.deploy_to:
        _require_commit(build)
        # Whoever tries what was lost again names it.
        warnings = environments.accept_lost(tx, caller.repo_id, build.deploy_to, build.number)
    # Two runs of what deploys nothing stand in nobody's way.
    if build.deploy_to and build.status not in ENDED:
        raise Precondition(
            f"build {build.number} is {build.status}: it can be tried again once it has ended",
            reason="BUILD_NOT_ENDED",
            violations=[("build", f"is {build.status}")],
            metadata={"build": build.number, "status": build.status},
        )
    another = build._replace(params=params, retry_of=build.number, traceparent=traceparent)
    return _begin(tx, caller, another, stages, warnings)


def _begin(
    tx: Transaction, caller: Caller, build: BuildRow, stages: Iterable[StageRow], warnings: list[str]
) -> Written[BuildWithStages]:
    """A new build, like the one given in all that is not its own, with fresh stages."""
    at = now()
    taken = builds.take_number(tx, caller)
    begun = build._replace(
        number=taken.number,
        # What was recorded begins a chain of its own.
        origin=build.origin if build.parent else taken.number,
        status="pending",
        error="",
        trigger=caller.login,
        debug=False,
        timestamp=0,
        started=0,
        finished=0,
        created=at,
        updated=at,
        version=1,
        external_id=None,
    )
    said = said_by(tx, build.pipeline_id)
    slug = f"{caller.owner}/{caller.repo}"
    # What was recorded has stages already, and they need not be its file's.
    fresh = again(begun, slug, stages, said if build.parent else None, at)
    if said is not None:
        warnings = [*warnings, *lacking(slug, taken, begun, fresh, said)]
    begun = begun._replace(warnings=as_json(warnings))
    return Written(builds.insert(tx, caller, begun, fresh))


def _require_commit(build: BuildRow) -> None:
    if not build.after:
        raise Precondition(
            f"build {build.number} has no commit, so nobody could tell what is deployed: record it with its"
            " commit (`after`), and promote that build",
            reason="BUILD_WITHOUT_COMMIT",
            violations=[("build", "has no commit")],
            metadata={"build": build.number},
        )


def _params(
    request: pb.PromoteRequest | pb.RetryBuildRequest,
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
            rules.check_dropped(names, given, inherited, parent.number, faults)
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


def _expect(tx: Transaction, caller: Caller, environment: str, expected: int) -> None:
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
