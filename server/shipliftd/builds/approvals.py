"""Approving and declining promotions that wait for people."""

from typing import NamedTuple

from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb

from shipliftd import builds, environments
from shipliftd.access.callers import Caller
from shipliftd.access.write_once import Written, write
from shipliftd.builds import waiting
from shipliftd.clock import now
from shipliftd.environments import Said
from shipliftd.errors import Denied, Precondition
from shipliftd.fields import Faults
from shipliftd.store import moves
from shipliftd.store.models import ENDED, Approval, User
from shipliftd.store.rows import BuildRow, BuildWithStages
from shipliftd.store.transaction import Transaction

_Request = pb.ApproveBuildRequest | pb.DeclineBuildRequest


class _Blocked(NamedTuple):
    build: BuildRow
    said: Said


def _may_judge(tx: Transaction, caller: Caller, request: _Request) -> None:
    builds.in_its_environment(tx, caller, request)
    build = builds.find(tx, caller.repo_id, request.build)
    if build is None:
        return
    place = environments.place_of(tx, caller.repo_id, build.deploy_to)
    if place.rules is not None:
        _require_approver(tx, caller, build, place.rules)


@write(load=builds.load, look=_may_judge)
def approve(tx: Transaction, caller: Caller, request: pb.ApproveBuildRequest) -> Written[BuildWithStages]:
    """Notes an approval, and sets the promotion going with the last one. Twice is once.

    Raises Invalid, NotFound, Denied (the caller is none of its approvers), Precondition (it waits for
    nobody).
    """
    blocked = _blocked(tx, caller, request)
    build = blocked.build
    _note(tx, caller, request, blocked, declined=False)
    waiting.look(tx, build.id)
    return Written(builds.load(tx, caller, build.id))


@write(load=builds.load, look=_may_judge)
def decline(tx: Transaction, caller: Caller, request: pb.DeclineBuildRequest) -> Written[BuildWithStages]:
    """Ends a promotion that waits for people. Raises what `approve` raises."""
    blocked = _blocked(tx, caller, request)
    build = blocked.build
    _note(tx, caller, request, blocked, declined=True)
    why = f": {request.comment}" if request.comment else ""
    waiting.end(tx, build, "declined", f"declined by {caller.login}{why}")
    return Written(builds.load(tx, caller, build.id))


def _blocked(tx: Transaction, caller: Caller, request: _Request) -> _Blocked:
    faults = Faults()
    faults.positive("build", request.build)
    faults.text("comment", request.comment, 2000)
    faults.refuse()
    moves.lock_repository(tx, caller.repo_id)
    build = builds.find(tx, caller.repo_id, request.build)
    if build is None:
        raise builds.not_found(caller, request.build)
    moves.lock_build(tx, build.id)
    build = builds.by_id(tx, build.id)
    place = environments.place_of(tx, caller.repo_id, build.deploy_to)
    is_over = place.rules is not None and now() >= build.created + place.rules.rules.approval_window
    if build.status != "blocked" or place.rules is None or is_over:
        over = ", and the time to approve it is over" if build.status == "blocked" and is_over else ""
        ended = " and has ended" if build.status in ENDED else over
        raise Precondition(
            f"build {build.number} is {build.status}{ended}: it waits for nobody's approval",
            reason="NOT_BLOCKED",
            violations=[("build", f"is {build.status}")],
            metadata={"build": build.number, "status": build.status},
        )
    # Once more: until the lock the rules could change.
    _require_approver(tx, caller, build, place.rules)
    return _Blocked(build, place.rules)


def _require_approver(tx: Transaction, caller: Caller, build: BuildRow, said: Said) -> None:
    named = said.rules.approvers
    if caller.login == build.trigger:
        told = f"build {build.number} is from {caller.login}, so somebody else approves it"
    elif named and caller.login not in named:
        told = f"{caller.login} is none of the approvers of {build.deploy_to}: {', '.join(named[:10])}"
    elif not named and caller.level < access_pb2.ACCESS_LEVEL_ADMIN:
        told = (
            f"promotions to {build.deploy_to} are approved by admins of {caller.owner}/{caller.repo},"
            f" and {caller.login} is none"
        )
    elif not named and tx.by_id(User, caller.user_id).machine:
        told = f"{caller.login} is a machine user, and approves only where it is named"
    else:
        return
    raise Denied(
        told,
        reason="NOT_AN_APPROVER",
        metadata={"build": build.number, "environment": build.deploy_to},
    )


def _note(tx: Transaction, caller: Caller, request: _Request, blocked: _Blocked, *, declined: bool) -> None:
    noted = Approval.insert(
        build=blocked.build.id,
        user=caller.user_id,
        login=caller.login,
        declined=declined,
        comment=request.comment,
        at=now(),
        rules_version=blocked.said.rules.version,
        void=False,
    )
    if declined:
        # Who has approved may think better of it.
        noted = noted.on_conflict(
            conflict_target=[Approval.build, Approval.user, Approval.rules_version],
            preserve=[Approval.declined, Approval.comment, Approval.at],
        )
    else:
        noted = noted.on_conflict_ignore()
    tx.execute(noted)
