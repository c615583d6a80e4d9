"""What is forgotten of old writes: their rows of the audit, and their request_ids.

Each verb removes a batch of what is older than a time, and returns how many rows, and whether there may
be more.
"""

from peewee import SQL

from shipliftd.access import audit_chain
from shipliftd.clock import now
from shipliftd.store.compiled import Compiled, arg
from shipliftd.store.models import Audit, Request
from shipliftd.store.transaction import Transaction

MOST_ROWS = 500
# They stay however old they are, so that a quiet server still tells who changed it last.
LATEST_AUDIT = 100

_IS_SEALED = SQL('"seq" IS NOT NULL')
_LATEST = Compiled(
    Audit.select(Audit.seq).where(_IS_SEALED).order_by(Audit.seq.desc()).limit(1).offset(LATEST_AUDIT - 1)
)
# As they were sealed, for the chain is cut at its old end.
_OLDEST = Compiled(
    Audit.select(Audit.seq, Audit.hash, Audit.at)
    .where(Audit.seq < arg(0))
    .order_by(Audit.seq)
    .limit(MOST_ROWS)
)
_KEY = (Request.user, Request.method, Request.request_id)
_OLD = Compiled(Request.select(*_KEY).where(Request.at < arg(0)).order_by(Request.at).limit(MOST_ROWS))
_TIMELESS = Compiled(Request.select(*_KEY).where(Request.at.is_null()).limit(MOST_ROWS))
_FORGET = Compiled(
    Request.delete().where(Request.user == arg(0), Request.method == arg(1), Request.request_id == arg(2))
)
_SEEN = Compiled(
    Request.update({Request.at: arg(0)}).where(
        Request.user == arg(1), Request.method == arg(2), Request.request_id == arg(3)
    )
)


def forget_audit(tx: Transaction, before: int) -> tuple[int, bool]:
    """Removes sealed rows of the audit, the oldest first; the latest stay, and where the chain was cut."""
    latest = _LATEST.one(tx)
    if latest is None:
        return 0, False
    anchor = last = audit_chain.place(tx, audit_chain.ANCHOR)
    for seq, digest, at in _OLDEST.run(tx, latest[0]).fetchall():
        if at >= before:
            break
        last = audit_chain.Place(seq, digest)
    if last == anchor:
        return 0, False
    removed = tx.execute(Audit.delete().where(Audit.seq <= last.seq))
    audit_chain.move(tx, audit_chain.ANCHOR, anchor, last)
    return removed, removed == MOST_ROWS


def forget_requests(tx: Transaction, before: int) -> tuple[int, bool]:
    """Removes request_ids, the oldest first: who repeats one writes anew.

    What the release before wrote has no time: it is given that at which it is first seen.
    """
    timeless = _TIMELESS.run(tx).fetchall()
    at = now()
    _SEEN.run_each(tx, [(at, *key) for key in timeless])
    old = _OLD.run(tx, before).fetchall()
    _FORGET.run_each(tx, old)
    return len(old), MOST_ROWS in (len(timeless), len(old))
