"""The audit: every write, and every write that a known caller was refused."""

import time
from typing import Any, NamedTuple

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb
from shiplift.v1 import environments_pb2 as env

from tests.support.beside import opened
from tests.support.harness import Shipliftd
from tests.support.refusals import refusal
from tests.support.repository import Repository
from tests.support.rpcs import RPCS, raw


class Entry(NamedTuple):
    """A row of the audit, with a login for the user's id; the time is looked at on its own."""

    login: str
    method: str
    owner: str = "octocat"
    repo: str = "app"
    resource_id: int = 0
    target: str = ""
    request_id: str = ""
    code: str = "OK"
    reason: str = ""


def entries(server: Shipliftd, after: int = 0) -> list[Entry]:
    """What the audit has after so many rows."""
    with opened(server.database) as store:
        rows = store.execute(
            "SELECT at, coalesce(users.login, ''), method, owner, repo, resource_id, target, request_id,"
            " code, reason FROM audit LEFT JOIN users ON users.id = user_id"
            " ORDER BY audit.id"
        ).fetchall()[after:]
    now = time.time() * 1000
    assert all(now - 60_000 < row[0] <= now for row in rows)
    return [Entry(*row[1:]) for row in rows]


@pytest.fixture
def app(own_server: Shipliftd) -> Repository:
    """octocat/app, as its writer mona sees it, and what the audit has of making it left behind."""
    access = own_server.access()
    access.CreateRepository(access_pb2.CreateRepositoryRequest(owner="octocat", repo="app"))
    return Repository(own_server, "octocat", "app").of("mona", access_pb2.ACCESS_LEVEL_WRITE)


def test_the_making_of_things_stands_in_it(app: Repository) -> None:
    assert app.server.log
    assert [(entry.login, entry.method, entry.owner, entry.repo) for entry in entries(app.server)] == [
        ("", "CreateUser", "", ""),
        ("", "CreateToken", "", ""),
        ("admin", "CreateRepository", "octocat", "app"),
        ("admin", "CreateUser", "", ""),
        ("admin", "GrantAccess", "octocat", "app"),
        ("admin", "CreateToken", "", ""),
    ]
    assert {(entry.code, entry.reason) for entry in entries(app.server)} == {("OK", "")}
    assert all(entry.resource_id > 0 for entry in entries(app.server))


def test_every_write_stands_in_it(app: Repository) -> None:
    before = len(entries(app.server))
    recorded = app.record(request_id="r1", target="main", params={"A": "hunter2"})
    promoted = app.promote(1, params={"B": "hunter2"}, request_id="r2")
    app.report(2, pb.BUILD_STATUS_SUCCESS, request_id="r3")
    assert entries(app.server, before) == [
        # The target of a recorded build is a branch, and no environment.
        Entry("mona", "CreateBuild", resource_id=recorded.id, request_id="r1"),
        Entry("mona", "PromoteBuild", resource_id=promoted.id, target="production", request_id="r2"),
        Entry("mona", "UpdateBuild", resource_id=promoted.id, target="production", request_id="r3"),
    ]


def test_the_rules_of_environments_and_what_passes_them_stand_in_it(app: Repository) -> None:
    boss = app.of("dora", access_pb2.ACCESS_LEVEL_ADMIN)
    rules = app.server.environments(boss.token)
    where: dict[str, Any] = {"owner": "octocat", "repo": "app"}
    app.record(status=pb.BUILD_STATUS_SUCCESS)
    before = len(entries(app.server))
    there = env.Environment(name="production", required_approvals=1)
    rules.CreateEnvironment(env.CreateEnvironmentRequest(**where, environment=there))
    again = refusal(rules.CreateEnvironment, env.CreateEnvironmentRequest(**where, environment=there))
    app.promote(1, comment="for the fair")
    boss.builds.ApproveBuild(pb.ApproveBuildRequest(**where, build=2, comment="looks good"))
    app.report(2, pb.BUILD_STATUS_SUCCESS)
    waits = app.promote(1, request_id="r1")
    boss.builds.DeclineBuild(pb.DeclineBuildRequest(**where, build=3, comment="not today"))
    production = {**where, "environment": "production"}
    rules.HoldEnvironment(env.HoldEnvironmentRequest(**production, reason="a fire"))
    rules.ResumeEnvironment(env.ResumeEnvironmentRequest(**production, comment="put out"))
    unheld = refusal(rules.ResumeEnvironment, env.ResumeEnvironmentRequest(**production))
    asked: dict[str, Any] = {**where, "target": "production", "build": 1, "comment": "as it was"}
    rolled = boss.builds.RollbackBuild(pb.RollbackRequest(**asked))
    rules.UpdateEnvironment(
        env.UpdateEnvironmentRequest(
            **where,
            environment=env.Environment(name="production", confirm=True),
            update_mask=FieldMask(paths=["confirm"]),
        )
    )
    rules.DeleteEnvironment(env.DeleteEnvironmentRequest(**production))
    found = entries(app.server, before)
    # Holds and environments have ids that no answer tells.
    assert all(entry.resource_id > 0 for entry in found if entry.code == "OK")
    assert [entry._replace(resource_id=0) for entry in found] == [
        Entry("dora", "CreateEnvironment", target="production"),
        Entry(
            *("dora", "CreateEnvironment", "octocat", "app", 0, "production"),
            code="ALREADY_EXISTS",
            reason=again.message,
        ),
        Entry("mona", "PromoteBuild", target="production", reason="for the fair"),
        Entry("dora", "ApproveBuild", target="production", reason="looks good"),
        Entry("mona", "UpdateBuild", target="production"),
        Entry("mona", "PromoteBuild", target="production", request_id="r1"),
        Entry("dora", "DeclineBuild", target="production", reason="not today"),
        Entry("dora", "HoldEnvironment", target="production", reason="a fire"),
        Entry("dora", "ResumeEnvironment", target="production", reason="put out"),
        Entry(
            *("dora", "ResumeEnvironment", "octocat", "app", 0, "production"),
            code="NOT_FOUND",
            reason=unheld.message,
        ),
        Entry("dora", "RollbackBuild", target="production", reason="as it was"),
        Entry("dora", "UpdateEnvironment", target="production"),
        Entry("dora", "DeleteEnvironment", target="production"),
    ]
    built = [entry.resource_id for entry in found if entry.method in ("DeclineBuild", "RollbackBuild")]
    assert built == [waits.id, rolled.id]


def test_every_refused_write_stands_in_it_with_its_reason(app: Repository) -> None:
    app.record()
    app.promote(1, request_id="taken")
    stranger = app.of("stranger")
    before = len(entries(app.server))
    told = [
        refusal(app.promote, 1, "a b"),
        refusal(app.promote, 9, request_id="r"),
        refusal(app.promote, 1, expected_current=7),
        refusal(app.promote, 1, "staging", request_id="taken"),
        refusal(app.record, number=5),
        refusal(app.report, 2, pb.BUILD_STATUS_RUNNING, version=9),
        refusal(stranger.promote, 1),
    ]
    assert entries(app.server, before) == [
        Entry(
            login,
            method,
            target=target,
            request_id=request_id,
            code=answer.code.name,
            reason=answer.message,
        )
        for (login, method, target, request_id), answer in zip(
            [
                ("mona", "PromoteBuild", "a b", ""),
                ("mona", "PromoteBuild", "production", "r"),
                ("mona", "PromoteBuild", "production", ""),
                ("mona", "PromoteBuild", "staging", "taken"),
                ("mona", "CreateBuild", "", ""),
                ("mona", "UpdateBuild", "", ""),
                ("stranger", "PromoteBuild", "production", ""),
            ],
            told,
            strict=True,
        )
    ]
    assert [answer.code.name for answer in told] == [
        "INVALID_ARGUMENT",
        "NOT_FOUND",
        "ABORTED",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "ABORTED",
        "NOT_FOUND",
    ]


def test_a_refused_grant_stands_in_it(app: Repository) -> None:
    before = len(entries(app.server))
    request = access_pb2.GrantAccessRequest(
        owner="octocat", repo="app", login="mona", level=access_pb2.ACCESS_LEVEL_ADMIN, request_id="up"
    )
    told = refusal(app.server.access(app.token).GrantAccess, request)
    assert entries(app.server, before) == [
        Entry("mona", "GrantAccess", request_id="up", code="PERMISSION_DENIED", reason=told.message)
    ]


def test_bytes_that_are_no_write_stand_in_it(app: Repository) -> None:
    before = len(entries(app.server))
    told = refusal(raw(app.server.channel(app.token), RPCS["PromoteBuild"]), b"\xff")
    assert entries(app.server, before) == [
        Entry("mona", "PromoteBuild", "", "", code="INVALID_ARGUMENT", reason=told.message)
    ]


def test_what_changes_nothing_does_not_stand_in_it(app: Repository) -> None:
    recorded = app.record(external_id="1", request_id="r")
    access = app.server.access(app.token)
    stranger = app.of("stranger")
    before = len(entries(app.server))
    # Repeated writes.
    assert app.record(external_id="1", request_id="r") == recorded
    # Reads, let through and refused.
    app.get(1)
    app.page()
    access.WhoAmI(access_pb2.WhoAmIRequest())
    access.ListTokens(access_pb2.ListTokensRequest())
    refusal(app.get, 9)
    refusal(stranger.get, 1)
    asked = app.promotion(1, request_id="r")
    app.builds.ExplainPromotion(asked)
    refusal(stranger.builds.ExplainPromotion, asked)
    refusal(access.ListTokens, access_pb2.ListTokensRequest(login="admin"))
    refusal(access.ListAccess, access_pb2.ListAccessRequest(owner="octocat", repo="app"))
    # Strangers: who they are nobody knows.
    refusal(app.seen_by("").promote, 1)
    refusal(app.seen_by("shl_unknown").promote, 1)
    assert entries(app.server, before) == []


def test_strangers_are_counted_in_the_log(app: Repository) -> None:
    for _ in range(3):
        refusal(app.seen_by("shl_unknown").promote, 1)
    assert app.server.stop() == 0
    counted = [line for line in app.server.log if line["event"] == "strangers refused"]
    assert [str(line["count"]) for line in counted] == ["3"]


def test_what_is_kept_of_a_refused_request_is_cut(app: Repository) -> None:
    before = len(entries(app.server))
    huge = "h" * 100_000
    refusal(Repository(app.server, huge, huge, app.token).promote, 1, huge, request_id=huge)
    (entry,) = entries(app.server, before)
    assert entry._replace(reason="") == Entry(
        "mona", "PromoteBuild", "h" * 100, "h" * 100, 0, "h" * 100, "h" * 128, "INVALID_ARGUMENT"
    )
    assert len(entry.reason) < 1000
