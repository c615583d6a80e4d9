"""ExplainPromotion and PromoteBuild never disagree, in whatever state things are."""

import itertools
import re
from typing import Any, NamedTuple

import grpc
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as api
from shiplift.v1 import environments_pb2 as pb

from tests.support.declared import Declared, ruled
from tests.support.harness import Shipliftd
from tests.support.refusals import told
from tests.support.repository import COMMIT, Repository, change
from tests.support.staged import FAILURE, SUCCESS, pipelines, stored

FAILED = api.GATE_RESULT_FAILED
_repositories = itertools.count()

# What a gate is refused with that is the only one to fail, and has a reason of its own.
ALONE = {
    "BUILD_WITHOUT_COMMIT": "commit",
    "ENVIRONMENT_UNCERTAIN": "uncertain",
    "REPOSITORY_DISABLED": "repository",
    "NO_PIPELINE": "stages",
    "NO_PIPELINE_MATCHES": "stages",
}
TARGETS = ("staging", "production", "prod")
LOGINS = ("writer", "robot", "lead")
LEVELS = {
    "writer": access_pb2.ACCESS_LEVEL_WRITE,
    "robot": access_pb2.ACCESS_LEVEL_WRITE,
    "lead": access_pb2.ACCESS_LEVEL_ADMIN,
    "reader": access_pb2.ACCESS_LEVEL_READ,
}
NEVER = {"name": "n", "zone": "UTC", "from": "2020-01-01T00:00", "to": "2020-01-02T00:00"}
NOW = {"name": "now", "zone": "Europe/Berlin", "from": "2020-01-01T00:00", "to": "9998-01-01T00:00"}
ALWAYS = {"name": "week", "zone": "UTC", "weekly": [{"from": "Mon 00:00", "to": "Mon 00:00"}]}

SOME_LOGINS = st.lists(st.sampled_from(LOGINS), max_size=2, unique=True)
FREEZES = st.lists(st.sampled_from([NEVER, NEVER, NOW, ALWAYS]), max_size=1)
PARAMS = [
    {"name": "REGION", "required": True},
    {"name": "SIZE", "default": "small", "choices": ["small", "large"]},
    {"name": "A", "pattern": "[ab]+"},
]
RULES = st.fixed_dictionaries(
    {},
    optional={
        "deployer": st.sampled_from(["DEPLOYER_PIPELINE", "DEPLOYER_EXTERNAL"]),
        "promoters": SOME_LOGINS,
        "promoter_level": st.sampled_from(["ACCESS_LEVEL_WRITE", "ACCESS_LEVEL_ADMIN"]),
        "required_approvals": st.integers(0, 2),
        "approvers": SOME_LOGINS,
        "requires": st.just("qa"),
        "soak": st.sampled_from(["0.001s", "3600s"]),
        "allow_failed": st.booleans(),
        "queue_policy": st.sampled_from(pb.QueuePolicy.keys()[1:]),
        "freezes": FREEZES,
        "params": st.lists(st.sampled_from(PARAMS), max_size=2, unique_by=str),
        "overriders": SOME_LOGINS,
    },
)


class Recorded(NamedTuple):
    """A build as CI records it."""

    status: api.BuildStatus
    commit: str
    pipeline: str


class Request(NamedTuple):
    """A promotion that somebody asks for."""

    by: str
    build: int
    target: str
    params: dict[str, str]
    overrides: list[str]
    fields: dict[str, Any]


class State(NamedTuple):
    """How things stand."""

    builds: list[Recorded]
    # What succeeded before there were rules: the build and the environment.
    arrived: list[tuple[int, str]]
    declared: dict[str, dict[str, Any]]
    under_way: list[tuple[int, str]]
    lost: bool
    holds: list[tuple[bool, str, pb.HoldScope]]
    owner_freezes: list[dict[str, Any]]
    is_active: bool
    requests: list[Request]


FILES = ["", pipelines(), pipelines({"name": "other", "trigger": {"target": "staging"}})]
BUILDS = st.builds(
    Recorded,
    st.sampled_from([SUCCESS, SUCCESS, FAILURE, api.BUILD_STATUS_RUNNING]),
    st.sampled_from([COMMIT, COMMIT, COMMIT, ""]),
    st.sampled_from(FILES),
)
NUMBERS = st.integers(1, 3)
REQUESTS = st.builds(
    Request,
    st.sampled_from(["admin", "admin", *LOGINS, "reader", "cut"]),
    st.sampled_from([1, 1, 2, 3, 99]),
    st.sampled_from([*TARGETS, "a b"]),
    st.dictionaries(st.sampled_from(["REGION", "SIZE", "A"]), st.sampled_from(["a", "large"])),
    st.lists(st.sampled_from(["hold", "freeze", "success", "predecessor", "queue"]), max_size=3),
    st.sampled_from([{}, {}, {}, {"despite_lost": 4}, {"expected_current": 0}, {"comment": "go"}]),
)
HOLDS = st.tuples(
    st.booleans(), st.sampled_from(["", "production"]), st.sampled_from(pb.HoldScope.values())
)
STATES = st.builds(
    State,
    st.lists(BUILDS, min_size=3, max_size=3),
    st.lists(st.tuples(NUMBERS, st.sampled_from(["qa", "qa", "production"])), max_size=2),
    st.dictionaries(st.sampled_from(["staging", "production", "qa"]), RULES, max_size=3),
    st.lists(st.tuples(NUMBERS, st.sampled_from(["staging", "production"])), max_size=3),
    st.sampled_from([False, False, False, True]),
    st.lists(
        st.tuples(
            st.booleans(), st.sampled_from(["", "production"]), st.sampled_from(pb.HoldScope.values())
        ),
        max_size=1,
    ),
    FREEZES,
    st.sampled_from([True, True, True, True, False]),
    st.lists(REQUESTS, min_size=1, max_size=4),
)


# One that waits for people, and then others of it.
BLOCKED = State(
    builds=[Recorded(SUCCESS, COMMIT, "")] * 3,
    arrived=[(1, "qa")],
    declared={
        "production": {
            "required_approvals": 2,
            "requires": "qa",
            "soak": "0.001s",
            "queue_policy": "QUEUE_POLICY_SUPERSEDE",
        }
    },
    under_way=[(1, "production")],
    lost=False,
    holds=[],
    owner_freezes=[],
    is_active=True,
    requests=[
        Request(by, build, "production", {}, [], {})
        for by, build in (("admin", 1), ("writer", 1), ("robot", 2), ("cut", 1), ("reader", 1))
    ],
)
# One that is passed by name.
OVERRIDDEN = BLOCKED._replace(
    arrived=[],
    holds=[(True, "", pb.HOLD_SCOPE_ALL)],
    requests=[
        Request("admin", 3, "production", {"A": "a"}, ["hold", "predecessor"], {}),
        Request("admin", 3, "production", {"A": "a"}, ["hold"], {}),
    ],
)
# What fails alone.
LOST = BLOCKED._replace(
    declared={},
    lost=True,
    requests=[
        Request("admin", 3, "production", {}, [], fields) for fields in ({}, {"despite_lost": 5}, {})
    ],
)
DISABLED = BLOCKED._replace(declared={}, is_active=False)
UNNAMED = BLOCKED._replace(declared={}, builds=[Recorded(SUCCESS, "", "")] * 3, arrived=[], under_way=[])


class Callers(NamedTuple):
    """A server, and the token of each caller."""

    server: Shipliftd
    tokens: dict[str, str]


@pytest.fixture(scope="module")
def callers(server: Shipliftd) -> Callers:
    """The callers, who get their access in each repository."""
    tokens = {"admin": server.admin_token}
    for login in (*LOGINS, "reader"):
        user = access_pb2.CreateUserRequest(login=login, machine=login == "robot")
        server.access().CreateUser(user)
        tokens[login] = server.access().CreateToken(access_pb2.CreateTokenRequest(login=login)).secret
    cut = access_pb2.CreateTokenRequest(login="writer", environments=["production"])
    tokens["cut"] = server.access().CreateToken(cut).secret
    return Callers(server, tokens)


def put(callers: Callers, state: State) -> Repository:
    """A repository that is in this state."""
    owner = f"explained-{next(_repositories)}"
    repository = Repository.make(callers.server, owner, "app")
    levels = {"writer": "WRITE", "robot": "WRITE", "lead": "ADMIN", "reader": "READ"}
    for login, level in levels.items():
        callers.server.access().GrantAccess(
            access_pb2.GrantAccessRequest(
                owner=owner, repo="app", login=login, level=f"ACCESS_LEVEL_{level}"
            )
        )
    for build in state.builds:
        repository.record(status=build.status, after=build.commit, pipeline=build.pipeline)
    for number, target in state.arrived:
        made = tried(repository, number, target)
        if made:
            repository.report(made, SUCCESS)
    declared = Declared(repository)
    for name, rules in state.declared.items():
        fitting = {**rules, "requires": rules.get("requires", "") if name != "qa" else ""}
        if named := set(rules.get("approvers", ())):
            # More than there are could never come.
            fitting["required_approvals"] = min(rules.get("required_approvals", 0), len(named))
        declared.declare(name, **fitting)
    going = [tried(repository, number, target) for number, target in state.under_way]
    if state.lost and going and going[0]:
        stored(
            callers.server,
            "INSERT INTO lost (repo_id, environment, number, stage, machine, at, newest)"
            " SELECT id, ?, ?, 'default', 'box', 1, counter FROM repositories WHERE owner = ?",
            state.under_way[0][1],
            going[0],
            owner,
        )
    for wide, name, scope in state.holds:
        # A hold of what the repository does not declare is refused.
        if wide or not name or not state.declared or name in state.declared:
            declared.hold(name, repo="*" if wide else "app", scope=scope)
    if state.owner_freezes:
        of_owner = pb.OwnerRules(freezes=ruled("", freezes=state.owner_freezes).freezes)
        declared.stub.UpdateOwnerRules(pb.UpdateOwnerRulesRequest(owner=owner, rules=of_owner))
    if not state.is_active:
        change(repository, "active", active=False)
    return repository


def tried(repository: Repository, number: int, target: str) -> int:
    """The number of a promotion; 0 where it is refused."""
    try:
        return repository.promote(number, target).number
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.FAILED_PRECONDITION:
            raise
        return 0


def settled(verdicts: Any) -> list[tuple[str, int, str, tuple[str, ...], int]]:  # noqa: ANN401
    """Verdicts without the end of the time to approve, which is counted from the call."""
    return [
        (
            each.gate,
            each.result,
            re.sub(r", by [-\d]+ [:\d]+ UTC$", "", each.reason),
            tuple(each.cleared_by),
            each.earliest.ToMilliseconds(),
        )
        for each in verdicts
    ]


def told_of(build: api.Build) -> api.Build:
    """A build without what only one that is stored has."""
    copy = api.Build()
    copy.CopyFrom(build)
    for field in ("id", "number", "created", "updated", "verdicts", "waiting_for", "origin"):
        if field in api.Build.DESCRIPTOR.fields_by_name:
            copy.ClearField(field)
    for stage in copy.stages:
        for field in ("id", "build", "build_id", "build_number", "created", "updated"):
            if field in api.Stage.DESCRIPTOR.fields_by_name:
                stage.ClearField(field)
    return copy


def agree(repository: Repository, request: api.PromoteRequest, is_ruled: bool) -> str:
    """Asks for both, and compares; how it ended."""
    explained, refused = None, None
    try:
        explained = repository.builds.ExplainPromotion(request)
    except grpc.RpcError as error:
        refused = told(error)
    try:
        made = repository.builds.PromoteBuild(request)
    except grpc.RpcError as error:
        refusal = told(error)
        # At the door, before the request is looked at.
        is_denied = refusal.code == grpc.StatusCode.PERMISSION_DENIED and refusal != refused
        if explained is None:
            assert is_denied or refused == refusal
            return refusal.reason
        failed = [(each.gate, each.reason) for each in explained.verdicts if each.result == FAILED]
        if is_denied:
            assert failed[0][0] == "access"
        elif refusal.reason == "PROMOTION_REFUSED":
            assert refusal.violations == tuple(failed)
        else:
            assert [gate for gate, _ in failed] == [ALONE[refusal.reason]]
        return refusal.reason
    assert explained is not None
    assert FAILED not in [each.result for each in explained.verdicts]
    verdicts = settled(explained.verdicts)
    assert len(verdicts) == 15
    assert settled(made.verdicts) == settled(explained.build.verdicts) == (verdicts if is_ruled else [])
    assert told_of(explained.build) == told_of(made)
    # It is stored as it was answered.
    again = repository.get(made.number)
    assert (again.params, settled(again.verdicts)) == (made.params, settled(made.verdicts))
    return api.BuildStatus.Name(made.status)


def test_explain_and_promote_never_disagree(callers: Callers) -> None:
    ends: set[str] = set()

    @settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(state=STATES)
    @example(state=BLOCKED)
    @example(state=OVERRIDDEN)
    @example(state=LOST)
    @example(state=DISABLED)
    @example(state=UNNAMED)
    def try_it(state: State) -> None:
        repository = put(callers, state)
        is_ruled = bool(state.declared or state.holds or state.owner_freezes)
        for by, build, target, params, overrides, fields in state.requests:
            seen = repository.seen_by(callers.tokens[by])
            passed = [api.Override(gate=gate, reason="it burns") for gate in overrides]
            request = seen.promotion(build, target, params=params, overrides=passed, **fields)
            ends.add(agree(seen, request, is_ruled))

    try_it()
    # All of it was tried.
    assert ends >= {"PROMOTION_REFUSED", "BUILD_STATUS_PENDING", "BUILD_STATUS_BLOCKED", "INVALID_ARGUMENT"}
    assert ends >= {"BUILD_NOT_FOUND", "NOT_AN_OVERRIDER", *list(ALONE)[:3]}, ends
