"""Waits for a stage, and claims it."""

import asyncio
import os
import platform
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import uuid4

from grpc import StatusCode

from shiplift import AsyncClient, ShipliftError, Unavailable
from shiplift.runner.waiting import first, pauses
from shiplift.v1 import stages_pb2

R = TypeVar("R")

# The server answers a second before.
_POLL_SECONDS = 40.0
_LEAST_SECONDS = 2.0
_FATAL = frozenset(
    {
        *(StatusCode.UNAUTHENTICATED, StatusCode.PERMISSION_DENIED, StatusCode.INVALID_ARGUMENT),
        *(StatusCode.NOT_FOUND, StatusCode.UNIMPLEMENTED),
    }
)
# What Go calls them, where Python does otherwise.
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the taker can do: the arguments of AcquireStage."""

    machine: str
    kind: str = ""
    type: str = ""
    os: str = ""
    arch: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    owner: str = ""
    repo: str = ""
    environments: Sequence[str] = ()


def this_platform() -> tuple[str, str]:
    """The operating system and the architecture of this machine, as Go names them."""
    machine = platform.machine().lower()
    return sys.platform, _ARCHITECTURES.get(machine, machine)


class Taker:
    """Takes stages until it is told to stop."""

    def __init__(self, client: AsyncClient, wanted: Wanted, say: Callable[[str], None]) -> None:
        """Prepares it; `say` is told, once each time, when the server does not answer."""
        self._client = client
        self._wanted = wanted
        self._say = say
        self._stopping = asyncio.Event()

    @property
    def is_stopping(self) -> bool:
        """Whether no more are to be taken."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Has it take no more."""
        self._stopping.set()

    async def take(self, seconds: float | None = None) -> stages_pb2.StageLease | None:
        """Waits for a stage that is then ours; None when it is to stop, or there is none in time.

        Raises ShipliftError when the server refuses what is asked.
        """
        until = None if seconds is None else _now() + seconds
        pausing, silent = pauses(), False
        while not self.is_stopping:
            begun = _now()
            try:
                lease = await self._take_once(until)
            except ShipliftError as error:
                if error.code in _FATAL:
                    raise
                if not silent and error.code is not StatusCode.DEADLINE_EXCEEDED:
                    self._say(f"no answer from the server, trying again: {error.message}")
                    silent = True
                pause = next(pausing)
            else:
                if silent:
                    self._say("the server answers again")
                pausing, silent = pauses(), False
                if lease is not None:
                    return lease
                # The server answers early when it shuts down.
                pause = max(0.0, 0.2 - (_now() - begun))
            if until is not None and _now() + pause >= until:
                return None
            await self._unless_stopped(asyncio.sleep(pause))
        return None

    async def _take_once(self, until: float | None) -> stages_pb2.StageLease | None:
        left = _POLL_SECONDS if until is None else until - _now()
        wanted = self._wanted
        answer = await self._unless_stopped(
            self._client.acquire_stage(
                machine=wanted.machine,
                kind=wanted.kind,
                type=wanted.type,
                os=wanted.os,
                arch=wanted.arch,
                labels=wanted.labels,
                owner=wanted.owner,
                repo=wanted.repo,
                environments=wanted.environments,
                timeout=min(_POLL_SECONDS, max(_LEAST_SECONDS, left)),
            )
        )
        if answer is None or not answer.HasField("offer"):
            return None
        return await self._accept(answer.offer.id)

    async def _accept(self, stage: int) -> stages_pb2.StageLease | None:
        # An accept that got no answer may have been one: the same request finds out.
        request_id = str(uuid4())
        for pause in pauses():
            try:
                return await self._client.accept_stage(
                    stage_id=stage, machine=self._wanted.machine, request_id=request_id
                )
            except Unavailable:
                if self.is_stopping:
                    return None
                await asyncio.sleep(pause)
            except ShipliftError as error:
                if error.code in (StatusCode.ABORTED, StatusCode.NOT_FOUND, StatusCode.FAILED_PRECONDITION):
                    # Somebody else has it, or it has ended meanwhile.
                    return None
                raise
        return None

    async def _unless_stopped(self, work: Coroutine[None, None, R]) -> R | None:
        return await first(work, self._stopping)


def host_name() -> str:
    """What this machine is called, at most as long as the server takes it."""
    return (platform.node() or "localhost")[:200]


def user_name() -> str:
    """Who this process runs as."""
    import pwd  # not there on every system, and only said

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _now() -> float:
    return asyncio.get_running_loop().time()
