"""How well an environment is delivered to: DORA's four figures, as `docs/figures.md` defines them. Pure."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Change(NamedTuple):
    """A promotion or rollback that ended in success, failure or error; times are milliseconds."""

    origin: int
    is_rollback: bool
    has_succeeded: bool
    finished: int
    is_rolled_back: bool

    @property
    def is_good(self) -> bool:
        """Whether it did not fail, then or later."""
        return self.has_succeeded and not self.is_rolled_back


class Lengths(NamedTuple):
    """Some lengths of time, in milliseconds; of none, 0."""

    number: int = 0
    median: int = 0
    p90: int = 0


class Figures(NamedTuple):
    """The four, each with what it was counted of."""

    deployments: int
    lead_time: Lengths
    changes: int
    failed: int
    time_to_restore: Lengths
    unrestored: int


def figures(changes: Sequence[Change], begun: Mapping[int, int], since: int, until: int) -> Figures:
    """The figures of what ended from `since` to before `until`.

    `changes` are all that went there, before and after it, too; `begun` says when each origin began.
    """
    in_order = sorted(changes, key=lambda change: change.finished)
    promotions = [
        change for change in in_order if since <= change.finished < until and not change.is_rollback
    ]
    deployed = [change for change in promotions if change.has_succeeded]
    first: dict[int, int] = {}
    for change in in_order:
        if change.has_succeeded:
            first.setdefault(change.origin, change.finished)
    leads = [
        max(first[origin] - begun[origin], 0)
        for origin in {change.origin for change in deployed}
        if first[origin] >= since and origin in begun
    ]
    restored, unrestored = _restored(in_order, since, until)
    return Figures(
        deployments=len(deployed),
        lead_time=_lengths(leads),
        changes=len(promotions),
        failed=sum(not change.is_good for change in promotions),
        time_to_restore=_lengths(restored),
        unrestored=unrestored,
    )


def _restored(in_order: Sequence[Change], since: int, until: int) -> tuple[list[int], int]:
    """How long each failure that began in the time lasted, and whether the last one still does.

    What fails before anything good came is of the same failure.
    """
    found: list[int] = []
    failed_at: int | None = None
    for change in in_order:
        if change.is_good:
            if failed_at is not None and since <= failed_at < until:
                found.append(change.finished - failed_at)
            failed_at = None
        elif failed_at is None and not change.is_rollback:
            failed_at = change.finished
    return found, int(failed_at is not None and since <= failed_at < until)


def _lengths(found: Sequence[int]) -> Lengths:
    if not found:
        return Lengths()
    at = math.ceil(len(found) * 0.9) - 1
    return Lengths(len(found), round(statistics.median(found)), sorted(found)[at])
