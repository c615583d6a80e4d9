"""StageService."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar
from urllib.parse import urlsplit

from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as builds_api
from shiplift.v1 import stages_pb2 as pb
from shiplift.v1.stages_pb2_grpc import StageServiceServicer

from shipliftd import __version__
from shipliftd.access.callers import CALLER
from shipliftd.api import messages
from shipliftd.api.lease_plans import LeasePlans
from shipliftd.api.report_masking import ReportMasking
from shipliftd.api.services import MOST_WAIT_SECONDS, Context, patience, resource
from shipliftd.api.services.runs import Runs
from shipliftd.enum_words import STATUS_OF
from shipliftd.errors import Aborted, Invalid
from shipliftd.fields import Faults
from shipliftd.logins import Logins
from shipliftd.pipelines import plans
from shipliftd.secrets.keys import Keyring
from shipliftd.stages import accepting, holders, known_runners, leases, step_logs
from shipliftd.stages.leases import Leased, Work
from shipliftd.stages.wake_ups import within
from shipliftd.store import Store, pages
from shipliftd.store.models import ENDED
from shipliftd.store.transaction import Reader

T = TypeVar("T")

_KEEP_SECONDS = 15.0


class StageService(StageServiceServicer):
    """Runners and deployers; see `stages.proto`. `link` is what links to this server begin with, if any."""

    def __init__(self, store: Store, runs: Runs, logins: Logins, link: str, keyring: Keyring) -> None:
        self._store = store
        self._logins = logins
        self._runs = runs
        url = urlsplit(link or "http://localhost")
        # Drone has the host twice, with its port.
        system = plans.SystemFacts(
            proto=url.scheme, host=url.netloc, hostname=url.netloc, version=__version__, link=link
        )
        self._plans = LeasePlans(system, keyring)
        self.masking = ReportMasking(store, self._plans)

    async def AcquireStage(
        self, request: pb.AcquireStageRequest, context: Context
    ) -> pb.AcquireStageResponse:
        """Waits for a stage to do, and offers it."""
        seconds = min(MOST_WAIT_SECONDS, patience(context))
        stage = await self._runs.dispatcher.acquire(CALLER.get(), request, seconds)
        return pb.AcquireStageResponse(offer=None if stage is None else messages.stage(stage))

    async def AcceptStage(self, request: pb.AcceptStageRequest, context: Context) -> pb.StageLease:
        """Claims a stage."""
        written = await self._store.write(accepting.accept, CALLER.get(), request, self._plans.within)
        leased = resource(written, context)
        if isinstance(leased.work, Invalid):
            raise _impossible(leased, leased.work)
        # A repeat can come with another token of theirs, and after the end.
        is_held = leased.stage.lease_token_id == CALLER.get().token_id and leased.stage.status not in ENDED
        return await self._lease(leased if is_held else leased.without_secrets(), leased.secret, is_held)

    async def GetLease(self, request: pb.GetLeaseRequest, context: Context) -> pb.StageLease:
        """Returns the caller's lease."""
        leased, is_kept = await self._store.read(leases.lease, CALLER.get(), request)
        if not is_kept:
            leased = await self._store.write(leases.keep_lease, CALLER.get(), request)
        is_held = leased.stage.status not in ENDED
        if not is_held:
            leased = leased.without_secrets()
        lease = await self._lease(leased, request.lease_token, is_held)
        if request.resolve_pipeline:
            lease.resolved_pipeline = await self._possible(leased, request.lease_token, self._plans.file)
            if lease.resolved_pipeline:
                lease.ClearField("pipeline")
        return lease

    async def UpdateStage(self, request: pb.UpdateStageRequest, context: Context) -> builds_api.Stage:
        """Reports how a stage goes on."""
        await self.masking.stage(request)
        stage, steps = await self._store.write(holders.update_stage, CALLER.get(), request)
        return messages.stage(stage, steps)

    async def UpdateStep(self, request: pb.UpdateStepRequest, context: Context) -> builds_api.Step:
        """Reports how a step goes on."""
        await self.masking.step(request)
        step, _ = await self._store.write(holders.update_step, CALLER.get(), request)
        return messages.step(step)

    async def AppendLog(self, request: pb.AppendLogRequest, context: Context) -> pb.AppendLogResponse:
        """Adds lines to a step's log."""
        await self.masking.log(request)
        position, is_full = await self._store.write(step_logs.append, CALLER.get(), request)
        return pb.AppendLogResponse(next_position=position, full=is_full)

    async def WatchStage(
        self, request: pb.WatchStageRequest, context: Context
    ) -> AsyncIterator[pb.WatchStageResponse]:
        """Tells how a stage, or its build, stands and moves."""
        faults = Faults()
        leases.check_held(request, faults)
        if not request.stage_id and not request.build_id:
            faults.add("stage_id", "is 0: name a stage, or a build with build_id")
        faults.refuse()
        told = ""
        build_id = (await self._look(request)).build_id
        while True:
            event = self._runs.wake_ups.event("build", build_id)
            # After there is an event: what moves from now on sets it.
            seen = await self._look(request)
            has_ended = seen.status in ENDED
            if seen.status != told:
                reason = (seen.error or f"it has ended: {seen.status}") if has_ended else ""
                yield pb.WatchStageResponse(status=STATUS_OF[seen.status], stop=has_ended, reason=reason)
                told = seen.status
            if has_ended:
                return
            await within(event, _KEEP_SECONDS)

    async def ListRunners(self, request: pb.ListRunnersRequest, context: Context) -> pb.ListRunnersResponse:
        """Lists the runners that are known."""
        roster = self._runs.dispatcher.known.copy()

        def read(reader: Reader) -> pb.ListRunnersResponse:
            page, token = pages.fill(
                reader,
                request,
                pages.size(request.page_size),
                roster.page(reader, request),
                messages.runner,
                known_runners.key_of,
            )
            return pb.ListRunnersResponse(runners=page, next_page_token=token)

        return await self._store.listing(read)

    async def _lease(self, leased: Leased, lease_token: str, is_held: bool) -> pb.StageLease:
        work = leased.work
        if not isinstance(work, Work):
            work = await self._possible(leased, lease_token, self._plans.work)
        if is_held:
            # Of what was withheld the holder may report all the same.
            self.masking.gave(leased.id, work)
        # What a deployer does knows its own logins.
        is_pipeline = leased.stage.kind == "pipeline"
        login = self._logins.to_clone(leased.repository.git_http_url) if is_pipeline else None
        return messages.lease(leased, access_pb2.ACCESS_LEVEL_WRITE, work, login)

    async def _possible(
        self, leased: Leased, lease_token: str, make: Callable[[Leased], Awaitable[T]]
    ) -> T:
        """What is made of a lease that was read; without it the stage ends. Raises Aborted."""
        try:
            return await make(leased)
        except Invalid as error:
            report = pb.UpdateStageRequest(
                stage_id=leased.id,
                lease_token=lease_token,
                status=builds_api.BUILD_STATUS_ERROR,
                error=str(error),
            )
            await self._store.write(holders.update_stage, CALLER.get(), report)
            raise _impossible(leased, error) from None

    async def _look(self, request: pb.WatchStageRequest) -> leases.Watched:
        caller = CALLER.get()
        seen = await self._store.read(leases.watched, caller, request)
        # Looked at often, and stored seldom.
        return seen if seen.is_kept else await self._store.write(leases.keep_watched, caller, request)


def _impossible(leased: Leased, error: Invalid) -> Aborted:
    return Aborted(
        f"stage {leased.id} cannot be done: {error}",
        reason="NO_PLAN",
        violations=error.violations,
        metadata={"stage_id": leased.id, "stage": leased.stage.name},
    )
