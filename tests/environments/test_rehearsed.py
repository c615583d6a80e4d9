"""RehearsePolicy: what other rules would have said of the last promotions, as things stood then."""

import itertools
from datetime import timedelta
from typing import Any

import grpc
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as api
from shiplift.v1 import environments_pb2 as pb
from shipliftd.access.callers import Caller
from shipliftd.environments import rehearsing
from shipliftd.store import SqliteStore
from shipliftd.store.transaction import Reader

from tests.support.gated import Gated
from tests.support.harness import Shipliftd
from tests.support.refusals import code_of, invalid, refusal
from tests.support.repository import Repository
from tests.support.staged import FAILURE, RUNNING, SUCCESS, stored

RESULTS = {api.GATE_RESULT_FAILED: "failed", api.GATE_RESULT_WAITING: "waiting"}


def rehearsed(repository: Repository, last: int = 0, **rules: Any) -> pb.RehearsePolicyResponse:  # noqa: ANN401
    """RehearsePolicy."""
    request = pb.RehearsePolicyRequest(
        owner=repository.owner,
        repo=repository.name,
        environment=pb.Environment(**{"name": "production", **rules}),
        last=last,
    )
    return repository.server.environments(repository.token).RehearsePolicy(request)


def found(answer: pb.RehearsePolicyResponse) -> dict[int, str]:
    """What is against each promotion: `gate result`, with commas between."""
    return {
        each.build.number: ", ".join(f"{said.gate} {RESULTS[said.result]}" for said in each.verdicts)
        for each in answer.promotions
    }


def at(repository: Repository, number: int, created: int, started: int, finished: int) -> None:
    """Moves a build to these times."""
    stored(
        repository.server,
        "UPDATE builds SET created = ?, started = ?, finished = ?, updated = ? WHERE number = ?"
        " AND repo_id = (SELECT id FROM repositories WHERE owner = ? AND name = ?)",
        *(created, started, finished, finished, number, repository.owner, repository.name),
    )


@pytest.fixture
def history(repository: Repository) -> Gated:
    """What went to production, in seconds: 3 (of 1) 13-20, 5 (of 4, a failure) 14-15, 6 (back to 1) 30-31.

    Before that 1 ended at 10, and went to staging as 2 at 11-12.
    """
    made = Gated.caller_of(repository)
    mona = made.by(repository.of(f"mona-{repository.name}", access_pb2.ACCESS_LEVEL_WRITE).token or "")
    assert made.released() == 1
    assert made.delivered(1, "staging") == 2
    assert made.delivered(1, params={"REGION": "eu"}) == 3
    assert made.record(status=FAILURE).number == 4
    assert mona.delivered(4) == 5
    rollback = api.RollbackRequest(owner=made.owner, repo=made.name, target="production")
    back = made.builds.RollbackBuild(rollback)
    assert (back.number, back.parent) == (6, 1)
    made.report(6, SUCCESS)
    at(made, 1, 9000, 9000, 10_000)
    at(made, 2, 11_000, 11_000, 12_000)
    at(made, 3, 13_000, 13_500, 20_000)
    at(made, 4, 9000, 9000, 10_500)
    at(made, 5, 14_000, 14_500, 15_000)
    at(made, 6, 30_000, 30_000, 31_000)
    return made


REGION = {"name": "REGION"}
QUEUED = {5: "queue waiting"}
ANY = {"allow_failed": True}
SECOND = {"name": "second", "zone": "UTC", "from": "1970-01-01T00:00:13", "to": "1970-01-01T00:00:14"}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({}, {5: "success failed, queue waiting"}),
        (ANY, QUEUED),
        ({**ANY, "queue_policy": pb.QUEUE_POLICY_SUPERSEDE}, QUEUED),
        ({**ANY, "queue_policy": pb.QUEUE_POLICY_REJECT}, {5: "queue failed"}),
        (
            {**ANY, "promoters": ["nobody"]},
            {6: "promoters failed", 5: "promoters failed, queue waiting", 3: "promoters failed"},
        ),
        ({**ANY, "promoter_level": access_pb2.ACCESS_LEVEL_ADMIN}, {5: "promoters failed, queue waiting"}),
        ({**ANY, "required_approvals": 1}, {5: "approvals waiting, queue waiting", 3: "approvals waiting"}),
        ({**ANY, "requires": "staging"}, {5: "predecessor failed, queue waiting"}),
        (
            {**ANY, "requires": "staging", "soak": timedelta(seconds=1)},
            {5: "predecessor failed, queue waiting"},
        ),
        (
            {**ANY, "requires": "staging", "soak": timedelta(seconds=1, milliseconds=1)},
            {5: "predecessor failed, queue waiting", 3: "soak waiting"},
        ),
        ({**ANY, "requires": "qa"}, {5: "predecessor failed, queue waiting", 3: "predecessor failed"}),
        ({**ANY, "params": [{**REGION, "required": True}]}, {5: "parameters failed, queue waiting"}),
        ({**ANY, "params": [{**REGION, "required": True, "default": "eu"}]}, QUEUED),
        (
            {**ANY, "params": [{**REGION, "choices": ["us"]}]},
            {6: "parameters failed", 5: "queue waiting", 3: "parameters failed"},
        ),
        ({**ANY, "freezes": [SECOND]}, {5: "queue waiting", 3: "freeze failed"}),
    ],
    ids=str,
)
def test_the_gates_say_it_of_each(history: Gated, rules: dict[str, Any], expected: dict[int, str]) -> None:
    answer = rehearsed(history, **rules)
    assert found(answer) == expected
    refused = sum("failed" in each for each in expected.values())
    assert (answer.looked_at, answer.refused, answer.waited) == (3, refused, len(expected) - refused)


def test_what_was_it_is_told_with_why(history: Gated) -> None:
    [promotion] = rehearsed(history, allow_failed=True).promotions
    build = history.get(5)
    assert promotion == pb.RehearsedPromotion(
        build=api.Build(
            id=build.id,
            owner=history.owner,
            repo=history.name,
            number=5,
            parent=4,
            origin=4,
            status=SUCCESS,
            event=api.BUILD_EVENT_PROMOTE,
            after=build.after,
            deploy_to="production",
            trigger=f"mona-{history.name}",
            created=build.created,
            started=build.started,
            finished=build.finished,
        ),
        verdicts=[
            api.Verdict(
                gate="queue",
                result=api.GATE_RESULT_WAITING,
                reason="promotion 3 to production is under way: this one goes when it has ended",
            )
        ],
    )


def test_of_then_counts_what_was_so_then(history: Gated) -> None:
    # 1 came to staging when 3 was made already, and had not ended when 2 was.
    at(history, 2, 11_000, 11_000, 13_001)
    at(history, 1, 9000, 9000, 11_001)
    changed = "UPDATE builds SET status = 'success' WHERE number = 4 AND repo_id = ?"
    stored(history.server, changed, history.get(4).repo_id)
    told = found(rehearsed(history, requires="staging"))
    assert told == {5: "predecessor failed, queue waiting", 3: "predecessor failed"}
    assert found(rehearsed(history, name="staging")) == {2: "success failed"}
    assert rehearsed(history, name="staging").promotions[0].verdicts[0].reason == (
        "build 1 is running, and staging takes builds that ended in success"
    )


def test_what_somebody_said_to_be_there_has_succeeded(history: Gated) -> None:
    repo_id = history.get(1).repo_id
    history.settle(2, "staging")
    for statement in (
        "UPDATE arrivals SET at = 12500 WHERE repo_id = ? AND said_by <> ''",
        "DELETE FROM arrivals WHERE repo_id = ? AND environment = 'staging' AND said_by = ''",
        "UPDATE builds SET status = 'failure' WHERE number = 2 AND repo_id = ?",
    ):
        stored(history.server, statement, repo_id)
    rules: dict[str, Any] = {"allow_failed": True, "requires": "staging"}
    assert found(rehearsed(history, **rules)) == {5: "predecessor failed, queue waiting"}
    stored(history.server, "UPDATE arrivals SET at = 13001 WHERE repo_id = ? AND said_by <> ''", repo_id)
    assert found(rehearsed(history, **rules))[3] == "predecessor failed"


def test_the_last_ones_are_looked_at(history: Gated) -> None:
    answer = rehearsed(history, 2, required_approvals=1)
    assert (answer.looked_at, [*found(answer)]) == (2, [5])
    assert rehearsed(history, name="nowhere") == pb.RehearsePolicyResponse()


def test_who_passed_a_gate_then_has_passed_it(repository: Repository) -> None:
    made = Gated.caller_of(repository)
    made.record(status=RUNNING)
    made.declare()
    made.promote(1, overrides=[api.Override(gate="success", reason="now")])
    assert rehearsed(made).looked_at == 1
    assert found(rehearsed(made)) == {}


@pytest.mark.parametrize(
    ("last", "rules", "fault"),
    [
        (-1, {}, ("last", "is -1: wanted 1 to 1000, or 0 for 100")),
        (1001, {}, ("last", "is 1001: wanted 1 to 1000, or 0 for 100")),
        (0, {"name": "a b"}, None),
        (0, {"required_approvals": 11}, ("environment.required_approvals", "is 11: wanted 0 to 10")),
    ],
)
def test_what_is_wrong_is_named(
    repository: Repository, last: int, rules: dict[str, Any], fault: tuple[str, str] | None
) -> None:
    told = refusal(rehearsed, repository, last, **rules)
    if fault is not None:
        assert told == invalid(fault)
    assert told.violations[0][0] == (fault[0] if fault else "environment.name")


def test_windows_of_freezes_are_looked_at_for_few(repository: Repository) -> None:
    weekly = [{"from": "Mon 00:00", "to": "Mon 01:00"}] * 20
    freezes = [{"name": str(n), "zone": "UTC", "weekly": weekly} for n in range(50)]
    assert rehearsed(repository, 200, freezes=freezes).looked_at == 0
    told = ("last", "is 201: with 1000 windows of freezes at most 200")
    assert refusal(rehearsed, repository, 201, freezes=freezes) == invalid(told)


_repositories = itertools.count()
RULES = st.fixed_dictionaries(
    {},
    optional={
        "promoters": st.just(["admin", "somebody"]),
        "required_approvals": st.integers(0, 1),
        "requires": st.just("staging"),
        "soak": st.sampled_from([timedelta(milliseconds=1), timedelta(hours=1)]),
        "allow_failed": st.booleans(),
        "queue_policy": st.sampled_from(pb.QueuePolicy.values()),
        "params": st.just([{"name": "SIZE", "choices": ["s", "m"]}]),
    },
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["record", "staging", "production", "production", "end", "back"]),
        st.integers(0, 20),
        st.booleans(),
    ),
    max_size=16,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rules=RULES, steps=STEPS)
# One after the other, and one while another runs.
@example(rules={}, steps=[("production", 0, True), ("production", 0, True)])
@example(rules={}, steps=[("production", 1, True), ("production", 0, True)])
def test_the_rules_in_force_refuse_nothing_that_they_let_go(
    server: Shipliftd, rules: dict[str, Any], steps: list[tuple[str, int, bool]]
) -> None:
    made = Gated.caller_of(Repository.make(server, "octocat", f"rehearsed-{next(_repositories)}"))
    made.released()
    made.declare("staging", allow_failed=True)
    made.declare("production", **rules)
    count, gone, promotions = 1, set[int](), list[int]()
    for step, choice, well in steps:
        build = 1 + choice % count
        if step == "record":
            size = {"SIZE": "s" if well else "x"}
            count = made.record(status=SUCCESS if well else FAILURE, params=size).number
        elif step == "end":
            if promotions:
                code_of(made.report, promotions[choice % len(promotions)], SUCCESS if well else FAILURE)
        else:
            try:
                if step == "back":
                    request = api.RollbackRequest(owner=made.owner, repo=made.name, target="production")
                    new = made.builds.RollbackBuild(request)
                else:
                    new = made.promote(build, step)
            except grpc.RpcError:
                # Refused, so it is no promotion.
                continue
            count = new.number
            promotions.append(count)
            if well:
                code_of(made.report, count, RUNNING if choice % 3 else SUCCESS)
            if not any(said.result == api.GATE_RESULT_WAITING for said in new.verdicts):
                gone.add(count)
    answer = rehearsed(made, **rules)
    assert answer.looked_at == len(made.numbers(environment="production"))
    assert answer.refused == 0, found(answer)
    assert gone.isdisjoint(found(answer))


@pytest.mark.sqlite
def test_there_are_as_many_queries_however_many_promotions(own_server: Shipliftd) -> None:
    made = Gated.caller_of(Repository.make(own_server, "octocat", "app"))
    for _ in range(30):
        made.delivered(made.released(), "staging")
    for build in range(1, 60, 2):
        made.delivered(build)
    own_server.stop()
    store = SqliteStore(own_server.database)
    try:
        queries: list[str] = []
        reader = Reader(store.writer)
        reader.connection.set_trace_callback(queries.append)
        caller = Caller("RehearsePolicy", owner="octocat", repo="app", repo_id=1)
        environment = pb.Environment(name="production", requires="staging")
        environment.promoter_level = access_pb2.ACCESS_LEVEL_ADMIN
        environment.params.add(name="SIZE")
        counts = []
        for last in (2, 30):
            request = pb.RehearsePolicyRequest(environment=environment, last=last)
            assert rehearsing.rehearse(reader, caller, request, lambda _: False).looked_at == last
            counts.append(len(queries))
            queries.clear()
    finally:
        store.close()
    # The place, the promotions, what they are of, two of what came before, who made them, and parameters.
    assert counts[0] == counts[1]
