"""Shiplift's client library: promote builds from Python.

`Client` and `AsyncClient` have a method for every rpc; what they return are the messages of
`shiplift.v1`. A call that is refused or fails raises `ShipliftError`, or the one of its subclasses that
says why: `NotFound`, `Denied`, `Refused`, `Unavailable`. `word(build, "status")` is the short word of an
enum's value, such as `success`; requests take these words wherever an enum stands.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shiplift._connection import was_replayed
    from shiplift._values import word
    from shiplift.async_client import AsyncClient
    from shiplift.client import Client
    from shiplift.errors import (
        Denied,
        NotFound,
        Refused,
        SeveralBuilds,
        ShipliftError,
        Unavailable,
        Violation,
        WaitTimeout,
    )

__all__ = [
    "AsyncClient",
    "Client",
    "Denied",
    "NotFound",
    "Refused",
    "SeveralBuilds",
    "ShipliftError",
    "Unavailable",
    "Violation",
    "WaitTimeout",
    "was_replayed",
    "word",
]
_HOMES = {
    "AsyncClient": "async_client",
    "Client": "client",
    "was_replayed": "_connection",
    "word": "_values",
}


def __getattr__(name: str) -> object:
    # Loaded when first used: whoever wants shiplift.v1 alone, as the server does, does not pay for it.
    if name not in __all__:
        raise AttributeError(f"module 'shiplift' has no attribute {name!r}")
    found: object = getattr(import_module(f"shiplift.{_HOMES.get(name, 'errors')}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
