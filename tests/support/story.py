"""What `make demo` shows: a release that is refused, promoted, approved, fails, and is rolled back.

Each command is run as it stands there, by the `shiplift` command on a server of its own.
"""

import re
from pathlib import Path

from shiplift.runner.taking import this_platform
from shiplift.v1 import access_pb2, builds_pb2

from tests.support.demo import OWNER, REPO, alone, call, require
from tests.support.harness import Shipliftd

RULES = """\
environments:
- name: staging
- name: production
  requires: staging
  soak: 3s
  required_approvals: 1
  approvers: [mona]
  params:
  - name: REGION
    description: where to
    required: true
    pattern: '(eu|us)-(west|east)-[0-9]'
"""
# The same for both releases; what v1.5.0 lacks shows in production alone.
PIPELINE = f"""\
kind: pipeline
type: exec
name: default

platform:
  os: {this_platform()[0]}
  arch: {this_platform()[1]}

trigger:
  event: [promote, rollback]

steps:
- name: deploy
  commands:
  - echo "$SHIPLIFT_RELEASE goes to $DRONE_DEPLOY_TO in $REGION"
- name: check
  commands:
  - echo "asking $DRONE_DEPLOY_TO how it is"
  - test "$DRONE_DEPLOY_TO-$SHIPLIFT_RELEASE" != production-v1.5.0 || {{ echo "503, it says"; exit 1; }}
  - echo "200, it says"
"""
PARAMS = ("-p", "REGION=eu-west-1")


class Story:
    """A server with a repository, and the people in it."""

    def __init__(self, server: Shipliftd) -> None:
        self._server = server
        slug = f"{OWNER}/{REPO}"
        url = f"https://github.com/{slug}.git"
        server.access().CreateRepository(
            access_pb2.CreateRepositoryRequest(owner=OWNER, repo=REPO, git_http_url=url)
        )
        level, action = access_pb2.AccessLevel, access_pb2.TokenAction
        self.octocat = server.user("octocat", slug, level.ACCESS_LEVEL_WRITE)
        self.mona = server.user("mona", slug, level.ACCESS_LEVEL_READ)
        cuts = {"actions": [action.TOKEN_ACTION_RUN], "repositories": [slug]}
        self.runner = server.user("runner", slug, level.ACCESS_LEVEL_WRITE, **cuts)

    def record(self, release: str, commit: str) -> None:
        """Records a build that ended in success."""
        self._server.builds().CreateBuild(
            builds_pb2.CreateBuildRequest(
                owner=OWNER,
                repo=REPO,
                release=release,
                after=commit,
                status=builds_pb2.BUILD_STATUS_SUCCESS,
                pipeline=PIPELINE,
            )
        )

    def by(self, token: str, *words: str, expected: int = 0) -> str:
        """Runs a command with a token, and shows both sides."""
        return call(self._server, token, *words, expected=expected)

    def run(self, expected: int = 0) -> None:
        """Has a runner do what is to be done next."""
        self.by(self.runner, "runner", "--once", "--name", "demo", expected=expected)

    def promote(self, release: str, environment: str) -> str:
        """Promotes a release; returns the number of the promotion."""
        told = self.by(self.octocat, "promote", release, environment, *PARAMS)
        found = re.search(r"^build +(\d+)$", told, re.MULTILINE)
        require(found is not None, f"promote says no number: {told}")
        assert found is not None
        return found[1]


def story(directory: Path) -> None:
    """Runs all of it; raises SystemExit where anything is other than it says."""
    rules = directory / "rules.yaml"
    rules.write_text(RULES)
    server = Shipliftd(directory / "shiplift.db").start()
    try:
        print(f"shipliftd listens on {server.address}; its store is {server.database}.")
        told = Story(server)
        print(f"An admin of {OWNER}/{REPO} says what its environments ask for:\n\n{RULES}", end="")
        told.by(server.admin_token, "env", "apply", str(rules))
        _first_release(told)
        _refused(told)
        failed = _promoted(told)
        _rolled_back(told, failed)
    finally:
        code = server.stop()
    require(code == 0, f"the server exited {code}")
    print("\nThe server has stopped, and its store is gone.")


def _first_release(told: Story) -> None:
    print("\nRelease v1.4.0 goes to staging. A runner does what its pipeline file says:")
    told.record("v1.4.0", "9fc1ad6ebf12462f3f9773003e26b4c6f54a772e")
    told.promote("v1.4.0", "staging")
    told.run()
    print("\nTo production it has to wait: for mona, and for its time in staging.")
    number = told.promote("v1.4.0", "production")
    told.by(told.mona, "approve", number, "--comment", "go")
    told.run()


def _refused(told: Story) -> None:
    print("\nRelease v1.5.0 is recorded. May it go to production?")
    told.record("v1.5.0", "e3320539a4c03ccfda992641646deb67d8bf98f3")
    gates = told.by(told.octocat, "explain", "v1.5.0", "production", expected=1)
    for gate in ("predecessor", "parameters", "approvals"):
        require(gate in gates, f"explain says nothing of {gate}")
    refusal = told.by(told.octocat, "promote", "v1.5.0", "production", expected=1)
    require("staging" in refusal, "the refusal does not say that it goes to staging first")


def _promoted(told: Story) -> str:
    print("\nSo it goes to staging first, and then it is mona's turn:")
    told.promote("v1.5.0", "staging")
    told.run()
    number = told.promote("v1.5.0", "production")
    told.by(told.mona, "approve", number, "--comment", "staging looks well")
    print("\nIt goes, once it has been in staging for its 3 s, and fails:")
    told.run(expected=1)
    failure = told.by(told.octocat, "wait", number, expected=4)
    for part in ("check", "503, it says", "rollback production"):
        require(part in failure, f"the failure does not tell of {part!r}")
    board = told.by(told.octocat, "envs")
    require("check" in board, "the board does not say where it failed")
    return number


def _rolled_back(told: Story, failed: str) -> None:
    print("\nNobody has to know which build was there before:")
    back = told.by(told.octocat, "rollback", "production", "--comment", "503")
    require(failed in back, f"the rollback does not say that it replaces {failed}")
    told.run()
    board = told.by(told.octocat, "envs")
    require("v1.4.0" in board, "v1.4.0 is not back in production")


if __name__ == "__main__":
    alone(story)
