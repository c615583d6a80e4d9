"""BuildService."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Iterator
from operator import itemgetter

from shiplift.v1 import builds_pb2 as pb
from shiplift.v1.builds_pb2_grpc import BuildServiceServicer

from shipliftd import builds, pipelines
from shipliftd.access.callers import CALLER, Caller
from shipliftd.api import messages
from shipliftd.api.calls import traceparent_of
from shipliftd.api.listed import ListedBuilds
from shipliftd.api.report_masking import ReportMasking
from shipliftd.api.services import Context, patience, resource
from shipliftd.api.services.runs import Runs
from shipliftd.api.services.watching import Watching
from shipliftd.builds import approvals, diffing, endings, listing, promotions, recording, reports, rollbacks
from shipliftd.builds.parameters import ParameterRules
from shipliftd.errors import Invalid
from shipliftd.fields import Faults
from shipliftd.pipelines import documents
from shipliftd.stages import step_logs
from shipliftd.stages.known_runners import Roster
from shipliftd.stages.wake_ups import within
from shipliftd.store import Store, pages
from shipliftd.store.rows import BuildRow, BuildWithStages
from shipliftd.store.transaction import Reader

_REMEMBERED = 256
# A change that no wake told of, such as another process's, is seen so late.
_LOOK_SECONDS = 5.0


class BuildService(BuildServiceServicer):
    """Records builds and promotes them; see `builds.proto`."""

    def __init__(self, store: Store, rules: ParameterRules, runs: Runs, masking: ReportMasking) -> None:
        self._store = store
        self._rules = rules
        self._runs = runs
        self._masking = masking
        # Deployers and people ask for the same build until it has ended. The rows are the key, so what is
        # remembered is never out of date.
        self._message = functools.lru_cache(_REMEMBERED)(messages.build)
        self._listed = ListedBuilds()

    async def PromoteBuild(self, request: pb.PromoteRequest, context: Context) -> pb.Build:
        """Promotes a build to an environment."""
        written = await self._store.write(
            promotions.promote, CALLER.get(), request, self._rules, traceparent_of(context)
        )
        return self._message_of(resource(written, context))

    async def CreateBuild(self, request: pb.CreateBuildRequest, context: Context) -> pb.Build:
        """Records a build that a CI system made."""
        parsed = await _parsed(request)
        written = await self._store.write(
            recording.create, CALLER.get(), request, self._rules, parsed, traceparent_of(context)
        )
        return self._message_of(resource(written, context))

    async def UpdateBuild(self, request: pb.UpdateBuildRequest, context: Context) -> pb.Build:
        """Reports how a build goes on."""
        await self._masking.build(CALLER.get(), request)
        written = await self._store.write(reports.update, CALLER.get(), request)
        return self._message_of(resource(written, context))

    async def RetryBuild(self, request: pb.RetryBuildRequest, context: Context) -> pb.Build:
        """Starts a build again."""
        written = await self._store.write(
            promotions.retry, CALLER.get(), request, self._rules, traceparent_of(context)
        )
        return self._message_of(resource(written, context))

    async def RollbackBuild(self, request: pb.RollbackRequest, context: Context) -> pb.Build:
        """Puts back what was in an environment before."""
        written = await self._store.write(
            rollbacks.roll_back, CALLER.get(), request, self._rules, traceparent_of(context)
        )
        return self._message_of(resource(written, context))

    async def ExplainPromotion(
        self, request: pb.PromoteRequest, context: Context
    ) -> pb.ExplainPromotionResponse:
        """Says what the gates say of a promotion."""
        caller = CALLER.get()
        decision = await self._store.write(promotions.explain, caller, request, self._rules)
        # Until they are stored they have the ids of those that they are made of.
        stages = tuple(stage._replace(id=0, build_id=0) for stage in decision.stages)
        whole = BuildWithStages(decision.build, caller.owner, caller.repo, stages)
        diff = await self._store.listing(diffing.diff, decision.build)
        return pb.ExplainPromotionResponse(
            verdicts=map(messages.verdict, decision.verdicts),
            build=messages.build(whole),
            diff=messages.diff(diff, caller.owner, caller.repo),
        )

    async def ApproveBuild(self, request: pb.ApproveBuildRequest, context: Context) -> pb.Build:
        """Approves a promotion."""
        written = await self._store.write(approvals.approve, CALLER.get(), request)
        return self._message_of(resource(written, context))

    async def DeclineBuild(self, request: pb.DeclineBuildRequest, context: Context) -> pb.Build:
        """Declines a promotion."""
        written = await self._store.write(approvals.decline, CALLER.get(), request)
        return self._message_of(resource(written, context))

    async def CancelBuild(self, request: pb.CancelBuildRequest, context: Context) -> pb.Build:
        """Stops a build."""
        written = await self._store.write(endings.cancel, CALLER.get(), request)
        return self._message_of(resource(written, context))

    async def GetBuild(self, request: pb.GetBuildRequest, context: Context) -> pb.Build:
        """Returns one build with its parameters and stages."""
        caller = CALLER.get()
        if request.view == pb.BUILD_VIEW_BASIC:
            row = await self._store.read(builds.get_basic, caller, request)
            return messages.listed_build(row, caller.owner, caller.repo)
        return await self._standing(caller, request)

    async def ListBuilds(self, request: pb.ListBuildsRequest, context: Context) -> pb.ListBuildsResponse:
        """Lists builds, newest first."""
        if listing.is_short(request):
            return await self._store.read(_newest, CALLER.get(), request, self._listed)
        roster = self._runs.dispatcher.known.copy() if request.view == pb.BUILD_VIEW_FULL else None
        return await self._store.listing(_page, CALLER.get(), request, roster)

    async def TailLog(
        self, request: pb.TailLogRequest, context: Context
    ) -> AsyncIterator[pb.TailLogResponse]:
        """Reads the logs of steps, and follows them."""
        step_logs.check(request)
        caller, store = CALLER.get(), self._store
        build_id = (await store.listing(step_logs.look, caller, request)).build_id
        positions: dict[int, int] = {}
        while True:
            event = self._runs.wake_ups.event("log", build_id)
            logs = await store.listing(step_logs.look, caller, request)
            is_new = False
            for number, step in logs.steps:
                position = positions.get(step.id, request.position)
                # What comes meanwhile is for the next look: one that always grows keeps no other back.
                while position < step.log_lines and (
                    lines := await store.listing(step_logs.read, step, position, following=request.follow)
                ):
                    is_new, position = True, lines[-1][0] + 1
                    positions[step.id] = position
                    yield messages.log_lines(number, step.number, lines)
            if is_new:
                continue
            if logs.have_ended or not request.follow:
                return
            await within(event, _LOOK_SECONDS)

    async def WaitBuild(self, request: pb.WaitBuildRequest, context: Context) -> pb.Build:
        """Waits for a build to move."""
        caller, loop = CALLER.get(), asyncio.get_running_loop()
        until = loop.time() + patience(context)
        build_id = await self._store.read(builds.awaited, caller, request)
        while True:
            event = self._runs.wake_ups.event("build", build_id)
            left = until - loop.time()
            if left <= 0 or self._runs.is_ending:
                break
            # After there is an event: what moves from now on sets it.
            if await self._store.read(builds.has_news, build_id, request.seen_version):
                break
            await within(event, min(left, _LOOK_SECONDS))
        return await self._standing(caller, request)

    async def WatchBuilds(
        self, request: pb.WatchBuildsRequest, context: Context
    ) -> AsyncIterator[pb.WatchBuildsResponse]:
        """Tells of builds as they move."""
        async with contextlib.aclosing(Watching(self._store, self._runs).responses(request)) as responses:
            async for response in responses:
                yield response

    async def DiffPromotion(self, request: pb.PromoteRequest, context: Context) -> pb.DiffPromotionResponse:
        """Says what a promotion would change."""
        caller = CALLER.get()
        if request.target:
            build = (await self._store.write(promotions.explain, caller, request, self._rules)).build
        else:
            build = await self._store.listing(diffing.promoted, caller, request)
        diff = await self._store.listing(diffing.diff, build)
        return messages.diff(diff, caller.owner, caller.repo)

    async def _standing(
        self, caller: Caller, request: pb.GetBuildRequest | pb.WaitBuildRequest
    ) -> pb.Build:
        """A build as it stands."""
        whole = await self._store.read(builds.get, caller, request)
        return self._message(whole, self._runs.dispatcher.known.waiting_for(whole))

    def _message_of(self, whole: BuildWithStages) -> pb.Build:
        return messages.build(whole, self._runs.dispatcher.known.waiting_for(whole))


async def _parsed(request: pb.CreateBuildRequest) -> pipelines.Pipelines | None:
    """What the request's pipeline file says, read before the transaction and beside the loop."""
    if not request.pipeline:
        return None
    faults = Faults()
    faults.long_text("pipeline", request.pipeline, documents.MOST_BYTES)
    faults.refuse()
    try:
        return await asyncio.to_thread(pipelines.parse, request.pipeline)
    except Invalid as error:
        raise Invalid(error.violations) from None


def _newest(
    reader: Reader, caller: Caller, request: pb.ListBuildsRequest, listed: ListedBuilds
) -> pb.ListBuildsResponse:
    names = caller.owner, caller.repo
    made = listed.known(listing.newest_versions(reader, caller, request), *names)
    if made is None:
        made = [listed.made(row, *names) for row in listing.newest(reader, caller, request)]
    page, token = pages.fill(
        reader,
        request,
        pages.size(request.page_size),
        made,
        itemgetter(1),
        lambda each: [each[0]],
        size_of=len,
    )
    response = pb.ListBuildsResponse.FromString(b"".join(page))
    response.next_page_token = token
    return response


def _page(
    reader: Reader, caller: Caller, request: pb.ListBuildsRequest, roster: Roster | None
) -> pb.ListBuildsResponse:
    """A page of builds, whole where there is a roster of the runners that they may wait for."""
    rows, then = listing.page(reader, caller, request)
    names = listing.named(reader, caller)
    if roster is None:
        return _filled(
            reader, caller, request, ((row, messages.listed_build(row, *names(row))) for row in rows), then
        )
    found = listing.whole(reader, rows, names)
    made = ((whole.build, messages.build(whole, roster.waiting_for(whole))) for whole in found)
    return _filled(reader, caller, request, made, then)


def _filled(
    reader: Reader,
    caller: Caller,
    request: pb.ListBuildsRequest,
    made: Iterator[tuple[BuildRow, pb.Build]],
    then: pages.Key | None = None,
) -> pb.ListBuildsResponse:
    page, token = pages.fill(
        reader,
        request,
        pages.size(request.page_size),
        made,
        lambda each: each[1],
        lambda each: [each[0].number if caller.repo_id else each[0].id],
        then,
    )
    return pb.ListBuildsResponse(builds=page, next_page_token=token)
