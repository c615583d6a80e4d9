"""Every rpc of Shiplift as the descriptors tell of it, so that no test misses a new one."""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any, cast

import grpc
import shiplift.v1
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from google.protobuf.message import Message
from shiplift.v1 import access_pb2


def services() -> Iterator[ServiceDescriptor]:
    """The services of every file in protos/."""
    for module in pkgutil.iter_modules(shiplift.v1.__path__):
        if module.name.endswith("_pb2"):
            file = importlib.import_module(f"shiplift.v1.{module.name}").DESCRIPTOR
            yield from file.services_by_name.values()


RPCS: dict[str, MethodDescriptor] = {
    method.name: method for service in services() for method in service.methods
}


def path(rpc: MethodDescriptor) -> str:
    """What the wire calls it."""
    return f"/{rpc.containing_service.full_name}/{rpc.name}"


def rule(rpc: MethodDescriptor) -> access_pb2.AccessRule:
    """What its option says that it needs."""
    found: access_pb2.AccessRule = rpc.GetOptions().Extensions[cast(Any, access_pb2.access)]
    return found


def writes(rpc: MethodDescriptor) -> bool:
    """Whether it changes something: what explains a write takes the write's request, too."""
    only_reads = rpc.GetOptions().idempotency_level == MethodOptions.NO_SIDE_EFFECTS
    return "request_id" in rpc.input_type.fields_by_name and not only_reads


def message(kind: Descriptor, **fields: object) -> Message:
    """A message of this type."""
    return message_factory.GetMessageClass(kind)(**fields)


def caller(channel: grpc.Channel, rpc: MethodDescriptor) -> Callable[[Message], Message]:
    """The rpc on the channel."""
    answer = message_factory.GetMessageClass(rpc.output_type)
    call: grpc.UnaryUnaryMultiCallable[Message, Message] = channel.unary_unary(
        path(rpc),
        request_serializer=lambda request: request.SerializeToString(),
        response_deserializer=answer.FromString,
    )
    return call


def raw(channel: grpc.Channel, rpc: MethodDescriptor) -> Callable[[bytes], bytes]:
    """The rpc on the channel, with a request of any bytes."""
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(path(rpc))
    return call


def is_map(field: FieldDescriptor) -> bool:
    """Whether the field is a map."""
    return field.message_type is not None and field.message_type.GetOptions().map_entry
