"""The key that each store has of its own, for what only it may have made."""

import functools
import hashlib
import hmac

from shipliftd.store.models import Setting, database


def mac(text: str) -> bytes:
    """An HMAC with a key that only this store has."""
    return hmac.digest(_secret(database.obj), text.encode(), hashlib.sha256)


@functools.lru_cache(maxsize=4)
def _secret(_store: object) -> bytes:
    # Cached by the store that is open: a test opens several in one process.
    return bytes.fromhex(Setting.get_by_id("secret").value)
