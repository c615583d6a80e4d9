"""What replicas tell each other of their commits: PostgreSQL's LISTEN and NOTIFY."""

import asyncio
import json
import logging
import secrets
from collections.abc import Callable, Collection
from typing import Any

import psycopg

from shipliftd.store.postgres_database import PostgresUrl
from shipliftd.store.transaction import SERVING, Change, Transaction

log = logging.getLogger(__name__)

_CHANNEL = "shiplift"
# PostgreSQL takes 8,000 bytes; whoever gets none of the changes looks at everything.
_MOST_BYTES = 7_900
_AGAIN_SECONDS = 1.0
# So often the connection is tried when nothing came.
_QUIET_SECONDS = 10.0


def notify(tx: Transaction, replica: str) -> None:
    """Has the commit tell the others of its changes."""
    if not tx.changes:
        return
    text = json.dumps([replica, list(dict.fromkeys(tx.changes))], separators=(",", ":"))
    if len(text) > _MOST_BYTES:
        text = json.dumps([replica, None])
    tx.connection.execute("SELECT pg_notify(%s, %s)", (_CHANNEL, text), prepare=False)


class Notices:
    """What the other replicas have committed, as they tell it."""

    def __init__(self, url: PostgresUrl, told: Callable[[Collection[Change]], None]) -> None:
        self.replica = secrets.token_hex(4)
        # Whether something may have been missed.
        self.has_gap = False
        self._url = url
        self._told = told
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> bool:
        """Listens from now on; returns whether no other replica did. Raises what the driver raises."""
        is_alone: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._task = asyncio.get_running_loop().create_task(self._listen(is_alone))
        return await is_alone

    def stop(self) -> None:
        """Listens no more."""
        if self._task is not None:
            self._task.cancel()

    async def _listen(self, is_alone: asyncio.Future[bool]) -> None:
        is_told = False
        while True:
            try:
                connection = await psycopg.AsyncConnection.connect(self._url.conninfo, autocommit=True)
                async with connection:
                    await connection.execute(f"LISTEN {_CHANNEL}")
                    self.has_gap, is_told = True, False
                    found = await _is_alone(connection)
                    if not is_alone.done():
                        is_alone.set_result(found)
                    await self._take(connection)
            except (psycopg.Error, OSError) as error:
                if not is_alone.done():
                    is_alone.set_exception(error)
                    return
                if not is_told:
                    log.warning("replicas not heard", extra={"error": str(error)})
                is_told = True
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _take(self, connection: psycopg.AsyncConnection[Any]) -> None:
        while True:
            async for notice in connection.notifies(timeout=_QUIET_SECONDS):
                replica, changes = json.loads(notice.payload)
                if replica == self.replica:
                    continue
                if changes is None:
                    self.has_gap = True
                else:
                    self._told([(kind, row_id) for kind, row_id in changes])
            async with asyncio.timeout(_QUIET_SECONDS):
                await connection.execute("SELECT 1")


async def _is_alone(connection: psycopg.AsyncConnection[Any]) -> bool:
    """Whether no other replica listens; holds what tells them of this one as long as it is connected."""
    cursor = await connection.execute("SELECT pg_try_advisory_lock(%s)", (SERVING,))
    (found,) = await cursor.fetchone() or (False,)
    await connection.execute("SELECT pg_advisory_lock_shared(%s)", (SERVING,))
    if found:
        await connection.execute("SELECT pg_advisory_unlock(%s)", (SERVING,))
    return bool(found)
