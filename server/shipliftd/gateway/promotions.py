"""Drone's routes to promote, roll back, approve and decline: a handler each, over our rpcs."""

from typing import Any

import grpc
import grpc.aio
from shiplift.v1 import builds_pb2

from shipliftd.gateway.exchange import Exchange, number
from shipliftd.gateway.failures import Failure, invalid
from shipliftd.gateway.shapes import BUILD, Json


async def promote(exchange: Exchange) -> Json:
    """POST builds/N/promote: the contract."""
    # No parameter's name has a hyphen.
    lost = exchange.query.pop("despite-lost", "0")
    request = builds_pb2.PromoteRequest(
        **await _to_environment(exchange), despite_lost=number("despite-lost", lost)
    )
    made = await exchange.call(exchange.builds.PromoteBuild, request)
    return BUILD.json(made)


async def rollback(exchange: Exchange) -> Json:
    """POST builds/N/rollback: puts N back, by its own number or by that of its promotion."""
    request = builds_pb2.RollbackRequest(**await _to_environment(exchange))
    made = await exchange.call(exchange.builds.RollbackBuild, request)
    return BUILD.json(made)


async def approve(exchange: Exchange) -> None:
    """POST builds/N/approve/STAGE: approves all of a promotion that is blocked."""
    await _require_stage(exchange)
    request = builds_pb2.ApproveBuildRequest(
        **exchange.repository, build=exchange.build, request_id=exchange.request_id
    )
    await exchange.call(exchange.builds.ApproveBuild, request)


async def decline_stage(exchange: Exchange) -> None:
    """POST builds/N/decline/STAGE: declines all of a promotion that is blocked."""
    await _require_stage(exchange)
    await decline(exchange)


async def decline(exchange: Exchange) -> None:
    """POST builds/N/decline."""
    request = builds_pb2.DeclineBuildRequest(
        **exchange.repository, build=exchange.build, request_id=exchange.request_id
    )
    await exchange.call(exchange.builds.DeclineBuild, request)


async def _to_environment(exchange: Exchange) -> dict[str, Any]:
    """What promotions and rollbacks say alike."""
    params = exchange.query
    found = {
        **exchange.repository,
        "build": exchange.build,
        "target": _target(params.pop("target", ""), await exchange.form()),
        "params": params,
        "request_id": exchange.request_id,
    }
    expected = exchange.header("shiplift-expected-current")
    if expected is not None:
        found["expected_current"] = number("Shiplift-Expected-Current", expected)
    return found


def _target(in_query: str, form: dict[str, str]) -> str:
    in_body = form.pop("target", "")
    form.pop("access_token", None)
    if form:
        raise invalid(
            f"the body has {next(iter(form))[:60]!r}: `target` alone is taken there,"
            " parameters go into the query"
        )
    if in_query and in_body and in_query != in_body:
        raise invalid("target: the query and the body name different ones")
    return in_query or in_body


async def _require_stage(exchange: Exchange) -> None:
    """The build has the stage that the path names. Raises Failure."""
    wanted = number("stage", exchange.segment("stage"))
    if not wanted:
        raise invalid("stage: is 0: wanted 1 or above")
    request = builds_pb2.GetBuildRequest(**exchange.repository, build=exchange.build)
    try:
        build = await exchange.call(exchange.builds.GetBuild, request)
    except grpc.aio.AioRpcError:
        # What follows says itself what is wrong, and a token may approve that may not read.
        return
    if all(stage.number != wanted for stage in build.stages):
        raise Failure(404, grpc.StatusCode.NOT_FOUND, f"build {build.number} has no stage {wanted}")
