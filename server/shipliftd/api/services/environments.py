"""EnvironmentService."""

from shiplift.v1 import environments_pb2 as pb
from shiplift.v1.environments_pb2_grpc import EnvironmentServiceServicer

from shipliftd.access.callers import CALLER, Caller
from shipliftd.api import messages
from shipliftd.api.services import Context, resource
from shipliftd.api.services.runs import Runs
from shipliftd.environments import deployments
from shipliftd.stages.known_runners import Roster
from shipliftd.store import Store, pages
from shipliftd.store.rows import BuildWithStages, Standing
from shipliftd.store.transaction import Reader


class EnvironmentService(EnvironmentServiceServicer):
    """What is where; see `environments.proto`."""

    def __init__(self, store: Store, runs: Runs) -> None:
        self._store = store
        self._runs = runs

    async def ListDeployments(
        self, request: pb.ListDeploymentsRequest, context: Context
    ) -> pb.ListDeploymentsResponse:
        """Lists what is in each environment."""

        def read(reader: Reader, caller: Caller, roster: Roster) -> pb.ListDeploymentsResponse:
            rows, then = deployments.page(reader, caller, request)
            page, token = pages.fill(
                reader,
                request,
                pages.size(request.page_size),
                rows,
                lambda row: _message(row, roster),
                deployments.key_of,
                then,
            )
            return pb.ListDeploymentsResponse(deployments=page, next_page_token=token)

        return await self._store.listing(read, CALLER.get(), self._runs.dispatcher.known.copy())

    async def SettleEnvironment(
        self, request: pb.SettleEnvironmentRequest, context: Context
    ) -> pb.Deployment:
        """Says what is in an environment."""
        written = await self._store.write(deployments.settle, CALLER.get(), request)
        return _message(resource(written, context), self._runs.dispatcher.known)

    async def GetDeployment(self, request: pb.GetDeploymentRequest, context: Context) -> pb.Deployment:
        """Returns what is in one environment."""
        row = await self._store.listing(deployments.get, CALLER.get(), request)
        return _message(row, self._runs.dispatcher.known)


def _message(row: Standing, roster: Roster) -> pb.Deployment:
    """An environment, and what a promotion to it waits for."""
    message = messages.deployment(row)
    if row.in_flight is not None:
        whole = BuildWithStages(row.in_flight, row.owner, row.repo, row.stages)
        if waiting_for := roster.waiting_for(whole):
            message.in_flight.waiting_for = waiting_for
    return message
