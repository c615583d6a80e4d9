"""The steps of a stage: each one when its time has come, in a shell of its own."""

import asyncio
from collections.abc import Coroutine, Mapping
from typing import NamedTuple

from shiplift._methods import BuildStatusWord
from shiplift.runner import place as places
from shiplift.runner.holding import Holding
from shiplift.runner.logged import logged
from shiplift.runner.output import StepLog
from shiplift.runner.processes import Group
from shiplift.runner.waiting import first
from shiplift.v1 import builds_pb2 as pb
from shiplift.v1 import stages_pb2


class Outcome(NamedTuple):
    """How a step or a stage ended."""

    status: BuildStatusWord
    error: str = ""
    exit_code: int = 0


SUCCESS = Outcome("success")


class StageRun:
    """One stage that is held, from its first report to its last."""

    def __init__(
        self,
        holding: Holding,
        lease: stages_pb2.StageLease,
        *,
        path: str = places.DEFAULT_PATH,
        longest: float | None = None,
    ) -> None:
        """Prepares the run.

        Args:
            holding: The stage's lease.
            lease: What is to be done.
            path: The steps' PATH.
            longest: How many seconds it may take, if that is less than the repository's timeout.
        """
        self._holding = holding
        self._lease = lease
        self._plan = lease.plan
        self._secrets = {secret.name: secret.value for secret in lease.secrets}
        self._path = path
        self._longest = longest
        self._ids: dict[int, int] = {}
        self._started = 0
        self._passed = {step.name: asyncio.Event() for step in self._plan.steps}
        self._over = asyncio.Event()
        self._failed: Outcome | None = None
        self._failed_steps: list[str] = []

    async def run(self) -> Outcome:
        """Does the steps, and reports; how the stage ended."""
        timer = self._timer()
        try:
            outcome = await self._outcome()
        finally:
            if timer is not None:
                timer.cancel()
        await self._holding.finish(outcome.status, outcome.error, outcome.exit_code)
        return outcome

    def _timer(self) -> asyncio.TimerHandle | None:
        most = self._lease.repository.timeout.ToSeconds()
        limits = [
            *([(float(most), f"the repository's timeout of {most // 60} minutes")] if most else []),
            *([(self._longest, f"the runner's limit of {self._longest:g} s")] if self._longest else []),
        ]
        if not limits:
            return None
        seconds, words = min(limits)
        loop = asyncio.get_running_loop()
        return loop.call_later(seconds, self._holding.stop, "error", f"it took longer than {words}")

    async def _outcome(self) -> Outcome:
        try:
            self._place = await asyncio.to_thread(places.Place, self._plan.workspace)
        except (OSError, ValueError) as error:
            return Outcome("error", f"no folder to work in: {error}")
        try:
            await self._all_steps()
        finally:
            await asyncio.to_thread(self._place.remove)
        if self._holding.stopped is not None:
            return Outcome(*self._holding.stopped)
        return self._failed or SUCCESS

    async def _all_steps(self) -> None:
        stage = await self._holding.update_stage("running", steps=[_pending(s) for s in self._plan.steps])
        if stage is None:
            self._holding.stop("error", "the server does not take the report that it runs")
        if stage is None or self._holding.stopped is not None:
            return
        self._ids = {step.number: step.id for step in stage.steps}
        self._started = stage.started.seconds
        async with asyncio.TaskGroup() as detached:
            async with asyncio.TaskGroup() as group:
                for step in self._plan.steps:
                    (detached if step.detached else group).create_task(self._step(step))
            self._over.set()

    async def _step(self, step: stages_pb2.PlanStep) -> None:
        passed = self._passed[step.name]
        try:
            for name in step.depends_on:
                if name in self._passed:
                    await self._passed[name].wait()
            if self._is_wanted(step):
                outcome = await self._wanted_step(step)
            else:
                outcome = Outcome("skipped")
            if outcome.status in ("failure", "error") and not (step.errignore or step.detached):
                self._failed_steps.append(step.name)
                words = outcome.error or f"exit code {outcome.exit_code}"
                found = Outcome(outcome.status, f"step {step.name}: {words}", outcome.exit_code)
                self._failed = self._failed or found
            await self._holding.update_step(
                self._ids[step.number], outcome.status, error=outcome.error, exit_code=outcome.exit_code
            )
        finally:
            passed.set()

    def _is_wanted(self, step: stages_pb2.PlanStep) -> bool:
        if self._holding.stopped is not None:
            return False
        return step.on_failure if self._failed else step.on_success

    async def _wanted_step(self, step: stages_pb2.PlanStep) -> Outcome:
        await self._holding.update_step(self._ids[step.number], "running")
        if step.detached:
            self._passed[step.name].set()
        if missing := set(step.secrets.values()) - self._secrets.keys():
            names = ", ".join(map(repr, sorted(missing)))
            return Outcome("error", f"it wants the secret {names}, and the server has not given it")
        if not step.commands:
            return SUCCESS
        log = StepLog(self._holding, self._ids[step.number])
        async with asyncio.TaskGroup() as group:
            group.create_task(log.send())
            try:
                return await self._commands(step, log)
            except (OSError, ValueError) as error:
                return Outcome("error", f"it could not be started: {error}")
            finally:
                log.close()

    async def _commands(self, step: stages_pb2.PlanStep, log: StepLog) -> Outcome:
        script = await asyncio.to_thread(self._place.script, step.number, step.commands)
        async with logged(
            log,
            places.shell(step.shell, script),
            self._environment(step),
            directory=self._place.workspace,
            stdin=asyncio.subprocess.DEVNULL,
        ) as group:
            return await self._ended(step, group)

    def _environment(self, step: stages_pb2.PlanStep) -> Mapping[str, str]:
        common = self._plan.environment
        now = places.as_it_stands(common, self._started, self._failed_steps)
        secrets = {variable: self._secrets[name] for variable, name in step.secrets.items()}
        return {**self._place.environment(self._path), **common, **now, **step.environment, **secrets}

    async def _ended(self, step: stages_pb2.PlanStep, group: Group) -> Outcome:
        waiting = group.wait()
        if step.detached:
            # One that runs to the stage's end has done what it is there for.
            waiting = self._until_over(waiting)
        code = await self._holding.unless_stopped(waiting)
        if code is not None:
            return Outcome("failure", exit_code=code) if code else SUCCESS
        await group.end()
        return Outcome("killed", self._holding.why_stopped.words, await group.wait())

    async def _until_over(self, waiting: Coroutine[None, None, int]) -> int:
        return await first(waiting, self._over) or 0


def _pending(step: stages_pb2.PlanStep) -> stages_pb2.StepReport:
    return stages_pb2.StepReport(
        number=step.number,
        name=step.name,
        status=pb.BUILD_STATUS_PENDING,
        errignore=step.errignore,
        depends_on=step.depends_on,
        image=step.image,
        detached=step.detached,
    )
