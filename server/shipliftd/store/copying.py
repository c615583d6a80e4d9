"""Moving a store from SQLite to PostgreSQL or back: every row as it is, verified table by table."""

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from peewee import BooleanField, Database, Model, SqliteDatabase, chunked

from shipliftd.errors import Precondition
from shipliftd.store import schema
from shipliftd.store.models import TABLES, Setting
from shipliftd.store.opening import Lock, open_database
from shipliftd.store.transaction import SERVING, Reader, Transaction

_BATCH = 5_000

Row = tuple[Any, ...]


class _Table(NamedTuple):
    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    booleans: tuple[int, ...]

    @classmethod
    def of(cls, model: type[Model]) -> "_Table":
        fields = model._meta.sorted_fields
        key = [field.column_name for field in model._meta.get_primary_keys()]
        booleans = [n for n, field in enumerate(fields) if isinstance(field, BooleanField)]
        columns = tuple(field.column_name for field in fields)
        return cls(model._meta.table_name, columns, tuple(key), tuple(booleans))

    def normal(self, row: Row) -> Row:
        """The row with booleans that are booleans."""
        if not self.booleans:
            return tuple(row)
        values = list(row)
        for n in self.booleans:
            values[n] = bool(values[n])
        return tuple(values)


class Copied(NamedTuple):
    """How many rows a table has, and the SHA-256 of them all in the order of their keys."""

    rows: int
    digest: str


def copy(source: Path | str, target: Path | str, progress: Callable[[str], None]) -> None:
    """Copies a store that nobody uses into an empty one; ids, numbers and request_ids stay.

    Raises Precondition where one is in use, the target holds anything, or is not the same in the end.
    """
    with _alone(source) as read, _alone(target) as written:
        schema.require(read)
        schema.migrate(written)
        read.execute_sql("BEGIN")
        written.execute_sql("BEGIN")
        _copy(Transaction(read), Transaction(written), progress)
        written.commit()


@contextlib.contextmanager
def _alone(place: Path | str) -> Iterator[Database]:
    """Opens a store that no server uses, and none can use meanwhile."""
    if isinstance(place, Path):
        with contextlib.closing(Lock(place)), contextlib.closing(open_database(place, timeout=10)) as file:
            yield file
        return
    from shipliftd.store.postgres_database import (  # psycopg, which SQLite does without
        Postgres,
        PostgresUrl,
    )

    with contextlib.closing(Postgres(PostgresUrl.parse(place), is_bounded=False)) as database:
        database.connect()
        taken = Reader(database).connection.execute("SELECT pg_try_advisory_lock(%s)", (SERVING,))
        if not taken.fetchone()[0]:
            raise Precondition(f"the store {database.database} is in use by a shipliftd: stop all of them")
        yield database


def _copy(source: Transaction, target: Transaction, progress: Callable[[str], None]) -> None:
    tables = [_Table.of(model) for model in TABLES]
    _refuse_rows(target, tables)
    # The source's own key, or no request_id would be known again.
    target.execute(Setting.delete())
    for table in tables:
        given = _fill(source, target, table, progress)
        found = digest(target, table)
        if found != given:
            raise Precondition(
                f"{table.name}: {given.rows} rows were read and {found.rows} are there, or they differ:"
                " nothing was copied"
            )
        progress(f"{table.name}: {given.rows} rows, sha256 {given.digest[:16]}")
    _go_on_counting(target.database, tables)
    # Changes may have other places there.
    schema.begin_changes(target)


def _refuse_rows(target: Transaction, tables: list[_Table]) -> None:
    for table in tables:
        held = target.connection.execute(f"SELECT 1 FROM {table.name} LIMIT 1").fetchone()  # noqa: S608
        if table.name != Setting._meta.table_name and held is not None:
            raise Precondition(f"the target is not empty: it has {table.name}; name an empty one")


def _fill(
    source: Transaction, target: Transaction, table: _Table, progress: Callable[[str], None]
) -> Copied:
    total = hashlib.sha256()
    count = 0
    mark = target.database.param
    into = (
        f"INSERT INTO {table.name} ({', '.join(map(_quoted, table.columns))})"  # noqa: S608  # of our models
        f" VALUES ({', '.join([mark] * len(table.columns))})"
    )
    for batch in chunked(_rows(source, table), _BATCH):
        for row in batch:
            total.update(repr(row).encode())
        target.connection.cursor().executemany(into, batch)
        count += len(batch)
        if len(batch) == _BATCH:
            progress(f"{table.name}: {count} ...")
    return Copied(count, total.hexdigest())


def digest(reader: Transaction, table: _Table) -> Copied:
    """What a table holds."""
    total = hashlib.sha256()
    count = 0
    for row in _rows(reader, table):
        total.update(repr(row).encode())
        count += 1
    return Copied(count, total.hexdigest())


def _rows(reader: Transaction, table: _Table) -> Iterator[Row]:
    sql = (
        f"SELECT {', '.join(map(_quoted, table.columns))} FROM {table.name}"  # noqa: S608  # of our models
        f" ORDER BY {', '.join(map(_quoted, table.key))}"
    )
    if isinstance(reader.database, SqliteDatabase):
        rows: Any = reader.connection.execute(sql)
    else:
        # Of a cursor with a name PostgreSQL sends some rows at a time.
        rows = reader.connection.cursor(f"copy_{table.name}")
        rows.itersize = _BATCH
        rows.execute(sql)
    try:
        yield from map(table.normal, rows)
    finally:
        rows.close()


def _go_on_counting(database: Database, tables: list[_Table]) -> None:
    """Has PostgreSQL give the next ids from here on; SQLite takes the highest anyway."""
    if isinstance(database, SqliteDatabase):
        return
    for table in tables:
        if table.key == ("id",):
            database.execute_sql(
                f"SELECT setval(pg_get_serial_sequence(%s, 'id'), max(id)) FROM {table.name}"  # noqa: S608
                " HAVING max(id) IS NOT NULL",
                (table.name,),
            )


def _quoted(name: str) -> str:
    return f'"{name}"'
