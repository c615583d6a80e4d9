"""A repository's environments, as one caller declares, holds and asks about them, each in one line."""

from dataclasses import dataclass
from typing import Any

from google.protobuf import json_format
from google.protobuf.field_mask_pb2 import FieldMask
from shiplift.v1 import builds_pb2 as api
from shiplift.v1 import environments_pb2 as pb

from tests.support.repository import Repository

_Explained = api.ExplainPromotionResponse


@dataclass
class Declared:
    """The environments of a repository; rules are given as their JSON has them."""

    repository: Repository

    def __post_init__(self) -> None:
        """Opens the channel."""
        self.stub = self.repository.server.environments(self.repository.token)

    @property
    def of(self) -> dict[str, Any]:
        """The repository, as requests name it."""
        return {"owner": self.repository.owner, "repo": self.repository.name}

    def declaring(self, name: str = "production", **rules: Any) -> pb.CreateEnvironmentRequest:  # noqa: ANN401
        """A request for CreateEnvironment."""
        return pb.CreateEnvironmentRequest(**self.of, environment=ruled(name, **rules))

    def declare(self, name: str = "production", **rules: Any) -> pb.Environment:  # noqa: ANN401
        """CreateEnvironment."""
        return self.stub.CreateEnvironment(self.declaring(name, **rules))

    def changing(self, name: str = "production", *names: str, **rules: Any) -> pb.UpdateEnvironmentRequest:  # noqa: ANN401
        """A request for UpdateEnvironment of the rules that are given, and those that are named."""
        mask = FieldMask(paths=[*names, *rules])
        return pb.UpdateEnvironmentRequest(**self.of, environment=ruled(name, **rules), update_mask=mask)

    def change(self, name: str = "production", *names: str, **rules: Any) -> pb.Environment:  # noqa: ANN401
        """UpdateEnvironment."""
        return self.stub.UpdateEnvironment(self.changing(name, *names, **rules))

    def get(self, name: str = "production") -> pb.Environment:
        """GetEnvironment."""
        return self.stub.GetEnvironment(pb.GetEnvironmentRequest(**self.of, environment=name))

    def delete(self, name: str = "production") -> pb.Environment:
        """DeleteEnvironment."""
        return self.stub.DeleteEnvironment(pb.DeleteEnvironmentRequest(**self.of, environment=name))

    def hold(self, name: str = "production", reason: str = "we look", **fields: Any) -> pb.Hold:  # noqa: ANN401
        """HoldEnvironment; of all environments where the name is empty."""
        return self.stub.HoldEnvironment(
            pb.HoldEnvironmentRequest(**{**self.of, "environment": name, "reason": reason, **fields})
        )

    def resume(self, name: str = "production", **fields: Any) -> pb.Hold:  # noqa: ANN401
        """ResumeEnvironment."""
        return self.stub.ResumeEnvironment(
            pb.ResumeEnvironmentRequest(**{**self.of, "environment": name, **fields})
        )

    def explain(self, build: int, target: str = "production", **fields: object) -> _Explained:
        """ExplainPromotion."""
        return self.repository.builds.ExplainPromotion(self.repository.promotion(build, target, **fields))

    def approve(self, build: int, **fields: Any) -> api.Build:  # noqa: ANN401
        """ApproveBuild."""
        return self.repository.builds.ApproveBuild(
            api.ApproveBuildRequest(**self.of, build=build, **fields)
        )


def ruled(name: str, **rules: Any) -> pb.Environment:  # noqa: ANN401
    """An environment with rules, as their JSON has them."""
    return json_format.ParseDict({"name": name, **rules}, pb.Environment())


def said(verdicts: Any) -> dict[str, str]:  # noqa: ANN401  # a repeated field
    """What each gate said that did not pass: the result, and why."""
    return {
        each.gate: f"{api.GateResult.Name(each.result).removeprefix('GATE_RESULT_').lower()}: {each.reason}"
        for each in verdicts
        if each.result != api.GATE_RESULT_PASSED
    }


def without_times(environment: pb.Environment) -> pb.Environment:
    """An environment but for when it was declared and changed."""
    copy = pb.Environment()
    copy.CopyFrom(environment)
    copy.ClearField("created")
    copy.ClearField("updated")
    return copy
