"""The servicers: one a .proto file, a short method an rpc, in the proto's order."""

from typing import Any, TypeVar

import grpc.aio

from shipliftd.access.write_once import Resource, Written

Context = grpc.aio.ServicerContext[Any, Any]
R = TypeVar("R", bound=Resource)

MOST_WAIT_SECONDS = 30.0
# What the answer needs to arrive before the caller's deadline, which gRPC rounds up on the wire by up to
# a hundredth (seen: 120 s were 121 here, 10,001 s 10,100).
_MARGIN_SECONDS = 1.0
_MARGIN_SHARE = 0.01


def patience(context: Context) -> float:
    """For how many seconds a call may wait for something to come; 0 or less: not at all."""
    left = context.time_remaining()
    return MOST_WAIT_SECONDS if left is None else left * (1 - _MARGIN_SHARE) - _MARGIN_SECONDS


def resource(written: Written[R], context: Context) -> R:
    """What a write made; tells the caller in the trailers when an earlier call had made it."""
    if written.replayed:
        context.set_trailing_metadata((("shiplift-replayed", "true"),))
    return written.resource
