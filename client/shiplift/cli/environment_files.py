"""Files of environments, as `env export` writes and `env apply` reads them.

Their keys are the fields of the message Environment; enums are short words, and lengths of time such as
`1h30m`. Pure.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple, NoReturn, cast

import yaml
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from shiplift._values import enum, word_of
from shiplift.cli.lengths import length, shown_length
from shiplift.v1 import environments_pb2 as pb

# What the server says of an environment, and where it is.
_NOT_SAID = frozenset({"owner", "repo", "rules_version", "version", "created", "updated"})
_ENVIRONMENT = cast("Descriptor", pb.Environment.DESCRIPTOR)
_FREEZE = cast("Descriptor", pb.Freeze.DESCRIPTOR)
_SECTIONS = ("environments", "repositories", "freezes")


class File(NamedTuple):
    """What a file says; a section that is not there is None, and says nothing."""

    # Of the repository, or of each of an owner's.
    environments: list[pb.Environment] | None = None
    # Of these of an owner's, by name.
    repositories: dict[str, list[pb.Environment]] | None = None
    # Of all of an owner's.
    freezes: list[pb.Freeze] | None = None


def said_fields() -> list[str]:
    """The fields that are said of an environment, but for its name."""
    return [field.name for field in _ENVIRONMENT.fields if field.name not in {*_NOT_SAID, "name"}]


def written(file: File) -> str:
    """A file as text, which `read` reads as what it was."""
    sections: dict[str, object] = {}
    if file.freezes is not None:
        sections["freezes"] = [_plain(each) for each in file.freezes]
    if file.environments is not None:
        sections["environments"] = [_plain(each) for each in file.environments]
    if file.repositories is not None:
        sections["repositories"] = {
            repo: [_plain(each) for each in environments]
            for repo, environments in file.repositories.items()
        }
    return _dumped(sections)


def written_one(message: pb.Environment) -> str:
    """One environment as it stands in a file; empty for none."""
    plain = _plain(message)
    return _dumped(plain) if plain else ""


def written_freezes(freezes: Iterable[pb.Freeze]) -> str:
    """Freezes as they stand in a file; empty for none."""
    plain = [_plain(each) for each in freezes]
    return _dumped(plain) if plain else ""


def _dumped(value: object) -> str:
    # What is not ASCII is escaped, so that nothing in it can steer a terminal.
    text: str = yaml.safe_dump(value, sort_keys=False)
    return text


def _plain(message: Message) -> dict[str, object]:
    return {
        field.name: [_value(field, each) for each in value] if field.is_repeated else _value(field, value)
        for field, value in message.ListFields()
        if not (isinstance(message, pb.Environment) and field.name in _NOT_SAID)
    }


def _value(field: FieldDescriptor, value: Any) -> object:  # noqa: ANN401  # of any field
    if isinstance(value, Duration):
        return shown_length(value)
    if isinstance(value, Message):
        return _plain(value)
    return word_of(field.enum_type, value) if field.enum_type is not None else value


def read(text: str, name: str) -> File:
    """What a file called this says. Raises ValueError, naming the line."""
    return _Reading(name).file(text)


class _Reading:
    """A file that is read; its name stands before each fault."""

    def __init__(self, name: str) -> None:
        self._name = name

    def file(self, text: str) -> File:
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
            raise ValueError(f"{self._name}{line}: is no YAML: {error.problem}") from None
        except yaml.YAMLError as error:
            raise ValueError(f"{self._name}: is no YAML: {str(error).splitlines()[0]}") from None
        if root is None:
            raise ValueError(f"{self._name} is empty: wanted {', '.join(_SECTIONS)}")
        found = self._entries(root, _SECTIONS, "the file")
        if "environments" in found and "repositories" in found:
            self._fail(found["repositories"], "environments are said as well: leave one out")
        repositories = found.get("repositories")
        return File(
            environments=self._environments(found["environments"]) if "environments" in found else None,
            repositories=None
            if repositories is None
            else {
                repo: self._environments(node)
                for repo, node in self._entries(repositories, None, "repositories").items()
            },
            freezes=self._messages(found["freezes"], _FREEZE, "freezes") if "freezes" in found else None,
        )

    def _environments(self, node: yaml.Node) -> list[pb.Environment]:
        found: list[pb.Environment] = self._messages(node, _ENVIRONMENT, "environments")
        names: set[str] = set()
        for each, message in zip(node.value, found, strict=True):
            if not message.name:
                self._fail(each, "the environment has no name")
            if message.name in names:
                self._fail(each, f"environment {message.name} stands there twice")
            names.add(message.name)
        return found

    def _messages(self, node: yaml.Node, kind: Descriptor, at: str) -> list[Any]:
        return [self._message(each, kind, at) for each in self._list(node, at)]

    def _message(self, node: yaml.Node, kind: Descriptor, at: str) -> Message:
        fields = {
            field.name: field
            for field in kind.fields
            if not (kind is _ENVIRONMENT and field.name in _NOT_SAID)
        }
        entries = self._entries(node, fields, at)
        values = {name: self._field(each, fields[name]) for name, each in entries.items()}
        return GetMessageClass(kind)(**values)

    def _field(self, node: yaml.Node, field: FieldDescriptor) -> object:
        if field.is_repeated:
            return [self._single(each, field) for each in self._list(node, field.name)]
        return self._single(node, field)

    def _single(self, node: yaml.Node, field: FieldDescriptor) -> object:
        kind = field.message_type
        if kind is not None and kind is not Duration.DESCRIPTOR:
            return self._message(node, kind, field.name)
        if not isinstance(node, yaml.ScalarNode) or node.tag == "tag:yaml.org,2002:null":
            self._fail(node, f"{field.name} is a list, a mapping or empty: wanted one value")
        try:
            return _read_scalar(node, field)
        except ValueError as error:
            self._fail(node, str(error))

    def _list(self, node: yaml.Node, at: str) -> list[yaml.Node]:
        if not isinstance(node, yaml.SequenceNode):
            self._fail(node, f"{at}: wanted a list")
        return list(node.value)

    def _entries(self, node: yaml.Node, known: Collection[str] | None, at: str) -> Mapping[str, yaml.Node]:
        """A mapping's values; any key goes where none is known."""
        if not isinstance(node, yaml.MappingNode):
            self._fail(node, f"{at}: wanted keys and values")
        found: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._fail(key, f"{at}: a key is a list or a mapping: wanted a name")
            if known is not None and key.value not in known:
                self._fail(key, f"{at}: there is no {key.value[:60]!r}: wanted some of {', '.join(known)}")
            if key.value in found:
                self._fail(key, f"{at}: {key.value} stands there twice")
            found[key.value] = value
        return found

    def _fail(self, node: yaml.Node, told: str) -> NoReturn:
        raise ValueError(f"{self._name}:{node.start_mark.line + 1}: {told}")


def _read_scalar(node: yaml.ScalarNode, field: FieldDescriptor) -> object:
    """A value as its field wants it; texts are taken as they are written. Raises ValueError."""
    text: str = node.value
    if field.message_type is not None:
        try:
            return length(text)
        except ValueError as error:
            raise ValueError(f"{field.name}: {error}") from None
    if field.enum_type is not None:
        return enum(field.enum_type, field.name, text)
    if field.type == FieldDescriptor.TYPE_BOOL:
        if node.tag != "tag:yaml.org,2002:bool":
            raise ValueError(f"{field.name}: {text!r}: wanted true or false")
        return text.lower() in ("true", "yes", "on")
    if field.type == FieldDescriptor.TYPE_STRING:
        return text
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise ValueError(f"{field.name}: {text!r}: wanted a number")
    return int(text)
