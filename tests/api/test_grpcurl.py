"""The real grpcurl against the real server: what a person sees who has nothing else at hand."""

import itertools
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from shiplift.v1 import access_pb2, builds_pb2

from tests.support.harness import Shipliftd
from tests.support.repository import COMMIT
from tests.support.toolchains import ROOT, SECONDS, make, need

BUILDS = (ROOT / "protos" / "shiplift" / "v1" / "builds.proto").read_text()
END = "\n}\n"
PROMOTE = "shiplift.v1.BuildService/PromoteBuild"

# Building grpcurl is part of the first test.
pytestmark = pytest.mark.timeout(SECONDS)


@pytest.fixture(scope="module")
def grpcurl() -> Path:
    """The program, built by `go install` on first use."""
    need("go")
    make(".venv/go/grpcurl")
    return ROOT / ".venv" / "go" / "grpcurl"


def call(
    grpcurl: Path, server: Shipliftd, *words: str, token: str = "", body: dict[str, object] | None = None
) -> subprocess.CompletedProcess[str]:
    """`grpcurl -plaintext [-H token] [-d body] ADDRESS words`."""
    command = [str(grpcurl), "-plaintext"]
    if token:
        command += ["-H", f"authorization: Bearer {token}"]
    if body is not None:
        command += ["-d", json.dumps(body)]
    return subprocess.run([*command, server.address, *words], capture_output=True, text=True, timeout=60)


def test_it_lists_the_services(grpcurl: Path, server: Shipliftd) -> None:
    assert call(grpcurl, server, "list").stdout.split() == [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        "shiplift.v1.AccessService",
        "shiplift.v1.BuildService",
        "shiplift.v1.EnvironmentService",
        "shiplift.v1.SecretService",
        "shiplift.v1.ServerService",
        "shiplift.v1.StageService",
    ]


def test_it_describes_the_rpc_with_what_it_needs_of_its_caller(grpcurl: Path, server: Shipliftd) -> None:
    described = call(grpcurl, server, "describe", "shiplift.v1.BuildService.PromoteBuild")
    before = BUILDS.partition("  rpc PromoteBuild(")[0]
    said = textwrap.dedent(before.rpartition("service BuildService {\n")[2].rpartition("\n\n")[2])
    assert described.stdout == (
        "shiplift.v1.BuildService.PromoteBuild is a method:\n"
        f"{said}"
        "rpc PromoteBuild ( .shiplift.v1.PromoteRequest ) returns ( .shiplift.v1.Build ) {\n"
        "  option (.shiplift.v1.access) = {\n"
        "    level: ACCESS_LEVEL_WRITE,\n"
        "    scope: ACCESS_SCOPE_REPOSITORY,\n"
        "    action: TOKEN_ACTION_PROMOTE\n"
        "  };\n"
        "}\n"
    )


def test_it_describes_the_request_in_the_words_of_its_proto(grpcurl: Path, server: Shipliftd) -> None:
    described = call(grpcurl, server, "describe", "shiplift.v1.PromoteRequest")
    words, _, fields = BUILDS.partition("message PromoteRequest {\n")
    # It names messages in full.
    fields = fields.replace("repeated Override ", "repeated .shiplift.v1.Override ")
    assert described.stdout == (
        f"shiplift.v1.PromoteRequest is a message:\n{words.splitlines()[-1]}\n"
        f"message PromoteRequest {{\n{fields.partition(END)[0]}{END}"
    )


def test_it_describes_everything_that_it_lists(grpcurl: Path, server: Shipliftd) -> None:
    described = call(grpcurl, server, "describe")
    assert (described.returncode, described.stderr) == (0, "")
    for name in call(grpcurl, server, "list").stdout.split():
        assert f"{name} is a service:\n" in described.stdout


def test_it_promotes(grpcurl: Path, server: Shipliftd, repo: str) -> None:
    owner, name = repo.split("/")
    server.builds().CreateBuild(
        builds_pb2.CreateBuildRequest(owner=owner, repo=name, after=COMMIT, number=41)
    )
    answer = call(
        grpcurl,
        server,
        PROMOTE,
        token=server.admin_token,
        body={
            "owner": owner,
            "repo": name,
            "build": 41,
            "target": "production",
            "params": {"REGION": "eu"},
        },
    )
    build = json.loads(answer.stdout)
    stored = server.builds().GetBuild(builds_pb2.GetBuildRequest(owner=owner, repo=name, build=42))
    created = stored.created.ToJsonString()
    assert created.endswith("Z")
    assert build == {
        "id": str(stored.id),
        "repo_id": str(stored.repo_id),
        "owner": owner,
        "repo": name,
        "number": 42,
        "parent": 41,
        "origin": 41,
        "status": "BUILD_STATUS_PENDING",
        "event": "BUILD_EVENT_PROMOTE",
        "after": COMMIT,
        "deploy_to": "production",
        "trigger": "admin",
        "params": {"REGION": "eu"},
        "created": created,
        "updated": created,
        "version": 1,
        "waiting_for": stored.waiting_for,
        "stages": [
            {
                "id": str(stored.stages[0].id),
                "repo_id": str(stored.repo_id),
                "build_id": str(stored.id),
                "number": 1,
                "name": "default",
                "kind": "external",
                "status": "BUILD_STATUS_PENDING",
                "created": created,
                "updated": created,
                "version": 1,
                "on_success": True,
            }
        ],
    }


def refusal(answer: subprocess.CompletedProcess[str]) -> str:
    """What grpcurl says before the details, which an older grpcurl shows as base64."""
    assert answer.returncode
    return answer.stderr.partition("  Details:\n")[0]


def test_the_message_of_a_refusal_names_every_fault(grpcurl: Path, server: Shipliftd, repo: str) -> None:
    owner, name = repo.split("/")
    answer = call(
        grpcurl,
        server,
        PROMOTE,
        token=server.admin_token,
        body={"owner": owner, "repo": name, "build": 1, "target": "the moon", "params": {"PATH": "/tmp"}},
    )
    assert refusal(answer) == (
        "ERROR:\n"
        "  Code: InvalidArgument\n"
        "  Message: target: 'the moon' is not an environment's name: "
        "wanted 1 to 100 of letters, digits, '.', '_', '-', '/'; "
        "params['PATH']: this name is refused, because a runner, a shell or a language obeys it: "
        "choose another\n"
    )


def test_a_reader_is_told_what_they_lack(grpcurl: Path, server: Shipliftd, repo: str) -> None:
    owner, name = repo.split("/")
    server.builds().CreateBuild(builds_pb2.CreateBuildRequest(owner=owner, repo=name, after=COMMIT))
    token = server.user("grpcurl-reader", repo, access_pb2.ACCESS_LEVEL_READ)
    body: dict[str, object] = {"owner": owner, "repo": name, "build": 1, "target": "production"}
    assert refusal(call(grpcurl, server, PROMOTE, token=token, body=body)) == (
        "ERROR:\n"
        "  Code: PermissionDenied\n"
        f"  Message: PromoteBuild needs write on {repo}; grpcurl-reader has read: "
        "an admin of the repository can grant it\n"
    )


def test_what_make_run_prints_can_be_pasted(grpcurl: Path) -> None:
    need("curl")
    environment = os.environ | {
        "SHIPLIFTD_LISTEN": "127.0.0.1:0",
        "SHIPLIFTD_HTTP": "127.0.0.1:0",
        "PATH": f"{grpcurl.parent}:{os.environ['PATH']}",
    }
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.demo"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        try:
            # To its last words, or to its end when it fails.
            printed = "".join(itertools.takewhile("Tokens of others:\n".__ne__, running.stdout))
            lines = printed.partition("In another terminal:\n")[2]
            with_command, _, lines = lines.partition("With grpcurl:\n")
            with_grpcurl, _, with_curl = lines.partition("With curl:\n")
            exports = "".join(line for line in with_command.splitlines(True) if line.startswith("export "))
            pasted = subprocess.check_output(["sh", "-euc", with_command], env=environment, timeout=60)
            assert pasted.endswith(b"\n3 replicas in eu-west-1\n")
            pasted = subprocess.check_output(
                ["sh", "-euc", exports + with_grpcurl], env=environment, timeout=60
            )
            assert json.loads(pasted)["number"] == 43
            pasted = subprocess.check_output(
                ["sh", "-euc", exports + with_curl], env=environment, timeout=60
            )
            assert json.loads(pasted)["number"] == 44
            others = itertools.takewhile(str.strip, itertools.dropwhile("\n".__eq__, running.stdout))
            assert [line.partition("   # ")[2] for line in itertools.islice(others, 2)] == [
                "mona, who may only read\n",
                "admin, who may do everything\n",
            ]
        finally:
            running.terminate()
            running.wait(timeout=60)
    assert running.returncode == 0
