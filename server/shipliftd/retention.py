"""Removing what is older than it is to be kept, beside everything else that the server does."""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta

from shipliftd import changes
from shipliftd.access.old_writes import forget_audit, forget_requests
from shipliftd.clock import now
from shipliftd.errors import Unavailable
from shipliftd.settings import Retention
from shipliftd.stages import old_logs
from shipliftd.store import Store
from shipliftd.store.transaction import Transaction

log = logging.getLogger(__name__)

_FIRST_SECONDS = 5
_SECONDS = 3600
# Between batches: a promotion waits for one of them at the most.
_PAUSE_SECONDS = 0.1


async def remove_old(store: Store, keep: Retention) -> None:
    """Removes what is old soon after the start, and every hour from then on."""
    await asyncio.sleep(_FIRST_SECONDS)
    while True:
        try:
            removed = {
                "log_lines": await _remove_logs(store, keep.logs),
                "audit": await _forget(store, forget_audit, keep.audit),
                "request_ids": await _forget(store, forget_requests, keep.requests),
                "changes": await _forget(store, changes.forget, keep.changes),
            }
            if any(removed.values()):
                log.info("removed what is old", extra=removed)
        except Unavailable as error:
            log.warning("what is old is not removed", extra={"error": str(error)})
        except Exception as error:
            # Its end would be silent; the next hour finds what is left.
            log.exception("what is old is not removed", extra={"error": str(error)})
        await asyncio.sleep(_SECONDS)


async def _remove_logs(store: Store, age: timedelta | None) -> int:
    lines, after = 0, None if age is None else 0
    while after is not None and age is not None:
        removed, after = await store.write(old_logs.remove, _before(age), after)
        lines += removed
        await asyncio.sleep(_PAUSE_SECONDS)
    return lines


async def _forget(
    store: Store, verb: Callable[[Transaction, int], tuple[int, bool]], age: timedelta | None
) -> int:
    rows, is_more = 0, age is not None
    while is_more and age is not None:
        removed, is_more = await store.write(verb, _before(age))
        rows += removed
        await asyncio.sleep(_PAUSE_SECONDS)
    return rows


def _before(age: timedelta) -> int:
    return now() - int(age.total_seconds() * 1000)
