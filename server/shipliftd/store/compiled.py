"""Queries of the hot path: written in peewee, compiled to SQL text once.

Compiling is what costs in peewee (about 100 us a query, against 5 us for running it), and it is the same
text each time.
"""

from collections.abc import Callable, Sequence
from itertools import repeat
from typing import Any

from peewee import Database, Insert, Model, Query, Value

from shipliftd.store.transaction import Overtaken, Reader, Transaction


class Arg:
    """Stands in a query for the argument at this position."""

    def __init__(self, position: int) -> None:
        self.position = position


def arg(position: int) -> Value:
    """A placeholder for the argument at this position, to be used like a value in a query."""
    return Value(Arg(position), converter=False)


class Compiled:
    """A query with `arg(0)`, `arg(1)`, ... in it, kept as SQL of each kind of database that it ran on.

    Runs on what it is given: the transaction inside a verb, a reader elsewhere. Arguments are passed to
    the driver as they are, without peewee's conversions; what the driver raises is its own.
    """

    def __init__(self, query: Query) -> None:
        self._query = query
        self._texts: dict[type[Database], tuple[str, list[object] | None]] = {}

    def _compiled(self, database: Database) -> tuple[str, list[object] | None]:
        query = self._query
        if isinstance(query, Insert) and database.returning_clause:
            # Where the driver does not tell the new id beside the rows.
            query = query.returning(*(f for f in (query.table._meta.primary_key,) if f.name == "id"))
        sql, params = database.get_sql_context().sql(query).query()
        straight = [p.position if type(p) is Arg else -1 for p in params] == list(range(len(params)))
        found = self._texts[type(database)] = sql, None if straight else params
        return found

    def _statement(self, database: Database, args: tuple[object, ...]) -> tuple[str, tuple[object, ...]]:
        """The text, and the arguments in the order in which it has them."""
        sql, params = self._texts.get(type(database)) or self._compiled(database)
        if params is not None:
            args = tuple(args[p.position] if type(p) is Arg else p for p in params)
        return sql, args

    def run(self, reader: Reader, *args: object) -> Any:  # noqa: ANN401
        """Runs it and returns the driver's cursor, whose rows are untyped tuples."""
        return reader.connection.execute(*self._statement(reader.database, args))

    def put(self, tx: Transaction, *args: object) -> None:
        """Runs it by the end of the transaction, which reads nothing of it: see `Transaction.put`."""
        tx.put(*self._statement(tx.database, args))

    def run_each(self, tx: Transaction, rows: Sequence[tuple[object, ...]]) -> None:
        """Runs it once for each row of arguments, faster than `run`; the query takes them as they are."""
        sql, params = self._texts.get(type(tx.database)) or self._compiled(tx.database)
        assert params is None  # noqa: S101  # known when the query is written
        tx.connection.cursor().executemany(sql, rows)

    def insert(self, tx: Transaction, *args: object) -> int:
        """Runs an INSERT and returns the new row's id."""
        cursor = self.run(tx, *args)
        row_id: int = cursor.fetchone()[0] if tx.database.returning_clause else cursor.lastrowid
        return row_id

    def place(self, tx: Transaction, row_id: int | None, *args: object) -> int:
        """Runs an INSERT that has the id as its first argument, and returns that: see `Transaction.ids`."""
        if row_id is None:
            return self.insert(tx, None, *args)
        self.put(tx, row_id, *args)
        return row_id

    def move(self, tx: Transaction, *args: object) -> None:
        """Runs an UPDATE of one row that says what it expects. Raises Overtaken where it is not so."""
        if self.run(tx, *args).rowcount != 1:
            raise Overtaken

    def one(self, reader: Reader, *args: object) -> Any:  # noqa: ANN401
        """The first row, or None. Leaves no cursor open, which would hold the WAL."""
        rows = self.run(reader, *args).fetchall()
        return rows[0] if rows else None


def inserting(model: type[Model], *without: str, with_id: bool = False) -> Compiled:
    """An INSERT of a row; its arguments are the columns in the model's order, the id seldom."""
    left_out = {*without} if with_id else {*without, "id"}
    fields = [field for field in model._meta.sorted_fields if field.name not in left_out]
    return Compiled(model.insert({field: arg(n) for n, field in enumerate(fields)}))


class CompiledIn:
    """A query with a list of values in it (`IN`), compiled for lists of 1, 2, 4, 8, ... values.

    A shorter list is filled up with its first value, which finds nothing twice. The arguments come before
    the values: `write` is given their placeholders, and how many arguments there are is `arguments`.
    """

    def __init__(self, write: Callable[[list[Value]], Query], arguments: int = 0) -> None:
        self._write = write
        self._arguments = arguments
        self._of_size: dict[int, Compiled] = {}

    def rows(self, reader: Reader, values: Sequence[object], *args: object) -> list[Any]:
        """The rows, as tuples; of no values none, and no query."""
        if not values:
            return []
        size = 1 << (len(values) - 1).bit_length()
        compiled = self._of_size.get(size)
        if compiled is None:
            placeholders = [arg(self._arguments + n) for n in range(size)]
            compiled = self._of_size[size] = Compiled(self._write(placeholders))
        filled = [*values, *repeat(values[0], size - len(values))]
        found: list[Any] = compiled.run(reader, *args, *filled).fetchall()
        return found
