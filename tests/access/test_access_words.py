"""What a caller is told who may not: what is missing, and nothing of what is hidden."""

import grpc
import pytest
from shiplift.v1 import access_pb2 as pb
from shiplift.v1 import builds_pb2

from tests.support.callers import OWNER, World
from tests.support.refusals import Refusal, refusal
from tests.support.rpcs import RPCS, caller, rule

ON_A_REPOSITORY = [
    name
    for name, rpc in RPCS.items()
    if rule(rpc).scope
    in (
        pb.ACCESS_SCOPE_REPOSITORY,
        pb.ACCESS_SCOPE_REPOSITORY_OR_OWNER,
        pb.ACCESS_SCOPE_REPOSITORY_OR_VISIBLE,
        pb.ACCESS_SCOPE_REPOSITORY_OR_SITE,
    )
]


def needed(rpc: str) -> str:
    """The action that a token must have."""
    return pb.TokenAction.Name(rule(RPCS[rpc.partition(" ")[0]]).action).removeprefix("TOKEN_ACTION_")


@pytest.mark.parametrize(
    ("who", "hidden"),
    [
        ("anonymous", "private"),
        ("anonymous", "internal"),
        ("no grant", "private"),
        ("admin, cut to another repository", "private"),
        ("admin, cut to another repository", "internal"),
        ("site admin, cut to another one", "private"),
    ],
)
@pytest.mark.parametrize("rpc", ON_A_REPOSITORY)
def test_a_hidden_repository_is_spoken_of_like_one_that_is_not_there(
    world: World, rpc: str, who: str, hidden: str
) -> None:
    channel, token_id = world.channel(who, needed(rpc))
    call = caller(channel, RPCS[rpc])

    def told(repo: str) -> Refusal:
        refused = refusal(call, world.request(rpc, who, repo, token_id))
        return refused._replace(message=refused.message.replace(repo, "REPO"))

    assert told(hidden) == told("missing")
    words = {
        grpc.StatusCode.NOT_FOUND: (
            f"repository {OWNER}/REPO not found: it does not exist, or you may not read it",
            "REPOSITORY_NOT_FOUND",
        ),
        grpc.StatusCode.UNAUTHENTICATED: (
            f"{rpc} needs a token here: send it as the metadata `authorization: Bearer TOKEN`",
            "NO_TOKEN",
        ),
    }
    assert told(hidden)[1:3] == words[told(hidden).code]


def test_a_hidden_repository_is_hidden_before_a_request_is_looked_at(world: World) -> None:
    channel, _ = world.channel("no grant", "PROMOTE")
    call = caller(channel, RPCS["PromoteBuild"])
    bad = {"build": -1, "target": "a b", "params": {"PATH": ""}, "request_id": "ä"}
    for repo in ("private", "missing"):
        request = builds_pb2.PromoteRequest(owner=OWNER, repo=repo, **bad)  # type: ignore[arg-type]
        assert refusal(call, request).code == grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        ("", "MALFORMED_TOKEN"),
        ("Bearer", "MALFORMED_TOKEN"),
        ("Bearer ", "MALFORMED_TOKEN"),
        ("Basic YWRtaW46YWRtaW4=", "MALFORMED_TOKEN"),
        ("{token}", "MALFORMED_TOKEN"),
        ("Bearer x", "UNKNOWN_TOKEN"),
        ("Bearer {token}x", "UNKNOWN_TOKEN"),
        ("Bearer {token} x", "UNKNOWN_TOKEN"),
        ("Bearer " + "x" * 4000, "UNKNOWN_TOKEN"),
        ("Bearer ' OR 1=1 --", "UNKNOWN_TOKEN"),
    ],
)
def test_what_is_no_token_is_unauthenticated_even_where_none_is_needed(
    world: World, authorization: str, reason: str
) -> None:
    metadata = (("authorization", authorization.format(token=world.server.admin_token)),)
    access = world.server.access("")
    told = refusal(access.ListRepositories, pb.ListRepositoriesRequest(), metadata=metadata)
    assert (told.code, told.reason) == (grpc.StatusCode.UNAUTHENTICATED, reason)
    assert world.server.admin_token not in told.message


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_is_taken_in_any_case(world: World, scheme: str) -> None:
    metadata = (("authorization", f"{scheme} {world.server.admin_token}"),)
    assert world.server.access("").WhoAmI(pb.WhoAmIRequest(), metadata=metadata).user.login == "admin"


@pytest.mark.parametrize(
    ("who", "rpc", "message", "reason"),
    [
        (
            "read",
            "PromoteBuild",
            "PromoteBuild needs write on matrix/private; reader has read: an admin of the repository can"
            " grant it",
            "PERMISSION_DENIED",
        ),
        (
            "write",
            "ListAccess",
            "ListAccess needs admin on matrix/private; writer has write: an admin of the repository can"
            " grant it",
            "PERMISSION_DENIED",
        ),
        (
            "admin",
            "CreateRepository",
            "CreateRepository for all of matrix needs admin on matrix/*; boss has not got it: a site"
            " admin can grant it",
            "PERMISSION_DENIED",
        ),
        (
            "read of owner/*",
            "HoldEnvironment owner/*",
            "HoldEnvironment for all of matrix needs write on matrix/*; owner-reader has not got it: a site"
            " admin can grant it",
            "PERMISSION_DENIED",
        ),
        (
            "write",
            "ApproveBuild",
            "promotions to guarded are approved by admins of matrix/private, and writer is none",
            "NOT_AN_APPROVER",
        ),
        (
            "admin of owner/*",
            "CreateUser",
            "CreateUser needs a site admin; owner-boss is none",
            "PERMISSION_DENIED",
        ),
        (
            "admin, cut to other actions",
            "PromoteBuild",
            "PromoteBuild needs the action promote; this token is cut to admin, approve, read, record,"
            " rollback, run",
            "TOKEN_CUT_TO_ACTIONS",
        ),
        (
            "admin, cut to another repository",
            "CreateRepository",
            "CreateRepository for all of matrix needs a token that reaches matrix/*; this one is cut to"
            " elsewhere/other, matrix/other",
            "TOKEN_CUT_TO_REPOSITORIES",
        ),
        (
            "site admin, cut to another one",
            "CreateUser",
            "CreateUser needs a site admin, and this token is cut to elsewhere/*, matrix/other",
            "TOKEN_CUT_TO_REPOSITORIES",
        ),
    ],
)
def test_a_refusal_names_what_is_missing(
    world: World, who: str, rpc: str, message: str, reason: str
) -> None:
    channel, token_id = world.channel(who, needed(rpc))
    call = caller(channel, RPCS[rpc.partition(" ")[0]])
    told = refusal(call, world.request(rpc, who, "private", token_id))
    assert told == Refusal(grpc.StatusCode.PERMISSION_DENIED, message, reason)


def test_a_public_repository_says_that_a_cut_token_may_not_write_there(world: World) -> None:
    who = "admin, cut to another repository"
    channel, token_id = world.channel(who, "PROMOTE")
    told = refusal(
        caller(channel, RPCS["PromoteBuild"]), world.request("PromoteBuild", who, "public", token_id)
    )
    assert told == Refusal(
        grpc.StatusCode.PERMISSION_DENIED,
        "PromoteBuild needs write on matrix/public; this token is cut to elsewhere/other, matrix/other",
        "TOKEN_CUT_TO_REPOSITORIES",
    )
