"""Builds that somebody asks for: runners do them, and what is left out is their branch's newest."""

import grpc
import pytest
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb

from tests.support.gateway import Caller
from tests.support.harness import Shipliftd
from tests.support.refusals import refusal
from tests.support.repository import COMMIT, Repository
from tests.support.staged import AT_ONCE, Runner, pipelines, runner_of

PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
CUSTOM = pipelines({"name": "nightly", "trigger": {"event": "custom"}}, {"name": "deploy"})
OTHER = pipelines({"name": "other", "trigger": {"event": "custom"}})
MAIN = {"ref": "refs/heads/main", "target": "main"}
DEV = {"ref": "refs/heads/dev", "target": "dev"}
NO_COMMIT = (
    "there is no commit to build: none is named, and no build of the branch 'main' with one is recorded."
    " Name the commit (`after`), or record a build of the branch first"
)
NO_FILE = (
    "there is nothing to run: no pipeline file is recorded for the branch 'dev' or the default branch"
    " 'main'. Record a build with one (`pipeline`; `shiplift record` sends .drone.yml)"
)


def asked(repository: Repository, **fields: object) -> pb.Build:
    """A build that runners are to do, of event custom."""
    return repository.record(**{"run": True, "event": pb.BUILD_EVENT_CUSTOM, "after": "", **fields})


def stages(build: pb.Build) -> list[str]:
    return [f"{stage.kind} {stage.name}" for stage in build.stages]


@pytest.fixture
def path(repository: Repository) -> str:
    """Where Drone's clients ask for builds."""
    return f"/api/repos/{repository.slug}/builds"


def test_the_newest_file_and_commit_of_the_branch_are_run(
    caller: Caller, repository: Repository, path: str
) -> None:
    repository.record(**MAIN, after="aaaaaaa", pipeline=OTHER)
    repository.record(
        **MAIN, after="bbbbbbb", pipeline=CUSTOM, message="mend it", author_login="ann", before="aaa"
    )
    repository.record(**MAIN, after="ccccccc", message="and this", author_login="bob")
    repository.record(**DEV, after="ddddddd", pipeline=OTHER)
    repository.promote(2)
    made = caller.post(path, {"branch": "main", "A": "1"}).json
    found = [
        made[k]
        for k in (
            "number",
            "event",
            "status",
            "after",
            "message",
            "author_login",
            "ref",
            "source",
            "target",
        )
    ]
    assert found == [
        6,
        "custom",
        "pending",
        "ccccccc",
        "and this",
        "bob",
        "refs/heads/main",
        "main",
        "main",
    ]
    assert made["params"] == {"A": "1"}
    assert [(stage["kind"], stage["name"], stage["status"]) for stage in made["stages"]] == [
        ("pipeline", "nightly", "pending")
    ]
    # As the command sends it when it was told of neither, and over gRPC.
    assert caller.post(path, {"branch": "", "commit": ""}).json["after"] == "ccccccc"
    assert asked(repository).after == "ccccccc"
    # Nothing of what is named is taken from elsewhere.
    named = caller.post(path, {"branch": "dev", "commit": "EEEEEEE"}).json
    assert [named[k] for k in ("after", "message", "author_login", "target")] == ["eeeeeee", "", "", "dev"]
    assert [stage["name"] for stage in named["stages"]] == ["other"]


def test_a_runner_does_it(repository: Repository) -> None:
    runner: Runner = runner_of(repository, f"runner-{repository.name}")
    repository.record(**MAIN, pipeline=CUSTOM, status=pb.BUILD_STATUS_SUCCESS)
    build = asked(repository)
    lease = runner.take(kind="pipeline", type="exec")
    assert (lease.build.number, lease.stage.name) == (build.number, "nightly")
    assert lease.plan.environment["DRONE_BUILD_EVENT"] == "custom"
    assert lease.plan.environment["DRONE_COMMIT"] == COMMIT
    assert runner.offered(AT_ONCE, kind="pipeline", type="exec") == ""


def test_the_default_branchs_file_serves_a_branch_without_one(repository: Repository) -> None:
    repository.record(**MAIN, pipeline=CUSTOM)
    repository.record(**DEV, after="ddddddd")
    build = asked(repository, target="dev")
    assert (build.after, build.ref, stages(build)) == ("ddddddd", "refs/heads/dev", ["pipeline nightly"])


def test_a_file_of_ones_own_is_run_at_once(repository: Repository) -> None:
    repository.record(**MAIN, pipeline=CUSTOM)
    build = asked(repository, pipeline=OTHER, ref="refs/tags/v1", source="elsewhere", message="mine")
    assert (stages(build), build.after, build.ref) == (["pipeline other"], COMMIT, "refs/tags/v1")
    assert (build.source, build.target, build.message) == ("elsewhere", "main", "mine")


def test_neither_a_promotion_nor_a_restart_nor_a_pull_request_is_a_branchs_newest(
    repository: Repository,
) -> None:
    ended = pb.BUILD_STATUS_SUCCESS
    deploys = pipelines({"trigger": {"event": ["push", "promote", "custom"]}})
    repository.record(**MAIN, after="aaaaaaa", pipeline=deploys, status=ended)
    repository.record(**MAIN, after="bbbbbbb", pipeline=OTHER, status=ended)
    repository.builds.RetryBuild(
        pb.RetryBuildRequest(owner=repository.owner, repo=repository.name, build=1)
    )
    repository.promote(1)
    repository.record(ref="refs/pull/1/head", target="main", after="ccccccc", pipeline=CUSTOM)
    build = asked(repository)
    assert (build.after, stages(build)) == ("bbbbbbb", ["pipeline other"])


def test_what_cannot_be_run_is_refused_with_the_reason(
    caller: Caller, repository: Repository, path: str
) -> None:
    assert caller.post(path).told == (409, NO_COMMIT)
    assert refusal(asked, repository)[:2] == (PRECONDITION, NO_COMMIT)
    repository.record(**MAIN, after="")
    assert refusal(asked, repository)[:2] == (PRECONDITION, NO_COMMIT)
    assert caller.post(path, {"branch": "dev", "commit": "abc"}).told == (409, NO_FILE)
    repository.record(**MAIN, pipeline=pipelines())
    assert caller.post(path).told == (
        409,
        "no pipeline of the file runs for this build: deploy: event is 'custom', wanted promote",
    )
    assert repository.numbers() == [2, 1]


def test_a_build_to_run_brings_neither_stages_nor_a_status(repository: Repository) -> None:
    told = refusal(asked, repository, stages=[pb.StageSpec()], status=pb.BUILD_STATUS_SUCCESS)
    assert told[:2] == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "stages: are the pipeline file's where `run` is set: leave them out; status: is the runners' to"
        " report where `run` is set: leave it out",
    )


def test_it_is_asked_for_once_with_a_key(caller: Caller, repository: Repository, path: str) -> None:
    repository.record(**MAIN, pipeline=CUSTOM)
    first, second = (caller.post(path, idempotency_key=f"once-{repository.name}") for _ in range(2))
    assert (first.status, first.json) == (200, second.json)
    assert second.headers["shiplift-replayed"] == "true"


def test_who_may_only_record_asks_for_a_build(
    server: Shipliftd, caller: Caller, repository: Repository, path: str
) -> None:
    repository.record(**MAIN, pipeline=CUSTOM)
    token = server.user(
        f"ci-{repository.name}",
        repository.slug,
        access_pb2.ACCESS_LEVEL_WRITE,
        actions=[access_pb2.TOKEN_ACTION_RECORD],
    )
    assert caller.having(token).post(path).status == 200


# Without a commit.


def test_a_build_without_a_commit_is_recorded_and_not_promoted(repository: Repository) -> None:
    build = repository.record(after="")
    assert list(build.warnings) == ["it has no commit (`after`), and a build without one is not promoted"]
    assert list(repository.record().warnings) == []
    code, message, reason, violations = refusal(repository.promote, 1)
    assert (code, reason) == (PRECONDITION, "BUILD_WITHOUT_COMMIT")
    assert message == (
        "build 1 has no commit, so nobody could tell what is deployed: record it with its commit (`after`),"
        " and promote that build"
    )
    assert violations == (("build", "has no commit"),)
    assert repository.numbers() == [2, 1]
