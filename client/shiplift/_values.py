"""What a caller writes, as what a message takes; and an enum's value as what a caller reads."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar, cast

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

M = TypeVar("M", bound=Message)


def word(message: Message, field: str) -> str:
    """The value of a message's enum in a short word: `success` for BUILD_STATUS_SUCCESS.

    Empty where it is not set; the number in figures where this library is older than the value.

        if shiplift.word(build, "status") == "success": ...

    Raises ValueError when the message has no such enum.
    """
    found = message.DESCRIPTOR.fields_by_name.get(field)
    if found is None or found.enum_type is None or found.is_repeated:
        raise ValueError(f"{message.DESCRIPTOR.name} has no single enum {field!r}")
    return word_of(cast("EnumDescriptor", found.enum_type), getattr(message, field))


def word_of(kind: EnumDescriptor, number: int) -> str:
    """The same for the number of a value."""
    if number not in kind.values_by_number:
        return str(number)
    return _word(kind, kind.values_by_number[number].name) if number else ""


def _word(kind: EnumDescriptor, name: str) -> str:
    return name.removeprefix(kind.values_by_number[0].name.removesuffix("UNSPECIFIED")).lower()


def enum(kind: EnumDescriptor, field: str, value: Any) -> Any:  # noqa: ANN401
    """An enum's value as it is, its short word as its name: `success` as `BUILD_STATUS_SUCCESS`.

    Raises ValueError when no value is called this.
    """
    if not isinstance(value, str) or value in kind.values_by_name:
        return value
    words = {_word(kind, each.name): each.name for each in kind.values if each.number}
    if value.lower() not in words:
        raise ValueError(f"{field}: {value!r} is none: wanted one of {', '.join(words)}")
    return words[value.lower()]


def flag(value: bool | None) -> Any:  # noqa: ANN401
    """A flag, or None where nothing is said of it, of which the stubs of messages do not know."""
    return value


def timestamp(field: str, value: datetime | None) -> Timestamp | None:
    """A time. Raises ValueError when it has no time zone, for then it could be any."""
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError(f"{field}: {value.isoformat()} has no time zone: say datetime.now(UTC)")
    made = Timestamp()
    made.FromDatetime(value)
    return made


def texts(field: str, value: Mapping[str, str] | None) -> Mapping[str, str] | None:
    """A map of texts. Raises TypeError for what is none, without its value, which may be a secret."""
    for key, text in (value or {}).items():
        if not isinstance(key, str):
            raise TypeError(f"{field} has a key of the type {type(key).__name__}: wanted a text")
        if not isinstance(text, str):
            raise TypeError(
                f"{field}[{key!r}] is of the type {type(text).__name__}: wanted a text, in quotes"
            )
    return value


def message(kind: type[M], field: str, value: M | Mapping[str, Any] | None) -> M | None:
    """A message as it is, or made of a mapping, at whose every depth words stand for enums' values.

    Raises ValueError and TypeError, naming the field from the top.
    """
    if value is None or isinstance(value, kind):
        return value
    if not isinstance(value, Mapping):
        raise TypeError(
            f"{field} is of the type {type(value).__name__}: wanted {kind.__name__} or a mapping"
        )
    return kind(**_fields(cast("Descriptor", kind.DESCRIPTOR), field, value))


def messages(kind: type[M], field: str, values: Iterable[M | Mapping[str, Any]]) -> list[M]:
    """Some of them."""
    made = (message(kind, f"{field}[{n}]", value) for n, value in enumerate(values))
    return [each for each in made if each is not None]


def _fields(kind: Descriptor, at: str, values: Mapping[str, Any]) -> dict[str, Any]:
    unknown = [name for name in values if name not in kind.fields_by_name]
    if unknown:
        wanted = ", ".join(field.name for field in kind.fields)
        raise ValueError(f"{at} has no {unknown[0]!r}: {kind.name} has {wanted}")
    return {
        name: _field(kind.fields_by_name[name], f"{at}.{name}", value) for name, value in values.items()
    }


def _field(field: FieldDescriptor, at: str, value: Any) -> Any:  # noqa: ANN401
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return texts(at, value)
    if field.is_repeated and value is not None:
        return [_single(field, f"{at}[{n}]", each) for n, each in enumerate(value)]
    return _single(field, at, value)


def _single(field: FieldDescriptor, at: str, value: Any) -> Any:  # noqa: ANN401
    if field.enum_type is not None:
        return enum(field.enum_type, at, value)
    if isinstance(value, datetime):
        return timestamp(at, value)
    if isinstance(value, Mapping):
        return _fields(field.message_type, at, value) if field.message_type is not None else value
    return value
