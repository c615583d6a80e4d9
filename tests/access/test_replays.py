"""What access takes away, a repeated request_id does not give back.

Every write that the descriptors tell of x every cut of another token of the same user x every way of losing
access. A write without an entry in the table fails.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from shiplift.v1 import access_pb2 as pb
from shiplift.v1 import builds_pb2 as api
from shiplift.v1 import environments_pb2 as env
from shiplift.v1 import secrets_pb2, stages_pb2

from tests.support.harness import Shipliftd
from tests.support.refusals import code_of
from tests.support.repository import COMMIT, replayed
from tests.support.rpcs import RPCS, caller, rule, writes
from tests.support.staged import stored

ACTIONS = pb.TokenAction.values()[1:]


@dataclass
class Scene:
    """A user, the repository that they have a level on, and what was made there before."""

    server: Shipliftd
    name: str
    rpc: str
    tokens: list[pb.Token] = field(default_factory=list)

    @property
    def login(self) -> str:
        return f"u-{self.name}"

    @property
    def where(self) -> dict[str, Any]:
        return {"owner": self.name, "repo": "app"}

    @property
    def level(self) -> tuple[str, pb.AccessLevel]:
        """Where the user needs which level: repository, `*`, or nowhere."""
        option = rule(RPCS[self.rpc.partition(" ")[0]])
        level = pb.ACCESS_LEVEL_ADMIN if self.rpc == "CreateBuild numbered" else option.level
        if option.scope == pb.ACCESS_SCOPE_OWNER or self.rpc.endswith("owner/*"):
            return "*", option.level
        if self.rpc in ("ApproveBuild", "DeclineBuild"):
            # Its environment names nobody, so admins approve.
            return "app", pb.ACCESS_LEVEL_ADMIN
        return "app", level if level in (
            pb.ACCESS_LEVEL_WRITE,
            pb.ACCESS_LEVEL_ADMIN,
        ) else pb.ACCESS_LEVEL_WRITE

    def fill(self) -> None:
        access, builds = self.server.access(), self.server.builds()
        site = rule(RPCS[self.rpc.partition(" ")[0]]).scope == pb.ACCESS_SCOPE_SITE
        access.CreateUser(pb.CreateUserRequest(login=self.login, admin=site))
        access.CreateUser(pb.CreateUserRequest(login=f"other-{self.name}"))
        access.CreateRepository(pb.CreateRepositoryRequest(**self.where))
        repo, level = self.level
        access.GrantAccess(pb.GrantAccessRequest(owner=self.name, repo=repo, login=self.login, level=level))
        builds.CreateBuild(api.CreateBuildRequest(**self.where, after=COMMIT))
        builds.PromoteBuild(api.PromoteRequest(**self.where, build=1, target="production"))
        if self.rpc in FILLS:
            FILLS[self.rpc](self)

    def token(self, **cuts: object) -> pb.Token:
        """Another token of the user, cut as told."""
        if self.rpc == "AcceptStage":
            cuts = {"actions": [pb.TOKEN_ACTION_RUN], "repositories": [f"{self.name}/app"], **cuts}
        request = pb.CreateTokenRequest(login=self.login, **cuts)  # type: ignore[arg-type]
        return self.server.access().CreateToken(request)

    def call(self, token: pb.Token) -> Callable[[Message], Message]:
        return caller(self.server.channel(token.secret), RPCS[self.rpc.partition(" ")[0]])

    def request(self, **more: object) -> Message:
        return WRITES[self.rpc](self, more)


def _number_of_promotion(scene: Scene, ends: bool) -> dict[str, Any]:
    if ends:
        scene.server.builds().CancelBuild(api.CancelBuildRequest(**scene.where, build=2))
    return {**scene.where, "build": 2}


def _token_to_revoke(scene: Scene) -> int:
    request = pb.CreateTokenRequest(login=scene.login)
    return scene.server.access().CreateToken(request).id


def _to(scene: Scene) -> dict[str, Any]:
    return {**scene.where, "login": f"other-{scene.name}"}


def change(scene: Scene, flag: str, more: dict[str, Any]) -> pb.UpdateUserRequest:
    mask, user = FieldMask(paths=[flag]), pb.User(**{flag: True})  # type: ignore[arg-type]
    return pb.UpdateUserRequest(login=f"other-{scene.name}", update_mask=mask, user=user, **more)


def declared(scene: Scene, name: str = "staging", **rules: Any) -> env.Environment:  # noqa: ANN401
    request = env.CreateEnvironmentRequest(
        **scene.where, environment=env.Environment(name=name, allow_failed=True, **rules)
    )
    return scene.server.environments().CreateEnvironment(request)


def _blocked(scene: Scene) -> None:
    declared(scene, "production", required_approvals=1)
    scene.server.builds().PromoteBuild(api.PromoteRequest(**scene.where, build=1, target="production"))


def _arrived(scene: Scene) -> None:
    report = api.UpdateBuildRequest(**scene.where, build=2, status=api.BUILD_STATUS_SUCCESS)
    scene.server.builds().UpdateBuild(report)


def _held(repo: str) -> Callable[[Scene], None]:
    def hold(scene: Scene) -> None:
        scene.server.environments().HoldEnvironment(_hold(scene, repo, {}))

    return hold


def _hold(scene: Scene, repo: str, more: dict[str, Any]) -> env.HoldEnvironmentRequest:
    where: dict[str, Any] = {"owner": scene.name, "repo": repo, "environment": "production"}
    return env.HoldEnvironmentRequest(**where, reason="a test", **more)


def _resume(scene: Scene, repo: str, more: dict[str, Any]) -> env.ResumeEnvironmentRequest:
    where = {"owner": scene.name, "repo": repo, "environment": "production"}
    return env.ResumeEnvironmentRequest(**where, **more)


def _set_secret(scene: Scene, repo: str, more: dict[str, Any]) -> secrets_pb2.SetSecretRequest:
    return secrets_pb2.SetSecretRequest(owner=scene.name, repo=repo, name="token", value="hidden", **more)


def _delete_secret(scene: Scene, repo: str, more: dict[str, Any]) -> secrets_pb2.DeleteSecretRequest:
    return secrets_pb2.DeleteSecretRequest(owner=scene.name, repo=repo, name="token", **more)


# What was there before some of the writes.
FILLS: dict[str, Callable[[Scene], object]] = {
    "RollbackBuild": _arrived,
    "ApproveBuild": _blocked,
    "DeclineBuild": _blocked,
    "UpdateEnvironment": declared,
    "DeleteEnvironment": declared,
    "ResumeEnvironment": _held("app"),
    "ResumeEnvironment owner/*": _held("*"),
    "DeleteSecret": lambda s: s.server.secret_service().SetSecret(_set_secret(s, "app", {})),
    "DeleteSecret owner/*": lambda s: s.server.secret_service().SetSecret(_set_secret(s, "*", {})),
}


def _stage(scene: Scene) -> int:
    build = scene.server.builds().GetBuild(api.GetBuildRequest(**scene.where, build=2))
    return build.stages[0].id


WRITES: dict[str, Callable[[Scene, dict[str, Any]], Message]] = {
    "PromoteBuild": lambda s, m: api.PromoteRequest(**s.where, build=1, target="production", **m),
    "CreateBuild": lambda s, m: api.CreateBuildRequest(**s.where, **m),
    "CreateBuild numbered": lambda s, m: api.CreateBuildRequest(**s.where, number=50, **m),
    "UpdateBuild": lambda s, m: api.UpdateBuildRequest(
        **_number_of_promotion(s, False), status=api.BUILD_STATUS_RUNNING, **m
    ),
    "UpdateBuild recorded": lambda s, m: api.UpdateBuildRequest(
        **s.where, build=1, status=api.BUILD_STATUS_RUNNING, **m
    ),
    "RetryBuild": lambda s, m: api.RetryBuildRequest(**_number_of_promotion(s, True), **m),
    "CancelBuild": lambda s, m: api.CancelBuildRequest(**_number_of_promotion(s, False), **m),
    "SettleEnvironment": lambda s, m: env.SettleEnvironmentRequest(
        **s.where, environment="production", build=0, **m
    ),
    "RollbackBuild": lambda s, m: api.RollbackRequest(**s.where, build=2, target="production", **m),
    "ApproveBuild": lambda s, m: api.ApproveBuildRequest(**s.where, build=3, **m),
    "DeclineBuild": lambda s, m: api.DeclineBuildRequest(**s.where, build=3, **m),
    "CreateEnvironment": lambda s, m: env.CreateEnvironmentRequest(
        **s.where, environment=env.Environment(name="staging"), **m
    ),
    "UpdateEnvironment": lambda s, m: env.UpdateEnvironmentRequest(
        **s.where,
        environment=env.Environment(name="staging", confirm=True),
        update_mask=FieldMask(paths=["confirm"]),
        **m,
    ),
    "DeleteEnvironment": lambda s, m: env.DeleteEnvironmentRequest(**s.where, environment="staging", **m),
    "HoldEnvironment": lambda s, m: _hold(s, "app", m),
    "HoldEnvironment owner/*": lambda s, m: _hold(s, "*", m),
    "ResumeEnvironment": lambda s, m: _resume(s, "app", m),
    "ResumeEnvironment owner/*": lambda s, m: _resume(s, "*", m),
    "UpdateOwnerRules": lambda s, m: env.UpdateOwnerRulesRequest(owner=s.name, **m),
    "AcceptStage": lambda s, m: stages_pb2.AcceptStageRequest(stage_id=_stage(s), machine="box", **m),
    "CreateRepository": lambda s, m: pb.CreateRepositoryRequest(owner=s.name, repo="new", **m),
    "UpdateRepository": lambda s, m: pb.UpdateRepositoryRequest(
        **s.where,
        update_mask=FieldMask(paths=["timeout"]),
        repository=pb.Repository(timeout=timedelta(minutes=5)),
        **m,
    ),
    "CreateUser": lambda s, m: pb.CreateUserRequest(login=f"new-{s.name}", **m),
    "CreateUser admin": lambda s, m: pb.CreateUserRequest(login=f"new-{s.name}", admin=True, **m),
    "UpdateUser": lambda s, m: change(s, "machine", m),
    "UpdateUser disabled": lambda s, m: change(s, "disabled", m),
    "CreateToken": lambda s, m: pb.CreateTokenRequest(name="wide", **m),
    "RevokeToken": lambda s, m: pb.RevokeTokenRequest(id=_token_to_revoke(s), **m),
    "GrantAccess read": lambda s, m: pb.GrantAccessRequest(**_to(s), level=pb.ACCESS_LEVEL_READ, **m),
    "GrantAccess write": lambda s, m: pb.GrantAccessRequest(**_to(s), level=pb.ACCESS_LEVEL_WRITE, **m),
    "GrantAccess admin": lambda s, m: pb.GrantAccessRequest(**_to(s), level=pb.ACCESS_LEVEL_ADMIN, **m),
    "RevokeAccess": lambda s, m: pb.RevokeAccessRequest(**_to(s), **m),
    "SetSecret": lambda s, m: _set_secret(s, "app", m),
    "SetSecret owner/*": lambda s, m: _set_secret(s, "*", m),
    "DeleteSecret": lambda s, m: _delete_secret(s, "app", m),
    "DeleteSecret owner/*": lambda s, m: _delete_secret(s, "*", m),
}

# The cuts of another token of the same user: to another repository, another environment, the actions that
# do not do, the one that does; its grant lowered, taken back, its site admin taken away.
# O OK, P PERMISSION_DENIED, N NOT_FOUND, - does not apply.
TABLE = """
                           repository environment others only lowered revoked demoted
PromoteBuild                        N           P      P    O       P       N       -
CreateBuild                         N           O      P    O       P       N       -
CreateBuild numbered                N           O      P    O       P       N       -
UpdateBuild                         N           P      P    O       P       N       -
UpdateBuild recorded                N           O      P    O       P       N       -
RetryBuild                          N           P      P    O       P       N       -
CancelBuild                         N           P      P    O       P       N       -
SettleEnvironment                   N           P      P    O       P       N       -
RollbackBuild                       N           P      P    O       P       N       -
ApproveBuild                        N           P      P    O       P       N       -
DeclineBuild                        N           P      P    O       P       N       -
CreateEnvironment                   N           P      P    O       P       N       -
UpdateEnvironment                   N           P      P    O       P       N       -
DeleteEnvironment                   N           P      P    O       P       N       -
HoldEnvironment                     N           P      P    O       P       N       -
HoldEnvironment owner/*             P           P      P    O       P       P       -
ResumeEnvironment                   N           P      P    O       P       N       -
ResumeEnvironment owner/*           P           P      P    O       P       P       -
UpdateOwnerRules                    P           P      P    O       P       P       -
AcceptStage                         N           N      P    O       N       N       -
UpdateRepository                    N           P      P    O       P       N       -
CreateRepository                    P           O      P    O       P       P       -
CreateUser                          P           O      P    O       -       -       P
CreateUser admin                    P           P      P    P       -       -       P
UpdateUser                          P           O      P    O       -       -       P
UpdateUser disabled                 P           P      P    P       -       -       P
CreateToken                         P           P      P    P       O       O       -
RevokeToken                         P           P      P    P       O       O       -
GrantAccess read                    N           O      P    O       P       N       -
GrantAccess write                   N           P      P    P       P       N       -
GrantAccess admin                   N           P      P    P       P       N       -
RevokeAccess                        N           O      P    O       P       N       -
SetSecret                           N           P      P    O       P       N       -
SetSecret owner/*                   P           P      P    O       P       P       -
DeleteSecret                        N           P      P    O       P       N       -
DeleteSecret owner/*                P           P      P    O       P       P       -
"""
CODES = {
    "O": grpc.StatusCode.OK,
    "P": grpc.StatusCode.PERMISSION_DENIED,
    "N": grpc.StatusCode.NOT_FOUND,
}
COLUMNS, *ROWS = TABLE.strip("\n").splitlines()
ENTRIES = {
    (row[:27].strip(), way): code
    for row in ROWS
    for way, code in zip(COLUMNS.split(), row[27:].split(), strict=True)
}
CUTS = ("repository", "environment", "others", "only")


def sufficient(rpc: str) -> int:
    """The action that does for the write of the table."""
    return pb.TOKEN_ACTION_PROMOTE if rpc == "UpdateBuild" else rule(RPCS[rpc.partition(" ")[0]]).action


def cut(rpc: str, way: str) -> dict[str, object]:
    if way == "repository":
        return {"repositories": ["elsewhere/*"]}
    if way == "environment":
        return {"environments": ["elsewhere"]}
    if way == "only":
        return {"actions": [sufficient(rpc)]}
    needed = rule(RPCS[rpc.partition(" ")[0]])
    # What does for a part of the rpc alone is among the others, for the other part.
    enough = {sufficient(rpc), *(needed.or_actions if rpc == "UpdateBuild" else ())}
    return {"actions": [action for action in ACTIONS if action not in enough]}


@pytest.fixture
def scene(server: Shipliftd, name: str, rpc: str) -> Scene:
    """A scene of the test's own."""
    made = Scene(server, name, rpc)
    made.fill()
    return made


def test_every_write_stands_in_the_table() -> None:
    assert {rpc.partition(" ")[0] for rpc in WRITES} == {name for name, rpc in RPCS.items() if writes(rpc)}
    assert {rpc for rpc, _ in ENTRIES} == set(WRITES)


@pytest.mark.parametrize("rpc", WRITES)
def test_a_write_is_repeated_to_another_token_that_may_do_it(scene: Scene) -> None:
    request = scene.request(request_id=scene.name)
    scene.call(scene.token())(request)
    call: Any = scene.call(scene.token())
    _, made = call.with_call(request)
    assert replayed(made)


@pytest.mark.parametrize("way", CUTS)
@pytest.mark.parametrize("rpc", WRITES)
def test_another_token_is_told_what_it_would_be_told_of_a_new_write(scene: Scene, way: str) -> None:
    expected = CODES[ENTRIES[scene.rpc, way]]
    other = scene.call(scene.token(**cut(scene.rpc, way)))
    request = scene.request(request_id=scene.name)
    fresh = scene.request() if expected != grpc.StatusCode.OK else None
    if fresh is not None:
        assert code_of(other, fresh) == expected
        assert code_of(other, request) == expected
    scene.call(scene.token())(request)
    assert code_of(other, request) == expected


# A dash: there is no such access to lose.
@pytest.mark.parametrize(
    ("rpc", "way"), [each for each, code in ENTRIES.items() if each[1] not in CUTS and code != "-"]
)
def test_who_has_lost_access_is_repeated_nothing(scene: Scene, way: str) -> None:
    mine = scene.call(scene.token())
    request = scene.request(request_id=scene.name)
    mine(request)
    repo, level = scene.level
    where = {"owner": scene.name, "repo": repo, "login": scene.login}
    access = scene.server.access()
    if way == "lowered":
        lower = pb.ACCESS_LEVEL_READ if level == pb.ACCESS_LEVEL_WRITE else pb.ACCESS_LEVEL_WRITE
        access.GrantAccess(pb.GrantAccessRequest(**where, level=lower))
    elif way == "revoked":
        access.RevokeAccess(pb.RevokeAccessRequest(**where))
    else:
        stored(scene.server, "UPDATE users SET admin = false WHERE login = ?", scene.login)
    assert code_of(mine, request) == CODES[ENTRIES[scene.rpc, way]]


@pytest.mark.parametrize("way", ["revoked", "expired"])
@pytest.mark.parametrize("rpc", WRITES)
def test_a_token_that_works_no_more_is_repeated_nothing(scene: Scene, way: str) -> None:
    soon = Timestamp()
    soon.GetCurrentTime()
    soon.FromMilliseconds(soon.ToMilliseconds() + 500)
    token = scene.token(expires=soon) if way == "expired" else scene.token()
    request = scene.request(request_id=scene.name)
    scene.call(scene.token())(request)
    if way == "revoked":
        scene.server.access().RevokeToken(pb.RevokeTokenRequest(id=token.id))
    else:
        who = scene.server.access(token.secret)
        # The calls themselves are what passes the time.
        for _ in range(100_000):
            if code_of(who.WhoAmI, pb.WhoAmIRequest()) != grpc.StatusCode.OK:
                break
    assert code_of(scene.call(token), request) == grpc.StatusCode.UNAUTHENTICATED
