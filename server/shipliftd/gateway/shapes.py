"""Messages as Drone's JSON: one walk over the descriptor, and a table of what Drone has otherwise.

Drone's wire: integers are JSON numbers, names snake_case, enums their short lower-case word, times Unix
seconds (0: not yet), and zero values stand there, but for those that Drone leaves out when they are empty.
"""

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, NamedTuple, cast

import orjson
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from shiplift.v1 import access_pb2, builds_pb2

Json = dict[str, Any]


class Key(NamedTuple):
    """A key of the JSON: where its value is in the message, what is made of it, and its JSON schema."""

    name: str
    path: str
    made: Callable[[Any], Any] | None
    left_out_when_empty: bool
    schema: Json


class Form(NamedTuple):
    """An object of Drone's that no message of ours stands for: its keys, all of them there."""

    name: str
    properties: Mapping[str, Json]

    def schema(self) -> Json:
        """The JSON schema of it."""
        return {
            "type": "object",
            "properties": dict(self.properties),
            "required": [*self.properties],
            "additionalProperties": False,
        }


@dataclass(frozen=True)
class Shape:
    """How a message looks in Drone's JSON.

    `shown` are the fields that stand there, and a new one does not of itself; `left_out` its keys that are
    left out when they are empty; `renamed` what it calls a field; `added` its keys that no field of ours
    stands for; `beside` the shapes that some routes put beside them; `in_minutes` the lengths of time that
    it has in minutes, not seconds.
    """

    name: str
    descriptor: Descriptor
    shown: frozenset[str]
    left_out: frozenset[str] = frozenset()
    renamed: Mapping[str, str] = field(default_factory=dict)
    added: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    beside: Mapping[str, str] = field(default_factory=dict)
    in_minutes: frozenset[str] = frozenset()

    @cached_property
    def keys(self) -> tuple[Key, ...]:
        """The keys that come from fields, in the order of the fields."""
        return tuple(self._key(f) for f in self.descriptor.fields if f.name in self.shown)

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(key.name for key in self.keys)

    @cached_property
    def _values(self) -> Callable[[Message], tuple[Any, ...]]:
        # All at once in C: a list of builds is mostly this.
        return operator.attrgetter(*(key.path for key in self.keys))

    @cached_property
    def _made(self) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
        return tuple((key.name, key.made) for key in self.keys if key.made is not None)

    @cached_property
    def _left_out(self) -> tuple[str, ...]:
        return tuple(key.name for key in self.keys if key.left_out_when_empty)

    def json(self, message: Message) -> Json:
        """The message as a dictionary for a JSON encoder."""
        out: Json = dict(zip(self._names, self._values(message), strict=True))
        for name, made in self._made:
            out[name] = made(out[name])
        for name in self._left_out:
            if not out[name]:
                del out[name]
        for name, make in self.added.items():
            out[name] = make(message)
        return out

    def schema(self) -> Json:
        """The JSON schema of what `json` makes."""
        properties = {key.name: key.schema for key in self.keys}
        sample = message_factory.GetMessageClass(self.descriptor)()
        properties |= {name: _schema_of(make(sample)) for name, make in self.added.items()}
        properties |= {name: _ref(shape) for name, shape in self.beside.items()}
        return {
            "type": "object",
            "properties": properties,
            "required": [
                *(key.name for key in self.keys if not key.left_out_when_empty),
                *self.added,
            ],
            "additionalProperties": False,
        }

    def _key(self, source: FieldDescriptor) -> Key:
        name = self.renamed.get(source.name, source.name)
        made, schema = _made(source)
        path = source.name
        if source.message_type is not None and source.message_type.full_name in _TIMES:
            path = f"{path}.seconds"
            made = _minutes if source.name in self.in_minutes else None
        return Key(name, path, made, name in self.left_out, schema)


def _made(source: FieldDescriptor) -> tuple[Callable[[Any], Any] | None, Json]:
    kind = source.message_type
    if kind is not None and kind.GetOptions().map_entry:
        return dict, {"type": "object", "additionalProperties": {"type": "string"}}
    made, schema = _made_single(source)
    if not source.is_repeated:
        return _unless_empty(made) if made is not None and _is_shaped(source) else made, schema
    array = {"type": "array", "items": schema}
    if made is None:
        return list, array
    return lambda values: [made(value) for value in values], array


def _unless_empty(made: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda message: made(message) if message.ByteSize() else {}


def _made_single(source: FieldDescriptor) -> tuple[Callable[[Any], Any] | None, Json]:
    if source.enum_type is not None:
        words = words_of(source.enum_type)
        return words.__getitem__, {"type": "string", "enum": [*words.values()]}
    if source.message_type is not None:
        if source.message_type.full_name in _TIMES:
            return None, _TIMES[source.message_type.full_name]
        shape = SHAPES[source.message_type.name]
        return shape.json, _ref(shape.name)
    return None, {"type": _TYPES[source.cpp_type]}


def _is_shaped(source: FieldDescriptor) -> bool:
    return source.message_type is not None and source.message_type.name in SHAPES


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


_TYPES = {
    FieldDescriptor.CPPTYPE_STRING: "string",
    FieldDescriptor.CPPTYPE_BOOL: "boolean",
    FieldDescriptor.CPPTYPE_INT32: "integer",
    FieldDescriptor.CPPTYPE_INT64: "integer",
}


# Whole seconds of both, and none of what is not set.
_TIMES: Mapping[str, Json] = {
    "google.protobuf.Timestamp": {"type": "integer", "minimum": 0},
    "google.protobuf.Duration": {"type": "integer"},
}


class _Words(dict[int, str]):
    """Short words by number; what a newer server has beside them is its number."""

    def __missing__(self, number: int) -> str:
        """Called for a number without a word."""
        return str(number)


def words_of(enum: EnumDescriptor) -> dict[int, str]:
    """An enum's short words by number: BUILD_STATUS_PENDING is `pending`, what is not set is empty."""
    prefix = enum.values[0].name.removesuffix("UNSPECIFIED")
    return _Words(
        (value.number, value.name.removeprefix(prefix).lower() if value.number else "")
        for value in enum.values
    )


def _minutes(seconds: Any) -> int:  # noqa: ANN401
    minutes: int = seconds // 60
    return minutes


def _schema_of(value: object) -> Json:
    return {"type": {bool: "boolean", int: "integer", str: "string"}[type(value)]}


def _fixed(**values: object) -> dict[str, Callable[[Any], Any]]:
    def always(value: object) -> Callable[[Any], Any]:
        return lambda _message: value

    return {name: always(value) for name, value in values.items()}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _descriptor(message: type[Message]) -> Descriptor:
    return cast(Descriptor, message.DESCRIPTOR)


def _shapes(*shapes: Shape) -> dict[str, Shape]:
    return {shape.descriptor.name: shape for shape in shapes}


SHAPES: Mapping[str, Shape] = _shapes(
    Shape(
        "Build",
        _descriptor(builds_pb2.Build),
        # `retry_of` is ours and stands there: a restart names the build that it repeats.
        shown=_words(
            "id repo_id number parent status error event action link title message before "
            "after ref source_repo source target deploy_to author_login author_name "
            "author_email author_avatar sender trigger cron params debug timestamp started "
            "finished created updated version stages retry_of"
        ),
        left_out=_words("parent error title cron deploy_to params debug stages retry_of"),
    ),
    Shape(
        "Stage",
        _descriptor(builds_pb2.Stage),
        shown=_words(
            "id repo_id build_id number name kind type status error errignore exit_code "
            "machine os arch variant kernel limit throttle started stopped created updated "
            "version on_success on_failure depends_on labels steps"
        ),
        left_out=_words("kind type error machine variant kernel limit throttle depends_on labels steps"),
    ),
    Shape(
        "Step",
        _descriptor(builds_pb2.Step),
        shown=_words(
            "id stage_id number name status error errignore exit_code started stopped "
            "version depends_on image detached schema"
        ),
        left_out=_words("error errignore started stopped depends_on image detached schema"),
        renamed={"stage_id": "step_id"},
    ),
    Shape(
        "Repo",
        _descriptor(access_pb2.Repository),
        shown=_words(
            "id user_id owner name slug scm git_http_url git_ssh_url link default_branch "
            "visibility config_path timeout counter permissions created updated version "
            "active"
        ),
        left_out=_words("permissions"),
        in_minutes=_words("timeout"),
        beside={"build": "Build"},
        renamed={"owner": "namespace"},
        added=_fixed(
            uid="",
            trusted=False,
            protected=False,
            ignore_forks=False,
            ignore_pull_requests=False,
            auto_cancel_pull_requests=False,
            auto_cancel_pushes=False,
            auto_cancel_running=False,
            archived=False,
            synced=0,
        )
        | {"private": lambda repo: repo.visibility != access_pb2.VISIBILITY_PUBLIC},
    ),
    # Its time is in whole seconds.
    Shape(
        "Line",
        _descriptor(builds_pb2.LogLine),
        shown=_words("position text time"),
        renamed={"position": "pos", "text": "out"},
    ),
    Shape("Permissions", _descriptor(access_pb2.Permissions), shown=_words("read write admin")),
    Shape(
        "User",
        _descriptor(access_pb2.User),
        shown=_words("id login email avatar machine admin created updated"),
        added={"active": lambda user: not user.disabled} | _fixed(syncing=False, synced=0, last_login=0),
    ),
)
BUILD, STAGE, STEP, LINE = SHAPES["Build"], SHAPES["Stage"], SHAPES["Step"], SHAPES["LogLine"]
REPO, USER = SHAPES["Repository"], SHAPES["User"]


# 4 MiB of messages at the most, and about twice that of JSON.
_MOST_REMEMBERED = 1024
_MOST_BYTES = 4096


def listed(build: builds_pb2.Build) -> orjson.Fragment:
    """A build's JSON: of a list, where the same are asked for again and again, a fifth of the time.

    All of the message is the key, so what is remembered is never out of date.
    """
    data = build.SerializeToString()
    return _remembered(data) if len(data) <= _MOST_BYTES else _fragment(data)


def _fragment(data: bytes) -> orjson.Fragment:
    return orjson.Fragment(orjson.dumps(BUILD.json(builds_pb2.Build.FromString(data))))


_remembered = lru_cache(_MOST_REMEMBERED)(_fragment)


def each(shape: Shape, messages: Iterable[Message]) -> list[Json]:
    """A list of messages."""
    return [shape.json(message) for message in messages]
