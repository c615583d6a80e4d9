"""What a refusal holds, what it never holds, and how a defect is found in the log."""

import base64
import json
import re
from typing import cast
from urllib.parse import quote

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb

from tests.support.beside import everything, opened
from tests.support.harness import Shipliftd
from tests.support.refusals import DETAILS, Refusal, refusal
from tests.support.repository import Repository

DEFECT = re.compile(r"a defect in the server; its log has the cause under id ([0-9a-f]{12})")


def trailers(error: grpc.RpcError) -> dict[str, bytes]:
    call = cast(grpc.Call, error)
    return {
        key: value.encode() if isinstance(value, str) else value for key, value in call.trailing_metadata()
    }


def size(error: grpc.RpcError) -> int:
    """What code, message and details take on the wire."""
    details = base64.b64encode(trailers(error)[DETAILS])
    # Of printable ASCII gRPC encodes nothing but the percent sign.
    message = quote(error.details() or "", safe=bytes({*range(0x20, 0x7F)} - {ord("%")}))
    return len("grpc-status99grpc-message") + len(message) + len(DETAILS) + len(details)


def told(error: grpc.RpcError, *kinds: type[Message]) -> tuple[int, str, list[Message]]:
    """A refusal's code, message and details, which are of these kinds.

    Unpacked, since a map's bytes come in any order.
    """
    status = status_pb2.Status.FromString(trailers(error)[DETAILS])
    assert len(status.details) == len(kinds)
    found = []
    for kind, detail in zip(kinds, status.details, strict=True):
        message = kind()
        assert detail.Unpack(message)
        found.append(message)
    return status.code, status.message, found


def test_a_bad_request_names_its_fields_in_one_detail(repository: Repository) -> None:
    repository.record()
    with pytest.raises(grpc.RpcError) as raised:
        repository.promote(1, "a b", params={"CI": "x"})
    error = raised.value
    target = "'a b' is not an environment's name: wanted 1 to 100 of letters, digits, '.', '_', '-', '/'"
    name = "this name is refused, because a runner, a shell or a language obeys it: choose another"
    message = f"target: {target}; params['CI']: {name}"
    bad = error_details_pb2.BadRequest()
    bad.field_violations.add(field="target", description=target)
    bad.field_violations.add(field="params['CI']", description=name)
    info = error_details_pb2.ErrorInfo(
        reason="INVALID_ARGUMENT", domain="shiplift", metadata={"field": "target"}
    )
    assert (error.code(), error.details()) == (grpc.StatusCode.INVALID_ARGUMENT, message)
    assert trailers(error).keys() == {DETAILS}
    assert told(error, type(info), type(bad)) == (3, message, [info, bad])


def test_a_failed_precondition_names_its_subject(repository: Repository) -> None:
    repository.record(status=pb.BUILD_STATUS_SUCCESS)
    request = pb.UpdateBuildRequest(
        owner=repository.owner, repo=repository.name, build=1, status=pb.BUILD_STATUS_RUNNING
    )
    with pytest.raises(grpc.RpcError) as error:
        repository.builds.UpdateBuild(request)
    message = (
        "build 1 has ended in success, and what has ended does not change: promote again for another try"
    )
    failure = error_details_pb2.PreconditionFailure()
    failure.violations.add(type="BUILD_ENDED", subject="status", description="is success")
    info = error_details_pb2.ErrorInfo(
        reason="BUILD_ENDED", domain="shiplift", metadata={"build": "1", "status": "success"}
    )
    assert told(error.value, type(info), type(failure)) == (9, message, [info, failure])


def stages(name: str, count: int) -> list[pb.StageSpec]:
    """Stages with several faults each."""
    return [
        pb.StageSpec(name=f"{name}{n}", kind=name * 30, limit=-1, throttle=-1, depends_on=[name * 30])
        for n in range(count)
    ]


@pytest.mark.parametrize("count", [1, 5, 10, 20, 100])
@pytest.mark.parametrize("character", ["x", "ü", "🚢", "%", "'", "\n"], ids=ascii)
def test_any_number_of_faults_fits_into_4_kib(repository: Repository, character: str, count: int) -> None:
    request = repository.recording(stages=stages(character, count))
    with pytest.raises(grpc.RpcError) as error:
        repository.builds.CreateBuild(request)
    told = refusal(repository.builds.CreateBuild, request)
    assert size(error.value) <= 4096
    assert (told.code, told.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT")

    # The message begins with the faults that the details begin with, and counts the rest.
    named, _, rest = told.message.partition("; and ")
    parts = named.split("; ")
    faults = [f"{field}: {description}" for field, description in told.violations]
    shorter = min(len(parts), len(faults))
    assert shorter > 0
    assert parts[:shorter] == faults[:shorter]
    more = int(rest.removesuffix(" more")) if rest else 0
    assert len(parts) + more == 4 * count


def test_details_have_room_beside_a_message_that_is_full(repository: Repository) -> None:
    told = refusal(repository.record, stages=stages("x", 100))
    assert told.message.endswith(" more")
    assert len(told.violations) >= 10


def test_a_fault_that_alone_is_too_long_is_cut(server: Shipliftd) -> None:
    metadata = (("authorization", f"Bearer {server.admin_token}"),)
    environments = [str(n).rjust(100, "e") for n in range(100)]
    made = server.access().CreateToken(access_pb2.CreateTokenRequest(environments=environments))
    server.access().CreateRepository(
        access_pb2.CreateRepositoryRequest(owner="octocat", repo="cut"), metadata=metadata
    )
    cut = Repository(server, "octocat", "cut", made.secret)
    cut.record()
    with pytest.raises(grpc.RpcError) as error:
        cut.promote(1)
    assert error.value.code() == grpc.StatusCode.PERMISSION_DENIED
    message = error.value.details() or ""
    assert message.startswith("this token is cut to the environments ")
    assert message.endswith("...")
    assert size(error.value) <= 4096


def damage(server: Shipliftd, statement: str) -> None:
    """Changes the file beside the server, as no server would."""
    with opened(server.database) as other:
        other.execute(statement)


@pytest.fixture
def damaged(own_server: Shipliftd) -> Repository:
    """Build 1 has parameters that cannot be read, build 2 is sound."""
    request = access_pb2.CreateRepositoryRequest(owner="octocat", repo="app")
    own_server.access().CreateRepository(request)
    repository = Repository(own_server, "octocat", "app")
    repository.record(params={"TOKEN": "hunter2"})
    repository.record()
    damage(own_server, """UPDATE builds SET params = '{"TOKEN":"hunter2"' WHERE number = 1""")
    return repository


def defect(repository: Repository, told: Refusal) -> dict[str, str]:
    """The log's line of a defect that a caller was told of."""
    found = DEFECT.fullmatch(told.message)
    assert found is not None, told
    assert told == Refusal(grpc.StatusCode.INTERNAL, found[0], "INTERNAL")
    # All that it logs it has written when it has ended.
    assert repository.server.stop() == 0
    (line,) = [line for line in repository.server.log if line.get("id") == found[1]]
    return line


def test_a_defect_in_a_read_is_told_by_an_id_that_stands_in_the_log(damaged: Repository) -> None:
    line = defect(damaged, refusal(damaged.get, 1))
    trace = line.pop("trace")
    assert line == {
        "time": line["time"],
        "level": "error",
        "event": "defect",
        "id": line["id"],
        "method": "GetBuild",
    }
    assert trace.startswith("Traceback (most recent call last):")
    assert "JSONDecodeError" in trace.splitlines()[-1]
    assert "hunter2" not in json.dumps(damaged.server.log)


def test_a_defect_in_a_write_is_told_alike_and_stores_nothing(damaged: Repository) -> None:
    told = refusal(damaged.promote, 1, params={"A": "hunter3"}, request_id="r")
    assert damaged.numbers() == [2, 1]
    # Repaired, the same request is done: a defect keeps no request_id.
    damage(damaged.server, "UPDATE builds SET params = '{}' WHERE number = 1")
    assert damaged.promote(1, params={"A": "hunter3"}, request_id="r").number == 3
    line = defect(damaged, told)
    assert (line["method"], "JSONDecodeError" in line["trace"]) == ("PromoteBuild", True)
    assert "hunter" not in json.dumps(damaged.server.log)


def test_a_defect_harms_no_other_call(damaged: Repository) -> None:
    assert refusal(damaged.get, 1).code == grpc.StatusCode.INTERNAL
    assert damaged.get(2).number == 2
    assert refusal(damaged.promote, 1, params={"A": "1"}).code == grpc.StatusCode.INTERNAL
    assert damaged.promote(2).number == 3


def test_two_defects_have_two_ids(damaged: Repository) -> None:
    assert refusal(damaged.get, 1).message != refusal(damaged.get, 1).message


def test_no_secret_and_no_parameters_value_is_logged_stored_or_told(own_server: Shipliftd) -> None:
    access = own_server.access()
    access.CreateRepository(access_pb2.CreateRepositoryRequest(owner="octocat", repo="app"))
    writer = own_server.user("mona", "octocat/app", access_pb2.ACCESS_LEVEL_WRITE)
    repository = Repository(own_server, "octocat", "app", writer)
    unknown, revoked = "shl_" + "U" * 43, access.CreateToken(access_pb2.CreateTokenRequest())
    access.RevokeToken(access_pb2.RevokeTokenRequest(id=revoked.id))
    params = {"A": "hunter2"}
    repository.record(params=params, request_id="r")
    repository.promote(1, params=params, request_id="r")

    told = [
        refusal(repository.promote, 1, params=params, request_id="r2", expected_current=7),
        refusal(repository.promote, 1, params={"A": "hunter2x"}, request_id="r"),
        refusal(repository.promote, 1, params={"PATH": "hunter2", "1": "hunter2", "B": "hunter2\0"}),
        refusal(repository.promote, 1, params={"B": "hunter2" * 10_000}),
        refusal(repository.promote, 9, params=params),
        refusal(repository.record, params={f"B{n}": "hunter2" for n in range(200)}),
        refusal(repository.record, number=1, params=params),
        *(
            refusal(repository.seen_by(token).promote, 1, params=params)
            for token in (unknown, revoked.secret, "hunter2", f"{writer} hunter2", "")
        ),
        refusal(access.RevokeToken, access_pb2.RevokeTokenRequest(id=404)),
    ]
    damage(own_server, "UPDATE builds SET params = 'hunter2' WHERE number = 1")
    told += [refusal(repository.get, 1), refusal(repository.promote, 1, params=params)]
    admin = own_server.admin_token
    assert own_server.stop() == 0

    secrets = [unknown, revoked.secret, writer, admin]
    for text in (json.dumps(own_server.log), repr(told)):
        assert [secret for secret in [*secrets, "hunter2"] if secret in text] == []
    with opened(own_server.database) as store:
        audit = repr(store.execute("SELECT * FROM audit").fetchall())
        stored = repr(everything(store))
    assert [secret for secret in [*secrets, "hunter2"] if secret in audit] == []
    # Of tokens the file has the hash alone.
    assert [secret for secret in secrets if secret in stored] == []
    if own_server.database.exists():
        content = own_server.database.read_bytes()
        assert [secret for secret in secrets if secret.encode() in content] == []
