"""Tokens: the verbs."""

import json
import secrets
from collections.abc import Iterable
from itertools import islice

from shiplift.v1 import access_pb2 as pb

from shipliftd.access import cuts, users
from shipliftd.access.callers import Caller, hash_of
from shipliftd.access.write_once import Written, write
from shipliftd.clock import now
from shipliftd.enum_words import ACTION_WORD
from shipliftd.errors import Denied, NotFound
from shipliftd.fields import Faults, is_name, milliseconds
from shipliftd.store import pages
from shipliftd.store.compiled import Compiled, arg
from shipliftd.store.models import Token, User
from shipliftd.store.rows import MadeToken
from shipliftd.store.transaction import Reader, Transaction

TOKEN_PREFIX = "shl_"  # noqa: S105  # what secret scanners look for, no secret
_MOST_CUTS = 100
_TOUCH = Compiled(Token.update({Token.last_used: arg(0)}).where(Token.id == arg(1)))


def token(reader: Reader, _caller: Caller, token_id: int) -> MadeToken:
    """A token that is known to be there."""
    found = reader.by_id(Token, token_id)
    return MadeToken(found, reader.by_id(User, found.user_id).login)


def _may_make(_tx: Transaction, caller: Caller, request: pb.CreateTokenRequest) -> None:
    users.require_own(caller, request.login)
    # Longer ones the verb refuses.
    cuts.require_making(
        caller,
        request.actions[:_MOST_CUTS],
        request.repositories[:_MOST_CUTS],
        request.environments[:_MOST_CUTS],
        milliseconds(request.expires),
    )


@write(load=token, look=_may_make, tells="tokens")
def create_token(tx: Transaction, caller: Caller, request: pb.CreateTokenRequest) -> Written[MadeToken]:
    """Makes a token. Raises Invalid, NotFound, Denied (for another user, or beyond one's own cuts)."""
    expires = _check_token(request)
    owner = users.whose(tx, caller, request.login)
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    made = tx.execute(
        Token.insert(
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
    )
    return Written(MadeToken(tx.by_id(Token, made), owner.login, secret))


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


def list_tokens(reader: Reader, caller: Caller, request: pb.ListTokensRequest) -> list[MadeToken]:
    """A user's tokens: a page and one more, newest first. Raises Invalid, Denied, NotFound."""
    most = pages.size(request.page_size)
    users.require_own(caller, request.login)
    owner = users.whose(reader, caller, request.login)
    query = Token.select().where(Token.user == owner.id)
    key = pages.after(reader, request, request.page_token)
    if key is not None:
        query = query.where(Token.id < key[0])
    # A user has few, so those that the caller is not shown are left out one by one.
    seen = (row for row in reader.all(query.order_by(Token.id.desc())) if not _beyond(caller, row))
    return [MadeToken(row, owner.login) for row in islice(seen, most + 1)]


def _beyond(caller: Caller, row: Token) -> list[str]:
    """The cuts of the caller's token that this one reaches past."""
    texts = (row.actions, row.repositories, row.environments)
    return cuts.beyond(caller.cut, *map(json.loads, texts))


def _may_revoke(tx: Transaction, caller: Caller, request: pb.RevokeTokenRequest) -> None:
    found = tx.get(Token, Token.id == request.id)
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


@write(load=token, look=_may_revoke, tells="tokens")
def revoke_token(tx: Transaction, caller: Caller, request: pb.RevokeTokenRequest) -> Written[MadeToken]:
    """Makes a token work no more. Raises NotFound, also for another user's."""
    tx.execute(Token.update(revoked=now()).where(Token.id == request.id, Token.revoked == 0))
    return Written(token(tx, caller, request.id))


def touch_tokens(tx: Transaction, used: Iterable[int]) -> None:
    """Notes that these tokens were used until now."""
    # By id, or replicas that note the same ones could wait for each other.
    _TOUCH.run_each(tx, [(now(), token_id) for token_id in sorted(used)])
