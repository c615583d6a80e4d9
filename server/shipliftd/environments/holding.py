"""Holds: stopping an environment, a repository or an owner's, and letting it go again."""

from shiplift.v1 import environments_pb2 as pb

from shipliftd.access.callers import Caller
from shipliftd.access.write_once import Written, write
from shipliftd.clock import now
from shipliftd.environments.asking import undeclared
from shipliftd.environments.declaring import tell_owner
from shipliftd.errors import NotFound
from shipliftd.fields import Faults
from shipliftd.store import moves
from shipliftd.store.models import Hold, Repository
from shipliftd.store.transaction import Reader, Transaction

_SCOPES = {
    pb.HOLD_SCOPE_UNSPECIFIED: "all",
    pb.HOLD_SCOPE_ALL: "all",
    pb.HOLD_SCOPE_AUTOMATIC: "automatic",
}
_Request = pb.HoldEnvironmentRequest | pb.ResumeEnvironmentRequest


def _load(reader: Reader, _caller: Caller, hold_id: int) -> Hold:
    return reader.by_id(Hold, hold_id)


def _in_it(_tx: Transaction, caller: Caller, request: _Request) -> None:
    # Who stops more than an environment needs a token that is cut to none.
    caller.require_environment(request.environment)


@write(load=_load, look=_in_it)
def hold(tx: Transaction, caller: Caller, request: pb.HoldEnvironmentRequest) -> Written[Hold]:
    """Stops promotions. Raises Invalid, Denied, NotFound (the repository declares others)."""
    faults = _checked(request)
    faults.word("scope", request.scope, _SCOPES, pb.HoldScope.keys()[1:])
    faults.text("reason", request.reason, 2000)
    if not request.reason:
        faults.add("reason", "is empty: say why, for whoever is stopped by it")
    until = faults.time("until", request.until)
    if request.HasField("until") and until <= now():
        faults.add("until", "is not in the future")
    faults.refuse()
    _lock(tx, caller, request.owner)
    if caller.repo_id and request.environment:
        _require_known(tx, caller, request.environment)
    row_id = _put(
        tx, caller, request.repo, request.environment, _SCOPES[request.scope], request.reason, until
    )
    # What waits says what for, and one that is narrower than before may let it go.
    _tell(tx, caller, request.environment, "held")
    return Written(_load(tx, caller, row_id))


def _require_known(tx: Transaction, caller: Caller, environment: str) -> None:
    """Raises NotFound where nothing can go to it: whoever mistypes it would believe that it is held."""
    if told := undeclared(tx, caller.repo_id, environment):
        raise NotFound(
            told,
            reason="ENVIRONMENT_NOT_FOUND",
            metadata={"owner": caller.owner, "repo": caller.repo, "environment": environment},
        )


def hold_automatic(tx: Transaction, caller: Caller, environment: str, reason: str) -> None:
    """Keeps machines from an environment, unless everybody is kept from it already."""
    there = _find(tx, caller.owner, caller.repo, environment)
    stands = there is not None and not there.ended and (not there.until or there.until > now())
    if there is None or not stands or there.scope == "automatic":
        _put(tx, caller, caller.repo, environment, "automatic", reason, 0)
        moves.environment_changed(tx, caller.repo_id, environment, "held", 0, now())


def _lock(tx: Transaction, caller: Caller, owner: str) -> None:
    """Has what is about to go wait, so that nothing goes once the hold is answered."""
    if caller.repo_id:
        moves.lock_repository(tx, caller.repo_id)
    else:
        moves.lock_repositories(tx, owner)


def _put(
    tx: Transaction, caller: Caller, repo: str, environment: str, scope: str, reason: str, until: int
) -> int:
    there = _find(tx, caller.owner, repo, environment)
    said = {
        "scope": scope,
        "by": caller.login,
        "reason": reason,
        "since": now(),
        "until": until,
        "ended": 0,
    }
    if there is None:
        return tx.execute(Hold.insert(owner=caller.owner, repo=repo, environment=environment, **said))
    tx.execute(Hold.update(**said).where(Hold.id == there.id))
    row_id: int = there.id
    return row_id


@write(load=_load, look=_in_it)
def resume(tx: Transaction, caller: Caller, request: pb.ResumeEnvironmentRequest) -> Written[Hold]:
    """Takes a hold back, and returns it. Raises Invalid, Denied, NotFound."""
    faults = _checked(request)
    faults.text("comment", request.comment, 2000)
    faults.refuse()
    there = _find(tx, request.owner, request.repo, request.environment)
    if there is None or not _end(tx, there):
        what = request.environment or f"{request.owner}/{request.repo} as a whole"
        raise NotFound(
            f"nobody holds {what}: what stops it may be a hold of the repository or of all of"
            f" {request.owner}'s, or a freeze; ListDeployments shows which",
            reason="HOLD_NOT_FOUND",
            metadata={"owner": request.owner, "repo": request.repo, "environment": request.environment},
        )
    _tell(tx, caller, request.environment, "resumed")
    return Written(there)


def _tell(tx: Transaction, caller: Caller, environment: str, action: moves.EnvironmentAction) -> None:
    if caller.repo_id:
        moves.environment_changed(tx, caller.repo_id, environment, action, 0, now())
        tx.tell("gates", caller.repo_id)
        return
    for row in tx.rows(Repository.select(Repository.id).where(Repository.owner == caller.owner)):
        moves.environment_changed(tx, row[0], environment, action, 0, now())
    tell_owner(tx, caller.owner)


def _end(tx: Transaction, there: Hold) -> bool:
    # Another call may have taken it back, now or long ago.
    return tx.execute(Hold.update(ended=now()).where(Hold.id == there.id, Hold.ended == 0)) > 0


def _checked(request: _Request) -> Faults:
    faults = Faults()
    if request.environment:
        faults.target("environment", request.environment)
    return faults


def _find(reader: Reader, owner: str, repo: str, environment: str) -> Hold | None:
    return reader.get(Hold, Hold.owner == owner, Hold.repo == repo, Hold.environment == environment)
