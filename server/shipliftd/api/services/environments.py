"""EnvironmentService."""

from shiplift.v1 import environments_pb2 as pb
from shiplift.v1.environments_pb2_grpc import EnvironmentServiceServicer

from shipliftd.access.callers import CALLER, Caller
from shipliftd.api import environment_messages as to
from shipliftd.api.services import Context, resource
from shipliftd.api.services.runs import Runs
from shipliftd.builds.parameters import ParameterRules
from shipliftd.environments import declaring, delivery, deployments, history, holding, rehearsing
from shipliftd.stages.known_runners import Roster
from shipliftd.store import Store, pages
from shipliftd.store.transaction import Reader


class EnvironmentService(EnvironmentServiceServicer):
    """What is where; see `environments.proto`."""

    def __init__(self, store: Store, rules: ParameterRules, runs: Runs) -> None:
        self._store = store
        self._refuses = rules.refuses
        self._runs = runs

    async def CreateEnvironment(
        self, request: pb.CreateEnvironmentRequest, context: Context
    ) -> pb.Environment:
        """Declares an environment."""
        written = await self._store.write(declaring.create, CALLER.get(), request, self._refuses)
        return to.environment(resource(written, context))

    async def GetEnvironment(self, request: pb.GetEnvironmentRequest, context: Context) -> pb.Environment:
        """Returns an environment with its rules."""
        return to.environment(await self._store.listing(declaring.get, CALLER.get(), request))

    async def ListEnvironments(
        self, request: pb.ListEnvironmentsRequest, context: Context
    ) -> pb.ListEnvironmentsResponse:
        """Lists the environments that a repository declares."""

        def read(reader: Reader, caller: Caller) -> pb.ListEnvironmentsResponse:
            page, token = pages.fill(
                reader,
                request,
                declaring.page_size(request),
                declaring.page(reader, caller, request),
                to.environment,
                declaring.key_of,
            )
            return pb.ListEnvironmentsResponse(environments=page, next_page_token=token)

        return await self._store.listing(read, CALLER.get())

    async def UpdateEnvironment(
        self, request: pb.UpdateEnvironmentRequest, context: Context
    ) -> pb.Environment:
        """Changes an environment."""
        written = await self._store.write(declaring.update, CALLER.get(), request, self._refuses)
        return to.environment(resource(written, context))

    async def DeleteEnvironment(
        self, request: pb.DeleteEnvironmentRequest, context: Context
    ) -> pb.Environment:
        """Takes the declaration of an environment back."""
        written = await self._store.write(declaring.delete, CALLER.get(), request)
        return to.environment(resource(written, context))

    async def HoldEnvironment(self, request: pb.HoldEnvironmentRequest, context: Context) -> pb.Hold:
        """Stops promotions to an environment."""
        written = await self._store.write(holding.hold, CALLER.get(), request)
        return to.hold(resource(written, context))

    async def ResumeEnvironment(self, request: pb.ResumeEnvironmentRequest, context: Context) -> pb.Hold:
        """Takes a hold back."""
        written = await self._store.write(holding.resume, CALLER.get(), request)
        return to.hold(resource(written, context))

    async def GetOwnerRules(self, request: pb.GetOwnerRulesRequest, context: Context) -> pb.OwnerRules:
        """Returns the rules of all repositories of an owner."""
        return to.owner_rules(await self._store.listing(declaring.owner_rules, CALLER.get(), request))

    async def UpdateOwnerRules(
        self, request: pb.UpdateOwnerRulesRequest, context: Context
    ) -> pb.OwnerRules:
        """Changes the rules of all repositories of an owner."""
        written = await self._store.write(declaring.update_owner_rules, CALLER.get(), request)
        return to.owner_rules(resource(written, context))

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
                lambda row: to.deployment(row, roster.waiting_for),
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
        return to.deployment(resource(written, context), self._runs.dispatcher.known.waiting_for)

    async def GetDeployment(self, request: pb.GetDeploymentRequest, context: Context) -> pb.Deployment:
        """Returns what is in one environment."""
        row = await self._store.listing(deployments.get, CALLER.get(), request)
        return to.deployment(row, self._runs.dispatcher.known.waiting_for)

    async def RehearsePolicy(
        self, request: pb.RehearsePolicyRequest, context: Context
    ) -> pb.RehearsePolicyResponse:
        """Says what other rules would have said of the last promotions."""
        caller = CALLER.get()
        found = await self._store.listing(rehearsing.rehearse, caller, request, self._refuses)
        return to.rehearsal(found, caller.owner, caller.repo, request.environment.name)

    async def ListDeploymentHistory(
        self, request: pb.ListDeploymentHistoryRequest, context: Context
    ) -> pb.ListDeploymentHistoryResponse:
        """Lists what came into an environment."""

        def read(reader: Reader, caller: Caller) -> pb.ListDeploymentHistoryResponse:
            page, token = pages.fill(
                reader,
                request,
                pages.size(request.page_size),
                history.page(reader, caller, request),
                to.arrival,
                history.key_of,
            )
            return pb.ListDeploymentHistoryResponse(arrivals=page, next_page_token=token)

        return await self._store.listing(read, CALLER.get())

    async def GetDeliveryFigures(
        self, request: pb.GetDeliveryFiguresRequest, context: Context
    ) -> pb.DeliveryFigures:
        """Says how well an environment is delivered to."""
        return to.delivery(await self._store.listing(delivery.get, CALLER.get(), request))
