"""The figures of an environment's deliveries: what `figures.py` counts, read from the store."""

from typing import NamedTuple

from peewee import SQL
from shiplift.v1 import environments_pb2 as pb

from shipliftd import environments
from shipliftd.access.callers import Caller
from shipliftd.clock import now
from shipliftd.environments.figures import Change, Figures, figures
from shipliftd.environments.history import never_promoted_to
from shipliftd.fields import Faults
from shipliftd.store.compiled import Compiled, CompiledIn, arg
from shipliftd.store.models import Build
from shipliftd.store.transaction import Reader

_DAY_MS = 86_400_000
_DAYS = 30
_MOST_DAYS = 366
_MOST = 10_000
_MOST_ORIGINS = 500

_NEWEST = Compiled(
    Build.select(
        *(Build.origin, Build.event, Build.status, Build.started, Build.finished, Build.rolled_back_by)
    )
    .where(Build.repo == arg(0), Build.deploy_to == arg(1), Build.parent > SQL("0"))
    .order_by(Build.number.desc())
    .limit(arg(2))
)
_ORIGINS = CompiledIn(
    lambda numbers: Build.select(Build.number, Build.timestamp, Build.created).where(
        Build.repo == arg(0), Build.number.in_(numbers)
    ),
    arguments=1,
)


class Delivered(NamedTuple):
    """The figures, of which time they are, and whether there was more than is looked at."""

    figures: Figures
    since: int
    until: int
    is_incomplete: bool


def get(reader: Reader, caller: Caller, request: pb.GetDeliveryFiguresRequest) -> Delivered:
    """How well an environment is delivered to. Raises Invalid, NotFound."""
    faults = Faults()
    faults.target("environment", request.environment)
    until = faults.time("until", request.until) if request.HasField("until") else now()
    since = faults.time("since", request.since) if request.HasField("since") else until - _DAYS * _DAY_MS
    if not 0 < until - since <= _MOST_DAYS * _DAY_MS:
        faults.add("until", f"wanted a time after since, by {_MOST_DAYS} days at the most")
    faults.refuse()
    if environments.place_of(reader, caller.repo_id, request.environment).environment_id is None:
        raise never_promoted_to(caller, request.environment)
    rows = _NEWEST.run(reader, caller.repo_id, request.environment, _MOST + 1).fetchall()
    changes = [
        Change(origin, event == "rollback", status == "success", finished, rolled_back_by > 0)
        for origin, event, status, started, finished, rolled_back_by in rows[:_MOST]
        # What was stopped or declined changed nothing, nor did what failed before it began.
        if status == "success" or (status in ("failure", "error") and started)
    ]
    begun = _begun(reader, caller.repo_id, sorted({change.origin for change in changes}))
    return Delivered(figures(changes, begun, since, until), since, until, len(rows) > _MOST)


def _begun(reader: Reader, repo_id: int, origins: list[int]) -> dict[int, int]:
    """When the origins were committed, or recorded where that is not known."""
    found: dict[int, int] = {}
    for start in range(0, len(origins), _MOST_ORIGINS):
        rows = _ORIGINS.rows(reader, origins[start : start + _MOST_ORIGINS], repo_id)
        found.update((number, timestamp or created) for number, timestamp, created in rows)
    return found
