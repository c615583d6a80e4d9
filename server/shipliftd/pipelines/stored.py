"""What is stored of a pipeline file: JSON, read again by this release and later ones."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, TypeAlias, TypeVar, cast

from shipliftd.pipelines.conditions import ALWAYS, WHEN, Condition, Conditions
from shipliftd.pipelines.said import Pipeline, Pipelines, Secret, Step, counted

T = TypeVar("T")
_Makers: TypeAlias = dict[str, Callable[[Any], object]]


def dump(pipelines: Pipelines) -> str:
    """The pipelines as JSON, without what is as it is by default."""
    return json.dumps(_plain(pipelines.pipelines), ensure_ascii=False, separators=(",", ":"))


def load(text: str) -> Pipelines:
    """The pipelines of what `dump` made, of this release or an earlier one."""
    return counted(Pipelines(tuple(_pipeline(value) for value in json.loads(text))))


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if is_dataclass(value):
        told = ((part, getattr(value, part.name)) for part in fields(value))
        return {part.name: _plain(item) for part, item in told if item != _default(part)}
    return value


def _default(part: Field[Any]) -> object:
    return part.default if part.default_factory is MISSING else part.default_factory()


def _made(kind: type[T], value: Mapping[str, Any], **made: Callable[[Any], object]) -> T:
    """An object of its plain form; parts that only a later release knows are left out."""
    names = [part.name for part in fields(cast(Any, kind)) if part.name in value]
    return kind(**{name: made[name](value[name]) if name in made else value[name] for name in names})


def _pipeline(value: Mapping[str, Any]) -> Pipeline:
    made: _Makers = {
        "depends_on": tuple,
        "trigger": _conditions,
        "environment": _environment,
        "steps": _steps,
        "secrets": tuple,
    }
    return _made(Pipeline, value, **made)


def _steps(values: Sequence[Mapping[str, Any]]) -> tuple[Step, ...]:
    made: _Makers = {
        "commands": tuple,
        "depends_on": tuple,
        "when": _conditions,
        "environment": _environment,
        "secrets": tuple,
    }
    return tuple(_made(Step, value, **made) for value in values)


def _environment(value: Mapping[str, Any]) -> dict[str, str | Secret]:
    return {name: item if isinstance(item, str) else _made(Secret, item) for name, item in value.items()}


def _conditions(value: Mapping[str, Any]) -> Conditions:
    if not value:
        return ALWAYS
    return _made(Conditions, value, **dict.fromkeys((*WHEN, "status"), _condition))


def _condition(value: Mapping[str, Any]) -> Condition:
    return _made(Condition, value, include=tuple, exclude=tuple)
