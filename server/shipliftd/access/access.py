"""Repositories, tokens and grants: the verbs."""

import json
import secrets
from collections.abc import Collection, Iterable, Mapping
from itertools import islice

from google.protobuf.duration_pb2 import Duration
from shiplift.v1 import access_pb2 as pb

from shipliftd import pages
from shipliftd.access import cuts, users
from shipliftd.access.guard import Caller, hash_of, level_of, visible
from shipliftd.access.write_once import Written, admitted, write
from shipliftd.clock import now
from shipliftd.enum_words import ACTION_WORD, VISIBILITY_WORD
from shipliftd.errors import AlreadyExists, Denied, NotFound
from shipliftd.fields import Faults, in_seconds, is_name, milliseconds
from shipliftd.store.models import Grant, Repository, Token, User
from shipliftd.store.rows import MadeToken, NamedGrant

TOKEN_PREFIX = "shl_"  # noqa: S105  # what secret scanners look for, no secret
_MOST_MINUTES = 7 * 24 * 60
_MOST_CUTS = 100
_MOST_CHARACTERS = {
    "link": 2000,
    "default_branch": 255,
    "config_path": 1000,
}


def repository(_caller: Caller, repo_id: int) -> Repository:
    """A repository that is known to be there."""
    found: Repository = Repository.get_by_id(repo_id)
    return found


# What can be said of a repository, and what it is where nothing, or an empty value, is said.
_SETTINGS: Mapping[str, str | int] = {
    "git_http_url": "",
    "git_ssh_url": "",
    "link": "",
    "default_branch": "main",
    "visibility": "private",
    "config_path": ".drone.yml",
    "timeout": 60,
}
_LATER_SETTINGS = ("active", "runner_secrets")


@write(load=repository, look=admitted)
def create_repository(caller: Caller, request: pb.CreateRepositoryRequest) -> Written[Repository]:
    """Registers a repository. Raises Invalid, AlreadyExists."""
    faults = Faults()
    faults.name("repo", request.repo)
    faults.text("scm", request.scm, 32)
    columns = _columns(request, _SETTINGS, faults)
    faults.refuse()
    if Repository.get_or_none(owner=request.owner, name=request.repo) is not None:
        raise AlreadyExists(
            f"repository {request.owner}/{request.repo} exists already",
            metadata={"owner": request.owner, "repo": request.repo},
        )
    at = now()
    return Written(
        Repository.create(
            user=caller.user_id,
            owner=request.owner,
            name=request.repo,
            scm=request.scm or "git",
            created=at,
            updated=at,
            **columns,
        )
    )


@write(load=repository, look=cuts.require_every_environment)
def update_repository(caller: Caller, request: pb.UpdateRepositoryRequest) -> Written[Repository]:
    """Changes the settings that the mask names. Raises Invalid."""
    faults = Faults()
    named = faults.mask("update_mask", request.update_mask, {*_SETTINGS, *_LATER_SETTINGS})
    columns = _columns(request.repository, named, faults, "repository.")
    faults.refuse()
    found = repository(caller, caller.repo_id)
    if any(getattr(found, column) != value for column, value in columns.items()):
        Repository.update(**columns, updated=now(), version=Repository.version + 1).where(
            Repository.id == caller.repo_id
        ).execute()
    return Written(repository(caller, caller.repo_id))


def _columns(
    said: pb.CreateRepositoryRequest | pb.Repository, names: Collection[str], faults: Faults, at: str = ""
) -> dict[str, object]:
    """The columns of these settings, with their defaults; `at` stands before their names in faults."""
    minutes = _SETTINGS["timeout"]
    if "git_http_url" in names:
        faults.http_url(f"{at}git_http_url", said.git_http_url)
    if "git_ssh_url" in names:
        faults.ssh_url(f"{at}git_ssh_url", said.git_ssh_url)
    for name, most in _MOST_CHARACTERS.items():
        if name in names:
            faults.text(at + name, getattr(said, name), most)
    if "timeout" in names and said.HasField("timeout"):
        minutes = _minutes(f"{at}timeout", said.timeout, faults)
    if "visibility" in names and said.visibility:
        faults.word(f"{at}visibility", said.visibility, VISIBILITY_WORD, pb.Visibility.keys()[1:])
    columns = {name: getattr(said, name) or _SETTINGS.get(name, False) for name in names}
    if "timeout" in names:
        columns["timeout"] = minutes
    if "visibility" in names:
        columns["visibility"] = VISIBILITY_WORD.get(said.visibility, _SETTINGS["visibility"])
    return columns


def _minutes(field: str, length: Duration, faults: Faults) -> int:
    """How many minutes a build may take."""
    minutes, rest = divmod(length.seconds, 60)
    if rest or length.nanos:
        told = f"is {in_seconds(length)}"
    elif not 1 <= minutes <= _MOST_MINUTES:
        told = f"is {minutes} minutes"
    else:
        return minutes
    faults.add(field, f"{told}: wanted whole minutes, 1 to {_MOST_MINUTES} (7 days)")
    return 0


def list_repositories(caller: Caller, request: pb.ListRepositoriesRequest) -> list[Repository]:
    """The repositories that the caller may read: a page and one more, by owner and name."""
    most = pages.size(request.page_size)
    if request.owner:
        faults = Faults()
        faults.name("owner", request.owner)
        faults.refuse()
    query = Repository.select().where(visible(caller))
    if request.owner:
        query = query.where(Repository.owner == request.owner)
    key = pages.after(request, request.page_token)
    if key is not None:
        owner, name = key
        query = query.where(
            (Repository.owner > owner) | ((Repository.owner == owner) & (Repository.name > name))
        )
    return list(query.order_by(Repository.owner, Repository.name).limit(most + 1))


def levels(caller: Caller, repositories: Iterable[Repository]) -> dict[int, int]:
    """What the caller may do in each of these repositories, by their ids, in one query."""
    granted: dict[tuple[str, str], int] = {}
    if caller.cut is not None:
        rows = Grant.select(Grant.owner, Grant.repo, Grant.level).where(Grant.user == caller.user_id)
        granted = {(row.owner, row.repo): row.level for row in rows}

    def level(repo: Repository) -> int:
        return level_of(
            caller.cut,
            repo.owner,
            repo.name,
            repo.visibility,
            lambda: max(granted.get((repo.owner, repo.name), 0), granted.get((repo.owner, "*"), 0)),
        )

    return {repo.id: level(repo) for repo in repositories}


def token(_caller: Caller, token_id: int) -> MadeToken:
    """A token that is known to be there."""
    found = Token.get_by_id(token_id)
    return MadeToken(found, User.get_by_id(found.user_id).login)


def _may_make(caller: Caller, request: pb.CreateTokenRequest) -> None:
    users.require_own(caller, request.login)
    # Longer ones the verb refuses.
    cuts.require_making(
        caller,
        request.actions[:_MOST_CUTS],
        request.repositories[:_MOST_CUTS],
        request.environments[:_MOST_CUTS],
        milliseconds(request.expires),
    )


@write(load=token, look=_may_make)
def create_token(caller: Caller, request: pb.CreateTokenRequest) -> Written[MadeToken]:
    """Makes a token. Raises Invalid, NotFound, Denied (for another user, or beyond one's own cuts)."""
    expires = _check_token(request)
    owner = users.whose(caller, request.login)
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    made = Token.create(
        user=owner.id,
        name=request.name,
        hint=secret[: len(TOKEN_PREFIX) + 4],
        hash=hash_of(secret),
        actions=json.dumps(sorted(set(request.actions))),
        repositories=json.dumps(list(dict.fromkeys(request.repositories))),
        environments=json.dumps(list(dict.fromkeys(request.environments))),
        created=now(),
        expires=expires,
    )
    return Written(MadeToken(made, owner.login, secret))


def _check_token(request: pb.CreateTokenRequest) -> int:
    faults = Faults()
    faults.text("name", request.name, 100)
    for action in set(faults.few("actions", request.actions, _MOST_CUTS)):
        faults.word("actions", action, ACTION_WORD, pb.TokenAction.keys()[1:])
    for slug in faults.few("repositories", request.repositories, _MOST_CUTS):
        owner, slash, repo = slug.partition("/")
        if not (slash and is_name(owner) and (repo == "*" or is_name(repo))):
            faults.add("repositories", f"{slug[:60]!r}: wanted owner/repo or owner/*")
    for environment in faults.few("environments", request.environments, _MOST_CUTS):
        faults.target("environments", environment)
    expires, at = faults.time("expires", request.expires), now()
    if request.HasField("expires") and expires <= at and 0 <= request.expires.seconds <= at // 1000:
        faults.add("expires", "is in the past: a token must work for a while")
    faults.refuse()
    return expires


def list_tokens(caller: Caller, request: pb.ListTokensRequest) -> list[MadeToken]:
    """A user's tokens: a page and one more, newest first. Raises Invalid, Denied, NotFound."""
    most = pages.size(request.page_size)
    users.require_own(caller, request.login)
    owner = users.whose(caller, request.login)
    query = Token.select().where(Token.user == owner.id)
    key = pages.after(request, request.page_token)
    if key is not None:
        query = query.where(Token.id < key[0])
    # A user has few, so those that the caller is not shown are left out one by one.
    seen = (row for row in query.order_by(Token.id.desc()).iterator() if not _beyond(caller, row))
    return [MadeToken(row, owner.login) for row in islice(seen, most + 1)]


def _beyond(caller: Caller, row: Token) -> list[str]:
    """The cuts of the caller's token that this one reaches past."""
    texts = (row.actions, row.repositories, row.environments)
    return cuts.beyond(caller.cut, *map(json.loads, texts))


def _may_revoke(caller: Caller, request: pb.RevokeTokenRequest) -> None:
    found = Token.get_or_none(Token.id == request.id)
    if found is None or (found.user_id != caller.user_id and not users.is_for_others(caller)):
        raise NotFound(
            f"token {request.id} not found among yours: ListTokens shows them",
            metadata={"token_id": request.id},
        )
    beyond = _beyond(caller, found)
    if beyond:
        raise Denied(
            f"token {request.id} reaches past this one's cuts, so this one cannot revoke it: "
            + "; ".join(beyond),
            reason="BEYOND_OWN_TOKEN",
            metadata={"method": caller.method, "token_id": request.id, "has": "; ".join(beyond)},
        )


@write(load=token, look=_may_revoke)
def revoke_token(caller: Caller, request: pb.RevokeTokenRequest) -> Written[MadeToken]:
    """Makes a token work no more. Raises NotFound, also for another user's."""
    found = Token.get_by_id(request.id)
    if not found.revoked:
        found.revoked = now()
        found.save(only=[Token.revoked])
    return Written(token(caller, found.id))


def touch_tokens(used: Iterable[int]) -> None:
    """Notes that these tokens were used until now."""
    Token.update(last_used=now()).where(Token.id.in_(list(used))).execute()


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
