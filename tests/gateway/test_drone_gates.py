"""Drone's routes to promote past gates, to approve, to decline and to roll back, over real HTTP."""

from typing import Any

import pytest
from shiplift.v1 import access_pb2, environments_pb2
from shiplift.v1 import builds_pb2 as pb

from tests.support.gateway import Answer, Caller
from tests.support.harness import Shipliftd
from tests.support.repository import Repository
from tests.support.ruled import declare, hold, second_person
from tests.support.runner_wire import FILTER, Work, answer_of, begun

SUCCESS, FAILURE = pb.BUILD_STATUS_SUCCESS, pb.BUILD_STATUS_FAILURE


def path(repository: Repository, rest: str = "") -> str:
    """The repository's builds."""
    return f"/api/repos/{repository.slug}/builds{rest}"


def statuses(answer: Answer) -> tuple[int, str, list[str]]:
    """The answer's status, the build's and its stages'."""
    build = answer.json
    return answer.status, build["status"], [stage["status"] for stage in build["stages"]]


@pytest.fixture
def recorded(repository: Repository) -> Repository:
    """A repository with build 1, which has succeeded."""
    repository.record(status=SUCCESS, params={"A": "1", "B": "1"})
    return repository


@pytest.fixture
def blocked(recorded: Repository) -> Repository:
    """The same, with promotion 2 to production, which one person is to approve."""
    declare(recorded, required_approvals=1)
    recorded.promote(1)
    return recorded


@pytest.fixture
def second(caller: Caller, repository: Repository) -> Caller:
    """A second person, with a token that may do anything."""
    return caller.having(second_person(repository))


# Promoting.


def test_a_refusal_names_every_gate_that_failed(caller: Caller, repository: Repository) -> None:
    repository.record(status=FAILURE)
    declare(repository, "staging")
    rule = environments_pb2.ParameterRule(name="REGION", required=True)
    declare(repository, requires="staging", params=[rule])
    answer = caller.post(path(repository, "/1/promote"), {"target": "production"})
    message = (
        f"{repository.slug} may not go to production:"
        " success: build 1 is failure, and production takes builds that ended in success;"
        " predecessor: build 1 has not succeeded in staging yet: promote it there first;"
        " parameters: REGION is missing"
    )
    assert (answer.status, answer.json) == (409, {"message": message, "code": "FAILED_PRECONDITION"})
    assert repository.numbers() == [1]


def test_an_environment_that_is_not_declared_is_refused_with_the_nearest(
    caller: Caller, recorded: Repository
) -> None:
    declare(recorded)
    assert caller.post(path(recorded, "/1/promote"), {"target": "produktion"}).told == (
        409,
        f"{recorded.slug} may not go to produktion: environment: produktion is none of the environments of"
        f" {recorded.slug} (production): did you mean production?",
    )


def test_what_waits_for_people_is_blocked_and_for_another_one_pending(
    caller: Caller, blocked: Repository
) -> None:
    declare(blocked, "staging")
    assert statuses(caller.get(path(blocked, "/2"))) == (200, "blocked", ["blocked"])
    first, second = (caller.post(path(blocked, "/1/promote"), {"target": "staging"}) for _ in range(2))
    assert statuses(first) == (200, "pending", ["pending"])
    assert statuses(second) == (200, "pending", ["waiting_on_dependencies"])
    # Drone's words alone, whatever else there is to say of it.
    assert second.json.keys() == first.json.keys()
    assert second.json["stages"][0].keys() == first.json["stages"][0].keys()


def test_what_waits_is_incomplete_and_in_no_runners_queue(caller: Caller, blocked: Repository) -> None:
    declare(blocked, "staging")
    for _ in range(2):
        blocked.promote(1, "staging")
    mine = {"namespace": blocked.owner, "name": blocked.name}

    def listed(route: str) -> list[dict[str, Any]]:
        answer = caller.get(route)
        assert answer.status == 200
        return list(answer.json)

    incomplete = [
        (repo["build"]["number"], repo["build"]["status"])
        for repo in listed("/api/builds/incomplete")
        if mine.items() <= repo.items()
    ]
    assert incomplete == [(4, "pending"), (3, "pending"), (2, "blocked")]
    stages = [
        (each["build_number"], each["stage_status"])
        for each in listed("/api/builds/incomplete/v2")
        if each["repo_slug"] == blocked.slug
    ]
    assert stages == [(3, "pending")]
    ids = {blocked.get(number).stages[0].id: number for number in (2, 3, 4)}
    assert [ids[stage["id"]] for stage in listed("/api/queue") if stage["id"] in ids] == [3]


def test_a_restart_is_refused_by_the_same_gates(caller: Caller, recorded: Repository) -> None:
    declare(recorded)
    recorded.promote(1)
    recorded.report(2, FAILURE)
    hold(recorded, reason="an incident")
    assert caller.post(path(recorded, "/2")).told == (
        409,
        f"{recorded.slug} may not go to production: hold: production is held by admin: an incident",
    )
    assert recorded.counter() == 2


def test_what_waits_can_be_stopped(caller: Caller, blocked: Repository) -> None:
    declare(blocked, "staging")
    for _ in range(2):
        blocked.promote(1, "staging")
    for number in (2, 4):
        stopped = caller.call("DELETE", path(blocked, f"/{number}"))
        assert statuses(stopped) == (200, "killed", ["skipped"])
        assert caller.get(path(blocked, f"/{number}")).json == stopped.json
    assert statuses(caller.get(path(blocked, "/3"))) == (200, "pending", ["pending"])


# Approving and declining.


def test_an_approval_is_204_and_sets_it_going(caller: Caller, second: Caller, blocked: Repository) -> None:
    answer = second.post(path(blocked, "/2/approve/1"))
    assert (answer.status, answer.body, [*answer.headers]) == (204, b"", ["date", "x-request-id"])
    assert statuses(caller.get(path(blocked, "/2"))) == (200, "pending", ["pending"])
    [approval] = blocked.get(2).approvals
    assert (approval.login, approval.declined) == (f"second-{blocked.name}", False)


def test_a_drone_runner_gets_the_stage_once_it_is_approved(
    server: Shipliftd, caller: Caller, name: str
) -> None:
    work = Work.at(server, caller.address, name)
    declare(work.repository, required_approvals=1)
    promotion = work.promoted()
    second = caller.having(second_person(work.repository))
    with work.runner.calling("POST", "/stage", FILTER) as waiting:
        assert second.post(path(work.repository, "/2/approve/1")).status == 204
        stage = answer_of(waiting).json
    assert (stage["id"], stage["status"]) == (promotion.stages[0].id, "pending")
    accepted = work.runner.accept(stage).json
    assert work.runner.update({**begun(accepted), "status": "success"}).json["status"] == "success"
    assert statuses(caller.get(path(work.repository, "/2"))) == (200, "success", ["success"])


@pytest.mark.parametrize("route", ["/2/decline/1", "/2/decline"])
def test_a_promotion_that_is_declined_has_ended(
    caller: Caller, second: Caller, blocked: Repository, route: str
) -> None:
    answer = second.post(path(blocked, route))
    assert (answer.status, answer.body) == (204, b"")
    found = caller.get(path(blocked, "/2"))
    assert statuses(found) == (200, "declined", ["skipped"])
    assert found.json["error"] == f"declined by second-{blocked.name}"
    told = (409, "build 2 is declined and has ended: it waits for nobody's approval")
    assert second.post(path(blocked, route)).told == told
    assert second.post(path(blocked, "/2/approve/1")).told == told


@pytest.mark.parametrize("verb", ["approve", "decline"])
def test_a_stage_that_is_not_there_decides_nothing(second: Caller, blocked: Repository, verb: str) -> None:
    for stage, told in {
        "0": (400, "stage: is 0: wanted 1 or above"),
        "x": (400, "stage: 'x' is not a build's number"),
        "2": (404, "build 2 has no stage 2"),
    }.items():
        assert second.post(path(blocked, f"/2/{verb}/{stage}")).told == told
    assert second.post(path(blocked, f"/9/{verb}/1")).told == (
        404,
        f"build 9 of {blocked.slug} not found: ListBuilds shows those there are",
    )
    assert blocked.get(2).status == pb.BUILD_STATUS_BLOCKED


@pytest.mark.parametrize("route", ["/2/approve/1", "/2/decline/1", "/2/decline"])
def test_who_may_not_approve_is_told_why(caller: Caller, blocked: Repository, route: str) -> None:
    name, slug = blocked.name, blocked.slug
    assert caller.post(path(blocked, route)).told == (
        403,
        "build 2 is from admin, so somebody else approves it",
    )
    writer = blocked.of(f"writer-{name}", access_pb2.ACCESS_LEVEL_WRITE).token or ""
    assert caller.having(writer).post(path(blocked, route)).told == (
        403,
        f"promotions to production are approved by admins of {slug}, and writer-{name} is none",
    )
    outsider = caller.having(blocked.of(f"outsider-{name}").token or "")
    assert outsider.post(path(blocked, route)).told == (
        404,
        f"repository {slug} not found: it does not exist, or you may not read it",
    )
    assert caller.having("").post(path(blocked, route)).status == 401
    assert blocked.get(2).status == pb.BUILD_STATUS_BLOCKED


@pytest.mark.parametrize("route", ["/2/approve/1", "/2/decline/1", "/2/decline"])
def test_a_token_decides_no_further_than_it_reaches(
    caller: Caller, blocked: Repository, route: str
) -> None:
    login = f"second-{blocked.name}"
    rpc = "ApproveBuild" if "approve" in route else "DeclineBuild"
    # What follows is theirs.
    second_person(blocked)

    def cut(**cuts: object) -> Caller:
        request = access_pb2.CreateTokenRequest(login=login, **cuts)  # type: ignore[arg-type]
        return caller.having(blocked.server.access().CreateToken(request).secret)

    promoter = cut(actions=[access_pb2.TOKEN_ACTION_PROMOTE, access_pb2.TOKEN_ACTION_READ])
    assert promoter.post(path(blocked, route)).told == (
        403,
        f"{rpc} needs the action approve; this token is cut to promote, read",
    )
    assert cut(environments=["staging"]).post(path(blocked, route)).told == (
        403,
        "this token is cut to the environments staging; production is not one of them",
    )
    assert blocked.get(2).status == pb.BUILD_STATUS_BLOCKED
    # Which could not look at the build, and decides all the same.
    approver = cut(actions=[access_pb2.TOKEN_ACTION_APPROVE], environments=["production"])
    assert approver.get(path(blocked, "/2")).status == 403
    assert approver.post(path(blocked, route)).status == 204
    assert blocked.get(2).status != pb.BUILD_STATUS_BLOCKED


@pytest.mark.parametrize("route", ["/2/approve/1", "/2/decline/1", "/2/decline"])
def test_a_decision_can_be_repeated_with_its_key(second: Caller, blocked: Repository, route: str) -> None:
    answers = [second.post(path(blocked, route), idempotency_key="once") for _ in range(2)]
    assert [(a.status, a.headers.get("shiplift-replayed")) for a in answers] == [
        (204, None),
        (204, "true"),
    ]
    assert second.post(path(blocked, route), idempotency_key="").status == 400


# Rolling back.


@pytest.fixture
def deployed(recorded: Repository) -> Repository:
    """The same, with its build in production as 2, and another one as 4."""
    recorded.promote(1, params={"B": "2"})
    recorded.report(2, SUCCESS)
    recorded.record(status=SUCCESS, release="v2")
    recorded.promote(3)
    recorded.report(4, SUCCESS)
    return recorded


@pytest.mark.parametrize("named", [1, 2], ids=["the recorded build", "its promotion"])
def test_a_rollback_is_the_new_build_with_its_stages(
    caller: Caller, deployed: Repository, named: int
) -> None:
    answer = caller.post(path(deployed, f"/{named}/rollback"), {"target": "production", "C": "a b"})
    assert answer.status == 200
    made, was = answer.json, caller.get(path(deployed, "/2")).json
    assert made == caller.get(path(deployed, "/5")).json
    [stage] = made["stages"]
    assert made == {
        **was,
        "id": made["id"],
        "number": 5,
        "event": "rollback",
        "status": "pending",
        # As it had them there, and the query's over them.
        "params": {"A": "1", "B": "2", "C": "a b"},
        "started": 0,
        "finished": 0,
        "created": made["created"],
        "updated": made["updated"],
        "version": 1,
        "stages": [stage],
    }
    assert (made["parent"], stage["status"], stage["build_id"]) == (1, "pending", made["id"])
    assert (deployed.get(5).rollback_of, deployed.get(4).rolled_back_by) == (4, 5)


def test_the_environment_of_a_rollback_stands_in_the_query_or_in_the_body(
    caller: Caller, deployed: Repository
) -> None:
    route = path(deployed, "/1/rollback")
    assert caller.form(route, target="production").json["deploy_to"] == "production"
    assert caller.form(route, {"target": "staging"}, target="production").told == (
        400,
        "target: the query and the body name different ones",
    )
    assert caller.post(route, {"target": ""}).status == 400
    assert caller.post(route).status == 400


def test_what_cannot_be_rolled_back_to_is_not(caller: Caller, deployed: Repository) -> None:
    def refused(build: object, **query: str) -> tuple[int, str]:
        return caller.post(path(deployed, f"/{build}/rollback"), query).told

    for build, target in ((1, "staging"), (9, "production")):
        assert refused(build, target=target) == (
            409,
            f"build {build} has not succeeded in {target}: promote what is to be there",
        )
    assert refused(0, target="production") == (400, "build: is 0: wanted 1 or above")
    assert refused("x", target="production") == (400, "build: 'x' is not a build's number")
    assert refused(1, target="production", PATH="x")[0] == 400
    assert deployed.counter() == 4


def test_a_rollback_expects_what_is_there_and_can_be_repeated(caller: Caller, deployed: Repository) -> None:
    route, query = path(deployed, "/1/rollback"), {"target": "production"}
    assert caller.post(route, query, shiplift_expected_current="2").status == 412
    # The admin is everybody's.
    headers = {"idempotency_key": f"once in {deployed.name}", "shiplift_expected_current": "4"}
    first, second = (caller.post(route, query, **headers) for _ in range(2))
    assert first.status == 200, first.body
    assert (first.json["number"], first.json) == (5, second.json)
    assert (first.headers.get("shiplift-replayed"), second.headers["shiplift-replayed"]) == (None, "true")


def test_a_rollback_goes_where_a_promotion_would_wait_and_be_refused(
    caller: Caller, deployed: Repository
) -> None:
    declare(deployed, required_approvals=2)
    hold(deployed, reason="an incident")
    query = {"target": "production"}
    assert caller.post(path(deployed, "/1/promote"), query).told == (
        409,
        f"{deployed.slug} may not go to production: hold: production is held by admin: an incident",
    )
    assert statuses(caller.post(path(deployed, "/1/rollback"), query)) == (200, "pending", ["pending"])


def test_who_may_not_roll_back_is_told_why(caller: Caller, deployed: Repository) -> None:
    name, slug, query = deployed.name, deployed.slug, {"target": "production"}
    route = path(deployed, "/1/rollback")
    reader = deployed.of(f"reader-{name}", access_pb2.ACCESS_LEVEL_READ).token or ""
    assert caller.having(reader).post(route, query).told == (
        403,
        f"RollbackBuild needs write on {slug}; reader-{name} has read: an admin of the repository can"
        " grant it",
    )

    def cut(login: str, **cuts: object) -> Caller:
        return caller.having(
            deployed.server.user(f"{login}-{name}", slug, access_pb2.ACCESS_LEVEL_WRITE, **cuts)
        )

    promoter = cut("promoter", actions=[access_pb2.TOKEN_ACTION_PROMOTE])
    assert promoter.post(route, query).told == (
        403,
        "RollbackBuild needs the action rollback; this token is cut to promote",
    )
    assert cut("staging", environments=["staging"]).post(route, query).told == (
        403,
        "this token is cut to the environments staging; production is not one of them",
    )
    assert caller.having("").post(route, query).status == 401
    assert deployed.counter() == 4
    on_call = cut("on-call", actions=[access_pb2.TOKEN_ACTION_ROLLBACK], environments=["production"])
    assert on_call.post(route, query).status == 200


# What is where.


def test_of_a_declared_environment_without_a_promotion_there_is_no_build_to_show(
    caller: Caller, recorded: Repository
) -> None:
    declare(recorded)
    declare(recorded, "staging")
    assert caller.get(path(recorded, "/deployments")).body == b"[]"
    made = recorded.promote(1, "staging")
    [found] = caller.get(path(recorded, "/deployments")).json
    assert (found["number"], found["deploy_to"], found["status"]) == (made.number, "staging", "pending")


def test_a_rollback_is_the_latest_of_its_environment(caller: Caller, deployed: Repository) -> None:
    caller.post(path(deployed, "/1/rollback"), {"target": "production"})
    [found] = caller.get(path(deployed, "/deployments")).json
    assert (found["number"], found["event"]) == (5, "rollback")
