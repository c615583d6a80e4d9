"""How many calls may be under way at once: of a kind, and of a kind with one token.

What is over a limit is refused before its request is read, so that it costs little and the calls before it
keep their time. The store never hears of it.
"""

import functools
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc
import grpc.aio
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

from shipliftd.descriptors import WAITING, only_reads, path_of
from shipliftd.errors import Exhausted
from shipliftd.settings import Limits

log = logging.getLogger(__name__)

# In how many seconds there may be room; a place of a call that waits is seldom free.
_RETRY_AFTER = {"reads": 1, "writes": 1, "waits": 5}
_MOST_ID = 128

Leave = Callable[..., None]
Pairs = Sequence[tuple[str, str | bytes]]
if TYPE_CHECKING:
    # Generic in its stubs alone.
    Handler = grpc.RpcMethodHandler[Any, Any]
    Context = grpc.aio.ServicerContext[Any, Any]
else:
    Handler = grpc.RpcMethodHandler
    Context = grpc.aio.ServicerContext


class Busy(NamedTuple):
    """A refusal that is made once: at the limit there is no time for it."""

    code: grpc.StatusCode
    message: str
    trailing: Pairs
    handler: Handler
    """What answers the call over a wire."""


class _Room:
    """The places of one kind of calls."""

    def __init__(self, calls: str, most: int, share: float) -> None:
        self._most = most
        self._most_of_one = most_of_one = max(1, int(most * share))
        self._taken = 0
        self._taken_by: dict[str, int] = {}
        self.server_busy = Exhausted(
            f"the server has {most} {calls} under way, as many as it takes at once; nothing was done: try"
            " again in a moment",
            reason="SERVER_BUSY",
            retry_after=_RETRY_AFTER[calls],
            metadata={"calls": calls, "limit": most},
        )
        self.token_busy = Exhausted(
            f"{most_of_one} {calls} are under way with this token (callers without one count as one), as"
            " many as may be at once; nothing was done: try again once some have ended",
            reason="TOKEN_BUSY",
            retry_after=_RETRY_AFTER[calls],
            metadata={"calls": calls, "limit": most_of_one},
        )

    def enter(self, caller: str) -> Exhausted | None:
        """Takes a place, or says why there is none."""
        taken = self._taken_by.get(caller, 0)
        if taken >= self._most_of_one:
            return self.token_busy
        if self._taken >= self._most:
            return self.server_busy
        self._taken_by[caller] = taken + 1
        self._taken += 1
        return None

    def leave(self, caller: str, _task: object = None) -> None:
        """Gives a place back; called with the task of the call where that has ended."""
        self._taken -= 1
        left = self._taken_by[caller] - 1
        if left:
            self._taken_by[caller] = left
        else:
            del self._taken_by[caller]


class _Rpc(NamedTuple):
    calls: str
    room: _Room
    busy: dict[Exhausted, Busy]


class Admission:
    """Lets calls in as long as there is room for their kind and for their caller.

    A caller is a token, whatever it is worth: looking it up would cost what is to be saved. Callers without
    one count as one. Health and reflection have no limit.
    """

    def __init__(self, services: Iterable[ServiceDescriptor], limits: Limits) -> None:
        most = {"reads": limits.reads, "writes": limits.writes, "waits": limits.waits}
        rooms = {calls: _Room(calls, number, limits.token_share) for calls, number in most.items()}
        self._rpcs: dict[str, _Rpc] = {}
        for service in services:
            for method in service.methods:
                calls = _kind(method)
                room = rooms[calls]
                busy = {why: _busy(why, method.name) for why in (room.server_busy, room.token_busy)}
                self._rpcs[path_of(method)] = _Rpc(calls, room, busy)
        self._refused: Counter[str] = Counter()

    def enter(self, path: str, metadata: Pairs | None) -> Leave | Busy:
        """Takes a place, which what is returned gives back, once; or says that there is none."""
        rpc = self._rpcs.get(path)
        if rpc is None:
            return _nothing
        caller = _caller(metadata)
        why = rpc.room.enter(caller)
        if why is None:
            return functools.partial(rpc.room.leave, caller)
        self._refused[rpc.calls] += 1
        return rpc.busy[why]

    def refused_since(self) -> dict[str, int]:
        """How many calls of each kind were refused since this was last asked."""
        refused, self._refused = self._refused, Counter()
        return refused


def _kind(method: MethodDescriptor) -> str:
    if method.server_streaming or method.name in WAITING:
        return "waits"
    return "reads" if only_reads(method) else "writes"


def _caller(metadata: Pairs | None) -> str:
    for key, value in metadata or ():
        if key == "authorization":
            # The scheme can be written in many ways.
            return value.partition(" ")[2] if isinstance(value, str) else ""
    return ""


def _busy(why: Exhausted, method: str) -> Busy:
    status = why.status()
    trailing = (("grpc-status-details-bin", status.SerializeToString()),)

    async def refuse(_requests: object, context: Context) -> None:
        for key, value in context.invocation_metadata() or ():
            if key == "x-request-id" and isinstance(value, str):
                named = {"login": "", "x_request_id": value[:_MOST_ID]}
                log.info("call", extra={"method": method, "code": why.code.name, **named})
        # Without the exception that `abort` is, this takes two thirds of the time.
        context.set_code(why.code)
        context.set_details(status.message)
        context.set_trailing_metadata(trailing)

    # Of this kind alone gRPC does not read the request first; on the wire a refusal is the same for all.
    handler: Handler = grpc.stream_stream_rpc_method_handler(refuse)
    return Busy(why.code, status.message, trailing, handler)


def _nothing(_task: object = None) -> None:
    """Leaves where there is no limit."""
