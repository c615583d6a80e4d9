"""Forgetting old changes: whoever watches comes back within hours, and begins anew where it took longer."""

from shipliftd.changes.numbered import ByPlace, head, number_all
from shipliftd.store.compiled import arg
from shipliftd.store.models import Change
from shipliftd.store.transaction import Transaction

# A promotion waits for one batch at the most.
MOST_ROWS = 5000
# However young the older ones are: some 400 MB.
MOST_KEPT = 1_000_000

_OLDEST = ByPlace(lambda place: Change.select(place, Change.at).order_by(place).limit(MOST_ROWS))
_FORGET = ByPlace(lambda place: Change.delete().where(place <= arg(0)))


def forget(tx: Transaction, before: int, most: int = MOST_KEPT) -> tuple[int, bool]:
    """Removes changes that are older, or too many; the newest stays, for places go on from it.

    Returns how many, and whether there may be more.
    """
    number_all(tx)
    end = head(tx)
    last = 0
    rows = _OLDEST.of(tx).run(tx).fetchall()
    for place, at in rows:
        if place >= end or (at >= before and place > end - most):
            break
        last = place
    if not last:
        return 0, False
    removed: int = _FORGET.of(tx).run(tx, last).rowcount
    return removed, removed == MOST_ROWS
