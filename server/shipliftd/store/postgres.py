"""A store in PostgreSQL: one transaction a verb, on a pool of threads that have a connection each."""

import asyncio
import contextlib
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Concatenate, ParamSpec, TypeVar

import platformdirs
import psycopg

from shipliftd.errors import Precondition, Refusal, Unavailable
from shipliftd.store import schema
from shipliftd.store.ahead import Ahead, Made, having
from shipliftd.store.failures import (
    is_away,
    is_crowded,
    is_cut,
    is_locked,
    is_overtaken,
    is_read_only,
    is_slow,
)
from shipliftd.store.notices import Notices, notify
from shipliftd.store.postgres_database import Postgres, PostgresUrl
from shipliftd.store.store import Store
from shipliftd.store.transaction import Overtaken, Reader, Transaction

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)

# How long a call waits for a connection that is free, and then for the database.
_FREE_SECONDS = 5.0
_ANSWER_SECONDS = 20.0
# Where PostgreSQL has no room for one more connection it is asked for it again after this; longer than a
# call waits for one, so that it ends.
_CROWDED_SECONDS = 10.0
# Writes may wait for each other; reads go on meanwhile.
_SHARE_OF_WRITES = 0.8
# What nobody was told of is looked for this often.
_LOOK_SECONDS = 30.0
# What lasts is told this often.
_TELL_SECONDS = 60.0
_AWAY = "the database cannot be reached now"
_UNREAD = "the database cannot be read now"
_READ_ONLY = "the database is read only now"
_LOCKED = "others hold locks on what this needs (pg_locks shows whose)"
_SLOW = "the database took too long for this"
_NOT_STORED = "; nothing was stored: try again"
_UNKNOWN = (
    "the database was lost while it stored this, so it is done or it is not: repeat the call with the same"
    " request_id, which tells"
)
# What to do where nobody can connect, by what libpq says of it.
_ADVICE = (
    (
        "certificate",
        "See that the address names the host that the server's certificate is for, and sslrootcert the"
        " file of the CA that signed it",
    ),
    (
        "password",
        "See that the password is this user's, and stands in a file of mode 0600 that PGPASSFILE or"
        " ?passfile= names, in a line HOST:PORT:DATABASE:USER:PASSWORD",
    ),
)
_CROWDED_ADVICE = (
    "See that PostgreSQL's max_connections has room for the --connections of each server, one more of each"
    " that listens, and commands"
)
_OTHER_ADVICE = (
    "See that PostgreSQL runs there, has the database (createdb) and lets this user in, or name another"
    " address"
)


class _Crowded(Exception):  # noqa: N818  # of our own, as the next one
    """PostgreSQL has no room for this thread's connection; other threads have theirs."""


class _Unknown(Exception):  # noqa: N818  # of our own, between two functions
    """The connection was lost in a COMMIT."""


class PostgresStore(Store):
    """A PostgreSQL database, that other replicas may use at the same time."""

    numbers_changes = True

    def __init__(self, url: PostgresUrl, connections: int) -> None:
        super().__init__()
        self.name = url.shown
        self.token_file = platformdirs.user_state_path("shiplift") / f"{url.database}.admin-token"
        self._url = url
        self._connections = connections
        self._threads = ThreadPoolExecutor(connections, "store")
        self._free = asyncio.Semaphore(connections)
        self._free_for_writes = asyncio.Semaphore(max(1, int(connections * _SHARE_OF_WRITES)))
        self._waiting = 0
        self._sessions = threading.local()
        # By thread; those that were cut, too.
        self._open: dict[int, Transaction] = {}
        self._is_closing = threading.Event()
        self._crowded_told = -math.inf
        # Then reads go on while it is failing.
        self._is_read_only = False
        self._notices = Notices(url, self._publish)
        self._looked = time.monotonic()
        self._running: set[asyncio.Future[Any]] = set()

    def migrate(self) -> list[str]:
        """Brings the schema up to date, one process at a time; see `schema.migrate`."""
        with contextlib.closing(Postgres(self._url, is_bounded=False)) as database:
            with self._in_words():
                database.connect()
            with schema.one_at_a_time(database):
                return schema.migrate(database)

    async def open(self) -> None:
        """Looks whether the schema is for this release."""
        with self._in_words():
            await self._in_thread(lambda: schema.require(self._session().database))

    @contextlib.contextmanager
    def _in_words(self) -> Iterator[None]:
        """Raises Precondition where nobody can connect, for whoever starts a server or runs a command."""
        try:
            yield
        except Exception as error:
            if not is_cut(error):
                raise
            told = " ".join(str(error).split()).rstrip(".")
            other = _CROWDED_ADVICE if is_crowded(error) else _OTHER_ADVICE
            advice = next((say for words, say in _ADVICE if words in told), other)
            raise Precondition(f"--database {self.name} cannot be reached: {told}. {advice}") from error

    async def start(self) -> None:
        """Listens to the other replicas, too."""
        await self.open()
        with self._in_words():
            await self._in_thread(lambda: schema.note_environments(self._session()))
            self.is_alone = await self._notices.start()

    async def _written(self, verb: Callable[[Transaction], T], made: Made) -> T:
        if self.failing:
            raise Unavailable((_READ_ONLY if self._is_read_only else _AWAY) + _NOT_STORED)
        return await self._attempt(verb, made)

    async def probe(self) -> None:
        """Looks whether the database takes writes again. Raises Unavailable when it does not."""
        await self._attempt(_write_nothing, {})

    async def _attempt(self, verb: Callable[[Transaction], T], made: Made) -> T:
        since = time.monotonic()
        await self._enter(self._free_for_writes, self._free)
        # Whoever hangs up does not end it: what it commits must be told.
        writing = asyncio.ensure_future(self._told(verb, made))
        self._running.add(writing)
        writing.add_done_callback(self._running.discard)
        result = await asyncio.shield(writing)
        for told in self._observers:
            told(1, time.monotonic() - since)
        return result

    async def _told(self, verb: Callable[[Transaction], T], made: Made) -> T:
        try:
            loop = asyncio.get_running_loop()
            result = await self._on_a_connection(
                lambda: self._commit(verb, made, loop), self._free_for_writes, self._free
            )
        except (_Unknown, TimeoutError):
            self.failing, self._is_read_only = True, False
            raise Unavailable(_UNKNOWN) from None
        except (Refusal, Ahead, Overtaken):
            raise
        except Exception as error:
            if is_overtaken(error):
                raise Overtaken from error
            if is_away(error):
                raise Unavailable(self._fails(error, _AWAY) + _NOT_STORED) from None
            raise
        self.failing = self._is_read_only = False
        return result

    async def read(
        self, query: Callable[Concatenate[Reader, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Runs a query on a thread: it waits for the database."""
        if self.failing and not self._is_read_only:
            raise Unavailable(f"{_UNREAD}: try again")
        await self._enter(self._free)
        try:
            return await self._on_a_connection(
                lambda: self._again_if_cut(lambda tx: query(tx, *args, **kwargs)), self._free
            )
        except Exception as error:
            # A read, too, may wait in a circle: with a migration, which locks whole tables.
            if is_away(error) or is_overtaken(error) or isinstance(error, TimeoutError):
                raise Unavailable(f"{self._fails(error, _UNREAD)}: try again") from None
            raise

    listing = read

    @property
    def writes_waiting(self) -> int:
        """How many calls wait for a connection."""
        return self._waiting

    def changed_elsewhere(self) -> bool:
        """Whether notices were missed since this was last asked; from time to time, in case."""
        is_due = time.monotonic() - self._looked > _LOOK_SECONDS
        if not (self._notices.has_gap or is_due):
            return False
        self._notices.has_gap = False
        self._looked = time.monotonic()
        return True

    async def tend(self) -> None:
        """Nothing: PostgreSQL vacuums by itself."""

    async def drain(self) -> None:
        """Waits until every verb that was given is on disk."""
        while self._running:
            await asyncio.wait(self._running)

    def hurry(self) -> None:
        """Nothing: locks and statements have their bounds."""

    def close(self) -> None:
        """Ends the threads and their connections."""
        self._notices.stop()
        self._is_closing.set()
        # While the database does not answer they wait for it, and end with the process.
        self._threads.shutdown(wait=not self.failing, cancel_futures=True)
        if not self.failing:
            for tx in self._open.values():
                tx.connection.close()
        super().close()

    async def _enter(self, *places: asyncio.Semaphore) -> None:
        """Takes these, once a connection is free; `_in_thread` gives them back. Raises Unavailable."""
        if not any(place.locked() for place in places):
            for place in places:
                await place.acquire()
            return
        self._waiting += 1
        try:
            async with asyncio.timeout(_FREE_SECONDS), contextlib.AsyncExitStack() as taken:
                for place in places:
                    await taken.enter_async_context(place)
                taken.pop_all()
        except TimeoutError:
            raise Unavailable(
                f"no connection to the database was free for {_FREE_SECONDS:g} s, of {self._connections}"
                " (--connections); nothing was stored: try again"
            ) from None
        finally:
            self._waiting -= 1

    async def _on_a_connection(self, run: Callable[[], T], *places: asyncio.Semaphore) -> T:
        """Runs it on a thread that has a connection, or gets one. Raises TimeoutError, Unavailable."""
        while True:
            try:
                return await self._in_thread(run, *places)
            except _Crowded:
                await self._enter(*places)

    async def _in_thread(self, run: Callable[[], T], *places: asyncio.Semaphore) -> T:
        """Raises TimeoutError. The places are free when the thread is, though nobody may wait any more."""
        loop = asyncio.get_running_loop()
        answer: Future[T] = Future()
        answer.set_running_or_notify_cancel()

        def work() -> None:
            try:
                answer.set_result(run())
            except BaseException as error:
                answer.set_exception(error)
                # With its places: no more calls are let in than there are connections.
                if isinstance(error, _Crowded):
                    self._is_closing.wait(_CROWDED_SECONDS)

        def leave(_working: Future[None]) -> None:
            for place in places:
                loop.call_soon_threadsafe(place.release)

        self._threads.submit(work).add_done_callback(leave)
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await asyncio.wrap_future(answer)

    def _session(self) -> Transaction:
        """This thread's connection, which is made where there is none."""
        tx: Transaction | None = getattr(self._sessions, "tx", None)
        if tx is not None and not tx.connection.closed:
            return tx
        database: Postgres | None = getattr(self._sessions, "database", None)
        if database is None:
            database = self._sessions.database = Postgres(self._url)
        if not database.is_closed():
            database.close()
        try:
            database.connect()
        except Exception as error:
            if not is_crowded(error) or all(each.connection.closed for each in list(self._open.values())):
                raise
            self._tell_crowded(error)
            raise _Crowded from error
        self._sessions.tx = self._open[threading.get_ident()] = tx = Transaction(database)
        return tx

    def _tell_crowded(self, error: Exception) -> None:
        if time.monotonic() - self._crowded_told < _TELL_SECONDS:
            return
        self._crowded_told = time.monotonic()
        told = f"{' '.join(str(error).split())}. {_CROWDED_ADVICE}"
        log.warning("fewer connections than wanted", extra={"wanted": self._connections, "error": told})

    def _again_if_cut(self, run: Callable[[Transaction], T]) -> T:
        """Runs what may run twice; once more where its connection was cut, or is read only now."""
        try:
            return run(self._session())
        except Exception as error:
            if is_read_only(error):
                # A new one may find the primary, or that it is none any more.
                self._session().connection.close()
            elif not is_cut(error):
                raise
            return run(self._session())

    def _commit(self, verb: Callable[[Transaction], T], made: Made, loop: asyncio.AbstractEventLoop) -> T:
        result, tx = self._again_if_cut(lambda tx: (self._run(tx, verb, made), tx))
        try:
            with tx.connection.pipeline():
                # Not prepared: where one fails, psycopg takes those behind it for prepared all the same.
                for sql, args in tx.later:
                    tx.connection.execute(sql, args, prepare=False)
                notify(tx, self._notices.replica)
                tx.connection.execute("COMMIT", prepare=False)
        except Exception as error:
            if is_cut(error):
                log.warning("lost in a commit", extra={"error": str(error)})
                raise _Unknown from error
            _undo(tx)
            raise
        # From here, since it may be done after its caller was told that nobody knows.
        loop.call_soon_threadsafe(self._publish, dict.fromkeys(tx.changes))
        return result

    def _run(self, tx: Transaction, verb: Callable[[Transaction], T], made: Made) -> T:
        tx.changes, tx.later = [], []
        tx.connection.execute("BEGIN", prepare=False)
        try:
            with having(made):
                result = verb(tx)
        except BaseException:
            _undo(tx)
            raise
        return result

    def _fails(self, error: Exception, otherwise: str) -> str:
        """Notes that the database failed us; says in words how."""
        if not self.failing:
            log.warning("store", extra={"error": str(error)})
        if is_read_only(error):
            self.failing = self._is_read_only = True
            return _READ_ONLY
        if is_cut(error):
            self.failing, self._is_read_only = True, False
        elif is_locked(error):
            return _LOCKED
        elif is_slow(error):
            return _SLOW
        return otherwise


def _write_nothing(tx: Transaction) -> None:
    # Which a database that is read only takes, too.
    tx.connection.execute("SELECT pg_current_xact_id()")
    (is_so,) = tx.connection.execute("SELECT current_setting('transaction_read_only') = 'on'").fetchone()
    if is_so:
        raise psycopg.errors.ReadOnlySqlTransaction("cannot write: transaction_read_only is on")


def _undo(tx: Transaction) -> None:
    if not tx.connection.closed:
        tx.connection.execute("ROLLBACK", prepare=False)
