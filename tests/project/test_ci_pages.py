"""The files that docs/ci has for CI systems, run as these would run them."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb

from tests.support.ci_variables import AFTER, GITHUB, GITLAB, JENKINS
from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS
from tests.support.toolchains import ROOT

BIN = Path(sys.executable).parent
# What is the reader's own, and not ours to run.
THEIRS = ("make test", "pipx install shiplift", "pip install --quiet shiplift")


@dataclass
class World:
    """A server, a CI machine with an empty home, and the variables that a job has there."""

    server: Shipliftd
    place: Path
    variables: dict[str, str] = field(default_factory=dict)

    def run(self, script: str, variables: Mapping[str, str]) -> str:
        """What a script prints; it must exit 0."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.place,
            env={
                "PATH": f"{BIN}:{os.environ['PATH']}",
                "HOME": str(self.place),
                **self.variables,
                **variables,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
        )
        assert done.returncode == 0, (script, done.stdout)
        return done.stdout

    def tokens(self, page: str) -> tuple[str, str]:
        """What the page has an admin do, and the tokens for the job that this makes."""
        (script,) = re.findall(r"^```sh\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
        admin = {"SHIPLIFT_SERVER": self.server.address, "SHIPLIFT_TOKEN": self.server.admin_token}
        record, promote = re.findall(r"^shl_\S+$", self.run(script, admin), re.MULTILINE)
        return record, promote

    def check(self, external_id: str) -> None:
        """That the job recorded one build and promoted it, each time that it ran."""
        found = self.server.builds().ListBuilds(pb.ListBuildsRequest(owner="acme", repo="web")).builds
        assert [(build.parent, build.deploy_to, build.status) for build in found] == [
            (1, "staging", pb.BUILD_STATUS_SUCCESS),
            (1, "staging", pb.BUILD_STATUS_SUCCESS),
            (0, "", pb.BUILD_STATUS_SUCCESS),
        ]
        recorded = found[-1]
        assert (recorded.external_id, recorded.after, recorded.source) == (external_id, AFTER, "main")
        assert [artifact.uri for artifact in recorded.artifacts] == [f"registry.example.org/web:{AFTER}"]


@pytest.fixture
def world(own_server: Shipliftd, tmp_path: Path) -> Iterator[World]:
    """A world with a deployer that takes what goes to staging."""
    place = tmp_path / "home"
    place.mkdir()
    token = own_server.user(
        "deployer",
        "acme/*",
        access_pb2.ACCESS_LEVEL_WRITE,
        actions=[access_pb2.TOKEN_ACTION_RUN],
        environments=["staging"],
    )
    deployer = subprocess.Popen(
        [BIN / "shiplift", "take", "staging", "--", "true"],
        env={"PATH": os.environ["PATH"], "HOME": str(place), "SHIPLIFT_SERVER": own_server.address}
        | {"SHIPLIFT_TOKEN": token},
        stderr=subprocess.DEVNULL,
    )
    yield World(own_server, place)
    deployer.terminate()
    deployer.wait(SECONDS)


def block(page: str, language: str) -> str:
    """The page's one block of a language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    return str(found)


def filled(values: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    """Variables with GitHub's `${{ ... }}` in them replaced."""
    return {
        name: re.sub(r"\$\{\{ (.*?) \}\}", lambda found: known[found[1]], value)
        for name, value in values.items()
    }


def test_github_actions(world: World) -> None:
    page = (ROOT / "docs/ci/github-actions.md").read_text()
    record, promote = world.tokens(page)
    workflow = yaml.safe_load(block(page, "yaml"))
    outputs = world.place / "outputs"
    world.variables = {**GITHUB, "GITHUB_REPOSITORY": "acme/web", "GITHUB_OUTPUT": str(outputs)}
    known = {
        "vars.SHIPLIFT_SERVER": world.server.address,
        "github.repository": "acme/web",
        "secrets.SHIPLIFT_RECORD_TOKEN": record,
        "secrets.SHIPLIFT_PROMOTE_TOKEN": promote,
    }
    assert list(workflow["jobs"]) == ["build", "staging"]
    for _ in range(2):
        outputs.write_text("")
        for job in workflow["jobs"].values():
            for step in job["steps"]:
                if step.get("run", THEIRS[0]) not in THEIRS:
                    world.run(step["run"], filled({**workflow["env"], **step.get("env", {})}, known))
            told = dict(line.split("=") for line in outputs.read_text().splitlines())
            known |= {f"steps.record.outputs.{name}": value for name, value in told.items()}
            known |= {
                f"needs.build.outputs.{name}": value
                for name, value in filled(job.get("outputs", {}), known).items()
            }
    world.check("github/1658821493.2")


def test_gitlab_ci(world: World) -> None:
    page = (ROOT / "docs/ci/gitlab-ci.md").read_text()
    record, promote = world.tokens(page)
    file = yaml.safe_load(block(page, "yaml"))
    world.variables = {
        **GITLAB,
        "CI_PROJECT_PATH": "acme/web",
        "SHIPLIFT_RECORD_TOKEN": record,
        "SHIPLIFT_PROMOTE_TOKEN": promote,
    }
    jobs = {name: job for name, job in file.items() if name not in ("stages", "default", "variables")}
    assert [job["stage"] for job in jobs.values()] == file["stages"]
    for _ in range(2):
        kept: dict[str, str] = {}
        for job in jobs.values():
            given = {**file["variables"], **job["variables"], "SHIPLIFT_SERVER": world.server.address}
            variables = {
                name: re.sub(r"\$(\w+)", lambda found: world.variables[found[1]], value)
                for name, value in given.items()
            }
            lines = [*file["default"]["before_script"], *job["script"]]
            world.run("\n".join(line for line in lines if line not in THEIRS), {**variables, **kept})
            if "artifacts" in job:
                dotenv = world.place / job["artifacts"]["reports"]["dotenv"]
                kept = dict(line.split("=") for line in dotenv.read_text().splitlines())
    world.check(f"gitlab/{GITLAB['CI_PIPELINE_ID']}")


def test_jenkins(world: World) -> None:
    page = (ROOT / "docs/ci/jenkins.md").read_text()
    tokens = dict(zip(("shiplift-record", "shiplift-promote"), world.tokens(page), strict=True))
    file = block(page, "groovy")
    world.variables = {**JENKINS, **dict(re.findall(r"^    (\w+) = '(.*)'$", file, re.MULTILINE))}
    assert world.variables["SHIPLIFT_REPO"] == "acme/web"
    world.variables["SHIPLIFT_SERVER"] = world.server.address
    scripts = re.findall(r"credentialsId: '([\w-]+)', variable: 'SHIPLIFT_TOKEN'.*\n +sh '(.*)'", file)
    assert [credential for credential, _ in scripts] == list(tokens)
    for _ in range(2):
        for credential, script in scripts:
            world.run(script, {"SHIPLIFT_TOKEN": tokens[credential]})
    world.check(f"jenkins/{JENKINS['JOB_NAME']}#{JENKINS['BUILD_NUMBER']}")


def test_a_job_that_records_cannot_promote(world: World) -> None:
    record, promote = world.tokens((ROOT / "docs/ci/jenkins.md").read_text())
    server = {"SHIPLIFT_SERVER": world.server.address, "SHIPLIFT_REPO": "acme/web"}
    world.run(f"shiplift record --commit {AFTER}", {**server, "SHIPLIFT_TOKEN": record})
    for token, target in ((record, "staging"), (promote, "production")):
        told = world.run(f"! shiplift promote 1 {target}", {**server, "SHIPLIFT_TOKEN": token})
        assert "refused (PERMISSION_DENIED)" in told
