"""Changes in the order in which they were committed, each at a place of its own.

On SQLite one transaction writes at a time, so a row's id is its place. On PostgreSQL ids are given out
before commits, in another order; there `number_all` gives what is committed its place (`seq`), and is
called before changes are read. Nobody who has seen a place misses anything before it.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self

from peewee import JOIN, Field, Query, SqliteDatabase, Value, fn

from shipliftd.errors import Invalid, OutOfRange
from shipliftd.store.compiled import Compiled, arg
from shipliftd.store.models import Build, Change, Repository, Setting, Stage, Step
from shipliftd.store.rows import BuildRow, StageRow, StepRow
from shipliftd.store.schema import CHANGES_EPOCH
from shipliftd.store.transaction import Reader, Transaction

# So many are numbered in a transaction: others wait for it, but for no verb.
_MOST_NUMBERED = 5000
# Any number, the same in all releases.
_NUMBER = 7_544_273_553
_NUMBER_THEM = """
    UPDATE changes SET seq = placed.seq FROM (
        SELECT id, (SELECT coalesce(max(seq), 0) FROM changes) + row_number() OVER (ORDER BY id) AS seq
        FROM (SELECT id FROM changes WHERE seq IS NULL ORDER BY id LIMIT %s) AS found
    ) AS placed WHERE changes.id = placed.id
"""
_CURSOR = re.compile(r"([0-9a-f]{8})-(0|[1-9][0-9]{0,17})")


class ChangeRow(NamedTuple):
    """A change, and what has changed as it stands now: a step, else a stage, else a build, or neither."""

    place: int
    version: int
    at: int
    status: str
    environment: str
    repo_id: int
    owner: str
    repo: str
    build: BuildRow | None
    stage: StageRow | None
    step: StepRow | None


class Cursor(NamedTuple):
    """A place, and the store's history that it is of: a backup that was put back begins another one."""

    epoch: str
    place: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """As `str` made it. Raises Invalid."""
        found = _CURSOR.fullmatch(text)
        if found is None:
            raise Invalid([("cursor", f"{text[:60]!r} is not one that a watch has told")])
        return cls(found[1], int(found[2]))

    def __str__(self) -> str:
        """As callers are told it."""
        return f"{self.epoch}-{self.place}"


class Kept(NamedTuple):
    """What is kept of the changes: all behind the place `cut`, to `head`."""

    epoch: str
    cut: int
    head: int

    def place_of(self, cursor: Cursor) -> int:
        """Where a watch goes on. Raises OutOfRange."""
        if cursor.epoch != self.epoch or not self.cut <= cursor.place <= self.head:
            raise OutOfRange(
                f"changes behind the cursor {cursor} are not kept any more, or it is of another store:"
                " begin without a cursor, with a new snapshot",
                reason="CURSOR_TOO_OLD",
                metadata={"cursor": str(cursor)},
            )
        return cursor.place


class ByPlace:
    """A query that is written with the column that has the place."""

    def __init__(self, write: Callable[[Field], Query]) -> None:
        self._on_sqlite = Compiled(write(Change.id))
        self._on_postgresql = Compiled(write(Change.seq))

    def of(self, reader: Reader) -> Compiled:
        """The query for the reader's database."""
        return self._on_sqlite if isinstance(reader.database, SqliteDatabase) else self._on_postgresql


# Parameters may be most of a build, and are not told.
_BUILD = [
    Value("{}") if field.name in ("params", "sealed_params") else field
    for field in Build._meta.sorted_fields
]
# Where a row of `_read` has them.
_BUILD_AT = 8
_STAGE_AT = _BUILD_AT + len(BuildRow._fields)
_STEP_AT = _STAGE_AT + len(StageRow._fields)


def _read(place: Field, *conditions: object) -> Query:
    return (
        Change.select(
            place,
            Change.version,
            Change.at,
            Change.status,
            Change.environment,
            Change.repo_id,
            Repository.owner,
            Repository.name,
            *_BUILD,
            *Stage._meta.sorted_fields,
            *Step._meta.sorted_fields,
        )
        .join_from(Change, Repository, on=(Repository.id == Change.repo_id))
        .join_from(Change, Build, JOIN.LEFT_OUTER, on=(Build.id == Change.build_id))
        .join_from(Change, Stage, JOIN.LEFT_OUTER, on=(Stage.id == Change.stage_id))
        .join_from(Change, Step, JOIN.LEFT_OUTER, on=(Step.id == Change.step_id))
        .where(place > arg(0), place <= arg(1), *conditions)
        .order_by(place)
    )


_AFTER = ByPlace(lambda place: _read(place).limit(arg(2)))
_AFTER_IN_REPOSITORY = ByPlace(lambda place: _read(place, Change.repo_id == arg(2)).limit(arg(3)))
_HEAD = ByPlace(lambda place: Change.select(fn.COALESCE(fn.MAX(place), 0)))
_FIRST = ByPlace(lambda place: Change.select(fn.COALESCE(fn.MIN(place), 1)))
_SETTING = Compiled(Setting.select(Setting.value).where(Setting.key == arg(0)))
_NO_END = 2**62


def after(reader: Reader, place: int, end: int | None, most: int, repo_id: int = 0) -> list[ChangeRow]:
    """The changes behind a place, to the place `end` (None: all), of one repository or of all (0)."""
    end = _NO_END if end is None else end
    if repo_id:
        rows = _AFTER_IN_REPOSITORY.of(reader).run(reader, place, end, repo_id, most).fetchall()
    else:
        rows = _AFTER.of(reader).run(reader, place, end, most).fetchall()
    return [_row(row) for row in rows]


def _row(row: Sequence[Any]) -> ChangeRow:
    build, stage, step = row[_BUILD_AT:_STAGE_AT], row[_STAGE_AT:_STEP_AT], row[_STEP_AT:]
    return ChangeRow._make(
        [
            *row[:_BUILD_AT],
            BuildRow._make(build) if build[0] is not None else None,
            StageRow._make(stage) if stage[0] is not None else None,
            StepRow._make(step) if step[0] is not None else None,
        ]
    )


def kept(reader: Reader) -> Kept:
    """What is kept of the changes that have their place."""
    epoch = _SETTING.one(reader, CHANGES_EPOCH)[0]
    return Kept(epoch, _FIRST.of(reader).one(reader)[0] - 1, head(reader))


def head(reader: Reader) -> int:
    """The place of the newest change; 0 before the first one."""
    found: int = _HEAD.of(reader).one(reader)[0]
    return found


def number_all(tx: Transaction) -> bool:
    """Gives what is committed its place, where it has none yet; returns whether there may be more.

    By one replica at a time: in the order of numbers nothing comes in between later.
    """
    if isinstance(tx.database, SqliteDatabase):
        return False
    # In a statement of its own: the next one sees all that was committed while this one waited.
    tx.connection.execute("SELECT pg_advisory_xact_lock(%s)", (_NUMBER,))
    count: int = tx.connection.execute(_NUMBER_THEM, (_MOST_NUMBERED,)).rowcount
    return count == _MOST_NUMBERED
