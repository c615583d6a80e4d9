"""Messages as Drone's JSON: each field of each is a key of Drone's, or one that Drone has not.

The lists are those of Drone 2.25 on the wire, by hand.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb
from shipliftd.gateway.shapes import SHAPES, words_of


class Drone(NamedTuple):
    """Drone's keys of one object, by type; those in `empty` are left out when they are empty."""

    strings: str = ""
    integers: str = ""
    booleans: str = ""
    others: str = ""
    empty: str = ""

    def types(self) -> dict[str, type | None]:
        """The type of each key; None: an object or a list."""
        kinds: tuple[tuple[str, type | None], ...] = (
            (self.strings, str),
            (self.integers, int),
            (self.booleans, bool),
            (self.others, None),
        )
        return {key: kind for keys, kind in kinds for key in keys.split()}


DRONE = {
    "Build": Drone(
        strings="trigger status error event action link title message before after ref source_repo source"
        " target author_login author_name author_email author_avatar sender cron deploy_to",
        # The last one is Shiplift's, beside Drone's own.
        integers="id repo_id number parent timestamp deploy_id started finished created updated version"
        " retry_of",
        booleans="debug",
        others="params stages",
        empty="error title cron deploy_to parent deploy_id params debug stages retry_of",
    ),
    "Stage": Drone(
        strings="name kind type status error machine os arch variant kernel",
        integers="id repo_id build_id number exit_code limit throttle started stopped created updated"
        " version",
        booleans="errignore on_success on_failure",
        others="depends_on labels steps",
        empty="kind type error machine variant kernel limit throttle depends_on labels steps",
    ),
    "Step": Drone(
        strings="name status error image schema",
        integers="id step_id number exit_code started stopped version",
        booleans="errignore detached",
        others="depends_on",
        empty="error errignore started stopped depends_on image detached schema",
    ),
    "Repository": Drone(
        strings="uid namespace name slug scm git_http_url git_ssh_url link default_branch visibility"
        " config_path",
        integers="id user_id timeout throttle counter synced created updated version",
        booleans="private active trusted protected ignore_forks ignore_pull_requests"
        " auto_cancel_pull_requests auto_cancel_pushes auto_cancel_running archived",
        others="build permissions",
        empty="throttle build permissions",
    ),
    "Permissions": Drone(booleans="read write admin"),
    "User": Drone(
        strings="login email avatar",
        integers="id synced created updated last_login",
        booleans="machine admin active syncing",
    ),
}
MESSAGES: dict[str, Callable[..., Message]] = {
    "Build": pb.Build,
    "Stage": pb.Stage,
    "Step": pb.Step,
    "Repository": access_pb2.Repository,
    "Permissions": access_pb2.Permissions,
    "User": access_pb2.User,
}
RENAMED = {("Step", "stage_id"): "step_id", ("Repository", "owner"): "namespace"}
# What Shiplift has and Drone has not.
OURS = {
    "Build": {
        *("owner", "repo", "origin", "external_id", "release", "artifacts"),
        *("waiting_for", "warnings", "verdicts", "approvals"),
        *("comment", "rollback_of", "rolled_back_by", "superseded_by", "masked_params"),
    },
    "Stage": {"message", "link"},
    "Repository": {"runner_secrets"},
    # The other way round it is `active`.
    "User": {"disabled"},
}
# What Drone leaves out when it is empty, and Shiplift has not at all.
NEVER = {"Build": {"deploy_id"}, "Repository": {"throttle", "build"}}
# What some routes alone have.
BESIDE = {"Repository": {"build"}}
NAMES = list(DRONE)


def descriptor(name: str) -> Descriptor:
    return cast(Descriptor, MESSAGES[name]().DESCRIPTOR)


def key(name: str, field: FieldDescriptor) -> str:
    return RENAMED.get((name, field.name), field.name)


@pytest.mark.parametrize("name", NAMES)
def test_every_field_is_a_key_of_drones_or_known_as_ours(name: str) -> None:
    drone, shape = DRONE[name].types(), SHAPES[name]
    ours = {field.name for field in descriptor(name).fields if key(name, field) not in drone}
    assert ours == OURS.get(name, set())
    # A new field is in neither list, and does not stand there of itself.
    assert shape.shown == {field.name for field in descriptor(name).fields} - ours
    # None is named that is not there.
    assert ours <= {field.name for field in descriptor(name).fields}


@pytest.mark.parametrize("name", NAMES)
def test_every_key_of_drones_is_there_when_every_field_is_set(name: str) -> None:
    found = SHAPES[name].json(full(name))
    types = {k: kind for k, kind in DRONE[name].types().items() if k not in NEVER.get(name, set())}
    assert found.keys() == types.keys()
    assert {k: type(found[k]) for k, kind in types.items() if kind} == {
        k: kind for k, kind in types.items() if kind
    }


@pytest.mark.parametrize("name", NAMES)
def test_of_an_empty_message_those_are_left_out_that_drone_leaves_out(name: str) -> None:
    found = SHAPES[name].json(MESSAGES[name]())
    types = {k: kind for k, kind in DRONE[name].types().items() if k not in DRONE[name].empty.split()}
    assert None not in types.values()
    expected = {k: kind() for k, kind in types.items() if kind}
    assert found == expected | EMPTY.get(name, {})
    assert {k: type(value) for k, value in found.items()} == types


# What is not zero even then: a user whom nobody has disabled is active, and a repository that nobody has
# opened is a private one.
EMPTY: dict[str, dict[str, object]] = {
    "User": {"active": True},
    "Repository": {"private": True},
}


@pytest.mark.parametrize("name", NAMES)
def test_the_schema_says_what_is_there(name: str) -> None:
    schema, drone = SHAPES[name].schema(), DRONE[name].types()
    kinds = {str: "string", int: "integer", bool: "boolean"}
    assert schema["properties"].keys() == (drone.keys() - NEVER.get(name, set())) | BESIDE.get(name, set())
    for k, kind in drone.items():
        if kind is not None and k not in NEVER.get(name, set()):
            assert schema["properties"][k]["type"] == kinds[kind], k
    assert set(schema["required"]) == drone.keys() - set(DRONE[name].empty.split())
    assert schema["additionalProperties"] is False


# Whole.


def full(name: str) -> Message:
    """A message with every field set, to a value of its own."""
    message = MESSAGES[name]()
    for field in descriptor(name).fields:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            getattr(message, field.name)["K"] = f"v{field.number}"
        elif field.is_repeated:
            getattr(message, field.name).append(value_of(field))
        elif field.message_type is not None:
            getattr(message, field.name).CopyFrom(value_of(field))
        else:
            setattr(message, field.name, value_of(field))
    return message


def value_of(field: FieldDescriptor) -> Any:  # noqa: ANN401
    if field.enum_type is not None:
        return field.enum_type.values[-1].number
    if field.message_type is not None:
        kind = field.message_type.name
        if kind == "Timestamp":
            return Timestamp(seconds=1_000 + field.number, nanos=999_999_999)
        if kind == "Duration":
            return Duration(seconds=60 * field.number, nanos=999_999_999)
        return full(kind) if kind in MESSAGES else message_factory.GetMessageClass(field.message_type)()
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return f"v{field.number}"
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return True
    return field.number


FULL_STEP = {
    "id": 1,
    "step_id": 2,
    "number": 3,
    "name": "v4",
    "status": "error",
    "error": "v6",
    "errignore": True,
    "exit_code": 8,
    "started": 1009,
    "stopped": 1010,
    "version": 11,
    "depends_on": ["v12"],
    "image": "v13",
    "detached": True,
    "schema": "v15",
}
FULL_STAGE = {
    "id": 1,
    "repo_id": 2,
    "build_id": 3,
    "number": 4,
    "name": "v5",
    "kind": "v6",
    "type": "v7",
    "status": "error",
    "error": "v9",
    "errignore": True,
    "exit_code": 11,
    "machine": "v12",
    "os": "v13",
    "arch": "v14",
    "variant": "v15",
    "kernel": "v16",
    "limit": 17,
    "throttle": 18,
    "started": 1019,
    "stopped": 1020,
    "created": 1021,
    "updated": 1022,
    "version": 23,
    "on_success": True,
    "on_failure": True,
    "depends_on": ["v26"],
    "labels": {"K": "v27"},
    "steps": [FULL_STEP],
}
FULL: dict[str, dict[str, object]] = {
    "Build": {
        "id": 1,
        "repo_id": 2,
        "number": 5,
        "parent": 6,
        "status": "error",
        "error": "v9",
        "event": "rollback",
        "action": "v11",
        "link": "v12",
        "title": "v13",
        "message": "v14",
        "before": "v15",
        "after": "v16",
        "ref": "v17",
        "source_repo": "v18",
        "source": "v19",
        "target": "v20",
        "deploy_to": "v21",
        "author_login": "v22",
        "author_name": "v23",
        "author_email": "v24",
        "author_avatar": "v25",
        "sender": "v26",
        "trigger": "v27",
        "cron": "v28",
        "params": {"K": "v29"},
        "debug": True,
        "timestamp": 1031,
        "started": 1032,
        "finished": 1033,
        "created": 1034,
        "updated": 1035,
        "version": 36,
        "retry_of": 42,
        "stages": [FULL_STAGE],
    },
    "Stage": FULL_STAGE,
    "Step": FULL_STEP,
    "Repository": {
        "id": 1,
        "uid": "",
        "user_id": 2,
        "namespace": "v3",
        "name": "v4",
        "slug": "v5",
        "scm": "v6",
        "git_http_url": "v7",
        "git_ssh_url": "v8",
        "link": "v9",
        "default_branch": "v10",
        "private": False,
        "visibility": "public",
        "active": True,
        "config_path": "v12",
        "trusted": False,
        "protected": False,
        "ignore_forks": False,
        "ignore_pull_requests": False,
        "auto_cancel_pull_requests": False,
        "auto_cancel_pushes": False,
        "auto_cancel_running": False,
        "archived": False,
        "timeout": 13,
        "counter": 14,
        "synced": 0,
        "created": 1016,
        "updated": 1017,
        "version": 18,
        "permissions": {"read": True, "write": True, "admin": True},
    },
    "Permissions": {"read": True, "write": True, "admin": True},
    "User": {
        "id": 1,
        "login": "v2",
        "email": "v3",
        "machine": True,
        "admin": True,
        "active": False,
        "avatar": "v4",
        "syncing": False,
        "synced": 0,
        "created": 1007,
        "updated": 1008,
        "last_login": 0,
    },
}


@pytest.mark.parametrize("name", NAMES)
def test_a_full_message_is_this(name: str) -> None:
    assert SHAPES[name].json(full(name)) == FULL[name]


def test_words_are_short_and_in_lower_case() -> None:
    assert [*words_of(pb.BuildStatus.DESCRIPTOR).values()] == [
        "",
        *("skipped", "blocked", "declined", "waiting_on_dependencies", "pending", "running"),
        *("success", "failure", "killed", "error"),
    ]
    assert [*words_of(pb.BuildEvent.DESCRIPTOR).values()] == [
        "",
        *("push", "pull_request", "tag", "cron", "custom", "promote", "rollback"),
    ]
    assert [*words_of(access_pb2.Visibility.DESCRIPTOR).values()] == [
        *("", "private", "internal", "public"),
    ]


def test_a_word_that_only_a_newer_server_has_is_its_number() -> None:
    # Behind a gateway of its own may be any release.
    newer = pb.Build.FromString(pb.Build(number=1).SerializeToString() + b"\x40\x63")
    assert SHAPES["Build"].json(newer)["status"] == "99"
