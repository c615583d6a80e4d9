"""Writes `client/shiplift/_methods.py`: the clients' methods, one for every rpc of the protos.

Run it as `.venv/protos/bin/python protos/generate_client.py`. The same protos make the same file,
and ruff would format it the same.
"""

import re
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc_tools
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
)
from grpc_tools import protoc

PROTOS = Path(__file__).resolve().parent
OUTPUT = PROTOS.parent / "client" / "shiplift" / "_methods.py"
WIDTH = 100

SCALARS = {
    FieldDescriptorProto.TYPE_BOOL: ("bool", "False"),
    FieldDescriptorProto.TYPE_DOUBLE: ("float", "0.0"),
    FieldDescriptorProto.TYPE_INT32: ("int", "0"),
    FieldDescriptorProto.TYPE_INT64: ("int", "0"),
    FieldDescriptorProto.TYPE_STRING: ("str", '""'),
    FieldDescriptorProto.TYPE_BYTES: ("bytes", 'b""'),
}
DURATION = ".google.protobuf.Duration"
TIMESTAMP = ".google.protobuf.Timestamp"
FIELD_MASK = ".google.protobuf.FieldMask"


@dataclass(frozen=True)
class Form:
    """What differs between the methods of the two clients."""

    name: str
    about: str
    grpc: str
    define: str
    wait: str
    iterator: str
    give: str


SYNC = Form("Methods", "A method for every rpc.", "grpc", "def", "", "Iterator", "yield from {}")
ASYNC = Form(
    "AsyncMethods",
    "A coroutine method for every rpc.",
    "grpc.aio",
    "async def",
    "await ",
    "AsyncIterator",
    "for item in {}:\n    yield item",
)


@dataclass(frozen=True)
class Argument:
    """A field of a request, as an argument of a method and as an argument of its message."""

    field: str
    type: str
    default: str
    value: str
    doc: str


@dataclass(frozen=True)
class Rpc:
    """An rpc, as a method."""

    name: str
    stub: str
    request: str
    response: str
    doc: str
    arguments: tuple[Argument, ...]
    items: str = ""
    item: str = ""
    streams: bool = False

    @property
    def timeout(self) -> str:
        """The argument for the call's timeout; a field of that name comes first."""
        taken = any(argument.field == "timeout" for argument in self.arguments)
        return "call_timeout" if taken else "timeout"


class Protos:
    """What the descriptors say, by full name."""

    def __init__(self, descriptors: FileDescriptorSet) -> None:
        self.files = [file for file in descriptors.file if file.package.startswith("shiplift.")]
        self.messages: dict[str, DescriptorProto] = {}
        self.enums: dict[str, EnumDescriptorProto] = {}
        self.python: dict[str, str] = {}
        self.comments: dict[str, str] = {}
        self.used: set[str] = set()
        for file in self.files:
            self._add(file)

    def _add(self, file: FileDescriptorProto) -> None:
        comments = {tuple(at.path): at.leading_comments for at in file.source_code_info.location}
        package = f".{file.package}."
        for index, message in enumerate(file.message_type):
            self.messages[package + message.name] = message
            self.python[package + message.name] = f"{module(file)}.{message.name}"
            for place, field in enumerate(message.field):
                comment = comments.get((4, index, 2, place), "")
                self.comments[f"{package}{message.name}.{field.name}"] = comment
        for kind in file.enum_type:
            self.enums[package + kind.name] = kind
            self.python[package + kind.name] = f"{module(file)}.{kind.name}"
        for index, service in enumerate(file.service):
            for place, method in enumerate(service.method):
                comment = comments.get((6, index, 2, place), "")
                self.comments[f"{package}{service.name}.{method.name}"] = comment

    def rpcs(self) -> Iterator[Rpc]:
        """Every rpc, in the protos' order."""
        for file in self.files:
            for service in file.service:
                for method in service.method:
                    name = f".{file.package}.{service.name}.{method.name}"
                    yield self._rpc(snake(service.name), method, self.comments[name])

    def _rpc(self, service: str, method: MethodDescriptorProto, doc: str) -> Rpc:
        if method.client_streaming:
            sys.exit(f"{method.name} streams requests: this generator knows no such calls")
        fields = self.messages[method.input_type].field
        items = item = ""
        if any(field.name == "page_token" for field in fields):
            page = self.messages[method.output_type].field
            listed = next(field for field in page if field.label == field.LABEL_REPEATED)
            items, item = listed.name, self.python[listed.type_name]
        return Rpc(
            name=method.name,
            stub=f"self._{service}.{method.name}",
            request=self.python[method.input_type],
            response=self.python[method.output_type],
            doc=doc,
            arguments=tuple(self._argument(method.input_type, field) for field in fields),
            items=items,
            item=item,
            streams=method.server_streaming,
        )

    def _argument(self, request: str, field: FieldDescriptorProto) -> Argument:
        comment = " ".join(self.comments[f"{request}.{field.name}"].split())
        opening, _, doc = comment.partition(". ")
        if opening not in ("Required", "Optional"):
            sys.exit(f"{request}.{field.name}: its comment opens with neither word")
        if field.name == "request_id":
            doc += " A fresh UUID when None."
            return Argument(field.name, "str | None", "None", "request_id or str(uuid4())", doc)
        python, default, value = self._typed(field)
        if opening == "Required":
            default = ""
        elif default == "None":
            python += " | None"
        return Argument(field.name, python, default, value, doc)

    def _typed(self, field: FieldDescriptorProto) -> tuple[str, str, str]:
        name, value = field.name, "{}"
        if field.type_name == TIMESTAMP:
            python, default, value = "datetime", "None", f'_values.timestamp("{name}", {{}})'
        elif field.type_name == DURATION:
            python, default = "timedelta", "None"
        elif field.type_name == FIELD_MASK:
            return "Sequence[str]", "()", f"FieldMask(paths={name})"
        elif field.type == field.TYPE_ENUM:
            kind = self.enums[field.type_name]
            self.used.add(field.type_name)
            python, default = f"{self.python[field.type_name]} | {kind.name}Word", "None"
            # Of a list it is one item.
            value = f'_values.enum({self.python[field.type_name]}.DESCRIPTOR, "{name}", {{}})'
        elif field.type_name in self.messages:
            kind_name, default = self.python[field.type_name], "None"
            python = f"{kind_name} | Mapping[str, Any]"
            if field.label == field.LABEL_REPEATED:
                return f"Sequence[{python}]", "()", f'_values.messages({kind_name}, "{name}", {name})'
            value = f'_values.message({kind_name}, "{name}", {{}})'
        elif field.type == field.TYPE_MESSAGE:
            # What is left are the entries of maps, and every map of the API holds texts.
            return "Mapping[str, str]", "None", f'_values.texts("{name}", {name})'
        else:
            python, default = SCALARS[field.type]
            if field.type == field.TYPE_BOOL and field.proto3_optional:
                value = "_values.flag({})"
        if field.label == field.LABEL_REPEATED:
            each = name if value == "{}" else f"[{value.format('item')} for item in {name}]"
            return f"Sequence[{python}]", "()", each
        return python, "None" if field.proto3_optional else default, value.format(name)


def module(file: FileDescriptorProto) -> str:
    """The Python module of a file's messages."""
    return file.name.rpartition("/")[2].removesuffix(".proto") + "_pb2"


def snake(name: str) -> str:
    """`PromoteBuild` as `promote_build`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def prefix(kind: EnumDescriptorProto) -> str:
    """What the names of an enum's values begin with, such as `BUILD_STATUS_`."""
    return kind.value[0].name.removesuffix("UNSPECIFIED")


def file_text(protos: Protos) -> str:
    """The whole file."""
    rpcs = list(protos.rpcs())
    # The methods need nothing of a file without a service.
    modules = sorted(module(file) for file in protos.files if file.service)
    imports = ", ".join(f"{name}, {name}_grpc" for name in modules)
    words = [word_text(protos.enums[name]) for name in sorted(protos.used)]
    return "".join(
        [
            '"""The clients\' methods, generated from `protos/` by `protos/generate_client.py`."""\n\n',
            "from __future__ import annotations\n\n",
            "from collections.abc import AsyncIterator, Iterator, Mapping, Sequence\n",
            "from datetime import datetime, timedelta\n",
            "from typing import Any, Literal, TypeAlias, TypeVar\n",
            "from uuid import uuid4\n\n",
            "import grpc\nimport grpc.aio\n",
            "from google.protobuf.field_mask_pb2 import FieldMask\n",
            "from google.protobuf.message import Message\n\n",
            "from shiplift import _values\n",
            f"from shiplift.v1 import {imports}\n\n",
            'Q = TypeVar("Q", bound=Message)\nR = TypeVar("R", bound=Message)\n\n',
            *words,
            *class_text(SYNC, protos, rpcs),
            *class_text(ASYNC, protos, rpcs),
        ]
    )


def word_text(kind: EnumDescriptorProto) -> str:
    """The short words for an enum's values, as a type."""
    words = (value.name.removeprefix(prefix(kind)).lower() for value in kind.value[1:])
    lines = "".join(f'    "{word}",\n' for word in words)
    return f"{kind.name}Word: TypeAlias = Literal[\n{lines}]\n"


def class_text(form: Form, protos: Protos, rpcs: list[Rpc]) -> Iterator[str]:
    """A client's methods."""
    yield f'\n\nclass {form.name}:\n    """{form.about}"""\n\n'
    yield f"    def __init__(self, channel: {form.grpc}.Channel) -> None:\n"
    for file in protos.files:
        for service in file.service:
            stub = f"{module(file)}_grpc.{service.name}Stub"
            yield f"        self._{snake(service.name)} = {stub}(channel)\n"
    yield textwrap.indent(
        f"""
{form.define} _call(
    self,
    method: {form.grpc}.UnaryUnaryMultiCallable[Q, R],
    request: Q,
    timeout: float | None,
) -> R:
    raise NotImplementedError

def _stream(
    self,
    method: {form.grpc}.UnaryStreamMultiCallable[Q, R],
    request: Q,
    timeout: float | None,
) -> {form.iterator}[R]:
    raise NotImplementedError
""",
        "    ",
    )
    for rpc in rpcs:
        yield textwrap.indent(method_text(form, rpc), "    ")
        if rpc.items:
            yield textwrap.indent(iteration_text(form, rpc), "    ")


def method_text(form: Form, rpc: Rpc) -> str:
    """The method that makes the call once."""
    message = "".join(f"    {line}\n" for line in message_lines(rpc, rpc.arguments))
    define, call, answer = form.define, f"{form.wait}self._call", rpc.response
    timeout = "How long the call may take, in seconds; the client's when None"
    if rpc.streams:
        define, call, answer = "def", "self._stream", f"{form.iterator}[{rpc.response}]"
        timeout = "How long the stream may last, in seconds; without end when None"
    return (
        f"\n{define} {snake(rpc.name)}(\n"
        + signature_text(rpc, rpc.arguments)
        + f") -> {answer}:\n"
        + docstring(rpc, rpc.arguments, rpc.doc, timeout)
        + f"    return {call}(\n        {rpc.stub},\n"
        + textwrap.indent(message.rstrip("\n"), "    ")
        + f",\n        {rpc.timeout},\n    )\n"
    )


def iteration_text(form: Form, rpc: Rpc) -> str:
    """The method that lists everything, page by page."""
    arguments = tuple(each for each in rpc.arguments if each.field != "page_token")
    lines = message_lines(rpc, arguments)
    message = "\n".join([f"    request = {lines[0]}", *(f"    {line}" for line in lines[1:])])
    doc = rpc.doc + "\n\nAsks for a page when the one before has been used up."
    give = textwrap.indent(form.give.format(f"page.{rpc.items}"), "        ")
    return (
        f"\n{form.define} {snake(rpc.name).replace('list_', 'iterate_', 1)}(\n"
        + signature_text(rpc, arguments)
        + f") -> {form.iterator}[{rpc.item}]:\n"
        + docstring(
            rpc,
            arguments,
            doc,
            "How long the call for a page may take, in seconds; the client's when None",
        )
        + f"{message}\n    while True:\n"
        + f"        page = {form.wait}self._call({rpc.stub}, request, {rpc.timeout})\n"
        + f"{give}\n        if not page.next_page_token:\n            return\n"
        + "        request.page_token = page.next_page_token\n"
    )


def signature_text(rpc: Rpc, arguments: tuple[Argument, ...]) -> str:
    """A method's arguments, a line each."""
    lines = ["self", "*"]
    # The required ones first: they are what a reader looks for.
    for each in sorted(arguments, key=lambda each: each.default != ""):
        default = f" = {each.default}" if each.default else ""
        lines.append(f"{each.field}: {each.type}{default}")
    lines.append(f"{rpc.timeout}: float | None = None")
    return "".join(f"    {line},\n" for line in lines)


def message_lines(rpc: Rpc, arguments: tuple[Argument, ...]) -> list[str]:
    """The expression that makes the request."""
    if not arguments:
        return [f"{rpc.request}()"]
    fields = [f"    {each.field}={each.value}," for each in arguments]
    return [f"{rpc.request}(", *fields, ")"]


def docstring(rpc: Rpc, arguments: tuple[Argument, ...], doc: str, timeout: str) -> str:
    """A method's docstring: the rpc's comment, then the fields'."""
    paragraphs = [" ".join(part.split()) for part in doc.strip().split("\n\n")]
    lines = [line for part in paragraphs for line in [*wrapped(part, 0), ""]]
    lines.append("Args:")
    for each in arguments:
        lines += wrapped(f"{each.field}: {each.doc}", 4)
    lines += wrapped(f"{rpc.timeout}: {timeout}.", 4)
    text = "\n".join(f"    {line}" if line else "" for line in lines)
    return f'    """{text.strip()}\n    """\n'


def wrapped(text: str, indent: int) -> list[str]:
    """A paragraph as lines that fit into a method's docstring."""
    return textwrap.wrap(
        text,
        WIDTH - 8,
        initial_indent=" " * indent,
        subsequent_indent=" " * indent * 2,
        break_long_words=False,
        break_on_hyphens=False,
    )


def descriptors() -> FileDescriptorSet:
    """The protos, compiled with their comments."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "descriptors"
        google = Path(grpc_tools.__file__).parent / "_proto"
        files = sorted(str(path) for path in PROTOS.glob("shiplift/v1/*.proto"))
        options = [f"-I{PROTOS}", f"-I{google}", "--include_source_info"]
        if protoc.main(["protoc", *options, f"--descriptor_set_out={out}", *files]):
            sys.exit("protoc refused the protos")
        return FileDescriptorSet.FromString(out.read_bytes())


if __name__ == "__main__":
    OUTPUT.write_text(file_text(Protos(descriptors())))
