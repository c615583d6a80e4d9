"""When a call is made again: on UNAVAILABLE, while there is hope, for as long as its deadline allows.

So is one that a busy server refused, RESOURCE_EXHAUSTED, where it says when there may be room. That is
safe for writes, too: whatever was done before, the request_id makes it once. gRPC's own retryPolicy ends
after five attempts, whatever it says (gRFC A6), which is three seconds; its wait_for_ready ends with a
deadline that does not say why nobody answered.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import grpc
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_before_delay,
    wait_random_exponential,
)
from tenacity.asyncio import retry_if_exception as retry_if_awaited

from shiplift.errors import hint_of

T = TypeVar("T")

# Of a random pause: at most how long the first is and how long any is, in seconds.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 3.0


_RANDOM = wait_random_exponential(multiplier=_FIRST_PAUSE, max=_LONGEST_PAUSE)


def repeated(
    seconds: float, is_hopeless: Callable[[grpc.RpcError], bool], attempt: Callable[[float], T]
) -> T:
    """What the attempt returns, which is told how many seconds are left.

    `is_hopeless` says of a failure that repeats cannot help; it may block. Raises what the last one raised,
    or what `_told` says.
    """
    until = time.monotonic() + seconds
    failures: list[grpc.RpcError] = []

    def may_pass(error: BaseException) -> bool:
        passing = _passing(error, failures)
        return passing is not None and not is_hopeless(passing)

    retry = retry_if_exception(may_pass)
    retrying = Retrying(retry=retry, wait=_pause, stop=stop_before_delay(seconds), reraise=True)
    try:
        return retrying(lambda: attempt(until - time.monotonic()))
    except grpc.RpcError as error:
        raise _told(error, failures) from None


async def repeated_async(
    seconds: float, is_hopeless: Callable[[grpc.RpcError], bool], attempt: Callable[[float], Awaitable[T]]
) -> T:
    """The same for asyncio."""
    until = time.monotonic() + seconds

    async def once() -> T:
        return await attempt(until - time.monotonic())

    failures: list[grpc.RpcError] = []

    async def may_pass(error: BaseException) -> bool:
        passing = _passing(error, failures)
        return passing is not None and not await asyncio.to_thread(is_hopeless, passing)

    retry = retry_if_awaited(may_pass)
    retrying = AsyncRetrying(retry=retry, wait=_pause, stop=stop_before_delay(seconds), reraise=True)
    try:
        return await retrying(once)
    except grpc.RpcError as error:
        raise _told(error, failures) from None


def _told(error: grpc.RpcError, failures: Sequence[grpc.RpcError]) -> grpc.RpcError:
    """The last error, unless it is a refusal that would hide that an earlier try may have been done."""
    is_busy = error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and hint_of(error) is not None
    return failures[0] if failures and is_busy else error


def _passing(error: BaseException, failures: list[grpc.RpcError]) -> grpc.RpcError | None:
    """The error, where the same call may succeed later; noted among the failures where it got no answer."""
    if not isinstance(error, grpc.RpcError):
        return None
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        failures.append(error)
        return error
    # Without a hint it is too much in itself, such as a message that is too long.
    is_for_now = error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and hint_of(error) is not None
    return error if is_for_now else None


def _pause(state: RetryCallState) -> float:
    """Seconds until the next attempt; never less than the hint of a server that is busy."""
    error = state.outcome.exception() if state.outcome is not None else None
    hint = 0.0
    if isinstance(error, grpc.RpcError) and error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
        hint = hint_of(error) or 0.0
    # Random on top, or all who were refused at once would come back at once.
    return hint + _RANDOM(state)
