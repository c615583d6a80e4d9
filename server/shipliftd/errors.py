"""Domain errors: what a caller is told when a call is refused.

A verb raises one of these; `api/refusals.py` alone turns it into a gRPC status. The words are public:
no token, secret or parameter value stands in them.
"""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

import grpc
from google.rpc import error_details_pb2, status_pb2

# Of every version of the API: a client may know reasons by it for good.
DOMAIN = "shiplift"

# Status, message and details travel in the trailers; past 4 KiB clients see RESOURCE_EXHAUSTED.
_MESSAGE_BYTES = 800
_TRAILER_BYTES = 4000
# Of one value in the metadata, and of all of them.
_VALUE_BYTES = 200
_METADATA_BYTES = 600
# Of printable ASCII gRPC encodes nothing but the percent sign.
_PLAIN = bytes(set(range(0x20, 0x7F)) - {ord("%")})
# At most, beside the texts: a detail's type, and the tags and lengths in a violation.
_DETAIL_BYTES = 80
_VIOLATION_BYTES = 16


class Refusal(Exception):
    """A call that is refused: a gRPC code, a reason for programs, words for people.

    `reason` is one of `ErrorReason` in errors.proto, which says what is in `metadata`: the values that the
    words name. `violations` are pairs of a field (or a gate) and what is wrong with it.
    """

    code = grpc.StatusCode.UNKNOWN
    reason = ""
    # In how many seconds the same call may succeed; 0 where waiting alone does not help.
    retry_after = 0
    # What the gates said of it, as builds have it, for the audit.
    verdicts = "[]"

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        violations: Sequence[tuple[str, str]] = (),
        metadata: Mapping[str, str | int] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or self.reason
        self.violations = violations
        self.metadata = metadata or {}

    def detail(
        self, violations: Sequence[tuple[str, str]]
    ) -> error_details_pb2.BadRequest | error_details_pb2.PreconditionFailure:
        """The violations as a `google.rpc` detail."""
        bad = error_details_pb2.BadRequest()
        for field, description in violations:
            bad.field_violations.add(field=field, description=description)
        return bad

    def status(self) -> status_pb2.Status:
        """The refusal as `google.rpc.Status`, cut to fit into the trailers."""
        message = _cut(self.message, _MESSAGE_BYTES)
        status = status_pb2.Status(code=self.code.value[0], message=message)
        info = error_details_pb2.ErrorInfo(
            reason=self.reason, domain=DOMAIN, metadata=_fitting(self.metadata)
        )
        status.details.add().Pack(info)
        if self.retry_after:
            retry = error_details_pb2.RetryInfo()
            retry.retry_delay.FromSeconds(self.retry_after)
            status.details.add().Pack(retry)
        # The trailer is base64: four bytes for three.
        left = (_TRAILER_BYTES - _on_the_wire(message)) * 3 // 4 - status.ByteSize() - _DETAIL_BYTES
        fitting = []
        for violation in self.violations:
            left -= sum(len(text.encode()) for text in violation) + len(self.reason) + _VIOLATION_BYTES
            if left < 0:
                break
            fitting.append(violation)
        if fitting:
            status.details.add().Pack(self.detail(fitting))
        return status


class _OfState(Refusal):
    """It is not the request that is wrong, but how things stand."""

    def detail(
        self, violations: Sequence[tuple[str, str]]
    ) -> error_details_pb2.BadRequest | error_details_pb2.PreconditionFailure:
        """The violations as a `PreconditionFailure`."""
        failure = error_details_pb2.PreconditionFailure()
        for subject, description in violations:
            failure.violations.add(type=self.reason, subject=subject, description=description)
        return failure


class Invalid(Refusal):
    """A bad field or parameter: INVALID_ARGUMENT, naming every one."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "INVALID_ARGUMENT"

    def __init__(self, violations: Sequence[tuple[str, str]]) -> None:
        super().__init__(
            _joined([f"{field}: {text}" for field, text in violations]),
            violations=violations,
            metadata={"field": violations[0][0]} if violations else {},
        )


class Unauthenticated(Refusal):
    """No token where one is needed, or one that is not valid."""

    code = grpc.StatusCode.UNAUTHENTICATED


class Denied(Refusal):
    """The caller may read, but not do this."""

    code = grpc.StatusCode.PERMISSION_DENIED
    reason = "PERMISSION_DENIED"


class NotFound(Refusal):
    """It is not there, or the caller may not know that it is."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "NOT_FOUND"


class AlreadyExists(Refusal):
    """The name, external id, number or request_id is taken."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = "ALREADY_EXISTS"


class Precondition(_OfState):
    """The state of things forbids it, and repeating the call will not help."""

    code = grpc.StatusCode.FAILED_PRECONDITION


class Aborted(_OfState):
    """Somebody else changed it meanwhile; `violations` say what is not as the caller took it to be."""

    code = grpc.StatusCode.ABORTED


class OutOfRange(Refusal):
    """A position past the end of what is there."""

    code = grpc.StatusCode.OUT_OF_RANGE


class Exhausted(Refusal):
    """As much as one caller may have is in use, for so many seconds more at least."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED

    def __init__(
        self, message: str, *, reason: str, retry_after: int, metadata: Mapping[str, str | int]
    ) -> None:
        super().__init__(message, reason=reason, metadata=metadata)
        self.retry_after = retry_after


class Unavailable(Refusal):
    """The store is away or the server is shutting down; clients may retry."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = "UNAVAILABLE"
    retry_after = 1


class Defect(Refusal):
    """A fault of ours; the log has the trace under the id that the caller is told."""

    code = grpc.StatusCode.INTERNAL
    reason = "INTERNAL"


def stale(resource: str, version: int, expected: int) -> Aborted:
    """What a caller is told who changes a resource, such as `build 42`, as it no longer is."""
    return Aborted(
        f"{resource} is at version {version}, not {expected}: read it again",
        reason="STALE_VERSION",
        violations=[("version", f"{resource} is at version {version}")],
        metadata={"resource": resource, "expected": expected, "version": version},
    )


def shown(value: str) -> str:
    """A caller's value as it stands in an error: quoted, printable, at most 60 characters."""
    return repr(value if len(value) <= 60 else value[:57] + "...")


def _fitting(metadata: Mapping[str, str | int]) -> dict[str, str]:
    """The metadata as texts: each cut, and the last ones left out where all of them are too long."""
    fitting, left = {}, _METADATA_BYTES
    for key, value in metadata.items():
        text = _cut_bytes(str(value), _VALUE_BYTES)
        left -= len(key) + len(text.encode()) + _VIOLATION_BYTES
        if left < 0:
            break
        fitting[key] = text
    return fitting


def _cut_bytes(text: str, limit: int) -> str:
    encoded = text.encode()
    return text if len(encoded) <= limit else encoded[: limit - 3].decode(errors="ignore") + "..."


def _joined(parts: Sequence[str]) -> str:
    text, taken = "", 0
    for part in parts:
        longer = f"{text}; {part}" if text else part
        if taken and _on_the_wire(longer) > _MESSAGE_BYTES - 30:
            return f"{text}; and {len(parts) - taken} more"
        text, taken = longer, taken + 1
    return text


def _cut(text: str, limit: int) -> str:
    if _on_the_wire(text) <= limit:
        return text
    while _on_the_wire(text) > limit - 3:
        text = text[: len(text) * 9 // 10]
    return text + "..."


def _on_the_wire(text: str) -> int:
    """How many bytes the message takes, percent-encoded as gRPC does it."""
    return len(quote(text, safe=_PLAIN))
