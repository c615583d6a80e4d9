"""Secret parameters: given with a promotion, and seen again by its stages alone."""

import json
from pathlib import Path
from typing import Any

import grpc
import pytest
from shiplift.v1 import access_pb2, environments_pb2, stages_pb2
from shiplift.v1 import builds_pb2 as api

from tests.support.beside import opened
from tests.support.declared import Declared, ruled, said
from tests.support.harness import SECRET_KEY, Shipliftd
from tests.support.refusals import Refusal, invalid, refusal
from tests.support.repository import Repository
from tests.support.staged import ERROR, RUNNING, SUCCESS, Staged

VALUE = "correct-horse-battery-staple"
RULE = {"name": "PASSWORD", "secret": True, "required": True, "pattern": "[a-z-]+"}
GIVEN = {"PASSWORD": VALUE, "REGION": "eu"}


@pytest.fixture
def staged(repository: Repository) -> Staged:
    """A repository whose production has a secret parameter, and its runner."""
    repository.server.secrets.hide(VALUE)
    Declared(repository).declare(params=[RULE])
    Declared(repository).declare("staging")
    return Staged.of(repository)


def shown(build: api.Build) -> tuple[dict[str, str], list[str]]:
    """The parameters that are seen, and the names of those that are not."""
    assert VALUE not in str(build)
    return dict(build.params), list(build.masked_params)


def found(staged: Staged, build: api.Build) -> str | None:
    """What the holder of the first stage finds in the environment."""
    return staged.runner.accept(build.stages[0].id).plan.environment.get("PASSWORD")


def ended(staged: Staged, build: api.Build) -> None:
    """Has the first stage, which is held, succeed."""
    staged.runner.report(build.stages[0].id, SUCCESS)


def test_it_is_given_to_the_stage_and_seen_nowhere(staged: Staged) -> None:
    repository = staged.repository
    recorded = repository.record(status=SUCCESS)
    promoted = repository.promote(recorded.number, params=GIVEN, request_id=f"once {repository.name}")
    assert shown(promoted) == ({"REGION": "eu"}, ["PASSWORD"])
    again = repository.promote(recorded.number, params=GIVEN, request_id=f"once {repository.name}")
    assert (again.number, shown(again)) == (promoted.number, shown(promoted))
    assert shown(repository.get(promoted.number)) == ({"REGION": "eu"}, ["PASSWORD"])
    basic = api.GetBuildRequest(
        owner=repository.owner, repo=repository.name, build=promoted.number, view=api.BUILD_VIEW_BASIC
    )
    assert shown(repository.builds.GetBuild(basic)) == ({}, [])
    assert [shown(build) for build in repository.page().builds] == [({}, []), ({}, [])]
    lease = staged.runner.accept(promoted.stages[0].id)
    assert (lease.plan.environment["PASSWORD"], lease.plan.environment["REGION"]) == (VALUE, "eu")
    assert shown(lease.build) == ({"REGION": "eu"}, ["PASSWORD"])
    # What it reports has it no more than what others see.
    step = stages_pb2.StepReport(number=1, name="deploy", status=RUNNING)
    stage = staged.runner.report(lease.stage.id, RUNNING, message=f"uses {VALUE}", steps=[step])
    assert stage.message == "uses ******"
    reported = repository.report(promoted.number, message=f"with {VALUE}", link=f"https://x/{VALUE}")
    told = reported.stages[0]
    assert (told.message, told.link) == ("with ******", "https://x/******")
    with opened(repository.server.database) as store:
        statement = "SELECT params, sealed_params FROM builds WHERE id = ?"
        [(params, sealed)] = store.execute(statement, (promoted.id,)).fetchall()
        named = "SELECT reason FROM audit WHERE method = 'AcceptStage' AND resource_id = ?"
        [(reason,)] = store.execute(named, (lease.stage.id,)).fetchall()
    assert (json.loads(params), list(json.loads(sealed))) == ({"REGION": "eu"}, ["PASSWORD"])
    assert reason == "secrets: PASSWORD"


def test_the_next_promotion_has_to_be_given_it_again(staged: Staged) -> None:
    repository = staged.repository
    first = repository.promote(repository.record(status=SUCCESS).number, params=GIVEN)
    assert found(staged, first) == VALUE
    ended(staged, first)
    told = f"octocat/{repository.name} may not go to production: parameters: PASSWORD is missing"
    assert refusal(repository.builds.PromoteBuild, repository.promotion(first.number)) == Refusal(
        grpc.StatusCode.FAILED_PRECONDITION,
        told,
        "PROMOTION_REFUSED",
        (("parameters", "PASSWORD is missing"),),
    )
    # Where it is no secret, it is none of the next one's either.
    other = repository.promote(first.number, "staging")
    assert shown(other) == ({"REGION": "eu"}, [])
    assert found(staged, other) is None


def test_what_was_plain_elsewhere_is_not_inherited_as_a_secret(staged: Staged) -> None:
    repository = staged.repository
    recorded = repository.record(status=SUCCESS, params={"PASSWORD": "plain-and-seen"})
    call = refusal(repository.builds.PromoteBuild, repository.promotion(recorded.number))
    assert call.violations == (("parameters", "PASSWORD is missing"),)


def test_another_try_and_a_rollback_repeat_it(staged: Staged) -> None:
    repository = staged.repository
    recorded = repository.record(status=SUCCESS)
    first = repository.promote(recorded.number, params=GIVEN)
    assert found(staged, first) == VALUE
    staged.runner.report(first.stages[0].id, ERROR)
    where: dict[str, Any] = {"owner": repository.owner, "repo": repository.name}
    retried = repository.builds.RetryBuild(api.RetryBuildRequest(**where, build=first.number))
    assert shown(retried) == ({"REGION": "eu"}, ["PASSWORD"])
    assert found(staged, retried) == VALUE
    ended(staged, retried)
    anew = repository.promote(recorded.number, params={"PASSWORD": "another-one"})
    assert found(staged, anew) == "another-one"
    ended(staged, anew)
    back = repository.builds.RollbackBuild(
        api.RollbackRequest(**where, target="production", build=retried.number)
    )
    assert shown(back) == ({"REGION": "eu"}, ["PASSWORD"])
    assert found(staged, back) == VALUE
    ended(staged, back)
    changed = repository.builds.RetryBuild(
        api.RetryBuildRequest(**where, build=back.number, params={"PASSWORD": "one-more"})
    )
    assert found(staged, changed) == "one-more"
    staged.runner.report(changed.stages[0].id, ERROR)
    dropped = api.RetryBuildRequest(**where, build=changed.number, drop_params=["PASSWORD"])
    call = refusal(repository.builds.RetryBuild, dropped)
    assert call.violations == (("parameters", "PASSWORD is missing"),)


def test_what_is_repeated_goes_before_a_default_that_came_later(staged: Staged) -> None:
    repository = staged.repository
    first = repository.promote(repository.record(status=SUCCESS).number, params=GIVEN)
    assert found(staged, first) == VALUE
    staged.runner.report(first.stages[0].id, ERROR)
    Declared(repository).change(params=[{"name": "PASSWORD", "default": "for-all-to-see"}])
    again = api.RetryBuildRequest(owner=repository.owner, repo=repository.name, build=first.number)
    retried = repository.builds.RetryBuild(again)
    assert shown(retried) == ({"REGION": "eu"}, ["PASSWORD"])
    assert found(staged, retried) == VALUE


def test_its_rules_hold_and_nothing_that_is_said_shows_it(staged: Staged) -> None:
    repository = staged.repository
    recorded = repository.record(status=SUCCESS)
    wrong = VALUE.upper()
    repository.server.secrets.hide(wrong)
    call = refusal(
        repository.builds.PromoteBuild, repository.promotion(recorded.number, params={"PASSWORD": wrong})
    )
    assert call.violations == (("parameters", "PASSWORD does not match [a-z-]+"),)
    explained = Declared(repository).explain(recorded.number, params=GIVEN)
    assert shown(explained.build) == ({"REGION": "eu"}, ["PASSWORD"])
    assert {verdict.gate: verdict.result for verdict in explained.verdicts}["parameters"] == (
        api.GATE_RESULT_PASSED
    )
    assert VALUE not in str(explained)


def test_a_diff_and_a_rehearsal_know_that_it_is_there(staged: Staged) -> None:
    repository = staged.repository
    recorded = repository.record(status=SUCCESS)
    promoted = repository.promote(recorded.number, params=GIVEN)
    staged.runner.accept(promoted.stages[0].id)
    ended(staged, promoted)
    plain = {"PASSWORD": "another-one"}
    differs = repository.builds.DiffPromotion(repository.promotion(recorded.number, params=plain))
    assert list(differs.params) == [
        api.ParameterChange(name="PASSWORD", before="", after="", masked=True),
        api.ParameterChange(name="REGION", before="eu"),
    ]
    without = repository.builds.DiffPromotion(repository.promotion(recorded.number))
    assert list(without.params) == [
        api.ParameterChange(name="PASSWORD", before="", masked=True),
        api.ParameterChange(name="REGION", before="eu"),
    ]
    declared = Declared(repository)
    proposed = ruled("production", params=[RULE, {"name": "REGION", "choices": ["us"]}])
    rehearsed = declared.stub.RehearsePolicy(
        environments_pb2.RehearsePolicyRequest(**declared.of, environment=proposed)
    )
    assert [said(each.verdicts) for each in rehearsed.promotions] == [
        {"parameters": "failed: REGION is none of us"}
    ]


def test_a_promotion_that_waits_keeps_it(staged: Staged) -> None:
    repository = staged.repository
    declared = Declared(repository)
    declared.change(required_approvals=1)
    waits = repository.promote(repository.record(status=SUCCESS).number, params=GIVEN)
    assert (waits.status, shown(waits)) == (api.BUILD_STATUS_BLOCKED, ({"REGION": "eu"}, ["PASSWORD"]))
    other = repository.of(f"other-{repository.name}", access_pb2.ACCESS_LEVEL_ADMIN)
    Declared(other).approve(waits.number)
    assert found(staged, waits) == VALUE


def test_a_rollback_asks_for_approvals_where_it_is_given_another(staged: Staged) -> None:
    repository = staged.repository
    declared = Declared(repository)
    first, bad = (repository.record(status=SUCCESS, after=letter * 40) for letter in "ab")
    for recorded in (first, bad):
        promoted = repository.promote(recorded.number, params=GIVEN)
        staged.runner.accept(promoted.stages[0].id)
        ended(staged, promoted)
    declared.change(required_approvals=2)
    where: dict[str, Any] = {"owner": repository.owner, "repo": repository.name, "target": "production"}
    changed = repository.builds.RollbackBuild(
        api.RollbackRequest(**where, params={"PASSWORD": "correct-horse-battery-stapler"})
    )
    assert changed.status == api.BUILD_STATUS_BLOCKED
    others = [
        Declared(repository.of(f"{name}-{repository.name}", access_pb2.ACCESS_LEVEL_ADMIN))
        for name in ("one", "two")
    ]
    # All gates are asked again, when nobody knows any more that it was given another.
    assert others[0].approve(changed.number).status == api.BUILD_STATUS_BLOCKED
    assert others[1].approve(changed.number).status == api.BUILD_STATUS_PENDING
    assert found(staged, changed) == "correct-horse-battery-stapler"
    ended(staged, changed)
    # What is there now is of the same origin: the one before it is repeated with what it had.
    same = repository.builds.RollbackBuild(api.RollbackRequest(**where, build=bad.number))
    assert said(same.verdicts)["approvals"].startswith(
        "skipped: a rollback passes it over: 0 of 2 approvals"
    )
    assert (same.status, found(staged, same)) == (api.BUILD_STATUS_PENDING, VALUE)


def test_a_default_of_a_secret_is_refused(repository: Repository) -> None:
    request = Declared(repository).declaring(params=[{"name": "PASSWORD", "secret": True, "default": "x"}])
    assert refusal(Declared(repository).stub.CreateEnvironment, request) == invalid(
        ("environment.params[0].default", "is for all to see, and the parameter is secret: leave it out")
    )


def test_without_a_key_it_is_refused_and_with_another_it_cannot_be_repeated(tmp_path: Path) -> None:
    database = tmp_path / "shiplift.db"
    with Shipliftd(database) as server:
        repository = Repository.make(server, "octocat", "app")
        Declared(repository).declare(params=[RULE])
        Declared(repository).declare("staging")
        recorded = repository.record(status=SUCCESS)
        first = repository.promote(recorded.number, params=GIVEN)
        token = server.admin_token
    new = "new:" + SECRET_KEY.partition(":")[2]
    for key, reason in (("", "SECRETS_NOT_CONFIGURED"), (new, "")):
        with Shipliftd(database, environment={"SHIPLIFTD_SECRET_KEY": key}) as server:
            repository = Repository(server, "octocat", "app", token)
            promotion = repository.promotion(recorded.number, params=GIVEN)
            if reason:
                assert refusal(repository.builds.PromoteBuild, promotion).reason == reason
                # All else works.
                assert repository.promote(recorded.number, "staging").number == 3
                continue
            repository.report(first.number, ERROR)
            again = api.RetryBuildRequest(owner="octocat", repo="app", build=first.number)
            words = "its key 'tests' is not among the server's"
            assert refusal(repository.builds.RetryBuild, again) == Refusal(
                grpc.StatusCode.FAILED_PRECONDITION,
                f"secret parameters of build 2 cannot be repeated: PASSWORD: {words}. Give them anew",
                "SECRET_PARAMETERS_LOST",
                (("params[PASSWORD]", f"cannot be opened: {words}"),),
            )
            again.params["PASSWORD"] = VALUE
            assert shown(repository.builds.RetryBuild(again)) == ({"REGION": "eu"}, ["PASSWORD"])
