"""How a build is waited for, and how builds are watched, alike in both clients."""

import time
from collections.abc import Callable

from shiplift.errors import ShipliftError, Unavailable, WaitTimeout
from shiplift.v1 import builds_pb2 as pb

PAUSE_SECONDS = 1.0
# A server that is started again is back by then.
PATIENCE_SECONDS = 600.0
ENDED = frozenset(
    {
        pb.BUILD_STATUS_SKIPPED,
        pb.BUILD_STATUS_DECLINED,
        pb.BUILD_STATUS_SUCCESS,
        pb.BUILD_STATUS_FAILURE,
        pb.BUILD_STATUS_KILLED,
        pb.BUILD_STATUS_ERROR,
    }
)
_CALL_SECONDS = 30.0
# A server answers so long before the deadline.
_MARGIN_SECONDS = 1.0


class Waiting:
    """A wait: the build as it was seen last, and how long there is to go on."""

    def __init__(
        self, build: pb.Build, timeout: float | None, on_change: Callable[[pb.Build], None] | None
    ) -> None:
        self.build = build
        self._timeout = timeout
        self._until = None if timeout is None else time.monotonic() + timeout
        self._answered = time.monotonic()
        self._on_change = on_change

    def deadline(self) -> float:
        """How long the next call may take, in seconds. Raises WaitTimeout."""
        if self._until is None:
            return _CALL_SECONDS + _MARGIN_SECONDS
        left = self._until - time.monotonic()
        if left <= 0:
            raise WaitTimeout(self.build, self._timeout or 0)
        return min(left, _CALL_SECONDS) + _MARGIN_SECONDS

    def goes_on(self, build: pb.Build) -> bool:
        """Takes note of an answer; whether there is more to wait for."""
        has_moved = build.version != self.build.version
        self.build, self._answered = build, time.monotonic()
        if has_moved and self._on_change is not None:
            self._on_change(build)
        return build.status not in ENDED and build.status != pb.BUILD_STATUS_BLOCKED

    def pause(self, error: Unavailable) -> float:
        """How long to leave a server alone that did not answer, in seconds. Raises the error in the end."""
        if time.monotonic() - self._answered > PATIENCE_SECONDS:
            raise error
        left = PAUSE_SECONDS if self._until is None else self._until - time.monotonic()
        return max(0.0, min(PAUSE_SECONDS, left))


class Watching:
    """A watch over its connections: where the next one goes on, and how long a silent server is asked."""

    def __init__(self, cursor: str) -> None:
        self.cursor = cursor
        self._answered = time.monotonic()

    def is_news(self, response: pb.WatchBuildsResponse) -> bool:
        """Takes note of a response; whether it is more than a sign of life."""
        self._answered = time.monotonic()
        self.cursor = response.cursor or self.cursor
        return not response.HasField("heartbeat")

    def pause(self, error: ShipliftError) -> float:
        """How long to leave the server alone until the next connection, in seconds. Raises the error."""
        is_for_now = isinstance(error, Unavailable) or error.reason == "READS_TOO_SLOWLY"
        if not is_for_now or time.monotonic() - self._answered > PATIENCE_SECONDS:
            raise error
        return PAUSE_SECONDS
