"""Time, as the store keeps it."""

import time


def now() -> int:
    """Milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


class Setting:
    """Notices when the clock is set, or the machine slept: what measures spans goes on."""

    def __init__(self) -> None:
        self.take()

    def take(self) -> None:
        """Takes the clock as it is now."""
        self._apart = _apart()

    @property
    def seconds(self) -> float:
        """By how much the clock was set since it was last taken; what is corrected in passing is little."""
        return (_apart() - self._apart) / 1e9


def _apart() -> int:
    return time.time_ns() - time.monotonic_ns()
