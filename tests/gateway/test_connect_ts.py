"""Connect's own clients, unmodified, talk to the gateway: @connectrpc/connect and `buf curl`."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from shiplift.v1 import access_pb2, builds_pb2

from tests.support import demo, strangers
from tests.support.harness import Gateway, Shipliftd
from tests.support.toolchains import ROOT, SECONDS, make, need

# Downloading the packages is part of the first test.
pytestmark = pytest.mark.timeout(SECONDS)

Json = dict[str, Any]

NODE = ROOT / ".venv" / "node" / "node_modules" / ".bin"


@pytest.fixture(scope="module")
def conversation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program of tests/interop/ts that tries the formats."""
    return strangers.typescript(tmp_path_factory.mktemp("ts")) / "conversation.js"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Shipliftd]:
    """A server of the test's own that serves JSON, too."""
    with Shipliftd(tmp_path / "shiplift.db", ("--http", "127.0.0.1:0")) as running:
        yield running


def told(program: Path, encoding: str, http: str, tokens: demo.Tokens) -> list[tuple[str, Any]]:
    """`conversation.js octocat hello-world 41`: each call, with its answer or its error."""
    done = subprocess.run(
        ["node", program, encoding, demo.OWNER, demo.REPO, "41"],
        env={
            **os.environ,
            "SHIPLIFT_HTTP": http,
            "SHIPLIFT_TOKEN": tokens.writer,
            "SHIPLIFT_READER_TOKEN": tokens.reader,
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stderr, done.returncode) == ("", 0)
    return [(call, outcome) for call, outcome in map(json.loads, done.stdout.splitlines())]


def refusal(code: str, message: str, reason: str, *violations: tuple[str, str], **metadata: str) -> Json:
    """A refusal with its details as the program prints it."""
    info: Json = {"reason": reason, "domain": "shiplift"}
    details: list[Json] = [info | ({"metadata": metadata} if metadata else {})]
    if code == "Aborted":
        failed = [{"type": reason, "subject": of, "description": told} for of, told in violations]
        details.append({"violations": failed})
    elif violations:
        found = [{"field": field, "description": description} for field, description in violations]
        details.append({"fieldViolations": found})
    return {"code": code, "message": message, "details": details}


MOON = "'the moon' is not an environment's name: wanted 1 to 100 of letters, digits, '.', '_', '-', '/'"
PATH = "this name is refused, because a runner, a shell or a language obeys it: choose another"

REFUSALS = [
    (
        "PromoteBuild, all wrong",
        refusal(
            "InvalidArgument",
            f"target: {MOON}; params['PATH']: {PATH}",
            "INVALID_ARGUMENT",
            ("target", MOON),
            ("params['PATH']", PATH),
            field="target",
        ),
    ),
    (
        "PromoteBuild, another by the same id",
        refusal(
            "AlreadyExists",
            "request_id 'promote once' was used for another PromoteBuild: "
            "use a new one for a new request, and the old one only to repeat it unchanged",
            "REQUEST_ID_TAKEN",
            method="PromoteBuild",
            request_id="promote once",
        ),
    ),
    (
        "PromoteBuild, outrun",
        refusal(
            "Aborted",
            "production is empty, expected was build 7: "
            "look at what is there, then promote with expected_current 0",
            "UNEXPECTED_CURRENT",
            ("expected_current", "0 is current in production"),
            environment="production",
            expected="7",
            current="0",
        ),
    ),
    (
        "GetBuild, unknown",
        refusal(
            "NotFound",
            "build 4000 of octocat/hello-world not found: ListBuilds shows those there are",
            "BUILD_NOT_FOUND",
            owner="octocat",
            repo="hello-world",
            build="4000",
        ),
    ),
    (
        "PromoteBuild, by a reader",
        refusal(
            "PermissionDenied",
            "PromoteBuild needs write on octocat/hello-world; mona has read: "
            "an admin of the repository can grant it",
            "PERMISSION_DENIED",
            method="PromoteBuild",
            needs="write",
            has="read",
        ),
    ),
    (
        "GetRepository, unknown",
        refusal(
            "NotFound",
            "repository octocat/no-such-repo not found: it does not exist, or you may not read it",
            "REPOSITORY_NOT_FOUND",
            owner="octocat",
            repo="no-such-repo",
        ),
    ),
    (
        "WhoAmI, by nobody",
        refusal(
            "Unauthenticated",
            "the token is not known here: was it made on another server, or cut off when copied?",
            "UNKNOWN_TOKEN",
        ),
    ),
]


def build(served: Shipliftd, number: int) -> Json:
    """A build of the demo's repository, over gRPC, as protobuf's JSON."""
    request = builds_pb2.GetBuildRequest(owner=demo.OWNER, repo=demo.REPO, build=number)
    return MessageToDict(served.builds().GetBuild(request))


def promotion(stored: Json, number: int, target: str, params: dict[str, str]) -> Json:
    """A promotion of the demo's build as protobuf's JSON: its ids and times are those of the stored one."""
    (stage,) = stored["stages"]
    commit = {
        "link": demo.BUILD["link"],
        "message": demo.BUILD["message"],
        "before": demo.BUILD["before"],
        "after": demo.BUILD["after"],
        "ref": demo.BUILD["ref"],
        "sourceRepo": demo.BUILD["source_repo"],
        "source": demo.BUILD["source"],
        "target": demo.BUILD["target"],
        "authorLogin": demo.BUILD["author_login"],
        "authorName": demo.BUILD["author_name"],
        "authorEmail": demo.BUILD["author_email"],
        "authorAvatar": demo.BUILD["author_avatar"],
        "sender": demo.BUILD["sender"],
    }
    return {
        **commit,
        "id": stored["id"],
        "repoId": stored["repoId"],
        "owner": "octocat",
        "repo": "hello-world",
        "number": number,
        "parent": 41,
        "origin": 41,
        "status": "BUILD_STATUS_PENDING",
        "event": "BUILD_EVENT_PROMOTE",
        "deployTo": target,
        "trigger": "octocat",
        "params": params,
        "created": stored["created"],
        "updated": stored["created"],
        "version": 1,
        **({"waitingFor": stored["waitingFor"]} if "waitingFor" in stored else {}),
        "stages": [
            {
                **demo.STAGE,
                "id": stage["id"],
                "repoId": stored["repoId"],
                "buildId": stored["id"],
                "number": 1,
                "status": "BUILD_STATUS_PENDING",
                "created": stored["created"],
                "updated": stored["created"],
                "version": 1,
                "onSuccess": True,
            }
        ],
    }


def listed(found: Json) -> Json:
    """A build as lists have it."""
    return {name: value for name, value in found.items() if name not in ("params", "stages", "waitingFor")}


@pytest.mark.parametrize("encoding", ["json", "binary", "gzip"])
def test_a_conversation_goes_as_over_grpc(conversation: Path, served: Shipliftd, encoding: str) -> None:
    check(conversation, served, served.http, encoding)


def test_a_conversation_goes_the_same_through_a_gateway_on_its_own(
    conversation: Path, own_server: Shipliftd
) -> None:
    with Gateway(own_server.address) as gateway:
        check(conversation, own_server, gateway.http, "json")


def check(conversation: Path, server: Shipliftd, http: str, encoding: str) -> None:
    """Holds the conversation and compares all of it with what the server says over gRPC."""
    tokens = demo.fill(server)
    access = server.access(tokens.writer)
    user = MessageToDict(access.WhoAmI(access_pb2.WhoAmIRequest()))
    repository = MessageToDict(
        access.GetRepository(access_pb2.GetRepositoryRequest(owner=demo.OWNER, repo=demo.REPO))
    )
    lines = told(conversation, encoding, http, tokens)
    parent = build(server, 41)
    promoted = promotion(
        build(server, 42),
        42,
        "production",
        {"REGION": "eu-west-1", "owner": "Ann & Bob = 100 %", "page": "Grüße\n+"},
    )
    assert lines == [
        ("WhoAmI", user),
        ("ListRepositories", {"repositories": [repository]}),
        ("GetRepository", repository),
        ("GetBuild", parent),
        ("PromoteBuild", promoted),
        ("its trailers", []),
        ("PromoteBuild, again", promoted),
        ("its trailers", [["shiplift-replayed", "true"]]),
        ("ListBuilds", {"builds": [listed(promoted), listed(parent)]}),
        *REFUSALS,
    ]


def buf_curl(http: str, token: str) -> subprocess.CompletedProcess[str]:
    """Promotes build 41 to staging by `buf curl`, which comes with what checks the protos."""
    need("npm")
    make(".venv/node/.installed")
    body = {"owner": "octocat", "repo": "hello-world", "build": 41, "target": "staging"}
    return subprocess.run(
        [
            *(NODE / "buf", "curl", "--schema", f"http://{http}/descriptor.binpb"),
            *("--header", f"Authorization: Bearer {token}"),
            *("--data", json.dumps({**body, "params": {"REGION": "eu"}})),
            f"http://{http}/shiplift.v1.BuildService/PromoteBuild",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_buf_curl_promotes(served: Shipliftd) -> None:
    tokens = demo.fill(served)
    done = buf_curl(served.http, tokens.writer)
    assert (done.stderr, done.returncode) == ("", 0)
    assert json.loads(done.stdout) == promotion(build(served, 42), 42, "staging", {"REGION": "eu"})


def test_buf_curl_is_told_why_not(served: Shipliftd) -> None:
    tokens = demo.fill(served)
    done = buf_curl(served.http, tokens.reader)
    # buf exits with eight times the gRPC code: PERMISSION_DENIED is 7.
    assert (done.stdout, done.returncode) == ("", 56)
    told = json.loads(done.stderr)
    assert told["code"] == "permission_denied"
    assert told["message"] == (
        "PromoteBuild needs write on octocat/hello-world; mona has read: "
        "an admin of the repository can grant it"
    )
    assert [detail["type"] for detail in told["details"]] == ["google.rpc.ErrorInfo"]
