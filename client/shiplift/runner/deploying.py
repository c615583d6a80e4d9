"""The deployer: takes promotions, one after the other, and runs a command for each."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence

from shiplift import AsyncClient
from shiplift.runner.holding import Holding
from shiplift.runner.logged import logged
from shiplift.runner.output import StepLog
from shiplift.runner.stage import SUCCESS, Outcome
from shiplift.runner.taking import Taker, Wanted
from shiplift.v1 import builds_pb2 as pb
from shiplift.v1 import stages_pb2

# What the command prints is the log of this one.
_STEP = stages_pb2.StepReport(number=1, name="deploy", status=pb.BUILD_STATUS_RUNNING)
# The deployer's own, which what it starts has no need of.
_OURS = ("SHIPLIFT_TOKEN", "SHIPLIFT_TOKEN_FILE")
# As a shell says that it found no program.
_NOT_FOUND, _NOT_STARTED = 127, 126


class Deployer:
    """Runs a command for each promotion that it takes."""

    def __init__(
        self, client: AsyncClient, wanted: Wanted, program: Sequence[str], say: Callable[[str], None]
    ) -> None:
        """Prepares it; `say` is told what begins and ends, and when the server does not answer."""
        self._client = client
        self._program = program
        self._say = say
        self._taker = Taker(client, wanted, say)
        self._held: Holding | None = None
        self.count = 0

    def stop(self) -> None:
        """Takes no more; a command that runs is ended, and reported as killed."""
        self._taker.stop()
        if self._held is not None:
            self._stop(self._held)

    def _stop(self, holding: Holding) -> None:
        holding.stop("killed", "the deployer was stopped", hurry=True)

    async def run(self, *, once: bool, seconds: float | None) -> int | None:
        """Deploys until it is stopped, or nothing came for so many seconds; with `once` one promotion.

        Returns the exit code of the one command, or of the one that was ended with it; None where it ended
        while it waited.
        Raises ShipliftError when the server refuses it.
        """
        while (lease := await self._taker.take(seconds)) is not None:
            self.count += 1
            outcome = await self._deploy(lease)
            if once or (self._taker.is_stopping and outcome.status == "killed"):
                return outcome.exit_code
        return None

    async def _deploy(self, lease: stages_pb2.StageLease) -> Outcome:
        build = lease.build
        what = f"{build.owner}/{build.repo}: build {build.number} to {build.deploy_to}"
        self._say(f"{what}: begins")
        async with Holding(self._client, lease) as holding:
            self._held = holding
            if self._taker.is_stopping:
                self._stop(holding)
            try:
                outcome = await self._outcome(holding, lease.plan.environment)
                await holding.finish(*outcome)
            finally:
                self._held = None
        told = holding.masker.text(outcome.error)
        self._say(f"{what}: {': '.join(filter(None, (outcome.status, told)))}")
        return outcome

    async def _outcome(self, holding: Holding, variables: Mapping[str, str]) -> Outcome:
        stage = await holding.update_stage("running", steps=[_STEP])
        if stage is None:
            holding.stop("error", "the server does not take the report that it runs")
        if stage is None or holding.stopped is not None:
            return Outcome(*holding.why_stopped, exit_code=1)
        step = stage.steps[0].id
        log = StepLog(holding, step)
        async with asyncio.TaskGroup() as group:
            group.create_task(log.send())
            try:
                outcome = await self._command(holding, variables, log)
            finally:
                log.close()
        await holding.update_step(step, outcome.status, error=outcome.error, exit_code=outcome.exit_code)
        return outcome

    async def _command(self, holding: Holding, variables: Mapping[str, str], log: StepLog) -> Outcome:
        program = self._program[0]
        inherited = {name: value for name, value in os.environ.items() if name not in _OURS}
        try:
            async with logged(log, self._program, {**inherited, **variables}, echo=_echo) as group:
                code = await holding.unless_stopped(group.wait())
                # What it left behind, too.
                await group.end()
                if code is None:
                    return Outcome(*holding.why_stopped, exit_code=await group.wait() or 1)
        except (OSError, ValueError) as error:
            not_found = isinstance(error, FileNotFoundError)
            words = f"{program} could not be started: {error}"
            return Outcome("error", words, _NOT_FOUND if not_found else _NOT_STARTED)
        return Outcome("failure", f"{program}: exit code {code}", code) if code else SUCCESS


async def _echo(data: bytes) -> None:
    # Beside the loop: a terminal that takes nothing more holds up the command, and not the lease.
    await asyncio.to_thread(_put, data)


def _put(data: bytes) -> None:
    # A deployment goes on where nobody reads along any more.
    with contextlib.suppress(OSError):
        while data:
            data = data[os.write(sys.stdout.fileno(), data) :]
