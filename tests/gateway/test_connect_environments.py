"""Environments, gates, approvals and rollbacks by the Connect protocol: their JSON, whole."""

import base64
import json
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from google.rpc import error_details_pb2
from shiplift.v1 import builds_pb2 as pb
from shiplift.v1 import environments_pb2

from tests.support.gateway import Answer, Caller
from tests.support.repository import Repository
from tests.support.ruled import declare, second_person

Json = dict[str, Any]

# A value of each kind that an environment's fields have.
RULES: Json = {
    "name": "production",
    "deployer": "DEPLOYER_EXTERNAL",
    "promoters": ["admin", "mona"],
    "promoterLevel": "ACCESS_LEVEL_ADMIN",
    "requiredApprovals": 2,
    "approvers": ["ann", "bob", "eve"],
    "approvalWindow": "5400s",
    "requires": "staging",
    "soak": "0.250s",
    "allowFailed": True,
    "queuePolicy": "QUEUE_POLICY_SUPERSEDE",
    "freezes": [
        {"name": "fair", "zone": "Europe/Berlin", "from": "2036-12-20T00:00", "to": "2037-01-02T00:00"},
        {"name": "nights", "zone": "UTC", "weekly": [{"from": "Fri 16:00", "to": "Fri 16:01"}]},
    ],
    "params": [{"name": "REGION", "required": True, "choices": ["eu", "us"], "default": "eu"}],
    "overriders": ["ann"],
    "link": "https://example.org/production",
    "description": "Grüße & more",
    "confirm": True,
}


def named(repository: Repository, **fields: object) -> Json:
    """A request about the repository."""
    return {"owner": repository.owner, "repo": repository.name, **fields}


def done(answer: Answer) -> Json:
    """The answer of a call that is done."""
    assert answer.status == 200, answer.body
    found: Json = answer.json
    return found


def got(caller: Caller, method: str, **fields: object) -> Answer:
    """An rpc that only reads, by GET."""
    return caller.get(f"/shiplift.v1.{method}", connect="v1", encoding="json", message=json.dumps(fields))


@pytest.fixture
def declared(caller: Caller, repository: Repository) -> Repository:
    """A repository that declares staging, and production with a rule of each kind."""
    create = "EnvironmentService/CreateEnvironment"
    done(caller.rpc(create, **named(repository, environment={"name": "staging"})))
    done(caller.rpc(create, **named(repository, environment=RULES)))
    return repository


# Environments.


def test_every_rule_of_an_environment_goes_there_and_back(caller: Caller, declared: Repository) -> None:
    wanted = named(declared, environment="production")
    found = done(caller.rpc("EnvironmentService/GetEnvironment", **wanted))
    stored = declared.server.environments().GetEnvironment(environments_pb2.GetEnvironmentRequest(**wanted))
    assert ParseDict(found, environments_pb2.Environment()) == stored
    times = {name: found.pop(name) for name in ("created", "updated")}
    assert found == named(declared, **RULES, rulesVersion=1, version=1)
    assert times["created"].endswith("Z")
    by_get = got(caller, "EnvironmentService/GetEnvironment", **wanted)
    assert done(by_get) == {**found, **times}
    listed = done(got(caller, "EnvironmentService/ListEnvironments", **named(declared)))
    assert [each["name"] for each in listed["environments"]] == ["production", "staging"]
    assert listed["environments"][0] == by_get.json


def test_an_update_changes_what_its_mask_names_in_camel_case(caller: Caller, declared: Repository) -> None:
    update = "EnvironmentService/UpdateEnvironment"
    before = done(
        got(caller, "EnvironmentService/GetEnvironment", **named(declared, environment="production"))
    )
    changed = {"name": "production", "requiredApprovals": 1, "soak": "7200s", "queuePolicy": 3, "link": "x"}
    request = named(declared, environment=changed, updateMask="requiredApprovals,soak,queuePolicy,freezes")
    after = done(caller.rpc(update, **request))
    assert {**after, "updated": ""} == {
        **{name: value for name, value in before.items() if name != "freezes"},
        "requiredApprovals": 1,
        "soak": "7200s",
        "queuePolicy": "QUEUE_POLICY_REJECT",
        "rulesVersion": 2,
        "version": 2,
        "updated": "",
    }
    stale = caller.rpc(update, **request, version=1)
    assert (stale.status, stale.json["code"]) == (409, "aborted")
    unknown = caller.rpc(update, **named(declared, environment=changed, updateMask="noSuchField"))
    assert (unknown.status, unknown.json["code"]) == (400, "invalid_argument")
    assert "no_such_field" in unknown.json["message"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("soak", "1h"),
        ("soak", 5),
        ("approvalWindow", "5400"),
        ("queuePolicy", "QUEUE_POLICY_SKIP"),
        ("queuePolicy", "queue"),
        ("promoterLevel", True),
        ("freezes", {"name": "x"}),
        ("requiredApprovals", 1.5),
        # RE2 would not read it, were it shorter.
        ("params", [{"name": "A", "pattern": "(" * 1001, "default": "x"}]),
    ],
)
def test_a_value_that_is_no_such_thing_is_refused(
    caller: Caller, repository: Repository, field: str, value: object
) -> None:
    environment = {"name": "production", field: value}
    answer = caller.rpc(
        "EnvironmentService/CreateEnvironment", **named(repository, environment=environment)
    )
    assert (answer.status, answer.json["code"]) == (400, "invalid_argument")
    listed = done(got(caller, "EnvironmentService/ListEnvironments", **named(repository)))
    assert listed == {}


def test_an_environment_is_held_resumed_and_deleted(caller: Caller, declared: Repository) -> None:
    wanted = named(declared, environment="production")
    hold = {
        **wanted,
        "scope": "HOLD_SCOPE_AUTOMATIC",
        "by": "admin",
        "reason": "an incident",
        "until": "2036-01-01T00:00:00.500Z",
    }
    asked = {name: value for name, value in hold.items() if name != "by"}
    made = done(caller.rpc("EnvironmentService/HoldEnvironment", **asked))
    assert made == {**hold, "since": made["since"]}
    there = done(got(caller, "EnvironmentService/ListDeployments", **named(declared)))["deployments"]
    assert there == [
        {**wanted, "hold": made, "declared": True},
        {**wanted, "environment": "staging", "declared": True},
    ]
    assert done(caller.rpc("EnvironmentService/ResumeEnvironment", **wanted)) == made
    gone = done(caller.rpc("EnvironmentService/DeleteEnvironment", **wanted))
    assert (gone["name"], gone["version"]) == ("production", 2)
    missing = got(caller, "EnvironmentService/GetEnvironment", **wanted)
    assert (missing.status, missing.json["code"]) == (404, "not_found")


def test_the_rules_of_an_owner_are_put_and_shown(caller: Caller, name: str) -> None:
    owner = f"owner-{name}"
    weekly = [{"from": "Sat 00:00", "to": "Sat 00:01"}]
    rules = {
        "freezes": [{"name": "saturdays", "zone": "UTC", "weekly": weekly, "reason": "nobody is here"}]
    }
    put = done(caller.rpc("EnvironmentService/UpdateOwnerRules", owner=owner, rules=rules, version=0))
    assert put == {"owner": owner, **rules, "version": 1}
    assert done(got(caller, "EnvironmentService/GetOwnerRules", owner=owner, repo="*")) == put


# Promotions.


def test_what_is_explained_is_what_a_promotion_is_refused_for(
    caller: Caller, repository: Repository
) -> None:
    repository.record(status=pb.BUILD_STATUS_FAILURE)
    declare(repository)
    request = named(repository, build=1, target="production")
    explained = done(got(caller, "BuildService/ExplainPromotion", **request))
    by_post = done(caller.rpc("BuildService/ExplainPromotion", **request))
    assert explained["verdicts"] == by_post["verdicts"]
    reason = "build 1 is failure, and production takes builds that ended in success"
    verdicts = {each["gate"]: each for each in explained["verdicts"]}
    assert verdicts["success"] == {"gate": "success", "result": "GATE_RESULT_FAILED", "reason": reason}
    assert {each["result"] for gate, each in verdicts.items() if gate != "success"} == {
        "GATE_RESULT_PASSED"
    }
    assert (explained["build"]["parent"], explained["build"]["deployTo"]) == (1, "production")
    assert repository.numbers() == [1]

    refused = caller.rpc("BuildService/PromoteBuild", **request)
    told = f"{repository.slug} may not go to production: success: {reason}"
    assert (refused.told, refused.json["code"]) == ((400, told), "failed_precondition")
    info, failure = refused.json["details"]
    assert (info["type"], failure["type"]) == ("google.rpc.ErrorInfo", "google.rpc.PreconditionFailure")
    violations = error_details_pb2.PreconditionFailure.FromString(
        base64.b64decode(failure["value"] + "==")
    ).violations
    assert [(each.type, each.subject, each.description) for each in violations] == [
        ("PROMOTION_REFUSED", "success", reason)
    ]
    overrides = [{"gate": "success", "reason": "a hotfix"}]
    made = done(caller.rpc("BuildService/PromoteBuild", **request, overrides=overrides, comment="now"))
    assert made["comment"] == "now"
    [overridden] = [each for each in made["verdicts"] if each["result"] == "GATE_RESULT_OVERRIDDEN"]
    assert overridden == {
        "gate": "success",
        "result": "GATE_RESULT_OVERRIDDEN",
        "reason": f"passed by admin: a hotfix ({reason})",
    }


def test_a_promotion_is_approved_declined_and_rolled_back(caller: Caller, repository: Repository) -> None:
    declare(repository, required_approvals=1)
    repository.record(status=pb.BUILD_STATUS_SUCCESS)
    second = caller.having(second_person(repository))
    login = f"second-{repository.name}"
    for number in (2, 3):
        wanted = named(repository, build=1, target="production", params={"A": "1"})
        made = done(caller.rpc("BuildService/PromoteBuild", **wanted))
        assert (made["number"], made["status"]) == (number, "BUILD_STATUS_BLOCKED")
    approved = done(
        second.rpc("BuildService/ApproveBuild", **named(repository, build=2, comment="go", requestId="a"))
    )
    [approval] = approved["approvals"]
    assert approved["status"] == "BUILD_STATUS_PENDING"
    assert approval == {"login": login, "comment": "go", "at": approval["at"]}
    declined = done(second.rpc("BuildService/DeclineBuild", **named(repository, build=3)))
    assert (declined["status"], declined["error"]) == ("BUILD_STATUS_DECLINED", f"declined by {login}")
    again = second.rpc("BuildService/DeclineBuild", **named(repository, build=3))
    assert (again.status, again.json["code"]) == (400, "failed_precondition")
    mine = caller.rpc("BuildService/ApproveBuild", **named(repository, build=2))
    assert (mine.status, mine.json["code"]) == (403, "permission_denied")

    repository.report(2, pb.BUILD_STATUS_SUCCESS)
    rollback = named(repository, target="production", build=1, cancelRunning=True, params={"A": "1"})
    back = done(caller.rpc("BuildService/RollbackBuild", **rollback))
    assert {
        name: back[name]
        for name in ("number", "event", "status", "parent", "rollbackOf", "params", "deployTo")
    } == {
        "number": 4,
        "event": "BUILD_EVENT_ROLLBACK",
        "status": "BUILD_STATUS_PENDING",
        "parent": 1,
        "rollbackOf": 2,
        "params": {"A": "1"},
        "deployTo": "production",
    }
    [skipped] = [each for each in back["verdicts"] if each["gate"] == "approvals"]
    assert skipped["result"] == "GATE_RESULT_SKIPPED"
    there = done(
        got(caller, "EnvironmentService/GetDeployment", **named(repository, environment="production"))
    )
    assert (there["current"]["number"], there["inFlight"]["number"]) == (2, 4)
    assert there["hold"]["scope"] == "HOLD_SCOPE_AUTOMATIC"
    another = caller.rpc("BuildService/RollbackBuild", **named(repository, target="production"))
    assert (another.status, another.json["code"]) == (400, "failed_precondition")
    assert another.json["message"].startswith(
        "rollback 4 of production, which puts back build 1, is under way"
    )
    nothing = caller.rpc("BuildService/RollbackBuild", **named(repository, target="staging"))
    assert (nothing.status, nothing.json["code"]) == (400, "failed_precondition")
