"""Any number of promotions may wait: what comes after them costs no more than before."""

from collections.abc import Callable

import pytest
from google.protobuf.duration_pb2 import Duration
from shiplift.v1 import environments_pb2 as pb

from tests.support.gated import Gated
from tests.support.harness import Shipliftd
from tests.support.repository import Repository
from tests.support.staged import SUCCESS

# Of one measurement, and of what piles up meanwhile.
CALLS, PILE = 60, 600


def cost(server: Shipliftd, call: Callable[[], object]) -> float:
    """The server's CPU of so many calls, and of what comes of them."""
    before = server.cpu_seconds()
    for _ in range(CALLS):
        call()
    return server.cpu_seconds() - before


@pytest.mark.parametrize(
    "rules",
    [
        # They wait for people, for one another, and for the time.
        pb.Environment(required_approvals=2, requires="staging"),
        pb.Environment(),
        pb.Environment(requires="staging", soak=Duration(seconds=3600)),
    ],
)
def test_what_waits_does_not_slow_what_comes(own_server: Shipliftd, rules: pb.Environment) -> None:
    gated = Gated.caller_of(Repository.make(own_server, "octocat", "app"))
    free = Repository.make(own_server, "octocat", "free")
    free.record(status=SUCCESS)
    gated.released()
    gated.declare("staging", deployer=pb.DEPLOYER_EXTERNAL)
    said = {field.name: value for field, value in rules.ListFields()}
    gated.declare("production", deployer=pb.DEPLOYER_EXTERNAL, **said)
    gated.delivered(1, "staging")

    def to_both() -> None:
        gated.promote(1)
        free.promote(1, "production")

    to_both()
    before = cost(own_server, to_both)
    for _ in range(PILE):
        gated.promote(1)
    # Twice is for what a busy machine adds; when all of the pile was looked at it was four times as much.
    assert cost(own_server, to_both) < 2 * before


def test_an_end_lets_the_next_go_whatever_else_waits(own_server: Shipliftd) -> None:
    gated = Gated.caller_of(Repository.make(own_server, "octocat", "app"))
    gated.released()
    gated.declare(deployer=pb.DEPLOYER_EXTERNAL)
    numbers = iter(range(2, 10_000))

    def end_one() -> None:
        gated.promote(1)
        gated.report(gated.went(next(numbers)).number, SUCCESS)

    # The first few of a queue are looked at.
    for _ in range(20):
        gated.promote(1)
    end_one()
    before = cost(own_server, end_one)
    for _ in range(PILE):
        gated.promote(1)
    assert cost(own_server, end_one) < 2 * before
