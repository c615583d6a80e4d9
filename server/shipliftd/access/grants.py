"""Grants: the verbs."""

from shiplift.v1 import access_pb2 as pb

from shipliftd.access import cuts, users
from shipliftd.access.guard import Caller
from shipliftd.access.write_once import Written, write
from shipliftd.clock import now
from shipliftd.fields import Faults
from shipliftd.store import pages
from shipliftd.store.models import Grant, User
from shipliftd.store.rows import NamedGrant


def grant(_caller: Caller, grant_id: int) -> NamedGrant:
    """A grant that is known to be there."""
    found = Grant.get_by_id(grant_id)
    return NamedGrant(found, User.get_by_id(found.user_id).login)


def _may_set_level(caller: Caller, request: pb.GrantAccessRequest | pb.RevokeAccessRequest) -> None:
    if caller.cut is None or not (caller.cut.actions or caller.cut.environments):
        return
    there = (
        Grant.select(Grant.level)
        .join(User)
        .where(User.login == request.login, Grant.owner == request.owner, Grant.repo == request.repo)
        .scalar()
    )
    given = request.level if isinstance(request, pb.GrantAccessRequest) else pb.ACCESS_LEVEL_UNSPECIFIED
    for level in (given, there or pb.ACCESS_LEVEL_UNSPECIFIED):
        cuts.require_level(caller, level)


@write(load=grant, look=_may_set_level)
def grant_access(caller: Caller, request: pb.GrantAccessRequest) -> Written[NamedGrant]:
    """Gives a user a level, in place of the one they had there. Raises Invalid, NotFound."""
    allowed = (pb.ACCESS_LEVEL_READ, pb.ACCESS_LEVEL_WRITE, pb.ACCESS_LEVEL_ADMIN)
    faults = Faults()
    faults.word("level", request.level, allowed, [pb.AccessLevel.Name(level) for level in allowed])
    faults.refuse()
    return Written(_set_level(caller, request, request.level))


@write(load=grant, look=_may_set_level)
def revoke_access(caller: Caller, request: pb.RevokeAccessRequest) -> Written[NamedGrant]:
    """Takes a user's level back. Raises Invalid, NotFound."""
    return Written(_set_level(caller, request, 0))


def _set_level(
    caller: Caller, request: pb.GrantAccessRequest | pb.RevokeAccessRequest, level: int
) -> NamedGrant:
    to = users.user_named(request.login)
    at = now()
    found: Grant | None = Grant.get_or_none(user=to.id, owner=request.owner, repo=request.repo)
    if found is None:
        found = Grant.create(
            user=to.id,
            owner=request.owner,
            repo=request.repo,
            level=level,
            created=at,
            updated=at,
        )
    elif found.level != level:
        found.level = level
        found.updated = at
        found.save(only=[Grant.level, Grant.updated])
    return NamedGrant(found, to.login)


def list_access(caller: Caller, request: pb.ListAccessRequest) -> list[NamedGrant]:
    """The grants of a repository: a page and one more, by login. Raises Invalid."""
    most = pages.size(request.page_size)
    query = (
        Grant.select(Grant, User)
        .join(User)
        .where(Grant.owner == request.owner, Grant.repo.in_([request.repo, "*"]), Grant.level > 0)
    )
    key = pages.after(request, request.page_token)
    if key is not None:
        login, grant_id = key
        query = query.where((User.login > login) | ((User.login == login) & (Grant.id > grant_id)))
    query = query.order_by(User.login, Grant.id).limit(most + 1)
    return [NamedGrant(row, row.user.login) for row in query]
