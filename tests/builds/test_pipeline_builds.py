"""Builds that have a pipeline file: recording it, and promotions that get their stages from it."""

from typing import Any

import grpc
import pytest
from shiplift.v1 import builds_pb2 as api

from tests.support.pipeline_files import file
from tests.support.refusals import Refusal, invalid, refusal
from tests.support.repository import Repository
from tests.support.staged import AT_ONCE, PENDING, SUCCESS, Staged, pipelines, runner_of, statuses, stored

MIB = 1024 * 1024


@pytest.fixture
def staged(repository: Repository) -> Staged:
    """A repository of the test's own with its runner."""
    return Staged.of(repository)


def kept(repository: Repository, text: str) -> list[tuple[int]]:
    return stored(repository.server, "SELECT id FROM pipelines WHERE text = ?", text)


def test_a_file_is_stored_once_for_each_content(repository: Repository, name: str) -> None:
    text = pipelines({"name": f"of {name}"})
    for _ in range(3):
        repository.record(pipeline=text)
    repository.promote(1)
    assert len(kept(repository, text)) == 1
    assert len(kept(repository, text + "\n")) == 0
    repository.record(pipeline=text + "\n")
    assert len(kept(repository, text + "\n")) == 1


def test_a_build_that_is_refused_keeps_no_file(repository: Repository, name: str) -> None:
    text = pipelines({"name": f"of {name}"})
    repository.record(number=7)
    assert refusal(repository.record, pipeline=text, number=7).reason == "NUMBER_TAKEN"
    assert kept(repository, text) == []


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        (
            "kind: pipeline\nsteps: [\n",
            [("pipeline:3:1", "is not YAML: did not find expected node content while parsing a flow node")],
        ),
        (
            "kind: pipeline\nname: a\ndepends_on: [b]\n---\nkind: pipeline\nname: b\ndepends_on: [a]\n",
            [("pipeline:3:14", "wait for each other, so that none can begin: 'a' -> 'b' -> 'a'")],
        ),
        (
            "kind: pipeline\nname: a\n---\nkind: pipeline\nname: a\ndepends_on: [c]\n",
            [
                (
                    "pipeline:5:7",
                    "'a' is another pipeline of this file, too, in line 2: give each a name of its own",
                ),
                ("pipeline:6:14", "'c' is not a pipeline of this file"),
            ],
        ),
        ("kind: pipeline\nname: [a]\n", [("pipeline:2:7", "name is a list: wanted text")]),
    ],
    ids=["bad YAML", "cycle", "duplicate", "wrong type"],
)
def test_a_fault_of_a_file_is_told_with_line_and_column(
    repository: Repository, text: str, faults: list[tuple[str, str]]
) -> None:
    assert refusal(repository.record, pipeline=text) == invalid(*faults)
    assert repository.numbers() == []


def test_a_file_has_at_most_a_mebibyte(repository: Repository) -> None:
    text = pipelines({"name": "deploy"}) + "\n# "
    longest = text + "ä" * ((MIB - len(text)) // 2)
    recorded = repository.record(pipeline=longest.ljust(MIB - longest.count("ä"), "x"))
    assert recorded.number == 1
    told = refusal(repository.record, pipeline=text.ljust(MIB + 1, "x"))
    assert told == invalid(("pipeline", f"has {MIB + 1} bytes: at most {MIB} are taken"))


def test_a_build_has_the_stages_that_match_its_event(repository: Repository) -> None:
    text = pipelines(
        {"name": "test", "trigger": {"event": "push", "branch": "main"}},
        {"name": "lint", "trigger": {}, "depends_on": ["test"]},
        {"name": "nightly", "trigger": {"cron": "nightly"}},
        {"name": "deploy"},
    )
    pushed = repository.record(pipeline=text, target="main")
    assert statuses(pushed) == {"test": "pending", "lint": "waiting_on_dependencies"}
    other = repository.record(pipeline=text, target="feature")
    assert statuses(other) == {"lint": "pending"}
    cron = repository.record(pipeline=text, event=api.BUILD_EVENT_CRON, cron="nightly", status=SUCCESS)
    assert statuses(cron) == {"lint": "success", "nightly": "success"}


def test_stages_that_are_given_go_before_the_files(repository: Repository) -> None:
    text = pipelines({"name": "test", "trigger": {}})
    recorded = repository.record(pipeline=text, stages=[api.StageSpec(name="own")])
    assert statuses(recorded) == {"own": "pending"}
    assert statuses(repository.promote(1)) == {"test": "pending"}


@pytest.mark.parametrize("text", [pipelines({"name": "deploy"}), "kind: secret\nname: x\n", "# nothing\n"])
def test_a_build_that_matches_nothing_has_one_stage_for_a_deployer(
    repository: Repository, text: str
) -> None:
    recorded = repository.record(pipeline=text)
    assert [(stage.name, stage.kind) for stage in recorded.stages] == [("default", "external")]


def test_a_promotion_has_its_stages_from_the_file(repository: Repository) -> None:
    text = file(
        {
            "name": "deploy",
            "type": "exec",
            "platform": {"os": "windows", "arch": "arm64", "variant": "v8", "version": 1809},
            "node": {"disk": "ssd"},
            "concurrency": {"limit": 2},
            "trigger": {"event": ["promote"], "target": "prod*", "status": ["success", "failure"]},
        },
        {"name": "test", "trigger": {"event": "push"}, "depends_on": ["deploy"]},
        {"name": "tell", "depends_on": ["test"], "trigger": {"event": "promote"}},
    )
    repository.record(pipeline=text, status=SUCCESS)
    promoted = repository.promote(1)
    fresh: dict[str, Any] = {
        "repo_id": promoted.repo_id,
        "build_id": promoted.id,
        "kind": "pipeline",
        "created": promoted.created,
        "updated": promoted.created,
        "version": 1,
        "on_success": True,
    }
    first, second = promoted.stages
    assert first == api.Stage(
        **fresh,
        id=first.id,
        number=1,
        name="deploy",
        type="exec",
        status=PENDING,
        os="windows",
        arch="arm64",
        variant="v8",
        kernel="1809",
        limit=2,
        labels={"disk": "ssd"},
        on_failure=True,
    )
    # It waits for what the pipeline between waits for, which does not run.
    assert second == api.Stage(
        **fresh,
        id=second.id,
        number=2,
        name="tell",
        type="docker",
        status=api.BUILD_STATUS_WAITING_ON_DEPENDENCIES,
        os="linux",
        arch="amd64",
        depends_on=["deploy"],
    )
    assert statuses(repository.promote(1, "staging")) == {"tell": "pending"}


def test_each_hop_has_its_stages_from_the_origins_file(repository: Repository) -> None:
    documents = [
        {"name": f"to {target}", "trigger": {"event": "promote", "target": target}}
        for target in ("staging", "canary", "production")
    ]
    repository.record(pipeline=pipelines(*documents), status=SUCCESS)
    # Another build's file does not matter.
    repository.record(pipeline=pipelines({"name": "other"}))
    hops = [(1, "staging"), (3, "canary"), (4, "production"), (5, "staging")]
    promoted = [repository.promote(number, target) for number, target in hops]
    assert [statuses(build) for build in promoted] == [{f"to {target}": "pending"} for _, target in hops]
    assert [(build.parent, build.origin) for build in promoted] == [(number, 1) for number, _ in hops]


def test_a_promotion_that_matches_nothing_is_refused_and_told_why(repository: Repository) -> None:
    text = pipelines(
        {"name": "test", "trigger": {"event": "push"}},
        {"name": "deploy", "trigger": {"event": "promote", "target": ["production", "staging"]}},
    )
    repository.record(pipeline=text)
    assert refusal(repository.promote, 1, "prod") == Refusal(
        grpc.StatusCode.FAILED_PRECONDITION,
        "no pipeline of the file runs for this build, did you mean the target 'production'?"
        " test: event is 'promote', wanted push; deploy: target is 'prod', wanted production or staging",
        "NO_PIPELINE_MATCHES",
        (
            ("test", "event is 'promote', wanted push"),
            ("deploy", "target is 'prod', wanted production or staging"),
        ),
    )
    # It takes no number, and no request_id.
    assert refusal(repository.promote, 1, "prod", request_id="r").reason == "NO_PIPELINE_MATCHES"
    assert repository.promote(1, "staging", request_id="r").number == 2


def test_a_promotion_says_what_it_waits_for_until_a_runner_that_could_has_asked(staged: Staged) -> None:
    repository = staged.repository
    waits = (
        "stage 'deploy' waits for a runner of type exec for linux/arm64 with the labels {'zone': 'a'}:"
        " none that may take it has asked in the last hour"
    )
    document = {"name": "deploy", "platform": {"arch": "arm64"}, "node": {"zone": "a"}}
    promoted = staged.promoted(document, {"name": "free", "type": "docker", "depends_on": ["deploy"]})
    assert promoted.waiting_for == repository.get(2).waiting_for == waits
    for want in (
        {"arch": "amd64", "labels": {"zone": "a"}},
        {"arch": "arm64"},
        {"labels": {"zone": "b"}},
        {"labels": {"zone": "a"}, "environments": ["staging"]},
        {"labels": {"zone": "a"}, "kind": "external"},
    ):
        assert staged.runner.offered(AT_ONCE, **want) == ""
    other = runner_of(repository, f"cut-{repository.name}", environments=["staging"])
    assert other.offered(AT_ONCE, labels={"zone": "a"}) == ""
    assert repository.get(2).waiting_for == f"{waits}; one with other labels has"

    assert staged.runner.offered(labels={"zone": "a"}) == "deploy"
    assert repository.get(2).waiting_for == ""
    assert repository.promote(1).waiting_for == ""
    staged.runner.accept(promoted.stages[0].id)
    staged.runner.report(promoted.stages[0].id, SUCCESS)
    # Now the next one waits.
    assert repository.get(2).waiting_for == (
        "stage 'free' waits for a runner of type docker for linux/amd64:"
        " none that may take it has asked in the last hour; one with other labels has"
    )
    assert [build.waiting_for for build in repository.page().builds] == ["", "", ""]


def test_a_deployer_need_have_asked_as_a_runner(staged: Staged) -> None:
    assert staged.external().waiting_for.startswith("stage 'default' waits for a deployer of production: ")
