"""gRPC without a wire: a channel to the servicers of this process.

What grpc-java calls an in-process transport, and grpc for Python lacks. A call goes through the same
interceptor to the same servicer, with metadata, deadline and status, but no bytes are made of it and no
thread of gRPC's wakes up. A first gateway had two to three times the rate over it that it had over a
channel on a UNIX socket; `bench/gateway.py` compares what there is with gRPC.
"""

import asyncio
import contextlib
import contextvars
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, cast

import grpc
import grpc.aio

from shipliftd.api.admission import Busy
from shipliftd.api.calls import IN_PROCESS
from shipliftd.api.interceptors import Interceptor

Pairs = Sequence[tuple[str, str | bytes]]
if TYPE_CHECKING:
    # Generic in its stubs alone.
    Handler = grpc.RpcMethodHandler[Any, Any]
else:
    Handler = grpc.RpcMethodHandler


class InProcess:
    """Stands in for a `grpc.aio.Server` where servicers are added, and opens channels to them."""

    def __init__(self, interceptor: Interceptor) -> None:
        self._interceptor = interceptor
        self._handlers: dict[str, Handler] = {}

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Handler]) -> None:
        """Called by the generated `add_...Servicer_to_server`."""
        self._handlers.update({f"/{service}/{name}": handler for name, handler in handlers.items()})

    def add_generic_rpc_handlers(self, _handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Called beside it with the same handlers in another form."""

    def channel(self) -> grpc.aio.Channel:
        """A channel for generated stubs. Requests and answers are handed over as they are.

        Neither side may change a message once the other has it: the server answers several calls with
        one and the same Build.
        """
        return cast(grpc.aio.Channel, _Channel(self))

    async def call(self, path: str, request: Any, metadata: Pairs, timeout: float | None) -> "_Answer":  # noqa: ANN401
        """Makes a unary call. Raises AioRpcError as a call over a wire does."""
        with self._place(path, metadata):
            return await self._call(path, request, metadata, timeout)

    async def _call(self, path: str, request: Any, metadata: Pairs, timeout: float | None) -> "_Answer":  # noqa: ANN401
        handler = await self._handler(path, metadata)
        if handler is None or handler.unary_unary is None:
            raise _error(grpc.StatusCode.UNIMPLEMENTED, f"{path} is not a unary rpc of this server")
        context = _Context(metadata, _deadline(timeout))
        behavior = cast(Callable[..., Any], handler.unary_unary)
        try:
            async with asyncio.timeout_at(context.deadline):
                message = await behavior(request, context)
        except TimeoutError:
            told = f"no answer within {timeout:g} s: it may still come about"
            raise _error(grpc.StatusCode.DEADLINE_EXCEEDED, told) from None
        return _Answer(message, context.trailing)

    async def stream(
        self,
        path: str,
        request: object,
        context: "_Context",
    ) -> AsyncGenerator[Any, None]:
        """The answers of a call with a stream of them. Raises AioRpcError; its deadline is its caller's."""
        handler = await self._handler(path, context.invocation_metadata())
        if handler is None:
            raise _error(grpc.StatusCode.UNIMPLEMENTED, f"{path} is not an rpc of this server")
        if handler.unary_stream is None:
            # What the interceptor has for every call while the server drains: it refuses.
            await cast(Callable[..., Any], handler.unary_unary)(request, context)
            return
        answers = cast(Callable[..., AsyncIterator[Any]], handler.unary_stream)(request, context)
        with self._place(path, context.invocation_metadata()):
            async for message in answers:
                yield message

    @contextlib.contextmanager
    def _place(self, path: str, metadata: Pairs) -> Iterator[None]:
        """Room for a call from its beginning to its end. Raises AioRpcError where there is none."""
        place = self._interceptor.admission.enter(path, metadata)
        if isinstance(place, Busy):
            raise _error(place.code, place.message, place.trailing)
        try:
            yield
        finally:
            place()

    async def _handler(self, path: str, metadata: Pairs) -> Handler | None:
        details = cast(grpc.HandlerCallDetails, _Details(path, metadata))
        return await self._interceptor.handler(self._find, details)

    async def _find(self, details: grpc.HandlerCallDetails) -> Handler | None:
        return self._handlers.get(details.method)


class _Details(NamedTuple):
    method: str
    invocation_metadata: Pairs


class _Answer(NamedTuple):
    message: Any
    trailing: Pairs


class _Context:
    """What servicers and the interceptor use of a `ServicerContext`."""

    def __init__(self, metadata: Pairs, deadline: float | None) -> None:
        self._metadata = metadata
        self.deadline = deadline
        self.trailing: Pairs = ()

    def time_remaining(self) -> float | None:
        """How many seconds are left until the deadline; None without one."""
        return None if self.deadline is None else max(0.0, self.deadline - _now())

    def invocation_metadata(self) -> Pairs:
        """What the caller sent along."""
        return self._metadata

    def set_trailing_metadata(self, trailing: Pairs) -> None:
        """What the caller gets along with the answer."""
        self.trailing = trailing

    def peer(self) -> str:
        """Where the caller is: here."""
        return IN_PROCESS

    async def abort(self, code: grpc.StatusCode, details: str = "", trailing: Pairs = ()) -> NoReturn:
        """Ends the call with a status."""
        raise _error(code, details, trailing)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _deadline(timeout: float | None) -> float | None:
    return None if timeout is None else _now() + timeout


def _error(code: grpc.StatusCode, details: str, trailing: Pairs = ()) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(*trailing), details)


class _Channel:
    """What the generated stubs use of a `grpc.aio.Channel`."""

    def __init__(self, server: InProcess) -> None:
        self._server = server

    def unary_unary(self, path: str, *_codecs: object, **_more: object) -> Callable[..., "_Call"]:
        """A method of a stub."""

        def call(request: Any, *, metadata: Pairs = (), timeout: float | None = None) -> _Call:  # noqa: ANN401
            return _Call(self._server, path, request, metadata, timeout)

        return call

    def unary_stream(self, path: str, *_codecs: object, **_more: object) -> Callable[..., "_Stream"]:
        """A method of a stub whose answers are a stream."""

        def call(request: Any, *, metadata: Pairs = (), timeout: float | None = None) -> _Stream:  # noqa: ANN401
            return _Stream(self._server, path, request, _Context(metadata, _deadline(timeout)))

        return call

    async def close(self) -> None:
        """There is nothing to close."""


class _Call:
    """A call that runs when it is awaited, in the task that awaits it."""

    def __init__(self, server: InProcess, *call: Any) -> None:  # noqa: ANN401
        self._server = server
        self._call = call
        self._trailing: Pairs = ()

    def __await__(self) -> Generator[Any, None, Any]:
        return self._run().__await__()

    async def _run(self) -> Any:  # noqa: ANN401
        answer = await self._server.call(*self._call)
        self._trailing = answer.trailing
        return answer.message

    async def trailing_metadata(self) -> Pairs:
        """What came along with the answer."""
        return self._trailing


class _Stream:
    """A call whose answers are iterated over: it runs while somebody waits for the next one.

    Each step of it is a task with one context for all of them: the handler finds its caller there, and
    whoever iterates does not.
    """

    def __init__(self, server: InProcess, path: str, request: Any, context: _Context) -> None:  # noqa: ANN401
        self._answers = server.stream(path, request, context)
        self._deadline = context.deadline
        self._variables = contextvars.copy_context()
        self._step: asyncio.Task[Any] | None = None
        self._closing: asyncio.Task[None] | None = None

    def __aiter__(self) -> "_Stream":
        return self

    async def __anext__(self) -> Any:  # noqa: ANN401
        if self._closing is not None:
            raise asyncio.CancelledError
        self._step = asyncio.create_task(_next(self._answers), context=self._variables)
        try:
            async with asyncio.timeout_at(self._deadline):
                return await self._step
        except TimeoutError:
            self.cancel()
            told = "the stream has not ended before its deadline"
            raise _error(grpc.StatusCode.DEADLINE_EXCEEDED, told) from None

    def cancel(self) -> bool:
        """Ends the call; whoever waits for an answer gets a CancelledError."""
        if self._closing is not None:
            return False
        if self._step is not None:
            self._step.cancel()
        self._closing = asyncio.create_task(self._close(), context=self._variables)
        return True

    async def _close(self) -> None:
        # A step that was cancelled before it began has not ended the handler.
        if self._step is not None:
            await asyncio.wait([self._step])
        await self._answers.aclose()


async def _next(answers: AsyncIterator[Any]) -> Any:  # noqa: ANN401
    return await anext(answers)
