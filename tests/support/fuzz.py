"""What atheris tries: requests for every rpc, on the real servicers, and pipeline files.

    python -m tests.support.fuzz requests|pipelines FOLDER [OPTION OF LIBFUZZER]...

looks for new ways through the server's code for as long, or as often, as the options say. It ends with a
trace, and not with exit code 0, where something is raised that is no refusal, or an rpc ends in a status
that tells of a defect.
"""

import asyncio
import itertools
import sys
from pathlib import Path
from typing import Any

import atheris
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import DecodeError, Message

with atheris.instrument_imports(include=["shipliftd"]):
    import grpc
    from shiplift.v1 import (
        access_pb2,
        access_pb2_grpc,
        builds_pb2_grpc,
        environments_pb2_grpc,
        secrets_pb2_grpc,
        server_pb2_grpc,
        stages_pb2_grpc,
    )
    from shipliftd import first_start
    from shipliftd.access import tokens, users
    from shipliftd.api.inprocess import InProcess
    from shipliftd.api.interceptors import Interceptor
    from shipliftd.api.services.access import AccessService
    from shipliftd.api.services.builds import BuildService
    from shipliftd.api.services.environments import EnvironmentService
    from shipliftd.api.services.runs import Runs
    from shipliftd.api.services.secrets import SecretService
    from shipliftd.api.services.server import ServerService
    from shipliftd.api.services.stages import StageService
    from shipliftd.builds.parameters import ParameterRules
    from shipliftd.descriptors import SERVICES
    from shipliftd.errors import Invalid, Precondition
    from shipliftd.logins import Logins
    from shipliftd.pipelines import parse
    from shipliftd.pipelines.conditions import Facts
    from shipliftd.pipelines.matching import match
    from shipliftd.secrets.keys import Keyring
    from shipliftd.settings import Limits, Settings
    from shipliftd.stages.known_runners import KnownRunners
    from shipliftd.store import open_store

from tests.support import postgres
from tests.support.harness import SECRET_KEY
from tests.support.repository import COMMIT
from tests.support.rpcs import RPCS, is_map, message, path, rule

PIPELINE = """\
kind: pipeline
type: docker
name: deploy
platform: {os: linux, arch: amd64}
trigger: {event: [promote], target: {include: ["q*"]}}
depends_on: [build]
concurrency: {limit: 1}
steps:
- {name: one, image: "a:${DRONE_COMMIT_SHA:0:8}", commands: ["echo ${A:-b}"], environment: {K: v}}
- {name: two, image: b, when: {status: [failure], branch: main}, depends_on: [one], failure: ignore}
"""
# What gets past the first look at a request.
BY_NAME = {
    "owner": ["octocat"],
    "repo": ["app", "app", "*"],
    "login": ["admin", "ann"],
    "target": ["qa", "production"],
    "environment": ["qa", "production"],
    "machine": ["box"],
    "after": [COMMIT],
    "pipeline": [PIPELINE, PIPELINE.replace("depends_on: [build]\n", "")],
    "request_id": ["one", "two"],
    "paths": [
        *("link", "email", "admin", "disabled", "active", "timeout", "*"),
        *("freezes", "params", "soak", "required_approvals", "approvers", "requires", "queue_policy"),
    ],
    "name": ["a", "one", "qa", "production", "A", "PATH"],
    "requires": ["qa", "production", "staging"],
    "promoters": ["admin", "ann"],
    "approvers": ["admin", "ann"],
    "overriders": ["admin", "ann"],
    "zone": ["Europe/Berlin", "Australia/Lord_Howe", "Mars"],
    "from": ["Fri 16:00", "2026-03-29T02:30", "0001-01-01T00:00", ""],
    "to": ["Mon 08:00", "Fri 16:00", "9998-12-31T23:59:59", ""],
    "default": ["a", "1"],
    "choices": ["a", "1"],
    "pattern": ["(a*)*b", "[a1]", "(", "\\pL{1000}"],
    "gate": ["hold", "freeze", "success", "predecessor", "queue"],
    "kind": ["pipeline", "external"],
    "type": ["exec", "docker"],
    "repositories": ["octocat/app", "octocat/*"],
}
NAMING = {
    "owner",
    "repo",
    "build",
    "target",
    "environment",
    "login",
    "machine",
    "after",
    "status",
    "level",
    "id",
    "name",
    "zone",
    "gate",
} | {"stage_id", "step_id", "update_mask", "paths", "repository", "user", "reason", "rules"}
NUMBERS = [0, 1, 1, 1, 2, 2, 3, 4, 5, -1, 100, 2**31 - 1, -(2**31), 2**53, 2**63 - 1, -(2**63)]
# A store with something to ask for: builds 3 and 4 are promotions, and a runner has the stage of the first;
# 5 waits for people, and 6 for its turn.
APP: dict[str, Any] = {"owner": "octocat", "repo": "app"}
BEFORE: list[tuple[str, dict[str, Any]]] = [
    ("CreateRepository", APP),
    ("CreateUser", {"login": "ann"}),
    ("GrantAccess", {**APP, "login": "ann", "level": "ACCESS_LEVEL_WRITE"}),
    ("CreateBuild", {**APP, "after": COMMIT, "status": "BUILD_STATUS_SUCCESS"}),
    (
        "CreateBuild",
        {**APP, "after": COMMIT, "status": "BUILD_STATUS_SUCCESS", "pipeline": BY_NAME["pipeline"][1]},
    ),
    ("PromoteBuild", {**APP, "build": 1, "target": "qa"}),
    ("PromoteBuild", {**APP, "build": 2, "target": "qa"}),
    ("AcceptStage", {"stage_id": 3, "machine": "box"}),
    (
        "UpdateStage",
        {"stage_id": 3, "status": "BUILD_STATUS_RUNNING", "steps": [{"number": 1, "name": "one"}]},
    ),
    ("AppendLog", {"step_id": 1, "lines": [{"text": "a"}]}),
    ("CreateEnvironment", {**APP, "environment": {"name": "production", "required_approvals": 1}}),
    ("CreateEnvironment", {**APP, "environment": {"name": "qa", "queue_policy": "QUEUE_POLICY_SUPERSEDE"}}),
    ("PromoteBuild", {**APP, "build": 1, "target": "production"}),
    ("PromoteBuild", {**APP, "build": 1, "target": "qa"}),
    ("SetSecret", {**APP, "name": "one", "value": "hidden"}),
]
# More than any enum has words.
MOST_ENUM = 16
_BITS = {FieldDescriptor.CPPTYPE_INT32: 31, FieldDescriptor.CPPTYPE_INT64: 63}
DEFECTS = {
    *(grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNAVAILABLE),
    *(grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.DATA_LOSS, grpc.StatusCode.CANCELLED),
}


def text(data: Any, name: str) -> str:  # noqa: ANN401  # atheris has no types
    """A text for a field of this name: mostly one that does, else any."""
    if data.ConsumeIntInRange(0, 7):
        return str(data.PickValueInList(BY_NAME.get(name, ["a", "b", "1"])))
    return str(data.ConsumeUnicodeNoSurrogates(data.ConsumeIntInRange(0, 40)))


def single(data: Any, field: FieldDescriptor) -> Any:  # noqa: ANN401
    """A value for a field that is no message."""
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_STRING:
        if field.type == FieldDescriptor.TYPE_BYTES:
            return data.ConsumeBytes(20)
        return text(data, field.name)
    if kind == FieldDescriptor.CPPTYPE_ENUM:
        return data.ConsumeIntInRange(0, MOST_ENUM)
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return data.ConsumeBool()
    if kind in _BITS:
        number = data.PickValueInList(NUMBERS)
        most = 2 ** _BITS[kind]
        return max(-most, min(most - 1, number))
    raise AssertionError(f"{field.full_name} is of a kind that is not made here")


def fill(data: Any, filled: Message, depth: int = 0) -> None:  # noqa: ANN401
    """Sets some fields of a message."""
    field: Any
    for field in filled.DESCRIPTOR.fields:
        # What names a thing is set as a rule, the rest seldom.
        is_set = data.ConsumeIntInRange(0, 7)
        if is_set == 0 or (is_set > 2 and field.name not in NAMING):
            continue
        value = getattr(filled, field.name)
        if is_map(field):
            for _ in range(data.ConsumeIntInRange(0, 2)):
                value[text(data, "key")] = text(data, "value")
        elif field.message_type is not None:
            for each in (
                [value]
                if not field.is_repeated
                else [value.add() for _ in range(data.ConsumeIntInRange(0, 2))]
            ):
                each.SetInParent()
                if depth < 4:
                    fill(data, each, depth + 1)
        elif field.is_repeated:
            value.extend([single(data, field) for _ in range(data.ConsumeIntInRange(0, 2))])
        else:
            setattr(filled, field.name, single(data, field))


def made(data: Any, kind: Descriptor) -> Message | None:  # noqa: ANN401
    """A request: bytes as they come, or one with fields that make sense."""
    request = message(kind)
    if data.ConsumeIntInRange(0, 3):
        fill(data, request)
        return request
    try:
        request.MergeFromString(data.ConsumeBytes(data.remaining_bytes()))
    except DecodeError:
        return None
    return request


class Inside:
    """The servicers, and a site admin who calls them."""

    def __init__(self, folder: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._rpcs = sorted(RPCS)
        self._logins = itertools.count()
        self._loop.run_until_complete(self._open(folder / "shiplift.db"))

    async def _open(self, database: Path) -> None:
        place = postgres.url_of(database) if postgres.is_in_use() else database
        self._store = store = open_store(place)
        store.migrate()
        await store.start()
        await first_start.first_start(store)
        door: Any = InProcess(Interceptor(store, SERVICES, Limits()))
        runs = Runs(store, KnownRunners(store, []))
        stages = StageService(store, runs, Logins(None), "", Keyring(text=SECRET_KEY))
        builds_pb2_grpc.add_BuildServiceServicer_to_server(
            BuildService(store, ParameterRules(()), runs, stages.masking), door
        )
        access_pb2_grpc.add_AccessServiceServicer_to_server(AccessService(store), door)
        environments_pb2_grpc.add_EnvironmentServiceServicer_to_server(
            EnvironmentService(store, ParameterRules(()), runs), door
        )
        secrets_pb2_grpc.add_SecretServiceServicer_to_server(
            SecretService(store, Keyring(text=SECRET_KEY)), door
        )
        stages_pb2_grpc.add_StageServiceServicer_to_server(stages, door)
        server_pb2_grpc.add_ServerServiceServicer_to_server(ServerService(Settings(database=place)), door)
        self._channel = door.channel()
        await self._admit()
        for name, fields in BEFORE:
            await self._answer(RPCS[name], message(RPCS[name].input_type, **fields))

    async def _admit(self) -> None:
        """Makes a site admin anew: what is tried takes away tokens, and whoever has them."""
        login = f"root{next(self._logins)}"
        user = access_pb2.CreateUserRequest(login=login, admin=True)
        await self._store.write(users.create_user, first_start.by_operator("CreateUser"), user)
        self._secrets = []
        run = {"actions": [access_pb2.TOKEN_ACTION_RUN], "repositories": ["octocat/*"]}
        for cuts in ({}, run):
            wanted = access_pb2.CreateTokenRequest(login=login, **cuts)  # type: ignore[arg-type]
            created = await self._store.write(
                tokens.create_token, first_start.by_operator("CreateToken"), wanted
            )
            self._secrets.append(created.resource.secret)

    async def _answer(self, rpc: MethodDescriptor, request: Message) -> None:
        """Makes a call, and waits for little of what it has to say."""
        secret = self._secrets[rule(rpc).action == access_pb2.TOKEN_ACTION_RUN]
        metadata = (("authorization", f"Bearer {secret}"),)
        if not rpc.server_streaming:
            await self._channel.unary_unary(path(rpc))(request, metadata=metadata, timeout=0.5)
            return
        stream = self._channel.unary_stream(path(rpc))(request, metadata=metadata, timeout=0.05)
        async for _ in stream:
            stream.cancel()
            break

    async def _call(self, rpc: MethodDescriptor, request: Message) -> None:
        try:
            await self._answer(rpc, request)
        except grpc.aio.AioRpcError as error:
            if error.code() in DEFECTS:
                raise AssertionError(
                    f"{rpc.name} ended in {error.code()}, {error.details()}: {request}"
                ) from error
            if error.code() is grpc.StatusCode.UNAUTHENTICATED:
                await self._admit()

    def try_it(self, given: bytes) -> None:
        """Makes one call of what is given."""
        data = atheris.FuzzedDataProvider(given)
        rpc = RPCS[self._rpcs[data.ConsumeIntInRange(0, len(self._rpcs) - 1)]]
        request = made(data, rpc.input_type)
        if request is not None:
            self._loop.run_until_complete(self._call(rpc, request))


def try_pipeline(given: bytes) -> None:
    """Reads a pipeline file, and looks what of it runs."""
    try:
        said = parse(given.decode(errors="replace"))
        match(said, Facts(branch="main", event="promote", target="qa"))
    except (Invalid, Precondition):
        return


def main(what: str, folder: str, *options: str) -> None:
    """Fuzzes."""
    corpus = Path(folder) / "corpus"
    corpus.mkdir()
    (corpus / "pipeline").write_text(PIPELINE)
    target = Inside(Path(folder)).try_it if what == "requests" else try_pipeline
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={folder}/", str(corpus)], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
