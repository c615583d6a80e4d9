"""Drone's REST routes, so that its clients work unchanged: a handler each, over our rpcs.

The routes and what their clients need back are those of Drone 2.25 on the wire.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass

import grpc
import orjson
from shiplift.v1 import builds_pb2, environments_pb2

from shipliftd.gateway import everywhere, promotions, repositories, secrets
from shipliftd.gateway.absent import ABSENT_METHODS
from shipliftd.gateway.exchange import Exchange, number
from shipliftd.gateway.failures import Failure, invalid
from shipliftd.gateway.shapes import BUILD, LINE, REPO, STAGE, USER, Form, Json, Shape, listed

_PER_PAGE = 25
_MOST_PER_PAGE = 100
_MOST_SKIPPED = 1_000_000

REPOSITORY = "/api/repos/{owner}/{repo}"
BUILDS = f"{REPOSITORY}/builds"
ONE_BUILD = f"{BUILDS}/{{build}}"

SVG = "image/svg+xml"
# What is sent: as JSON, as it is, or nothing but that it is done.
Answer = Json | list[Json] | list[orjson.Fragment] | bytes | None
Handler = Callable[[Exchange], Awaitable[Answer]]


@dataclass(frozen=True)
class Operation:
    """A route: what answers it, and what the API's document says of it.

    `query` are the keys that mean something of themselves, with their words; with `parameters` every
    other key is a parameter for the pipeline's steps. Without an `answer` it is not in this release, unless
    it `is_silent`: then it says that it is done, and no more.
    """

    method: str
    path: str
    summary: str
    handler: Handler
    answer: Shape | Form | None = None
    kind: str = "application/json"
    is_list: bool = False
    is_silent: bool = False
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    parameters: bool = False
    form: bool = False
    body: Mapping[str, Json] | None = None


async def builds(exchange: Exchange) -> Answer:
    """GET builds: a page, newest first, without stages and parameters."""
    page, size = _whole(exchange.query.get("page")), _whole(exchange.query.get("per_page"))
    if not 1 <= size <= _MOST_PER_PAGE:
        size = _PER_PAGE
    skip = (max(page, 1) - 1) * size
    if skip > _MOST_SKIPPED:
        raise invalid(f"page: {page} is past build {_MOST_SKIPPED}: page through ListBuilds instead")
    request = builds_pb2.ListBuildsRequest(**exchange.repository, page_size=size, skip=skip)
    found: list[builds_pb2.Build] = []
    while True:
        # An rpc's page stops at 1 MiB.
        answer = await exchange.call(exchange.builds.ListBuilds, request)
        found += answer.builds
        if not answer.next_page_token or len(found) >= size:
            return [listed(build) for build in found]
        request.page_token, request.page_size = answer.next_page_token, size - len(found)
        request.ClearField("skip")


def _whole(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else 0


async def latest(exchange: Exchange) -> Answer:
    """GET builds/latest: the newest build of a branch, promotions of it included.

    Without a branch that of the default one or, where it has none, the newest of all.
    """
    named = exchange.query.get("branch")
    branch = named or (await repositories.found(exchange)).default_branch
    request = builds_pb2.ListBuildsRequest(**exchange.repository, ref=f"refs/heads/{branch}", page_size=1)
    found = (await exchange.call(exchange.builds.ListBuilds, request)).builds
    if not found and not named:
        request.ClearField("ref")
        found = (await exchange.call(exchange.builds.ListBuilds, request)).builds
    if not found:
        told = (
            f"no build of the branch {branch[:60]!r} is recorded" if named else "no build is recorded yet"
        )
        raise Failure(404, grpc.StatusCode.NOT_FOUND, told)
    return await _build(exchange, found[0].number)


async def build(exchange: Exchange) -> Answer:
    """GET builds/N."""
    return await _build(exchange, exchange.build)


async def _build(exchange: Exchange, wanted: int) -> Answer:
    request = builds_pb2.GetBuildRequest(**exchange.repository, build=wanted)
    found = await exchange.call(exchange.builds.GetBuild, request)
    return BUILD.json(found)


async def create(exchange: Exchange) -> Answer:
    """POST builds: a build that somebody asks for, of a branch's commit: runners do it."""
    params = exchange.query
    target, commit = params.pop("branch", ""), params.pop("commit", "")
    request = builds_pb2.CreateBuildRequest(
        **exchange.repository,
        event=builds_pb2.BUILD_EVENT_CUSTOM,
        run=True,
        after=commit,
        target=target,
        params=params,
        request_id=exchange.request_id,
    )
    made = await exchange.call(exchange.builds.CreateBuild, request)
    return BUILD.json(made)


async def restart(exchange: Exchange) -> Answer:
    """POST builds/N: a new build like it, with the query's parameters over its own."""
    request = builds_pb2.RetryBuildRequest(
        **exchange.repository,
        build=exchange.build,
        params=exchange.query,
        request_id=exchange.request_id,
    )
    made = await exchange.call(exchange.builds.RetryBuild, request)
    return BUILD.json(made)


async def stop(exchange: Exchange) -> Answer:
    """DELETE builds/N."""
    request = builds_pb2.CancelBuildRequest(
        **exchange.repository,
        build=exchange.build,
        request_id=exchange.request_id,
    )
    stopped = await exchange.call(exchange.builds.CancelBuild, request)
    return BUILD.json(stopped)


async def log(exchange: Exchange) -> Answer:
    """GET builds/N/logs/STAGE/STEP: what is there now."""
    answers = exchange.stream(exchange.builds.TailLog, await log_request(exchange))
    return [LINE.json(line) async for answer in answers for line in answer.lines]


async def log_request(exchange: Exchange) -> builds_pb2.TailLogRequest:
    """The step that the path names. Raises Failure."""
    place = {name: number(name, exchange.segment(name)) for name in ("build", "stage", "step")}
    if not all(place.values()):
        # Of the rpc these are all stages and steps, and Drone has no such route.
        await repositories.found(exchange)
        raise invalid("; ".join(f"{name}: is 0: wanted 1 or above" for name in place if not place[name]))
    return builds_pb2.TailLogRequest(
        **exchange.repository, build=place["build"], stage=place["stage"], step=place["step"]
    )


async def deployments(exchange: Exchange) -> Answer:
    """GET builds/deployments: the newest promotion or rollback to each environment, however it ended."""
    request = environments_pb2.ListDeploymentsRequest(**exchange.repository, page_size=repositories.A_PAGE)
    found: list[builds_pb2.Build] = []
    for _ in range(repositories.MOST_PAGES):
        page = await exchange.call(exchange.environments.ListDeployments, request)
        # To one that is declared nothing need have been promoted.
        found += (there.latest for there in page.deployments if there.HasField("latest"))
        if not page.next_page_token:
            return [listed(build) for build in found]
        request.page_token = page.next_page_token
    raise Failure(
        501, grpc.StatusCode.UNIMPLEMENTED, f"over {len(found)} environments: page through ListDeployments"
    )


def refused(told: str) -> Handler:
    """Answers 501 to whoever may look there; others are told what they always are."""

    async def handler(exchange: Exchange) -> Answer:
        await (repositories.found(exchange) if exchange.has_repository else repositories.user(exchange))
        raise Failure(501, grpc.StatusCode.UNIMPLEMENTED, told)

    return handler


_PAGE = (("page", "Which page, from 1 on."), ("per_page", "How many a page, 1 to 100; else 25."))
_KEY = ("Idempotency-Key", "Makes the call safe to repeat: the request_id of the rpc.")
_EXPECTED = (
    "Shiplift-Expected-Current",
    "The build that the caller believes to be in the environment, 0 for none; another one is 412.",
)
_TARGET = (("target", "The environment; in a urlencoded body, too."),)
_DESPITE = (("despite-lost", "The promotion that was lost on its way there: promote although it was."),)
_BRANCH = (("branch", "The branch; else the repository's default branch."),)

# The hot ones first: they are looked through in this order.
OPERATIONS = (
    Operation(
        "POST",
        f"{ONE_BUILD}/promote",
        "Promote a build to an environment",
        promotions.promote,
        BUILD,
        query=(*_TARGET, *_DESPITE),
        headers=(_KEY, _EXPECTED),
        parameters=True,
        form=True,
    ),
    Operation("GET", f"{BUILDS}/latest", "The newest build of a branch", latest, BUILD, query=_BRANCH),
    Operation(
        "GET",
        f"{BUILDS}/deployments",
        "The latest promotion or rollback to each environment",
        deployments,
        BUILD,
        is_list=True,
    ),
    Operation("GET", ONE_BUILD, "A build with its stages", build, BUILD),
    Operation("POST", ONE_BUILD, "Start a build again", restart, BUILD, headers=(_KEY,), parameters=True),
    Operation("DELETE", ONE_BUILD, "Stop a build", stop, BUILD, headers=(_KEY,)),
    Operation(
        "POST",
        f"{ONE_BUILD}/rollback",
        "Put a build back into an environment, by its number or that of its promotion there",
        promotions.rollback,
        BUILD,
        query=_TARGET,
        headers=(_KEY, _EXPECTED),
        parameters=True,
        form=True,
    ),
    Operation(
        "POST",
        f"{ONE_BUILD}/approve/{{stage}}",
        "Approve a promotion that is blocked: all of it, whichever stage is named",
        promotions.approve,
        is_silent=True,
        headers=(_KEY,),
    ),
    Operation(
        "POST",
        f"{ONE_BUILD}/decline/{{stage}}",
        "Decline a promotion that is blocked: all of it, whichever stage is named",
        promotions.decline_stage,
        is_silent=True,
        headers=(_KEY,),
    ),
    Operation(
        "POST",
        f"{ONE_BUILD}/decline",
        "Decline a promotion that is blocked",
        promotions.decline,
        is_silent=True,
        headers=(_KEY,),
    ),
    Operation("GET", f"{ONE_BUILD}/logs/{{stage}}/{{step}}", "A step's log", log, LINE, is_list=True),
    Operation("GET", BUILDS, "Builds, newest first", builds, BUILD, is_list=True, query=_PAGE),
    Operation(
        "POST",
        BUILDS,
        "Build a branch's commit",
        create,
        BUILD,
        query=(*_BRANCH, ("commit", "The commit, in hexadecimal digits; else the branch's newest.")),
        headers=(_KEY,),
        parameters=True,
    ),
    Operation("GET", REPOSITORY, "A repository", repositories.repository, REPO),
    Operation(
        "POST",
        REPOSITORY,
        "Register a repository, or enable it",
        repositories.enable,
        REPO,
        headers=(_KEY,),
    ),
    Operation(
        "PATCH",
        REPOSITORY,
        "Change a repository's settings",
        repositories.update,
        REPO,
        headers=(_KEY,),
        body=repositories.SETTINGS,
    ),
    Operation(
        "DELETE",
        REPOSITORY,
        "Disable a repository: it takes no more builds",
        repositories.disable,
        REPO,
        headers=(_KEY,),
    ),
    Operation(
        "GET",
        "/api/badges/{owner}/{repo}/status.svg",
        "How the newest build of a branch stands, as an image",
        repositories.badge,
        kind=SVG,
        query=(*_BRANCH, ("ref", "A git reference in the branch's place.")),
    ),
    Operation("GET", "/api/user", "The caller", repositories.user, USER),
    Operation(
        "GET",
        "/api/user/repos",
        "What the caller can read",
        repositories.repositories,
        REPO,
        is_list=True,
    ),
    Operation("POST", "/api/user/repos", "The same", repositories.repositories, REPO, is_list=True),
    Operation(
        "GET",
        "/api/user/builds",
        "The newest builds, in their repositories",
        everywhere.recent,
        REPO,
        is_list=True,
    ),
    Operation("GET", "/api/queue", "Stages that wait or run", everywhere.queue, STAGE, is_list=True),
    Operation(
        "GET",
        "/api/builds/incomplete",
        "Builds that wait or run, in their repositories",
        everywhere.incomplete,
        REPO,
        is_list=True,
    ),
    Operation(
        "GET",
        "/api/builds/incomplete/v2",
        "Stages that wait or run, with their builds",
        everywhere.incomplete_stages,
        everywhere.BUILD_STAGE,
        is_list=True,
    ),
    *(
        operation
        for path, of, listed_there in (
            (f"{REPOSITORY}/secrets", "a repository", secrets.listed),
            ("/api/secrets/{namespace}", "all repositories of an owner", secrets.listed_of_owner),
        )
        for operation in (
            Operation("GET", path, f"Secrets of {of}", listed_there, secrets.SECRET, is_list=True),
            Operation(
                "POST",
                path,
                f"Set a secret of {of}",
                secrets.create,
                secrets.SECRET,
                headers=(_KEY,),
                body=secrets.BODY,
            ),
            Operation("GET", f"{path}/{{name}}", f"A secret of {of}", secrets.found, secrets.SECRET),
            Operation(
                "PATCH",
                f"{path}/{{name}}",
                f"Change a secret of {of}",
                secrets.update,
                secrets.SECRET,
                headers=(_KEY,),
                body=secrets.BODY,
            ),
            Operation(
                "DELETE",
                f"{path}/{{name}}",
                f"Delete a secret of {of}",
                secrets.delete,
                is_silent=True,
                headers=(_KEY,),
            ),
        )
    ),
    Operation(
        "GET", "/api/secrets", "Secrets of owners", secrets.listed_everywhere, secrets.SECRET, is_list=True
    ),
    Operation("GET", "/version", "The release", repositories.version, repositories.VERSION),
    *(
        Operation(method, path, "Not here", refused(instead))
        for (method, path), instead in ABSENT_METHODS.items()
    ),
)


def by_path() -> Iterator[tuple[str, dict[str, Operation]]]:
    """The paths in their order, and the operations of each by method."""
    paths: dict[str, dict[str, Operation]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = operation
    yield from paths.items()
