"""Queries of the hot path: written in peewee, compiled to SQL text once.

Compiling is what costs in peewee (about 100 us a query, against 5 us for running it), and it is the same
text each time.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from peewee import Database, DatabaseProxy, Model, Query, Value

# What a query can run on: a database, or the stand-in for the one that is open.
Executor = Database | DatabaseProxy


class Arg:
    """Stands in a query for the argument at this position."""

    def __init__(self, position: int) -> None:
        self.position = position


def arg(position: int) -> Value:
    """A placeholder for the argument at this position, to be used like a value in a query."""
    return Value(Arg(position), converter=False)


class Compiled:
    """A query with `arg(0)`, `arg(1)`, ... in it.

    Runs on the database that it is given: the writer's inside a verb, a reader's elsewhere. Arguments
    are passed to the driver as they are, without peewee's conversions.
    """

    def __init__(self, query: Query) -> None:
        self._query = query

    @cached_property
    def _text(self) -> tuple[str, list[object] | None]:
        # Not in __init__: the dialect is known only once a store is open.
        sql, params = self._query.sql()
        straight = [p.position if type(p) is Arg else -1 for p in params] == list(range(len(params)))
        return sql, None if straight else params

    def run(self, database: Executor, *args: object) -> Any:  # noqa: ANN401
        """Runs it and returns the driver's cursor, whose rows are untyped tuples."""
        sql, params = self._text
        # Straight to the driver: peewee's execute_sql costs as much again as SQLite does. What the driver
        # raises is its own and not peewee's therefore.
        cursor = database.connection().cursor()
        if params is None:
            cursor.execute(sql, args)
        else:
            cursor.execute(sql, [args[p.position] if type(p) is Arg else p for p in params])
        return cursor

    def run_each(self, database: Executor, rows: Sequence[tuple[object, ...]]) -> None:
        """Runs it once for each row of arguments, faster than `run`; the query takes them as they are."""
        sql, params = self._text
        assert params is None  # noqa: S101  # known when the query is written
        database.connection().executemany(sql, rows)

    def insert(self, database: Executor, *args: object) -> int:
        """Runs an INSERT and returns the new row's id."""
        cursor = self.run(database, *args)
        row_id: int = database.last_insert_id(cursor)
        return row_id

    def one(self, database: Executor, *args: object) -> Any:  # noqa: ANN401
        """The first row, or None. Leaves no cursor open, which would hold the WAL."""
        rows = self.run(database, *args).fetchall()
        return rows[0] if rows else None


def inserting(model: type[Model]) -> Compiled:
    """An INSERT of a whole row; its arguments are the columns in the model's order, the id left out."""
    fields = [field for field in model._meta.sorted_fields if field.name != "id"]
    return Compiled(model.insert({field: arg(n) for n, field in enumerate(fields)}))
