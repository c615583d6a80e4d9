"""Handlers whose calls somebody looks at from outside, as they begin and as they end."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

import grpc
import grpc.aio

# Told of a call as it begins; what that returns is told the name of its code as it ends.
Begin = Callable[[Any], Callable[[str], None]]
# Made once for each rpc: of its name, and whether it waits for something to come.
Observer = Callable[[str, bool], Begin]


def unary(behavior: Callable[..., Any], begin: Begin) -> Callable[..., Any]:
    """The same handler of an rpc with one answer, observed."""

    async def call(request: object, context: Any) -> Any:  # noqa: ANN401
        end = begin(context)
        try:
            answer = await behavior(request, context)
        except BaseException as error:
            end(_code(error, context))
            raise
        end("OK")
        return answer

    return call


def stream(behavior: Callable[..., AsyncGenerator[Any]], begin: Begin) -> Callable[..., Any]:
    """The same handler of an rpc with a stream of answers, observed."""

    async def call(request: object, context: Any) -> AsyncIterator[Any]:  # noqa: ANN401
        end = begin(context)
        code = "OK"
        try:
            async with contextlib.aclosing(behavior(request, context)) as answers:
                async for message in answers:
                    yield message
        except BaseException as error:
            code = _code(error, context)
            raise
        finally:
            end(code)

    return call


def _code(error: BaseException, context: Any) -> str:  # noqa: ANN401
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        left = context.time_remaining()
        return "DEADLINE_EXCEEDED" if left is not None and left <= 0 else "CANCELLED"
    if isinstance(error, grpc.aio.AioRpcError):
        # Of a call over no wire.
        return error.code().name
    # 0 where nobody has ended it: gRPC then says UNKNOWN.
    code = context.code()
    return code.name if isinstance(code, grpc.StatusCode) else "UNKNOWN"
