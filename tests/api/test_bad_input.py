"""Whatever comes is answered with a canonical code that is neither INTERNAL nor UNKNOWN; nothing is stored.

The requests are made from the descriptors, so a new rpc or field is covered when it is there.
"""

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from shiplift.v1 import access_pb2, builds_pb2, environments_pb2

from tests.support.beside import everything, opened
from tests.support.callers import ADMITTED, World
from tests.support.harness import Shipliftd
from tests.support.refusals import Refusal, code_of, invalid, refusal
from tests.support.repository import CHANGEABLE
from tests.support.rpcs import RPCS, caller, is_map, path, raw, rule
from tests.support.wire import status_of

INVALID = grpc.StatusCode.INVALID_ARGUMENT
MIB = 1024 * 1024
MARK = "UTF8MARK"
NOT_UTF8 = b"\xff\xfe\xc3\x28\xed\xa0\x80\x41"
# Of int32 and int64, what an unsigned or a floating field holds is nobody's here.
LOWEST = {FieldDescriptor.TYPE_INT32: -(2**31), FieldDescriptor.TYPE_INT64: -(2**63)}

# Where a number below zero is no fault of its form.
NEGATIVE = {
    "UpdateBuild.version": grpc.StatusCode.ABORTED,
    "DeleteEnvironment.version": grpc.StatusCode.ABORTED,
    "UpdateEnvironment.version": grpc.StatusCode.ABORTED,
    "UpdateOwnerRules.version": grpc.StatusCode.ABORTED,
    "RevokeToken.id": grpc.StatusCode.NOT_FOUND,
    "UpdateStage.version": grpc.StatusCode.NOT_FOUND,
    "UpdateStage.exit_code": grpc.StatusCode.NOT_FOUND,
    "UpdateStage.steps.exit_code": grpc.StatusCode.NOT_FOUND,
    "UpdateStep.version": grpc.StatusCode.NOT_FOUND,
    "UpdateStep.exit_code": grpc.StatusCode.NOT_FOUND,
    # The server's to say.
    "AppendLog.lines.position": grpc.StatusCode.NOT_FOUND,
}


RULES = (
    "deployer promoters promoter_level required_approvals approvers approval_window requires soak"
    " allow_failed queue_policy freezes params overriders link description confirm"
)
# Of a resource in a request only what can be changed is read.
CHANGED = {
    access_pb2.Repository.DESCRIPTOR: CHANGEABLE.split(", "),
    access_pb2.User.DESCRIPTOR: ["admin", "avatar", "disabled", "email", "machine"],
    environments_pb2.Environment.DESCRIPTOR: ["name", *RULES.split()],
    environments_pb2.OwnerRules.DESCRIPTOR: ["freezes"],
}


@dataclass(frozen=True)
class Place:
    """A field of a request, however deep."""

    rpc: str
    fields: tuple[FieldDescriptor, ...]

    @property
    def last(self) -> FieldDescriptor:
        return self.fields[-1]

    @property
    def is_looked_at(self) -> bool:
        """Whether the rpc reads the field."""
        first, *rest = self.fields
        return first.message_type not in CHANGED or rest[0].name in CHANGED[first.message_type]

    def put(self, request: Message, value: object) -> None:
        """Sets the field, and names it in the mask if the request has one for it."""
        put(request, self.fields, value)
        first, *rest = self.fields
        # An environment's name says which one is meant.
        has_mask = "update_mask" in request.DESCRIPTOR.fields_by_name
        if first.message_type in CHANGED and has_mask and rest[0].name != "name":
            mask: FieldMask = request.update_mask  # type: ignore[attr-defined]  # such a request has one
            mask.paths[:] = [rest[0].name]

    def __str__(self) -> str:
        return ".".join([self.rpc, *(field.name for field in self.fields)])


def places(
    kind: FieldDescriptor | MethodDescriptor, rpc: str, above: tuple[FieldDescriptor, ...] = ()
) -> Iterator[Place]:
    """Every field of the rpc's request that is not itself a message."""
    message = kind.input_type if isinstance(kind, MethodDescriptor) else kind.message_type
    assert message is not None
    for field in message.fields:
        if field.message_type is None:
            yield Place(rpc, (*above, field))
        else:
            yield from places(field, rpc, (*above, field))


PLACES = [place for name, rpc in RPCS.items() for place in places(rpc, name) if place.is_looked_at]
# What a step prints is kept, whatever it is; that there is no such stage comes before what an id is like.
# What explains is no write, so it has nothing to repeat.
ELSEWHERE = {
    "AppendLog.lines.text",
    "AcceptStage.request_id",
    "ExplainPromotion.request_id",
    "DiffPromotion.request_id",
}
STRINGS = [
    place
    for place in PLACES
    if place.last.type == FieldDescriptor.TYPE_STRING and str(place) not in ELSEWHERE
]
NUMBERS = [place for place in PLACES if place.last.type in LOWEST]
ENUMS = [place for place in PLACES if place.last.type == FieldDescriptor.TYPE_ENUM]


def put(message: Message, fields: tuple[FieldDescriptor, ...], value: object) -> None:
    """Sets the field to the value; in a repeated one as its only element."""
    first, *rest = fields
    if is_map(first):
        key, text = (value, "x") if rest[0].name == "key" else ("X", value)
        getattr(message, first.name)[key] = text
    elif not rest:
        if first.is_repeated:
            message.ClearField(first.name)
            getattr(message, first.name).append(value)
        else:
            setattr(message, first.name, value)
    elif first.is_repeated:
        message.ClearField(first.name)
        item = getattr(message, first.name).add()
        if "number" in item.DESCRIPTOR.fields_by_name:
            item.number = 1
        put(item, tuple(rest), value)
    else:
        put(getattr(message, first.name), tuple(rest), value)


def stored(database: Path) -> str:
    """Everything that the store holds, but for the audit, its head, and when tokens were last used."""
    with opened(database) as other:
        rows = everything(other)
        del rows["audit"]
        rows["settings"] = [row for row in rows["settings"] if row[0] != "audit_head"]
        rows["tokens"] = other.execute(
            "SELECT id, hash, revoked, expires FROM tokens ORDER BY id"
        ).fetchall()
        return repr(rows)


@dataclass
class Asked:
    """The site admin's calls of one rpc, whose requests would succeed as they are."""

    world: World
    rpc: str

    @property
    def method(self) -> MethodDescriptor:
        return RPCS[self.rpc]

    @property
    def who(self) -> tuple[str, str]:
        """Who asks: the site admin, or a runner, and the action that it is for."""
        is_runners = rule(self.method).level == access_pb2.ACCESS_LEVEL_RUNNER
        return ("write, cut to both", "RUN") if is_runners else ("site admin", "")

    def request(self) -> Message:
        _, token_id = self.world.channel(*self.who)
        return self.world.request(self.rpc, "site admin", "private", token_id)

    def refused(self, request: Message | bytes, timeout: float = 20) -> Refusal:
        """How the request is refused, having stored nothing."""
        channel, _ = self.world.channel(*self.who)
        before = stored(self.world.server.database)
        data = request if isinstance(request, bytes) else request.SerializeToString()
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(path(self.method))
        answer = refusal(call, data, timeout)
        assert stored(self.world.server.database) == before
        return answer


@pytest.fixture
def ask(world: World) -> Callable[[str], Asked]:
    return lambda rpc: Asked(world, rpc)


Ask = Callable[[str], Asked]


def test_the_requests_are_good_as_they_are(world: World, ask: Ask) -> None:
    for rpc in RPCS.keys() - ADMITTED:
        channel, _ = world.channel("site admin", "")
        caller(channel, RPCS[rpc])(ask(rpc).request())


@pytest.mark.parametrize("place", STRINGS, ids=str)
def test_a_text_that_nobody_can_mean_is_invalid(ask: Ask, place: Place) -> None:
    asked = ask(place.rpc)
    for value in ("a\0b", "x" * 200_000):
        request = asked.request()
        place.put(request, value)
        answer = asked.refused(request)
        assert answer.code == INVALID, (value[:10], answer)
        assert {re.split(r"[\[.:]", field)[0] for field, _ in answer.violations} == {place.fields[0].name}


@pytest.mark.parametrize("place", STRINGS, ids=str)
def test_text_that_is_not_utf8_is_invalid(ask: Ask, place: Place) -> None:
    asked = ask(place.rpc)
    request = asked.request()
    place.put(request, MARK)
    data = request.SerializeToString()
    assert data.count(MARK.encode()) == 1
    answer = asked.refused(data.replace(MARK.encode(), NOT_UTF8))
    assert (answer.code, [field for field, _ in answer.violations]) == (INVALID, ["request"])


@pytest.mark.parametrize("place", NUMBERS, ids=str)
def test_a_number_below_zero_is_invalid(ask: Ask, place: Place) -> None:
    asked = ask(place.rpc)
    for value in (-1, LOWEST[place.last.type]):
        request = asked.request()
        place.put(request, value)
        assert asked.refused(request).code == NEGATIVE.get(str(place), INVALID)


@pytest.mark.parametrize("place", NUMBERS, ids=str)
def test_a_huge_number_is_no_defect(world: World, place: Place) -> None:
    asked = Asked(world, place.rpc)
    channel, _ = world.channel(*asked.who)
    request = asked.request()
    place.put(request, -LOWEST[place.last.type] - 1)
    # A version that never comes is waited for, up to the deadline.
    timeout = {"timeout": 3} if place.rpc == "WaitBuild" else {}
    code = code_of(caller(channel, RPCS[place.rpc]), request, **timeout)
    known = {INVALID, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.ABORTED, grpc.StatusCode.OK}
    known.add(ADMITTED.get(place.rpc, INVALID))
    if place.rpc == "RollbackBuild":
        # It has not succeeded where it is to be put back.
        known.add(grpc.StatusCode.FAILED_PRECONDITION)
    assert code in known


@pytest.mark.parametrize("place", ENUMS, ids=str)
def test_a_value_that_an_enum_has_not_got_is_invalid(ask: Ask, place: Place) -> None:
    asked = ask(place.rpc)
    for value in (99, -1, 2**31 - 1):
        request = asked.request()
        place.put(request, value)
        answer = asked.refused(request)
        fields = [field.rpartition(".")[2] for field, _ in answer.violations]
        assert (answer.code, fields) == (INVALID, [place.last.name])


@pytest.mark.parametrize(
    "rpc",
    [
        name
        for name, rpc in RPCS.items()
        if "owner" in rpc.input_type.fields_by_name and name not in ("AcquireStage", "ListDeployments")
    ],
)
@pytest.mark.parametrize("bad", ["", ".", "..", "a/b", "../a", "x" * 101, "a b", "*"])
def test_an_owner_and_a_repository_have_names(ask: Ask, rpc: str, bad: str) -> None:
    asked = ask(rpc)
    wanted = "wanted 1 to 100 of letters, digits, '.', '_', '-', and not '.' or '..'"
    shown = repr(bad if len(bad) <= 60 else bad[:57] + "...")
    for field in ("owner", "repo"):
        request = asked.request()
        if field not in request.DESCRIPTOR.fields_by_name:
            continue
        of_owner = rule(RPCS[rpc]).scope in (
            access_pb2.ACCESS_SCOPE_REPOSITORY_OR_OWNER,
            access_pb2.ACCESS_SCOPE_REPOSITORY_OR_SITE,
        )
        scope_of_all = (field, bad) == ("repo", "*") and of_owner
        every_owner = (rpc, bad) == ("ListRepositories", "")
        if scope_of_all or every_owner:
            continue
        setattr(request, field, bad)
        assert asked.refused(request) == invalid((field, f"{shown} is not a name: {wanted}"))


MALFORMED = {
    "noise": b"\xff" * 10,
    "half a number": b"\x08",
    "a number of 11 bytes": b"\x08" + b"\xff" * 11,
    "a length beyond the end": b"\x0a\xff\xff\xff\xff\x07",
    "a length below zero": b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    "wire type 7": b"\x0f\x00",
    "an end of no group": b"\x0c",
    "groups without an end": b"\x0b" * 200,
    "half a text": b"\x0a\x05ab",
}


@pytest.mark.parametrize("rpc", RPCS)
def test_bytes_that_are_no_message_are_invalid(ask: Ask, rpc: str) -> None:
    asked = ask(rpc)
    for what, data in MALFORMED.items():
        answer = asked.refused(data)
        assert (what, answer.code, [field for field, _ in answer.violations]) == (
            what,
            INVALID,
            ["request"],
        )
        assert answer.message.startswith("request: the bytes are not a message of its type")


@pytest.mark.parametrize("rpc", RPCS)
def test_noise_is_no_defect(world: World, ask: Ask, rpc: str) -> None:
    dice = random.Random(rpc)
    channel, _ = world.channel("write", "")
    call = raw(channel, RPCS[rpc])
    good = ask(rpc).request().SerializeToString()
    for _ in range(60):
        data = bytearray(good or b"\0")
        for _ in range(dice.randrange(1, 4)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        data += dice.randbytes(dice.randrange(4))
        code = code_of(call, bytes(data))
        assert code not in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN), data


@pytest.mark.parametrize("rpc", RPCS)
def test_a_request_of_5_mb_is_too_large(ask: Ask, rpc: str) -> None:
    # Field 1000, which no request has, with so many bytes.
    data = b"\xc2\x3e" + b"\xc0\x96\xb1\x02" + b"x" * 5_000_000
    assert ask(rpc).refused(data).code == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_request_that_unpacks_to_5_mb_is_too_large(world: World) -> None:
    channel, _ = world.channel("site admin", "")
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(path(RPCS["WhoAmI"]))
    data = b"\xc2\x3e" + b"\xc0\x96\xb1\x02" + b"x" * 5_000_000
    answer = refusal(lambda: call(data, compression=grpc.Compression.Gzip))
    assert answer.code == grpc.StatusCode.RESOURCE_EXHAUSTED


REPEATED = sorted(
    {(place.rpc, field) for place in PLACES for field in place.fields[:1] if field.is_repeated},
    # A descriptor's own text differs from process to process.
    key=lambda pair: (pair[0], pair[1].number),
)


def element(field: FieldDescriptor, number: int) -> bytes:
    """One element of a repeated field, as small as can be and still like no other."""
    text = str(number).encode()
    named = bytes([10, len(text)]) + text
    if field.message_type is None:
        body = text if field.type == FieldDescriptor.TYPE_STRING else None
        return _tag(field, 0) + _number(100 + number) if body is None else _field(field, body)
    return _field(field, named)


def _field(field: FieldDescriptor, body: bytes) -> bytes:
    return _tag(field, 2) + _number(len(body)) + body


def _tag(field: FieldDescriptor, wire_type: int) -> bytes:
    return _number(field.number << 3 | wire_type)


def _number(value: int) -> bytes:
    data = bytearray()
    while value > 127:
        data.append(value & 127 | 128)
        value >>= 7
    return bytes([*data, value])


@pytest.mark.parametrize(("rpc", "field"), REPEATED, ids=lambda value: getattr(value, "name", value))
def test_as_much_as_a_request_can_hold_is_refused_at_once(
    ask: Ask, rpc: str, field: FieldDescriptor
) -> None:
    asked = ask(rpc)
    request = asked.request()
    request.ClearField(field.name)
    data = bytearray(request.SerializeToString())
    number = 0
    while len(data) < 3_900_000:
        data += element(field, number)
        number += 1
    assert asked.refused(bytes(data), timeout=10).code == INVALID


def test_fields_that_nobody_knows_are_ignored(world: World) -> None:
    channel, _ = world.channel("read", "")
    request = builds_pb2.GetBuildRequest(owner="matrix", repo="private", build=1).SerializeToString()
    call = raw(channel, RPCS["GetBuild"])
    more = b"\xc2\x3e\x03abc" + b"\x98\x3f\x01" + b"\x0d\0\0\0\0"
    assert call(request + more) == call(request)


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer {token}\n",
        "Bearer {token}\r\n",
        "Bearer \n{token}",
        "Bearer a\nb",
        "Bearer {token}\0",
        "Bearer \xff\xfe",
        "Bearer\t{token}",
        "Bearer {token} ",
        "\n",
        "",
    ],
)
def test_a_token_of_odd_bytes_is_unauthenticated(server: Shipliftd, authorization: str) -> None:
    value = authorization.format(token=server.admin_token).encode("latin-1")
    code, _ = grpc.StatusCode.UNAUTHENTICATED.value
    assert status_of(server.address, path(RPCS["WhoAmI"]), value) == code


def test_the_odd_bytes_are_what_is_wrong_with_it(server: Shipliftd) -> None:
    value = f"Bearer {server.admin_token}".encode()
    assert status_of(server.address, path(RPCS["WhoAmI"]), value) == 0


def test_two_tokens_are_not_added_up(server: Shipliftd, name: str) -> None:
    weak = server.user(name)
    metadata = [("authorization", f"Bearer {token}") for token in (weak, server.admin_token)]
    who = server.access("").WhoAmI(access_pb2.WhoAmIRequest(), metadata=tuple(metadata))
    assert who.user.login == name


@pytest.mark.parametrize("rpc_path", ["/shiplift.v1.BuildService/Nothing", "/nobody/Nothing", "/x"])
def test_what_is_no_rpc_is_unimplemented(server: Shipliftd, rpc_path: str) -> None:
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = server.channel("").unary_unary(rpc_path)
    assert refusal(lambda: call(b"")).code == grpc.StatusCode.UNIMPLEMENTED
