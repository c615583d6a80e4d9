"""BuildService."""

import functools

from shiplift.v1 import builds_pb2 as pb
from shiplift.v1.builds_pb2_grpc import BuildServiceServicer

from shipliftd import builds, messages, pages, promotions, recording, reports
from shipliftd.guard import CALLER, Caller
from shipliftd.parameters import ParameterRules
from shipliftd.services import Context, resource
from shipliftd.store import Store

_REMEMBERED = 256


class BuildService(BuildServiceServicer):
    """Records builds and promotes them; see `builds.proto`."""

    def __init__(self, store: Store, rules: ParameterRules) -> None:
        self._store = store
        self._rules = rules
        # Deployers and people ask for the same build until it has ended. The rows are the key, so what is
        # remembered is never out of date.
        self._message = functools.lru_cache(_REMEMBERED)(messages.build)

    async def PromoteBuild(self, request: pb.PromoteRequest, context: Context) -> pb.Build:
        """Promotes a build to an environment."""
        written = await self._store.write(promotions.promote, CALLER.get(), request, self._rules)
        return messages.build(resource(written, context))

    async def CreateBuild(self, request: pb.CreateBuildRequest, context: Context) -> pb.Build:
        """Records a build that a CI system made."""
        written = await self._store.write(recording.create, CALLER.get(), request, self._rules)
        return messages.build(resource(written, context))

    async def UpdateBuild(self, request: pb.UpdateBuildRequest, context: Context) -> pb.Build:
        """Reports how a build goes on."""
        written = await self._store.write(reports.update, CALLER.get(), request)
        return messages.build(resource(written, context))

    async def GetBuild(self, request: pb.GetBuildRequest, context: Context) -> pb.Build:
        """Returns one build with its parameters and stages."""
        return self._message(builds.get(self._store.reader, CALLER.get(), request))

    async def ListBuilds(self, request: pb.ListBuildsRequest, context: Context) -> pb.ListBuildsResponse:
        """Lists a repository's builds, highest number first."""
        return await self._store.listing(_page, CALLER.get(), request)


def _page(caller: Caller, request: pb.ListBuildsRequest) -> pb.ListBuildsResponse:
    rows, then = builds.page(caller, request)
    page, token = pages.fill(
        request,
        pages.size(request.page_size),
        rows,
        lambda row: messages.listed_build(row, caller.owner, caller.repo),
        lambda row: [row.number],
        then,
    )
    return pb.ListBuildsResponse(builds=page, next_page_token=token)
