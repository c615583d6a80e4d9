"""The runners that are known: those that asked for a stage in the last hour, and could take which."""

import asyncio
import json
import logging
from collections.abc import Iterator
from typing import NamedTuple

from shipliftd import leases
from shipliftd.clock import now
from shipliftd.guard import Caller, is_within
from shipliftd.models import Runner
from shipliftd.rows import BuildWithStages, StageRow
from shipliftd.store import Store

log = logging.getLogger(__name__)

KNOWN_MS = 60 * 60 * 1000
_NOTE_MS = 5 * 60 * 1000
_KEPT_MS = 30 * 24 * 60 * 60 * 1000


class Want(NamedTuple):
    """What a runner can do, and where it asks for it; '' stands for anything."""

    kind: str
    type: str
    os: str
    arch: str
    variant: str
    kernel: str
    labels: tuple[tuple[str, str], ...]
    owner: str
    repo: str
    deploy_to: str

    def fits(self, stage: StageRow) -> bool:
        """Whether the runner can do the stage, wherever it belongs."""
        return (
            self.kind == stage.kind
            and self.type in ("", stage.type)
            and self.os in ("", stage.os)
            and self.arch in ("", stage.arch)
            and self.variant == stage.variant
            and self.kernel == stage.kernel
            and dict(self.labels) == leases.labels_of(stage)
        )


class _Seen(NamedTuple):
    """When a runner last asked, and the cuts of its token."""

    at: int
    repositories: tuple[str, ...]
    environments: tuple[str, ...]


class KnownRunners:
    """Kept in the store, too, so that a restart forgets nobody."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen: dict[tuple[int, str, Want], _Seen] = {}
        self._kept: set[asyncio.Future[None]] = set()
        for row in Runner.select().where(Runner.seen > now() - KNOWN_MS):
            want = Want(*json.loads(row.wants))
            want = want._replace(labels=tuple((name, value) for name, value in want.labels))
            cuts = tuple(json.loads(row.repositories)), tuple(json.loads(row.environments))
            self._seen[row.token_id, row.machine, want] = _Seen(row.seen, *cuts)

    def note(self, caller: Caller, machine: str, want: Want) -> None:
        """Remembers that a runner asks."""
        key = (caller.token_id, machine, want)
        at = now()
        if key in self._seen and self._seen[key].at > at - _NOTE_MS:
            return
        cut = caller.cut
        seen = _Seen(at, cut.repositories if cut else (), cut.environments if cut else ())
        self._seen = {k: kept for k, kept in self._seen.items() if kept.at > at - KNOWN_MS}
        self._seen[key] = seen
        # Nobody waits for it: what is lost with a crash is known again when the runner asks next.
        task = asyncio.ensure_future(self._store.write(_keep, key, seen))
        self._kept.add(task)
        task.add_done_callback(self._is_kept)

    def _is_kept(self, task: asyncio.Future[None]) -> None:
        self._kept.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("runner not noted", extra={"error": str(error)})

    def waiting_for(self, whole: BuildWithStages) -> str:
        """In words, the first pending stage of a build that no known runner can take; else nothing."""
        if whole.build.status not in ("pending", "running") or whole.build.pipeline_id is None:
            # Without a file there are no steps to run: whoever deploys it reports it.
            return ""
        for stage in whole.stages:
            is_waiting = stage.status == "pending" and stage.lease_hash is None
            # A deployer need not ask before there is something to take.
            if is_waiting and stage.kind == "pipeline" and not any(self._could_take(whole, stage)):
                labels = leases.labels_of(stage)
                told = f" with the labels {labels}" if labels else ""
                return (
                    f"stage {stage.name!r} waits for a runner of type {stage.type} for"
                    f" {stage.os}/{stage.arch}{told}: none that may take it has asked in the last hour"
                )
        return ""

    def _could_take(self, whole: BuildWithStages, stage: StageRow) -> Iterator[bool]:
        oldest = now() - KNOWN_MS
        deploy_to = whole.build.deploy_to
        for (_, _, want), seen in self._seen.items():
            yield (
                seen.at > oldest
                and want.fits(stage)
                and want.owner in ("", whole.owner)
                and want.repo in ("", whole.repo)
                and want.deploy_to in ("", deploy_to)
                and is_within(seen.repositories, whole.owner, whole.repo)
                and (not seen.environments or deploy_to in seen.environments)
            )


def _keep(key: tuple[int, str, Want], seen: _Seen) -> None:
    token_id, machine, want = key
    Runner.insert(
        token_id=token_id,
        machine=machine,
        wants=json.dumps(want),
        repositories=json.dumps(seen.repositories),
        environments=json.dumps(seen.environments),
        seen=seen.at,
    ).on_conflict(
        conflict_target=[Runner.token_id, Runner.machine, Runner.wants],
        preserve=[Runner.repositories, Runner.environments, Runner.seen],
    ).execute()
    # Nobody asks after those of last month.
    Runner.delete().where(Runner.seen < seen.at - _KEPT_MS).execute()
