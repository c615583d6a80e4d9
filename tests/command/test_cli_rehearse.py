"""`shiplift env apply --rehearse`: what rules would have done to the promotions that there were."""

from pathlib import Path

import pytest

from tests.support.cli import Cli
from tests.support.gated import Gated
from tests.support.repository import Repository
from tests.support.staged import FAILURE
from tests.support.terminal import TIME

RULES = """\
environments:
- name: qa
- name: staging
- name: production
  requires: staging
  required_approvals: 1
"""


@pytest.fixture
def gated(repository: Repository) -> Gated:
    """To production went v1 from staging, and a build that had failed; staging is declared."""
    made = Gated.caller_of(repository)
    made.released(release="v1")
    made.delivered(1, "staging")
    made.delivered(1)
    made.record(status=FAILURE)
    made.delivered(4)
    made.declare("staging")
    return made


def test_what_rules_would_have_stopped_is_shown(gated: Gated, tmp_path: Path) -> None:
    cli = Cli(tmp_path, gated.server.address, gated.server.admin_token, gated.slug)
    (tmp_path / "rules.yml").write_text(RULES)
    said = cli.run("env", "apply", "rules.yml", "--rehearse")
    took = "production takes builds that ended in success"
    waits = f"approvals: 0 of 1 approvals; wanted is an admin of {gated.slug}, not admin, by TIME:"
    shown = [" ".join(line.split()) for line in TIME.sub("TIME", said.out).splitlines()]
    assert shown[0] == f"{gated.slug} qa: 0 of the last 0 would have been refused, 0 would have waited"
    assert shown[1] == "BUILD RELEASE EVENT BY CREATED RESULT WHY"
    assert shown[2].startswith(
        f"5 promote of 4 admin TIME failed success: build 4 is failure, and {took}; predecessor: build 4"
        f" has not succeeded in staging yet: promote it there first; {waits}"
    )
    assert shown[3].startswith(f"3 v1 promote of 1 admin TIME waiting {waits}")
    told = f"{gated.slug} production: 1 of the last 2 would have been refused, 1 would have waited"
    assert shown[4:] == [told]
    assert (said.code, said.err) == (0, "Nothing was changed: --rehearse.\n")
    fewer = cli.run("env", "apply", "rules.yml", "--rehearse", "--last", "1")
    assert fewer.out.endswith("production: 1 of the last 1 would have been refused, 0 would have waited\n")
    assert [each["name"] for each in cli.run("env", "list", "--json").json()] == ["staging"]


def test_what_is_no_environments_rules_is_not_rehearsed(gated: Gated, tmp_path: Path) -> None:
    cli = Cli(tmp_path, gated.server.address, gated.server.admin_token, gated.slug)
    (tmp_path / "rules.yml").write_text("environments: []\n")
    said = cli.run("env", "apply", "rules.yml", "--prune", "--rehearse")
    told = f"{gated.slug} staging: not rehearsed: only environments that are declared or changed are"
    assert said == (0, "", f"{told}\nNothing was changed: --rehearse.\n")
    said = cli.run("env", "apply", "rules.yml", "--last", "5")
    told = "--last says how many promotions to rehearse with: it goes with --rehearse"
    assert said == (2, "", f"shiplift: {told}\n")
