"""Sealing: a value under a random key of its own, and that key under a master key. Pure.

Both are AES-256-GCM, of a random nonce and what follows it, and bound to the place that the value is for: a
row that is changed, or put into another one's place, does not open.
"""

import base64
import json
import os
from collections.abc import Mapping
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shipliftd.secrets.keys import MasterKey

_NONCE_BYTES = 12
_KEY_BITS = 256

# What a value is for, whole: a kind, then its names and numbers.
Place = tuple[str | int, ...]


class Sealed(NamedTuple):
    """What is stored of a value."""

    key_id: str
    # The value's own key under the master key.
    wrapped: bytes
    value: bytes


class CannotOpen(Exception):  # noqa: N818  # it says what it is
    """A value that does not open; its words say why, for people."""


def of_secret(owner: str, repo: str, environment: str, name: str) -> Place:
    """The place of a row of `secrets`."""
    return "secret", owner, repo, environment, name


def of_parameter(repo_id: int, number: int, name: str) -> Place:
    """The place of a secret parameter of a build."""
    return "parameter", repo_id, number, name


def seal(key: MasterKey, value: str, place: Place) -> Sealed:
    """Seals a value with a fresh key of its own."""
    own = AESGCM.generate_key(_KEY_BITS)
    return Sealed(key.id, _wrap(key, own, place), _encrypt(own, value.encode(), _bound("value", place)))


def open_sealed(keys: Mapping[str, MasterKey], sealed: Sealed, place: Place) -> str:
    """The value. Raises CannotOpen where its master key is not there, or it was tampered with."""
    own = _unwrap(keys, sealed, place)
    return _decrypt(own, sealed.value, _bound("value", place)).decode()


def wrap_anew(keys: Mapping[str, MasterKey], key: MasterKey, sealed: Sealed, place: Place) -> Sealed:
    """The same value with its own key under another master key. Raises what `open_sealed` raises."""
    return Sealed(key.id, _wrap(key, _unwrap(keys, sealed, place), place), sealed.value)


def as_json(sealed: Sealed) -> list[str]:
    """What is stored where there is no column for each."""
    return [sealed.key_id, *(base64.b64encode(part).decode() for part in sealed[1:])]


def of_json(stored: list[str]) -> Sealed:
    """What `as_json` made."""
    key_id, wrapped, value = stored
    return Sealed(key_id, base64.b64decode(wrapped), base64.b64decode(value))


def _wrap(key: MasterKey, own: bytes, place: Place) -> bytes:
    return _encrypt(key.secret, own, _bound(f"key {key.id}", place))


def _unwrap(keys: Mapping[str, MasterKey], sealed: Sealed, place: Place) -> bytes:
    key = keys.get(sealed.key_id)
    if key is None:
        raise CannotOpen(f"its key {sealed.key_id!r} is not among the server's")
    return _decrypt(key.secret, sealed.wrapped, _bound(f"key {key.id}", place))


def _bound(what: str, place: Place) -> bytes:
    return json.dumps(["shiplift", what, *place], separators=(",", ":")).encode()


def _encrypt(key: bytes, plain: bytes, bound: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, bound)


def _decrypt(key: bytes, stored: bytes, bound: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(stored[:_NONCE_BYTES], stored[_NONCE_BYTES:], bound)
    except (InvalidTag, ValueError):
        # ValueError: what is too short to be any.
        raise CannotOpen("it was changed or moved in the store, or its key is another one by now") from None
