"""A watch of builds, read as it comes."""

from typing import Any, NamedTuple

from shiplift.v1 import builds_pb2 as api

from tests.support.patience import SECONDS
from tests.support.repository import Repository
from tests.support.staged import word


class Seen(NamedTuple):
    """A change in short: what it is of, its status or what was done, and its version."""

    what: str
    status: str
    version: int = 0


def watch(repository: Repository, *, timeout: float = SECONDS, **fields: Any) -> Any:  # noqa: ANN401  # a stream
    """WatchBuilds of the repository, or of all with `owner=""`."""
    named = {"owner": repository.owner, "repo": repository.name, **fields}
    if not named["owner"]:
        named["repo"] = ""
    return repository.builds.WatchBuilds(api.WatchBuildsRequest(**named), timeout=timeout)


def begun(call: Any) -> tuple[list[api.Build], str]:  # noqa: ANN401
    """The builds of the snapshot, and the cursor behind it."""
    builds: list[api.Build] = []
    for response in call:
        if response.HasField("snapshot_end"):
            return builds, response.cursor
        assert (response.WhichOneof("told"), response.cursor) == ("snapshot", "")
        builds.append(response.snapshot)
    raise AssertionError("it ended in the snapshot")


def changes(call: Any, count: int) -> list[api.WatchBuildsResponse]:  # noqa: ANN401
    """So many changes that come next; heartbeats are left out."""
    found: list[api.WatchBuildsResponse] = []
    while len(found) < count:
        response = next(call)
        if not response.HasField("heartbeat"):
            assert response.HasField("change"), response
            found.append(response)
    return found


def short(response: api.WatchBuildsResponse) -> Seen:
    """A change in short."""
    change = response.change
    kind = change.WhichOneof("changed")
    if kind == "environment_action":
        action = api.EnvironmentAction.Name(change.environment_action).removeprefix("ENVIRONMENT_ACTION_")
        return Seen(change.environment, action.lower())
    moved = getattr(change, kind)
    where = {
        "moved_build": f"{change.build}",
        "moved_stage": f"{change.build}/{moved.number}",
        "moved_step": f"{change.build}/{change.stage}/{moved.number}",
    }
    return Seen(where[kind], word(moved.status), moved.version)
