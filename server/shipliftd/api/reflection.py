"""Reflection: every file of the API with its comments, under both names of the protocol."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import cast

import grpc
import grpc.aio
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha import reflection, reflection_pb2

from shipliftd.descriptors import descriptor_set

_OLD, _NEW = "grpc.reflection.v1alpha", "grpc.reflection.v1"
_OLD_FILE, _NEW_FILE = reflection_pb2.DESCRIPTOR.name, "grpc/reflection/v1/reflection.proto"
# What clients ask for first; the older one stays for those that know no other.
NAMES = (f"{_NEW}.ServerReflection", reflection.SERVICE_NAME)


def add_to(server: grpc.aio.Server, services: Sequence[str]) -> None:
    """Has the server answer questions about these services and about reflection itself."""
    servicer = reflection.aio.ReflectionServicer(
        [*services, *NAMES], pool=cast(DescriptorPool, _Symbols(descriptor_pool.Default()))
    )
    # The messages of both are the same on the wire; grpcio-reflection has them under the old name alone.
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        reflection_pb2.ServerReflectionRequest.FromString,
        reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    for name in NAMES:
        server.add_registered_method_handlers(name, {"ServerReflectionInfo": handler})


class _File:
    """What grpcio-reflection uses of a file's descriptor."""

    def __init__(self, symbols: "_Symbols", file: FileDescriptor) -> None:
        self._symbols = symbols
        self._file = file
        self.name = file.name

    @property
    def dependencies(self) -> list["_File"]:
        """The files that it imports."""
        return [_File(self._symbols, each) for each in self._file.dependencies]

    def CopyToProto(self, proto: FileDescriptorProto) -> None:  # noqa: N802  # the descriptor's
        """Fills in what the file says, with comments where there are some."""
        commented = self._symbols.commented.get(self.name)
        if commented is None:
            self._file.CopyToProto(proto)
        else:
            proto.CopyFrom(commented)


class _Symbols:
    """What grpcio-reflection uses of a descriptor pool.

    Unlike the pool it finds the file of a method, too, which grpcurl asks for when it describes one.
    """

    def __init__(self, pool: DescriptorPool) -> None:
        self._pool = pool

    def __getattr__(self, name: str) -> object:
        return getattr(self._pool, name)

    @cached_property
    def commented(self) -> dict[str, FileDescriptorProto]:
        """The API's files by name."""
        found = {file.name: file for file in FileDescriptorSet.FromString(descriptor_set()).file}
        for file in found.values():
            _forget_json_names(file.message_type)
        return found

    def FindFileByName(self, name: str) -> _File:  # noqa: N802  # the pool's
        """The file. Raises KeyError."""
        if name == _NEW_FILE:
            _add_new_reflection(self._pool)
        return _File(self, self._pool.FindFileByName(name))

    def FindFileContainingSymbol(self, symbol: str) -> _File:  # noqa: N802  # the pool's
        """The file that defines a message, enum, service or method. Raises KeyError."""
        if symbol.startswith(f"{_NEW}."):
            _add_new_reflection(self._pool)
        try:
            return _File(self, self._pool.FindFileContainingSymbol(symbol))
        except KeyError:
            return _File(self, self._pool.FindMethodByName(symbol).containing_service.file)


def _forget_json_names(messages: Iterable[DescriptorProto]) -> None:
    """So that grpcurl writes a field as the proto does, in snake_case: what it shows can be sent again."""
    for message in messages:
        for field in message.field:
            field.ClearField("json_name")
        _forget_json_names(message.nested_type)


def _add_new_reflection(pool: DescriptorPool) -> None:
    """Describes the protocol under its new name; nothing happens the second time."""
    from google.protobuf import text_format  # only who asks reflection about itself needs it

    old = FileDescriptorProto()
    reflection_pb2.DESCRIPTOR.CopyToProto(old)
    text = text_format.MessageToString(old).replace(_OLD, _NEW).replace(_OLD_FILE, _NEW_FILE)
    pool.AddSerializedFile(text_format.Parse(text, FileDescriptorProto()).SerializeToString())
