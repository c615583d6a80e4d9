"""What a verb needs that takes long to make: it is made on a thread, and the verb runs again."""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar, cast

T = TypeVar("T")

Made = dict[Hashable, object]

_MADE: ContextVar[Made | None] = ContextVar("made", default=None)


class Ahead(Exception):  # noqa: N818  # nothing is wrong
    """Raised in a verb to have something made before it runs again."""

    def __init__(self, key: Hashable, make: Callable[[], object]) -> None:
        super().__init__()
        self.key = key
        self.make = make


def ahead(key: Hashable, make: Callable[[], T]) -> T:
    """What `make` returns; a verb is ended by Ahead, and has it when it runs again.

    `make` reads nothing of the store and raises nothing. Where no verb runs it is made at once.
    """
    made = _MADE.get()
    if made is None:
        return make()
    if key not in made:
        raise Ahead(key, make)
    return cast(T, made[key])


@contextmanager
def having(made: Made) -> Iterator[None]:
    """Runs a verb that has what was made for it."""
    token = _MADE.set(made)
    try:
        yield
    finally:
        _MADE.reset(token)
