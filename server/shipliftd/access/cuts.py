"""What a token that is cut down may give away, show and take back: what lies within its own cuts.

A cut says where a token acts (repositories, environments), what it does (actions), and until when. Tokens
have cuts of their own, so they are compared. Grants and site admins have none but a repository: they
reach every environment, with every action of their level. Until when says how long a token acts, and those
that it makes; not how long what it did lasts.
"""

from collections.abc import Collection
from datetime import UTC, datetime

from shiplift.v1 import access_pb2 as pb

from shipliftd.access.callers import Caller, ValidToken
from shipliftd.access.reach import is_within
from shipliftd.enum_words import ACTION_WORD, LEVEL_WORD
from shipliftd.errors import Denied

_TIME = "%Y-%m-%dT%H:%M:%SZ"

_OF_WRITERS = frozenset(
    {
        pb.TOKEN_ACTION_READ,
        pb.TOKEN_ACTION_RECORD,
        pb.TOKEN_ACTION_PROMOTE,
        pb.TOKEN_ACTION_APPROVE,
        pb.TOKEN_ACTION_RUN,
        pb.TOKEN_ACTION_ROLLBACK,
    }
)
# What a level lets its holder do, read aside: to say who may look is part of administering.
_GIVES: dict[pb.AccessLevel, frozenset[pb.TokenAction]] = {
    pb.ACCESS_LEVEL_WRITE: _OF_WRITERS,
    pb.ACCESS_LEVEL_ADMIN: _OF_WRITERS | {pb.TOKEN_ACTION_ADMIN},
    pb.ACCESS_LEVEL_SITE_ADMIN: _OF_WRITERS | {pb.TOKEN_ACTION_ADMIN},
}


def beyond(
    cut: ValidToken | None,
    actions: Collection[int],
    repositories: Collection[str],
    environments: Collection[str],
) -> list[str]:
    """The cuts that a token of these would reach past, in words; empty lists stand for everything."""
    if cut is None:
        return []
    found = []
    if cut.actions and not (actions and set(actions) <= cut.actions):
        found.append(f"actions: {cut.action_words}")
    if cut.repositories and not (
        repositories and all(_covers(cut.repositories, slug) for slug in repositories)
    ):
        found.append("repositories: " + ", ".join(cut.repositories))
    if cut.environments and not (environments and set(environments) <= set(cut.environments)):
        found.append("environments: " + ", ".join(cut.environments))
    return found


def _covers(repositories: tuple[str, ...], slug: str) -> bool:
    owner, _, repo = slug.partition("/")
    return is_within(repositories, owner, repo)


def require_making(
    caller: Caller,
    actions: Collection[int],
    repositories: Collection[str],
    environments: Collection[str],
    expires: int,
) -> None:
    """Raises Denied when a token of these would reach past the caller's, or outlive it."""
    cut = caller.cut
    if cut is None:
        return
    found = beyond(cut, actions, repositories, environments)
    if cut.expires and not 0 < expires <= cut.expires:
        found.append(f"expires: {datetime.fromtimestamp(cut.expires // 1000, UTC):{_TIME}} at the latest")
    if found:
        has = "; ".join(found)
        raise _denied(
            caller, f"this token is cut down, and can only make tokens within its own cuts: {has}", has
        )


def require_every_environment(caller: Caller) -> None:
    """Raises Denied when the caller's token is cut to some environments, for what reaches them all."""
    if caller.cut is not None and caller.cut.environments:
        has = ", ".join(caller.cut.environments)
        raise _denied(
            caller,
            f"{caller.method} is about every environment, and this token is cut to {has}",
            f"environments: {has}",
        )


def require_level(caller: Caller, level: pb.AccessLevel) -> None:
    """Raises Denied when somebody of this level could do what the caller's token is cut off from."""
    cut, gives = caller.cut, _GIVES.get(level)
    if cut is None or not gives:
        return
    what = f"{caller.method} of {LEVEL_WORD[level]}"
    if cut.environments:
        has = ", ".join(cut.environments)
        raise _denied(
            caller,
            f"{what} is about every environment, and this token is cut to {has}:"
            " it can give and take back read at most",
            f"environments: {has}",
        )
    missing = sorted(ACTION_WORD[action] for action in gives - cut.actions) if cut.actions else []
    if missing:
        raise _denied(
            caller,
            f"{what} is about the actions {', '.join(missing)} as well, and this token is cut to"
            f" {cut.action_words}: it can give and take back read at most",
            f"actions: {cut.action_words}",
        )


def _denied(caller: Caller, told: str, has: str) -> Denied:
    return Denied(told, reason="BEYOND_OWN_TOKEN", metadata={"method": caller.method, "has": has})
