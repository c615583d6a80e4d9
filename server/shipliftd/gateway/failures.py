"""What a call that failed is answered with: a gRPC status as an HTTP status and JSON."""

import math
import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import grpc
import grpc.aio
import orjson
from google.protobuf.json_format import MessageToDict
from google.rpc import error_details_pb2, status_pb2

# As google.rpc.Code names them, but for FAILED_PRECONDITION: RFC 9110 has 409 for what "the user might be
# able to resolve and resubmit", and 400 for requests that are wrong in themselves.
STATUS_OF: Mapping[grpc.StatusCode, int] = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.FAILED_PRECONDITION: 409,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.CANCELLED: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}
SHUTTING_DOWN = "the gateway is shutting down: try again"
# Somebody else was faster, and the caller had asked to be told so.
_PRECONDITIONS = frozenset({"UNEXPECTED_CURRENT", "STALE_VERSION"})
_DETAILS = "grpc-status-details-bin"
# Makes the types of the details known to the pool that JSON is made with.
_KNOWN = error_details_pb2.DESCRIPTOR

_ASKED = re.compile(r";[ \t]*details=1[ \t]*(?:[;,]|$)", re.IGNORECASE)
_HEADERS: Mapping[int, Mapping[str, str]] = {
    401: {"www-authenticate": 'Bearer realm="shiplift"'},
    503: {"retry-after": "1"},
}


class Failure(Exception):
    """An HTTP request that is refused, in words for its caller.

    `code` is the name of a gRPC code, for programs; `details` are `google.rpc` details as JSON.
    """

    def __init__(
        self,
        status: int,
        code: grpc.StatusCode,
        message: str,
        *,
        details: list[Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details or []
        self.headers = {**_HEADERS.get(status, {}), **(headers or {})}

    def body(self, path: str, with_details: bool = False) -> bytes:
        """The answer's JSON; on the paths of rpcs in the words of the Connect protocol, details and all.

        Drone's command and its runners show the body as it is: what the message says already is left out.
        """
        if is_runners(path):
            return self.message.encode()
        if is_rpc(path):
            code = self.code.name.lower()
            return orjson.dumps({"message": self.message, "code": code, "details": self.details})
        body: dict[str, Any] = {"message": self.message, "code": self.code.name}
        if with_details:
            body["details"] = self.details
        return orjson.dumps(body)


def asks_for_details(accept: str | None) -> bool:
    """Whether an `Accept` header asks for the details of errors: `application/json; details=1`."""
    return accept is not None and _ASKED.search(accept) is not None


def kind_of(path: str) -> bytes:
    """The content type of a failure's body."""
    return b"text/plain; charset=utf-8" if is_runners(path) else b"application/json"


def is_runners(path: str) -> bool:
    """Whether a path is one of those that Drone's runners call."""
    return path.startswith("/rpc/v2/")


def is_rpc(path: str) -> bool:
    """Whether a path is one of the Connect protocol's."""
    return path.startswith("/shiplift.v1.")


def invalid(message: str) -> Failure:
    """A request that is wrong in itself, seen before any rpc was made."""
    return Failure(HTTPStatus.BAD_REQUEST, grpc.StatusCode.INVALID_ARGUMENT, message)


def no_route(path: str) -> Failure:
    """A path that nothing answers."""
    told = f"there is no route {path[:200]!r}: /docs lists those there are"
    return Failure(HTTPStatus.NOT_FOUND, grpc.StatusCode.NOT_FOUND, told)


def not_allowed(methods: Iterable[str]) -> Failure:
    """A method that the path has not."""
    allowed = ", ".join(sorted(methods))
    return Failure(
        405,
        grpc.StatusCode.UNIMPLEMENTED,
        f"this method is not allowed here: {allowed} are",
        headers={"allow": allowed},
    )


def wrong_type(kind: str, wanted: str) -> Failure:
    """A body of a type that is not taken."""
    told = f"a body of the type {kind[:60] or '(none)'!r} is not taken here: wanted {wanted}"
    return Failure(415, grpc.StatusCode.INVALID_ARGUMENT, told)


def of_rpc(error: grpc.aio.AioRpcError) -> Failure:
    """The failure of an rpc as an answer."""
    code, message = error.code(), error.details() or ""
    details: list[Any] = MessageToDict(status_of(error), preserving_proto_field_name=True).get(
        "details", []
    )
    if code is grpc.StatusCode.ABORTED and any(d.get("reason") in _PRECONDITIONS for d in details):
        return Failure(HTTPStatus.PRECONDITION_FAILED, code, message, details=details)
    return Failure(STATUS_OF.get(code, 500), code, message, details=details, headers=_retry_after(details))


def _retry_after(details: list[Any]) -> dict[str, str]:
    """The header that says when to try again, where a RetryInfo does."""
    for detail in details:
        if delay := detail.get("retry_delay"):
            return {"retry-after": str(math.ceil(float(delay.removesuffix("s"))))}
    return {}


def status_of(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    """The `google.rpc.Status` in the trailers; an empty one when there is none."""
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS and isinstance(value, bytes):
            return status_pb2.Status.FromString(value)
    return status_pb2.Status()
