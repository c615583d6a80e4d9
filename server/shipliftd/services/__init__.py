"""The servicers: one a .proto file, a short method an rpc, in the proto's order."""

from typing import Any, TypeVar

import grpc.aio

from shipliftd.writes import Resource, Written

Context = grpc.aio.ServicerContext[Any, Any]
R = TypeVar("R", bound=Resource)


def resource(written: Written[R], context: Context) -> R:
    """What a write made; tells the caller in the trailers when an earlier call had made it."""
    if written.replayed:
        context.set_trailing_metadata((("shiplift-replayed", "true"),))
    return written.resource
