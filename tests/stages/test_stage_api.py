"""AcquireStage and AcceptStage: who gets which stage, and when."""

import hashlib
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import grpc
import pytest
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as api
from shiplift.v1 import stages_pb2 as pb

from tests.support.harness import Shipliftd
from tests.support.patience import within
from tests.support.refusals import BAD_TARGET, Refusal, code_of, invalid, refusal
from tests.support.repository import Repository
from tests.support.staged import (
    AT_ONCE,
    PENDING,
    RUNNING,
    SUCCESS,
    Runner,
    Staged,
    pipelines,
    runner_of,
    stored,
)

NO_RUNNER_TOKEN = Refusal(
    grpc.StatusCode.PERMISSION_DENIED,
    "AcquireStage needs a runner's token, one cut to the action run and to repositories or"
    " environments: make one with `shiplift token create --action run --repository OWNER/REPO`",
    "NO_RUNNER_TOKEN",
)


@pytest.fixture
def staged(repository: Repository) -> Staged:
    """A repository of the test's own with its runner."""
    return Staged.of(repository)


class Offered(NamedTuple):
    """A stage that a runner was offered, and another runner that waits."""

    stage: int
    begun: float
    other: Any


@pytest.fixture(scope="module", autouse=True)
def unaccepted(server: Shipliftd) -> Offered:
    """An offer that nobody accepts: its ten seconds pass beside the other tests."""
    staged = Staged.of(Repository.make(server, "octocat", "unaccepted"))
    stage = staged.promoted().stages[0].id
    begun = time.monotonic()
    assert staged.runner.offered() == "deploy"
    other = runner_of(staged.repository, "runner-that-waits")
    return Offered(stage, begun, other.waiting(30.0))


def taken(stage: int, told: str) -> Refusal:
    message = f"stage {stage} is {told}: ask for another"
    return Refusal(grpc.StatusCode.ABORTED, message, "STAGE_TAKEN", (("stage_id", f"is {told}"),))


def not_found(stage: int) -> Refusal:
    return Refusal(
        grpc.StatusCode.NOT_FOUND,
        f"stage {stage} not found: it does not exist, or is not one for this token",
        "STAGE_NOT_FOUND",
    )


def test_a_stage_is_offered_as_it_is(staged: Staged) -> None:
    promoted = staged.promoted()
    answer = staged.runner.stages.AcquireStage(staged.runner.wants())
    assert answer == pb.AcquireStageResponse(offer=promoted.stages[0])
    # An offer changes nothing.
    promoted.ClearField("waiting_for")
    assert staged.repository.get(promoted.number) == promoted


@pytest.mark.parametrize(
    ("stage", "yes", "no"),
    [
        ({"type": "exec"}, {"type": "exec"}, {"type": "docker"}),
        ({"platform": {"os": "windows"}}, {"os": "windows"}, {"os": "linux"}),
        ({"platform": {"arch": "arm64"}}, {"arch": "arm64"}, {"arch": "amd64"}),
        ({"node": {"zone": "a"}}, {"labels": {"zone": "a"}}, {"labels": {"zone": "b"}}),
        ({"node": {"zone": "a"}}, {"labels": {"zone": "a"}}, {"labels": {"zone": "a", "disk": "ssd"}}),
        ({"node": {"zone": "a"}}, {"labels": {"zone": "a"}}, {}),
        ({}, {}, {"labels": {"zone": "a"}}),
        ({}, {"kind": "pipeline"}, {"kind": "external"}),
        ({}, {"environments": ["production"]}, {"environments": ["Production", "staging"]}),
        ({}, {"environments": ["staging", "production"]}, {"environments": ["staging"]}),
        ({}, {"owner": "octocat"}, {"owner": "other"}),
    ],
    ids=str,
)
def test_a_stage_goes_to_a_runner_that_can_do_it(
    staged: Staged, stage: dict[str, Any], yes: dict[str, Any], no: dict[str, Any]
) -> None:
    staged.promoted({"name": "it", **stage})
    assert staged.runner.offered(AT_ONCE, **no) == ""
    assert staged.runner.offered(**yes) == "it"


def test_one_repository_alone_can_be_asked_for(server: Shipliftd, name: str) -> None:
    one, two = (Repository.make(server, f"owner-{name}", repo) for repo in ("one", "two"))
    runner = runner_of(one, f"runner-{name}", repositories=[f"{one.owner}/*"])
    staged = Staged(two, runner)
    grant = access_pb2.GrantAccessRequest(
        owner=two.owner, repo=two.name, login=f"runner-{name}", level=access_pb2.ACCESS_LEVEL_WRITE
    )
    server.access().GrantAccess(grant)
    staged.promoted()
    assert runner.offered(AT_ONCE, owner=one.owner, repo="one") == ""
    assert runner.offered(owner=one.owner, repo="two") == "deploy"


def test_the_oldest_is_offered_first(staged: Staged) -> None:
    documents: list[dict[str, Any]] = [{"name": "a"}, {"name": "b"}, {"name": "c", "depends_on": ["a"]}]
    first, second = (staged.promoted(*documents) for _ in range(2))
    ids = [stage.id for build in (first, second) for stage in build.stages if stage.status == PENDING]
    assert [staged.runner.take().stage.id for _ in ids] == ids
    assert staged.runner.offered(AT_ONCE) == ""


def test_without_work_the_answer_is_empty_a_second_before_the_deadline(staged: Staged) -> None:
    begun = time.monotonic()
    assert staged.runner.offered(3) == ""
    # And before its deadline, or it would be none.
    assert time.monotonic() - begun >= 1.9


def test_a_promotion_wakes_who_waits(staged: Staged) -> None:
    waiting = staged.runner.waiting()
    promoted = staged.promoted()
    with within(1):
        assert waiting.result().offer == promoted.stages[0]


def test_the_end_of_a_stage_wakes_who_waits_for_the_next(staged: Staged) -> None:
    lease = staged.running({"name": "a"}, {"name": "b", "depends_on": ["a"]})
    waiting = staged.runner.waiting()
    staged.runner.report(lease.stage.id, SUCCESS)
    with within(1):
        assert waiting.result().offer.name == "b"


def test_each_who_waits_is_offered_a_stage_of_its_own(staged: Staged) -> None:
    waiting = [staged.runner.waiting() for _ in range(4)]
    promoted = staged.promoted(*({"name": str(n)} for n in range(4)))
    assert sorted(future.result().offer.id for future in waiting) == [s.id for s in promoted.stages]


def test_external_stages_go_to_who_asks_for_them(staged: Staged) -> None:
    promoted = staged.external("staging")
    for want in ({}, {"kind": "external", "environments": ["production"]}):
        assert staged.runner.offered(AT_ONCE, **want) == ""
    wanted = staged.runner.wants(kind="external", environments=["staging"])
    assert staged.runner.stages.AcquireStage(wanted).offer == promoted.stages[0]


def test_stages_without_a_file_have_no_steps_to_run(staged: Staged) -> None:
    recorded = staged.repository.record(stages=[api.StageSpec(name="deploy", type="exec")], status=SUCCESS)
    promoted = staged.repository.promote(recorded.number)
    assert (promoted.stages[0].kind, promoted.waiting_for) == ("pipeline", "")
    assert staged.runner.offered(AT_ONCE) == ""
    assert refusal(staged.runner.accept, promoted.stages[0].id) == not_found(promoted.stages[0].id)
    assert staged.repository.report(promoted.number, SUCCESS).status == SUCCESS


def test_external_stages_of_recorded_builds_are_nobodys(staged: Staged) -> None:
    stage = staged.repository.record().stages[0].id
    assert staged.runner.offered(AT_ONCE, kind="external") == ""
    assert refusal(staged.runner.accept, stage) == not_found(stage)
    promoted = staged.repository.promote(1)
    assert staged.runner.take(kind="external").build.number == promoted.number


def test_a_recorded_build_that_is_still_to_be_done_is_offered(staged: Staged) -> None:
    documents = ({"name": "test", "trigger": {"event": "push"}}, {"name": "deploy"})
    recorded = staged.repository.record(pipeline=pipelines(*documents))
    assert staged.runner.take().stage.id == recorded.stages[0].id


def test_a_runner_is_offered_stages_of_its_tokens_repositories_alone(staged: Staged, name: str) -> None:
    elsewhere = Repository.make(staged.repository.server, "octocat", f"{name}-elsewhere")
    other = runner_of(elsewhere, f"other-{name}")
    stage = staged.promoted().stages[0].id
    assert other.offered(AT_ONCE) == ""
    assert refusal(other.accept, stage) == not_found(stage)
    assert staged.runner.accept(stage).stage.id == stage


def test_a_runner_is_offered_stages_of_its_tokens_environments_alone(staged: Staged, name: str) -> None:
    # Write on all of the repository; the token alone is cut, and to no repository.
    runner = runner_of(staged.repository, f"cut-{name}", repositories=[], environments=["staging"])
    recorded = staged.repository.record(pipeline=pipelines({"name": "deploy", "trigger": {}}))
    production = staged.repository.promote(recorded.number, "production")
    assert runner.offered(AT_ONCE) == ""
    for build in (recorded, production):
        assert refusal(runner.accept, build.stages[0].id) == not_found(build.stages[0].id)
    for asked in (["production"], ["production", "qa"]):
        assert runner.offered(AT_ONCE, environments=asked) == ""
    staging = staged.repository.promote(recorded.number, "staging")
    assert runner.take(environments=["production", "staging"]).stage.id == staging.stages[0].id
    staging = staged.repository.promote(recorded.number, "staging")
    assert runner.take().stage.id == staging.stages[0].id


def test_a_token_alone_is_not_enough(staged: Staged, name: str) -> None:
    server, slug = staged.repository.server, staged.repository.slug
    reader = server.user(
        f"reader-{name}",
        slug,
        access_pb2.ACCESS_LEVEL_READ,
        actions=[access_pb2.TOKEN_ACTION_RUN],
        repositories=[slug],
    )
    stage = staged.promoted().stages[0].id
    assert Runner(server, reader).offered(AT_ONCE) == ""
    assert refusal(Runner(server, reader).accept, stage) == not_found(stage)


@pytest.mark.parametrize(
    "cuts",
    [
        {},
        {"actions": [access_pb2.TOKEN_ACTION_RUN]},
        {"repositories": ["octocat/*"]},
        {"actions": [access_pb2.TOKEN_ACTION_RECORD], "repositories": ["octocat/*"]},
    ],
    ids=["whole", "run everywhere", "all actions", "another action"],
)
def test_a_token_that_is_no_runners_takes_nothing(server: Shipliftd, name: str, cuts: Any) -> None:  # noqa: ANN401
    assert refusal(Runner(server, server.user(name, **cuts)).offered) == NO_RUNNER_TOKEN


@pytest.mark.parametrize(
    ("want", "fault"),
    [
        ({"machine": ""}, ("machine", "is empty: name the machine that asks")),
        ({"machine": "m" * 201}, ("machine", "has 201 characters: at most 200 are taken")),
        ({"machine": "a\0"}, ("machine", "has a NUL character: leave it out")),
        ({"kind": "Pipeline"}, ("kind", "'Pipeline': wanted pipeline or external")),
        ({"type": "t" * 101}, ("type", "has 101 characters: at most 100 are taken")),
        ({"labels": {str(n): "" for n in range(33)}}, ("labels", "33 of them: at most 32")),
        ({"labels": {"k" * 101: ""}}, ("labels", "has 101 characters: at most 100 are taken")),
        ({"labels": {"k": "v" * 201}}, ("labels['k']", "has 201 characters: at most 200 are taken")),
        ({"repo": "app"}, ("owner", "is empty: a repository is named by both")),
        ({"environments": ["qa", "a b"]}, ("environments", f"'a b' {BAD_TARGET}")),
        (
            {"environments": ["qa", "staging", "qa", "qa"]},
            ("environments", "'qa' stands there twice: each name may stand once"),
        ),
        ({"environments": [f"e{n}" for n in range(101)]}, ("environments", "101 of them: at most 100")),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_bad_wish_is_refused(staged: Staged, want: dict[str, Any], fault: tuple[str, str]) -> None:
    assert refusal(staged.runner.offered, AT_ONCE, **want) == invalid(fault)


def test_who_waits_is_answered_when_the_server_stops(own_server: Shipliftd) -> None:
    staged = Staged.of(Repository.make(own_server, "octocat", "app"))
    waiting = staged.runner.waiting()
    own_server.process.send_signal(signal.SIGTERM)
    assert waiting.result() == pb.AcquireStageResponse()
    assert own_server.stop() == 0


def test_a_stage_is_accepted_without_an_offer(staged: Staged) -> None:
    stage = staged.promoted().stages[0]
    assert staged.runner.accept(stage.id, machine="m" * 200).stage.machine == "m" * 200


def test_a_stage_that_is_taken_is_aborted(staged: Staged, name: str) -> None:
    stage = staged.promoted().stages[0].id
    staged.runner.accept(stage)
    other = runner_of(staged.repository, f"other-{name}")
    assert refusal(other.accept, stage) == taken(stage, "pending and taken by box")
    assert refusal(staged.runner.accept, stage) == taken(stage, "pending and taken by box")
    staged.runner.report(stage, RUNNING)
    assert refusal(other.accept, stage) == taken(stage, "running and taken by box")
    assert staged.runner.offered(AT_ONCE) == ""


def test_a_stage_that_waits_for_another_cannot_be_accepted(staged: Staged) -> None:
    promoted = staged.promoted({"name": "a"}, {"name": "b", "depends_on": ["a"]})
    stage = promoted.stages[1].id
    assert refusal(staged.runner.accept, stage) == taken(stage, "waiting_on_dependencies, not pending")


def test_a_stage_that_is_not_there_is_not_found(staged: Staged) -> None:
    assert refusal(staged.runner.accept, 2**40) == not_found(2**40)


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        ("", "is empty: name the machine that asks"),
        ("m" * 201, "has 201 characters: at most 200 are taken"),
    ],
)
def test_who_accepts_has_a_name(staged: Staged, machine: str, words: str) -> None:
    stage = staged.promoted().stages[0].id
    assert refusal(staged.runner.accept, stage, machine=machine) == invalid(("machine", words))


def test_of_many_who_accept_at_once_one_has_it(staged: Staged) -> None:
    stage = staged.promoted().stages[0].id
    runners = [Runner(staged.repository.server, staged.runner.token, f"box {n}") for n in range(8)]

    def accept(runner: Runner) -> tuple[grpc.StatusCode, str]:
        return code_of(runner.accept, stage), runner.machine

    with ThreadPoolExecutor(len(runners)) as pool:
        told = list(pool.map(accept, runners))
    assert sorted(code.name for code, _ in told) == ["ABORTED"] * 7 + ["OK"]
    (winner,) = [machine for code, machine in told if code == grpc.StatusCode.OK]
    assert staged.repository.get(2).stages[0].machine == winner


def test_a_repeated_accept_returns_the_lease_without_its_token(staged: Staged) -> None:
    stage = staged.promoted().stages[0].id
    lease = staged.runner.accept(stage, request_id="r")
    again = staged.runner.accept(stage, request_id="r")
    secret, lease.lease_token = lease.lease_token, ""
    assert (len(secret), again) == (43, lease)
    told = refusal(staged.runner.accept, stage, request_id="r", machine="another")
    assert (told.code, told.reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_TAKEN")
    # Of the token the store has the hash alone.
    (kept,) = stored(staged.repository.server, "SELECT lease_hash FROM stages WHERE id = ?", stage)[0]
    assert kept == hashlib.sha256(secret.encode()).digest()


def limit_reached(name: str) -> Refusal:
    return Refusal(
        grpc.StatusCode.ABORTED,
        f"as many stages {name!r} run now as may: ask again once one has ended",
        "LIMIT_REACHED",
        (("stage_id", f"as many stages {name!r} run now as may"),),
    )


def test_a_limit_holds_for_stages_of_a_name(staged: Staged) -> None:
    limited = {"name": "limited", "concurrency": {"limit": 1}}
    first, second = (staged.promoted(limited, {"name": "free"}) for _ in range(2))
    staged.runner.accept(first.stages[0].id)
    assert refusal(staged.runner.accept, second.stages[0].id) == limit_reached("limited")
    assert [staged.runner.take().stage.name for _ in range(2)] == ["free", "free"]
    assert staged.runner.offered(AT_ONCE) == ""
    waiting = staged.runner.waiting()
    staged.runner.report(first.stages[0].id, SUCCESS)
    assert waiting.result().offer.id == second.stages[0].id
    assert staged.runner.accept(second.stages[0].id).stage.limit == 1


@pytest.mark.parametrize("limits", [{"limit": 1}, {"throttle": 1}], ids=str)
def test_what_would_be_over_a_limit_is_not_offered_either(staged: Staged, limits: dict[str, Any]) -> None:
    stage = api.StageSpec(name="one", kind="external", **limits)
    recorded = staged.repository.record(stages=[stage], status=SUCCESS)
    waiting = [staged.runner.waiting(kind="external") for _ in range(2)]
    first, second = (staged.repository.promote(recorded.number).stages[0].id for _ in range(2))
    assert waiting[0].result().offer.id == first
    staged.runner.accept(first)
    assert not waiting[1].done()
    staged.runner.report(first, SUCCESS)
    with within(1):
        assert waiting[1].result().offer.id == second


def test_a_throttle_holds_for_the_repository(staged: Staged) -> None:
    stages = [api.StageSpec(name=name, kind="external", throttle=2) for name in ("a", "b", "c")]
    recorded = staged.repository.record(stages=stages, status=SUCCESS)
    ids = [stage.id for stage in staged.repository.promote(recorded.number).stages]
    for stage in ids[:2]:
        staged.runner.accept(stage)
    assert refusal(staged.runner.accept, ids[2]) == limit_reached("c")
    assert staged.runner.offered(AT_ONCE, kind="external") == ""
    staged.runner.report(ids[0], api.BUILD_STATUS_FAILURE)
    assert staged.runner.take(kind="external").stage.id == ids[2]


def test_an_offer_that_is_not_accepted_goes_to_another_after_ten_seconds(unaccepted: Offered) -> None:
    assert unaccepted.other.result().offer.id == unaccepted.stage
    assert time.monotonic() - unaccepted.begun >= 9.5
