"""The gateway as an OpenAPI 3.1 document, made from the route table and the descriptors.

The generators there are (apispec, FastAPI's, protoc-gen-openapi) read annotations of a framework's handlers
or of protos; here both tables are there already, and what is left is one walk over them.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from shiplift.v1 import access_pb2

from shipliftd import __version__
from shipliftd.descriptors import SERVICES, path_of
from shipliftd.fields import NAME, TARGET
from shipliftd.gateway.absent import ABSENT_METHODS
from shipliftd.gateway.drone import OPERATIONS, Operation
from shipliftd.gateway.everywhere import BUILD_STAGE
from shipliftd.gateway.exchange import MOST_NUMBER, REQUEST_ID
from shipliftd.gateway.repositories import VERSION
from shipliftd.gateway.runners import ROUTES, Handler
from shipliftd.gateway.secrets import SECRET
from shipliftd.gateway.shapes import SHAPES, Json

_ERRORS = {
    400: "The request is wrong; the message names every fault.",
    401: "A token is needed, or the one that was sent is not valid.",
    403: "The caller may read this, but not do it; the message names what is missing.",
    404: "It is not there, or the caller may not know that it is.",
    405: "The path has no such method; `Allow` has those there are.",
    409: "The state of things forbids it, or somebody else changed it.",
    413: "The body has over 1 MiB.",
    414: "The URL has over 448 KiB.",
    415: "The body is of another type than those taken.",
    429: "Too much at once.",
    431: "The head has over 512 KiB.",
    500: "A defect; the log has it under the id in the message.",
    501: "Not in this release.",
    503: "The server is away or shutting down: try again.",
    504: "No answer in time; a write may still come about.",
}
_UNEXPECTED = {412: "Another build than the expected one is in the environment."}
_ANYBODY = (access_pb2.ACCESS_LEVEL_ANYONE, access_pb2.ACCESS_LEVEL_READ)
_ACCESS = cast(Any, access_pb2.access)
# What can be looked at without a token, if it is public.
_OPEN = ("/api/repos/", "/api/badges/", "/version")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@cache
def document() -> Json:
    """The whole document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Shiplift",
            "version": __version__,
            "summary": "Promotes builds: Drone's REST routes, and every rpc by the Connect protocol.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": _paths(),
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _paths() -> Json:
    paths: Json = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    for method in _unary():
        paths[path_of(method)] = {"post": _rpc(method)}
    for path, handlers in ROUTES.items():
        paths[path] = {method.lower(): _of_runners(path, handler) for method, handler in handlers.items()}
    paths["/healthz"] = {"get": _probe("Whether the gateway is alive", {})}
    paths["/readyz"] = {"get": _probe("Whether a promotion could be answered now", {503: _ERRORS[503]})}
    return paths


def _operation(operation: Operation) -> Json:
    answer: Json = {}
    if operation.answer is not None:
        one = _ref(operation.answer.name)
        answer = {"type": "array", "items": one} if operation.is_list else one
    made: Json = {
        "summary": operation.summary,
        "tags": ["Drone"],
        "parameters": [*_parameters(operation)],
        "responses": _responses(answer, operation.answer is not None, "Error"),
    }
    if "Shiplift-Expected-Current" in dict(operation.headers):
        made["responses"] |= _errors(_UNEXPECTED, "Error")
    if operation.form:
        form = {"type": "object", "properties": {"target": _TARGET}, "additionalProperties": False}
        made["requestBody"] = {"content": {"application/x-www-form-urlencoded": {"schema": form}}}
    if operation.body is not None:
        settings = {"type": "object", "properties": dict(operation.body), "additionalProperties": False}
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": settings}}}
    if operation.kind != "application/json":
        image = {"description": "Done.", "content": {operation.kind: {"schema": {"type": "string"}}}}
        made["responses"] = {"200": image, **made["responses"]}
    if operation.is_silent:
        made["responses"] = {"204": {"description": "Done."}, **made["responses"]}
    is_absent = (operation.method, operation.path) in ABSENT_METHODS
    if is_absent or (operation.method == "GET" and operation.path.startswith(_OPEN)):
        made["security"] = [{}, {"token": []}]
    return made


_NAME: Json = {"type": "string", "pattern": f"^{NAME.pattern}$"}
_TARGET: Json = {"type": "string", "pattern": f"^{TARGET.pattern}$"}
_NAME_OR_ALL: Json = {"type": "string", "pattern": f"^({NAME.pattern}|[*])$"}
_NO_NAME: Json = {"type": ["string", "null"], "maxLength": 0}


def _named(**names: Json) -> Json:
    return {"type": "object", "properties": names, "required": [*names]}


_ABOUT: dict[access_pb2.AccessScope, Json] = {
    access_pb2.ACCESS_SCOPE_REPOSITORY: _named(owner=_NAME, repo=_NAME),
    access_pb2.ACCESS_SCOPE_REPOSITORY_OR_OWNER: _named(owner=_NAME, repo=_NAME_OR_ALL),
    access_pb2.ACCESS_SCOPE_OWNER: _named(owner=_NAME),
    access_pb2.ACCESS_SCOPE_REPOSITORY_OR_VISIBLE: {
        "anyOf": [
            _named(owner=_NAME, repo=_NAME),
            {"type": "object", "properties": {"owner": _NO_NAME, "repo": _NO_NAME}},
        ]
    },
}
_NUMBER: Json = {"type": "integer", "minimum": 1, "maximum": MOST_NUMBER}
_SCHEMA_OF: Json = {
    "despite-lost": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
    "owner": _NAME,
    "repo": _NAME,
    "target": _TARGET,
    "namespace": _NAME,
    "name": _NAME,
    "commit": {"type": "string", "pattern": "^[0-9a-fA-F]{0,64}$"},
    "Idempotency-Key": {"type": "string", "pattern": f"^{REQUEST_ID.pattern}$"},
    "Shiplift-Expected-Current": {**_NUMBER, "minimum": 0},
}


def _parameters(operation: Operation) -> Iterator[Json]:
    for name in _PLACEHOLDER.findall(operation.path):
        yield {"name": name, "in": "path", "required": True, "schema": _SCHEMA_OF.get(name, _NUMBER)}
    for place, described in (("query", operation.query), ("header", operation.headers)):
        for name, description in described:
            schema = _SCHEMA_OF.get(name, {"type": "string"})
            yield {"name": name, "in": place, "description": description, "schema": schema}
    if operation.parameters:
        yield {
            "name": "parameters",
            "in": "query",
            "description": "Every other key: a variable in the environment of the pipeline's steps.",
            "style": "form",
            "explode": True,
            "schema": {"type": "object", "additionalProperties": {"type": "string"}},
        }


def _rpc(method: MethodDescriptor) -> Json:
    rule: access_pb2.AccessRule = method.GetOptions().Extensions[_ACCESS]
    made: Json = {
        "summary": method.name,
        "tags": [method.containing_service.name],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _request(method, rule.scope)}},
        },
        "responses": _responses(_ref(method.output_type.full_name), True, "ConnectError"),
    }
    if rule.level in _ANYBODY:
        made["security"] = [{}, {"token": []}]
    return made


def _request(method: MethodDescriptor, scope: access_pb2.AccessScope) -> Json:
    """An rpc's request; what it is about is looked at before everything else, even before a token."""
    message = _ref(method.input_type.full_name)
    if scope not in _ABOUT:
        return message
    return {"allOf": [message, _ABOUT[scope]]}


def _of_runners(path: str, handler: Handler) -> Json:
    """A call of Drone's runners, as far as it is any other client's: its bodies are theirs."""
    summary = (handler.__doc__ or "").partition(": ")[2]
    return {
        "summary": summary[:1].upper() + summary[1:].removesuffix("."),
        "tags": ["Drone's runners"],
        "parameters": [
            *(
                {"name": name, "in": "path", "required": True, "schema": {"type": "integer", "minimum": 1}}
                for name in _PLACEHOLDER.findall(path)
            ),
            {
                "name": "X-Drone-Token",
                "in": "header",
                "required": True,
                "description": "A token with the action run, as runners send it.",
                "schema": {"type": "string"},
            },
        ],
        "security": [],
        "responses": {
            "200": _content("Done.", {}),
            "204": {"description": "Done, or nothing has come in 30 seconds."},
            **_errors(_ERRORS, "Error"),
        },
    }


def _probe(summary: str, errors: dict[int, str]) -> Json:
    status: Json = {"type": "object", "properties": {"status": {"type": "string"}}, "required": ["status"]}
    return {
        "summary": summary,
        "tags": ["Health"],
        "security": [],
        "responses": {"200": _content("Yes.", status), **_errors({405: _ERRORS[405], **errors}, "Error")},
    }


def _responses(answer: Json, is_there: bool, error: str) -> Json:
    made = {"200": _content("Done.", answer)} if is_there else {}
    return made | _errors(_ERRORS, error)


def _errors(errors: dict[int, str], schema: str) -> Json:
    return {str(status): _content(text, _ref(schema)) for status, text in errors.items()}


def _content(description: str, schema: Json) -> Json:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _schemas() -> Json:
    schemas: Json = {shape.name: shape.schema() for shape in SHAPES.values()}
    schemas |= {form.name: form.schema() for form in (BUILD_STAGE, SECRET, VERSION)}
    schemas["Error"] = _error(
        "gRPC's code by name.", "Sent where `Accept: application/json; details=1` asks.", {"type": "object"}
    )
    schemas["ConnectError"] = _error(
        "Connect's code.",
        "What the message says, for programs.",
        {
            "type": "object",
            "properties": {"type": {"type": "string"}, "value": {"type": "string"}},
            "required": ["type", "value"],
        },
    )
    for method in _unary():
        for descriptor in (method.input_type, method.output_type):
            _add(schemas, descriptor)
    return schemas


def _unary() -> list[MethodDescriptor]:
    """The rpcs with one answer; OpenAPI has no words for streams."""
    return [m for service in SERVICES for m in service.methods if not m.server_streaming]


def _error(code: str, details: str, detail: Json) -> Json:
    return {
        "type": "object",
        "properties": {
            "message": {"type": "string"},
            "code": {"type": "string", "description": code},
            "details": {"type": "array", "items": detail, "description": details},
        },
        "required": ["message", "code"],
    }


def _add(schemas: Json, descriptor: Descriptor) -> None:
    """A message, and those in it, in protobuf's own JSON."""
    if descriptor.full_name in schemas or descriptor.file.package != "shiplift.v1":
        return
    # Known before its fields are: messages may hold each other.
    properties: Json = {}
    schemas[descriptor.full_name] = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    for field in descriptor.fields:
        # null is what protobuf's JSON takes for not set.
        properties[field.json_name] = {"anyOf": [_field(schemas, field), {"type": "null"}]}


def _field(schemas: Json, field: FieldDescriptor) -> Json:
    kind = field.message_type
    if kind is not None and kind.GetOptions().map_entry:
        value = _single(schemas, kind.fields_by_name["value"])
        return {"type": "object", "additionalProperties": value}
    single = _single(schemas, field)
    return {"type": "array", "items": single} if field.is_repeated else single


def _single(schemas: Json, field: FieldDescriptor) -> Json:
    if field.message_type is not None:
        if field.message_type.full_name == "google.protobuf.Timestamp":
            return {"type": "string", "format": "date-time"}
        if field.message_type.full_name == "google.protobuf.Duration":
            return {"type": "string", "pattern": r"^-?[0-9]{1,12}(\.[0-9]{1,9})?s$"}
        if field.message_type.full_name == "google.protobuf.FieldMask":
            # Names in camelCase with commas between, as protobuf's JSON has them.
            return {"type": "string"}
        _add(schemas, field.message_type)
        return _ref(field.message_type.full_name)
    if field.enum_type is not None:
        values = field.enum_type.values
        return {"enum": [*(value.name for value in values), *(value.number for value in values)]}
    return _SCALARS[field.cpp_type]


def _whole(bits: int) -> Json:
    # Numbers, or text of one: JavaScript's numbers do not hold 64 bits.
    limits = {"minimum": -(2 ** (bits - 1)), "maximum": 2 ** (bits - 1) - 1}
    return {"anyOf": [{"type": "integer", **limits}, {"type": "string", "pattern": "^-?[0-9]{1,19}$"}]}


_SCALARS: dict[int, Json] = {
    FieldDescriptor.CPPTYPE_STRING: {"type": "string"},
    FieldDescriptor.CPPTYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.CPPTYPE_INT32: _whole(32),
    FieldDescriptor.CPPTYPE_INT64: _whole(64),
}
