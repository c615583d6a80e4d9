"""Shiplift's client library: promote builds from Python.

`Client` and `AsyncClient` have a method for every rpc; what they return are the messages of
`shiplift.v1`. A call that is refused or fails raises `ShipliftError`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shiplift.client import AsyncClient, Client, was_replayed
    from shiplift.errors import ShipliftError, Unreachable, Violation

__all__ = ["AsyncClient", "Client", "ShipliftError", "Unreachable", "Violation", "was_replayed"]


def __getattr__(name: str) -> object:
    # Loaded when first used: whoever wants shiplift.v1 alone, as the server does, does not pay for it.
    if name not in __all__:
        raise AttributeError(f"module 'shiplift' has no attribute {name!r}")
    home = "errors" if name in ("ShipliftError", "Unreachable", "Violation") else "client"
    found: object = getattr(import_module(f"shiplift.{home}"), name)
    globals()[name] = found
    return found
