"""The runner: takes stages of pipelines, as many at once as it may, and does them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shiplift import AsyncClient
from shiplift.runner.holding import Holding
from shiplift.runner.place import DEFAULT_PATH
from shiplift.runner.stage import StageRun
from shiplift.runner.taking import Taker, Wanted
from shiplift.v1 import stages_pb2

# To end what runs (5 s and 2 s), and to report it (10 s).
_STOP_SECONDS = 20.0


@dataclass(frozen=True, kw_only=True)
class Options:
    """How it runs: `longest` is how many seconds a stage may take, `path` the steps' PATH."""

    capacity: int = 1
    once: bool = False
    longest: float | None = None
    path: str = DEFAULT_PATH


class Runner:
    """Takes stages and does them, until it is stopped, or with `once` until one has ended."""

    def __init__(
        self, client: AsyncClient, wanted: Wanted, options: Options, say: Callable[[str], None]
    ) -> None:
        self._client = client
        self._options = options
        self._say = say
        self._taker = Taker(client, wanted, say)
        self._held: set[Holding] = set()
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """Takes no more; what runs is ended and reported as killed."""
        self._taker.stop()
        self._stopped.set()
        for holding in self._held:
            self._stop(holding)

    def _stop(self, holding: Holding) -> None:
        holding.stop("killed", "the runner was stopped", hurry=True)

    async def run(self) -> bool:
        """Runs; whether the last stage succeeded. Raises ShipliftError when the server refuses it."""
        workers = 1 if self._options.once else self._options.capacity
        work = asyncio.gather(*(self._work() for _ in range(workers)), return_exceptions=True)
        stopped = asyncio.ensure_future(self._stopped.wait())
        waited: list[asyncio.Future[Any]] = [work, stopped]
        try:
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            ended = await asyncio.wait_for(work, _STOP_SECONDS if stopped.done() else None)
        except TimeoutError:
            self._say("the server was not told how the stages ended: it will find them lost")
            return False
        finally:
            stopped.cancel()
        for each in ended:
            if isinstance(each, BaseException):
                raise each
        return all(ended)

    async def _work(self) -> bool:
        well = False
        try:
            while (lease := await self._taker.take()) is not None:
                well = await self._do(lease)
                if self._options.once:
                    break
        except Exception:
            # The others would be refused as well, or meet the same fault.
            self.stop()
            raise
        return well

    async def _do(self, lease: stages_pb2.StageLease) -> bool:
        name = f"{lease.build.owner}/{lease.build.repo} {lease.build.number}, stage {lease.stage.name}"
        self._say(f"{name}: begins")
        async with Holding(self._client, lease) as holding:
            self._held.add(holding)
            if self._taker.is_stopping:
                self._stop(holding)
            try:
                options = self._options
                run = StageRun(holding, lease, path=options.path, longest=options.longest)
                outcome = await run.run()
            finally:
                self._held.discard(holding)
        told = holding.masker.text(outcome.error)
        self._say(f"{name}: {': '.join(filter(None, (outcome.status, told)))}")
        return outcome.status == "success"
