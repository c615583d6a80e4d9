"""Each language holds the same conversation, by stubs installed as a stranger would install them."""

import json
import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from shiplift.v1 import builds_pb2

from tests.support import demo, strangers
from tests.support.harness import Shipliftd
from tests.support.toolchains import ROOT, SECONDS

# Downloading and compiling libraries is part of the first run.
pytestmark = pytest.mark.timeout(SECONDS)

PROGRAMS = {
    "go": "go/conversation/main.go",
    "java": "java/src/main/java/Conversation.java",
    "ts": "ts/connect.ts",
    "ts, grpc-js": "ts/grpcjs.ts",
    "rust": "rust/src/main.rs",
    "python": "python/conversation.py",
}

SAID = """\
health: SERVING
promoted as 45 replayed: false
promoted as 45 replayed: true
refused: BUILD_NOT_FOUND
+ echo "${SHIPLIFT_DRONE_COMMIT_SHA_1} goes to $DRONE_DEPLOY_TO"
9fc1ad6ebf12 goes to staging
+ echo "$REPLICAS replicas in $REGION"
1 replicas in eu
"""


def converse(directory: Path, command: Sequence[str | Path], protocol: str = "grpc") -> None:
    """Runs a program with a server where builds 42 and 43 went to staging, and compares all it says."""
    with Shipliftd(directory / "shiplift.db", ("--http", "127.0.0.1:0")) as server:
        tokens = demo.fill(server, demo.PIPELINE)
        builds = server.builds()
        for replicas in ("1", "2"):
            builds.PromoteBuild(
                builds_pb2.PromoteRequest(
                    owner=demo.OWNER,
                    repo=demo.REPO,
                    build=41,
                    target="staging",
                    params={"REGION": "eu", "REPLICAS": replicas},
                )
            )
            demo.call(server, tokens.runner, "runner", "--once")
        address = server.http if protocol == "http" else server.address
        done = subprocess.run(
            [*command, address, demo.OWNER, demo.REPO, "jenkins/app#1043"],
            env={**os.environ, "SHIPLIFT_TOKEN": tokens.writer},
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert (done.stdout, done.returncode) == (SAID, 0), done.stderr


def test_go(tmp_path: Path) -> None:
    converse(tmp_path, [strangers.go("conversation", tmp_path)])


def test_java(tmp_path: Path) -> None:
    converse(tmp_path, strangers.java(tmp_path))


@pytest.fixture(scope="module")
def typescript(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of tests/interop/ts's programs, compiled."""
    return strangers.typescript(tmp_path_factory.mktemp("ts"))


def test_typescript_by_connect(typescript: Path, tmp_path: Path) -> None:
    converse(tmp_path, ["node", typescript / "connect.js"], "http")


def test_typescript_by_grpc_js(typescript: Path, tmp_path: Path) -> None:
    converse(tmp_path, ["node", typescript / "grpcjs.js"])


def test_rust(tmp_path: Path) -> None:
    converse(tmp_path, [strangers.rust(tmp_path)])


def test_python(tmp_path: Path) -> None:
    converse(tmp_path, strangers.python(tmp_path))


def test_the_document_shows_the_programs_that_these_tests_run() -> None:
    shown = re.findall(
        r"^```(\w+)\n(.*?)^```$", (ROOT / "docs/languages.md").read_text(), re.DOTALL | re.MULTILINE
    )
    programs = [(language.partition(",")[0], PROGRAMS[language]) for language in PROGRAMS]
    assert [block for block in shown if block[0] != "sh"] == [
        (language, (strangers.INTEROP / program).read_text()) for language, program in programs
    ]


@pytest.mark.parametrize("program", PROGRAMS.values())
def test_a_program_is_short(program: str) -> None:
    assert len((strangers.INTEROP / program).read_text().splitlines()) < 60


@pytest.mark.parametrize("language", ["go", "java", "ts", "rust", "python"])
def test_what_make_stubs_prints_stands_in_the_programs(language: str) -> None:
    usage = (ROOT / "protos" / "stubs" / language / "usage.txt").read_text()
    programs = "".join(
        (strangers.INTEROP / path).read_text()
        for name, path in PROGRAMS.items()
        if name.startswith(language)
    )
    said = re.findall(r"^    (\S.*)$", usage, re.MULTILINE)
    missing = [line for line in said if line != "@RETRIES@" and line not in programs]
    assert (len(said) > 0, missing) == (True, [])


def test_the_retries_that_make_stubs_prints_are_safe_and_for_every_rpc() -> None:
    printed = json.loads((ROOT / "protos" / "stubs" / "retries.json").read_text())
    (config,) = printed["methodConfig"]
    # gRPC itself makes no more than five attempts, whatever is asked for (gRFC A6).
    assert (config["name"], config["retryPolicy"]["maxAttempts"]) == ([{}], 5)
    assert config["retryPolicy"]["retryableStatusCodes"] == ["UNAVAILABLE"]
