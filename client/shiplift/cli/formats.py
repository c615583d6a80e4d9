"""Answers for programs: JSON, YAML, some fields in plain words, or the names that other commands take."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from shiplift._values import word_of
from shiplift.v1 import builds_pb2

Form = Literal["json", "yaml", "wide", "name"]
Answer = Message | Sequence[Message]

_AGAINST = (builds_pb2.GATE_RESULT_FAILED, builds_pb2.GATE_RESULT_WAITING)

# What other commands take for it.
_NAMES: Mapping[str, Callable[[Any], object]] = {
    "Build": lambda build: build.number,
    "Deployment": lambda deployment: deployment.environment,
    "DiffPromotionResponse": lambda diff: "\n".join(str(build.number) for build in diff.builds),
    "Environment": lambda environment: environment.name,
    "ExplainPromotionResponse": lambda answer: "\n".join(
        verdict.gate for verdict in answer.verdicts if verdict.result in _AGAINST
    ),
    "Grant": lambda grant: grant.login,
    "Hold": lambda hold: hold.environment,
    "Secret": lambda secret: secret.name,
    "Repository": lambda repository: repository.slug,
    "Token": lambda token: token.id,
    "User": lambda user: user.login,
    "WhoAmIResponse": lambda answer: answer.user.login,
}


def as_json(answer: Answer) -> str:
    """Messages in protobuf's JSON, with the protos' field names and zeros; a list as an array."""
    # Only ASCII goes out, so that nothing in it can steer a terminal.
    return json.dumps(_each(answer, _plain), indent=2)


def as_line(message: Message) -> str:
    """A message in the same form on one line."""
    return json.dumps(_plain(message))


def as_yaml(answer: Answer) -> str:
    """The same as YAML."""
    import yaml  # only this needs it

    # What is not ASCII is escaped, for the same reason.
    text: str = yaml.safe_dump(_each(answer, _plain), sort_keys=False)
    return text.rstrip("\n")


def as_fields(answer: Answer, names: Sequence[str]) -> str:
    """These fields as JSON: enums are the words that options take, and numbers are numbers."""

    def chosen(message: Message) -> object:
        whole = cast("dict[str, object]", _worded(_plain(message), _kind(message)))
        return {name: whole.get(name) for name in names}

    return json.dumps(_each(answer, chosen), indent=2)


def as_names(answer: Answer) -> str:
    """What other commands take for each: a build's number, a login, and so on."""
    messages = answer if isinstance(answer, Sequence) else [answer]
    return "\n".join(str(_NAMES[message.DESCRIPTOR.name](message)) for message in messages)


def fields_of(text: str, kind: type[Message]) -> list[str]:
    """The fields that a text names, with commas between. Raises ValueError for one that there is not."""
    known = [field.name for field in cast("Descriptor", kind.DESCRIPTOR).fields]
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in known:
            raise ValueError(
                f"--json={text}: there is no field {name!r}: wanted some of {', '.join(known)}"
            )
    return names


def _each(answer: Answer, made: Callable[[Message], object]) -> object:
    return [made(each) for each in answer] if isinstance(answer, Sequence) else made(answer)


def _kind(message: Message) -> Descriptor:
    # The type stubs give a message the descriptors of both of protobuf's implementations.
    return cast("Descriptor", message.DESCRIPTOR)


def _plain(message: Message) -> object:
    value = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return _in_order(value, _kind(message))


def _in_order(value: object, kind: Descriptor) -> object:
    """A message's JSON in the order of the fields, maps by name; protobuf has maps in any, zeros last."""
    if isinstance(value, list):
        return [_in_order(each, kind) for each in value]
    if not isinstance(value, dict):
        return value
    if kind.GetOptions().map_entry:
        return dict(sorted(value.items()))
    fields = (field for field in kind.fields if field.name in value)
    return {
        each.name: _in_order(value[each.name], each.message_type) if each.message_type else value[each.name]
        for each in fields
    }


def _worded(value: object, kind: Descriptor) -> object:
    if isinstance(value, list):
        return [_worded(each, kind) for each in value]
    if not isinstance(value, dict) or kind.GetOptions().map_entry:
        return value
    return {name: _in_words(each, kind.fields_by_name[name]) for name, each in value.items()}


def _in_words(value: Any, field: FieldDescriptor) -> object:  # noqa: ANN401  # of JSON
    if isinstance(value, list) and field.message_type is None:
        return [_in_words(each, field) for each in value]
    if field.message_type is not None:
        return _worded(value, field.message_type)
    if field.enum_type is not None:
        # One that this library is too old for is its number.
        known = field.enum_type.values_by_name.get(value)
        return word_of(cast(Any, field.enum_type), known.number) if known else str(value)
    # 64 bits are texts in protobuf's JSON.
    return int(value) if field.cpp_type in _LONG else value


_LONG = (FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64)
