"""Grants: the verbs."""

from shiplift.v1 import access_pb2 as pb

from shipliftd.access import cuts, users
from shipliftd.access.callers import Caller
from shipliftd.access.write_once import Written, write
from shipliftd.clock import now
from shipliftd.fields import Faults
from shipliftd.store import pages
from shipliftd.store.models import Grant, User
from shipliftd.store.rows import NamedGrant
from shipliftd.store.transaction import Reader, Transaction


def grant(reader: Reader, _caller: Caller, grant_id: int) -> NamedGrant:
    """A grant that is known to be there."""
    found = reader.by_id(Grant, grant_id)
    return NamedGrant(found, reader.by_id(User, found.user_id).login)


def _may_set_level(
    tx: Transaction, caller: Caller, request: pb.GrantAccessRequest | pb.RevokeAccessRequest
) -> None:
    if caller.cut is None or not (caller.cut.actions or caller.cut.environments):
        return
    there = tx.scalar(
        Grant.select(Grant.level)
        .join(User)
        .where(User.login == request.login, Grant.owner == request.owner, Grant.repo == request.repo)
    )
    given = request.level if isinstance(request, pb.GrantAccessRequest) else pb.ACCESS_LEVEL_UNSPECIFIED
    for level in (given, there or pb.ACCESS_LEVEL_UNSPECIFIED):
        cuts.require_level(caller, level)


@write(load=grant, look=_may_set_level, tells="access")
def grant_access(tx: Transaction, caller: Caller, request: pb.GrantAccessRequest) -> Written[NamedGrant]:
    """Gives a user a level, in place of the one they had there. Raises Invalid, NotFound."""
    allowed = (pb.ACCESS_LEVEL_READ, pb.ACCESS_LEVEL_WRITE, pb.ACCESS_LEVEL_ADMIN)
    faults = Faults()
    faults.word("level", request.level, allowed, [pb.AccessLevel.Name(level) for level in allowed])
    faults.refuse()
    return Written(_set_level(tx, caller, request, request.level))


@write(load=grant, look=_may_set_level, tells="access")
def revoke_access(tx: Transaction, caller: Caller, request: pb.RevokeAccessRequest) -> Written[NamedGrant]:
    """Takes a user's level back. Raises Invalid, NotFound."""
    return Written(_set_level(tx, caller, request, 0))


def _set_level(
    tx: Transaction, caller: Caller, request: pb.GrantAccessRequest | pb.RevokeAccessRequest, level: int
) -> NamedGrant:
    to = users.user_named(tx, request.login)
    at = now()
    mine = (Grant.user == to.id, Grant.owner == request.owner, Grant.repo == request.repo)
    found = tx.get(Grant, *mine)
    if found is None:
        there = {"user": to.id, "owner": request.owner, "repo": request.repo}
        tx.execute(Grant.insert(**there, level=level, created=at, updated=at))
    elif found.level != level:
        tx.execute(Grant.update(level=level, updated=at).where(*mine))
    found = tx.get(Grant, *mine)
    assert found is not None  # noqa: S101  # it was there or is now
    return NamedGrant(found, to.login)


def list_access(reader: Reader, caller: Caller, request: pb.ListAccessRequest) -> list[NamedGrant]:
    """The grants of a repository: a page and one more, by login. Raises Invalid."""
    most = pages.size(request.page_size)
    query = (
        Grant.select(Grant, User)
        .join(User)
        .where(Grant.owner == request.owner, Grant.repo.in_([request.repo, "*"]), Grant.level > 0)
    )
    key = pages.after(reader, request, request.page_token)
    if key is not None:
        login, grant_id = key
        query = query.where((User.login > login) | ((User.login == login) & (Grant.id > grant_id)))
    query = query.order_by(User.login, Grant.id).limit(most + 1)
    return [NamedGrant(row, row.user.login) for row in reader.all(query)]
