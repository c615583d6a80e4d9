"""The API's services, as their descriptors tell of them."""

from pathlib import Path

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from shiplift.v1 import access_pb2, builds_pb2, environments_pb2, secrets_pb2, server_pb2, stages_pb2

SERVICES: tuple[ServiceDescriptor, ...] = (
    builds_pb2.DESCRIPTOR.services_by_name["BuildService"],
    access_pb2.DESCRIPTOR.services_by_name["AccessService"],
    environments_pb2.DESCRIPTOR.services_by_name["EnvironmentService"],
    stages_pb2.DESCRIPTOR.services_by_name["StageService"],
    secrets_pb2.DESCRIPTOR.services_by_name["SecretService"],
    server_pb2.DESCRIPTOR.services_by_name["ServerService"],
)
MOST_REQUEST = 4 * 1024 * 1024
# Rpcs that answer once something has come, or a good while later: they are like streams to their callers.
WAITING = frozenset({"AcquireStage", "WaitBuild"})


def descriptor_set() -> bytes:
    """The API's files and what they import, as protoc wrote them: a FileDescriptorSet with comments."""
    return Path(builds_pb2.__file__).with_name("descriptor.binpb").read_bytes()


def path_of(method: MethodDescriptor) -> str:
    """What an rpc is called on the wire: `/shiplift.v1.BuildService/PromoteBuild`."""
    return f"/{method.containing_service.full_name}/{method.name}"


def writes(method: MethodDescriptor) -> bool:
    """Whether the rpc changes something: those that do take a request_id."""
    # To explain a write takes the request that the write would.
    return "request_id" in method.input_type.fields_by_name and not only_reads(method)


def only_reads(method: MethodDescriptor) -> bool:
    """Whether the rpc says of itself that it changes nothing, so that it may be asked for by GET."""
    level: int = method.GetOptions().idempotency_level
    return level == MethodOptions.NO_SIDE_EFFECTS
