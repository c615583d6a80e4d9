"""Who calls: the token in a call's metadata, its user, and the caller that is made of them."""

import hashlib
import json
from contextvars import ContextVar
from dataclasses import dataclass
from typing import NamedTuple

from shiplift.v1 import access_pb2 as pb

from shipliftd.clock import now
from shipliftd.enum_words import ACTION_WORD
from shipliftd.errors import Denied, Unauthenticated
from shipliftd.store.compiled import Compiled, arg
from shipliftd.store.models import Token, User
from shipliftd.store.transaction import Reader

_TOKEN = Compiled(
    Token.select(
        Token.id,
        Token.user,
        User.login,
        User.admin,
        Token.actions,
        Token.repositories,
        Token.environments,
        Token.expires,
        Token.revoked,
        User.disabled,
    )
    .join(User)
    .where(Token.hash == arg(0))
)


class ValidToken(NamedTuple):
    """A valid token and its user. Empty cuts: none."""

    token_id: int
    user_id: int
    login: str
    admin: bool
    actions: frozenset[pb.TokenAction]
    repositories: tuple[str, ...]
    environments: tuple[str, ...]
    expires: int

    def may(self, action: pb.TokenAction) -> bool:
        """Whether it is not cut to other actions."""
        return not self.actions or action in self.actions

    @property
    def action_words(self) -> str:
        """The actions that it is cut to, for people."""
        return ", ".join(sorted(ACTION_WORD[action] for action in self.actions))


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls which rpc, and what they may do where the request points."""

    method: str
    user_id: int = 0
    token_id: int = 0
    login: str = ""
    site_admin: bool = False
    level: int = pb.ACCESS_LEVEL_ANYONE
    owner: str = ""
    repo: str = ""
    repo_id: int = 0
    cut: ValidToken | None = None
    # Whether the token may read where the request points.
    reads: bool = True
    # Where the call comes from, and what its client says of itself; of writes alone, for the audit.
    address: str = ""
    client: str = ""

    @property
    def expires(self) -> int:
        """When the token stops working; 0: never."""
        return self.cut.expires if self.cut is not None else 0

    def may(self, action: pb.TokenAction) -> bool:
        """Whether the token is not cut to other actions."""
        return self.cut is None or self.cut.may(action)

    def require_action(self, action: pb.TokenAction, what: str, otherwise: str = "") -> None:
        """Raises Denied when the token is cut to other actions; `what` needs it."""
        if self.cut is not None and not self.cut.may(action):
            needed = ", ".join(filter(None, (ACTION_WORD[action], otherwise)))
            raise Denied(
                f"{what} needs the action {needed}; this token is cut to {self.cut.action_words}",
                reason="TOKEN_CUT_TO_ACTIONS",
                metadata={"method": self.method, "needs": needed, "has": self.cut.action_words},
            )

    def require_environment(self, environment: str) -> None:
        """Raises Denied when the token is cut to other environments; '' is about all of them."""
        cut = self.cut.environments if self.cut is not None else ()
        if cut and environment not in cut:
            told = f"{environment[:100]} is not one of them" if environment else "this is about all of them"
            raise Denied(
                f"this token is cut to the environments {', '.join(cut)}; {told}",
                reason="TOKEN_CUT_TO_ENVIRONMENTS",
                metadata={"environment": environment, "has": ", ".join(cut)},
            )


# The caller of the rpc that runs now, put there by the interceptor.
CALLER: ContextVar[Caller] = ContextVar("caller")


def token_of(reader: Reader, authorization: str | None) -> ValidToken | None:
    """The token in the metadata `authorization`, or None when there is none.

    Raises Unauthenticated when there is one that is not valid. Its words never hold the token.
    """
    if authorization is None:
        return None
    scheme, _, secret = authorization.partition(" ")
    if scheme.lower() != "bearer" or not secret:
        raise Unauthenticated(
            "the metadata `authorization` is not of the form `Bearer TOKEN`",
            reason="MALFORMED_TOKEN",
        )
    row = _TOKEN.one(reader, hash_of(secret))
    if row is None:
        raise Unauthenticated(
            "the token is not known here: was it made on another server, or cut off when copied?",
            reason="UNKNOWN_TOKEN",
        )
    token_id, user_id, login, admin, actions, repositories, environments, expires, revoked, disabled = row
    if disabled:
        raise Unauthenticated(
            f"user {login} is disabled, and so are their tokens: a site admin can enable them,"
            f" shiplift user enable {login}",
            reason="USER_DISABLED",
            metadata={"login": login},
        )
    if revoked:
        raise Unauthenticated(
            f"token {token_id} of {login} was revoked: make another",
            reason="REVOKED_TOKEN",
            metadata={"token_id": token_id, "login": login},
        )
    if expires and expires <= now():
        raise Unauthenticated(
            f"token {token_id} of {login} has expired: make another",
            reason="EXPIRED_TOKEN",
            metadata={"token_id": token_id, "login": login},
        )
    return ValidToken(
        token_id,
        user_id,
        login,
        bool(admin),
        frozenset(json.loads(actions)) if actions != "[]" else frozenset(),
        tuple(json.loads(repositories)) if repositories != "[]" else (),
        tuple(json.loads(environments)) if environments != "[]" else (),
        expires,
    )


def hash_of(secret: str) -> bytes:
    """What is stored of a token, or a lease's: no salt, for 256 random bits need none."""
    return hashlib.sha256(secret.encode()).digest()
