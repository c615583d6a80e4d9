"""The key that each store has of its own, for what only it may have made."""

import hashlib
import hmac
from weakref import WeakKeyDictionary

from peewee import Database

from shipliftd.store.models import Setting
from shipliftd.store.transaction import Reader

# By the store: a test opens several in one process.
_KEYS: WeakKeyDictionary[Database, bytes] = WeakKeyDictionary()


def mac(reader: Reader, text: str) -> bytes:
    """An HMAC with a key that only this store has."""
    key = _KEYS.get(reader.database)
    if key is None:
        key = _KEYS[reader.database] = bytes.fromhex(reader.by_id(Setting, "secret").value)
    return hmac.digest(key, text.encode(), hashlib.sha256)
