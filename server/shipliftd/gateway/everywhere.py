"""Drone's routes about all repositories that the caller may read."""

from collections.abc import AsyncIterator, Iterable, Mapping

from shiplift.v1 import access_pb2, builds_pb2

from shipliftd.gateway.exchange import Exchange
from shipliftd.gateway.shapes import BUILD, REPO, STAGE, Form, Json, words_of

# As many as Drone shows.
_RECENT = 25
_MOST_BUILDS = 1000
_STATUS = words_of(builds_pb2.DESCRIPTOR.enum_types_by_name["BuildStatus"])
_GOES_ON = (builds_pb2.BUILD_STATUS_PENDING, builds_pb2.BUILD_STATUS_RUNNING)
# What people must look at is incomplete, too; but no queue has it, by which machines are started.
_INCOMPLETE = (builds_pb2.BUILD_STATUS_BLOCKED, *_GOES_ON)

_TEXT: Json = {"type": "string"}
_NUMBER: Json = {"type": "integer"}
# A stage that waits or runs, with its build and its repository.
BUILD_STAGE = Form(
    "RepoBuildStage",
    {
        **dict.fromkeys(("repo_namespace", "repo_name", "repo_slug"), _TEXT),
        "build_number": _NUMBER,
        **dict.fromkeys(("build_author", "build_author_name", "build_author_email"), _TEXT),
        **dict.fromkeys(("build_author_avatar", "build_sender"), _TEXT),
        **dict.fromkeys(("build_started", "build_finished", "build_created", "build_updated"), _NUMBER),
        **dict.fromkeys(("stage_name", "stage_kind", "stage_type", "stage_status", "stage_machine"), _TEXT),
        **dict.fromkeys(("stage_os", "stage_arch", "stage_variant", "stage_kernel"), _TEXT),
        # Texts, too, on Drone's wire.
        **dict.fromkeys(("stage_limit", "stage_limit_repo"), _TEXT),
        **dict.fromkeys(("stage_started", "stage_stopped"), _NUMBER),
    },
)


async def recent(exchange: Exchange) -> list[Json]:
    """GET /api/user/builds: the newest builds, each in its repository."""
    request = builds_pb2.ListBuildsRequest(page_size=_RECENT)
    return await _in_repositories(exchange, [build async for build in _listed(exchange, request, _RECENT)])


async def incomplete(exchange: Exchange) -> list[Json]:
    """GET /api/builds/incomplete: builds that wait or run, newest first, each in its repository."""
    return await _in_repositories(exchange, [build async for build in _of(exchange, _INCOMPLETE)])


async def incomplete_stages(exchange: Exchange) -> list[Json]:
    """GET /api/builds/incomplete/v2: stages that wait or run, of the newest build first."""
    return [
        _flat(build, stage)
        async for build in _of(exchange, _GOES_ON)
        for stage in build.stages
        if stage.status in _GOES_ON
    ]


async def queue(exchange: Exchange) -> list[Json]:
    """GET /api/queue: stages that wait or run, the oldest first."""
    stages = [stage async for build in _of(exchange, _GOES_ON) for stage in build.stages]
    stages.sort(key=lambda stage: stage.id)
    return [STAGE.json(stage) for stage in stages if stage.status in _GOES_ON]


def _of(exchange: Exchange, statuses: Iterable[builds_pb2.BuildStatus]) -> AsyncIterator[builds_pb2.Build]:
    request = builds_pb2.ListBuildsRequest(
        statuses=statuses, view=builds_pb2.BUILD_VIEW_FULL, page_size=_MOST_BUILDS
    )
    return _listed(exchange, request, _MOST_BUILDS)


async def _listed(
    exchange: Exchange, request: builds_pb2.ListBuildsRequest, most: int
) -> AsyncIterator[builds_pb2.Build]:
    """So many builds at the most."""
    while most > 0:
        page = await exchange.call(exchange.builds.ListBuilds, request)
        for build in page.builds[:most]:
            yield build
        most -= len(page.builds)
        request.page_token = page.next_page_token
        if not page.next_page_token:
            return


async def _in_repositories(exchange: Exchange, builds: list[builds_pb2.Build]) -> list[Json]:
    repositories: dict[int, Json] = {}
    for build in builds:
        if build.repo_id not in repositories:
            request = access_pb2.GetRepositoryRequest(owner=build.owner, repo=build.repo)
            found = await exchange.call(exchange.access.GetRepository, request)
            repositories[build.repo_id] = REPO.json(found)
    listed = []
    for build in builds:
        build.ClearField("stages")
        listed.append({**repositories[build.repo_id], "build": BUILD.json(build)})
    return listed


def _flat(build: builds_pb2.Build, stage: builds_pb2.Stage) -> Json:
    of: Mapping[str, object] = {
        "repo_namespace": build.owner,
        "repo_name": build.repo,
        "repo_slug": f"{build.owner}/{build.repo}",
        "build_number": build.number,
        "build_author": build.author_login,
        "build_author_name": build.author_name,
        "build_author_email": build.author_email,
        "build_author_avatar": build.author_avatar,
        "build_sender": build.sender,
        "build_started": build.started.seconds,
        "build_finished": build.finished.seconds,
        "build_created": build.created.seconds,
        "build_updated": build.updated.seconds,
        "stage_name": stage.name,
        "stage_kind": stage.kind,
        "stage_type": stage.type,
        "stage_status": _STATUS[stage.status],
        "stage_machine": stage.machine,
        "stage_os": stage.os,
        "stage_arch": stage.arch,
        "stage_variant": stage.variant,
        "stage_kernel": stage.kernel,
        "stage_limit": str(stage.limit or ""),
        "stage_limit_repo": str(stage.throttle or ""),
        "stage_started": stage.started.seconds,
        "stage_stopped": stage.stopped.seconds,
    }
    return dict(of)
