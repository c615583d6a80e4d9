"""Drone's routes about the caller, repositories and their badges: a handler each, over our rpcs."""

from collections.abc import Mapping
from typing import Any

import grpc
import grpc.aio
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from shiplift.v1 import access_pb2, builds_pb2

from shipliftd import __version__
from shipliftd.gateway import badges
from shipliftd.gateway.exchange import Exchange
from shipliftd.gateway.failures import Failure, invalid
from shipliftd.gateway.shapes import REPO, USER, Form, Json, each, words_of

A_PAGE = 1000
MOST_PAGES = 100

_STATUS = words_of(builds_pb2.DESCRIPTOR.enum_types_by_name["BuildStatus"])
_VISIBILITIES = {
    word: number
    for number, word in words_of(access_pb2.DESCRIPTOR.enum_types_by_name["Visibility"]).items()
    if number
}
VERSION = Form("Version", {key: {"type": "string"} for key in ("source", "version", "commit")})
# What can be changed, in the words of UpdateRepository's mask.
_ADDRESS: Json = {"type": ["string", "null"], "maxLength": 2000}
_FLAG: Json = {"type": ["boolean", "null"]}
SETTINGS: Mapping[str, Json] = {
    "active": _FLAG,
    "config_path": {"type": ["string", "null"], "maxLength": 1000},
    "default_branch": {"type": ["string", "null"], "maxLength": 255},
    "git_http_url": _ADDRESS,
    "git_ssh_url": _ADDRESS,
    "link": _ADDRESS,
    "runner_secrets": _FLAG,
    "timeout": {"type": ["integer", "null"], "minimum": 0, "maximum": 10080},
    "visibility": {"type": ["string", "null"], "enum": [*_VISIBILITIES, None]},
}
_KIND = {"active": bool, "runner_secrets": bool, "timeout": int}
_KIND_WORD = {bool: "true or false", int: "a whole number", str: "a text"}


async def user(exchange: Exchange) -> Json:
    """GET /api/user."""
    found = await exchange.call(exchange.access.WhoAmI, access_pb2.WhoAmIRequest())
    return USER.json(found.user)


async def repositories(exchange: Exchange) -> list[Json]:
    """GET and POST /api/user/repos: all that the caller can read; there is nothing to synchronise."""
    await exchange.call(exchange.access.WhoAmI, access_pb2.WhoAmIRequest())
    request = access_pb2.ListRepositoriesRequest(page_size=A_PAGE)
    found: list[access_pb2.Repository] = []
    for _ in range(MOST_PAGES):
        page = await exchange.call(exchange.access.ListRepositories, request)
        found += page.repositories
        if not page.next_page_token:
            return each(REPO, found)
        request.page_token = page.next_page_token
    raise Failure(
        501, grpc.StatusCode.UNIMPLEMENTED, f"over {len(found)} repositories: page through ListRepositories"
    )


async def repository(exchange: Exchange) -> Json:
    """GET /api/repos/O/N."""
    return REPO.json(await found(exchange))


async def found(exchange: Exchange) -> access_pb2.Repository:
    """The repository that the path names. Raises AioRpcError."""
    request = access_pb2.GetRepositoryRequest(**exchange.repository)
    return await exchange.call(exchange.access.GetRepository, request)


async def enable(exchange: Exchange) -> Json:
    """POST /api/repos/O/N: registers the repository; one that is there and disabled is enabled."""
    request = access_pb2.CreateRepositoryRequest(**exchange.repository, request_id=exchange.request_id)
    try:
        there = await found(exchange)
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.NOT_FOUND:
            raise
        missing = error.details() or ""
    else:
        return REPO.json(there) if there.active else await _update(exchange, {"active": True})
    try:
        made = await exchange.call(exchange.access.CreateRepository, request)
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.PERMISSION_DENIED:
            raise
        # Said of what is hidden as of what is not there.
        told = f"{missing}; if it is not registered yet, a site admin can do it: {error.details()}"
        raise Failure(403, error.code(), told) from None
    return REPO.json(made)


async def update(exchange: Exchange) -> Json:
    """PATCH /api/repos/O/N: changes the settings that the body names; null, as Drone sends it: none."""
    said = {name: value for name, value in (await exchange.json()).items() if value is not None}
    for name, value in said.items():
        if name not in SETTINGS:
            # What is shown as off can be said to be off.
            if value in (False, 0):
                continue
            raise invalid(f"{name[:60]}: cannot be changed here: wanted {', '.join(SETTINGS)}")
        kind = _KIND.get(name, str)
        if type(value) is not kind:
            raise invalid(f"{name}: wanted {_KIND_WORD[kind]}")
    return await _update(exchange, {name: value for name, value in said.items() if name in SETTINGS})


async def disable(exchange: Exchange) -> Json:
    """DELETE /api/repos/O/N: takes no more builds there; all that is there stays."""
    if exchange.query.get("remove") == "true":
        await found(exchange)
        told = (
            "repositories are not removed, so that their history stays: without remove=true it is disabled"
        )
        raise Failure(501, grpc.StatusCode.UNIMPLEMENTED, told)
    return await _update(exchange, {"active": False})


async def _update(exchange: Exchange, settings: dict[str, Any]) -> Json:
    if not settings:
        return await repository(exchange)
    paths = [*settings]
    if "visibility" in settings:
        word = settings["visibility"]
        if word not in _VISIBILITIES:
            raise invalid(f"visibility: {word[:60]!r} is none: wanted {', '.join(_VISIBILITIES)}")
        settings = {**settings, "visibility": _VISIBILITIES[word]}
    if "timeout" in settings:
        if not -(2**31) <= (minutes := settings["timeout"]) < 2**31:
            raise invalid("timeout: wanted minutes, 1 to 10080")
        # 0 is the default.
        settings = {**settings, "timeout": Duration(seconds=60 * minutes) if minutes else None}
    request = access_pb2.UpdateRepositoryRequest(
        **exchange.repository,
        update_mask=FieldMask(paths=paths),
        repository=access_pb2.Repository(**settings),
        request_id=exchange.request_id,
    )
    changed = await exchange.call(exchange.access.UpdateRepository, request)
    return REPO.json(changed)


async def badge(exchange: Exchange) -> bytes:
    """GET /api/badges/O/N/status.svg: how the newest build of a branch stands."""
    ref = exchange.query.get("ref") or ""
    if not ref:
        branch = exchange.query.get("branch") or (await found(exchange)).default_branch
        ref = f"refs/heads/{branch}"
    request = builds_pb2.ListBuildsRequest(**exchange.repository, ref=ref, page_size=1)
    builds = (await exchange.call(exchange.builds.ListBuilds, request)).builds
    return badges.svg(_STATUS[builds[0].status] if builds else "none")


async def version(_exchange: Exchange) -> Json:
    """GET /version."""
    return {"source": "", "version": __version__, "commit": ""}
