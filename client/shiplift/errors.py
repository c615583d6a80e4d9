"""What a caller is told of a call that failed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, cast

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from shiplift.v1 import builds_pb2


class Violation(NamedTuple):
    """One thing that is wrong: the field (or what a refused state is about), and what is wanted."""

    field: str
    description: str


class ShipliftError(Exception):
    """A call that was refused or failed: one of the classes below, or this one for other codes.

    Of those the most common are INVALID_ARGUMENT, with the fields in `violations`, and INTERNAL, a defect.

    Attributes:
        code: gRPC's status code.
        message: What is wrong and what to do, for people; it names every violation.
        violations: The same for programs; empty when the refusal is not about fields.
        reason: A word for programs, such as `BUILD_NOT_FOUND`: a value of `errors_pb2.ErrorReason` without
            `ERROR_REASON_`, or of a later release; empty when the server gave none.
        metadata: The values that the message names, by the keys that errors.proto lists for the reason.
        retry_after: In how many seconds the same call may succeed; None when the server did not say.
        request_id: The id that the call had; empty for a read.
    """

    def __init__(
        self,
        code: grpc.StatusCode,
        message: str,
        *,
        violations: Sequence[Violation] = (),
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        retry_after: float | None = None,
        request_id: str = "",
    ) -> None:
        super().__init__(f"{code.name}: {message}")
        self.code = code
        self.message = message
        self.violations = tuple(violations)
        self.reason = reason
        self.metadata = dict(metadata or {})
        self.retry_after = retry_after
        self.request_id = request_id


class NotFound(ShipliftError):  # noqa: N818  # says what happened, as those below
    """It is not there, or the caller may not see it: NOT_FOUND."""


class Denied(ShipliftError):  # noqa: N818
    """The caller may not do this, or is not known: PERMISSION_DENIED or UNAUTHENTICATED."""


class Refused(ShipliftError):  # noqa: N818
    """As things stand it cannot be done.

    FAILED_PRECONDITION, such as a gate that says no; ABORTED, a change by somebody else; ALREADY_EXISTS;
    OUT_OF_RANGE; RESOURCE_EXHAUSTED, unless the server was only too busy.
    """


class SeveralBuilds(Refused):
    """A name fits several builds, which are in `builds`, highest number first: the newest of them."""

    def __init__(self, message: str, builds: Sequence[builds_pb2.Build]) -> None:
        super().__init__(grpc.StatusCode.FAILED_PRECONDITION, message, reason="SEVERAL_BUILDS")
        self.builds = tuple(builds)


class Unavailable(ShipliftError):  # noqa: N818
    """No answer came, or the server could do nothing now: UNAVAILABLE or DEADLINE_EXCEEDED.

    Or it was too busy until the end: RESOURCE_EXHAUSTED with the reason SERVER_BUSY or TOKEN_BUSY.

    A write may have been done all the same, unless the server was too busy. The same call with this
    `request_id` does it once at most, and returns what it made.
    """

    @property
    def is_busy(self) -> bool:
        """Whether the server was too busy, so that nothing was done."""
        return self.reason in _BUSY


class WaitTimeout(ShipliftError, TimeoutError):  # noqa: N818  # says what happened
    """A build had not ended within the time that somebody would wait for it. It goes on.

    Attributes:
        build: The build as it was seen last.
    """

    def __init__(self, build: builds_pb2.Build, seconds: float) -> None:
        super().__init__(
            grpc.StatusCode.DEADLINE_EXCEEDED,
            f"build {build.number} of {build.owner}/{build.repo} had not ended within {seconds:g} s",
            reason="WAIT_TIMEOUT",
        )
        self.build = build


_KINDS: Mapping[grpc.StatusCode, type[ShipliftError]] = {
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.PERMISSION_DENIED: Denied,
    grpc.StatusCode.UNAUTHENTICATED: Denied,
    grpc.StatusCode.FAILED_PRECONDITION: Refused,
    grpc.StatusCode.ABORTED: Refused,
    grpc.StatusCode.ALREADY_EXISTS: Refused,
    grpc.StatusCode.OUT_OF_RANGE: Refused,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Refused,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: Unavailable,
}


# Nothing is wrong with the call: it came while too many others were under way.
_BUSY = frozenset({"SERVER_BUSY", "TOKEN_BUSY"})


def error_of(error: grpc.RpcError, request_id: str) -> ShipliftError:
    """A failed call as an error, with the details that the server sent."""
    status = _status(error)
    info = _info(status)
    kind = Unavailable if info.reason in _BUSY else _KINDS.get(error.code(), ShipliftError)
    return kind(
        error.code(),
        error.details() or "",
        violations=list(_violations(status)),
        reason=info.reason,
        metadata=info.metadata,
        retry_after=_retry_after(status),
        request_id=request_id,
    )


def hint_of(error: grpc.RpcError) -> float | None:
    """In how many seconds the same call may succeed; None when the server did not say."""
    return _retry_after(_status(error))


def _status(error: grpc.RpcError) -> status_pb2.Status:
    # Both clients' metadata unpack; the type stubs know better of neither.
    metadata = cast("Iterable[tuple[str, str | bytes]]", error.trailing_metadata() or ())
    for key, value in metadata:
        if key == "grpc-status-details-bin" and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                # Somebody on the way put it there; the code and the message still stand.
                break
    return status_pb2.Status()


def _info(status: status_pb2.Status) -> error_details_pb2.ErrorInfo:
    """The detail with the reason; an empty one when there is none."""
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        if detail.Unpack(info):
            break
    return info


def _retry_after(status: status_pb2.Status) -> float | None:
    retry = error_details_pb2.RetryInfo()
    for detail in status.details:
        if detail.Unpack(retry):
            seconds: float = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
            return seconds
    return None


def _violations(status: status_pb2.Status) -> Iterator[Violation]:
    request = error_details_pb2.BadRequest()
    state = error_details_pb2.PreconditionFailure()
    for detail in status.details:
        if detail.Unpack(request):
            for fault in request.field_violations:
                yield Violation(fault.field, fault.description)
        elif detail.Unpack(state):
            for failure in state.violations:
                yield Violation(failure.subject, failure.description)
