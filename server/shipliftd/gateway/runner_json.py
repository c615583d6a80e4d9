"""What Drone's runners say, as our requests. Pure.

A runner sends all that it knows of a stage or step, and less than we know: what it does not name stays
as it is, and what is not a runner's to say is passed over. Texts that are too long are cut, because a
report that is refused would leave its stage running.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from shiplift.v1 import builds_pb2, stages_pb2

from shipliftd.gateway.failures import Failure, invalid
from shipliftd.gateway.shapes import words_of

_KINDS = ("", "pipeline")
_PLATFORM = ("os", "arch", "variant", "kernel")
_OF_STAGE = (
    *("version", "status", "error", "exit_code", "machine", "started", "stopped"),
    *_PLATFORM,
)
_OF_STEP = ("version", "status", "error", "exit_code", "started", "stopped", "schema")
_WITH_STAGE = (
    *("number", "name", "status", "error", "errignore", "exit_code", "started", "stopped"),
    *("depends_on", "image", "detached", "schema"),
)
_MOST: Mapping[str, int] = {
    **{"error": 2000, "machine": 200, "schema": 1000, "image": 1000},
    **dict.fromkeys(_PLATFORM, 100),
}
_STATUSES = {
    word: status
    for status, word in words_of(builds_pb2.DESCRIPTOR.enum_types_by_name["BuildStatus"]).items()
}
# Windows has exit codes past them.
_LEAST_WHOLE, _MOST_WHOLE = -(2**31), 2**31 - 1
_MOST_SECONDS = 253_402_300_799

# Well below what AppendLog takes.
_LINES_A_BATCH = 5_000
_BYTES_A_BATCH = 1024 * 1024
# What a step keeps, as AppendLog says, without the line that says how many are missing.
_MOST_LOG_BYTES = 5 * 1024 * 1024 - 200


def wanted(body: object, machine: str) -> stages_pb2.AcquireStageRequest | None:
    """What a filter asks for; None where it is for stages of a kind that there is not here."""
    found = _object(body)
    if _text("kind", found.get("kind") or "") not in _KINDS:
        return None
    looks = {name: _text(name, found.get(name) or "") for name in ("type", *_PLATFORM)}
    labels = found.get("labels") or {}
    if not isinstance(labels, dict):
        raise _wrong("labels", "an object")
    texts = {name: _text(f"labels.{name}", value) for name, value in labels.items()}
    return stages_pb2.AcquireStageRequest(machine=machine, kind="pipeline", labels=texts, **looks)


def of_stage(stage_id: int, body: object) -> stages_pb2.UpdateStageRequest:
    """A stage's report."""
    found = _object(body)
    steps = [
        stages_pb2.StepReport(**_fields(_object(step), _WITH_STAGE))
        for step in _list("steps", found.get("steps"))
    ]
    told = {"version": 0, **_fields(found, _OF_STAGE)}
    return stages_pb2.UpdateStageRequest(stage_id=stage_id, steps=steps, **told)


def of_step(step_id: int, body: object) -> stages_pb2.UpdateStepRequest:
    """A step's report."""
    told = {"version": 0, **_fields(_object(body), _OF_STEP)}
    return stages_pb2.UpdateStepRequest(step_id=step_id, **told)


def of_card(step_id: int, body: object) -> stages_pb2.UpdateStepRequest:
    """A step's card: of it we have its form."""
    return stages_pb2.UpdateStepRequest(step_id=step_id, **_fields(_object(body), ("schema",)))


def of_log(step_id: int, body: object, replace: bool) -> Iterator[stages_pb2.AppendLogRequest]:
    """Lines of a log, in as many requests as they need.

    A whole log, which replaces what was there, begins at 0: of one that grew too long its runner has
    dropped the first lines, and numbers the others on. Then the first one says how many are missing.
    """
    request, size = stages_pb2.AppendLogRequest(step_id=step_id, replace=replace), 0
    lines = [_line(sent) for sent in _list("lines", body)]
    if replace and lines:
        lines = _saying_what_is_missing(lines)
    for count, line in enumerate(lines):
        position = count if replace else line.position
        line.ClearField("position")
        follows = position == request.first_position + len(request.lines)
        if request.lines and not (
            follows and len(request.lines) < _LINES_A_BATCH and size < _BYTES_A_BATCH
        ):
            yield request
            request, size = stages_pb2.AppendLogRequest(step_id=step_id), 0
        if not request.lines:
            request.first_position = position
        request.lines.append(line)
        size += line.ByteSize()
    if request.lines:
        yield request


def _line(sent: object) -> builds_pb2.LogLine:
    found = _object(sent)
    return builds_pb2.LogLine(
        position=_whole("pos", found.get("pos") or 0),
        text=_text("out", found.get("out") or ""),
        time=Duration(seconds=_whole("time", found.get("time") or 0)),
    )


def _saying_what_is_missing(lines: list[builds_pb2.LogLine]) -> list[builds_pb2.LogLine]:
    if not lines[0].position:
        return lines
    # Its runner kept as much as the server does, so this line needs room.
    first, size = 0, sum(len(line.text.encode()) for line in lines)
    while size > _MOST_LOG_BYTES and first < len(lines) - 1:
        size -= len(lines[first].text.encode())
        first += 1
    told = f"{lines[0].position + first} lines left out: what follows is the end of the log.\n"
    return [builds_pb2.LogLine(text=told, time=lines[first].time), *lines[first:]]


def _fields(found: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """The fields of these names that have a value, as protobuf takes them."""
    made = {name: _READ[name](name, found[name]) for name in names if found.get(name) is not None}
    return {name: value for name, value in made.items() if value is not None}


def _object(found: object) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise _wrong("the body, or a part of it", "an object")
    return found


def _list(name: str, found: object) -> list[Any]:
    # What is an empty list in Go is often null in JSON.
    if found is None:
        return []
    if not isinstance(found, list):
        raise _wrong(name, "a list")
    return found


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise _wrong(name, "a text")
    return value


def _cut_text(name: str, value: object) -> str:
    return _text(name, value)[: _MOST[name]]


def _texts(name: str, value: object) -> list[str]:
    return [_text(name, text) for text in _list(name, value)]


def _whole(name: str, value: object) -> int:
    if type(value) is not int:
        raise _wrong(name, "a whole number")
    return min(max(value, _LEAST_WHOLE), _MOST_WHOLE)


def _truth(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise _wrong(name, "true or false")
    return value


def _moment(name: str, value: object) -> Timestamp | None:
    if type(value) is not int:
        raise _wrong(name, "a time in seconds")
    # 0: not yet.
    return Timestamp(seconds=min(value, _MOST_SECONDS)) if value > 0 else None


def _status(name: str, value: object) -> int:
    word = _text(name, value)
    if word not in _STATUSES:
        raise _wrong(name, "a status")
    return _STATUSES[word]


def _wrong(name: str, wanted: str) -> Failure:
    return invalid(f"{name}: wanted {wanted}")


_READ: Mapping[str, Any] = {
    "version": _whole,
    "number": _whole,
    "name": _text,
    "status": _status,
    "error": _cut_text,
    "errignore": _truth,
    "exit_code": _whole,
    "machine": _cut_text,
    **dict.fromkeys(_PLATFORM, _cut_text),
    "started": _moment,
    "stopped": _moment,
    "depends_on": _texts,
    "image": _cut_text,
    "detached": _truth,
    "schema": _cut_text,
}
