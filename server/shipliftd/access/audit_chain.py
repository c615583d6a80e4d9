"""The audit as a chain: each row is sealed with a hash of its content and of the row before.

Not in the transaction that writes it, for on PostgreSQL all writes would wait for one another:
`keep_sealing` gives committed rows their place (`seq`) shortly after, in the order in which it finds them.
Where the chain ends, and which row was the last one that retention has cut, stands in the settings.
"""

import asyncio
import hashlib
import json
import logging
import re
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

from peewee import SQL

from shipliftd.errors import Unavailable
from shipliftd.store import Store
from shipliftd.store.compiled import Compiled, arg
from shipliftd.store.models import Audit, Setting
from shipliftd.store.transaction import Reader, Transaction

log = logging.getLogger(__name__)

HEAD, ANCHOR = "audit_head", "audit_anchor"
# Any number, the same in all releases: one replica seals at a time.
_SEAL = 7_544_273_551
# A promotion waits for one batch at the most.
_MOST_SEALED = 500
_SECONDS = 1.0
_PAUSE_SECONDS = 0.01
_MOST_READ = 1000
# So far behind a break is looked for what belongs there.
_MOST_SEARCHED = 100_000

# All of a row but its place and hash; a column that comes later must leave older rows' hashes as they are.
_CONTENT = [field for field in Audit._meta.sorted_fields if field.name not in ("seq", "hash")]
_UNSEALED = Compiled(
    Audit.select(*_CONTENT).where(SQL('"seq" IS NULL')).order_by(Audit.id).limit(_MOST_SEALED)
)
_ANY_UNSEALED = Compiled(Audit.select(Audit.id).where(SQL('"seq" IS NULL')).limit(1))
_PLACE = Compiled(Audit.update({Audit.seq: arg(0), Audit.hash: arg(1)}).where(Audit.id == arg(2)))
_BEHIND = Compiled(
    Audit.select(Audit.seq, Audit.hash, *_CONTENT)
    .where(Audit.seq > arg(0))
    .order_by(Audit.seq)
    .limit(arg(1))
)
_FIRST = Compiled(
    Audit.select(Audit.seq, Audit.id).where(SQL('"seq" IS NOT NULL')).order_by(Audit.seq).limit(1)
)
_SETTING = Compiled(Setting.select(Setting.value).where(Setting.key == arg(0)))
_MOVE = Compiled(
    Setting.update({Setting.value: arg(2)}).where(Setting.key == arg(0), Setting.value == arg(1))
)


_PLACE_TEXT = re.compile(r"(0|[1-9][0-9]{0,18}):([0-9a-f]{64}|(?<=^0:))")


class BrokenChainError(Exception):
    """The audit is not as it was written; in words what is wrong, for the operator."""


class Place(NamedTuple):
    """A row's place in the chain, and the hash there; `0:` is before the first one."""

    seq: int
    hash: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Of SEQ:HASH. Raises ValueError."""
        found = _PLACE_TEXT.fullmatch(text)
        if found is None:
            raise ValueError(text)
        return cls(int(found[1]), bytes.fromhex(found[2]))

    def __str__(self) -> str:
        """As it is stored and shown: SEQ:HASH."""
        return f"{self.seq}:{self.hash.hex()}"


def place(reader: Reader, key: str) -> Place:
    """The chain's HEAD, or its ANCHOR. Raises BrokenChainError where it does not stand there."""
    row = _SETTING.one(reader, key)
    try:
        return Place.parse(row[0])
    except (TypeError, ValueError):
        told = "is missing" if row is None else f"is {row[0][:100]!r}: wanted SEQ:HASH"
        raise _broken(f"the setting {key} {told}") from None


def move(tx: Transaction, key: str, old: Place, new: Place) -> None:
    """Moves the head or the anchor. Raises Overtaken where another replica has."""
    _MOVE.move(tx, key, str(old), str(new))


def digest(before: bytes, seq: int, content: Sequence[object]) -> bytes:
    """The hash of a row at a place: SHA-256 of the hash before, and of `[seq, column, ...]` as JSON."""
    # What is no text or number was written there by somebody else.
    text = json.dumps([seq, *content], separators=(",", ":"), default=repr)
    return hashlib.sha256(before + text.encode()).digest()


def seal(tx: Transaction) -> int:
    """Seals rows that are not yet, and returns how many; not while another replica does it."""
    if not tx.is_alone(_SEAL):
        return 0
    rows = _UNSEALED.run(tx).fetchall()
    if not rows:
        return 0
    head = at = place(tx, HEAD)
    sealed = []
    for row in rows:
        at = Place(at.seq + 1, digest(at.hash, at.seq + 1, row))
        sealed.append((at.seq, at.hash, row[0]))
    _PLACE.run_each(tx, sealed)
    move(tx, HEAD, head, at)
    return len(rows)


async def seal_all(store: Store) -> None:
    """Seals what there is, a batch at a time. Raises Unavailable."""
    while await store.read(_is_unsealed) and await store.write(seal) == _MOST_SEALED:
        await asyncio.sleep(_PAUSE_SECONDS)


async def keep_sealing(store: Store) -> None:
    """Seals rows within about a second, as long as it runs."""
    is_told = False
    while True:
        try:
            await seal_all(store)
            is_told = False
        except Unavailable:
            # Which the server tells of.
            is_told = False
        except Exception as error:
            # Once, and not each second: a chain whose head was taken away needs somebody.
            if not is_told:
                log.exception("the audit is not sealed", extra={"error": str(error)})
            is_told = True
        await asyncio.sleep(_SECONDS)


def _is_unsealed(reader: Reader) -> bool:
    return _ANY_UNSEALED.one(reader) is not None


class Verified(NamedTuple):
    """A chain without a break: how many rows, how many are not sealed yet, and where it ends."""

    rows: int
    unsealed: int
    head: Place


async def verify(store: Store, known: Place | None = None) -> Verified:
    """Goes through the whole chain, some rows at a time; `known` is a head that was told before.

    Raises BrokenChainError that names the first break.
    """
    at = await store.listing(_begin)
    rows, is_known = 0, known is None
    while True:
        is_known = is_known or at == known
        then, count, is_end = await store.listing(_verify_some, at, known)
        rows += count
        is_known = is_known or (known is not None and at.seq < known.seq <= then.seq)
        at = then
        if is_end:
            break
    if known is not None and not is_known:
        raise _broken(_not_known(known, at))
    return Verified(rows, await store.listing(_count_unsealed), at)


def _not_known(known: Place, end: Place) -> str:
    if known.seq > end.seq:
        return f"seq {_span(end.seq + 1, known.seq)} removed: the chain ends at {end}"
    return (
        f"whether {known} was part of it cannot be told: retention has cut behind it; keep a head that is"
        " newer"
    )


def _begin(reader: Reader) -> Place:
    anchor = place(reader, ANCHOR)
    first = _FIRST.one(reader)
    if first is not None and first[0] <= anchor.seq:
        raise _broken(f"seq {first[0]} (id {first[1]}) is inserted: retention has cut to seq {anchor.seq}")
    return anchor


def _verify_some(reader: Reader, at: Place, known: Place | None) -> tuple[Place, int, bool]:
    """The place after some rows more, how many were verified, and whether the chain ends there."""
    before = place(reader, HEAD)
    rows = _BEHIND.run(reader, at.seq, _MOST_READ).fetchall()
    anchor, head = place(reader, ANCHOR), place(reader, HEAD)
    if anchor.seq > at.seq:
        # Cut meanwhile.
        return anchor, 0, False
    if not rows and before.seq > at.seq:
        raise _broken(f"seq {_span(at.seq + 1, before.seq)} removed: the chain ends before its head")
    begin = at.seq
    for seq, found, *content in rows:
        if seq != at.seq + 1 and at.seq < head.seq:
            missing = _span(at.seq + 1, min(seq - 1, head.seq))
            raise _broken(f"seq {missing} removed: seq {seq} (id {content[0]}) follows")
        if seq > head.seq:
            raise _broken(f"seq {seq} (id {content[0]}) is inserted: the chain's head is seq {head.seq}")
        made = digest(at.hash, seq, content)
        if made != found:
            raise _broken(_what_is_wrong(reader, at, (seq, found, *content)))
        at = Place(seq, made)
        if known is not None and known.seq == seq and known.hash != made:
            raise _broken(f"seq {seq} has another hash than {known}: it, or rows before it, were replaced")
    if at.seq == before.seq and at.hash != before.hash:
        raise _broken(f"the head of the chain is changed: it says {before}, and the last row is {at}")
    return at, at.seq - begin, len(rows) < _MOST_READ and at.seq >= before.seq


def _span(first: int, last: int) -> str:
    return f"{first} is" if first == last else f"{first} to {last} are"


def _what_is_wrong(reader: Reader, before: Place, row: Sequence[Any]) -> str:
    """In words what became of the first row whose hash is not that of its content."""
    seq, found, *content = row
    name = f"seq {seq} (id {content[0]})"
    last = row = (seq, found if isinstance(found, bytes) else b"", *content)
    found = row[1]
    for other in _later(reader, seq):
        # Its content belongs here: it came with its hash, or took the place of this row's content.
        made = digest(before.hash, seq, other[2:])
        if made in (found, other[1]):
            came_from = other[1] if other[0] == seq + 1 else last[1]
            is_exchange = made == found or digest(came_from, other[0], content) == found
            whose = f"seq {other[0]} (id {other[2]})"
            if is_exchange:
                return f"{name} is swapped with {whose}"
            return f"{name} is inserted: what belongs there is {whose}"
        if last is row and digest(found, seq + 2, other[2:]) == other[1]:
            return f"seq {seq} is removed, and those behind it moved up: {name} was seq {seq + 1}"
        last = other
    return f"{name} is changed"


def _later(reader: Reader, seq: int) -> Any:  # noqa: ANN401  # the driver's rows
    """The rows behind a place, of which not all may be needed."""
    end = seq + _MOST_SEARCHED
    while rows := _BEHIND.run(reader, seq, _MOST_READ).fetchall():
        yield from (row for row in rows if isinstance(row[1], bytes))
        seq = rows[-1][0]
        if seq >= end:
            return


def _broken(told: str) -> BrokenChainError:
    return BrokenChainError(f"the audit is not as it was written: {told}")


def _count_unsealed(reader: Reader) -> int:
    found: int = reader.connection.execute('SELECT count(*) FROM audit WHERE "seq" IS NULL').fetchone()[0]
    return found
