"""A repository whose environments have rules: to declare, hold, approve and roll back in a line each."""

from typing import Self

from google.protobuf.field_mask_pb2 import FieldMask
from shiplift.v1 import builds_pb2 as api
from shiplift.v1 import environments_pb2 as pb

from tests.support.patience import until
from tests.support.repository import Repository
from tests.support.staged import PENDING, SUCCESS, pipelines

QUEUE, SUPERSEDE, REJECT = (
    pb.QUEUE_POLICY_QUEUE,
    pb.QUEUE_POLICY_SUPERSEDE,
    pb.QUEUE_POLICY_REJECT,
)


class Gated(Repository):
    """The same repository and caller; the fields that a call is given go into its request."""

    @classmethod
    def caller_of(cls, repository: Repository) -> Self:
        """The repository, by the same caller."""
        return cls(repository.server, repository.owner, repository.name, repository.token)

    def by(self, token: str) -> "Gated":
        """The repository as the token's user sees it."""
        return Gated(self.server, self.owner, self.name, token)

    def released(self, **fields: object) -> int:
        """The number of a recorded build that succeeded."""
        return self.record(status=SUCCESS, **fields).number

    def delivered(self, build: int, target: str = "production", **fields: object) -> int:
        """The number of a promotion that succeeded."""
        number = self.promote(build, target, **fields).number
        self.report(number, SUCCESS)
        return number

    def declare(self, name: str = "production", **rules: object) -> pb.Environment:
        """CreateEnvironment."""
        said = pb.Environment(name=name, **rules)  # type: ignore[arg-type]
        return self.server.environments(self.token).CreateEnvironment(
            pb.CreateEnvironmentRequest(owner=self.owner, repo=self.name, environment=said)
        )

    def change(self, name: str = "production", **rules: object) -> pb.Environment:
        """UpdateEnvironment of what is given."""
        said = pb.Environment(name=name, **rules)  # type: ignore[arg-type]
        return self.server.environments(self.token).UpdateEnvironment(
            pb.UpdateEnvironmentRequest(
                owner=self.owner, repo=self.name, environment=said, update_mask=FieldMask(paths=[*rules])
            )
        )

    def withdraw(self, name: str = "production") -> pb.Environment:
        """DeleteEnvironment."""
        return self.server.environments(self.token).DeleteEnvironment(
            pb.DeleteEnvironmentRequest(owner=self.owner, repo=self.name, environment=name)
        )

    def hold(self, environment: str = "production", **fields: object) -> pb.Hold:
        """HoldEnvironment."""
        fields = {"owner": self.owner, "repo": self.name, "reason": "incident", **fields}
        request = pb.HoldEnvironmentRequest(environment=environment, **fields)  # type: ignore[arg-type]
        return self.server.environments(self.token).HoldEnvironment(request)

    def resume(self, environment: str = "production", **fields: object) -> pb.Hold:
        """ResumeEnvironment."""
        fields = {"owner": self.owner, "repo": self.name, **fields}
        request = pb.ResumeEnvironmentRequest(environment=environment, **fields)  # type: ignore[arg-type]
        return self.server.environments(self.token).ResumeEnvironment(request)

    def settle(self, build: int, environment: str = "production") -> pb.Deployment:
        """SettleEnvironment."""
        return self.server.environments(self.token).SettleEnvironment(
            pb.SettleEnvironmentRequest(
                owner=self.owner, repo=self.name, environment=environment, build=build
            )
        )

    def stands(self, environment: str = "production") -> pb.Deployment:
        """GetDeployment."""
        return self.server.environments(self.token).GetDeployment(
            pb.GetDeploymentRequest(owner=self.owner, repo=self.name, environment=environment)
        )

    def rollback(self, target: str = "production", **fields: object) -> api.Build:
        """RollbackBuild."""
        request = api.RollbackRequest(owner=self.owner, repo=self.name, target=target, **fields)  # type: ignore[arg-type]
        return self.builds.RollbackBuild(request)

    def approve(self, build: int, **fields: object) -> api.Build:
        """ApproveBuild."""
        request = api.ApproveBuildRequest(owner=self.owner, repo=self.name, build=build, **fields)  # type: ignore[arg-type]
        return self.builds.ApproveBuild(request)

    def decline(self, build: int, **fields: object) -> api.Build:
        """DeclineBuild."""
        request = api.DeclineBuildRequest(owner=self.owner, repo=self.name, build=build, **fields)  # type: ignore[arg-type]
        return self.builds.DeclineBuild(request)

    def cancel(self, build: int) -> api.Build:
        """CancelBuild."""
        return self.builds.CancelBuild(
            api.CancelBuildRequest(owner=self.owner, repo=self.name, build=build)
        )

    def retry(self, build: int, **fields: object) -> api.Build:
        """RetryBuild."""
        request = api.RetryBuildRequest(owner=self.owner, repo=self.name, build=build, **fields)  # type: ignore[arg-type]
        return self.builds.RetryBuild(request)

    def went(self, build: int, seconds: float = 10) -> api.Build:
        """The build, once it was let go, as soon as gates are to be open for it."""
        return until(lambda: found if goes(found := self.get(build)) else None, seconds)


def goes(build: api.Build) -> bool:
    """Whether it was let go, and no runner has taken it yet."""
    return build.status == PENDING and any(stage.status == PENDING for stage in build.stages)


def verdicts(build: api.Build, *results: "api.GateResult") -> dict[str, str]:
    """The reasons of those gates that said so."""
    return {verdict.gate: verdict.reason for verdict in build.verdicts if verdict.result in results}


def both() -> str:
    """A pipeline file for promotions and rollbacks."""
    return pipelines({"name": "deploy", "trigger": {"event": ["promote", "rollback"]}})
