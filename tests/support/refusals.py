"""What a caller is told when a call is refused, with its details decoded."""

from collections.abc import Callable
from typing import Any, NamedTuple, ParamSpec

import grpc
from google.protobuf.json_format import MessageToDict
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from tests.support.reasons import DOCUMENTED

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


def details(call: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> dict[str, dict[str, Any]]:
    """The details that the call is refused with, each by its type's name and as JSON."""
    try:
        call(*args, **kwargs)
    except grpc.RpcError as error:
        status = rpc_status.from_call(error)  # type: ignore[arg-type]  # it is the call, too
        assert status is not None
        told = [MessageToDict(detail, preserving_proto_field_name=True) for detail in status.details]
        found = {detail.pop("@type").rpartition(".")[2]: detail for detail in told}
        assert len(found) == len(told)
        return found
    raise AssertionError("the call was let through")


def ended(call: Any) -> Refusal:  # noqa: ANN401  # a stream
    """What an open stream ends with."""
    try:
        list(call)
    except grpc.RpcError as error:
        return told(error)
    raise AssertionError("it ended well")


def invalid(*violations: tuple[str, str]) -> Refusal:
    """INVALID_ARGUMENT with these faults, all of which the message names."""
    message = "; ".join(f"{field}: {description}" for field, description in violations)
    return Refusal(grpc.StatusCode.INVALID_ARGUMENT, message, "INVALID_ARGUMENT", violations)


def _decoded(status: status_pb2.Status) -> tuple[str, tuple[tuple[str, str], ...]]:
    reason = ""
    violations: list[tuple[str, str]] = []
    retry = error_details_pb2.RetryInfo()
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        bad = error_details_pb2.BadRequest()
        failed = error_details_pb2.PreconditionFailure()
        if detail.Unpack(info):
            assert (info.domain, reason) == ("shiplift", "")
            reason = info.reason
            code, keys = DOCUMENTED[reason]
            assert (code, info.metadata.keys() - keys) == (grpc_code(status), set())
        elif detail.Unpack(bad):
            violations += [(fault.field, fault.description) for fault in bad.field_violations]
        elif detail.Unpack(failed):
            assert {fault.type for fault in failed.violations} == {reason}
            violations += [(fault.subject, fault.description) for fault in failed.violations]
        elif detail.Unpack(retry):
            assert retry.retry_delay.ToSeconds() >= 1
        else:
            raise AssertionError(f"a detail that nobody knows: {detail.type_url}")
    is_for_now = grpc_code(status) in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
    assert retry.HasField("retry_delay") == is_for_now
    is_of_state = grpc_code(status) in (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.ABORTED)
    assert violations or not is_of_state
    return reason, tuple(violations)


def grpc_code(status: status_pb2.Status) -> grpc.StatusCode:
    """The status' code as gRPC names it."""
    return next(code for code in grpc.StatusCode if code.value[0] == status.code)


# What is said of one behind its value.
BAD_TARGET = "is not an environment's name: wanted 1 to 100 of letters, digits, '.', '_', '-', '/'"
