"""Declaring environments: their rules, and those of all of an owner's repositories."""

from collections.abc import Callable, Collection

from google.protobuf.message import Message
from peewee import SQL, Expression
from shiplift.v1 import environments_pb2 as pb

from shipliftd.access.callers import Caller
from shipliftd.access.cuts import require_every_environment
from shipliftd.access.write_once import Written, write
from shipliftd.clock import now
from shipliftd.environments import rules as said_rules
from shipliftd.errors import AlreadyExists, NotFound, Precondition, stale
from shipliftd.fields import Faults
from shipliftd.store import moves, pages
from shipliftd.store.models import IS_UNDER_WAY, Approval, Build, Environment, OwnerRules, Repository
from shipliftd.store.rows import NamedEnvironment
from shipliftd.store.transaction import Reader, Transaction

_MOST_LISTED = 100
# Of what waits so many are named.
_MOST_NAMED = 10


def _load(reader: Reader, caller: Caller, environment_id: int) -> NamedEnvironment:
    return _named(caller, reader.by_id(Environment, environment_id))


def _named(caller: Caller, row: Environment) -> NamedEnvironment:
    return NamedEnvironment(row, caller.owner, caller.repo)


def _in_it(_tx: Transaction, caller: Caller, request: pb.UpdateEnvironmentRequest) -> None:
    caller.require_environment(request.environment.name)


def _in_every_one(_tx: Transaction, caller: Caller, _request: Message) -> None:
    # With the first declaration all other environments are refused, and with the last one taken back none.
    require_every_environment(caller)


def _declared(reader: Reader, caller: Caller, name: str) -> Environment | None:
    mine = (Environment.repo == caller.repo_id) & (Environment.name == name)
    found = reader.get(Environment, mine)
    return found if found is not None and found.declared else None


def not_declared(caller: Caller, name: str) -> NotFound:
    """What a caller is told of an environment that is not declared."""
    return NotFound(
        f"{caller.owner}/{caller.repo} declares no environment {name[:100]!r}: ListEnvironments shows those"
        " that it declares",
        reason="ENVIRONMENT_NOT_FOUND",
        metadata={"owner": caller.owner, "repo": caller.repo, "environment": name},
    )


@write(load=_load, look=_in_every_one)
def create(
    tx: Transaction, caller: Caller, request: pb.CreateEnvironmentRequest, refuses: Callable[[str], bool]
) -> Written[NamedEnvironment]:
    """Declares an environment; `refuses` as for `rules.check`. Raises Invalid, Denied, AlreadyExists."""
    said, faults = request.environment, Faults()
    faults.target("environment.name", said.name)
    said_rules.check(said, said_rules.SAID, refuses, faults, "environment.")
    faults.refuse()
    moves.lock_repository(tx, caller.repo_id)
    there = tx.get(Environment, Environment.repo == caller.repo_id, Environment.name == said.name)
    if there is not None and there.declared:
        raise AlreadyExists(
            f"{caller.owner}/{caller.repo} declares {said.name} already: UpdateEnvironment changes it",
            metadata={"owner": caller.owner, "repo": caller.repo, "environment": said.name},
        )
    _require_sound(tx, caller, said.name, said, said_rules.SAID)
    at = now()
    columns = {
        "declared": True,
        "said": said_rules.stored(said),
        # Counted on from what was declared before, or an old approval would hold again.
        "rules_version": there.rules_version + 1 if there is not None else 1,
        "version": there.version + 1 if there is not None else 1,
        "created": at,
        "updated": at,
    }
    if there is None:
        row_id = tx.execute(Environment.insert(repo=caller.repo_id, name=said.name, **columns))
    else:
        row_id = there.id
        tx.execute(Environment.update(**columns).where(Environment.id == row_id))
    tx.tell("gates", caller.repo_id)
    return _written(tx, caller, row_id, "created")


@write(load=_load, look=_in_it)
def update(
    tx: Transaction, caller: Caller, request: pb.UpdateEnvironmentRequest, refuses: Callable[[str], bool]
) -> Written[NamedEnvironment]:
    """Changes what the mask names. Raises Invalid, Denied, NotFound, Aborted (another version)."""
    said, faults = request.environment, Faults()
    faults.target("environment.name", said.name)
    named = faults.mask("update_mask", request.update_mask, said_rules.SAID)
    said_rules.check(said, named, refuses, faults, "environment.")
    faults.refuse()
    moves.lock_repository(tx, caller.repo_id)
    row = _declared(tx, caller, said.name)
    if row is None:
        raise not_declared(caller, said.name)
    if request.HasField("version") and request.version != row.version:
        raise stale(f"environment {said.name}", row.version, request.version)
    before = said_rules.said(row.said, row.rules_version).message
    message = pb.Environment()
    message.CopyFrom(before)
    for field in named:
        message.ClearField(field)
        wanted = pb.Environment()
        wanted.CopyFrom(said)
        for other in pb.Environment.DESCRIPTOR.fields:
            if other.name != field:
                wanted.ClearField(other.name)
        message.MergeFrom(wanted)
    if message == before:
        return Written(_named(caller, row))
    _require_sound(tx, caller, said.name, message, named)
    changes = {"said": said_rules.stored(message), "updated": now(), "version": row.version + 1}
    if any(getattr(message, field) != getattr(before, field) for field in said_rules.RULES):
        changes["rules_version"] = row.rules_version + 1
        _void_approvals(tx, caller.repo_id, said.name)
        tx.tell("gates", caller.repo_id)
    tx.execute(Environment.update(**changes).where(Environment.id == row.id))
    return _written(tx, caller, row.id, "updated")


@write(load=_load, look=_in_every_one)
def delete(
    tx: Transaction, caller: Caller, request: pb.DeleteEnvironmentRequest
) -> Written[NamedEnvironment]:
    """Takes a declaration back.

    Raises Invalid, Denied, NotFound, Aborted (another version), Precondition (promotions wait there).
    """
    faults = Faults()
    faults.target("environment", request.environment)
    faults.refuse()
    moves.lock_repository(tx, caller.repo_id)
    row = _declared(tx, caller, request.environment)
    if row is None:
        raise not_declared(caller, request.environment)
    if request.HasField("version") and request.version != row.version:
        raise stale(f"environment {row.name}", row.version, request.version)
    _require_unused(tx, caller, row.name)
    changes = {"declared": False, "updated": now(), "version": row.version + 1}
    tx.execute(Environment.update(**changes).where(Environment.id == row.id))
    tx.tell("gates", caller.repo_id)
    return _written(tx, caller, row.id, "deleted")


def _written(
    tx: Transaction, caller: Caller, row_id: int, action: moves.EnvironmentAction
) -> Written[NamedEnvironment]:
    named = _load(tx, caller, row_id)
    row = named.row
    moves.environment_changed(tx, caller.repo_id, row.name, action, row.version, row.updated)
    return Written(named)


def _require_sound(
    tx: Transaction, caller: Caller, name: str, environment: pb.Environment, named: Collection[str]
) -> None:
    """Raises Invalid where rules do not go together, of which some are changed.

    The repository is locked: whom it requires stays so.
    """
    faults = Faults()
    approvers = len(set(environment.approvers))
    if {"required_approvals", "approvers"} & set(named) and 0 < approvers < environment.required_approvals:
        faults.add(
            "environment.required_approvals",
            f"is {environment.required_approvals}, and approvers names {approvers}: name more, or ask for"
            " fewer",
        )
    if "requires" in named:
        chain = [name, environment.requires]
        while chain[-1] and chain[-1] not in chain[:-1]:
            row = _declared(tx, caller, chain[-1])
            chain.append(said_rules.said(row.said, row.rules_version).rules.requires if row else "")
        # Others may have stood in a circle before: that is not about this one.
        if chain[-1] == name:
            circle = " requires ".join(chain)
            faults.add("environment.requires", f"makes a circle, and nothing could go there: {circle}")
    faults.refuse()


def _waiting(repo_id: int, environment: str) -> Expression:
    return (
        (Build.repo == repo_id)
        & (Build.deploy_to == environment)
        & (Build.waits > SQL("0"))
        & SQL(IS_UNDER_WAY)
    )


def _require_unused(tx: Transaction, caller: Caller, environment: str) -> None:
    """Raises Precondition while promotions wait there: without gates they would go unapproved."""
    waiting = tx.rows(
        Build.select(Build.number)
        .where(_waiting(caller.repo_id, environment))
        .order_by(Build.number)
        .limit(_MOST_NAMED + 1)
    )
    if not waiting:
        return
    numbers = [str(row[0]) for row in waiting[:_MOST_NAMED]]
    told = ", ".join(numbers) + (" and more" if len(waiting) > _MOST_NAMED else "")
    raise Precondition(
        f"promotions wait for the gates of {environment}, and would go without them: {told}. Cancel or"
        " decline them first",
        reason="ENVIRONMENT_IN_USE",
        violations=[("environment", f"promotion {number} waits there") for number in numbers],
        metadata={
            "owner": caller.owner,
            "repo": caller.repo,
            "environment": environment,
            "builds": ", ".join(numbers),
        },
    )


def _void_approvals(tx: Transaction, repo_id: int, environment: str) -> None:
    waiting = Build.select(Build.id).where(_waiting(repo_id, environment))
    tx.execute(Approval.update(void=True).where(Approval.build.in_(waiting), ~Approval.void))


def get(reader: Reader, caller: Caller, request: pb.GetEnvironmentRequest) -> NamedEnvironment:
    """An environment that is declared. Raises Invalid, NotFound."""
    faults = Faults()
    faults.target("environment", request.environment)
    faults.refuse()
    row = _declared(reader, caller, request.environment)
    if row is None:
        raise not_declared(caller, request.environment)
    return _named(caller, row)


def page(reader: Reader, caller: Caller, request: pb.ListEnvironmentsRequest) -> list[NamedEnvironment]:
    """The environments that a repository declares: a page and one more, by name."""
    key = pages.after(reader, request, request.page_token) or [""]
    rows = reader.all(
        Environment.select()
        .where(Environment.repo == caller.repo_id, Environment.declared, Environment.name > key[0])
        .order_by(Environment.name)
        .limit(page_size(request) + 1)
    )
    return [_named(caller, row) for row in rows]


def page_size(request: pb.ListEnvironmentsRequest) -> int:
    """How many a page has at the most: each can be large."""
    return min(pages.size(request.page_size), _MOST_LISTED)


def key_of(row: NamedEnvironment) -> pages.Key:
    """What the page after an environment begins behind."""
    return [row.row.name]


def owner_rules(reader: Reader, caller: Caller, request: pb.GetOwnerRulesRequest) -> OwnerRules:
    """The rules of an owner; without any, a row that is not stored."""
    found = reader.get(OwnerRules, OwnerRules.owner == request.owner)
    return found if found is not None else OwnerRules(owner=request.owner, said="{}", version=0)


def _load_owner(reader: Reader, _caller: Caller, row_id: int) -> OwnerRules:
    return reader.by_id(OwnerRules, row_id)


@write(load=_load_owner, look=_in_every_one)
def update_owner_rules(
    tx: Transaction, caller: Caller, request: pb.UpdateOwnerRulesRequest
) -> Written[OwnerRules]:
    """Puts the rules of an owner in the place of those there are. Raises Invalid, Denied, Aborted."""
    faults = Faults()
    said_rules.check_freezes("rules.freezes", request.rules.freezes, faults)
    faults.refuse()
    # What is about to go waits: nothing does once a freeze is answered.
    moves.lock_repositories(tx, request.owner)
    row = tx.get(OwnerRules, OwnerRules.owner == request.owner)
    version = row.version if row is not None else 0
    if request.HasField("version") and request.version != version:
        raise stale(f"rules of {request.owner}", version, request.version)
    said = said_rules.stored_owner(request.rules)
    if row is None:
        row_id = tx.execute(OwnerRules.insert(owner=request.owner, said=said, version=1))
    else:
        row_id = row.id
        changed = OwnerRules.update(said=said, version=version + 1)
        if not tx.execute(changed.where(OwnerRules.id == row_id, OwnerRules.version == version)):
            raise stale(f"rules of {request.owner}", version + 1, version)
    tell_owner(tx, request.owner)
    return Written(_load_owner(tx, caller, row_id))


def tell_owner(tx: Transaction, owner: str) -> None:
    """Has the gates asked again in all repositories of an owner in which something waits."""
    waiting = Build.select(Build.repo).where(Build.waits > 0, Build.parent > 0)
    for row in tx.rows(
        Repository.select(Repository.id).where(Repository.owner == owner, Repository.id.in_(waiting))
    ):
        tx.tell("gates", row[0])
