"""No effect of a call reaches past its token: every cut x every rpc that administers x its effects.

An rpc without an entry in the tables fails.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp
from shiplift.v1 import access_pb2 as pb
from shiplift.v1 import environments_pb2 as env
from shiplift.v1 import secrets_pb2, stages_pb2

from tests.support.harness import Shipliftd
from tests.support.refusals import Refusal, code_of, refusal
from tests.support.repository import Repository, changing
from tests.support.rpcs import RPCS, caller, rule
from tests.support.staged import stored

ADMIN, READ = pb.TOKEN_ACTION_ADMIN, pb.TOKEN_ACTION_READ
EVERY = pb.TokenAction.values()[1:]


@dataclass
class Scene:
    """Site admin root with a token that is cut, site admin eve, and acme's repositories sec and web."""

    server: Shipliftd
    name: str
    cuts: dict[str, Any]
    tokens: dict[str, pb.Token] = field(default_factory=dict)

    def fill(self) -> None:
        access = self.server.access()
        for login in ("root", "eve"):
            access.CreateUser(pb.CreateUserRequest(login=self.of(login), admin=True))
            for name, cuts in (("wide", {}), ("like", self.cuts)):
                request = pb.CreateTokenRequest(login=self.of(login), **cuts)
                self.tokens[f"{login} {name}"] = access.CreateToken(request)
        self.tokens["self"] = access.CreateToken(pb.CreateTokenRequest(login=self.of("root"), **self.cuts))
        for repo in ("sec", "web"):
            access.CreateRepository(pb.CreateRepositoryRequest(owner=self.name, repo=repo))
            for environment in ("staging", "production"):
                self.server.environments().CreateEnvironment(declare(self, repo, environment))
        for repo, environment in (("sec", "staging"), ("sec", ""), ("*", "")):
            self.server.secret_service().SetSecret(keep(self, repo, environment))
        for level in ("read", "write", "admin"):
            access.CreateUser(pb.CreateUserRequest(login=self.of(level)))
            for repo in ("sec", "*"):
                access.GrantAccess(self.grant(repo, level, level))

    def of(self, login: str) -> str:
        return f"{login}-{self.name}"

    def grant(self, repo: str, login: str, level: str) -> pb.GrantAccessRequest:
        return pb.GrantAccessRequest(
            owner=self.name, repo=repo, login=self.of(login), level=f"ACCESS_LEVEL_{level.upper()}"
        )

    def state(self) -> list[Any]:
        """All that the calls of the table could change."""
        return [
            stored(self.server, f"SELECT {columns} FROM {table} ORDER BY id")
            for table, columns in (
                ("users", "id, admin, disabled"),
                ("tokens", "id, revoked"),
                ("grants", "id, level"),
                ("repositories", "id, version"),
                ("environments", "id, declared, version"),
                ("owner_rules", "id, version"),
                ("secrets", "id, version, deleted"),
            )
        ]


def create(scene: Scene, login: str = "", **cuts: Any) -> pb.CreateTokenRequest:  # noqa: ANN401
    return pb.CreateTokenRequest(login=login and scene.of(login), **cuts)


def revoke(scene: Scene, repo: str, login: str) -> pb.RevokeAccessRequest:
    return pb.RevokeAccessRequest(owner=scene.name, repo=repo, login=scene.of(login))


def update(scene: Scene, repo: str) -> pb.UpdateRepositoryRequest:
    return changing(Repository(scene.server, scene.name, repo), active=False)


def declare(scene: Scene, repo: str, name: str) -> env.CreateEnvironmentRequest:
    return env.CreateEnvironmentRequest(owner=scene.name, repo=repo, environment=env.Environment(name=name))


def rule_over(scene: Scene, repo: str, name: str) -> env.UpdateEnvironmentRequest:
    mask, there = FieldMask(paths=["allow_failed"]), env.Environment(name=name, allow_failed=True)
    return env.UpdateEnvironmentRequest(owner=scene.name, repo=repo, environment=there, update_mask=mask)


def rehearse(scene: Scene, name: str) -> env.RehearsePolicyRequest:
    return env.RehearsePolicyRequest(
        owner=scene.name, repo="sec", environment=env.Environment(name=name, allow_failed=True)
    )


def keep(scene: Scene, repo: str, environment: str = "") -> secrets_pb2.SetSecretRequest:
    where = {"owner": scene.name, "repo": repo, "environment": environment}
    return secrets_pb2.SetSecretRequest(**where, name="token", value="hidden")  # type: ignore[arg-type]


def drop(scene: Scene, repo: str, environment: str = "") -> secrets_pb2.DeleteSecretRequest:
    where = {"owner": scene.name, "repo": repo, "environment": environment}
    return secrets_pb2.DeleteSecretRequest(**where, name="token")


def change(scene: Scene, login: str, **values: Any) -> pb.UpdateUserRequest:  # noqa: ANN401
    mask = FieldMask(paths=list(values))
    return pb.UpdateUserRequest(login=scene.of(login), update_mask=mask, user=pb.User(**values))


EFFECTS: dict[str, Callable[[Scene], Any]] = {
    "CreateToken: wide": create,
    "CreateToken: alike": lambda s: create(s, **s.cuts),
    "CreateToken: for another, wide": lambda s: create(s, "eve"),
    "CreateToken: for another, alike": lambda s: create(s, "eve", **s.cuts),
    "RevokeToken: wide": lambda s: pb.RevokeTokenRequest(id=s.tokens["root wide"].id),
    "RevokeToken: alike": lambda s: pb.RevokeTokenRequest(id=s.tokens["root like"].id),
    "RevokeToken: itself": lambda s: pb.RevokeTokenRequest(id=s.tokens["self"].id),
    "RevokeToken: another's, wide": lambda s: pb.RevokeTokenRequest(id=s.tokens["eve wide"].id),
    "RevokeToken: another's, alike": lambda s: pb.RevokeTokenRequest(id=s.tokens["eve like"].id),
    "ListTokens: own": lambda _: pb.ListTokensRequest(),
    "ListTokens: another's": lambda s: pb.ListTokensRequest(login=s.of("eve")),
    "GrantAccess: read of sec": lambda s: s.grant("sec", "eve", "read"),
    "GrantAccess: write of sec": lambda s: s.grant("sec", "eve", "write"),
    "GrantAccess: admin of sec": lambda s: s.grant("sec", "eve", "admin"),
    "GrantAccess: read of web": lambda s: s.grant("web", "eve", "read"),
    "GrantAccess: read of *": lambda s: s.grant("*", "eve", "read"),
    "GrantAccess: admin of *": lambda s: s.grant("*", "eve", "admin"),
    "GrantAccess: write to read of sec": lambda s: s.grant("sec", "write", "read"),
    "RevokeAccess: read of sec": lambda s: revoke(s, "sec", "read"),
    "RevokeAccess: write of sec": lambda s: revoke(s, "sec", "write"),
    "RevokeAccess: admin of sec": lambda s: revoke(s, "sec", "admin"),
    "RevokeAccess: nothing of sec": lambda s: revoke(s, "sec", "root"),
    "RevokeAccess: read of *": lambda s: revoke(s, "*", "read"),
    "ListAccess: sec": lambda s: pb.ListAccessRequest(owner=s.name, repo="sec"),
    "ListAccess: web": lambda s: pb.ListAccessRequest(owner=s.name, repo="web"),
    "ListAccess: *": lambda s: pb.ListAccessRequest(owner=s.name, repo="*"),
    "CreateUser: plain": lambda s: pb.CreateUserRequest(login=s.of("new")),
    "CreateUser: site admin": lambda s: pb.CreateUserRequest(login=s.of("boss"), admin=True),
    "GetUser: own": lambda _: pb.GetUserRequest(),
    "GetUser: another": lambda s: pb.GetUserRequest(login=s.of("eve")),
    "ListUsers: all": lambda _: pb.ListUsersRequest(),
    "UpdateUser: email": lambda s: change(s, "read", email="read@example.org"),
    "UpdateUser: admin": lambda s: change(s, "read", admin=True),
    "UpdateUser: no admin": lambda s: change(s, "eve", admin=False),
    "UpdateUser: disabled": lambda s: change(s, "write", disabled=True),
    "ListRunners: all": lambda _: stages_pb2.ListRunnersRequest(),
    "CreateRepository: of owner": lambda s: pb.CreateRepositoryRequest(owner=s.name, repo="new"),
    "UpdateRepository: of sec": lambda s: update(s, "sec"),
    "UpdateRepository: of web": lambda s: update(s, "web"),
    "CreateRepository: of another": lambda s: pb.CreateRepositoryRequest(owner=s.of("o"), repo="new"),
    "UpdateEnvironment: staging of sec": lambda s: rule_over(s, "sec", "staging"),
    "UpdateEnvironment: production of sec": lambda s: rule_over(s, "sec", "production"),
    "UpdateEnvironment: staging of web": lambda s: rule_over(s, "web", "staging"),
    "DeleteEnvironment: staging of sec": lambda s: env.DeleteEnvironmentRequest(
        owner=s.name, repo="sec", environment="staging"
    ),
    "CreateEnvironment: staging of sec": lambda s: declare(s, "sec", "staging"),
    "UpdateOwnerRules: of owner": lambda s: env.UpdateOwnerRulesRequest(owner=s.name),
    "SetSecret: staging of sec": lambda s: keep(s, "sec", "staging"),
    "SetSecret: production of sec": lambda s: keep(s, "sec", "production"),
    "SetSecret: all of sec": lambda s: keep(s, "sec"),
    "SetSecret: staging of web": lambda s: keep(s, "web", "staging"),
    "SetSecret: of owner": lambda s: keep(s, "*"),
    "DeleteSecret: staging of sec": lambda s: drop(s, "sec", "staging"),
    "DeleteSecret: all of sec": lambda s: drop(s, "sec"),
    "DeleteSecret: of owner": lambda s: drop(s, "*"),
    "ListAuditEvents: of sec": lambda s: pb.ListAuditEventsRequest(owner=s.name, repo="sec"),
    "ListAuditEvents: staging of sec": lambda s: pb.ListAuditEventsRequest(
        owner=s.name, repo="sec", environment="staging"
    ),
    "ListAuditEvents: of *": lambda s: pb.ListAuditEventsRequest(owner=s.name, repo="*"),
    "ListAuditEvents: all": lambda _: pb.ListAuditEventsRequest(),
    "RehearsePolicy: staging of sec": lambda s: rehearse(s, "staging"),
    "RehearsePolicy: production of sec": lambda s: rehearse(s, "production"),
}

TABLE = """
                                  uncut repository owner environment admin admin,read every expires
CreateToken: wide                     O          P     P           P     P          P     P       P
CreateToken: alike                    O          O     O           O     O          O     O       O
CreateToken: for another, wide        O          P     P           P     P          P     P       P
CreateToken: for another, alike       O          P     P           O     O          O     O       O
RevokeToken: wide                     O          P     P           P     P          P     P       O
RevokeToken: alike                    O          O     O           O     O          O     O       O
RevokeToken: itself                   O          O     O           O     O          O     O       O
RevokeToken: another's, wide          O          N     N           P     P          P     P       O
RevokeToken: another's, alike         O          N     N           O     O          O     O       O
ListTokens: own                       O          O     O           O     O          O     O       O
ListTokens: another's                 O          P     P           O     O          O     O       O
GrantAccess: read of sec              O          O     O           O     O          O     O       O
GrantAccess: write of sec             O          O     O           P     P          P     O       O
GrantAccess: admin of sec             O          O     O           P     P          P     O       O
GrantAccess: read of web              O          N     O           O     O          O     O       O
GrantAccess: read of *                O          P     O           O     O          O     O       O
GrantAccess: admin of *               O          P     O           P     P          P     O       O
GrantAccess: write to read of sec     O          O     O           P     P          P     O       O
RevokeAccess: read of sec             O          O     O           O     O          O     O       O
RevokeAccess: write of sec            O          O     O           P     P          P     O       O
RevokeAccess: admin of sec            O          O     O           P     P          P     O       O
RevokeAccess: nothing of sec          O          O     O           O     O          O     O       O
RevokeAccess: read of *               O          P     O           O     O          O     O       O
ListAccess: sec                       O          O     O           O     O          O     O       O
ListAccess: web                       O          N     O           O     O          O     O       O
ListAccess: *                         O          P     O           O     O          O     O       O
CreateUser: plain                     O          P     P           O     O          O     O       O
CreateUser: site admin                O          P     P           P     P          P     O       O
GetUser: own                          O          O     O           O     O          O     O       O
GetUser: another                      O          P     P           O     O          O     O       O
ListUsers: all                        O          P     P           O     O          O     O       O
UpdateUser: email                     O          P     P           O     O          O     O       O
UpdateUser: admin                     O          P     P           P     P          P     O       O
UpdateUser: no admin                  O          P     P           P     P          P     O       O
UpdateUser: disabled                  O          P     P           P     P          P     O       O
ListRunners: all                      O          P     P           O     O          O     O       O
CreateRepository: of owner            O          P     O           O     O          O     O       O
CreateRepository: of another          O          P     P           O     O          O     O       O
UpdateRepository: of sec              O          O     O           P     O          O     O       O
UpdateRepository: of web              O          N     O           P     O          O     O       O
UpdateEnvironment: staging of sec     O          O     O           O     O          O     O       O
UpdateEnvironment: production of sec  O          O     O           P     O          O     O       O
UpdateEnvironment: staging of web     O          N     O           O     O          O     O       O
DeleteEnvironment: staging of sec     O          O     O           P     O          O     O       O
CreateEnvironment: staging of sec     O          O     O           P     O          O     O       O
UpdateOwnerRules: of owner            O          P     O           P     O          O     O       O
SetSecret: staging of sec             O          O     O           O     O          O     O       O
SetSecret: production of sec          O          O     O           P     O          O     O       O
SetSecret: all of sec                 O          O     O           P     O          O     O       O
SetSecret: staging of web             O          N     O           O     O          O     O       O
SetSecret: of owner                   O          P     O           P     O          O     O       O
DeleteSecret: staging of sec          O          O     O           O     O          O     O       O
DeleteSecret: all of sec              O          O     O           P     O          O     O       O
DeleteSecret: of owner                O          P     O           P     O          O     O       O
ListAuditEvents: of sec               O          O     O           P     O          O     O       O
ListAuditEvents: staging of sec       O          O     O           O     O          O     O       O
ListAuditEvents: of *                 O          P     O           P     O          O     O       O
ListAuditEvents: all                  O          P     P           P     O          O     O       O
RehearsePolicy: staging of sec        O          O     O           O     O          O     O       O
RehearsePolicy: production of sec     O          O     O           P     O          O     O       O
"""
CODES = {
    "O": grpc.StatusCode.OK,
    "P": grpc.StatusCode.PERMISSION_DENIED,
    "N": grpc.StatusCode.NOT_FOUND,
}
COLUMNS, *ROWS = TABLE.strip("\n").splitlines()
ENTRIES = {
    (row[:37].strip(), cut): code
    for row in ROWS
    for cut, code in zip(COLUMNS.split(), row[37:].split(), strict=True)
}


def in_an_hour() -> Timestamp:
    time = Timestamp()
    time.GetCurrentTime()
    time.seconds += 3600
    return time


def cuts(cut: str, name: str) -> dict[str, Any]:
    made: dict[str, dict[str, Any]] = {
        "uncut": {},
        "repository": {"repositories": [f"{name}/sec"]},
        "owner": {"repositories": [f"{name}/*"]},
        "environment": {"environments": ["staging"]},
        "admin": {"actions": [ADMIN]},
        "admin,read": {"actions": [ADMIN, READ]},
        "every": {"actions": EVERY},
        "expires": {"expires": in_an_hour()},
    }
    return made[cut]


@pytest.fixture
def scene(server: Shipliftd, name: str, cut: str) -> Scene:
    """A scene of the test's own."""
    made = Scene(server, name, cuts(cut, name))
    made.fill()
    return made


def test_every_rpc_that_administers_stands_in_the_table() -> None:
    administer = {name for name, rpc in RPCS.items() if rule(rpc).action == ADMIN}
    assert {effect.partition(":")[0] for effect in EFFECTS} == administer
    assert {effect for effect, _ in ENTRIES} == set(EFFECTS)


@pytest.mark.parametrize("cut", COLUMNS.split())
def test_no_effect_of_a_call_reaches_past_its_token(scene: Scene, cut: str) -> None:
    channel = scene.server.channel(scene.tokens["self"].secret)
    codes = {}
    # The token revokes itself in the end.
    for effect in sorted(EFFECTS, key=lambda effect: effect.endswith("itself")):
        before = scene.state()
        rpc = RPCS[effect.partition(":")[0]]
        code = code_of(caller(channel, rpc), EFFECTS[effect](scene))
        codes[effect] = next(word for word, known in CODES.items() if known == code)
        if code != grpc.StatusCode.OK:
            assert scene.state() == before
    assert codes == {effect: ENTRIES[effect, cut] for effect in codes}


@pytest.mark.parametrize("cut", COLUMNS.split())
def test_a_list_shows_no_token_that_reaches_past_the_callers(scene: Scene, cut: str) -> None:
    access = scene.server.access(scene.tokens["self"].secret)
    wide = {"uncut": True, "expires": True}.get(cut, False)
    own = ["self", "root like", *(["root wide"] if wide else [])]
    shown = [token.id for token in access.ListTokens(pb.ListTokensRequest()).tokens]
    assert shown == [scene.tokens[name].id for name in own]
    if ENTRIES["ListTokens: another's", cut] == "O":
        theirs = ["eve like", *(["eve wide"] if wide else [])]
        answer = access.ListTokens(pb.ListTokensRequest(login=scene.of("eve")))
        assert [token.id for token in answer.tokens] == [scene.tokens[name].id for name in theirs]


@pytest.mark.parametrize(
    ("cut", "effect", "message"),
    [
        (
            "environment",
            "GrantAccess: admin of *",
            "GrantAccess of admin is about every environment, and this token is cut to staging: it can give"
            " and take back read at most",
        ),
        (
            "environment",
            "UpdateRepository: of sec",
            "UpdateRepository is about every environment, and this token is cut to staging",
        ),
        (
            "environment",
            "CreateUser: site admin",
            "CreateUser of site_admin is about every environment, and this token is cut to staging: it can"
            " give and take back read at most",
        ),
        (
            "admin,read",
            "RevokeAccess: write of sec",
            "RevokeAccess of write is about the actions approve, promote, record, rollback, run as well,"
            " and this token is cut to admin, read: it can give and take back read at most",
        ),
    ],
)
def test_a_refusal_says_what_the_token_is_cut_to(scene: Scene, cut: str, effect: str, message: str) -> None:
    access: Any = scene.server.access(scene.tokens["self"].secret)
    assert refusal(getattr(access, effect.partition(":")[0]), EFFECTS[effect](scene)) == Refusal(
        grpc.StatusCode.PERMISSION_DENIED, message, "BEYOND_OWN_TOKEN"
    )


@pytest.mark.parametrize("level", [1, 2, 7, 99, -1])
def test_a_level_that_cannot_be_given_is_a_fault_to_a_cut_token_as_well(
    server: Shipliftd, name: str, level: int
) -> None:
    made = Scene(server, name, cuts("environment", name))
    made.fill()
    request = made.grant("sec", "eve", "read")
    request.level = level  # type: ignore[assignment]  # none of the enum's
    told = refusal(server.access(made.tokens["self"].secret).GrantAccess, request)
    assert (told.code, [field for field, _ in told.violations]) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        ["level"],
    )
