"""A repository on a real server, and its builds as one caller sees them."""

from dataclasses import dataclass

import grpc
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb

from tests.support.harness import Shipliftd

COMMIT = "9fc1ad6ebf12462f3f9773003e26b4c6f54a772e"
BEGUN = Timestamp(seconds=1_564_085_874, nanos=123_000_000)
ENDED = Timestamp(seconds=1_564_085_999, nanos=1_000_000)
# What UpdateRepository changes, as its refusals list it.
CHANGEABLE = ", ".join(
    (
        *("active", "config_path", "default_branch", "git_http_url", "git_ssh_url", "link"),
        *("runner_secrets", "timeout", "visibility"),
    )
)


@dataclass
class Repository:
    """One repository and one caller; the fields that a call is given go into its request."""

    server: Shipliftd
    owner: str
    name: str
    token: str | None = None

    def __post_init__(self) -> None:
        """Opens the channel."""
        self.builds = self.server.builds(self.token)

    @classmethod
    def make(cls, server: Shipliftd, owner: str, name: str) -> "Repository":
        """Makes a private repository."""
        server.access().CreateRepository(access_pb2.CreateRepositoryRequest(owner=owner, repo=name))
        return cls(server, owner, name)

    @property
    def slug(self) -> str:
        """`owner/name`."""
        return f"{self.owner}/{self.name}"

    def of(
        self, login: str, level: access_pb2.AccessLevel = access_pb2.ACCESS_LEVEL_UNSPECIFIED
    ) -> "Repository":
        """The repository as a new user sees it who has this level there."""
        token = self.server.user(login, self.slug if level else "", level)
        return Repository(self.server, self.owner, self.name, token)

    def seen_by(self, token: str) -> "Repository":
        """The repository as the token's user sees it."""
        return Repository(self.server, self.owner, self.name, token)

    def counter(self) -> int:
        """How far the repository has counted."""
        request = access_pb2.GetRepositoryRequest(owner=self.owner, repo=self.name)
        return self.server.access().GetRepository(request).counter

    def get(self, build: int) -> pb.Build:
        """GetBuild."""
        return self.builds.GetBuild(pb.GetBuildRequest(owner=self.owner, repo=self.name, build=build))

    def record(self, **fields: object) -> pb.Build:
        """CreateBuild."""
        return self.builds.CreateBuild(self.recording(**fields))

    def recording(self, **fields: object) -> pb.CreateBuildRequest:
        """A request for CreateBuild, of a commit: a build without one is not promoted."""
        fields = {"after": COMMIT, **fields}
        return pb.CreateBuildRequest(owner=self.owner, repo=self.name, **fields)  # type: ignore[arg-type]

    def promote(self, build: int, target: str = "production", **fields: object) -> pb.Build:
        """PromoteBuild."""
        return self.builds.PromoteBuild(self.promotion(build, target, **fields))

    def promotion(self, build: int, target: str = "production", **fields: object) -> pb.PromoteRequest:
        """A request for PromoteBuild."""
        return pb.PromoteRequest(
            owner=self.owner,
            repo=self.name,
            build=build,
            target=target,
            **fields,  # type: ignore[arg-type]
        )

    def report(
        self, build: int, status: pb.BuildStatus = pb.BUILD_STATUS_UNSPECIFIED, **fields: object
    ) -> pb.Build:
        """UpdateBuild."""
        return self.builds.UpdateBuild(
            pb.UpdateBuildRequest(
                owner=self.owner,
                repo=self.name,
                build=build,
                status=status,
                **fields,  # type: ignore[arg-type]
            )
        )

    def page(self, **fields: object) -> pb.ListBuildsResponse:
        """ListBuilds."""
        return self.builds.ListBuilds(self.listing(**fields))

    def listing(self, **fields: object) -> pb.ListBuildsRequest:
        """A request for ListBuilds."""
        return pb.ListBuildsRequest(owner=self.owner, repo=self.name, **fields)  # type: ignore[arg-type]

    def numbers(self, **filters: object) -> list[int]:
        """The numbers on the first page of ListBuilds."""
        return [build.number for build in self.page(**filters).builds]


def replayed(call: grpc.Call) -> bool:
    """Whether the answer says that an earlier call made what it returns."""
    return ("shiplift-replayed", "true") in tuple(call.trailing_metadata())


def changing(repository: Repository, *names: str, **settings: object) -> access_pb2.UpdateRepositoryRequest:
    """A request that changes the settings that are given, and those that are named."""
    return access_pb2.UpdateRepositoryRequest(
        owner=repository.owner,
        repo=repository.name,
        update_mask=FieldMask(paths=[*names, *settings]),
        repository=access_pb2.Repository(**settings),  # type: ignore[arg-type]
    )


def change(repository: Repository, *names: str, **settings: object) -> access_pb2.Repository:
    """UpdateRepository, as the site admin."""
    return repository.server.access().UpdateRepository(changing(repository, *names, **settings))
