"""What the tests of the daemon ask it."""

from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2_grpc
from shiplift.v1 import access_pb2, builds_pb2

from tests.support.beside import opened
from tests.support.harness import Shipliftd
from tests.support.repository import COMMIT


def record(server: Shipliftd) -> None:
    server.access().CreateRepository(access_pb2.CreateRepositoryRequest(owner="octocat", repo="app"))
    server.builds().CreateBuild(builds_pb2.CreateBuildRequest(owner="octocat", repo="app", after=COMMIT))


def promotion(request_id: str = "", **params: str) -> builds_pb2.PromoteRequest:
    return builds_pb2.PromoteRequest(
        owner="octocat", repo="app", build=1, target="production", request_id=request_id, params=params
    )


def promoted(database: Path) -> list[int]:
    """The numbers of the promotions in the file."""
    with opened(database) as store:
        rows = store.execute("SELECT number FROM builds WHERE event = 'promote' ORDER BY number")
        return [row[0] for row in rows]


def health_of(channel: grpc.Channel) -> Any:  # noqa: ANN401  # its type stubs know no methods
    return health_pb2_grpc.HealthStub(channel)


def reflection_of(channel: grpc.Channel) -> Any:  # noqa: ANN401  # its type stubs know no methods
    return reflection_pb2_grpc.ServerReflectionStub(channel)
