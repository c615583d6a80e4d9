"""Calls that wait: for a build to move, for lines of a log."""

from collections.abc import Iterator
from typing import Any

from shiplift.v1 import builds_pb2 as api

from tests.support.patience import SECONDS
from tests.support.repository import Repository


def tail(
    repository: Repository,
    position: int = 0,
    *,
    timeout: float = SECONDS,
    **fields: Any,  # noqa: ANN401
) -> Iterator[api.TailLogResponse]:
    fields = {"build": 2, "stage": 1, "step": 1, **fields}
    request = api.TailLogRequest(owner=repository.owner, repo=repository.name, position=position, **fields)
    return repository.builds.TailLog(request, timeout=timeout)


def asking(repository: Repository, build: int, seen_version: int = 0) -> api.WaitBuildRequest:
    return api.WaitBuildRequest(
        owner=repository.owner, repo=repository.name, build=build, seen_version=seen_version
    )


def waiting(repository: Repository, build: int, seen_version: int, timeout: float = SECONDS) -> Any:  # noqa: ANN401
    """WaitBuild that has reached the server, as a future."""
    future = repository.builds.WaitBuild.future(asking(repository, build, seen_version), timeout=timeout)
    # Behind it on the same connection.
    assert repository.get(build).number == build
    return future
