"""Drone's routes about secrets of repositories and of organisations, which are our owners."""

from collections.abc import Mapping
from typing import Any

import grpc
import grpc.aio
from shiplift.v1 import access_pb2, secrets_pb2

from shipliftd.gateway.exchange import Exchange
from shipliftd.gateway.failures import Failure, invalid
from shipliftd.gateway.repositories import A_PAGE, MOST_PAGES
from shipliftd.gateway.shapes import Form, Json

_FLAG: Json = {"type": ["boolean", "null"]}
# Drone has no secrets of environments: those are seen by ListSecrets, and not here.
SECRET = Form(
    "Secret",
    {
        "id": {"type": "integer"},
        "namespace": {"type": "string"},
        "name": {"type": "string"},
        "pull_request": {"type": "boolean"},
        "pull_request_push": {"type": "boolean"},
    },
)
BODY: Mapping[str, Json] = {
    "name": {"type": ["string", "null"], "maxLength": 100},
    "data": {"type": ["string", "null"], "maxLength": 65536},
    "pull_request": _FLAG,
    "pull_request_push": {"enum": [False, None]},
}


async def listed(exchange: Exchange) -> list[Json]:
    """GET /api/repos/O/N/secrets: those of the repository itself."""
    where = _where(exchange)
    return [_json(each) for each in await _all(exchange, where) if _is_of(each, where)]


async def listed_of_owner(exchange: Exchange) -> list[Json]:
    """GET /api/secrets/O: those of all of the owner's repositories."""
    return [_json(each) for each in await _all(exchange, _where(exchange))]


async def listed_everywhere(exchange: Exchange) -> list[Json]:
    """GET /api/secrets: the same of each owner of repositories of whose secrets the caller may know."""
    await exchange.call(exchange.access.WhoAmI, access_pb2.WhoAmIRequest())
    owners: dict[str, None] = {}
    request = access_pb2.ListRepositoriesRequest(page_size=A_PAGE)
    for _ in range(MOST_PAGES):
        page = await exchange.call(exchange.access.ListRepositories, request)
        owners |= dict.fromkeys(repository.owner for repository in page.repositories)
        request.page_token = page.next_page_token
        if not request.page_token:
            break
    found: list[Json] = []
    for owner in owners:
        try:
            found += map(_json, await _all(exchange, {"owner": owner, "repo": "*"}))
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.PERMISSION_DENIED:
                raise
    return found


async def found(exchange: Exchange) -> Json:
    """GET .../secrets/NAME."""
    request = secrets_pb2.GetSecretRequest(**_where(exchange), name=exchange.segment("name"))
    return _json(await exchange.call(exchange.secrets.GetSecret, request))


async def create(exchange: Exchange) -> Json:
    """POST .../secrets: makes a secret; one that is there gets the new value, so that a repeat is safe."""
    said = await _said(exchange)
    return await _set(exchange, said.pop("name", ""), said)


async def update(exchange: Exchange) -> Json:
    """PATCH .../secrets/NAME: changes what the body has of a secret that is there."""
    said = await _said(exchange)
    await found(exchange)
    said.pop("name", "")
    return await _set(exchange, exchange.segment("name"), said)


async def delete(exchange: Exchange) -> None:
    """DELETE .../secrets/NAME."""
    request = secrets_pb2.DeleteSecretRequest(
        **_where(exchange), name=exchange.segment("name"), request_id=exchange.request_id
    )
    await exchange.call(exchange.secrets.DeleteSecret, request)


async def _set(exchange: Exchange, name: str, said: dict[str, Any]) -> Json:
    request = secrets_pb2.SetSecretRequest(
        **_where(exchange),
        name=name,
        value=said.get("data", ""),
        request_id=exchange.request_id,
    )
    if "pull_request" in said:
        request.pull_requests = said["pull_request"]
    return _json(await exchange.call(exchange.secrets.SetSecret, request))


async def _said(exchange: Exchange) -> dict[str, Any]:
    """What a body says of the keys that are known; nothing is told of a value that is wrong."""
    body = await exchange.json()
    said = {name: value for name in BODY if (value := body.get(name)) is not None}
    for name, value in said.items():
        kind, word = (str, "a text") if name in ("name", "data") else (bool, "true or false")
        if type(value) is not kind:
            raise invalid(f"{name}: wanted {word}")
    if said.get("pull_request_push"):
        raise invalid("pull_request_push: cannot be said here: pull_request has all their builds get it")
    return said


async def _all(exchange: Exchange, where: dict[str, str]) -> list[secrets_pb2.Secret]:
    request = secrets_pb2.ListSecretsRequest(**where, page_size=A_PAGE)
    secrets: list[secrets_pb2.Secret] = []
    for _ in range(MOST_PAGES):
        page = await exchange.call(exchange.secrets.ListSecrets, request)
        secrets += page.secrets
        request.page_token = page.next_page_token
        if not request.page_token:
            return secrets
    raise Failure(
        501, grpc.StatusCode.UNIMPLEMENTED, f"over {len(secrets)} secrets: page through ListSecrets"
    )


def _where(exchange: Exchange) -> dict[str, Any]:
    if exchange.has_repository:
        return exchange.repository
    return {"owner": exchange.segment("namespace"), "repo": "*"}


def _is_of(secret: secrets_pb2.Secret, where: dict[str, str]) -> bool:
    return secret.repo == where["repo"] and not secret.environment


def _json(secret: secrets_pb2.Secret) -> Json:
    return {
        "id": secret.id,
        "namespace": secret.owner,
        "name": secret.name,
        "pull_request": secret.pull_requests,
        "pull_request_push": False,
    }
