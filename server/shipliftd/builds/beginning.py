"""How a build begins that stands on another one: what the gates say of it, then its row and its stages.

Promotions, rollbacks, retries and explanations come this way, so that none of them decides otherwise.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from shiplift.v1 import access_pb2, environments_pb2
from shiplift.v1 import builds_pb2 as pb

from shipliftd import builds, environments
from shipliftd.access.callers import Caller
from shipliftd.builds import secret_params, waiting
from shipliftd.builds.recording import stage_of
from shipliftd.builds.secret_params import Parted
from shipliftd.clock import now
from shipliftd.enum_words import as_json
from shipliftd.environments import Override, Place, Verdict
from shipliftd.errors import Denied, Precondition
from shipliftd.fields import Faults
from shipliftd.secrets.keys import Keyring
from shipliftd.stages import again, lacking, said_by
from shipliftd.store import moves
from shipliftd.store.rows import BuildRow, BuildWithStages, StageRow
from shipliftd.store.transaction import Overtaken, Transaction

_MOST_OVERRIDES = 10


class Wish(NamedTuple):
    """A build that somebody wants: `build` has what they say of it, and else what it stands on has."""

    build: BuildRow
    # What is promoted, which for another try is not what is tried again; and the stages to make anew.
    promoted: BuildRow
    stages: Sequence[StageRow]
    overrides: Mapping[str, Override] = MappingProxyType({})
    despite_lost: int = 0
    params: secret_params.Said = secret_params.Said(Keyring(), {})

    @property
    def is_rollback(self) -> bool:
        """Whether gates are passed over."""
        return self.build.event == "rollback"


class Decision(NamedTuple):
    """What would become of a wish. `verdicts` are empty of what goes to no environment."""

    build: BuildRow
    stages: list[StageRow]
    place: Place
    verdicts: tuple[Verdict, ...] = ()
    # What a gate would have said by itself, where it is the only one against it.
    refusals: Mapping[str, Precondition] = MappingProxyType({})
    # What is not in the build's row, and what it is sealed with.
    secret_params: Mapping[str, str] = MappingProxyType({})
    keyring: Keyring = Keyring()


def overrides(given: Iterable[pb.Override], caller: Caller, faults: Faults) -> dict[str, Override]:
    """The gates that the caller passes by name."""
    found: dict[str, Override] = {}
    for n, each in enumerate(faults.few("overrides", list(given), _MOST_OVERRIDES)):
        at = f"overrides[{n}]"
        if each.gate not in environments.OVERRIDABLE:
            wanted = ", ".join(environments.OVERRIDABLE)
            faults.add(f"{at}.gate", f"{each.gate[:60]!r} cannot be overridden: wanted one of {wanted}")
        elif each.gate in found:
            faults.add(f"{at}.gate", f"{each.gate} stands there twice")
        if not each.reason:
            faults.add(f"{at}.reason", "is empty: say why, for the record")
        faults.text(f"{at}.reason", each.reason, 2000)
        found[each.gate] = Override(caller.login, each.reason)
    return found


def decide(tx: Transaction, caller: Caller, wish: Wish, *, to_begin: bool = True) -> Decision:
    """What the gates say, and the build as it would be. Raises Denied (no one to override gates).

    Of what is to begin, nobody else changes what the gates ask about until the transaction ends.
    """
    at, environment = now(), wish.build.deploy_to
    place = environments.place_of(tx, caller.repo_id, environment)
    if place.is_ruled and to_begin:
        moves.lock_repository(tx, caller.repo_id)
        place = environments.place_of(tx, caller.repo_id, environment)
    _require_overrider(caller, wish, place)
    refusals: dict[str, Precondition] = {}
    warnings: list[str] = []
    if environment:
        if not wish.promoted.after:
            refusals["commit"] = _no_commit(wish.promoted)
        try:
            warnings = environments.accept_lost(tx, caller.repo_id, environment, wish.despite_lost)
        except Precondition as refusal:
            refusals["uncertain"] = refusal
    if not place.active:
        refusals["repository"] = builds.disabled(caller)
    build, params = _fresh(caller, wish, place, at)
    stages: list[StageRow] = []
    try:
        stages, lacks = _stages(tx, place, build, wish)
        warnings = [*warnings, *lacks]
    except Precondition as refusal:
        refusals["stages"] = refusal
    build = build._replace(warnings=as_json(warnings))
    if not environment:
        return Decision(build, stages, place, (), refusals, params.secret, wish.params.keyring)
    asked = environments.Asked(
        id=0,
        repo_id=caller.repo_id,
        environment=environment,
        login=caller.login,
        access=_access(caller, wish, place),
        is_admin=caller.level >= access_pb2.ACCESS_LEVEL_ADMIN,
        build=wish.promoted.number,
        status=wish.promoted.status,
        commit=wish.promoted.after,
        origin=build.origin,
        params=params.all,
        at=at,
        created=at,
        event=build.event,
        masked=frozenset(params.secret),
        changes_masked=wish.params.changes(params.secret),
    )
    told = {gate: refusals[gate].message for gate in ("uncertain", "stages") if gate in refusals}
    facts = environments.facts(tx, place, asked, **told)
    verdicts = environments.evaluate(facts, wish.overrides, wish.is_rollback)
    decision = Decision(build, stages, place, verdicts, refusals, params.secret, wish.params.keyring)
    return _as_it_waits(decision, facts.approvals_end)


def _as_it_waits(decision: Decision, approvals_end: int) -> Decision:
    """The decision on a build that is to wait, where a gate says so."""
    waits = waiting.next_look(decision.verdicts, approvals_end, decision.build.created)
    build = decision.build
    if decision.place.is_ruled:
        build = build._replace(verdicts=environments.stored(decision.verdicts), waits=waits)
    if not waits:
        return decision._replace(build=build)
    status, of_stage = waiting.standing(decision.verdicts)
    stages = [stage._replace(status=of_stage) for stage in decision.stages]
    return decision._replace(build=build._replace(status=status), stages=stages)


def begin(tx: Transaction, caller: Caller, decision: Decision) -> BuildWithStages:
    """Stores what was decided on. Raises Precondition where a gate failed."""
    _refuse(caller, decision)
    build, place = decision.build, decision.place
    ids = builds.ids(tx, len(decision.stages))
    number = builds.take_number(tx, caller).number
    # The repository's row is locked from here on, and was not before: a hold may have been answered since.
    if (
        build.deploy_to
        and not place.is_ruled
        and environments.place_of(tx, caller.repo_id, build.deploy_to).is_ruled
    ):
        raise Overtaken
    # What was recorded begins a chain of its own.
    build = build._replace(number=number, origin=build.origin if build.parent else number)
    sealed = secret_params.sealed(decision.keyring, build, decision.secret_params)
    build = build._replace(sealed_params=sealed)
    if build.deploy_to and place.environment_id is None:
        environments.note(tx, caller.repo_id, build.deploy_to)
    if place.rules is not None and place.rules.rules.queue == "supersede":
        waiting.supersede(tx, build)
    begun = builds.insert(tx, caller, build, decision.stages, ids)
    if build.waits and build.status != "blocked":
        # What it waits for may have ended meanwhile, and told those of whom it was none yet.
        tx.tell("asked", begun.build.id)
    return begun


def _fresh(caller: Caller, wish: Wish, place: Place, at: int) -> tuple[BuildRow, Parted]:
    """The build as it begins, and its parameters, of which it has the names of the secret ones alone."""
    build = wish.build
    given: dict[str, str] = json.loads(build.params)
    rules = place.rules.message.params if place.rules is not None else ()
    params = secret_params.part(place, environments.completed(rules, given), wish.params)
    fresh = build._replace(
        id=0,
        number=0,
        status="pending",
        error="",
        trigger=caller.login,
        params=as_json(params.plain) if rules or params.secret else build.params,
        debug=False,
        timestamp=0,
        started=0,
        finished=0,
        created=at,
        updated=at,
        version=1,
        external_id=None,
        rolled_back_by=0,
        superseded_by=0,
        verdicts="[]",
        waits=0,
        sealed_params=secret_params.named(params.secret),
    )
    return fresh, params


def _stages(tx: Transaction, place: Place, build: BuildRow, wish: Wish) -> tuple[list[StageRow], list[str]]:
    """The stages of the new build, and what to warn of. Raises Precondition where none would begin."""
    deployer = place.rules.message.deployer if place.rules is not None else 0
    if deployer == environments_pb2.DEPLOYER_EXTERNAL:
        return [stage_of(pb.StageSpec(kind="external"), 1, build.repo_id, build.created)], []
    said = said_by(tx, build.pipeline_id)
    if said is None and deployer == environments_pb2.DEPLOYER_PIPELINE:
        raise Precondition(
            f"{build.deploy_to} is deployed to by pipelines, and no pipeline file was recorded with the"
            " build: record it with one",
            reason="NO_PIPELINE",
            violations=[("pipeline", "was not recorded with the build")],
            metadata={"branch": build.target},
        )
    # What was recorded has stages already, and they need not be its file's.
    fresh = again(build, place.slug, wish.stages, said if build.parent else None, build.created)
    return fresh, [] if said is None else lacking(tx, place, build, fresh, said)


def _require_overrider(caller: Caller, wish: Wish, place: Place) -> None:
    if not wish.overrides or caller.site_admin:
        return
    named = place.rules.message.overriders if place.rules is not None else ()
    if caller.login not in named:
        raise Denied(
            f"{caller.login} may not override gates of {wish.build.deploy_to}: a site admin may"
            + (f", and {', '.join(named[:10])}" if named else ""),
            reason="NOT_AN_OVERRIDER",
            metadata={"method": caller.method, "environment": wish.build.deploy_to},
        )


def _access(caller: Caller, wish: Wish, place: Place) -> str:
    """Why the caller may not promote, which the interceptor has asked about but for an explanation."""
    if caller.level < access_pb2.ACCESS_LEVEL_WRITE:
        return f"{caller.login or 'whoever has no token'} may not write to {place.slug}"
    if not caller.may(access_pb2.TOKEN_ACTION_PROMOTE) and not wish.is_rollback:
        return "this token is cut to other actions than promote"
    cut = caller.cut.environments if caller.cut is not None else ()
    if cut and wish.build.deploy_to not in cut:
        return f"this token is cut to the environments {', '.join(cut)}"
    return ""


def _refuse(caller: Caller, decision: Decision) -> None:
    if not decision.build.deploy_to:
        for refusal in decision.refusals.values():
            raise refusal
        return
    failed = [verdict for verdict in decision.verdicts if verdict.result == "failed"]
    if not failed:
        return
    refusal = _refusal(caller, decision, failed)
    refusal.verdicts = environments.stored(decision.verdicts)
    raise refusal


def _refusal(caller: Caller, decision: Decision, failed: Sequence[Verdict]) -> Precondition:
    if len(failed) == 1 and failed[0].gate in decision.refusals:
        return decision.refusals[failed[0].gate]
    environment = decision.build.deploy_to
    told = "; ".join(f"{verdict.gate}: {verdict.reason}" for verdict in failed)
    return Precondition(
        f"{caller.owner}/{caller.repo} may not go to {environment}: {told}",
        reason="PROMOTION_REFUSED",
        violations=[(verdict.gate, verdict.reason) for verdict in failed],
        metadata={
            "environment": environment,
            "build": decision.build.parent,
            "gates": ", ".join(verdict.gate for verdict in failed),
        },
    )


def _no_commit(build: BuildRow) -> Precondition:
    return Precondition(
        f"build {build.number} has no commit, so nobody could tell what is deployed: record it with its"
        " commit (`after`), and promote that build",
        reason="BUILD_WITHOUT_COMMIT",
        violations=[("build", "has no commit")],
        metadata={"build": build.number},
    )
