"""Every kind of caller, on a server with a private, an internal and a public repository."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import grpc
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from shiplift.v1 import access_pb2 as pb
from shiplift.v1 import builds_pb2, secrets_pb2
from shiplift.v1 import environments_pb2 as env

from tests.support.harness import Shipliftd
from tests.support.patience import until
from tests.support.refusals import code_of
from tests.support.repository import COMMIT
from tests.support.rpcs import RPCS, message, rule

OWNER, ELSEWHERE = "matrix", "elsewhere"
VISIBILITIES = {
    "private": pb.VISIBILITY_PRIVATE,
    "internal": pb.VISIBILITY_INTERNAL,
    "public": pb.VISIBILITY_PUBLIC,
}


@dataclass
class Who:
    """A kind of caller: whose token, and how it is cut."""

    login: str = ""
    repositories: list[str] = field(default_factory=list)
    cut_actions: str = ""

    def actions(self, needed: str) -> list[int]:
        """The actions of the token, for an rpc that needs this one."""
        named = pb.TokenAction.Value(f"TOKEN_ACTION_{needed}") if needed else pb.TOKEN_ACTION_RUN
        if self.cut_actions == "others":
            return [
                pb.TokenAction.Value(name)
                for name in pb.TokenAction.keys()[1:]
                if pb.TokenAction.Value(name) != named
            ]
        return [named] if self.cut_actions == "this" else []


WHO = {
    "no grant": Who("nobody"),
    "read": Who("reader"),
    "write": Who("writer"),
    "admin": Who("boss"),
    "read of owner/*": Who("owner-reader"),
    "write of owner/*": Who("owner-writer"),
    "admin of owner/*": Who("owner-boss"),
    "site admin": Who("root"),
    "admin, cut to another repository": Who("owner-boss", [f"{ELSEWHERE}/other", f"{OWNER}/other"]),
    "site admin, cut to another one": Who("root", [f"{ELSEWHERE}/*", f"{OWNER}/other"]),
    "admin, cut to other actions": Who("owner-boss", cut_actions="others"),
    "site admin, cut to other actions": Who("root", cut_actions="others"),
    "site admin, cut to the repository": Who("root", [f"{OWNER}/{name}" for name in VISIBILITIES]),
    "site admin, cut to owner/*": Who("root", [f"{OWNER}/*"]),
    "site admin, cut to the action": Who("root", cut_actions="this"),
    "write, cut to both": Who("writer", [f"{OWNER}/{name}" for name in VISIBILITIES], cut_actions="this"),
}
GRANTS = {
    "reader": ("", pb.ACCESS_LEVEL_READ),
    "writer": ("", pb.ACCESS_LEVEL_WRITE),
    "boss": ("", pb.ACCESS_LEVEL_ADMIN),
    "owner-reader": ("*", pb.ACCESS_LEVEL_READ),
    "owner-writer": ("*", pb.ACCESS_LEVEL_WRITE),
    "owner-boss": ("*", pb.ACCESS_LEVEL_ADMIN),
}
NO_STAGE = 2**60
UNKNOWN = "shl_" + "x" * 43
# What is told of these once their caller may make them: there is no such stage, cursor or good request.
ADMITTED = {
    "WatchBuilds": grpc.StatusCode.OUT_OF_RANGE,
    "AcquireStage": grpc.StatusCode.INVALID_ARGUMENT,
    "WatchStage": grpc.StatusCode.NOT_FOUND,
    "AcceptStage": grpc.StatusCode.NOT_FOUND,
    "GetLease": grpc.StatusCode.NOT_FOUND,
    "UpdateStage": grpc.StatusCode.NOT_FOUND,
    "UpdateStep": grpc.StatusCode.NOT_FOUND,
    "AppendLog": grpc.StatusCode.NOT_FOUND,
}


class Made(NamedTuple):
    """A token and its id."""

    secret: str
    token_id: int


@dataclass
class World:
    """The shared server, with three repositories and a user of every level."""

    server: Shipliftd
    names: Callable[[], str]
    channels: dict[tuple[str, str], tuple[grpc.Channel, int]] = field(default_factory=dict)
    # Of each repository a promotion that waits for more approvals than it will get.
    blocked: dict[str, int] = field(default_factory=dict)

    def fill(self) -> None:
        access, builds = self.server.access(), self.server.builds()
        for login in (*GRANTS, "nobody", "somebody"):
            access.CreateUser(pb.CreateUserRequest(login=login))
        access.CreateUser(pb.CreateUserRequest(login="root", admin=True))
        for name, visibility in VISIBILITIES.items():
            access.CreateRepository(
                pb.CreateRepositoryRequest(owner=OWNER, repo=name, visibility=visibility)
            )
            for status in (builds_pb2.BUILD_STATUS_PENDING, builds_pb2.BUILD_STATUS_SUCCESS):
                builds.CreateBuild(
                    builds_pb2.CreateBuildRequest(owner=OWNER, repo=name, after=COMMIT, status=status)
                )
            self._declare(name, "production", allow_failed=True)
            self._declare(name, "guarded", required_approvals=10)
            promoted = self._promote(name, "production")
            builds.UpdateBuild(
                builds_pb2.UpdateBuildRequest(
                    owner=OWNER, repo=name, build=promoted, status=builds_pb2.BUILD_STATUS_SUCCESS
                )
            )
            self.blocked[name] = self._promote(name, "guarded")
        for login, (repo, level) in GRANTS.items():
            for name in [repo] if repo else VISIBILITIES:
                access.GrantAccess(pb.GrantAccessRequest(owner=OWNER, repo=name, login=login, level=level))

    def _declare(self, repo: str, name: str, **rules: object) -> None:
        environment = env.Environment(name=name, **rules)  # type: ignore[arg-type]
        request = env.CreateEnvironmentRequest(owner=OWNER, repo=repo, environment=environment)
        self.server.environments().CreateEnvironment(request)

    def _promote(self, repo: str, target: str) -> int:
        request = builds_pb2.PromoteRequest(owner=OWNER, repo=repo, build=2, target=target)
        return self.server.builds().PromoteBuild(request).number

    def token(self, login: str, **cuts: object) -> Made:
        request = pb.CreateTokenRequest(login=login, **cuts)  # type: ignore[arg-type]
        made = self.server.access().CreateToken(request)
        return Made(made.secret, made.id)

    def channel(self, who: str, needed: str) -> tuple[grpc.Channel, int]:
        """A channel with the caller's token, and the id of another token of theirs."""
        key = (who, needed if who in WHO and WHO[who].cut_actions else "")
        if key not in self.channels:
            self.channels[key] = self._channel(who, needed)
        return self.channels[key]

    def _channel(self, who: str, needed: str) -> tuple[grpc.Channel, int]:
        if who == "anonymous":
            return self.server.channel(""), 1
        if who == "unknown token":
            return self.server.channel(UNKNOWN), 1
        if who == "revoked token":
            made = self.token("root")
            self.server.access().RevokeToken(pb.RevokeTokenRequest(id=made.token_id))
            return self.server.channel(made.secret), 1
        if who == "expired token":
            return self.server.channel(self.expired()), 1
        kind = WHO[who]
        cuts = {"repositories": kind.repositories, "actions": kind.actions(needed)}
        return self.server.channel(self.token(kind.login, **cuts).secret), self.token(
            kind.login, **cuts
        ).token_id

    def expired(self) -> str:
        """A site admin's token whose time is over."""
        soon = Timestamp()
        soon.GetCurrentTime()
        soon.FromMilliseconds(soon.ToMilliseconds() + 2000)
        made = self.token("root", expires=soon)
        access = self.server.access(made.secret)
        until(lambda: code_of(access.WhoAmI, pb.WhoAmIRequest()) != grpc.StatusCode.OK)
        return made.secret

    def request(self, key: str, who: str, repo: str, token_id: int) -> Message:
        """A request that succeeds for whoever may make it, as often as it is made."""
        name, _, owner_wide = key.partition(" ")
        kind = RPCS[name].input_type
        fields: dict[str, object] = {}
        if "owner" in kind.fields_by_name and rule(RPCS[name]).scope != pb.ACCESS_SCOPE_VISIBLE:
            fields = {"owner": OWNER}
            if "repo" in kind.fields_by_name:
                fields["repo"] = "*" if owner_wide else repo
        if "build" in kind.fields_by_name:
            # The second one has ended.
            fields["build"] = 2 if name in ("RetryBuild", "CancelBuild") else 1
        for key_field in ("stage_id", "step_id"):
            if key_field in kind.fields_by_name:
                fields[key_field] = NO_STAGE
        if name in ("AcquireStage", "AcceptStage"):
            fields["machine"] = "m1"
        if name == "WatchBuilds":
            fields["cursor"] = "00000000-0"
        if name == "SettleEnvironment":
            fields |= {"environment": "production", "build": 0}
        if name in ("GetDeployment", "GetEnvironment", "ListDeploymentHistory", "GetDeliveryFigures"):
            fields["environment"] = "production"
        fields |= self._of_rules(name, str(fields.get("repo", "")))
        if name in ("PromoteBuild", "ExplainPromotion", "DiffPromotion"):
            fields["target"] = "production"
        elif name in ("SetSecret", "GetSecret", "DeleteSecret"):
            fields |= self._of_secret(name, str(fields["repo"]))
        elif name == "UpdateRepository":
            fields["update_mask"] = FieldMask(paths=["link"])
        elif name == "CreateRepository":
            fields["repo"] = self.names()
        elif name == "CreateUser":
            fields["login"] = self.names()
        elif name == "UpdateUser":
            fields |= {"login": "somebody", "update_mask": FieldMask(paths=["email"])}
        elif name == "CreateToken" and who in WHO:
            # No wider than the caller's own.
            fields["repositories"] = WHO[who].repositories
            fields["actions"] = WHO[who].actions("ADMIN")
        elif name == "RevokeToken":
            fields["id"] = token_id
        elif name in ("GrantAccess", "RevokeAccess"):
            fields["login"] = "somebody"
        if name == "GrantAccess":
            fields["level"] = pb.ACCESS_LEVEL_READ
        return message(kind, **fields)

    def _of_secret(self, name: str, repo: str) -> dict[str, object]:
        """What a request has that is about a secret."""
        fields: dict[str, object] = {"name": self.names()}
        if name == "SetSecret":
            return {**fields, "value": "hidden"}
        if repo in (*VISIBILITIES, "*"):
            set_request = secrets_pb2.SetSecretRequest(owner=OWNER, repo=repo, value="hidden")
            set_request.name = str(fields["name"])
            self.server.secret_service().SetSecret(set_request)
        return fields

    def _of_rules(self, name: str, repo: str) -> dict[str, object]:
        """What a request has that is about environments and what waits for them."""
        if name == "RehearsePolicy":
            return {"environment": env.Environment(name="production")}
        if name == "CreateEnvironment":
            return {"environment": env.Environment(name=self.names())}
        if name == "UpdateEnvironment":
            there = env.Environment(name="production", description=self.names())
            return {"environment": there, "update_mask": FieldMask(paths=["description"])}
        if name in ("DeleteEnvironment", "HoldEnvironment", "ResumeEnvironment"):
            # Nothing is promoted there.
            environment = self.names()
            if repo in VISIBILITIES:
                self._declare(repo, environment)
            if name == "ResumeEnvironment" and repo in (*VISIBILITIES, "*"):
                held = env.HoldEnvironmentRequest(owner=OWNER, repo=repo, environment=environment)
                held.reason = "a test"
                self.server.environments().HoldEnvironment(held)
            reason = {"reason": "a test"} if name == "HoldEnvironment" else {}
            return {"environment": environment, **reason}
        if name == "RollbackBuild":
            return {"target": "production", "build": 2}
        if name == "ApproveBuild":
            return {"build": self.blocked.get(repo, 1)}
        if name == "DeclineBuild":
            return {"build": self._promote(repo, "guarded") if repo in VISIBILITIES else 1}
        return {}
