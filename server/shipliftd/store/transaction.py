"""What queries and verbs run on: a connection that reads, and a transaction that writes and tells of it."""

from collections.abc import Iterator
from typing import Any, Literal, TypeVar

from peewee import Database, Model, ModelSelect, Query, SqliteDatabase

M = TypeVar("M", bound=Model)

# Who must be told once it is on disk: of a build that was made, a build that moved, a stage that has its
# runner, a log that grew, a change of what users or tokens may do; with the id of the build or the stage.
# Or of what gates of promotions that wait ask about: any in a repository, with its id; those behind a build
# that is ahead no more ("left"), or those of a build itself ("asked"), with the id of the build. Or that
# there is something for those who watch ("changed").
Kind = Literal[
    "begun", "moved", "accepted", "grown", "access", "tokens", "gates", "left", "asked", "changed"
]
Change = tuple[Kind, int]


# PostgreSQL's number of the lock that each server holds, shared. Any, the same in all releases.
SERVING = 7_544_273_549


class Overtaken(Exception):  # noqa: N818  # nothing is wrong
    """Raised in a verb when a row has moved since the verb read it: the verb runs again."""


class Reader:
    """A connection of the store, as queries use it. Belongs to one thread."""

    def __init__(self, database: Database) -> None:
        self.database = database
        # Straight to the driver: peewee's way there costs as much again as SQLite does.
        self.connection: Any = database.connection()

    def rows(self, query: Query) -> list[Any]:
        """The rows of a query that is not compiled, as tuples."""
        return list(self.database.execute(query).fetchall())

    def each(self, query: Query) -> Iterator[Any]:
        """The rows of a query of which not all may be needed."""
        return iter(self.database.execute(query))

    def row(self, query: Query) -> Any:  # noqa: ANN401
        """The first row, or None."""
        rows = self.rows(query.limit(1))
        return rows[0] if rows else None

    def scalar(self, query: Query) -> Any:  # noqa: ANN401
        """The first column of the first row, or None."""
        found = self.row(query)
        return None if found is None else found[0]

    def all(self, query: "ModelSelect[M]") -> list[M]:
        """The models of a query."""
        return list(query.execute(self.database))

    def get(self, model: type[M], *conditions: object) -> M | None:
        """The model that meets the conditions, or None."""
        found = self.all(model.select().where(*conditions).limit(1))
        return found[0] if found else None

    def by_id(self, model: type[M], row_id: object) -> M:
        """The model of an id that is known to be there."""
        found = self.get(model, model._meta.primary_key == row_id)
        assert found is not None, f"{model.__name__} {row_id}"  # noqa: S101  # known to be there
        return found


class Transaction(Reader):
    """What a verb reads and writes on; all of it is on disk when `Store.write` returns, or nothing is."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.changes: list[Change] = []
        self._is_sqlite = isinstance(database, SqliteDatabase)
        # What PostgreSQL is sent with the COMMIT.
        self.later: list[tuple[str, tuple[object, ...]]] = []

    def execute(self, query: Query) -> int:
        """Runs an INSERT, UPDATE or DELETE that is not compiled; returns the new id, or how many rows."""
        done: int = query.execute(self.database)
        return done

    def put(self, sql: str, args: tuple[object, ...]) -> None:
        """Runs a statement of which nothing is read: on PostgreSQL with the COMMIT, in one round trip."""
        if self._is_sqlite:
            self.connection.execute(sql, args)
        else:
            self.later.append((sql, args))

    def ids(self, *wanted: tuple[type[Model], int]) -> list[list[int | None]]:
        """The ids of so many new rows of each, to go with the COMMIT; None where the INSERT makes them."""
        if self._is_sqlite:
            return [[None] * count for _, count in wanted]
        sql = "SELECT nextval(%s::regclass) FROM generate_series(1, %s)"
        with self.connection.pipeline():
            cursors = [
                self.connection.execute(sql, (f"{model._meta.table_name}_id_seq", count), prepare=False)
                for model, count in wanted
            ]
        return [[row[0] for row in cursor.fetchall()] for cursor in cursors]

    def is_alone(self, doing: int) -> bool:
        """Whether no other replica does this now; it stays so until this transaction ends."""
        if self._is_sqlite:
            return True
        taken: tuple[bool] = self.connection.execute(
            "SELECT pg_try_advisory_xact_lock(%s)", (doing,)
        ).fetchone()
        return taken[0]

    def tell(self, kind: Kind, row_id: int = 0) -> None:
        """Has those told who watch this, once it is on disk."""
        self.changes.append((kind, row_id))
