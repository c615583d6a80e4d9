"""The runners that are known: what each token's asked for in the last hour.

How many machines ask does not count, for those of a fleet come and go under names of their own: all of a
token's that ask for the same are one entry.
"""

import asyncio
import json
import logging
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from shiplift.v1 import stages_pb2 as pb

from shipliftd.access.callers import Caller
from shipliftd.access.reach import is_within
from shipliftd.builds import waits_for
from shipliftd.clock import now
from shipliftd.errors import Exhausted
from shipliftd.stages import leases
from shipliftd.store import Store, pages
from shipliftd.store.models import Runner, Stage, Token, User
from shipliftd.store.rows import BuildWithStages, RunnerRow, StageRow
from shipliftd.store.transaction import Reader, Transaction

log = logging.getLogger(__name__)

KNOWN_MS = 60 * 60 * 1000
_NOTE_MS = 5 * 60 * 1000
# Of machines, kinds: each is a query whenever there may be work, and has up to 21,000 characters.
MOST_WANTS = 100


class Want(NamedTuple):
    """What a runner can do, and where it asks for it; '' and () stand for anything. All is sorted."""

    kind: str
    type: str
    os: str
    arch: str
    variant: str
    kernel: str
    labels: tuple[tuple[str, str], ...]
    owner: str
    repo: str
    environments: tuple[str, ...]

    @property
    def _names_platform(self) -> bool:
        return bool(self.os or self.arch or self.variant or self.kernel)

    def condition(self) -> Any:  # noqa: ANN401  # peewee's expressions
        """On `Stage`: that the runner can do it, its labels aside. The rule of `lacks`, for the store.

        As on Drone's side variant and kernel count only where the stage names them.
        """
        found = Stage.kind == self.kind
        for column, word in ((Stage.type, self.type), (Stage.os, self.os), (Stage.arch, self.arch)):
            if word:
                found &= column == word
        if self._names_platform:
            found &= Stage.variant.in_(["", self.variant]) & Stage.kernel.in_(["", self.kernel])
        return found

    def lacks(self, stage: StageRow) -> tuple[str, ...] | None:
        """What keeps the runner from the stage, wherever that belongs, of variant, kernel and labels.

        None where it is for other stages altogether.
        """
        if (
            self.kind != stage.kind
            or self.type not in ("", stage.type)
            or self.os not in ("", stage.os)
            or self.arch not in ("", stage.arch)
        ):
            return None
        missing = () if self.labels == leases.labels_of(stage) else ("other labels",)
        if self._names_platform and stage.kernel not in ("", self.kernel):
            missing = ("another kernel", *missing)
        if self._names_platform and stage.variant not in ("", self.variant):
            missing = ("another variant", *missing)
        return missing


# Where it stands in a RunnerRow.
_WANT = slice(2, 2 + len(Want._fields))


class _Key(NamedTuple):
    token_id: int
    want: Want


class _Seen(NamedTuple):
    """When a runner last asked, and the cuts of its token."""

    at: int
    repositories: tuple[str, ...]
    environments: tuple[str, ...]


class Roster:
    """Those who are known."""

    def __init__(self, seen: OrderedDict[_Key, _Seen]) -> None:
        # Who asked longest ago comes first.
        self._seen = seen

    def copy(self) -> "Roster":
        """Those who are known now, for another thread."""
        return Roster(self._seen.copy())

    def page(self, reader: Reader, request: pb.ListRunnersRequest) -> list[RunnerRow]:
        """A page of them and one more, by token and what they ask for. Raises Invalid."""
        most = pages.size(request.page_size)
        after = pages.after(reader, request, request.page_token)
        oldest = now() - KNOWN_MS
        rows = sorted(
            (
                RunnerRow(key.token_id, "", *key.want, seen.repositories, seen.environments, seen.at)
                for key, seen in self._seen.items()
                if seen.at > oldest
            ),
            key=key_of,
        )
        rows = [row for row in rows if after is None or key_of(row) > after][: most + 1]
        tokens = Token.select(Token.id, User.login).join(User)
        tokens = tokens.where(Token.id.in_({row.token_id for row in rows}))
        logins = dict(reader.rows(tokens))
        return [row._replace(login=logins[row.token_id]) for row in rows]

    def waiting_for(self, whole: BuildWithStages) -> str:
        """In words, what a build waits for: its gates, or for who could take its first pending stage."""
        if whole.build.waits:
            return waits_for(whole.build)
        if whole.build.status not in ("pending", "running"):
            return ""
        for stage in whole.stages:
            if stage.status != "pending" or stage.lease_hash is not None:
                continue
            if stage.kind == "external" and whole.build.deploy_to:
                if () not in self._lacking(whole, stage):
                    return _waits_for_deployer(whole, stage)
            # Without a file there are no steps to run: whoever deploys it reports it.
            elif stage.kind == "pipeline" and whole.build.pipeline_id is not None:
                nearest = min(self._lacking(whole, stage), key=len, default=None)
                if nearest != ():
                    return _waits(stage, nearest)
        return ""

    def _lacking(self, whole: BuildWithStages, stage: StageRow) -> Iterator[tuple[str, ...]]:
        """What keeps each runner from the stage that may take such ones; nothing more once one can."""
        oldest = now() - KNOWN_MS
        deploy_to = whole.build.deploy_to
        for (_, want), seen in self._seen.items():
            if (
                seen.at > oldest
                and want.owner in ("", whole.owner)
                and want.repo in ("", whole.repo)
                and (not want.environments or deploy_to in want.environments)
                and is_within(seen.repositories, whole.owner, whole.repo)
                and (not seen.environments or deploy_to in seen.environments)
                and (lacks := want.lacks(stage)) is not None
            ):
                yield lacks
                if not lacks:
                    return


def key_of(row: RunnerRow) -> pages.Key:
    """What the page after a runner begins behind."""
    return [row.token_id, json.dumps(row[_WANT])]


class KnownRunners(Roster):
    """Kept in the store, too, so that a restart forgets nobody."""

    def __init__(self, store: Store, remembered: Iterable[tuple[_Key, _Seen]]) -> None:
        super().__init__(OrderedDict())
        self._store = store
        self._wants: Counter[int] = Counter()
        self._storing: set[asyncio.Future[None]] = set()
        self.learn(remembered)

    def learn(self, remembered: Iterable[tuple[_Key, _Seen]]) -> None:
        """Takes over what other servers noted in the store."""
        for key, seen in remembered:
            known = self._seen.get(key)
            if known is None or known.at < seen.at:
                self._remember(key, seen)

    def note(self, caller: Caller, want: Want) -> None:
        """Remembers that a runner asks. Raises Exhausted where its token's ask for too much."""
        key, at = _Key(caller.token_id, want), now()
        known = self._seen.get(key)
        if known is not None and known.at > at - _NOTE_MS:
            return
        self._forget_old(at)
        if key not in self._seen and self._wants[caller.token_id] >= MOST_WANTS:
            raise Exhausted(
                f"this token's runners have asked for {MOST_WANTS} different things in the last hour, and"
                " more are not taken: have machines of a kind ask for the same platform, labels, repository"
                " and environment, whatever their names, or give each kind a token of its own",
                reason="TOO_MANY_RUNNERS",
                retry_after=self._room_in(caller.token_id, at),
                metadata={"limit": MOST_WANTS},
            )
        cut = caller.cut
        seen = _Seen(at, cut.repositories if cut else (), cut.environments if cut else ())
        self._remember(key, seen)
        self._write(_store, key, seen)

    def _room_in(self, token_id: int, at: int) -> int:
        """In how many seconds the token's oldest want is forgotten, if nobody asks for it again."""
        oldest = next(seen.at for key, seen in self._seen.items() if key.token_id == token_id)
        return max(1, -(-(oldest + KNOWN_MS - at) // 1000))

    def _remember(self, key: _Key, seen: _Seen) -> None:
        self._wants[key.token_id] += key not in self._seen
        self._seen[key] = seen
        self._seen.move_to_end(key)

    def _forget_old(self, at: int) -> None:
        forgotten: list[_Key] = []
        while self._seen and next(iter(self._seen.values())).at <= at - KNOWN_MS:
            key, _ = self._seen.popitem(last=False)
            forgotten.append(key)
            self._wants[key.token_id] -= 1
            if not self._wants[key.token_id]:
                del self._wants[key.token_id]
        if forgotten:
            self._write(_drop, forgotten)

    def _write(self, verb: Any, *args: Any) -> None:  # noqa: ANN401  # a verb of this file
        # Nobody waits for it: what is lost with a crash is known again when the runner asks next.
        task: asyncio.Future[None] = asyncio.ensure_future(self._store.write(verb, *args))
        self._storing.add(task)
        task.add_done_callback(self._is_stored)

    def _is_stored(self, task: asyncio.Future[None]) -> None:
        self._storing.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("runner not noted", extra={"error": str(error)})


def _waits(stage: StageRow, nearest: tuple[str, ...] | None) -> str:
    wanted = [f"{word} {value}" for word, value in _platform(stage) if value]
    if labels := dict(leases.labels_of(stage)):
        wanted.append(f"the labels {labels}")
    told = f" with {_joined(wanted)}" if wanted else ""
    near = f"; one with {_joined(nearest)} has" if nearest else ""
    return (
        f"stage {stage.name!r} waits for a runner of type {stage.type} for {stage.os}/{stage.arch}{told}:"
        f" none that may take it has asked in the last hour{near}"
    )


def _waits_for_deployer(whole: BuildWithStages, stage: StageRow) -> str:
    environment = whole.build.deploy_to
    return (
        f"stage {stage.name!r} waits for a deployer of {environment}: none that may take it has asked in"
        f" the last hour (shiplift take {environment} -- COMMAND)"
    )


def _platform(stage: StageRow) -> tuple[tuple[str, str], ...]:
    return ("the variant", stage.variant), ("the kernel", stage.kernel)


def _joined(parts: list[str] | tuple[str, ...]) -> str:
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))


def remembered(reader: Reader) -> list[tuple[_Key, _Seen]]:
    """Those who asked in the last hour, who did so longest ago first."""
    found = []
    for row in reader.all(Runner.select().where(Runner.seen > now() - KNOWN_MS).order_by(Runner.seen)):
        cuts = tuple(json.loads(row.repositories)), tuple(json.loads(row.environments))
        found.append((_Key(row.token_id, _want_of(row.wants)), _Seen(row.seen, *cuts)))
    return found


def forget_old(tx: Transaction) -> None:
    """Takes away the rows of those who have not asked in the last hour."""
    tx.execute(Runner.delete().where(Runner.seen <= now() - KNOWN_MS))


def _stored(want: Want) -> str:
    # The release before has one environment here, a text, and must be able to read it: no name has a comma.
    return json.dumps([*want[:-1], ",".join(want.environments)])


def _want_of(wants: str) -> Want:
    want, environments = Want(*json.loads(wants)), json.loads(wants)[-1]
    return want._replace(
        labels=tuple((name, value) for name, value in want.labels),
        environments=tuple(environments.split(",")) if environments else (),
    )


def _store(tx: Transaction, key: _Key, seen: _Seen) -> None:
    asked = Runner.insert(
        token_id=key.token_id,
        machine="",
        wants=_stored(key.want),
        repositories=json.dumps(seen.repositories),
        environments=json.dumps(seen.environments),
        seen=seen.at,
    ).on_conflict(
        conflict_target=[Runner.token_id, Runner.machine, Runner.wants],
        preserve=[Runner.repositories, Runner.environments, Runner.seen],
    )
    tx.execute(asked)


def _drop(tx: Transaction, keys: list[_Key]) -> None:
    # In one order, or replicas that forget the same ones could wait for each other.
    for token_id, wants in sorted((key.token_id, _stored(key.want)) for key in keys):
        # The release before has a row for each machine.
        tx.execute(Runner.delete().where(Runner.token_id == token_id, Runner.wants == wants))
