"""What a caller is told when a call is refused, with its details decoded."""

from collections.abc import Callable
from typing import NamedTuple, ParamSpec

import grpc
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

P = ParamSpec("P")

DETAILS = "grpc-status-details-bin"


class Refusal(NamedTuple):
    """Code and message, the reason for programs, and the pairs of a field (or subject) and its fault."""

    code: grpc.StatusCode
    message: str
    reason: str = ""
    violations: tuple[tuple[str, str], ...] = ()


def refusal(call: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> Refusal:
    """What the call is refused with; a call that is let through fails the test."""
    try:
        call(*args, **kwargs)
    except grpc.RpcError as error:
        return told(error)
    raise AssertionError("the call was let through")


def code_of(call: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> grpc.StatusCode:
    """The code that the call ends with, OK among them."""
    try:
        call(*args, **kwargs)
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def told(error: grpc.RpcError) -> Refusal:
    """The refusal that an error of a call stands for."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # it is the call, too
    reason, violations = _decoded(status) if status is not None else ("", ())
    return Refusal(error.code(), error.details() or "", reason, violations)


def invalid(*violations: tuple[str, str]) -> Refusal:
    """INVALID_ARGUMENT with these faults, all of which the message names."""
    message = "; ".join(f"{field}: {description}" for field, description in violations)
    return Refusal(grpc.StatusCode.INVALID_ARGUMENT, message, "INVALID_ARGUMENT", violations)


def _decoded(status: status_pb2.Status) -> tuple[str, tuple[tuple[str, str], ...]]:
    reason = ""
    violations: list[tuple[str, str]] = []
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        bad = error_details_pb2.BadRequest()
        failed = error_details_pb2.PreconditionFailure()
        if detail.Unpack(info):
            assert (info.domain, reason) == ("shiplift.v1", "")
            reason = info.reason
        elif detail.Unpack(bad):
            violations += [(fault.field, fault.description) for fault in bad.field_violations]
        elif detail.Unpack(failed):
            assert {fault.type for fault in failed.violations} == {reason}
            violations += [(fault.subject, fault.description) for fault in failed.violations]
        else:
            raise AssertionError(f"a detail that nobody knows: {detail.type_url}")
    return reason, tuple(violations)
