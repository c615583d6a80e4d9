"""Plans of pipelines whose steps a test writes, for one build."""

import json
from typing import Any

from shipliftd.pipelines import parse
from shipliftd.pipelines.conditions import Facts
from shipliftd.pipelines.plans import (
    Artifact,
    BuildFacts,
    Inputs,
    PlannedStep,
    Previous,
    RepositoryFacts,
    StageFacts,
    SystemFacts,
    environment,
    steps,
)

INPUTS = Inputs(
    build=BuildFacts(
        number=43,
        parent=42,
        event="promote",
        action="deploy",
        status="failure",
        created=1564085874,
        started=1564085875,
        finished=1564085876,
        link="https://github.com/octocat/hello-world/compare/a...b",
        message='updated "README"\n\nand more',
        before="e3320539a4c03ccfda992641646deb67d8bf98f3",
        after="9fc1ad6ebf12462f3f9773003e26b4c6f54a772e",
        ref="refs/tags/v1.2.3",
        source="feature/x",
        target="main",
        deploy_to="production",
        author_login="octocat",
        author_name="The Octocat",
        author_email="octocat@github.com",
        author_avatar="http://www.gravatar.com/avatar/7194e8d48fa1d2b689f99443b767316c",
        trigger="hubot",
        title="no pull request",
        failed_stages=("lint", "test"),
        origin=41,
        release="v1.2.3",
        external_id="github/1.1",
        # Of two that come to one name the first.
        artifacts=(
            Artifact("image", "registry/app", "sha256:9fc1"),
            Artifact("helm-chart", "oci://registry/chart:1", ""),
            Artifact("helm.chart", "oci://registry/other:1", "sha256:1"),
        ),
        previous=Previous(40, "v1.2.2", "e332"),
    ),
    repository=RepositoryFacts(
        owner="octocat",
        name="hello-world",
        scm="git",
        link="https://github.com/octocat/hello-world",
        branch="main",
        visibility="private",
        private=True,
        git_http_url="https://github.com/octocat/hello-world.git",
        git_ssh_url="git@github.com:octocat/hello-world.git",
    ),
    stage=StageFacts(
        number=2,
        name="deploy",
        kind="pipeline",
        type="exec",
        machine="runner-1",
        os="linux",
        arch="arm64",
        variant="v8",
        status="success",
        started=1564085880,
        finished=1564085890,
        depends_on=("test", "lint"),
    ),
    system=SystemFacts(
        proto="https",
        host="shiplift.example.com:8443",
        hostname="shiplift.example.com",
        version="0.2.0",
        link="https://shiplift.example.com:8443/",
    ),
)

PROMOTE = Facts(branch="main", event="promote", repo="octocat/hello-world", target="production")


def plan(
    *written: dict[str, Any], facts: Facts = PROMOTE, params: dict[str, str] | None = None, **keys: object
) -> tuple[PlannedStep, ...]:
    """The plan of a pipeline of these steps; JSON is YAML, too."""
    (pipeline,) = parse(json.dumps({"kind": "pipeline", "type": "any", "steps": written, **keys})).pipelines
    return steps(pipeline, facts, environment(INPUTS, params or {}))
