"""Where a caller may do what: by a repository's visibility, their grants and their token's cut."""

from collections.abc import Callable
from typing import Any

from peewee import fn
from shiplift.v1 import access_pb2 as pb

from shipliftd.access.callers import Caller, ValidToken
from shipliftd.store.compiled import Compiled, arg
from shipliftd.store.models import Grant, Repository
from shipliftd.store.transaction import Reader

_NAMES = Compiled(Repository.select(Repository.owner, Repository.name).where(Repository.id == arg(0)))

_LEVEL = Compiled(
    Grant.select(fn.MAX(Grant.level)).where(
        Grant.user == arg(0), Grant.owner == arg(1), Grant.repo.in_([arg(2), "*"])
    )
)


def level_of(
    token: ValidToken | None, owner: str, repo: str, visibility: str, granted: Callable[[], int]
) -> int:
    """What the caller may do in a repository that exists: ANYONE (nothing), READ, WRITE or ADMIN.

    `granted` looks up the level of the caller's grants there, 0 without one.
    """
    level: int = pb.ACCESS_LEVEL_READ if visibility == "public" else pb.ACCESS_LEVEL_ANYONE
    if token is None or not is_within(token.repositories, owner, repo):
        return level
    if token.admin:
        return pb.ACCESS_LEVEL_ADMIN
    if visibility == "internal":
        level = pb.ACCESS_LEVEL_READ
    return max(level, granted())


def granted_level(reader: Reader, user_id: int, owner: str, repo: str) -> int:
    """The level of the user's grants on the repository (`*`: on all of the owner's), 0 without one."""
    level: int = _LEVEL.one(reader, user_id, owner, repo)[0] or 0
    return level


def is_within(repositories: tuple[str, ...], owner: str, repo: str) -> bool:
    """Whether a token's cut lets it at the repository (`*`: at all of the owner's)."""
    return not repositories or f"{owner}/*" in repositories or f"{owner}/{repo}" in repositories


def visible(caller: Caller) -> Any:  # noqa: ANN401  # peewee's expressions
    """The condition on `Repository` that the caller may read it."""
    public = Repository.visibility == "public"
    if caller.cut is None:
        return public
    mine = (Repository.visibility == "internal") | granted(caller, pb.ACCESS_LEVEL_READ)
    return public | (mine & _within(caller.cut))


def reachable(caller: Caller, level: int) -> Any:  # noqa: ANN401
    """The condition on `Repository` that the caller has this level there, by a grant or as a site admin."""
    return granted(caller, level) & _within(caller.cut)


def reaches(reader: Reader, caller: Caller, repo_id: int, level: int) -> bool:
    """Whether the caller has this level in a repository that is there; the rule of `reachable`."""
    owner, repo = _NAMES.one(reader, repo_id)
    if caller.cut is not None and not is_within(caller.cut.repositories, owner, repo):
        return False
    return caller.site_admin or granted_level(reader, caller.user_id, owner, repo) >= level


def granted(caller: Caller, level: int) -> Any:  # noqa: ANN401
    """The condition on `Repository` that the caller's user has this level there."""
    if caller.site_admin:
        return Repository.id > 0
    found = Grant.select(Grant.id).where(
        Grant.user == caller.user_id,
        Grant.owner == Repository.owner,
        (Grant.repo == Repository.name) | (Grant.repo == "*"),
        Grant.level >= level,
    )
    return fn.EXISTS(found)


def _within(cut: ValidToken | None) -> Any:  # noqa: ANN401
    if cut is None or not cut.repositories:
        return Repository.id > 0
    owners = [name.removesuffix("/*") for name in cut.repositories if name.endswith("/*")]
    slugs = [name for name in cut.repositories if not name.endswith("/*")]
    slug = Repository.owner.concat("/").concat(Repository.name)
    return Repository.owner.in_(owners) | slug.in_(slugs)
