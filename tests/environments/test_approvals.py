"""ApproveBuild and DeclineBuild: who counts, for how long, and what a change of the rules does to it."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as api

from tests.support.faults import form
from tests.support.gated import Gated, both, goes, verdicts
from tests.support.harness import Shipliftd
from tests.support.patience import until
from tests.support.refusals import code_of, refusal
from tests.support.repository import Repository
from tests.support.staged import KILLED, PENDING, statuses, stored

ADMIN, WRITE, READ = (
    access_pb2.ACCESS_LEVEL_ADMIN,
    access_pb2.ACCESS_LEVEL_WRITE,
    access_pb2.ACCESS_LEVEL_READ,
)
BLOCKED, DECLINED = api.BUILD_STATUS_BLOCKED, api.BUILD_STATUS_DECLINED
WAITS = api.GATE_RESULT_WAITING
ROUNDS = form(8, 100)


@pytest.fixture
def gated(repository: Repository) -> Gated:
    """A repository of the test's own, with a build 1 that succeeded."""
    made = Gated.caller_of(repository)
    made.released(pipeline=both())
    return made


def person(gated: Gated, login: str, level: access_pb2.AccessLevel = ADMIN) -> Gated:
    """The repository as a new user sees it, whose login begins so."""
    return gated.by(gated.server.user(f"{login}-{gated.name}", gated.slug, level))


def robot(gated: Gated, login: str) -> Gated:
    """The same, a machine user with admin."""
    made = person(gated, login)
    request = access_pb2.UpdateUserRequest(
        login=f"{login}-{gated.name}",
        user=access_pb2.User(machine=True),
        update_mask=FieldMask(paths=["machine"]),
    )
    gated.server.access().UpdateUser(request)
    return made


def said(build: api.Build) -> list[tuple[str, bool, str, bool]]:
    """What people said: the beginning of who, whether they declined, why, and whether it is void."""
    return [
        (each.login.partition("-")[0], each.declined, each.comment, each.void) for each in build.approvals
    ]


@pytest.mark.parametrize("wanted", [0, 1, 2, 10])
def test_so_many_different_people_must_approve(gated: Gated, wanted: int) -> None:
    gated.declare(required_approvals=wanted)
    build = gated.promote(1)
    assert (build.status, goes(build)) == (BLOCKED if wanted else PENDING, not wanted)
    for n in range(wanted):
        assert statuses(gated.get(2)) == {"deploy": "blocked"}
        assert gated.get(2).waiting_for.startswith(f"approvals: {n} of {wanted} approvals")
        someone = person(gated, f"p{n}")
        build = someone.approve(2, comment=f"fine {n}")
        # One person is one, however often.
        if n + 1 < wanted:
            assert someone.approve(2, comment="once more") == build
    assert goes(build)
    assert said(build) == [(f"p{n}", False, f"fine {n}", False) for n in range(wanted)]
    if wanted:
        assert refusal(person(gated, "late").approve, 2).reason == "NOT_BLOCKED"


def test_who_asked_never_approves_by_whatever_token(gated: Gated) -> None:
    gated.declare(required_approvals=1)
    asker = person(gated, "asker")
    asker.promote(1)
    request = access_pb2.CreateTokenRequest(login=f"asker-{gated.name}")
    other = gated.by(gated.server.access().CreateToken(request).secret)
    for same in (asker, other):
        for verb in (same.approve, same.decline):
            told = refusal(verb, 2)
            assert (told.code, told.reason) == (grpc.StatusCode.PERMISSION_DENIED, "NOT_AN_APPROVER")
    gated.change(approvers=[f"asker-{gated.name}"])
    assert refusal(other.approve, 2).reason == "NOT_AN_APPROVER"
    # Who tries it again has asked for that one.
    gated.change(approvers=[])
    gated.cancel(2)
    gated.retry(2)
    assert refusal(gated.approve, 3).reason == "NOT_AN_APPROVER"
    assert goes(asker.approve(3))


def test_admins_approve_or_whom_the_environment_names(gated: Gated) -> None:
    gated.declare(required_approvals=1)
    gated.promote(1)
    reader, writer, machine = person(gated, "r", READ), person(gated, "w", WRITE), robot(gated, "m")
    for nobody in (reader, writer, machine):
        assert refusal(nobody.approve, 2).reason == "NOT_AN_APPROVER"
        assert refusal(nobody.decline, 2).reason == "NOT_AN_APPROVER"
    gated.change(approvers=[f"r-{gated.name}", f"m-{gated.name}"])
    assert refusal(writer.approve, 2).reason == "NOT_AN_APPROVER"
    assert refusal(person(gated, "boss").approve, 2).reason == "NOT_AN_APPROVER"
    gated.change(required_approvals=2)
    assert said(reader.approve(2)) == [("r", False, "", False)]
    assert goes(machine.approve(2))


def test_to_decline_is_its_end(gated: Gated) -> None:
    gated.declare(required_approvals=2)
    gated.promote(1)
    boss, other = person(gated, "boss"), person(gated, "other")
    boss.approve(2, comment="fine")
    build = boss.decline(2, comment="not on a Friday")
    assert (build.status, build.error) == (DECLINED, f"declined by boss-{gated.name}: not on a Friday")
    assert (statuses(build), said(build)) == (
        {"deploy": "skipped"},
        [("boss", True, "not on a Friday", False)],
    )
    for verb in (other.approve, other.decline):
        assert refusal(verb, 2).reason == "NOT_BLOCKED"
    assert gated.cancel(2).status == DECLINED
    gated.change(required_approvals=1)
    # What has ended keeps what was said of it.
    assert said(gated.get(2)) == [("boss", True, "not on a Friday", False)]
    assert gated.retry(2).status == BLOCKED


def late(gated: Gated, build: int) -> None:
    """Makes a promotion an hour older, whose gates are looked at again by the clock."""
    stored(
        gated.server,
        "UPDATE builds SET created = created - 3600000, waits = 1 WHERE number = ? AND repo_id ="
        " (SELECT id FROM repositories WHERE name = ?)",
        build,
        gated.name,
    )


def test_what_nobody_decides_on_in_time_is_declined(gated: Gated) -> None:
    gated.declare(required_approvals=2, approval_window=timedelta(minutes=30))
    gated.promote(1)
    boss = person(gated, "boss")
    boss.approve(2)
    late(gated, 2)
    told = refusal(boss.approve, 2)
    assert (told.code, told.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "NOT_BLOCKED")
    build = until(lambda: found if (found := gated.get(2)).status == DECLINED else None, 10)
    assert build.error.startswith(f"expired: 1 of 2 approvals (boss-{gated.name})")
    assert statuses(build) == {"deploy": "skipped"}


def test_one_that_was_approved_in_time_does_not_expire_in_the_queue(gated: Gated) -> None:
    gated.declare(required_approvals=1, approval_window=timedelta(minutes=30))
    boss = person(gated, "boss")
    for number in (2, 3):
        gated.promote(1)
        boss.approve(number)
    late(gated, 3)
    looked_at = (
        "SELECT count(*) FROM builds JOIN repositories ON repositories.id = builds.repo_id"
        " WHERE name = ? AND waits > 1"
    )
    until(lambda: stored(gated.server, looked_at, gated.name) == [(1,)], 10)
    gated.cancel(2)
    gated.went(3)


def test_the_time_goes_on_while_no_server_runs(tmp_path: Path) -> None:
    with Shipliftd(tmp_path / "shiplift.db") as server:
        gated = Gated.caller_of(Repository.make(server, "octocat", "app"))
        gated.released(pipeline=both())
        gated.declare(required_approvals=1, approval_window=timedelta(minutes=30))
        gated.promote(1)
    stored(server, "UPDATE builds SET created = created - 3600000 WHERE number = 2")
    with Shipliftd(tmp_path / "shiplift.db") as server:
        again = Gated(server, "octocat", "app")
        until(lambda: again.get(2).status == DECLINED, 5)


def test_a_change_of_the_rules_voids_what_was_said(gated: Gated) -> None:
    gated.declare(required_approvals=2)
    gated.promote(1)
    boss, other = person(gated, "boss"), person(gated, "other")
    boss.approve(2)
    # What is no rule changes nothing.
    gated.change(description="where it runs", link="https://example.com", confirm=True)
    assert said(gated.get(2)) == [("boss", False, "", False)]
    gated.change(allow_failed=True)
    assert said(gated.get(2)) == [("boss", False, "", True)]
    told = until(lambda: found if "void" in (found := gated.get(2).waiting_for) else None)
    assert told.startswith(
        f"approvals: 0 of 2 approvals (void since the rules changed: boss-{gated.name}); wanted is"
    )
    other.approve(2)
    build = boss.approve(2, comment="again")
    assert goes(build)
    assert said(build) == [
        ("boss", False, "", True),
        ("other", False, "", False),
        ("boss", False, "again", False),
    ]


def test_one_that_was_approved_and_waits_is_blocked_again_by_new_rules(gated: Gated) -> None:
    gated.declare(required_approvals=1)
    boss = person(gated, "boss")
    for number in (2, 3):
        gated.promote(1)
        boss.approve(number)
    assert (gated.get(3).status, goes(gated.get(3))) == (PENDING, False)
    gated.change(required_approvals=2)
    until(lambda: gated.get(3).status == BLOCKED)
    assert statuses(gated.get(3)) == {"deploy": "blocked"}
    gated.cancel(2)
    until(lambda: list(verdicts(gated.get(3), WAITS)) == ["approvals"])
    # And goes where they ask for no one any more.
    gated.change(required_approvals=0)
    gated.went(3)


def test_the_last_approval_and_a_change_of_the_rules_at_once(gated: Gated) -> None:
    gated.declare(required_approvals=1)
    boss, other = person(gated, "boss"), person(gated, "other")
    with ThreadPoolExecutor(2) as threads:
        for turn in range(ROUNDS):
            number = gated.promote(1).number
            approving = threads.submit(boss.approve, number)
            time.sleep(turn % 4 / 1000)
            changing = threads.submit(gated.change, required_approvals=2)
            approved, rules = approving.result(), changing.result()
            if goes(approved):
                # By the rules before, which had been satisfied.
                assert said(gated.get(number)) == [("boss", False, "", False)]
            else:
                # Under the new ones, whether it was said before or after the change.
                assert rules.required_approvals == 2
                until(partial(_is_blocked, gated, number))
                build = other.approve(number)
                counted = [login for login, _, _, is_void in said(build) if not is_void]
                assert goes(build) == (counted == ["boss", "other"])
            gated.cancel(number)
            gated.change(required_approvals=1)


def _is_blocked(gated: Gated, number: int) -> bool:
    build = gated.get(number)
    return build.status == BLOCKED and "of 2 approvals" in build.waiting_for


def test_two_last_approvals_at_once_let_it_go_once(gated: Gated) -> None:
    gated.declare(required_approvals=2)
    people = [person(gated, f"p{n}") for n in range(3)]
    with ThreadPoolExecutor(3) as threads:
        for _ in range(ROUNDS):
            number = gated.promote(1).number
            calls = [threads.submit(code_of, someone.approve, number) for someone in people]
            codes = [call.result() for call in calls]
            assert codes.count(grpc.StatusCode.OK) == 2
            assert goes(gated.get(number))
            assert len(gated.get(number).approvals) == 2
            gated.cancel(number)


def test_a_cancel_and_the_last_approval_at_once(gated: Gated) -> None:
    gated.declare(required_approvals=1)
    boss = person(gated, "boss")
    with ThreadPoolExecutor(2) as threads:
        for turn in range(ROUNDS):
            number = gated.promote(1).number
            verbs = (partial(code_of, boss.approve, number), partial(code_of, gated.cancel, number))
            calls = [threads.submit(verb) for verb in verbs[:: 1 if turn % 2 else -1]]
            assert grpc.StatusCode.OK in [call.result() for call in calls]
            build = gated.get(number)
            assert (build.status, set(statuses(build).values())) == (KILLED, {"skipped"})
