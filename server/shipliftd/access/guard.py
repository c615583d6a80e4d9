"""Whether a caller may call an rpc where its request points: the decision, and what a refusal says."""

from typing import Protocol, cast

from google.protobuf.message import Message
from shiplift.v1 import access_pb2 as pb

from shipliftd.access.callers import Caller, ValidToken, hash_of, token_of
from shipliftd.access.reach import granted_level, is_within, level_of
from shipliftd.clock import now
from shipliftd.enum_words import ACTION_WORD, LEVEL_WORD
from shipliftd.errors import Denied, NotFound, Unauthenticated
from shipliftd.fields import Faults
from shipliftd.store import Store
from shipliftd.store.compiled import Compiled, arg
from shipliftd.store.models import Repository
from shipliftd.store.transaction import Reader

_REPOSITORY = Compiled(
    Repository.select(Repository.id, Repository.visibility).where(
        Repository.owner == arg(0), Repository.name == arg(1)
    )
)

_MOST_REMEMBERED = 10_000


class Named(Protocol):
    """A request that names a repository, as those of the scopes that look at one all do."""

    owner: str
    repo: str


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
        or (
            scope == pb.ACCESS_SCOPE_REPOSITORY_OR_SITE
            and (named.owner or named.repo)
            and named.repo != "*"
        )
    ):
        return _admit_to_repository(reader, method, rule, named, token)
    if token is None:
        if rule.level == pb.ACCESS_LEVEL_ANYONE:
            return Caller(method)
        raise _token_needed(method)
    if rule.level == pb.ACCESS_LEVEL_RUNNER:
        _require_runner(token, method)
    of_owner = scope in _OWNER_SCOPES or (scope == pb.ACCESS_SCOPE_REPOSITORY_OR_SITE and named.repo == "*")
    owner = named.owner if of_owner else ""
    if of_owner:
        _check_names(owner)
    caller = Caller(
        method,
        token.user_id,
        token.token_id,
        token.login,
        token.admin,
        level=pb.ACCESS_LEVEL_ADMIN if token.admin else rule.level if owner else pb.ACCESS_LEVEL_USER,
        owner=owner,
        cut=token,
        reads=token.may(pb.TOKEN_ACTION_READ),
    )
    _require_action(token, rule, method)
    if of_owner:
        _require_owner(reader, token, method, rule.level, owner)
    elif rule.level == pb.ACCESS_LEVEL_SITE_ADMIN or scope == pb.ACCESS_SCOPE_REPOSITORY_OR_SITE:
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
        user_id = token.user_id if token is not None else 0
        level = level_of(
            token, owner, repo, visibility, lambda: granted_level(reader, user_id, owner, repo)
        )
    if token is None:
        if _is_reading(rule) and level == pb.ACCESS_LEVEL_READ:
            return Caller(method, level=level, owner=owner, repo=repo, repo_id=repo_id)
        raise _token_needed(method)
    if level < pb.ACCESS_LEVEL_READ:
        raise NotFound(
            f"repository {owner}/{repo} not found: it does not exist, or you may not read it",
            reason="REPOSITORY_NOT_FOUND",
            metadata={"owner": owner, "repo": repo},
        )
    # What anybody may do, a token does not take away.
    if not _is_reading(rule) or visibility != "public":
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


def _is_reading(rule: pb.AccessRule) -> bool:
    """Whether anybody may call it where anybody may read: to approve, too, a level of read will do."""
    return rule.level == pb.ACCESS_LEVEL_READ and rule.action == pb.TOKEN_ACTION_READ


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
        admitted = self._admitted
        caller = await self.admit_anew(method, rule, request, authorization)
        # Into what there was before the look: access may have been taken away meanwhile.
        admitted[key] = caller
        if len(admitted) >= _MOST_REMEMBERED:
            admitted.clear()
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
        self._admitted = {}


def _admit_anew(
    reader: Reader, method: str, rule: pb.AccessRule, request: Message, authorization: str | None
) -> Caller:
    return admit(reader, method, rule, request, token_of(reader, authorization))


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


def _require_owner(
    reader: Reader, token: ValidToken, method: str, needed: pb.AccessLevel, owner: str
) -> None:
    if not is_within(token.repositories, owner, "*"):
        needs = f"{method} for all of {owner} needs a token that reaches {owner}/*; this one"
        raise _cut_to_repositories(needs, method, token)
    if token.admin:
        return
    level = granted_level(reader, token.user_id, owner, "*")
    if level >= needed:
        return
    needs = LEVEL_WORD[needed]
    raise _denied(
        f"{method} for all of {owner} needs {needs} on {owner}/*; {token.login} has not got it: a site"
        " admin can grant it",
        method,
        needs,
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
