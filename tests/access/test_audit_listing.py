"""ListAuditEvents: who did what, where from, and what the gates said; the newest first, or as it comes."""

import json
import threading
from contextlib import closing
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from shiplift.v1 import access_pb2 as pb
from shiplift.v1 import builds_pb2 as api
from shipliftd.access import audit_listing
from shipliftd.access.callers import Caller
from shipliftd.store import SqliteStore
from shipliftd.store.transaction import Reader

from tests.support.beside import opened
from tests.support.callers import World
from tests.support.gateway import Caller as HttpCaller
from tests.support.harness import Shipliftd
from tests.support.patience import until
from tests.support.refusals import code_of, invalid, refusal
from tests.support.repository import Repository
from tests.support.rpcs import RPCS, caller, writes
from tests.support.ruled import declare
from tests.support.staged import SUCCESS


def sealed(server: Shipliftd) -> None:
    """Returns once all rows are sealed."""

    def unsealed() -> int:
        with opened(server.database) as store:
            (count,) = store.execute("SELECT count(*) FROM audit WHERE seq IS NULL").fetchone()
            return int(count)

    until(lambda: unsealed() == 0)


def events(server: Shipliftd, token: str | None = None, **filters: Any) -> list[pb.AuditEvent]:  # noqa: ANN401
    """All events, the newest first; in pages of two, which must make no difference."""
    sealed(server)
    found: list[pb.AuditEvent] = []
    request = pb.ListAuditEventsRequest(page_size=2, **filters)
    while True:
        answer = server.access(token).ListAuditEvents(request)
        found += answer.events
        if not answer.next_page_token:
            break
        request.page_token = answer.next_page_token
    return found


@pytest.fixture
def app(repository: Repository) -> Repository:
    """A repository with build 1, as its writer sees it."""
    repository.record(status=SUCCESS)
    return repository.of(f"w-{repository.name}", pb.ACCESS_LEVEL_WRITE)


def of(repository: Repository) -> dict[str, Any]:
    return {"owner": repository.owner, "repo": repository.name}


def test_an_event_says_who_did_what_where_from_where_and_what_the_gates_said(app: Repository) -> None:
    declare(app, "production", required_approvals=1)
    declare(
        app,
        "held",
        freezes=[{"name": "always", "zone": "UTC", "from": "2000-01-01T00:00", "to": "2100-01-01T00:00"}],
    )
    made = app.promote(1, request_id="r1", comment="a release", params={"A": "hunter2"})
    refused = refusal(app.promote, 1, "held", params={"A": "hunter2"})
    blocked, waits = events(app.server, user=f"w-{app.name}", **of(app))
    assert (waits.owner, waits.repo, waits.environment) == (app.owner, app.name, "production")
    assert (waits.user, waits.method, waits.outcome) == (f"w-{app.name}", "PromoteBuild", "OK")
    assert (waits.build, waits.resource_id, waits.request_id) == (2, made.id, "r1")
    assert waits.reason == "a release"
    assert waits.address == "127.0.0.1"
    assert waits.client.startswith("grpc-python/")
    assert waits.time.ToMilliseconds() >= made.created.ToMilliseconds()
    assert len(waits.hash) == 64
    of_build = [(v.gate, api.GateResult.Name(v.result), v.reason) for v in made.verdicts]
    assert [(v.gate, f"GATE_RESULT_{v.result.upper()}", v.reason) for v in waits.verdicts] == of_build
    assert ("approvals", "waiting") in [(v.gate, v.result) for v in waits.verdicts]
    # What was refused made nothing: it is the build that was asked about, and the gates as they stood.
    assert (blocked.outcome, blocked.environment) == ("FAILED_PRECONDITION", "held")
    assert (blocked.build, blocked.resource_id, blocked.reason) == (1, 0, refused.message)
    assert [v.gate for v in blocked.verdicts if v.result == "failed"] == ["freeze"]
    assert "hunter2" not in f"{waits}{blocked}"


def test_an_override_an_approval_and_a_decline_stand_in_it(app: Repository) -> None:
    frozen = [{"name": "always", "zone": "UTC", "from": "2000-01-01T00:00", "to": "2100-01-01T00:00"}]
    declare(app, "production", freezes=frozen)
    declare(app, "guarded", required_approvals=1)
    override = api.Override(gate="freeze", reason="the shop is down")
    admin = app.seen_by(app.server.admin_token)
    admin.promote(1, overrides=[override])
    app.promote(1, "guarded")
    admin.builds.ApproveBuild(api.ApproveBuildRequest(**of(app), build=3, comment="looks good"))
    approved, _, overridden = events(app.server, **of(app))[:3]
    (verdict,) = [v for v in overridden.verdicts if v.gate == "freeze"]
    assert (overridden.user, verdict.result) == ("admin", "overridden")
    assert "the shop is down" in verdict.reason
    assert (approved.method, approved.build, approved.reason) == ("ApproveBuild", 3, "looks good")
    assert "passed" in [v.result for v in approved.verdicts if v.gate == "approvals"]


def test_by_the_gateway_it_is_the_http_client(app: Repository) -> None:
    http = HttpCaller(app.server.http, app.token or "")
    agent = "my-bot/1.0 " + "x" * 300
    path = f"/api/repos/{app.slug}/builds/1/promote"
    assert http.post(path, {"target": "production"}, user_agent=agent).status == 200
    answer = http.post(
        "/shiplift.v1.BuildService/PromoteBuild",
        body=json.dumps({**of(app), "build": 1, "target": "qa"}),
        content_type="application/json",
        user_agent="fetch",
        x_forwarded_for="10.0.0.7",
        x_shiplift_address="10.0.0.8",
    )
    assert answer.status == 200, answer
    connect, drone = events(app.server, user=f"w-{app.name}", **of(app))
    assert (connect.address, connect.client) == ("127.0.0.1", "fetch")
    assert (drone.address, drone.client) == ("127.0.0.1", agent[:200])


def test_nobody_is_believed_who_says_for_whom_they_call(app: Repository) -> None:
    call = caller(app.server.channel(app.token), RPCS["PromoteBuild"])
    request = app.promotion(1)
    call(request, metadata=(("x-shiplift-address", "10.0.0.8"), ("x-forwarded-for", "10.0.0.7")))  # type: ignore[call-arg]  # gRPC's
    (event,) = events(app.server, user=f"w-{app.name}", **of(app))
    assert event.address == "127.0.0.1"


def test_filters_narrow_it(app: Repository) -> None:
    app.promote(1)
    app.promote(1, "staging")
    refusal(app.promote, 9)
    everything = events(app.server, **of(app))
    mine = f"w-{app.name}"

    def named(**filters: Any) -> list[tuple[str, str, str]]:  # noqa: ANN401
        found = events(app.server, **of(app), **filters)
        assert [event for event in everything if event in found] == found
        return [(event.method, event.environment, event.outcome) for event in found]

    promoted = [("PromoteBuild", target, "OK") for target in ("staging", "production")]
    failed = ("PromoteBuild", "production", "NOT_FOUND")
    assert named(user=mine) == named(method="PromoteBuild") == [failed, *promoted]
    assert named(user=mine, outcome="ok") == promoted
    assert named(outcome="refused") == named(outcome="NOT_FOUND") == [failed]
    assert named(outcome="ABORTED") == []
    assert named(environment="staging") == promoted[:1]
    assert named(environment="production", method="PromoteBuild", user=mine, outcome="ok") == promoted[1:]
    at = everything[1].time
    assert [event.time.ToMilliseconds() >= at.ToMilliseconds() for event in everything].count(True) == len(
        named(since=at)
    )
    assert len(named(until=at)) + len(named(since=at)) == len(everything)
    just_behind = Timestamp(seconds=at.seconds, nanos=at.nanos + 1)
    assert named(since=just_behind, until=at) == []
    # Of all of an owner's, and of everybody's.
    for wider in ({"owner": app.owner, "repo": "*"}, {}):
        found = [event for event in events(app.server, user=mine, **wider) if event.repo == app.name]
        assert found == everything[:3]


def test_what_a_filter_may_be(app: Repository) -> None:
    access = app.server.access()
    names = ", ".join(audit_listing._OUTCOMES)
    assert refusal(
        access.ListAuditEvents,
        pb.ListAuditEventsRequest(outcome="fine", after=-1, page_token="x", environment="a b"),
    ) == invalid(
        (
            "environment",
            "'a b' is not an environment's name: wanted 1 to 100 of letters, digits, '.', '_', '-', '/'",
        ),
        ("outcome", f"'fine': wanted one of {names}"),
        ("after", "is -1: wanted 0, or a `next_after`"),
        ("page_token", "goes with the newest first: leave it out, or `after`"),
    )
    unknown = pb.ListAuditEventsRequest(user="nobody-here")
    assert code_of(access.ListAuditEvents, unknown) is grpc.StatusCode.NOT_FOUND


def test_an_admin_sees_what_is_in_the_repository_and_a_cut_token_its_environment(app: Repository) -> None:
    app.promote(1)
    app.promote(1, "staging")
    login = f"boss-{app.name}"
    boss = app.of(login, pb.ACCESS_LEVEL_ADMIN)
    mine = events(app.server, boss.token, **of(app))
    assert {(event.owner, event.repo) for event in mine} == {(app.owner, app.name)}
    request = pb.CreateTokenRequest(login=login, environments=["staging"])
    cut = app.server.access().CreateToken(request).secret
    (event,) = events(app.server, cut, environment="staging", **of(app))
    assert (event.environment, event.token) == ("staging", "")
    for other in ("", "production"):
        asked = pb.ListAuditEventsRequest(environment=other, **of(app))
        told = refusal(app.server.access(cut).ListAuditEvents, asked)
        assert told.reason == "TOKEN_CUT_TO_ENVIRONMENTS"


def test_who_goes_on_misses_nothing_and_is_told_nothing_twice(own_server: Shipliftd) -> None:
    """Under load."""
    access = own_server.access()

    def write(name: str) -> None:
        for number in range(60):
            access.CreateUser(pb.CreateUserRequest(login=f"{name}{number}"))

    writers = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for writer in writers:
        writer.start()
    seen: list[int] = []
    created: list[int] = []
    after = 0

    def go_on() -> bool:
        nonlocal after
        answer = access.ListAuditEvents(pb.ListAuditEventsRequest(after=after, page_size=7))
        seen.extend(event.seq for event in answer.events)
        created.extend(event.resource_id for event in answer.events if event.method == "CreateUser")
        moved, after = answer.next_after > after, answer.next_after
        return moved

    while any(writer.is_alive() for writer in writers):
        go_on()
    sealed(own_server)
    while go_on():
        pass
    assert seen == list(range(1, len(seen) + 1))
    with opened(own_server.database) as store:
        (users,) = store.execute("SELECT count(*) FROM users").fetchone()
    assert len(created) == len({*created}) == users == 241
    # The filters count for the cursor, too: it goes past what they leave out.
    answer = access.ListAuditEvents(pb.ListAuditEventsRequest(after=0, method="CreateToken"))
    assert ([event.method for event in answer.events], answer.next_after) == (["CreateToken"], after)


@pytest.mark.parametrize("rpc", [name for name in RPCS if writes(RPCS[name])])
def test_each_write_and_each_refusal_leaves_one_row(world: World, rpc: str) -> None:
    made = world.token("root", actions=[])
    beside = world.token("root")
    kept = world.token("reader")

    def rows(token_id: int) -> list[tuple[Any, ...]]:
        with opened(world.server.database) as store:
            found = store.execute(
                "SELECT method, code, address, client <> '', owner, repo FROM audit WHERE token_id = ?",
                (token_id,),
            ).fetchall()
            return [tuple(row) for row in found]

    request = world.request(rpc, "site admin", "private", beside.token_id)
    where = (getattr(request, "owner", ""), getattr(request, "repo", ""))
    code = code_of(caller(world.server.channel(made.secret), RPCS[rpc]), request)
    assert rows(made.token_id) == [(rpc, code.name, "127.0.0.1", 1, *where)]
    if rpc in ("CreateToken", "RevokeToken"):
        # Everybody may, for themselves.
        return
    refused = code_of(caller(world.server.channel(kept.secret), RPCS[rpc]), request)
    assert refused is not grpc.StatusCode.OK
    assert rows(kept.token_id) == [(rpc, refused.name, "127.0.0.1", 1, *where)]


Filters = dict[str, Any]
PLANS: list[tuple[Filters, str]] = [
    ({}, "audit_by_time"),
    ({"since": Timestamp(seconds=5), "until": Timestamp(seconds=9)}, "audit_by_time"),
    ({"user": "admin"}, "audit_of_user"),
    ({"owner": "o", "repo": "r"}, "audit_in_repository"),
    ({"owner": "o", "repo": "r", "user": "admin"}, "audit_in_repository"),
    ({"owner": "o", "repo": "*"}, "audit_by_time"),
    ({"environment": "production"}, "audit_by_time"),
    ({"method": "PromoteBuild"}, "audit_by_time"),
    ({"outcome": "refused"}, "audit_by_time"),
    ({"outcome": "refused", "user": "admin"}, "audit_of_user"),
    ({"after": 7}, "audit_sealed"),
    ({"after": 7, "user": "admin", "owner": "o", "repo": "r"}, "audit_sealed"),
    ({"after": 7, "since": Timestamp(seconds=5)}, "audit_sealed"),
]


@pytest.mark.sqlite
@pytest.mark.parametrize(("filters", "index"), PLANS)
def test_each_filter_is_served_by_an_index_in_the_order_of_the_list(
    own_server: Shipliftd, filters: Filters, index: str
) -> None:
    own_server.stop()
    with closing(SqliteStore(own_server.database)) as store:
        connection = store.writer.connection()
        statements: list[str] = []
        connection.set_trace_callback(statements.append)
        audit_listing.page(
            Reader(store.writer),
            Caller("ListAuditEvents", site_admin=True),
            pb.ListAuditEventsRequest(**filters),
        )
        connection.set_trace_callback(None)
        plans = [
            [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()]
            for statement in statements
            if '"audit"' in statement
        ]
    assert plans
    for plan in plans:
        # Others are the head, and the names of users and tokens by their ids.
        assert index in plan[0], plan
        assert not [step for step in plan if "TEMP B-TREE" in step], plan
