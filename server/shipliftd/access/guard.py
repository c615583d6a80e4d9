"""Who calls, and what they may do here: the facts, and the decision that the interceptor makes on them."""

import hashlib
import json
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, cast

from google.protobuf.message import Message
from peewee import fn
from shiplift.v1 import access_pb2 as pb

from shipliftd.clock import now
from shipliftd.enum_words import ACTION_WORD, LEVEL_WORD
from shipliftd.errors import Denied, NotFound, Unauthenticated
from shipliftd.fields import Faults
from shipliftd.store import Store
from shipliftd.store.compiled import Compiled, arg
from shipliftd.store.models import Grant, Repository, Token, User
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
_REPOSITORY = Compiled(
    Repository.select(Repository.id, Repository.visibility).where(
        Repository.owner == arg(0), Repository.name == arg(1)
    )
)
_NAMES = Compiled(Repository.select(Repository.owner, Repository.name).where(Repository.id == arg(0)))
_LEVEL = Compiled(
    Grant.select(fn.MAX(Grant.level)).where(
        Grant.user == arg(0), Grant.owner == arg(1), Grant.repo.in_([arg(2), "*"])
    )
)


_MOST_REMEMBERED = 10_000


class Named(Protocol):
    """A request that names a repository, as those of the scopes that look at one all do."""

    owner: str
    repo: str


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
        """Raises Denied when the token is cut to other environments."""
        cut = self.cut.environments if self.cut is not None else ()
        if cut and environment not in cut:
            raise Denied(
                f"this token is cut to the environments {', '.join(cut)}; {environment[:100]} is not one of"
                " them",
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


def admit(
    reader: Reader, method: str, rule: pb.AccessRule, request: Message, token: ValidToken | None
) -> Caller:
    """Lets the caller through, or raises what the table in the design says."""
    scope = rule.scope
    named = cast(Named, request)
    if (
        scope == pb.ACCESS_SCOPE_REPOSITORY
        or (scope == pb.ACCESS_SCOPE_REPOSITORY_OR_OWNER and named.repo != "*")
        or (scope == pb.ACCESS_SCOPE_REPOSITORY_OR_VISIBLE and (named.owner or named.repo))
    ):
        return _admit_to_repository(reader, method, rule, named, token)
    if token is None:
        if rule.level == pb.ACCESS_LEVEL_ANYONE:
            return Caller(method)
        raise _token_needed(method)
    if rule.level == pb.ACCESS_LEVEL_RUNNER:
        _require_runner(token, method)
    owner = named.owner if scope in _OWNER_SCOPES else ""
    if scope in _OWNER_SCOPES:
        _check_names(owner)
    caller = Caller(
        method,
        token.user_id,
        token.token_id,
        token.login,
        token.admin,
        level=pb.ACCESS_LEVEL_ADMIN if token.admin or owner else pb.ACCESS_LEVEL_USER,
        owner=owner,
        cut=token,
        reads=token.may(pb.TOKEN_ACTION_READ),
    )
    _require_action(token, rule, method)
    if scope in _OWNER_SCOPES:
        _require_owner(reader, token, method, owner)
    elif rule.level == pb.ACCESS_LEVEL_SITE_ADMIN:
        _require_site(token, method)
    return caller


_OWNER_SCOPES = frozenset({pb.ACCESS_SCOPE_OWNER, pb.ACCESS_SCOPE_REPOSITORY_OR_OWNER})


def _admit_to_repository(
    reader: Reader, method: str, rule: pb.AccessRule, request: Named, token: ValidToken | None
) -> Caller:
    owner, repo = request.owner, request.repo
    _check_names(owner, repo)
    found = _REPOSITORY.one(reader, owner, repo)
    level: int = pb.ACCESS_LEVEL_ANYONE
    if found is not None:
        repo_id, visibility = found
        level = level_of(token, owner, repo, visibility, lambda: _granted(reader, token, owner, repo))
    if token is None:
        if rule.level == pb.ACCESS_LEVEL_READ == level:
            return Caller(method, level=level, owner=owner, repo=repo, repo_id=repo_id)
        raise _token_needed(method)
    if level < pb.ACCESS_LEVEL_READ:
        raise NotFound(
            f"repository {owner}/{repo} not found: it does not exist, or you may not read it",
            reason="REPOSITORY_NOT_FOUND",
            metadata={"owner": owner, "repo": repo},
        )
    # What anybody may do, a token does not take away.
    if rule.level != pb.ACCESS_LEVEL_READ or visibility != "public":
        _require_action(token, rule, method)
    if level < rule.level:
        raise _too_little(reader, method, rule, token, f"{owner}/{repo}", cast(pb.AccessLevel, level))
    return Caller(
        method,
        token.user_id,
        token.token_id,
        token.login,
        token.admin,
        level,
        owner,
        repo,
        repo_id,
        token,
        visibility == "public" or token.may(pb.TOKEN_ACTION_READ),
    )


class Guard:
    """Admits callers, and remembers whom it admitted until `forget`.

    Only what it allowed is remembered, so a new token or grant counts at once. Whoever takes access away
    calls `forget`: the server after each write of that kind and when another process changed the store.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._admitted: dict[tuple[bytes, str, str, str], Caller] = {}

    async def admit(
        self, method: str, rule: pb.AccessRule, request: Message, authorization: str | None
    ) -> Caller:
        """Lets the caller through, or raises what `token_of` and `admit` raise."""
        if rule.scope != pb.ACCESS_SCOPE_REPOSITORY or authorization is None:
            return await self.admit_anew(method, rule, request, authorization)
        named = cast(Named, request)
        key = (hash_of(authorization), method, named.owner, named.repo)
        caller = self._admitted.get(key)
        if caller is not None and (not caller.expires or caller.expires > now()):
            return caller
        caller = await self.admit_anew(method, rule, request, authorization)
        if len(self._admitted) >= _MOST_REMEMBERED:
            self._admitted.clear()
        self._admitted[key] = caller
        return caller

    async def admit_anew(
        self, method: str, rule: pb.AccessRule, request: Message, authorization: str | None
    ) -> Caller:
        """Like `admit`, from what is in the store now."""
        return await self._store.read(_admit_anew, method, rule, request, authorization)

    async def token_of(self, authorization: str | None) -> ValidToken | None:
        """Whose valid token this is; None when it is none."""
        try:
            return await self._store.read(token_of, authorization)
        except Unauthenticated:
            return None

    def forget(self) -> None:
        """Looks everybody up again from now on."""
        self._admitted.clear()


def _admit_anew(
    reader: Reader, method: str, rule: pb.AccessRule, request: Message, authorization: str | None
) -> Caller:
    return admit(reader, method, rule, request, token_of(reader, authorization))


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


def _granted(reader: Reader, token: ValidToken | None, owner: str, repo: str) -> int:
    level: int = _LEVEL.one(reader, token.user_id if token else 0, owner, repo)[0] or 0
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
    return caller.site_admin or (_LEVEL.one(reader, caller.user_id, owner, repo)[0] or 0) >= level


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


def hash_of(secret: str) -> bytes:
    """What is stored of a token, or a lease's: no salt, for 256 random bits need none."""
    return hashlib.sha256(secret.encode()).digest()


def _check_names(owner: str, repo: str | None = None) -> None:
    faults = Faults()
    faults.name("owner", owner)
    if repo is not None:
        faults.name("repo", repo)
    faults.refuse()


def _require_action(token: ValidToken, rule: pb.AccessRule, method: str) -> None:
    if not rule.action or token.may(rule.action):
        return
    # Which of them it needs for what, the verb says.
    if token.actions.isdisjoint(rule.or_actions):
        needed = " or ".join(ACTION_WORD[action] for action in (rule.action, *rule.or_actions))
        raise Denied(
            f"{method} needs the action {needed}; this token is cut to {token.action_words}",
            reason="TOKEN_CUT_TO_ACTIONS",
            metadata={"method": method, "needs": needed, "has": token.action_words},
        )


def _require_runner(token: ValidToken, method: str) -> None:
    # Whoever takes stages gets their parameters, so a token for it says so, and where.
    if pb.TOKEN_ACTION_RUN not in token.actions or not (token.repositories or token.environments):
        raise Denied(
            f"{method} needs a runner's token, one cut to the action run and to repositories or"
            " environments: make one with `shiplift token create --action run --repository OWNER/REPO`",
            reason="NO_RUNNER_TOKEN",
            metadata={"method": method},
        )


def _require_site(token: ValidToken, method: str) -> None:
    if not token.admin:
        raise _denied(f"{method} needs a site admin; {token.login} is none", method, "site_admin", "user")
    if token.repositories:
        raise _cut_to_repositories(f"{method} needs a site admin, and this token", method, token)


def _require_owner(reader: Reader, token: ValidToken, method: str, owner: str) -> None:
    if not is_within(token.repositories, owner, "*"):
        needs = f"{method} for all of {owner} needs a token that reaches {owner}/*; this one"
        raise _cut_to_repositories(needs, method, token)
    if token.admin:
        return
    level = _granted(reader, token, owner, "*")
    if level == pb.ACCESS_LEVEL_ADMIN:
        return
    raise _denied(
        f"{method} for all of {owner} needs admin on {owner}/*; {token.login} has not got it:"
        " a site admin can grant it",
        method,
        "admin",
        LEVEL_WORD[cast(pb.AccessLevel, level or pb.ACCESS_LEVEL_USER)],
    )


def _too_little(
    reader: Reader, method: str, rule: pb.AccessRule, token: ValidToken, slug: str, level: pb.AccessLevel
) -> Denied:
    needs, has = LEVEL_WORD[rule.level], LEVEL_WORD[level]
    told = f"{method} needs {needs} on {slug}"
    if token.repositories and not is_within(token.repositories, *slug.split("/")):
        return _cut_to_repositories(f"{told}; this token", method, token)
    return _denied(
        f"{told}; {token.login} has {has}: an admin of the repository can grant it", method, needs, has
    )


def _denied(told: str, method: str, needs: str, has: str) -> Denied:
    return Denied(told, metadata={"method": method, "needs": needs, "has": has})


def _cut_to_repositories(told: str, method: str, token: ValidToken) -> Denied:
    has = ", ".join(token.repositories)
    return Denied(
        f"{told} is cut to {has}",
        reason="TOKEN_CUT_TO_REPOSITORIES",
        metadata={"method": method, "has": has},
    )


def _token_needed(method: str) -> Unauthenticated:
    return Unauthenticated(
        f"{method} needs a token here: send it as the metadata `authorization: Bearer TOKEN`",
        reason="NO_TOKEN",
        metadata={"method": method},
    )
