"""Tokens: made, listed and revoked."""

import re
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from shiplift.v1 import access_pb2 as pb

from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS
from tests.support.refusals import Refusal, invalid, refusal
from tests.support.repository import replayed
from tests.support.tokens import future, listed, make

ACTIONS = (
    "TOKEN_ACTION_READ, TOKEN_ACTION_RECORD, TOKEN_ACTION_PROMOTE, TOKEN_ACTION_APPROVE,"
    " TOKEN_ACTION_RUN, TOKEN_ACTION_ADMIN, TOKEN_ACTION_ROLLBACK"
)


def without_secret(token: pb.Token, **changes: object) -> pb.Token:
    shown = pb.Token()
    shown.CopyFrom(token)
    shown.ClearField("secret")
    shown.MergeFrom(pb.Token(**changes))  # type: ignore[arg-type]
    return shown


def test_a_token_comes_back_whole(server: Shipliftd, name: str) -> None:
    mine = server.user(name)
    told = {
        "name": "for the ci, ä",
        "actions": [pb.TOKEN_ACTION_READ, pb.TOKEN_ACTION_ADMIN],
        "repositories": ["octocat/app", "hooli/*"],
        "environments": ["staging", "eu/prod"],
        "expires": future(days=1),
    }
    made = make(server, mine, **told)
    assert re.fullmatch(r"shl_[A-Za-z0-9_-]{43}", made.secret)
    assert (
        made
        == pb.Token(
            **told,  # type: ignore[arg-type]
            id=made.id,
            login=name,
            hint=made.secret[:8],
            created=made.created,
            secret=made.secret,
        )
    )
    now = datetime.now(UTC)
    assert now - timedelta(seconds=SECONDS) < made.created.ToDatetime(UTC) <= now
    who = server.access(made.secret).WhoAmI(pb.WhoAmIRequest())
    assert (who.user.login, who.token) == (name, without_secret(made))
    assert listed(server, made.secret)[0] == without_secret(made)


def test_a_token_without_words_may_do_what_its_user_may(server: Shipliftd, name: str) -> None:
    made = make(server, server.user(name))
    assert made == pb.Token(
        id=made.id, login=name, hint=made.secret[:8], created=made.created, secret=made.secret
    )


def test_cuts_that_are_told_twice_stand_once(server: Shipliftd, name: str) -> None:
    made = make(
        server,
        server.user(name),
        actions=[pb.TOKEN_ACTION_ADMIN, pb.TOKEN_ACTION_READ, pb.TOKEN_ACTION_ADMIN],
        repositories=["b/b", "a/a", "b/b"],
        environments=["b", "a", "b"],
    )
    assert (list(made.actions), list(made.repositories), list(made.environments)) == (
        [pb.TOKEN_ACTION_READ, pb.TOKEN_ACTION_ADMIN],
        ["b/b", "a/a"],
        ["b", "a"],
    )


def test_no_two_secrets_are_alike(server: Shipliftd, name: str) -> None:
    mine = server.user(name)
    assert len({make(server, mine).secret for _ in range(20)}) == 20


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"name": "n" * 101}, ("name", "has 101 characters: at most 100 are taken")),
        ({"name": "\0"}, ("name", "has a NUL character: leave it out")),
        ({"actions": [0]}, ("actions", f"0 is not allowed here: wanted one of {ACTIONS}")),
        ({"actions": [8]}, ("actions", f"8 is not allowed here: wanted one of {ACTIONS}")),
        *(
            ({"repositories": [slug]}, ("repositories", f"{slug!r}: wanted owner/repo or owner/*"))
            for slug in (
                "app",
                "",
                "/",
                "a/",
                "/a",
                "a/b/c",
                "*/*",
                "*",
                "*/a",
                "a/..",
                "a/b*",
                " a/b",
                "a/b\n",
            )
        ),
        (
            {"repositories": [f"a/{n}" for n in range(101)]},
            ("repositories", "101 of them: at most 100"),
        ),
        (
            {"environments": ["a b"]},
            (
                "environments",
                "'a b' is not an environment's name: wanted 1 to 100 of letters, digits, '.', '_', '-',"
                " '/'",
            ),
        ),
        ({"environments": [str(n) for n in range(101)]}, ("environments", "101 of them: at most 100")),
        (
            {"expires": Timestamp(seconds=1_500_000_000)},
            ("expires", "is in the past: a token must work for a while"),
        ),
        ({"request_id": "ä"}, ("request_id", "'ä': wanted 1 to 128 printable ASCII characters")),
    ],
    ids=lambda value: f"{value}"[:40] if isinstance(value, dict) else "",
)
def test_a_fault_of_a_token_is_told_with_its_field(
    server: Shipliftd, fields: dict[str, object], fault: tuple[str, str]
) -> None:
    assert refusal(make, server, None, **fields) == invalid(fault)


@pytest.mark.parametrize("seconds", [-1, 253_402_300_800, 2**63 - 1, -(2**63)])
def test_a_time_that_is_none_is_refused_once(server: Shipliftd, seconds: int) -> None:
    assert refusal(make, server, None, expires=Timestamp(seconds=seconds)) == invalid(
        ("expires", f"{seconds} s is not a time between 1970 and 9999")
    )


def test_the_longest_cuts_are_taken(server: Shipliftd, name: str) -> None:
    made = make(
        server,
        server.user(name),
        name="ä" * 100,
        actions=pb.TokenAction.values()[1:],
        repositories=[f"{'o' * 100}/{str(n).rjust(100, 'r')}" for n in range(100)],
        environments=[str(n).rjust(100, "e") for n in range(100)],
    )
    assert (len(made.name), len(made.actions), len(made.repositories), len(made.environments)) == (
        100,
        7,
        100,
        100,
    )


def test_only_a_site_admin_makes_and_lists_tokens_of_others(server: Shipliftd, name: str) -> None:
    mine = server.user(name)
    for login in ("admin", "nobody-at-all"):
        not_yours = "needs a site admin; " + f"{name} is none"
        assert refusal(make, server, mine, login=login) == Refusal(
            grpc.StatusCode.PERMISSION_DENIED, f"CreateToken for {login!r} {not_yours}", "NOT_YOURS"
        )
        assert refusal(listed, server, mine, login=login) == Refusal(
            grpc.StatusCode.PERMISSION_DENIED, f"ListTokens for {login!r} {not_yours}", "NOT_YOURS"
        )
    assert make(server, mine, login=name).login == make(server, None, login=name).login == name
    assert refusal(make, server, None, login="nobody-at-all") == Refusal(
        grpc.StatusCode.NOT_FOUND, "user nobody-at-all not found: a site admin can create one", "NO_USER"
    )


def test_tokens_are_listed_newest_first(server: Shipliftd, name: str) -> None:
    mine = server.user(name)
    made = [make(server, mine, name=str(n)) for n in range(5)]
    revoked = server.access(mine).RevokeToken(pb.RevokeTokenRequest(id=made[3].id))
    seen = listed(server, mine)
    assert [(token.name, token.login, token.secret) for token in seen] == [
        *((str(n), name, "") for n in (4, 3, 2, 1, 0)),
        ("", name, ""),
    ]
    assert seen[1] == revoked
    assert listed(server, None, login=name) == seen

    first = server.access(mine).ListTokens(pb.ListTokensRequest(page_size=4))
    assert list(first.tokens) == seen[:4]
    make(server, mine)
    request = pb.ListTokensRequest(page_size=4, page_token=first.next_page_token)
    assert server.access(mine).ListTokens(request) == pb.ListTokensResponse(tokens=seen[4:])


def test_a_revoked_token_stops_working_and_revoking_it_again_changes_nothing(
    server: Shipliftd, name: str
) -> None:
    mine = server.user(name)
    made = make(server, mine)
    holder = server.access(made.secret)
    assert holder.WhoAmI(pb.WhoAmIRequest()).user.login == name
    request = pb.RevokeTokenRequest(id=made.id)
    revoked = server.access(mine).RevokeToken(request)
    assert revoked == without_secret(made, revoked=revoked.revoked)
    assert revoked.revoked.ToMilliseconds() >= made.created.ToMilliseconds()
    assert refusal(holder.WhoAmI, pb.WhoAmIRequest()) == Refusal(
        grpc.StatusCode.UNAUTHENTICATED,
        f"token {made.id} of {name} was revoked: make another",
        "REVOKED_TOKEN",
    )
    assert server.access(mine).RevokeToken(request) == revoked


def test_a_token_may_revoke_itself(server: Shipliftd, name: str) -> None:
    made = make(server, server.user(name))
    holder = server.access(made.secret)
    assert holder.RevokeToken(pb.RevokeTokenRequest(id=made.id)).id == made.id
    assert refusal(holder.WhoAmI, pb.WhoAmIRequest()).reason == "REVOKED_TOKEN"


def test_anothers_token_is_spoken_of_like_one_that_is_not_there(server: Shipliftd, name: str) -> None:
    mine, theirs = server.user(name), make(server, server.user(f"other-{name}"))
    for token_id in (theirs.id, 10**9, 0, -1, 2**63 - 1):
        assert refusal(server.access(mine).RevokeToken, pb.RevokeTokenRequest(id=token_id)) == Refusal(
            grpc.StatusCode.NOT_FOUND,
            f"token {token_id} not found among yours: ListTokens shows them",
            "NOT_FOUND",
        )
    assert server.access(theirs.secret).WhoAmI(pb.WhoAmIRequest()).token.id == theirs.id
    assert server.access().RevokeToken(pb.RevokeTokenRequest(id=theirs.id)).HasField("revoked")


def test_a_repeated_token_has_no_secret(server: Shipliftd, name: str) -> None:
    access = server.access(server.user(name))
    request = pb.CreateTokenRequest(name="ci", request_id=name)
    made, call = access.CreateToken.with_call(request)
    assert (bool(made.secret), replayed(call)) == (True, False)
    again, call = access.CreateToken.with_call(request)
    assert (again, replayed(call)) == (without_secret(made), True)
    request.actions.append(pb.TOKEN_ACTION_READ)
    assert refusal(access.CreateToken, request).reason == "REQUEST_ID_TAKEN"
