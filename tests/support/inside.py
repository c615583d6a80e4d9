"""The server's own interceptor, store and AccessService in this process, for tests that add an rpc."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import grpc.aio
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import ServiceDescriptor
from shiplift.v1 import access_pb2 as pb
from shiplift.v1 import access_pb2_grpc
from shipliftd import first_start
from shipliftd.api.interceptors import Interceptor
from shipliftd.api.services.access import AccessService
from shipliftd.descriptors import SERVICES
from shipliftd.settings import Limits
from shipliftd.store import Store, open_store

from tests.support import postgres
from tests.support.patience import SECONDS

Metadata = tuple[tuple[str, str], ...]


@dataclass
class Inside:
    """A server that shares the test's event loop."""

    path: Path
    store: Store
    interceptor: Interceptor
    channel: grpc.aio.Channel
    admin: Metadata

    async def call(self, rpc: str, request: object, metadata: Metadata | None = None) -> object:
        """An rpc of AccessService, by the admin unless told otherwise."""
        stub = access_pb2_grpc.AccessServiceStub(self.channel)
        return await getattr(stub, rpc)(
            request, metadata=self.admin if metadata is None else metadata, timeout=SECONDS
        )

    async def token(self, login: str, **cuts: object) -> tuple[Metadata, int]:
        """A new user's token as metadata, and its id."""
        await self.call("CreateUser", pb.CreateUserRequest(login=login))
        request = pb.CreateTokenRequest(login=login, **cuts)  # type: ignore[arg-type]
        made = await self.call("CreateToken", request)
        assert isinstance(made, pb.Token)
        return bearer(made.secret), made.id


def bearer(secret: str) -> Metadata:
    """The metadata that shows a token."""
    return (("authorization", f"Bearer {secret}"),)


@asynccontextmanager
async def inside(
    path: Path,
    services: Sequence[ServiceDescriptor] = (),
    handlers: Sequence[grpc.GenericRpcHandler] = (),
) -> AsyncIterator[Inside]:
    """Serves AccessService and these handlers from a new store."""
    store = open_store(postgres.url_of(path) if postgres.is_in_use() else path)
    await store.start()
    store.token_file = path.with_name("admin-token")
    await first_start.first_start(store)
    interceptor = Interceptor(store, [*SERVICES, *services], Limits())
    server = grpc.aio.server(interceptors=[interceptor])
    access_pb2_grpc.add_AccessServiceServicer_to_server(AccessService(store), server)
    server.add_generic_rpc_handlers(tuple(handlers))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    secret = store.token_file.read_text().strip()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Inside(path, store, interceptor, channel, bearer(secret))
    finally:
        await server.stop(None)
        await store.drain()
        store.close()


def service(name: str, say: Callable[[descriptor_pb2.MethodDescriptorProto], None]) -> ServiceDescriptor:
    """A service with one streaming rpc `Watch`, of which `say` completes the description."""
    file = descriptor_pb2.FileDescriptorProto(
        name=f"tests/{name}.proto",
        package="shiplift.tests",
        syntax="proto3",
        dependency=["shiplift/v1/builds.proto", "shiplift/v1/access.proto"],
    )
    method = file.service.add(name=name).method.add(
        name="Watch",
        input_type=".shiplift.v1.GetBuildRequest",
        output_type=".shiplift.v1.Build",
        server_streaming=True,
    )
    say(method)
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
    return descriptor_pool.Default().FindServiceByName(f"shiplift.tests.{name}")
