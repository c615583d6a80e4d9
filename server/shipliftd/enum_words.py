"""The API's enums and the short lower-case words that stand for them in the store and on Drone's wire."""

import json
from collections.abc import Mapping
from typing import TypeVar, cast

from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb

E = TypeVar("E", bound=int)


def _words(enum: type[E], prefix: str) -> dict[E, str]:
    wrapper = cast(EnumTypeWrapper, enum)
    return {cast(E, value): name.removeprefix(prefix).lower() for name, value in wrapper.items() if value}


STATUS_WORD: Mapping[pb.BuildStatus, str] = _words(pb.BuildStatus, "BUILD_STATUS_")
EVENT_WORD: Mapping[pb.BuildEvent, str] = _words(pb.BuildEvent, "BUILD_EVENT_")
VISIBILITY_WORD: Mapping[access_pb2.Visibility, str] = _words(access_pb2.Visibility, "VISIBILITY_")
LEVEL_WORD: Mapping[access_pb2.AccessLevel, str] = _words(access_pb2.AccessLevel, "ACCESS_LEVEL_")
ACTION_WORD: Mapping[access_pb2.TokenAction, str] = _words(access_pb2.TokenAction, "TOKEN_ACTION_")

RESULT_OF: Mapping[str, pb.GateResult] = {
    word: value for value, word in _words(pb.GateResult, "GATE_RESULT_").items()
}
STATUS_OF: Mapping[str, pb.BuildStatus] = {word: value for value, word in STATUS_WORD.items()}
EVENT_OF: Mapping[str, pb.BuildEvent] = {word: value for value, word in EVENT_WORD.items()}
ENVIRONMENT_ACTION_OF: Mapping[str, pb.EnvironmentAction] = {
    word: value for value, word in _words(pb.EnvironmentAction, "ENVIRONMENT_ACTION_").items()
}
VISIBILITY_OF: Mapping[str, access_pb2.Visibility] = {
    word: value for value, word in VISIBILITY_WORD.items()
}


# Made once: `json.dumps` with such words makes one for each call.
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def as_json(value: object) -> str:
    """A list or map as the store keeps it."""
    return _ENCODER.encode(value)
