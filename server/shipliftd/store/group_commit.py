"""A store in a SQLite file: its transactions, and the queue that commits them in groups.

`await store.write(verb, ...)` runs a verb in a transaction and returns once it is on disk. Verbs that
wait are taken together, each in a savepoint of its own, and committed once.

They run on the event loop's own thread; only COMMIT, which waits for the disk, has a thread. A writer
thread for the verbs would be slower: sqlite3 gives up the GIL at every statement, and on a busy loop
taking it back costs up to a switch interval (5 ms) each time.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar

import peewee

from shipliftd.errors import Unavailable
from shipliftd.store import schema
from shipliftd.store.ahead import Made, having
from shipliftd.store.failures import is_busy, is_damaged, is_statement_error
from shipliftd.store.opening import open_database
from shipliftd.store.store import Store
from shipliftd.store.transaction import Reader, Transaction
from shipliftd.store.wal import Wal

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)

# How long a batch waits for another process (`shipliftd grant add`, say) to let go of the file.
_BUSY_SECONDS = 10.0
_BUSY_PAUSE = 0.005
_TURN_SECONDS = 0.02
_GATHER_SECONDS = 0.005
_AWAY = "the store cannot take the write now; nothing was stored: try again"
_DAMAGED = "the store is damaged; nothing was stored: `shipliftd check` tells its operator more"


class _Waiting(NamedTuple):
    future: asyncio.Future[Any]
    verb: Callable[[Transaction], Any]
    made: Made


class SqliteStore(Store):
    """A SQLite file that is open, with its schema up to date.

    Belongs to the thread and the loop that use it; `listing` alone goes to other threads.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.name = str(path)
        self.is_alone = True
        self.token_file = path.with_name(f"{path.name}.admin-token")
        # Timeout 0: waiting for another process's lock must not stop the loop; `_begin` does it.
        self.writer = open_database(path, timeout=0)
        self._tx = Transaction(self.writer)
        self._read_database = open_database(path, timeout=5)
        self._reader = Reader(self._read_database)
        self._readers = threading.local()
        self._wal = Wal(path)
        self._batch: list[_Waiting] = []
        # Since when its first one waits.
        self._since = 0.0
        self._callers = self._wanted = 0
        self._enough = asyncio.Event()
        self._data_version = 0
        self._elsewhere = False
        self._task: asyncio.Task[None] | None = None
        self._is_hurried = False
        self._commit_thread = ThreadPoolExecutor(1, "commit")
        self._list_threads = ThreadPoolExecutor(2, "list")

    def migrate(self) -> list[str]:
        """Brings the schema up to date; see `schema.migrate`."""
        return schema.migrate(self.writer)

    async def open(self) -> None:
        """Makes the tables of a new file; refuses a file that another release would have to migrate."""
        schema.migrate_if_empty(self.writer)

    async def start(self) -> None:
        """Migrates it: nobody else serves a file."""
        self.migrate()

    @property
    def writes_waiting(self) -> int:
        """How many writes have not been taken into a batch yet."""
        return len(self._batch)

    async def _written(self, verb: Callable[[Transaction], T], made: Made) -> T:
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        if not self._batch:
            self._since = future.get_loop().time()
        self._batch.append(_Waiting(future, verb, made))
        if self._task is None:
            self._task = asyncio.create_task(self._commit_batches())
        elif len(self._batch) == self._wanted:
            self._enough.set()
        return await future

    async def read(
        self, query: Callable[Concatenate[Reader, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Runs a query that reads little, by a key: a thread would cost more."""
        return query(self._reader, *args, **kwargs)

    async def listing(
        self, query: Callable[Concatenate[Reader, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Runs a query that may read much, on a thread with a connection of its own."""

        def run() -> T:
            reader: Reader | None = getattr(self._readers, "reader", None)
            if reader is None:
                # Connections are a thread's own.
                self._read_database.connect(reuse_if_open=True)
                reader = self._readers.reader = Reader(self._read_database)
            return query(reader, *args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._list_threads, run)

    async def tend(self) -> None:
        """Empties the WAL where it has grown."""
        try:
            if self._wal.is_large():
                await asyncio.to_thread(self._wal.tend)
        except Exception as error:
            log.exception("WAL not looked at", extra={"error": str(error)})

    async def drain(self) -> None:
        """Waits until every verb that was given is on disk."""
        while self._task is not None:
            await self._task

    def hurry(self) -> None:
        """Waits for no other process's write any more: verbs behind one fail with Unavailable."""
        self._is_hurried = True

    def close(self) -> None:
        """Closes the file."""
        self._commit_thread.shutdown()
        self._list_threads.shutdown()
        super().close()
        self._read_database.close()
        self.writer.close()

    async def _commit_batches(self) -> None:
        try:
            while self._batch:
                await self._gather()
                batch, self._batch = self._batch, []
                since = self._since
                try:
                    await self._commit(batch)
                    self.failing = False
                    waited = asyncio.get_running_loop().time() - since
                    for told in self._observers:
                        told(len(batch), waited)
                except Exception as error:
                    log.exception("store", extra={"error": str(error)})
                    self._fail(batch, _DAMAGED if is_damaged(error) else _AWAY)
                # Those just answered, and those who came meanwhile.
                self._callers = len(batch) + len(self._batch)
        finally:
            self._task = None

    async def _gather(self) -> None:
        """Waits until most of the callers there are have come, but not for long.

        They come in waves, one with each commit. Without the wait the batches stayed at two verbs under
        64 callers, and the commits cost more than the verbs. A lone caller does not wait, but
        for the once after a crowd.
        """
        wanted = self._callers * 3 // 4
        if len(self._batch) >= wanted:
            return
        self._wanted = wanted
        self._enough.clear()
        timer = asyncio.get_running_loop().call_later(_GATHER_SECONDS, self._enough.set)
        await self._enough.wait()
        timer.cancel()
        self._wanted = 0

    def changed_elsewhere(self) -> bool:
        """Whether another process has written to the store since this was last asked."""
        if self._task is None:
            self._look_elsewhere()
        elsewhere, self._elsewhere = self._elsewhere, False
        return elsewhere

    def _look_elsewhere(self) -> None:
        # Moves with commits by others than this connection, so not with the server's own.
        version = self.writer.execute_sql("PRAGMA data_version").fetchone()[0]
        self._elsewhere |= version != self._data_version
        self._data_version = version

    async def _commit(self, batch: list[_Waiting]) -> None:
        await self._begin()
        self._tx.changes.clear()
        done: list[tuple[asyncio.Future[Any], Any, Exception | None]] = []
        loop = asyncio.get_running_loop()
        pause = loop.time() + _TURN_SECONDS
        for waiting in batch:
            if not waiting.future.done():
                done.append((waiting.future, *self._run(waiting)))
            if loop.time() > pause:
                # Reads, health and cancellations take their turn between heavy verbs.
                await asyncio.sleep(0)
                pause = loop.time() + _TURN_SECONDS
        await loop.run_in_executor(self._commit_thread, self.writer.connection().commit)
        changes, self._tx.changes = dict.fromkeys(self._tx.changes), []
        self._publish(changes)
        for future, result, error in done:
            if future.done():
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

    async def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + _BUSY_SECONDS
        while True:
            try:
                # IMMEDIATE: a deferred one finds the file locked at its first write, too late.
                self.writer.execute_sql("BEGIN IMMEDIATE")
                self._look_elsewhere()
                return
            except peewee.OperationalError as error:
                if not is_busy(error) or self._is_hurried or loop.time() > until:
                    raise
                await asyncio.sleep(_BUSY_PAUSE)

    def _run(self, waiting: _Waiting) -> tuple[Any, Exception | None]:
        # Straight to the driver, as for compiled queries: there are two of these a verb.
        execute: Callable[[str], object] = self._tx.connection.execute
        execute("SAVEPOINT verb")
        told = len(self._tx.changes)
        try:
            with having(waiting.made):
                result = waiting.verb(self._tx)
        except Exception as error:
            if not is_statement_error(error):
                raise
            del self._tx.changes[told:]
            execute("ROLLBACK TO verb")
            execute("RELEASE verb")
            return None, error
        execute("RELEASE verb")
        return result, None

    def _fail(self, batch: list[_Waiting], why: str) -> None:
        self.failing = True
        try:
            connection = self.writer.connection()
            if connection.in_transaction:
                connection.rollback()
        except Exception:
            log.exception("store")
        for waiting in batch:
            if not waiting.future.done():
                waiting.future.set_exception(Unavailable(why))
