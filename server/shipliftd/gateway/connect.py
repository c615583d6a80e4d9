"""Every rpc by the Connect protocol, so that `fetch`, curl and @connectrpc/connect can call it."""

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, cast
from urllib.parse import parse_qs

import grpc
import grpc.aio
import orjson
from connectrpc.code import Code
from connectrpc.codec import Codec
from connectrpc.compat import google_protobuf_binary_codec, google_protobuf_json_codec
from connectrpc.errors import ConnectError, ErrorDetail
from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from connectrpc.request import RequestContext
from connectrpc.server import ConnectASGIApplication, Endpoint
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, MethodDescriptor
from google.protobuf.json_format import ParseError
from google.protobuf.message import Message
from protobuf.wkt import Any as AnyMessage
from starlette.types import Message as ASGIMessage
from starlette.types import Receive, Scope, Send

from shipliftd.descriptors import SERVICES, only_reads, path_of
from shipliftd.errors import shown
from shipliftd.gateway.edge import MOST_BODY, header, traced
from shipliftd.gateway.exchange import RPC_SECONDS, Metadata, metadata
from shipliftd.gateway.failures import (
    SHUTTING_DOWN,
    Failure,
    invalid,
    not_allowed,
    of_rpc,
    status_of,
    wrong_type,
)

Function = Callable[[Message, RequestContext[Message, Message]], Awaitable[Message]]
Streaming = Callable[[Message, RequestContext[Message, Message]], AsyncIterator[Message]]


_KINDS = ("application/json", "application/proto")
_STREAM_KINDS = ("application/connect+json", "application/connect+proto")

# Of a GET, whose message stands in the query beside them.
_QUERY: Mapping[str, tuple[str, ...]] = {"connect": ("v1",), "encoding": ("json", "proto")}


class Connect(ConnectASGIApplication[grpc.aio.Channel]):
    """The rpcs of the services at the end of a channel."""

    path = ""

    def __init__(self, channel: grpc.aio.Channel, draining: asyncio.Event) -> None:
        methods = {path_of(method): method for service in SERVICES for method in service.methods}
        endpoints = {path: _endpoint(channel, method, draining) for path, method in methods.items()}
        super().__init__(
            service=channel,
            endpoints=lambda _: endpoints,
            # A misspelt field or enum is told of: to ignore it may promote otherwise than was meant.
            codecs=(
                google_protobuf_binary_codec(),
                _Objects(google_protobuf_json_codec(ignore_unknown_fields=False)),
            ),
            read_max_bytes=MOST_BODY,
        )
        self._kinds = {
            path: _STREAM_KINDS if method.server_streaming else _KINDS for path, method in methods.items()
        }
        self._methods = {
            path: ("GET", "POST") if only_reads(method) and not method.server_streaming else ("POST",)
            for path, method in methods.items()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Called for each request."""
        kinds = self._kinds.get(scope["path"])
        if kinds is None:
            raise Failure(404, grpc.StatusCode.UNIMPLEMENTED, f"there is no rpc {scope['path'][:200]}")
        methods = self._methods[scope["path"]]
        if scope["method"] not in methods:
            # Each rpc is there by POST; a GET is for who speaks the protocol, and its query.
            raise not_allowed(("POST",))
        if scope["method"] == "GET":
            _check_get(scope)
            send = _stored_nowhere(send)
        else:
            kind = (header(scope, b"content-type") or "").partition(";")[0].strip().lower()
            if kind not in kinds:
                raise wrong_type(kind, " or ".join(kinds))
        for name, value in scope["headers"]:
            if not value.isascii():
                raise invalid(f"the header {name.decode('latin-1')} is not in ASCII")
        await super().__call__(scope, receive, send)


def _check_get(scope: Scope) -> None:
    """Refuses a query that connectrpc would not take or would stumble over."""
    query: bytes = scope["query_string"]
    if not query.isascii():
        raise invalid("the query is not in ASCII: wanted percent-encoding")
    found = parse_qs(query.decode(), keep_blank_values=True)
    if "connect" not in found:
        # A GET that is none of the protocol's, such as a browser's.
        raise not_allowed(("POST",))
    for name, wanted in _QUERY.items():
        value = found.get(name, ["(none)"])[0]
        if value not in wanted:
            raise invalid(f"{name} is {shown(value)}: wanted {' or '.join(wanted)}")
    # There is no body; its type would choose the protocol of the answer.
    scope["headers"] = [pair for pair in scope["headers"] if pair[0] != b"content-type"]


def _stored_nowhere(send: Send) -> Send:
    """Lets no cache keep the answer: it is one caller's, and how far a build is holds for a moment."""

    async def sending(message: ASGIMessage) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), (b"cache-control", b"no-store")]
        await send(message)

    return sending


class _Objects(Codec[Message, Message]):
    """JSON as a codec has it, but for `[]` and `""`, which protobuf takes for empty messages."""

    def __init__(self, codec: Codec[Message, Message]) -> None:
        self._codec = codec

    def name(self) -> str:
        """The content type, after `application/`."""
        return self._codec.name()

    def encode(self, message: Message) -> bytes:
        """A message as JSON."""
        return self._codec.encode(message)

    def decode(self, data: bytes | bytearray, message_class: type[Message]) -> Message:
        """JSON as a message."""
        try:
            message = self._codec.decode(data, message_class)
        except ParseError as error:
            # protobuf names neither the key nor the value's type in words, and sometimes the value itself.
            raise ValueError(
                _no_text(data, cast(Descriptor, message_class.DESCRIPTOR)) or str(error)
            ) from None
        if data.lstrip()[:1] != b"{":
            raise ValueError("the body is not a JSON object")
        kind = cast(Descriptor, message_class.DESCRIPTOR)
        if wrong := _no_word(orjson.loads(data), kind) if _has_enums(kind) else "":
            raise ValueError(wrong)
        return message


def _no_text(data: bytes | bytearray, kind: Descriptor) -> str:
    """In words what is wrong with the first map of texts that is none; nothing where all are."""
    try:
        found = orjson.loads(data)
    except ValueError:
        return ""
    if not isinstance(found, dict):
        return ""
    for field in kind.fields:
        value = found.get(field.json_name, found.get(field.name))
        entry = field.message_type
        if value is None or entry is None or not entry.GetOptions().map_entry:
            continue
        if not isinstance(value, dict):
            return f"{field.name} is {_WORD[type(value)]}: wanted an object of texts"
        for key, text in value.items():
            if not isinstance(text, str):
                return f"{field.name}[{shown(key)}] is {_WORD[type(text)]}: wanted a text, in quotes"
    return ""


@functools.cache
def _has_enums(kind: Descriptor) -> bool:
    """Whether a message of the kind has an enum, at whatever depth."""
    return any(
        field.enum_type is not None or (field.message_type is not None and _has_enums(field.message_type))
        for field in kind.fields
    )


def _no_word(found: Mapping[str, object], kind: Descriptor) -> str:
    """In words which enum is no name and no whole number: protobuf makes one of it (true is 1)."""
    for field in kind.fields:
        value = found.get(field.json_name, found.get(field.name))
        for each in value if isinstance(value, list) else [value]:
            if field.enum_type is not None and (
                isinstance(each, bool) or (isinstance(each, float) and not each.is_integer())
            ):
                told = "true or false" if isinstance(each, bool) else "a fraction"
                return f"{field.name} is {told}: wanted one of {', '.join(field.enum_type.values_by_name)}"
            kind_of_each = field.message_type
            if (
                kind_of_each is not None
                and isinstance(each, dict)
                and (told := _no_word(each, kind_of_each))
            ):
                return told
    return ""


_WORD: Mapping[type, str] = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "an object",
    type(None): "null",
}


def _endpoint(channel: grpc.aio.Channel, method: MethodDescriptor, draining: asyncio.Event) -> Any:  # noqa: ANN401
    answer = message_factory.GetMessageClass(method.output_type)
    info: MethodInfo[Message, Message] = MethodInfo(
        name=method.name,
        service_name=method.containing_service.full_name,
        input=message_factory.GetMessageClass(method.input_type),
        output=answer,
        idempotency_level=(
            IdempotencyLevel.NO_SIDE_EFFECTS if only_reads(method) else IdempotencyLevel.UNKNOWN
        ),
        stream_type=StreamType.SERVER_STREAM if method.server_streaming else StreamType.UNARY,
    )
    make = channel.unary_stream if method.server_streaming else channel.unary_unary
    rpc: Any = make(
        path_of(method),
        request_serializer=lambda request: request.SerializeToString(),
        response_deserializer=answer.FromString,
    )
    if method.server_streaming:
        return Endpoint.server_stream(info, _streaming(rpc, draining))
    return Endpoint.unary(info, _function(rpc))


def _function(rpc: Any) -> Function:  # noqa: ANN401
    async def function(request: Message, context: RequestContext[Message, Message]) -> Message:
        # An rpc that waits answers before its deadline, which it has to know.
        seconds = min(RPC_SECONDS, _seconds(context) or RPC_SECONDS)
        try:
            call = rpc(request, metadata=_metadata(context), timeout=seconds)
            made: Message = await call
            for key, value in await call.trailing_metadata():
                context.response_trailers[key] = value
        except grpc.aio.AioRpcError as error:
            for key, value in of_rpc(error).headers.items():
                context.response_headers[key] = value
            raise _connect_error(error) from None
        return made

    return function


def _streaming(rpc: Any, draining: asyncio.Event) -> Streaming:  # noqa: ANN401
    async def function(
        request: Message, context: RequestContext[Message, Message]
    ) -> AsyncIterator[Message]:
        call = rpc(request, metadata=_metadata(context), timeout=_seconds(context))
        leaving = asyncio.create_task(_cancel_when(draining, call))
        try:
            async for answer in call:
                yield answer
        except grpc.aio.AioRpcError as error:
            raise _connect_error(error) from None
        except asyncio.CancelledError:
            if not draining.is_set():
                raise
            raise ConnectError(Code.UNAVAILABLE, SHUTTING_DOWN) from None
        finally:
            leaving.cancel()
            call.cancel()

    return function


async def _cancel_when(draining: asyncio.Event, call: Any) -> None:  # noqa: ANN401
    await draining.wait()
    call.cancel()


def _metadata(context: RequestContext[Message, Message]) -> Metadata:
    headers = context.request_headers
    address, _, _ = (context.client_address or "unix:").rpartition(":")
    return metadata(
        headers.get("authorization"),
        headers.get("x-request-id"),
        traced(headers.get),
        address,
        headers.get("user-agent"),
    )


def _seconds(context: RequestContext[Message, Message]) -> float | None:
    """How long the caller waits, if they said so in `Connect-Timeout-Ms`."""
    left = context.timeout_ms
    return None if left is None else max(0.0, left / 1000)


def _connect_error(error: grpc.aio.AioRpcError) -> ConnectError:
    details = [
        ErrorDetail(AnyMessage(type_url=detail.type_url, value=detail.value))
        for detail in status_of(error).details
    ]
    return ConnectError(_CODE[error.code()], error.details() or "", details)


# Connect spells one of them otherwise than gRPC.
_CODE: Mapping[grpc.StatusCode, Code] = {
    code: Code.CANCELED if code is grpc.StatusCode.CANCELLED else Code(code.name.lower())
    for code in grpc.StatusCode
    if code is not grpc.StatusCode.OK
}
