"""One request on Drone's routes: what it says, and the rpcs that are made for it."""

import re
from collections.abc import AsyncGenerator
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import parse_qsl, unquote

import grpc.aio
import orjson
from shiplift.v1.access_pb2_grpc import AccessServiceStub
from shiplift.v1.builds_pb2_grpc import BuildServiceStub
from shiplift.v1.environments_pb2_grpc import EnvironmentServiceStub
from shiplift.v1.secrets_pb2_grpc import SecretServiceStub
from shiplift.v1.stages_pb2_grpc import StageServiceStub
from starlette.types import Receive, Scope

from shipliftd.gateway.edge import header, read_body, traced
from shipliftd.gateway.failures import invalid, wrong_type
from shipliftd.trace_context import FOR_ADDRESS, FOR_CLIENT

Q = TypeVar("Q")
R = TypeVar("R")
if TYPE_CHECKING:
    # Generic, and asynchronous, in the stubs' own stubs alone.
    from shiplift.v1.access_pb2_grpc import AccessServiceAsyncStub
    from shiplift.v1.builds_pb2_grpc import BuildServiceAsyncStub
    from shiplift.v1.environments_pb2_grpc import EnvironmentServiceAsyncStub
    from shiplift.v1.secrets_pb2_grpc import SecretServiceAsyncStub
    from shiplift.v1.stages_pb2_grpc import StageServiceAsyncStub

    Rpc = grpc.aio.UnaryUnaryMultiCallable
    StreamRpc = grpc.aio.UnaryStreamMultiCallable
else:
    AccessServiceAsyncStub = BuildServiceAsyncStub = object
    EnvironmentServiceAsyncStub = SecretServiceAsyncStub = StageServiceAsyncStub = object
    Rpc = StreamRpc = dict

Metadata = tuple[tuple[str, str], ...]

RPC_SECONDS = 30.0
MOST_NUMBER = 2**31 - 1
_NUMBER = re.compile(r"[0-9]{1,10}")
_FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 1000
_CARRIED = re.compile(r"[ -~]{1,1000}")
_UNCARRIED = re.compile(r"[^ -~]")
_MOST_CLIENT = 200
# A header's value neither begins nor ends with a space.
REQUEST_ID = re.compile(r"[!-~]([ -~]{0,126}[!-~])?")


class Stubs(NamedTuple):
    """The services, over whatever channel leads to them."""

    builds: BuildServiceAsyncStub
    access: AccessServiceAsyncStub
    stages: StageServiceAsyncStub
    environments: EnvironmentServiceAsyncStub
    secrets: SecretServiceAsyncStub

    @classmethod
    def of(cls, channel: grpc.aio.Channel) -> "Stubs":
        """The services at the end of a channel."""
        return cls(
            BuildServiceStub(channel),
            AccessServiceStub(channel),
            StageServiceStub(channel),
            EnvironmentServiceStub(channel),
            SecretServiceStub(channel),
        )


class Exchange:
    """A request, and who makes it."""

    def __init__(self, stubs: Stubs, scope: Scope, receive: Receive) -> None:
        self.builds, self.access, self.stages, self.environments, self.secrets = stubs
        self.replayed = False
        self._scope = scope
        self._receive = receive

    async def call(self, rpc: Rpc[Q, R], request: Q, seconds: float = RPC_SECONDS) -> R:
        """Makes an rpc in the caller's name. Raises AioRpcError."""
        call = rpc(request, metadata=self._metadata, timeout=seconds)
        made = await call
        self.replayed = self.replayed or any(
            key == "shiplift-replayed" for key, _ in await call.trailing_metadata()
        )
        return made

    async def stream(
        self, rpc: StreamRpc[Q, R], request: Q, seconds: float | None = RPC_SECONDS
    ) -> AsyncGenerator[R, None]:
        """The answers of an rpc in the caller's name; closed, it ends the rpc. Raises AioRpcError.

        Without `seconds` it has no deadline.
        """
        call = rpc(request, metadata=self._metadata, timeout=seconds)
        try:
            async for answer in call:
                yield answer
        finally:
            call.cancel()

    @cached_property
    def query(self) -> dict[str, str]:
        """The query: the first value of each key, `access_token` left out."""
        found = self._query.copy()
        found.pop("access_token", None)
        return found

    async def form(self) -> dict[str, str]:
        """A body of `application/x-www-form-urlencoded`: the first value of each key."""
        body = await read_body(self._receive)
        if not body:
            return {}
        kind = (self.header("content-type") or "").partition(";")[0].strip().lower()
        if kind != _FORM:
            raise wrong_type(kind, f"none, or {_FORM}")
        return _fields(body, "body")

    async def json(self) -> dict[str, Any]:
        """A body of JSON: an object."""
        body = await read_body(self._receive)
        kind = (self.header("content-type") or "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise wrong_type(kind, "application/json")
        try:
            found = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise invalid(f"the body is not JSON: {error}") from None
        if not isinstance(found, dict):
            raise invalid("the body is not a JSON object")
        return found

    def header(self, name: str) -> str | None:
        """The first header of this name (lower case)."""
        return header(self._scope, name.encode())

    @property
    def request_id(self) -> str:
        """What makes the call safe to repeat. Raises Failure for what would not, such as an empty one."""
        key = self.header("idempotency-key")
        if key is not None and REQUEST_ID.fullmatch(key) is None:
            raise invalid("Idempotency-Key: wanted 1 to 128 printable ASCII characters")
        return key or ""

    def segment(self, name: str) -> str:
        """A part of the path, as it was meant: `%2E` is a dot."""
        try:
            return unquote(self._segments[name], errors="strict")
        except UnicodeDecodeError:
            raise invalid(f"{name}: its percent-encoding is not UTF-8") from None

    @property
    def has_repository(self) -> bool:
        """Whether the path names a repository."""
        return "owner" in self._segments

    @property
    def repository(self) -> dict[str, Any]:
        """`owner` and `repo` of the path, as requests name the repository."""
        return {"owner": self.segment("owner"), "repo": self.segment("repo")}

    @property
    def build(self) -> int:
        """The build's number in the path."""
        return number("build", self.segment("build"))

    @property
    def _segments(self) -> dict[str, str]:
        segments: dict[str, str] = self._scope["path_params"]
        return segments

    @cached_property
    def _query(self) -> dict[str, str]:
        text: bytes = self._scope["query_string"]
        return _fields(text, "query")

    @cached_property
    def _metadata(self) -> Metadata:
        return metadata(
            self._authorization,
            self.header("x-request-id"),
            traced(self.header),
            (self._scope.get("client") or ("unix",))[0],
            self.header("user-agent"),
        )

    @property
    def _authorization(self) -> str | None:
        authorization = self.header("authorization")
        if authorization is None and "access_token" in self._query:
            return f"Bearer {self._query['access_token']}"
        return authorization


def metadata(
    authorization: str | None,
    x_request_id: str | None,
    trace: Metadata,
    address: str,
    user_agent: str | None,
) -> Metadata:
    """What an rpc is sent along with: who calls, from where, the HTTP request's id, the trace it is in."""
    client = _UNCARRIED.sub("", user_agent or "").strip()[:_MOST_CLIENT]
    told = (
        ("x-request-id", x_request_id or ""),
        (FOR_ADDRESS, address),
        (FOR_CLIENT, client),
        *trace,
    )
    if authorization is None:
        return told
    # gRPC carries printable ASCII alone, and some KiB of it; what is something else is no token.
    return *told, ("authorization", authorization if _CARRIED.fullmatch(authorization) else "?")


def number(name: str, text: str) -> int:
    """A number that a build may have. Raises Failure."""
    found = int(text) if _NUMBER.fullmatch(text) else MOST_NUMBER + 1
    if found > MOST_NUMBER:
        raise invalid(f"{name}: {text[:60]!r} is not a build's number")
    return found


def _fields(text: bytes, where: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            text.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except UnicodeError:
        raise invalid(f"the {where} is not UTF-8 in percent-encoding") from None
    except ValueError:
        raise invalid(f"the {where} has over {_MOST_FIELDS} keys") from None
    # Of several values the first one counts, as on Drone's side.
    return dict(reversed(pairs))
