"""Who asks for a build within a trace has the build's steps in it."""

from pathlib import Path

import pytest
from shiplift.v1 import builds_pb2 as pb

from tests.support.gateway import Caller
from tests.support.harness import Gateway, Shipliftd
from tests.support.repository import Repository
from tests.support.runner_wire import Work
from tests.support.runners import Fleet
from tests.support.staged import Staged, pipelines

FIRST, SECOND, THIRD = (f"00-{trace * 32}-{'a' * 16}-01" for trace in "123")
MALFORMED = {
    "empty": "",
    "no trace": "here",
    "a trace of zeros": f"00-{'0' * 32}-{'a' * 16}-01",
    "a span of zeros": f"00-{'1' * 32}-{'0' * 16}-01",
    "capitals": f"00-{'A' * 32}-{'a' * 16}-01",
    "a version that is none": f"ff-{'1' * 32}-{'a' * 16}-01",
    "more behind it": f"{FIRST}-more",
}


@pytest.fixture
def staged(repository: Repository) -> Staged:
    """A repository, and a runner for it."""
    return Staged.of(repository)


def sent(traceparent: str) -> tuple[tuple[str, str], ...]:
    """The metadata of a call within a trace; '': of one without."""
    return (("traceparent", traceparent),) if traceparent else ()


def promote(repository: Repository, number: int, traceparent: str, **fields: object) -> pb.Build:
    return repository.builds.PromoteBuild(
        repository.promotion(number, **fields),  # type: ignore[arg-type]
        metadata=sent(traceparent),
    )


def handed(staged: Staged, build: pb.Build) -> str | None:
    """What the steps of the build's stage find in TRACEPARENT; None where they find none."""
    lease = staged.runner.accept(build.stages[0].id)
    again = staged.runner.lease(lease.stage.id)
    assert again.plan.environment == lease.plan.environment
    return dict(lease.plan.environment).get("TRACEPARENT")


def test_each_build_has_the_trace_of_the_call_that_made_it(staged: Staged) -> None:
    repository = staged.repository
    recorded = repository.builds.CreateBuild(
        repository.recording(pipeline=pipelines({"name": "test", "trigger": {}})), metadata=sent(FIRST)
    )
    assert handed(staged, recorded) == FIRST
    # Not its parent's.
    within, without = promote(repository, 1, SECOND), promote(repository, 1, "", target="staging")
    assert [handed(staged, build) for build in (within, without)] == [SECOND, None]
    for build in (within, without):
        repository.builds.CancelBuild(
            pb.CancelBuildRequest(owner=repository.owner, repo=repository.name, build=build.number)
        )
    again = pb.RetryBuildRequest(owner=repository.owner, repo=repository.name, build=within.number)
    without = repository.builds.RetryBuild(again)
    assert handed(staged, without) is None
    again.build = 3
    assert handed(staged, repository.builds.RetryBuild(again, metadata=sent(THIRD))) == THIRD


def test_a_repeated_call_is_answered_in_whatever_trace_it_comes(staged: Staged) -> None:
    recorded = staged.repository.record(status=pb.BUILD_STATUS_SUCCESS)
    first, second = (
        promote(staged.repository, recorded.number, each, request_id="one") for each in (FIRST, SECOND)
    )
    assert (first.number, second.number) == (2, 2)
    assert handed(staged, second) == FIRST


@pytest.mark.parametrize("traceparent", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_trace_is_left_out(staged: Staged, caller: Caller, traceparent: str) -> None:
    repository = staged.repository
    repository.record(status=pb.BUILD_STATUS_SUCCESS)
    path = f"/api/repos/{repository.slug}/builds/1/promote"
    answer = caller.post(path, {"target": "qa"}, traceparent=traceparent)
    assert answer.status == 200
    builds = [promote(repository, 1, traceparent), repository.get(answer.json["number"])]
    assert [handed(staged, build) for build in builds] == [None, None]


def test_the_gateway_has_it_of_the_header(staged: Staged, caller: Caller) -> None:
    repository = staged.repository
    repository.record(status=pb.BUILD_STATUS_SUCCESS)
    answers = (
        caller.post(f"/api/repos/{repository.slug}/builds/1/promote", {"target": "qa"}, traceparent=FIRST),
        caller.post(
            "/shiplift.v1.BuildService/PromoteBuild",
            (),
            f'{{"owner": "octocat", "repo": "{repository.name}", "build": 1, "target": "canary"}}',
            content_type="application/json",
            traceparent=SECOND,
        ),
    )
    assert [answer.status for answer in answers] == [200, 200]
    builds = [repository.get(answer.json["number"]) for answer in answers]
    assert [handed(staged, build) for build in builds] == [FIRST, SECOND]


@pytest.mark.parametrize("alone", [False, True], ids=["in the server", "a gateway alone"])
def test_drones_runners_hand_it_on_as_a_parameter(
    server: Shipliftd, gateway: Gateway, name: str, alone: bool
) -> None:
    work = Work.at(server, gateway.http if alone else server.http, name)
    number = work.promoted().parent
    for traceparent in (FIRST, ""):
        build = promote(work.repository, number, traceparent)
        detail = None
        while detail is None or detail["build"]["number"] != build.number:
            stage = work.runner.accept(work.runner.request().json).json
            detail = work.runner.call("GET", f"/stage/{stage['id']}").json
        assert detail["build"]["params"].get("TRACEPARENT", "") == traceparent


@pytest.fixture
def fleet(server: Shipliftd, repository: Repository, tmp_path: Path) -> Fleet:
    """Real runners for the repository."""
    return Fleet.make(server, repository, tmp_path)


def test_a_deployers_command_finds_it(fleet: Fleet) -> None:
    fleet.repository.record(status=pb.BUILD_STATUS_SUCCESS)
    promote(fleet.repository, 1, FIRST)
    said = fleet.runner.run("take", "production", "--once", "--", "printenv", "TRACEPARENT")
    assert (said.code, said.out) == (0, f"{FIRST}\n")


def test_a_step_finds_it(fleet: Fleet) -> None:
    file = pipelines({"name": "deploy", "steps": [{"name": "a", "commands": ["printenv TRACEPARENT"]}]})
    fleet.repository.record(status=pb.BUILD_STATUS_SUCCESS, pipeline=file)
    build = promote(fleet.repository, 1, FIRST).number
    assert fleet.once().code == 0
    assert fleet.log(build, 1) == ["+ printenv TRACEPARENT\n", f"{FIRST}\n"]
