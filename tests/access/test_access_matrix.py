"""Who may do what: every rpc x every kind of caller x every visibility.

The tables are written from the design, and a new rpc, level or visibility without an entry fails.
"""

import grpc
import pytest
from shiplift.v1 import access_pb2 as pb

from tests.support.callers import ADMITTED, OWNER, VISIBILITIES, WHO, World
from tests.support.refusals import code_of
from tests.support.rpcs import RPCS, caller, rule

# What each rpc is for: the column that it has in the table below, and the action that a cut token must
# have. Where a request can name one repository or all of the owner's, both stand here.
NEEDS = {
    "GetBuild": ("read", "READ"),
    "ListBuilds": ("read", "READ"),
    "GetRepository": ("read", "READ"),
    "PromoteBuild": ("write", "PROMOTE"),
    "CreateBuild": ("write", "RECORD"),
    "UpdateBuild": ("write", "RECORD"),
    "GrantAccess": ("admin", "ADMIN"),
    "RevokeAccess": ("admin", "ADMIN"),
    "ListAccess": ("admin", "ADMIN"),
    "GrantAccess owner/*": ("owner", "ADMIN"),
    "RevokeAccess owner/*": ("owner", "ADMIN"),
    "ListAccess owner/*": ("owner", "ADMIN"),
    "CreateRepository": ("owner", "ADMIN"),
    "UpdateRepository": ("admin", "ADMIN"),
    "CreateUser": ("site", "ADMIN"),
    "CreateToken": ("self", "ADMIN"),
    "ListTokens": ("self", "ADMIN"),
    "RevokeToken": ("self", "ADMIN"),
    "WhoAmI": ("who", ""),
    "ListUsers": ("site", "ADMIN"),
    "GetUser": ("self", "ADMIN"),
    "UpdateUser": ("site", "ADMIN"),
    "GetDeployment": ("read", "READ"),
    "ListRunners": ("site", "ADMIN"),
    "GetServerInfo": ("any", ""),
    "ListRepositories": ("list", "READ"),
    "RetryBuild": ("write", "PROMOTE"),
    "CancelBuild": ("write", "PROMOTE"),
    "TailLog": ("read", "READ"),
    "WatchBuilds": ("read", "READ"),
    "WaitBuild": ("read", "READ"),
    "ListDeployments": ("self", "READ"),
    "SettleEnvironment": ("write", "PROMOTE"),
    "RollbackBuild": ("write", "ROLLBACK"),
    "ExplainPromotion": ("read", "READ"),
    "ApproveBuild": ("judge", "APPROVE"),
    "DeclineBuild": ("judge", "APPROVE"),
    "CreateEnvironment": ("admin", "ADMIN"),
    "GetEnvironment": ("read", "READ"),
    "ListEnvironments": ("read", "READ"),
    "UpdateEnvironment": ("admin", "ADMIN"),
    "DeleteEnvironment": ("admin", "ADMIN"),
    "HoldEnvironment": ("write", "PROMOTE"),
    "HoldEnvironment owner/*": ("o-wri", "PROMOTE"),
    "ResumeEnvironment": ("write", "PROMOTE"),
    "ResumeEnvironment owner/*": ("o-wri", "PROMOTE"),
    "GetOwnerRules": ("read", "READ"),
    "GetOwnerRules owner/*": ("o-rea", "READ"),
    "UpdateOwnerRules": ("owner", "ADMIN"),
    "AcquireStage": ("run", "RUN"),
    "AcceptStage": ("run", "RUN"),
    "GetLease": ("run", "RUN"),
    "UpdateStage": ("run", "RUN"),
    "UpdateStep": ("run", "RUN"),
    "AppendLog": ("run", "RUN"),
    "WatchStage": ("run", "RUN"),
    "SetSecret": ("admin", "ADMIN"),
    "SetSecret owner/*": ("owner", "ADMIN"),
    "GetSecret": ("write", "READ"),
    "GetSecret owner/*": ("o-wri", "READ"),
    "ListSecrets": ("write", "READ"),
    "ListSecrets owner/*": ("o-wri", "READ"),
    "DeleteSecret": ("admin", "ADMIN"),
    "DeleteSecret owner/*": ("owner", "ADMIN"),
    "DiffPromotion": ("read", "READ"),
    "RehearsePolicy": ("admin", "ADMIN"),
    "ListAuditEvents": ("admin", "ADMIN"),
    "ListAuditEvents owner/*": ("owner", "ADMIN"),
    "ListDeploymentHistory": ("read", "READ"),
    "GetDeliveryFigures": ("read", "READ"),
}

# For each of them the codes on a private, an internal and a public repository:
# O OK, U UNAUTHENTICATED, P PERMISSION_DENIED, N NOT_FOUND.
TABLE = """
                                  read  write admin judge owner o-wri o-rea site  self who  list run  any
anonymous                         UUO   UUU   UUU   UUU   UUU   UUU   UUU   UUU   UUU  UUU  OOO  UUU  OOO
unknown token                     UUU   UUU   UUU   UUU   UUU   UUU   UUU   UUU   UUU  UUU  UUU  UUU  UUU
expired token                     UUU   UUU   UUU   UUU   UUU   UUU   UUU   UUU   UUU  UUU  UUU  UUU  UUU
revoked token                     UUU   UUU   UUU   UUU   UUU   UUU   UUU   UUU   UUU  UUU  UUU  UUU  UUU
no grant                          NOO   NPP   NPP   NPP   PPP   PPP   PPP   PPP   OOO  OOO  OOO  PPP  OOO
read                              OOO   PPP   PPP   PPP   PPP   PPP   PPP   PPP   OOO  OOO  OOO  PPP  OOO
write                             OOO   OOO   PPP   PPP   PPP   PPP   PPP   PPP   OOO  OOO  OOO  PPP  OOO
admin                             OOO   OOO   OOO   OOO   PPP   PPP   PPP   PPP   OOO  OOO  OOO  PPP  OOO
read of owner/*                   OOO   PPP   PPP   PPP   PPP   PPP   OOO   PPP   OOO  OOO  OOO  PPP  OOO
write of owner/*                  OOO   OOO   PPP   PPP   PPP   OOO   OOO   PPP   OOO  OOO  OOO  PPP  OOO
admin of owner/*                  OOO   OOO   OOO   OOO   OOO   OOO   OOO   PPP   OOO  OOO  OOO  PPP  OOO
site admin                        OOO   OOO   OOO   OOO   OOO   OOO   OOO   OOO   OOO  OOO  OOO  PPP  OOO
admin, cut to another repository  NNO   NNP   NNP   NNP   PPP   PPP   PPP   PPP   OOO  OOO  OOO  PPP  OOO
site admin, cut to another one    NNO   NNP   NNP   NNP   PPP   PPP   PPP   PPP   OOO  OOO  OOO  PPP  OOO
admin, cut to other actions       PPO   PPP   PPP   PPP   PPP   PPP   PPP   PPP   PPP  OOO  PPP  PPP  OOO
site admin, cut to other actions  PPO   PPP   PPP   PPP   PPP   PPP   PPP   PPP   PPP  OOO  PPP  PPP  OOO
site admin, cut to the repository OOO   OOO   OOO   OOO   PPP   PPP   PPP   PPP   OOO  OOO  OOO  PPP  OOO
site admin, cut to owner/*        OOO   OOO   OOO   OOO   OOO   OOO   OOO   PPP   OOO  OOO  OOO  PPP  OOO
site admin, cut to the action     OOO   OOO   OOO   OOO   OOO   OOO   OOO   OOO   OOO  OOO  OOO  PPP  OOO
write, cut to both                OOO   OOO   PPP   PPP   PPP   PPP   PPP   PPP   OOO  OOO  OOO  OOO  OOO
"""
CODES = {
    "O": grpc.StatusCode.OK,
    "U": grpc.StatusCode.UNAUTHENTICATED,
    "P": grpc.StatusCode.PERMISSION_DENIED,
    "N": grpc.StatusCode.NOT_FOUND,
}
COLUMNS, *ROWS = TABLE.strip("\n").splitlines()
CALLERS = [row[:34].strip() for row in ROWS]


def expected(who: str, rpc: str, visibility: str) -> grpc.StatusCode:
    """What the table says; KeyError or ValueError where it says nothing."""
    column, _ = NEEDS[rpc]
    codes = ROWS[CALLERS.index(who)][34:].split()[COLUMNS.split().index(column)]
    code = CODES[codes[list(VISIBILITIES).index(visibility)]]
    return ADMITTED.get(rpc, code) if code == grpc.StatusCode.OK else code


def keys() -> list[str]:
    """Every rpc; those that can be about all of an owner's repositories twice."""
    both = [
        f"{name} owner/*"
        for name, rpc in RPCS.items()
        if rule(rpc).scope in (pb.ACCESS_SCOPE_REPOSITORY_OR_OWNER, pb.ACCESS_SCOPE_REPOSITORY_OR_SITE)
    ]
    return [*RPCS, *both]


@pytest.mark.parametrize("visibility", VISIBILITIES)
@pytest.mark.parametrize("who", CALLERS)
@pytest.mark.parametrize("rpc", keys())
def test_a_call_is_let_through_or_refused_as_the_table_says(
    world: World, rpc: str, who: str, visibility: str
) -> None:
    code = expected(who, rpc, visibility)
    channel, token_id = world.channel(who, NEEDS[rpc][1])
    call = caller(channel, RPCS[rpc.partition(" ")[0]])
    request = world.request(rpc, who, visibility, token_id)
    if rpc == "AcquireStage":
        # Or it would wait.
        request.ClearField("machine")
    assert code_of(call, request) == code


def test_the_table_has_nothing_that_is_not_there() -> None:
    assert sorted(NEEDS) == sorted(keys())
    assert {column for column, _ in NEEDS.values()} == set(COLUMNS.split())
    strangers = {"anonymous", "unknown token", "expired token", "revoked token"}
    assert set(CALLERS) == strangers | set(WHO)
    for row in ROWS:
        assert [len(codes) for codes in row[34:].split()] == [len(VISIBILITIES)] * len(COLUMNS.split())


def test_every_level_action_and_visibility_stands_in_the_tables() -> None:
    assert pb.AccessLevel.keys() == [
        "ACCESS_LEVEL_UNSPECIFIED",
        "ACCESS_LEVEL_ANYONE",
        "ACCESS_LEVEL_USER",
        "ACCESS_LEVEL_READ",
        "ACCESS_LEVEL_WRITE",
        "ACCESS_LEVEL_ADMIN",
        "ACCESS_LEVEL_SITE_ADMIN",
        "ACCESS_LEVEL_RUNNER",
    ]
    assert {f"VISIBILITY_{name.upper()}" for name in VISIBILITIES} == set(pb.Visibility.keys()[1:])
    assert pb.TokenAction.keys()[1:] == [
        f"TOKEN_ACTION_{word}"
        for word in ("READ", "RECORD", "PROMOTE", "APPROVE", "RUN", "ADMIN", "ROLLBACK")
    ]


LEVELS = {
    "read": pb.ACCESS_LEVEL_READ,
    "write": pb.ACCESS_LEVEL_WRITE,
    "admin": pb.ACCESS_LEVEL_ADMIN,
    # Whom the environment names judges; where it names nobody, admins do.
    "judge": pb.ACCESS_LEVEL_READ,
    "o-rea": pb.ACCESS_LEVEL_READ,
    "o-wri": pb.ACCESS_LEVEL_WRITE,
    "owner": pb.ACCESS_LEVEL_ADMIN,
    "site": pb.ACCESS_LEVEL_SITE_ADMIN,
    "self": pb.ACCESS_LEVEL_USER,
    "who": pb.ACCESS_LEVEL_USER,
    "list": pb.ACCESS_LEVEL_ANYONE,
    "any": pb.ACCESS_LEVEL_ANYONE,
    "run": pb.ACCESS_LEVEL_RUNNER,
}
SCOPES = {
    "read": {
        pb.ACCESS_SCOPE_REPOSITORY,
        pb.ACCESS_SCOPE_REPOSITORY_OR_VISIBLE,
        pb.ACCESS_SCOPE_REPOSITORY_OR_OWNER,
    },
    "write": {pb.ACCESS_SCOPE_REPOSITORY, pb.ACCESS_SCOPE_REPOSITORY_OR_OWNER},
    "judge": {pb.ACCESS_SCOPE_REPOSITORY},
    "o-rea": {pb.ACCESS_SCOPE_REPOSITORY_OR_OWNER},
    "o-wri": {pb.ACCESS_SCOPE_REPOSITORY_OR_OWNER},
    "admin": {
        pb.ACCESS_SCOPE_REPOSITORY,
        pb.ACCESS_SCOPE_REPOSITORY_OR_OWNER,
        pb.ACCESS_SCOPE_REPOSITORY_OR_SITE,
    },
    "owner": {
        pb.ACCESS_SCOPE_OWNER,
        pb.ACCESS_SCOPE_REPOSITORY_OR_OWNER,
        pb.ACCESS_SCOPE_REPOSITORY_OR_SITE,
    },
    "site": {pb.ACCESS_SCOPE_SITE},
    "self": {pb.ACCESS_SCOPE_SELF, pb.ACCESS_SCOPE_VISIBLE},
    "who": {pb.ACCESS_SCOPE_SELF},
    "list": {pb.ACCESS_SCOPE_VISIBLE},
    "any": {pb.ACCESS_SCOPE_SITE},
    "run": {pb.ACCESS_SCOPE_VISIBLE, pb.ACCESS_SCOPE_LEASE},
}


@pytest.mark.parametrize("rpc", keys())
def test_the_option_says_what_the_table_says(rpc: str) -> None:
    column, action = NEEDS[rpc]
    option = rule(RPCS[rpc.partition(" ")[0]])
    assert option.level == LEVELS[column]
    assert option.scope in SCOPES[column]
    assert option.action == (pb.TokenAction.Value(f"TOKEN_ACTION_{action}") if action else 0)


# The repositories that each kind of caller is shown; the site admin's, `other`, is internal.
SHOWN = {
    "anonymous": "public",
    "no grant": "internal public",
    "read": "internal private public",
    "write": "internal private public",
    "admin": "internal private public",
    "read of owner/*": "internal private public",
    "admin of owner/*": "internal private public",
    "site admin": "internal private public",
    "admin, cut to another repository": "public",
    "site admin, cut to another one": "public",
    "site admin, cut to the repository": "internal private public",
    "site admin, cut to owner/*": "internal private public",
}


@pytest.mark.parametrize("who", SHOWN)
def test_a_list_shows_the_repositories_that_may_be_read(world: World, who: str) -> None:
    channel, _ = world.channel(who, "READ")
    answer = caller(channel, RPCS["ListRepositories"])(pb.ListRepositoriesRequest(owner=OWNER))
    assert isinstance(answer, pb.ListRepositoriesResponse)
    # Others were made by the tests above.
    names = [repo.name for repo in answer.repositories if repo.name in VISIBILITIES]
    assert " ".join(names) == SHOWN[who]


@pytest.mark.parametrize("who", SHOWN)
def test_permissions_are_those_that_the_caller_has(world: World, who: str) -> None:
    channel, _ = world.channel(who, "READ")
    answer = caller(channel, RPCS["ListRepositories"])(pb.ListRepositoriesRequest(owner=OWNER))
    assert isinstance(answer, pb.ListRepositoriesResponse)
    for repo in answer.repositories:
        if repo.name in VISIBILITIES:
            may = [
                expected(who, rpc, repo.name) == grpc.StatusCode.OK
                for rpc in ("GetBuild", "CreateBuild", "ListAccess")
            ]
            assert repo.permissions == pb.Permissions(read=may[0], write=may[1], admin=may[2])
            request = pb.GetRepositoryRequest(owner=OWNER, repo=repo.name)
            assert caller(channel, RPCS["GetRepository"])(request) == repo


@pytest.mark.parametrize("who", CALLERS)
def test_what_names_no_repository_and_is_about_all_needs_a_site_admin(world: World, who: str) -> None:
    channel, _ = world.channel(who, "ADMIN")
    call = caller(channel, RPCS["ListAuditEvents"])
    assert code_of(call, pb.ListAuditEventsRequest()) == expected(who, "ListUsers", "private")
