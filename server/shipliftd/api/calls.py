"""A call as it comes in: which rpc it is of and what that needs, and what its metadata tell."""

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import unquote

import grpc
import grpc.aio
from google.protobuf.descriptor import ServiceDescriptor
from shiplift.v1 import access_pb2 as pb

from shipliftd.descriptors import path_of, writes
from shipliftd.trace_context import FOR_ADDRESS, FOR_CLIENT, SPAN, TRACEPARENT

log = logging.getLogger(__name__)

_MOST_ID = 128
_MOST_CLIENT = 200
# The peer of calls that came over no wire.
IN_PROCESS = "in-process"

# Generated stubs type every extension alike.
_ACCESS = cast(Any, pb.access)

Context = grpc.aio.ServicerContext[Any, Any]

if TYPE_CHECKING:
    # Generic in its stubs alone.
    Handler = grpc.RpcMethodHandler[Any, Any]
else:
    Handler = grpc.RpcMethodHandler


class Told(NamedTuple):
    """What the metadata say of a caller."""

    authorization: str | None
    x_request_id: str
    is_traced: bool

    @property
    def named(self) -> dict[str, str]:
        """What finds the call's lines in the log, where its caller gave it a name."""
        return {"x_request_id": self.x_request_id} if self.x_request_id else {}


class Rpc(NamedTuple):
    """What calls need to know of their rpc: what it needs of its caller, and whether it writes."""

    name: str
    rule: pb.AccessRule
    writes: bool


def rules_of(services: Iterable[ServiceDescriptor]) -> dict[str, Rpc]:
    """What each rpc needs of its caller, by its full path. Raises LookupError where one says nothing."""
    rules = {}
    for service in services:
        for method in service.methods:
            path = path_of(method)
            rule: pb.AccessRule = method.GetOptions().Extensions[_ACCESS]
            if not rule.level or not rule.scope:
                raise LookupError(f"{path} has no (shiplift.v1.access) option: every rpc needs one")
            rules[path] = Rpc(method.name, rule, writes(method))
    return rules


def told_in(context: Context) -> Told:
    """What the call's metadata say."""
    authorization: str | None = None
    x_request_id = ""
    for key, value in context.invocation_metadata() or ():
        if key == "authorization" and authorization is None:
            authorization = value if isinstance(value, str) else ""
        elif key == "x-request-id" and isinstance(value, str):
            x_request_id = value[:_MOST_ID]
    # The gateway in this process has a line of its own for it, in the same log.
    is_traced = x_request_id != "" and context.peer() != IN_PROCESS
    return Told(authorization, x_request_id, is_traced)


class Origin(NamedTuple):
    """Where a call comes from: a host (`unix` for a socket on this machine), and what its client is."""

    address: str
    client: str


def origin_of(context: Context) -> Origin:
    """Where a call comes from, by its connection and its metadata."""
    told = dict(context.invocation_metadata() or ())
    peer = context.peer()
    address = told.get(FOR_ADDRESS, "") if peer == IN_PROCESS else _host(unquote(peer))
    client = told.get(FOR_CLIENT) or told.get("user-agent", "")
    return Origin(_printable(address), _printable(client))


def _host(peer: str) -> str:
    """Of `ipv4:HOST:PORT`, `ipv6:[HOST]:PORT` or `unix:PATH`."""
    kind, _, rest = peer.partition(":")
    return kind if kind.startswith("unix") else rest.rpartition(":")[0].strip("[]")


def _printable(text: str | bytes) -> str:
    # Headers of HTTP may hold what is no text.
    return "".join(c for c in str(text)[:_MOST_CLIENT] if c.isprintable())


def traceparent_of(context: Context) -> str | None:
    """The trace that the call is part of: the server's span of it if there is one, else what it brought."""
    if span := SPAN.get():
        return span
    for key, value in context.invocation_metadata() or ():
        if key == "traceparent":
            return value if isinstance(value, str) and TRACEPARENT.fullmatch(value) else None
    return None


def note(rpc: Rpc, told: Told, code: str, login: str) -> None:
    """A call's line in the log, where its caller gave it an id to be found by."""
    log.info("call", extra={"method": rpc.name, "login": login, "code": code, **told.named})
