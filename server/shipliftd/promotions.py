"""Promotions: putting a build into an environment. Plain functions, each in one transaction."""

import json

from shiplift.v1 import builds_pb2 as pb

from shipliftd import builds
from shipliftd.clock import now
from shipliftd.compiled import Compiled, arg
from shipliftd.errors import Aborted
from shipliftd.fields import Faults
from shipliftd.guard import Caller
from shipliftd.models import Deployment, database
from shipliftd.parameters import MOST_COUNT, ParameterRules
from shipliftd.rows import BuildRow, BuildWithStages, StageRow
from shipliftd.writes import Written, write

_CURRENT = Compiled(
    Deployment.select(Deployment.number).where(Deployment.repo == arg(0), Deployment.environment == arg(1))
)


@write(load=builds.load)
def promote(caller: Caller, request: pb.PromoteRequest, rules: ParameterRules) -> Written[BuildWithStages]:
    """Makes a new build of event promote: the parent's commit, pending stages, the target.

    Raises Invalid, Denied (the token is cut to other environments), NotFound, Aborted.
    """
    faults = Faults()
    faults.positive("build", request.build)
    faults.target("target", request.target)
    if request.HasField("expected_current"):
        faults.not_negative("expected_current", request.expected_current)
    found = builds.find_whole(database, caller.repo_id, request.build)
    parent, stages = found or (None, ())
    params = _params(request, parent, rules, faults)
    faults.refuse()
    caller.require_environment(request.target)
    if parent is None:
        raise builds.not_found(caller, request.build)
    if request.HasField("expected_current"):
        _expect(caller, request.target, request.expected_current)
    at = now()
    promotion = parent._replace(
        number=builds.next_number(caller.repo_id),
        parent=parent.number,
        status="pending",
        error="",
        event="promote",
        deploy_to=request.target,
        trigger=caller.login,
        params=params,
        debug=False,
        timestamp=0,
        started=0,
        finished=0,
        created=at,
        updated=at,
        version=1,
        external_id=None,
    )
    return Written(builds.insert(caller, promotion, [_fresh(stage, at) for stage in stages]))


def _params(
    request: pb.PromoteRequest, parent: BuildRow | None, rules: ParameterRules, faults: Faults
) -> str:
    text = parent.params if parent is not None else "{}"
    inherited: dict[str, str] = json.loads(text) if text != "{}" else {}
    if parent is not None:
        rules.check_inherited(inherited.keys() - request.params.keys(), parent.number, faults)
    if not request.params:
        return text
    rules.check(request.params, faults)
    if len(request.params) > MOST_COUNT:
        rules.check_total(request.params, faults)
        return text
    merged = {**inherited, **request.params}
    rules.check_total(merged, faults)
    return json.dumps(merged, ensure_ascii=False, separators=(",", ":"))


def _expect(caller: Caller, environment: str, expected: int) -> None:
    row = _CURRENT.one(database, caller.repo_id, environment)
    current = row[0] if row is not None else 0
    if current == expected:
        return
    there = f"build {current} is current in {environment}" if current else f"{environment} is empty"
    wanted = f"build {expected}" if expected else "nothing"
    raise Aborted(
        f"{there}, expected was {wanted}: look at what is there, then promote with"
        f" expected_current {current}",
        reason="UNEXPECTED_CURRENT",
        violations=[("expected_current", f"{current} is current in {environment}")],
    )


def _fresh(stage: StageRow, at: int) -> StageRow:
    """The stage of a build, to be done once more for a promotion of it."""
    return stage._replace(
        status="pending",
        error="",
        exit_code=0,
        started=0,
        stopped=0,
        created=at,
        updated=at,
        version=1,
        message="",
        link="",
    )
