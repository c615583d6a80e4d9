"""The contract's build on a server of its own, whose file is temporary: `make run` lets you promote it."""

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.json_format import ParseDict
from shiplift.runner.taking import this_platform
from shiplift.v1 import access_pb2, builds_pb2

from tests.support.harness import Shipliftd

OWNER, REPO = "octocat", "hello-world"
PARAMS = {"REGION": "eu-west-1", "REPLICAS": "3"}
PROMOTE = ["promote", "41", "production", "-p", "REGION=eu-west-1", "-p", "REPLICAS=3"]

# The build as its CI system would have recorded it, but for its number: what a promotion copies.
BUILD = {
    "link": "https://github.com/octoat/hello-world/compare/e3320539a4c0...9fc1ad6ebf12",
    "message": "updated README",
    "before": "e3320539a4c03ccfda992641646deb67d8bf98f3",
    "after": "9fc1ad6ebf12462f3f9773003e26b4c6f54a772e",
    "ref": "refs/heads/master",
    "source_repo": "spaceghost/hello-world",
    "source": "master",
    "target": "master",
    "author_login": "octocat",
    "author_name": "The Octocat",
    "author_email": "octocat@github.com",
    "author_avatar": "http://www.gravatar.com/avatar/7194e8d48fa1d2b689f99443b767316c",
    "sender": "bradrydzewski",
}
STAGE = {
    "name": "default",
    "kind": "pipeline",
    "type": "docker",
    "machine": "15e89c0f84f1",
    "os": "linux",
    "arch": "amd64",
}


# What the build's repository has as its pipeline file: what a promotion of it does.
PIPELINE = f"""\
kind: pipeline
type: exec
name: default

platform:
  os: {this_platform()[0]}
  arch: {this_platform()[1]}

trigger:
  event: [promote]
  target: [staging, production]

steps:
- name: deploy
  commands:
  - echo "${{DRONE_COMMIT_SHA:0:12}} goes to $DRONE_DEPLOY_TO"
  - echo "$REPLICAS replicas in $REGION"
"""


@dataclass(frozen=True)
class Tokens:
    """A user's token who may write to the repository, one's who may only read, and a runner's."""

    writer: str
    reader: str
    runner: str


def fill(server: Shipliftd, pipeline: str = "") -> Tokens:
    """Makes the repository with its users, and build 41: with a pipeline file, or the contract's stage."""
    server.access().CreateRepository(
        access_pb2.CreateRepositoryRequest(
            owner=OWNER,
            repo=REPO,
            default_branch="master",
            git_http_url=f"https://github.com/{OWNER}/{REPO}.git",
        )
    )
    # An admin may import a build with its number: the promotion becomes number 42.
    request = BUILD | {
        "owner": OWNER,
        "repo": REPO,
        "number": 41,
        "status": "BUILD_STATUS_SUCCESS",
        **({"pipeline": pipeline} if pipeline else {"stages": [STAGE]}),
    }
    server.builds().CreateBuild(ParseDict(request, builds_pb2.CreateBuildRequest()))
    return Tokens(
        writer=server.user("octocat", f"{OWNER}/{REPO}", access_pb2.ACCESS_LEVEL_WRITE),
        reader=server.user("mona", f"{OWNER}/{REPO}", access_pb2.ACCESS_LEVEL_READ),
        runner=server.user(
            "runner",
            f"{OWNER}/{REPO}",
            access_pb2.ACCESS_LEVEL_WRITE,
            actions=[access_pb2.TOKEN_ACTION_RUN],
            repositories=[f"{OWNER}/{REPO}"],
        ),
    )


def call(server: Shipliftd, token: str, *words: str, expected: int = 0) -> str:
    """Runs the `shiplift` command, shows it with all that it prints, and returns its standard output."""
    print(f"\n$ {shlex.join(['shiplift', *words])}", flush=True)
    done = subprocess.run(
        [Path(sys.executable).with_name("shiplift"), *words],
        env={
            **os.environ,
            "SHIPLIFT_SERVER": server.address,
            "SHIPLIFT_REPO": f"{OWNER}/{REPO}",
            "SHIPLIFT_TOKEN": token,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if expected else None,
        text=True,
        timeout=60,
    )
    print(done.stdout, end="", flush=True)
    require(done.returncode == expected, f"shiplift {words[0]} exited {done.returncode}, not {expected}")
    return done.stdout


def require(condition: bool, otherwise: str) -> None:
    """Ends the demo where something is other than it says."""
    if not condition:
        raise SystemExit(f"The demo failed: {otherwise}.")


def keep_running(directory: Path) -> None:
    """Prints commands to paste, and serves until it is interrupted."""
    listen = os.environ.pop("SHIPLIFTD_LISTEN", "127.0.0.1:50051")
    http = os.environ.pop("SHIPLIFTD_HTTP", "127.0.0.1:8080")
    with Shipliftd(directory / "shiplift.db", ("--http", http), listen=listen) as server:
        tokens = fill(server, PIPELINE)
        request = {"owner": OWNER, "repo": REPO, "build": 41, "target": "production", "params": PARAMS}
        print(
            f"""\
shipliftd listens on {server.address}, and for JSON on {server.http}, with build 41 of {OWNER}/{REPO}.
Ctrl-C stops it. In another terminal:

export PATH={Path(sys.executable).parent}:$PATH
export SHIPLIFT_SERVER={server.address} SHIPLIFT_REPO={OWNER}/{REPO}
export SHIPLIFT_TOKEN={tokens.writer}   # octocat, who may write

shiplift {shlex.join(PROMOTE)}
SHIPLIFT_TOKEN={tokens.runner} shiplift runner --once
shiplift log 42

With grpcurl:

grpcurl -plaintext -H "authorization: Bearer $SHIPLIFT_TOKEN" \\
  -d {shlex.quote(json.dumps(request))} \\
  $SHIPLIFT_SERVER shiplift.v1.BuildService/PromoteBuild

With curl:

curl -X POST -H "Authorization: Bearer $SHIPLIFT_TOKEN" \\
  'http://{server.http}/api/repos/{OWNER}/{REPO}/builds/41/promote?target=production&REGION=eu-west-1'

Tokens of others:

export SHIPLIFT_TOKEN={tokens.reader}   # mona, who may only read
export SHIPLIFT_TOKEN={server.admin_token}   # admin, who may do everything""",
            flush=True,
        )
        server.process.wait()
        raise SystemExit(f"shipliftd has ended: {server.log[-1:]}")


def alone_before_the_terminal() -> None:
    """Has Ctrl-C end this program and not the make that called it, which would call that an error."""
    if not sys.stdin.isatty():
        return
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    os.setpgid(0, 0)
    os.tcsetpgrp(sys.stdin.fileno(), os.getpgrp())


def alone(show: Callable[[Path], None]) -> None:
    """Calls this with a temporary directory, and without what the user has logged in to."""
    for name in [name for name in os.environ if name.startswith("SHIPLIFT")]:
        if name not in ("SHIPLIFTD_LISTEN", "SHIPLIFTD_HTTP"):
            del os.environ[name]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="shiplift-demo-") as directory:
        os.environ["XDG_CONFIG_HOME"] = directory
        try:
            show(Path(directory))
        except KeyboardInterrupt:
            print("\nStopped.")


if __name__ == "__main__":
    alone_before_the_terminal()
    alone(keep_running)
