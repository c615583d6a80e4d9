"""When a call is made again: on UNAVAILABLE alone, and for as long as its deadline allows.

That is safe for writes, too: whatever was done before, the request_id makes it once. gRPC's own
retryPolicy ends after five attempts, whatever it says (gRFC A6), which is three seconds; its
wait_for_ready ends with a deadline that does not say why nobody answered.
"""

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc
from tenacity import AsyncRetrying, Retrying, retry_if_exception, stop_before_delay, wait_random_exponential

T = TypeVar("T")

# Of a random pause: at most how long the first is and how long any is, in seconds.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 3.0


def _is_unavailable(error: BaseException) -> bool:
    return isinstance(error, grpc.RpcError) and error.code() is grpc.StatusCode.UNAVAILABLE


_RETRY = retry_if_exception(_is_unavailable)
_WAIT = wait_random_exponential(multiplier=_FIRST_PAUSE, max=_LONGEST_PAUSE)


def repeated(seconds: float, attempt: Callable[[float], T]) -> T:
    """What the attempt returns, which is told how many seconds are left.

    Raises what the last one raised.
    """
    until = time.monotonic() + seconds
    retrying = Retrying(retry=_RETRY, wait=_WAIT, stop=stop_before_delay(seconds), reraise=True)
    return retrying(lambda: attempt(until - time.monotonic()))


async def repeated_async(seconds: float, attempt: Callable[[float], Awaitable[T]]) -> T:
    """The same for asyncio."""
    until = time.monotonic() + seconds

    async def once() -> T:
        return await attempt(until - time.monotonic())

    retrying = AsyncRetrying(retry=_RETRY, wait=_WAIT, stop=stop_before_delay(seconds), reraise=True)
    return await retrying(once)
