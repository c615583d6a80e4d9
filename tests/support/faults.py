"""What the tests of faults have in common: their two forms, and a look into the store beside its server."""

import os
from pathlib import Path
from typing import Any, TypeVar

from tests.support.beside import opened

T = TypeVar("T")

LONG = os.environ.get("SHIPLIFT_FAULTS") == "long"


def form(short: T, long: T) -> T:
    """What the form that was asked for takes."""
    return long if LONG else short


def rows(database: Path, statement: str) -> list[tuple[Any, ...]]:
    """What a SELECT finds in the store."""
    with opened(database) as store:
        found: list[tuple[Any, ...]] = store.execute(statement).fetchall()
        return found


def column(database: Path, statement: str) -> list[Any]:
    """The first column of that."""
    return [row[0] for row in rows(database, statement)]
