"""A repository with a pipeline, and a runner that takes its stages and reports, each in one line."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import grpc
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as api
from shiplift.v1 import stages_pb2 as pb
from shiplift.v1.stages_pb2_grpc import StageServiceStub

from tests.support.beside import opened
from tests.support.harness import Shipliftd
from tests.support.patience import before_deadline
from tests.support.pipeline_files import file
from tests.support.refusals import code_of
from tests.support.repository import Repository

RUNNING, SUCCESS, FAILURE = api.BUILD_STATUS_RUNNING, api.BUILD_STATUS_SUCCESS, api.BUILD_STATUS_FAILURE
PENDING, WAITING = api.BUILD_STATUS_PENDING, api.BUILD_STATUS_WAITING_ON_DEPENDENCIES
ERROR, KILLED, SKIPPED = api.BUILD_STATUS_ERROR, api.BUILD_STATUS_KILLED, api.BUILD_STATUS_SKIPPED
# A runner that waits for less than this is told at once that there is nothing.
AT_ONCE = 1.3


@dataclass
class Runner:
    """A runner or deployer with its token."""

    server: Shipliftd
    token: str
    machine: str = "box"

    def __post_init__(self) -> None:
        """Opens the channel."""
        self.stages = StageServiceStub(self.server.channel(self.token))

    def wants(self, **want: object) -> pb.AcquireStageRequest:
        """A request for AcquireStage."""
        return pb.AcquireStageRequest(**{"machine": self.machine, **want})  # type: ignore[arg-type]

    def waiting(self, seconds: float = 20.0, **want: object) -> Any:  # noqa: ANN401  # a future, which stubs lack
        """AcquireStage that has reached the server, as a future of its answer."""
        future = self.stages.AcquireStage.future(self.wants(**want), timeout=seconds)
        # Behind it on the same connection.
        assert code_of(self.lease, 2**62) == grpc.StatusCode.NOT_FOUND
        return future

    def offered(self, seconds: float = 20.0, **want: object) -> str:
        """The name of the stage that is offered; '' without one."""
        request = self.wants(**want)
        answer = before_deadline(lambda left: self.stages.AcquireStage(request, timeout=left), seconds)
        return answer.offer.name

    def accept(self, stage: int, **fields: object) -> pb.StageLease:
        """AcceptStage."""
        fields = {"machine": self.machine, **fields}
        return self.stages.AcceptStage(pb.AcceptStageRequest(stage_id=stage, **fields))  # type: ignore[arg-type]

    def take(self, **want: object) -> pb.StageLease:
        """AcquireStage, and AcceptStage of what is offered."""
        answer = self.stages.AcquireStage(self.wants(**want))
        assert answer.HasField("offer"), "there was no stage"
        return self.accept(answer.offer.id)

    def lease(self, stage: int, lease_token: str = "") -> pb.StageLease:
        """GetLease."""
        return self.stages.GetLease(pb.GetLeaseRequest(stage_id=stage, lease_token=lease_token))

    def report(
        self, stage: int, status: api.BuildStatus = api.BUILD_STATUS_UNSPECIFIED, **fields: object
    ) -> api.Stage:
        """UpdateStage."""
        return self.stages.UpdateStage(
            pb.UpdateStageRequest(stage_id=stage, status=status, **fields)  # type: ignore[arg-type]
        )

    def report_step(
        self, step: int, status: api.BuildStatus = api.BUILD_STATUS_UNSPECIFIED, **fields: object
    ) -> api.Step:
        """UpdateStep."""
        return self.stages.UpdateStep(
            pb.UpdateStepRequest(step_id=step, status=status, **fields)  # type: ignore[arg-type]
        )

    def append(self, step: int, first: int, *texts: str, **fields: object) -> int:
        """AppendLog; the next position."""
        lines = [
            api.LogLine(text=text, time=timedelta(seconds=first + n, milliseconds=7))
            for n, text in enumerate(texts)
        ]
        request = pb.AppendLogRequest(step_id=step, first_position=first, lines=lines, **fields)  # type: ignore[arg-type]
        return self.stages.AppendLog(request).next_position


@dataclass
class Staged:
    """A repository, and a runner whose token is cut to it."""

    repository: Repository
    runner: Runner

    @classmethod
    def of(cls, repository: Repository) -> "Staged":
        """Makes the runner's user and token."""
        return cls(repository, runner_of(repository, f"runner-{repository.name}"))

    def promoted(
        self, *documents: dict[str, Any], target: str = "production", **fields: object
    ) -> api.Build:
        """A promotion of a build with a file of these pipelines; of one exec pipeline without any."""
        recorded = self.repository.record(pipeline=pipelines(*documents), status=SUCCESS)
        return self.repository.promote(recorded.number, target, **fields)

    def running(
        self, *documents: dict[str, Any], target: str = "production", **fields: object
    ) -> pb.StageLease:
        """A promotion whose first stage the runner has taken and reported to run."""
        lease = self.runner.accept(self.promoted(*documents, target=target, **fields).stages[0].id)
        self.runner.report(lease.stage.id, RUNNING)
        return lease

    def stepping(self, *names: str) -> list[api.Step]:
        """The steps, reported to run, of such a stage."""
        stage = self.runner.accept(self.promoted().stages[0].id).stage
        steps = [
            pb.StepReport(number=n, name=name, status=RUNNING)
            for n, name in enumerate(names or ("only",), start=1)
        ]
        return list(self.runner.report(stage.id, RUNNING, steps=steps).steps)

    def external(self, target: str = "production", **fields: object) -> api.Build:
        """A promotion of a build without a pipeline file."""
        return self.repository.promote(self.repository.record(status=SUCCESS).number, target, **fields)


def runner_of(repository: Repository, login: str, **cuts: object) -> Runner:
    """A new user with write on the repository, and a runner's token, cut to it unless told otherwise."""
    cuts = {"repositories": [repository.slug], **cuts}
    token = repository.server.user(
        login, repository.slug, access_pb2.ACCESS_LEVEL_WRITE, actions=[access_pb2.TOKEN_ACTION_RUN], **cuts
    )
    return Runner(repository.server, token)


def pipelines(*documents: dict[str, Any]) -> str:
    """A file of these pipelines, which are exec ones for promotions unless they say otherwise."""
    usual = {"type": "exec", "trigger": {"event": "promote"}}
    return file(*({**usual, **document} for document in documents or ({"name": "deploy"},)))


def statuses(build: api.Build) -> dict[str, str]:
    """How far each stage is, by name."""
    return {stage.name: word(stage.status) for stage in build.stages}


def word(status: api.BuildStatus) -> str:
    """A status as people read it."""
    return api.BuildStatus.Name(status).removeprefix("BUILD_STATUS_").lower()


def stored(server: Shipliftd, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Reads the file beside the server, or changes it, as no server would."""
    with opened(server.database) as other:
        cursor = other.execute(statement, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall() if cursor.description else []
        return rows


def lose(server: Shipliftd, *stages: int) -> None:
    """Lets the leases of stages end now."""
    for stage in stages:
        stored(server, "UPDATE stages SET lease_expires = 1 WHERE id = ? AND lease_expires > 0", stage)
