"""Rehearsals: what other rules would have said of the last promotions to an environment.

The gates are those of every promotion. The facts are read as they stood when each was made, by a few
queries for all of them; what nobody knows any more passes.
"""

import bisect
import json
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from typing import NamedTuple

from peewee import JOIN, SQL, fn
from shiplift.v1 import environments_pb2 as pb

from shipliftd.access.callers import Caller
from shipliftd.environments import rules as said_rules
from shipliftd.environments.asking import Place, access_of, place_of, read
from shipliftd.environments.freezes import active
from shipliftd.environments.gates import Facts, Verdict, against, evaluate
from shipliftd.fields import Faults
from shipliftd.store.compiled import Compiled, CompiledIn, arg
from shipliftd.store.models import ENDED, Arrival, Build
from shipliftd.store.transaction import Reader

_DEFAULT_LAST, _MOST_LAST = 100, 1000
# Each window of a freeze is looked at for each promotion.
_MOST_WINDOWS = 200_000
# What is under way stands so close before what is made meanwhile.
_MOST_BEFORE = 100
_MOST_ARRIVALS = 10_000
# So many builds' parameters are read at once, for they may be large.
_AT_ONCE = 64


class Made(NamedTuple):
    """A promotion or rollback as it was made."""

    id: int
    number: int
    parent: int
    origin: int
    status: str
    event: str
    after: str
    release: str
    trigger: str
    created: int
    started: int
    finished: int
    verdicts: str


class Rehearsal(NamedTuple):
    """How many were looked at, and those of them that something is against, newest first."""

    looked_at: int
    found: list[tuple[Made, list[Verdict]]]


_LAST = Compiled(
    Build.select(*(getattr(Build, field) for field in Made._fields))
    .where(Build.repo == arg(0), Build.deploy_to == arg(1), Build.parent > SQL("0"))
    .order_by(Build.number.desc())
    .limit(arg(2))
)
_PROMOTED = CompiledIn(
    lambda numbers: Build.select(
        Build.number, Build.status, Build.started, Build.finished, Build.updated
    ).where(Build.repo == arg(0), Build.number.in_(numbers)),
    arguments=1,
)
_SUCCEEDED = CompiledIn(
    lambda origins: (
        Build.select(Build.origin, fn.MIN(Build.updated))
        .where(
            Build.repo == arg(0),
            Build.deploy_to == arg(1),
            Build.status == "success",
            Build.origin.in_(origins),
        )
        .group_by(Build.origin)
    ),
    arguments=2,
)
_ARRIVED = Compiled(
    Arrival.select(Arrival.at, Build.origin)
    .join(Build, JOIN.LEFT_OUTER)
    .where(Arrival.repo == arg(0), Arrival.environment == arg(1))
    .order_by(Arrival.id.desc())
    .limit(_MOST_ARRIVALS)
)
_PARAMS = CompiledIn(
    lambda ids: Build.select(Build.id, Build.params, Build.sealed_params).where(Build.id.in_(ids))
)


def rehearse(
    reader: Reader, caller: Caller, request: pb.RehearsePolicyRequest, refuses: Callable[[str], bool]
) -> Rehearsal:
    """What the rules would have said; `refuses` as for `rules.check`. Raises Invalid, Denied."""
    caller.require_environment(request.environment.name)
    proposed = _checked(request, refuses)
    name = request.environment.name
    last = request.last or _DEFAULT_LAST
    rows = [
        Made._make(row) for row in _LAST.run(reader, caller.repo_id, name, last + _MOST_BEFORE).fetchall()
    ]
    place = place_of(reader, caller.repo_id, name)
    asked = rows[:last]
    all_facts = _Then(reader, caller.repo_id, place, name, proposed, asked)
    found = []
    for at, (made, lacks) in enumerate(zip(asked, all_facts.lacking(), strict=True)):
        facts = all_facts.of(made, rows[at + 1 : at + 1 + _MOST_BEFORE], lacks)
        # Who passed a gate by name then would have done so.
        verdicts = evaluate(facts, is_rollback=made.event == "rollback", before=read(made.verdicts))
        if no := against(verdicts):
            found.append((made, no))
    return Rehearsal(len(asked), found)


def _checked(request: pb.RehearsePolicyRequest, refuses: Callable[[str], bool]) -> said_rules.Said:
    said, faults = request.environment, Faults()
    faults.target("environment.name", said.name)
    said_rules.check(said, said_rules.SAID, refuses, faults, "environment.")
    windows = sum(max(len(freeze.weekly), 1) for freeze in said.freezes)
    if not 0 <= request.last <= _MOST_LAST:
        faults.add("last", f"is {request.last}: wanted 1 to {_MOST_LAST}, or 0 for {_DEFAULT_LAST}")
    elif windows * request.last > _MOST_WINDOWS:
        most = _MOST_WINDOWS // windows
        faults.add("last", f"is {request.last}: with {windows} windows of freezes at most {most}")
    faults.refuse()
    return said_rules.said(said_rules.stored(said), 0)


class _Then:
    """What the gates know of promotions as they were made."""

    def __init__(
        self,
        reader: Reader,
        repo_id: int,
        place: Place,
        name: str,
        proposed: said_rules.Said,
        asked: Sequence[Made],
    ) -> None:
        self._reader = reader
        self._place = place
        self._name = name
        self._proposed = proposed
        self._asked = asked
        self._promoted = {
            row[0]: row[1:]
            for row in _PROMOTED.rows(reader, sorted({made.parent for made in asked}), repo_id)
        }
        requires = proposed.rules.requires
        origins = sorted({made.origin for made in asked}) if requires else []
        self._succeeded: dict[int, int] = dict(_SUCCEEDED.rows(reader, origins, repo_id, requires))
        arrived = _ARRIVED.run(reader, repo_id, requires).fetchall() if requires else []
        self._arrived: list[tuple[int, int | None]] = sorted(
            map(tuple, reversed(arrived)), key=itemgetter(0)
        )
        self._admins: dict[str, bool] = {}

    def of(self, made: Made, before: Sequence[Made], lacks: tuple[str, ...]) -> Facts:
        """What they know of one; `before` are those that were made before it."""
        at, said = made.created, self._proposed
        return Facts(
            at=at,
            slug=self._place.slug,
            environment=self._name,
            login=made.trigger,
            is_admin=said.rules.needs_admin and self._is_admin(made.trigger),
            build=made.parent,
            status=self._status(made.parent, at),
            commit=made.after,
            rules=said.rules,
            succeeded=self._first_success(made.origin, at),
            parameters=lacks,
            freeze=active(said.message.freezes, at),
            approvals_end=at + said.rules.approval_window,
            under_way=next(
                (each.number for each in before if 0 < each.started <= at < (each.finished or at + 1)), 0
            ),
            is_rollback=made.event == "rollback",
        )

    def lacking(self) -> Iterator[tuple[str, ...]]:
        """What the parameters of each of them lack."""
        rules = self._proposed.message.params
        # Most have the same ones.
        known: dict[tuple[str, frozenset[str]], tuple[str, ...]] = {}
        for begin in range(0, len(self._asked), _AT_ONCE):
            some = self._asked[begin : begin + _AT_ONCE]
            rows = _PARAMS.rows(self._reader, [made.id for made in some]) if rules else []
            had = {row[0]: (row[1], frozenset[str](json.loads(row[2]))) for row in rows}
            for made in some:
                text, masked = key = had.get(made.id, ("{}", frozenset()))
                if rules and key not in known:
                    completed = said_rules.completed(rules, json.loads(text))
                    known[key] = said_rules.lacking(rules, completed, masked)
                yield known.get(key, ())

    def _status(self, number: int, at: int) -> str:
        # What retention has removed had been good enough.
        status, started, finished, updated = self._promoted.get(number, ("success", 0, 0, 0))
        # Whoever reported its end may have another clock.
        if status in ENDED and min(finished, updated) > at:
            return "running" if 0 < started <= at else "pending"
        return str(status)

    def _first_success(self, origin: int, at: int) -> int:
        first = self._succeeded.get(origin, 0)
        if 0 < first <= at:
            return first
        # Or somebody had said that it is there.
        found = bisect.bisect_right(self._arrived, at, key=lambda arrived: arrived[0])
        there = self._arrived[found - 1] if found else None
        return there[0] if there is not None and there[1] == origin else 0

    def _is_admin(self, login: str) -> bool:
        if login not in self._admins:
            self._admins[login] = access_of(self._reader, self._place, login)[1]
        return self._admins[login]
