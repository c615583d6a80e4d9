"""Handing stages to the runners that wait for them.

All waiting runners of a kind are served by one query, made when something may have become ready: when a
transaction is through that left a stage pending, a stage ended that held a limit, an offer was not taken.
Nothing polls the store. Offers live in memory alone: what counts is AcceptStage, and the database.
"""

import asyncio
import contextlib
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from peewee import fn
from shiplift.v1 import access_pb2
from shiplift.v1 import stages_pb2 as pb

from shipliftd import clock
from shipliftd.access.callers import Caller
from shipliftd.access.reach import reachable
from shipliftd.errors import Unavailable, shown
from shipliftd.fields import Faults
from shipliftd.pipelines import MOST_LABEL, MOST_LABELS, MOST_NAME
from shipliftd.stages import leases
from shipliftd.stages.known_runners import KnownRunners, Want
from shipliftd.store import Store
from shipliftd.store.compiled import Compiled, arg
from shipliftd.store.models import Build, Repository, Stage, Token, User
from shipliftd.store.rows import StageRow
from shipliftd.store.transaction import Reader

OFFER_SECONDS = 10.0
_CHUNK = 100
_MOST_PAUSE_SECONDS = 0.1
_MOST_LOOKED_AT = 5000
_MOST_ENVIRONMENTS = 100


# A repository's stages of a name, or all of it.
_Limited = tuple[int, str | None]


class _Offer(NamedTuple):
    """Until when it stands, and the limits that it counts against."""

    until: float
    limits: frozenset[_Limited]


@dataclass
class _Group:
    """The waiting runners of one token that can do the same, and the query for them."""

    want: Want
    query: Compiled
    waiting: deque[asyncio.Future[StageRow | None]] = field(default_factory=deque)


class Dispatcher:
    """The runners that wait, and those that are known."""

    def __init__(self, store: Store, known: KnownRunners) -> None:
        self._store = store
        self.known = known
        self._groups: dict[tuple[int, Want], _Group] = {}
        self._offered: dict[int, _Offer] = {}
        self._busy: set[_Limited] = set()
        # Whom the next look is for: those who came just now, or everybody.
        self._new: set[tuple[int, Want]] = set()
        self._is_woken = self._is_over = False
        self._took = 0.0
        self._task: asyncio.Future[None] | None = None

    async def acquire(
        self, caller: Caller, request: pb.AcquireStageRequest, seconds: float
    ) -> StageRow | None:
        """Waits for a stage that the caller can do; None when there was none in time.

        Raises Invalid, Unavailable, Exhausted (the token's runners ask for too many different things).
        """
        want = _want(request)
        if seconds <= 0 or self._is_over:
            # An offer would come too late.
            return None
        if self._store.failing:
            raise Unavailable("the store takes no writes now, so no stage could be accepted: try again")
        self.known.note(caller, want)
        key = (caller.token_id, want)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group(want, _query(caller, want))
        future: asyncio.Future[StageRow | None] = asyncio.get_running_loop().create_future()
        group.waiting.append(future)
        if not (self._new or self._is_woken):
            self._serve_soon()
        self._new.add(key)
        try:
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError:
            return None
        finally:
            with contextlib.suppress(ValueError):
                group.waiting.remove(future)
            if not group.waiting and self._groups.get(key) is group:
                del self._groups[key]

    @property
    def waiting(self) -> int:
        """How many runners wait for a stage."""
        return sum(len(group.waiting) for group in self._groups.values())

    def wake(self) -> None:
        """Looks soon whether there is something for those who wait."""
        if self._groups and not self._is_woken:
            if not self._new:
                self._serve_soon()
            self._is_woken = True

    def _serve_soon(self) -> None:
        # As long as the last look took: of a crowd many are served by one, and others have their turn.
        asyncio.get_running_loop().call_later(self._took, self._begin)

    def _begin(self) -> None:
        self._task = asyncio.ensure_future(self._serve())

    def accepted(self, stage_id: int) -> None:
        """Forgets an offer: the database says whose it is."""
        self._offered.pop(stage_id, None)

    def end(self) -> None:
        """Answers everybody that there is nothing, and from now on at once."""
        self._is_over = True
        for group in self._groups.values():
            for future in group.waiting:
                if not future.done():
                    future.set_result(None)

    async def _serve(self) -> None:
        # Who was here before has been looked after when something changed last.
        groups = list(self._groups) if self._is_woken else list(self._new)
        self._new.clear()
        self._is_woken = False
        time = asyncio.get_running_loop().time()
        self._offered = {stage: offer for stage, offer in self._offered.items() if offer.until > time}
        self._busy = set().union(*(offer.limits for offer in self._offered.values()))
        for key in groups:
            if (group := self._groups.get(key)) is not None:
                await self._serve_group(group, time)
        self._took = min(asyncio.get_running_loop().time() - time, _MOST_PAUSE_SECONDS)

    async def _serve_group(self, group: _Group, time: float) -> None:
        last, looked_at = 0, 0
        full: set[tuple[int, str, int, int]] = set()
        while group.waiting and looked_at < _MOST_LOOKED_AT:
            rows = await self._store.read(_pending, group.query, last)
            for stage in rows:
                if (
                    stage.id in self._offered
                    or group.want.labels != leases.labels_of(stage)
                    or not await self._has_room(stage, full)
                ):
                    continue
                self._offer(group, stage, time)
                if not group.waiting:
                    return
            if len(rows) < _CHUNK:
                return
            last, looked_at = rows[-1].id, looked_at + len(rows)

    async def _has_room(self, stage: StageRow, full: set[tuple[int, str, int, int]]) -> bool:
        limits = _limits_of(stage)
        if not limits:
            return True
        # One at a time: the next one is offered once this one has been accepted.
        if not limits.isdisjoint(self._busy):
            return False
        key = (stage.repo_id, stage.name, stage.limit, stage.throttle)
        if key not in full and await self._store.read(leases.room_for, stage):
            # Another look may have offered it meanwhile, or one that counts against it.
            return stage.id not in self._offered and limits.isdisjoint(self._busy)
        full.add(key)
        return False

    def _offer(self, group: _Group, stage: StageRow, time: float) -> None:
        while group.waiting:
            future = group.waiting.popleft()
            if not future.done():
                future.set_result(stage)
                offer = self._offered[stage.id] = _Offer(time + OFFER_SECONDS, _limits_of(stage))
                self._busy |= offer.limits
                asyncio.get_running_loop().call_later(OFFER_SECONDS + 0.01, self.wake)
                return


def _limits_of(stage: StageRow) -> frozenset[_Limited]:
    named: set[_Limited] = {(stage.repo_id, stage.name)} if stage.limit else set()
    return frozenset(named | {(stage.repo_id, None)} if stage.throttle else named)


def _want(request: pb.AcquireStageRequest) -> Want:
    faults = Faults()
    leases.check_machine(request.machine, faults)
    if request.kind not in ("", "pipeline", "external"):
        faults.add("kind", f"{request.kind[:60]!r}: wanted pipeline or external")
    for name in ("type", "os", "arch", "variant", "kernel"):
        faults.text(name, getattr(request, name), 100)
    labels = faults.few("labels", request.labels.items(), MOST_LABELS)
    for label, value in labels:
        faults.text("labels", label, MOST_NAME)
        faults.text(f"labels[{label[:60]!r}]", value, MOST_LABEL)
    faults.only_of(request.owner, request.repo)
    _check_environments(request, faults)
    faults.refuse()
    return Want(
        request.kind or "pipeline",
        request.type,
        request.os,
        request.arch,
        request.variant,
        request.kernel,
        tuple(sorted(labels)),
        request.owner,
        request.repo,
        tuple(sorted(request.environments)),
    )


def _check_environments(request: pb.AcquireStageRequest, faults: Faults) -> None:
    environments = faults.few("environments", request.environments, _MOST_ENVIRONMENTS)
    for environment in environments:
        faults.target("environments", environment)
    for environment, times in Counter(environments).items():
        if times > 1:
            faults.add("environments", f"{shown(environment)} stands there twice: each name may stand once")


def _query(caller: Caller, want: Want) -> Compiled:
    """The pending stages that the caller may have, oldest first: after the one of an id, at a time."""
    query = (
        Stage.select()
        .join(Build)
        .switch(Stage)
        .join(Repository, on=(Stage.repo == Repository.id))
        .where(
            Stage.status == "pending",
            want.condition(),
            Stage.lease_expires == 0,
            Stage.id > arg(0),
            reachable(caller, access_pb2.ACCESS_LEVEL_WRITE),
            # The caller was let in some time ago.
            fn.EXISTS(Token.select(Token.id).join(User).where(*_works(caller.token_id))),
        )
    )
    for column, word in ((Repository.owner, want.owner), (Repository.name, want.repo)):
        if word:
            query = query.where(column == word)
    if want.environments:
        query = query.where(Build.deploy_to.in_(want.environments))
    # What a CI system records is its own to do, and without a file there are no steps to run.
    query = query.where(Build.parent > 0 if want.kind == "external" else Build.pipeline_id.is_null(False))
    environments = caller.cut.environments if caller.cut is not None else ()
    if environments:
        query = query.where(Build.deploy_to.in_(environments))
    return Compiled(query.order_by(Stage.id).limit(_CHUNK))


def _works(token_id: int) -> tuple[Any, ...]:
    is_valid = (Token.revoked == 0) & ((Token.expires == 0) | (Token.expires > arg(1)))
    return Token.id == token_id, is_valid, ~User.disabled


def _pending(reader: Reader, query: Compiled, last: int) -> list[StageRow]:
    return list(map(StageRow._make, query.run(reader, last, clock.now()).fetchall()))
