"""A stage that is held: keeps its lease, reports, and learns when to stop."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from types import TracebackType
from typing import NamedTuple, Self, TypeVar

from grpc import StatusCode as Code

from shiplift import AsyncClient, ShipliftError
from shiplift._methods import BuildStatusWord
from shiplift.masking import Masker
from shiplift.runner.waiting import first, pauses
from shiplift.v1 import builds_pb2 as pb
from shiplift.v1 import stages_pb2

R = TypeVar("R")

HEARTBEAT_SECONDS = 15.0
# How long a runner that is being stopped tries to say so.
_HURRY_SECONDS = 10.0
# What passes by itself; it is no reason to stop a deployment half way.
_PASSING = frozenset(
    {
        *(Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.INTERNAL, Code.UNKNOWN),
        Code.RESOURCE_EXHAUSTED,
    }
)
_LOST = frozenset(
    {
        *(Code.NOT_FOUND, Code.PERMISSION_DENIED, Code.UNAUTHENTICATED),
        *(Code.FAILED_PRECONDITION, Code.ABORTED),
    }
)
_ENDS = frozenset(
    {
        *(
            pb.BUILD_STATUS_SKIPPED,
            pb.BUILD_STATUS_DECLINED,
            pb.BUILD_STATUS_SUCCESS,
            pb.BUILD_STATUS_FAILURE,
        ),
        *(pb.BUILD_STATUS_KILLED, pb.BUILD_STATUS_ERROR),
    }
)


class Stop(NamedTuple):
    """Why the work is to be stopped: what the stage ends as, and in which words."""

    status: BuildStatusWord
    words: str


class Holding:
    """A stage's lease, kept from `async with` to its end. No method of it fails.

    The stage is ours alone, so reports name no version: a repeat of one that got through finds it
    one higher. What got no answer is repeated until it gets one, or the lease is lost.
    """

    def __init__(self, client: AsyncClient, lease: stages_pb2.StageLease) -> None:
        self._client = client
        self._stage = lease.stage.id
        self._token = lease.lease_token
        self.masker = Masker(_secret_values(lease))
        self._stopped = asyncio.Event()
        self._late = asyncio.Event()
        self._lost = False
        self._kept = _now()
        self._tasks: list[asyncio.Task[None]] = []
        self.stopped: Stop | None = None

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._watch()), asyncio.create_task(self._keep())]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._close()

    def stop(self, status: BuildStatusWord, words: str, *, hurry: bool = False) -> None:
        """Has the work stopped; the first reason counts.

        Args:
            status: What the stage is to end as.
            words: Why.
            hurry: Try only a few seconds to report it.
        """
        if self.stopped is None:
            self.stopped = Stop(status, words)
            self._stopped.set()
        if hurry:
            asyncio.get_running_loop().call_later(_HURRY_SECONDS, self._late.set)

    @property
    def why_stopped(self) -> Stop:
        """The reason, once there is one."""
        return self.stopped or Stop("killed", "it was stopped")

    async def unless_stopped(self, work: Coroutine[None, None, R]) -> R | None:
        """What the work returns; None, and the work cancelled, where it is to be stopped before."""
        return await first(work, self._stopped)

    async def update_stage(
        self,
        status: BuildStatusWord | None = None,
        *,
        error: str | None = None,
        exit_code: int | None = None,
        steps: Sequence[stages_pb2.StepReport] = (),
    ) -> pb.Stage | None:
        """Reports the stage; None where that was of no use."""
        stage = await self._call(
            lambda: self._client.update_stage(
                stage_id=self._stage,
                lease_token=self._token,
                status=status,
                error=self._short(error),
                exit_code=exit_code,
                steps=steps,
            )
        )
        if stage is not None and stage.status in _ENDS:
            self.stop("killed", "the server says that the stage has ended")
        return stage

    async def finish(self, status: BuildStatusWord, error: str = "", exit_code: int = 0) -> None:
        """Reports how the stage ended."""
        await self._close()
        await self.update_stage(status, error=error or None, exit_code=exit_code or None)

    async def update_step(
        self, step_id: int, status: BuildStatusWord, *, error: str = "", exit_code: int = 0
    ) -> None:
        """Reports a step."""
        await self._call(
            lambda: self._client.update_step(
                step_id=step_id,
                lease_token=self._token,
                status=status,
                error=self._short(error) or None,
                exit_code=exit_code or None,
            )
        )

    async def append_log(
        self, step_id: int, position: int, lines: Sequence[pb.LogLine]
    ) -> stages_pb2.AppendLogResponse | None:
        """Adds lines to a step's log; None where that was of no use."""
        return await self._call(
            lambda: self._client.append_log(
                step_id=step_id, lease_token=self._token, first_position=position, lines=lines
            )
        )

    async def _call(self, make: Callable[[], Awaitable[R]]) -> R | None:
        for pause in pauses():
            if self._lost or self._late.is_set():
                return None
            try:
                answer = await make()
            except ShipliftError as error:
                self._refused(error)
                if error.code not in _PASSING:
                    return None
                await asyncio.sleep(pause)
            except (OSError, ValueError):
                # The file with the token is being written.
                await asyncio.sleep(pause)
            else:
                self._kept = _now()
                return answer
        return None

    def _short(self, text: str | None) -> str | None:
        return None if text is None else self.masker.text(text)[:2000]

    def _refused(self, error: ShipliftError) -> None:
        if error.code in _LOST:
            self._lost = True
            self.stop("killed", f"the stage is no longer ours: {error.message}")

    async def _watch(self) -> None:
        """Learns of a cancel, and keeps the lease meanwhile."""
        while not self._lost:
            try:
                async for seen in self._client.watch_stage(stage_id=self._stage, lease_token=self._token):
                    if seen.stop:
                        # A server of the release before gives no reason.
                        self.stop("killed", seen.reason or "the build was cancelled, or the stage was lost")
            except ShipliftError as error:
                self._refused(error)
            except (OSError, ValueError):
                # As in `_call`.
                pass
            # The server ends it, too, when it shuts down.
            await asyncio.sleep(1.0)

    async def _keep(self) -> None:
        """Keeps the lease while nothing else does; a watch can be open with nobody at its other end."""
        while not self._lost:
            await asyncio.sleep(max(1.0, self._kept + HEARTBEAT_SECONDS - _now()))
            if _now() - self._kept >= HEARTBEAT_SECONDS:
                await self.update_stage()

    async def _close(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _secret_values(lease: stages_pb2.StageLease) -> list[str]:
    variables = lease.plan.environment
    names = [name for name in lease.build.masked_params if name in variables]
    return [*(secret.value for secret in lease.secrets), *(variables[name] for name in names)]
