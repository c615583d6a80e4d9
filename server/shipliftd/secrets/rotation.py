"""Rotation: everything that is sealed under the first key, in small transactions beside a server."""

import json
from collections.abc import Mapping
from typing import NamedTuple

from peewee import SQL

from shipliftd.secrets import sealing
from shipliftd.secrets.given import place_of, sealed_of, told_of
from shipliftd.secrets.keys import MasterKey
from shipliftd.secrets.sealing import CannotOpen
from shipliftd.secrets.setting import digest
from shipliftd.store import Store
from shipliftd.store.models import Build, Repository, Secret
from shipliftd.store.rows import SecretRow
from shipliftd.store.transaction import Reader, Transaction

_A_TURN = 100
# A server may seal with another key until it has seen the new one.
_MOST_PASSES = 5

Keys = Mapping[str, MasterKey]


class Rotated(NamedTuple):
    """How many values' own keys were wrapped anew, and what does not open, with why."""

    wrapped: int
    lost: tuple[str, ...]


class _Turn(NamedTuple):
    # The id of the last row; 0: that were all.
    last: int
    rotated: Rotated


async def rotate(store: Store, keys: Keys, first: MasterKey) -> Rotated:
    """Wraps the own keys of all secrets and secret parameters with the first key."""
    wrapped = 0
    lost: list[str] = []
    for _ in range(_MOST_PASSES):
        before, lost = wrapped, []
        for verb in (_secrets, _parameters):
            after = 0
            # Ids only grow, so this ends.
            while True:
                turn = await store.write(verb, keys, first, after)
                wrapped += turn.rotated.wrapped
                lost += turn.rotated.lost
                after = turn.last
                if not after:
                    break
        if wrapped == before:
            break
    return Rotated(wrapped, tuple(lost))


def _secrets(tx: Transaction, keys: Keys, first: MasterKey, after: int) -> _Turn:
    query = Secret.select().where(Secret.id > after, Secret.deleted == 0, Secret.key_id != first.id)
    rows = [SecretRow(*row) for row in tx.rows(query.order_by(Secret.id).limit(_A_TURN))]
    wrapped, lost = 0, []
    for row in rows:
        sealed, place = sealed_of(row), place_of(row)
        try:
            value = sealing.open_sealed(keys, sealed, place)
            anew = sealing.wrap_anew(keys, first, sealed, place)
        except CannotOpen as error:
            lost.append(f"{told_of(row)}: {error}")
            continue
        wrapped += tx.execute(
            Secret.update(key_id=anew.key_id, wrapped=anew.wrapped, digest=digest(first, value)).where(
                # Not what somebody has set meanwhile.
                Secret.id == row.id,
                Secret.version == row.version,
                Secret.wrapped == row.wrapped,
            )
        )
    return _Turn(rows[-1].id if rows else 0, Rotated(wrapped, tuple(lost)))


def _parameters(tx: Transaction, keys: Keys, first: MasterKey, after: int) -> _Turn:
    columns = (Build.id, Build.repo, Build.number, Build.sealed_params)
    query = Build.select(*columns).where(Build.id > after, Build.sealed_params != SQL("'{}'"))
    rows = tx.rows(query.order_by(Build.id).limit(_A_TURN))
    wrapped, lost = 0, []
    for build_id, repo_id, number, text in rows:
        params: dict[str, list[str]] = json.loads(text)
        changed = 0
        for name, stored in params.items():
            sealed = sealing.of_json(stored)
            if sealed.key_id == first.id:
                continue
            place = sealing.of_parameter(repo_id, number, name)
            try:
                params[name] = sealing.as_json(sealing.wrap_anew(keys, first, sealed, place))
                changed += 1
            except CannotOpen as error:
                lost.append(f"parameter {name} of build {number} of {_slug(tx, repo_id)}: {error}")
        if changed:
            anew = Build.update(sealed_params=json.dumps(params, separators=(",", ":")))
            there = (Build.id == build_id) & (Build.sealed_params == text)
            wrapped += changed * tx.execute(anew.where(there))
    return _Turn(rows[-1][0] if rows else 0, Rotated(wrapped, tuple(lost)))


def _slug(reader: Reader, repo_id: int) -> str:
    repository = reader.by_id(Repository, repo_id)
    return f"{repository.owner}/{repository.name}"
