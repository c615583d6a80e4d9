"""What an error or a malformed request is to its caller: the only place that ends calls with a status."""

import logging
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple, NoReturn

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from shipliftd.api.calls import Context, Handler, Rpc, Told
from shipliftd.errors import Defect, Invalid, Refusal, Unavailable
from shipliftd.store import is_away, is_damaged

log = logging.getLogger(__name__)

SHUTTING_DOWN = "the server is shutting down: try again"


class Malformed(NamedTuple):
    """Stands for a request whose bytes are no message of its type."""

    error: str


def decoder(decode: Callable[[bytes], Any] | None) -> Callable[[bytes], Any]:
    """Bytes that are no message become a refusal like others; gRPC itself would say INTERNAL."""
    assert decode is not None  # noqa: S101  # every generated handler has one

    def decoded(data: bytes) -> Any:  # noqa: ANN401
        try:
            return decode(data)
        except DecodeError as error:
            return Malformed(str(error))

    return decoded


def malformed(request: Malformed) -> Invalid:
    """The refusal of such a request."""
    return Invalid([("request", f"the bytes are not a message of its type: {request.error}")])


def well_formed(behavior: Callable[..., Any]) -> Callable[..., Any]:
    """The same, for a request that was a message."""

    async def call(request: Any, context: Context) -> Any:  # noqa: ANN401
        if isinstance(request, Malformed):
            await end(malformed(request), context)
        return await behavior(request, context)

    return call


async def each_well_formed(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    """The same requests, up to one that was no message. Raises Invalid there."""
    async for request in requests:
        if isinstance(request, Malformed):
            raise malformed(request)
        yield request


def refusal_of(error: Exception, rpc: Rpc, told: Told) -> Refusal:
    """What the caller is told of what was raised; of what no verb raises, the log has the cause."""
    if isinstance(error, Refusal):
        return error
    extra = {"method": rpc.name, **told.named}
    if is_away(error):
        log.exception("store", extra=extra)
        return Unavailable("the store cannot be read now: try again")
    error_id = uuid.uuid4().hex[:12]
    if is_damaged(error):
        log.error("store damaged", exc_info=error, extra={"id": error_id, **extra})
        return Defect(
            "the store is damaged: `shipliftd check` tells its operator more,"
            f" and the log under id {error_id}",
            metadata={"id": error_id},
        )
    log.error("defect", exc_info=error, extra={"id": error_id, **extra})
    return Defect(
        f"a defect in the server; its log has the cause under id {error_id}", metadata={"id": error_id}
    )


async def end(refusal: Refusal, context: Context) -> NoReturn:
    """Ends the call with the refusal's status. Raises what gRPC ends it by."""
    status = refusal.status()
    await context.abort(
        refusal.code,
        status.message,
        (("grpc-status-details-bin", status.SerializeToString()),),
    )


async def _too_late(_request: bytes, context: Any) -> NoReturn:  # noqa: ANN401
    await end(Unavailable(SHUTTING_DOWN), context)


# What answers calls that come when the server drains.
LATE: Handler = grpc.unary_unary_rpc_method_handler(_too_late)
