"""EnvironmentService."""

from shiplift.v1 import environments_pb2 as pb
from shiplift.v1.environments_pb2_grpc import EnvironmentServiceServicer

from shipliftd import environments, messages, pages
from shipliftd.guard import CALLER, Caller
from shipliftd.services import Context, resource
from shipliftd.store import Store


class EnvironmentService(EnvironmentServiceServicer):
    """What is where; see `environments.proto`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def ListDeployments(
        self, request: pb.ListDeploymentsRequest, context: Context
    ) -> pb.ListDeploymentsResponse:
        """Lists what is in each environment."""

        def read(caller: Caller) -> pb.ListDeploymentsResponse:
            page, token = pages.fill(
                request,
                pages.size(request.page_size),
                environments.page(caller, request),
                messages.deployment,
                environments.key_of,
            )
            return pb.ListDeploymentsResponse(deployments=page, next_page_token=token)

        return await self._store.listing(read, CALLER.get())

    async def SettleEnvironment(
        self, request: pb.SettleEnvironmentRequest, context: Context
    ) -> pb.Deployment:
        """Says what is in an environment."""
        written = await self._store.write(environments.settle, CALLER.get(), request)
        return messages.deployment(resource(written, context))

    async def GetDeployment(self, request: pb.GetDeploymentRequest, context: Context) -> pb.Deployment:
        """Returns what is in one environment."""
        return messages.deployment(await self._store.listing(environments.get, CALLER.get(), request))
