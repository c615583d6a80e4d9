"""Environments and their rules over the API: declared, changed, listed, and what is refused."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as api
from shiplift.v1 import environments_pb2 as pb
from shipliftd.environments import rules as said_rules

from tests.support.declared import Declared, ruled, said, without_times
from tests.support.faults import form
from tests.support.refusals import BAD_TARGET, Refusal, code_of, invalid, refusal
from tests.support.repository import Repository
from tests.support.staged import SUCCESS

ROUNDS = form(10, 200)
ALL: dict[str, Any] = {
    "deployer": "DEPLOYER_EXTERNAL",
    "promoters": ["ann", "bob"],
    "promoter_level": "ACCESS_LEVEL_ADMIN",
    "required_approvals": 2,
    "approvers": ["cem", "dan"],
    "approval_window": "3600s",
    "requires": "staging",
    "soak": "1800s",
    "allow_failed": True,
    "queue_policy": "QUEUE_POLICY_SUPERSEDE",
    "freezes": [
        {
            "name": "christmas",
            "zone": "Europe/Berlin",
            "from": "2026-12-20T00:00",
            "to": "2027-01-03T00:00",
            "reason": "nobody is there",
        },
        {"name": "weekend", "zone": "UTC", "weekly": [{"from": "Fri 16:00", "to": "Mon 08:00"}]},
    ],
    "params": [
        {
            "name": "REGION",
            "description": "where",
            "required": True,
            "default": "eu-1",
            "choices": ["eu-1", "us-1"],
            "pattern": "[a-z]+-\\d",
        }
    ],
    "overriders": ["eve"],
    "link": "https://example.org/production",
    "description": "what people see",
    "confirm": True,
}
OTHER: dict[str, Any] = {
    "deployer": "DEPLOYER_PIPELINE",
    "promoters": ["ann"],
    "promoter_level": "ACCESS_LEVEL_WRITE",
    "required_approvals": 1,
    "approvers": [],
    "approval_window": "60s",
    "requires": "qa",
    "soak": "0.001s",
    "allow_failed": False,
    "queue_policy": "QUEUE_POLICY_REJECT",
    "freezes": [],
    "params": [{"name": "SIZE"}],
    "overriders": ["ann", "bob"],
    "link": "",
    "description": "other",
    "confirm": False,
}


@pytest.fixture
def declared(repository: Repository) -> Declared:
    """The environments of a repository of the test's own."""
    return Declared(repository)


def test_what_is_declared_is_got_and_listed(declared: Declared) -> None:
    made = declared.declare(**ALL)
    wanted = ruled("production", **ALL, **declared.of, rules_version=1, version=1)
    assert without_times(made) == wanted
    assert made.created == made.updated
    assert declared.get() == made
    listed = declared.stub.ListEnvironments(pb.ListEnvironmentsRequest(**declared.of))
    assert listed == pb.ListEnvironmentsResponse(environments=[made])


def test_one_without_rules(declared: Declared) -> None:
    assert without_times(declared.declare("qa")) == ruled("qa", **declared.of, rules_version=1, version=1)


def test_what_is_output_only_is_not_taken(declared: Declared) -> None:
    made = declared.declare("qa", owner="me", repo="mine", version=7, rules_version=8)
    assert without_times(made) == ruled("qa", **declared.of, rules_version=1, version=1)


def test_it_is_declared_once(declared: Declared) -> None:
    declared.declare()
    assert refusal(declared.declare) == Refusal(
        grpc.StatusCode.ALREADY_EXISTS,
        f"{declared.repository.slug} declares production already: UpdateEnvironment changes it",
        "ALREADY_EXISTS",
    )


def test_what_is_not_declared_is_not_found(declared: Declared) -> None:
    # Something was promoted to it, which declares nothing.
    declared.repository.promote(declared.repository.record().number)
    wanted = Refusal(
        grpc.StatusCode.NOT_FOUND,
        f"{declared.repository.slug} declares no environment 'production': ListEnvironments shows those"
        " that it declares",
        "ENVIRONMENT_NOT_FOUND",
    )
    assert refusal(declared.get) == wanted
    assert refusal(declared.delete) == wanted
    assert refusal(declared.change, description="x") == wanted
    listed = declared.stub.ListEnvironments(pb.ListEnvironmentsRequest(**declared.of))
    assert listed == pb.ListEnvironmentsResponse()
    bad = "'a b' " + BAD_TARGET
    assert refusal(declared.get, "a b") == invalid(("environment", bad))
    assert refusal(declared.delete, "a b") == invalid(("environment", bad))


@pytest.mark.parametrize("field", sorted(ALL))
def test_a_change_of_one_field(declared: Declared, field: str) -> None:
    before = declared.declare(**ALL)
    changed = declared.change("production", field, **{field: OTHER[field]})
    is_rule = field in said_rules.RULES
    assert is_rule == (field not in ("link", "description", "confirm"))
    wanted = ruled("production", **{**ALL, field: OTHER[field]}, **declared.of, version=2)
    wanted.rules_version = 2 if is_rule else 1
    assert without_times(changed) == wanted
    assert changed.created == before.created
    assert declared.get() == changed
    # The same once more changes nothing.
    assert declared.change("production", field, **{field: OTHER[field]}) == changed


def test_a_change_takes_only_what_the_mask_names(declared: Declared) -> None:
    declared.declare(**ALL)
    request = declared.changing("production", description="new")
    request.environment.MergeFrom(ruled("production", required_approvals=7, confirm=True, promoters=["x"]))
    changed = declared.stub.UpdateEnvironment(request)
    assert without_times(changed) == ruled(
        "production", **{**ALL, "description": "new"}, **declared.of, version=2, rules_version=1
    )
    # What is named and not given is taken away.
    assert declared.change("production", "promoters", "soak").soak.ToSeconds() == 0
    assert list(declared.get().promoters) == []


def test_the_mask_names_what_can_be_changed(declared: Declared) -> None:
    declared.declare()
    wanted = ", ".join(sorted(ALL))
    assert refusal(declared.change) == invalid(
        ("update_mask", f"is empty: name what to change, of {wanted}")
    )
    for field in ("name", "version", "rules_version", "created", "freezes.zone", "*"):
        told = f"{field!r} cannot be changed: wanted {wanted}"
        assert refusal(declared.change, "production", field) == invalid(("update_mask", told))


def test_a_change_of_another_version_is_refused(declared: Declared) -> None:
    declared.declare()
    request = declared.changing("production", description="mine")
    request.version = 2
    assert refusal(declared.stub.UpdateEnvironment, request) == Refusal(
        grpc.StatusCode.ABORTED,
        "environment production is at version 1, not 2: read it again",
        "STALE_VERSION",
        (("version", "environment production is at version 1"),),
    )
    request.version = 1
    assert declared.stub.UpdateEnvironment(request).version == 2


def test_what_is_declared_again_counts_on(declared: Declared) -> None:
    declared.declare()
    gone = declared.delete()
    assert (gone.name, gone.version, gone.rules_version) == ("production", 2, 1)
    assert code_of(declared.get) == grpc.StatusCode.NOT_FOUND
    # Approvals of before are not for these rules.
    again = declared.declare(required_approvals=1)
    assert without_times(again) == ruled(
        "production", required_approvals=1, **declared.of, version=3, rules_version=2
    )


def test_what_has_changed_since_is_not_taken_back(declared: Declared) -> None:
    declared.declare()
    request = pb.DeleteEnvironmentRequest(**declared.of, environment="production", version=2)
    assert refusal(declared.stub.DeleteEnvironment, request) == Refusal(
        grpc.StatusCode.ABORTED,
        "environment production is at version 1, not 2: read it again",
        "STALE_VERSION",
        (("version", "environment production is at version 1"),),
    )
    request.version = 1
    assert declared.stub.DeleteEnvironment(request).version == 2


@pytest.mark.parametrize("count", [1, 11])
def test_what_promotions_wait_for_is_not_taken_back(declared: Declared, count: int) -> None:
    repository = declared.repository
    declared.declare(required_approvals=1)
    declared.declare("staging")
    build = repository.record(status=SUCCESS).number
    numbers = [repository.promote(build).number for _ in range(count)]
    named = ", ".join(map(str, numbers[:10])) + (" and more" if count > 10 else "")
    assert refusal(declared.delete) == Refusal(
        grpc.StatusCode.FAILED_PRECONDITION,
        f"promotions wait for the gates of production, and would go without them: {named}. Cancel or"
        " decline them first",
        "ENVIRONMENT_IN_USE",
        tuple(("environment", f"promotion {number} waits there") for number in numbers[:10]),
    )
    # What goes, or waits elsewhere, is in nobody's way.
    repository.promote(build, "staging")
    declared.delete("staging")
    for number in numbers:
        cancelling = api.CancelBuildRequest(**declared.of, build=number)
        repository.builds.CancelBuild(cancelling)
    assert declared.delete().version == 2


def test_nothing_waits_without_an_environment_that_is_taken_back_meanwhile(declared: Declared) -> None:
    repository = declared.repository
    build = repository.record(status=SUCCESS).number
    outcomes = set()
    with ThreadPoolExecutor(2) as threads:
        for _ in range(ROUNDS):
            declared.declare(required_approvals=1)
            promoting = threads.submit(repository.promote, build)
            deleting = threads.submit(code_of, declared.delete)
            made, code = promoting.result(), deleting.result()
            outcomes.add((made.status, code))
            repository.builds.CancelBuild(api.CancelBuildRequest(**declared.of, build=made.number))
            if code != grpc.StatusCode.OK:
                declared.delete()
    waits = (api.BUILD_STATUS_BLOCKED, grpc.StatusCode.FAILED_PRECONDITION)
    assert outcomes <= {waits, (api.BUILD_STATUS_PENDING, grpc.StatusCode.OK)}


def test_pages_are_by_name(declared: Declared) -> None:
    names = ["Z", "a/b", "eu-1", "production", "qa"]
    for name in reversed(names):
        declared.declare(name)
    declared.declare("gone")
    declared.delete("gone")
    found, token = [], ""
    for _ in names:
        page = declared.stub.ListEnvironments(
            pb.ListEnvironmentsRequest(**declared.of, page_size=2, page_token=token)
        )
        found.append([each.name for each in page.environments])
        token = page.next_page_token
        if not token:
            break
    assert found == [names[:2], names[2:4], names[4:]]
    # Of more than 100 a page has 100.
    for n in range(100):
        declared.declare(f"more-{n:03}")
    page = declared.stub.ListEnvironments(pb.ListEnvironmentsRequest(**declared.of, page_size=1000))
    rest = declared.stub.ListEnvironments(
        pb.ListEnvironmentsRequest(**declared.of, page_size=1000, page_token=page.next_page_token)
    )
    assert (len(page.environments), len(rest.environments), rest.next_page_token) == (100, 5, "")
    bad = pb.ListEnvironmentsRequest(**declared.of, page_token="x")
    assert refusal(declared.stub.ListEnvironments, bad).violations[0][0] == "page_token"


PARAMS = [
    {"name": "REGION", "description": "where to", "required": True},
    {"name": "SIZE", "default": "small", "choices": ["small", "large"]},
    {"name": "VERSION", "pattern": "v\\d+"},
]


def test_parameters_are_what_the_environment_asks_for(declared: Declared) -> None:
    declared.declare(params=PARAMS)
    repository = declared.repository
    build = repository.record(status=SUCCESS, params={"FROM": "ci"}).number
    secret = "hunter2hunter2"
    lacks = [
        ({}, "REGION (where to) is missing"),
        ({"REGION": secret, "SIZE": secret}, "SIZE is none of small, large"),
        ({"REGION": secret, "VERSION": secret}, "VERSION does not match v\\d+"),
        # The whole value matches.
        ({"REGION": secret, "VERSION": "v1\n"}, "VERSION does not match v\\d+"),
        (
            {"SIZE": "", "VERSION": secret},
            "REGION (where to) is missing; SIZE is none of small, large; VERSION does not match v\\d+",
        ),
    ]
    for params, lack in lacks:
        assert said(declared.explain(build, params=params).verdicts) == {"parameters": f"failed: {lack}"}
        told = refusal(repository.promote, build, params=params)
        assert told == Refusal(
            grpc.StatusCode.FAILED_PRECONDITION,
            f"{repository.slug} may not go to production: parameters: {lack}",
            "PROMOTION_REFUSED",
            (("parameters", lack),),
        )
        assert secret not in str(told)
    made = repository.promote(build, params={"REGION": secret, "VERSION": "v12"})
    assert dict(made.params) == {"FROM": "ci", "REGION": secret, "SIZE": "small", "VERSION": "v12"}
    assert repository.get(made.number).params == made.params
    assert secret not in str(made.verdicts)
    assert secret not in json.dumps(repository.server.log)
    # What is given goes before what is asked for if nothing is.
    large = declared.explain(build, params={"REGION": "x", "SIZE": "large"}).build
    assert dict(large.params) == {"FROM": "ci", "REGION": "x", "SIZE": "large"}


def test_defaults_count_as_what_is_given(declared: Declared) -> None:
    declared.declare(params=[{"name": f"D{n}", "default": "x"} for n in range(60)])
    build = declared.repository.record(status=SUCCESS).number
    params = {f"P{n}": "x" for n in range(41)}
    told = "parameters: with the defaults they are 101: at most 100"
    assert told in refusal(declared.repository.promote, build, params=params).message
    del params["P0"]
    assert len(declared.explain(build, params=params).build.params) == 100
    declared.change(params=[{"name": f"D{n}", "default": "x" * 30_000} for n in range(3)])
    told = "parameters: with the defaults they have 144015 bytes: at most 131072 (128 KiB)"
    large = {"P0": "x" * 27_003, "P1": "x" * 26_998 + "x" * 4}
    assert (
        told.replace("144015", str(90_006 + 54_009))
        in refusal(declared.repository.promote, build, params=large).message
    )


def test_what_was_promoted_to_is_no_declaration(declared: Declared) -> None:
    repository = declared.repository
    build = repository.record(status=SUCCESS).number
    repository.promote(build, "qa")
    # Until the first one is declared any will do.
    assert said(declared.explain(build, "anything").verdicts) == {}
    declared.declare("production")
    told = f"qa is none of the environments of {repository.slug} (production)"
    assert said(declared.explain(build, "qa").verdicts) == {"environment": f"failed: {told}"}
    assert refusal(repository.promote, build, "qa") == Refusal(
        grpc.StatusCode.FAILED_PRECONDITION,
        f"{repository.slug} may not go to qa: environment: {told}",
        "PROMOTION_REFUSED",
        (("environment", told),),
    )
    assert said(declared.explain(build, "prod").verdicts)["environment"].endswith(
        "(production): did you mean production?"
    )
    listed = declared.stub.ListDeployments(pb.ListDeploymentsRequest(**declared.of)).deployments
    assert [(each.environment, each.declared) for each in listed] == [("production", True), ("qa", False)]
    # Where it was the last one, the repository takes any again.
    declared.delete("production")
    assert said(declared.explain(build, "qa").verdicts) == {}


def test_a_change_of_rules_voids_approvals(declared: Declared) -> None:
    repository = declared.repository
    first, second = (
        Declared(repository.of(f"{who}-{repository.name}", access_pb2.ACCESS_LEVEL_ADMIN))
        for who in ("ann", "bob")
    )
    declared.declare(required_approvals=2)
    number = repository.promote(repository.record(status=SUCCESS).number).number
    assert repository.get(number).status == api.BUILD_STATUS_BLOCKED
    first.approve(number)
    # What is no rule leaves them.
    declared.change(description="new", link="https://example.org", confirm=True)
    assert [(each.login, each.void) for each in repository.get(number).approvals] == [
        (f"ann-{repository.name}", False)
    ]
    declared.change(soak="1s")
    waits = repository.get(number)
    assert [each.void for each in waits.approvals] == [True]
    assert second.approve(number).status == api.BUILD_STATUS_BLOCKED
    assert said(repository.get(number).verdicts)["approvals"].startswith(
        f"waiting: 1 of 2 approvals (bob-{repository.name})"
        f" (void since the rules changed: ann-{repository.name}); wanted is an admin of {repository.slug}"
    )
    assert first.approve(number).status == api.BUILD_STATUS_PENDING
    approvals = repository.get(number).approvals
    assert [(each.login.split("-")[0], each.void) for each in approvals] == [
        ("ann", True),
        ("bob", False),
        ("ann", False),
    ]
