"""What the clients say of gates: refusals by name, and waiting for people."""

import asyncio
from typing import TypedDict

import pytest
from shiplift import AsyncClient, Client, Denied, NotFound, Refused, word
from shiplift.errors import Violation
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb

from tests.support.repository import Repository
from tests.support.staged import SUCCESS


@pytest.fixture
def client(repository: Repository) -> Client:
    """The site admin's, of a repository whose production wants an approval."""
    made = Client(repository.server.address, repository.server.admin_token)
    repository.record(status=SUCCESS)
    made.create_environment(
        owner=repository.owner,
        repo=repository.name,
        environment={"name": "production", "required_approvals": 1, "queue_policy": "reject"},
    )
    return made


class Place(TypedDict):
    """What each call is of."""

    owner: str
    repo: str


def of(repository: Repository) -> Place:
    """Where the repository is."""
    return Place(owner=repository.owner, repo=repository.name)


def second(repository: Repository) -> Client:
    """Another admin's."""
    mona = repository.of(f"mona-{repository.name}", access_pb2.ACCESS_LEVEL_ADMIN)
    return Client(repository.server.address, mona.token)


def test_a_refusal_names_each_gate(client: Client, repository: Repository) -> None:
    place = of(repository)
    client.hold_environment(**place, environment="production", reason="down", scope="all")
    with pytest.raises(Refused) as refused:
        client.promote_build(**place, build=1, target="production")
    error = refused.value
    assert (error.code.name, error.reason) == ("FAILED_PRECONDITION", "PROMOTION_REFUSED")
    assert error.violations == (Violation("hold", "production is held by admin: down"),)
    assert error.metadata == {"environment": "production", "build": "1", "gates": "hold"}
    # Those who may pass it by name.
    overrides = [{"gate": "hold", "reason": "it is the way up"}]
    made = client.promote_build(**place, build=1, target="production", overrides=overrides)
    assert word(made, "status") == "blocked"
    told = {each.gate: word(each, "result") for each in made.verdicts}
    assert (told["hold"], told["approvals"], told["access"]) == ("overridden", "waiting", "passed")


def test_who_waits_is_told_of_what_waits_for_people(client: Client, repository: Repository) -> None:
    place = of(repository)
    said = client.explain_promotion(**place, build=1, target="production")
    against = [each for each in said.verdicts if word(each, "result") != "passed"]
    assert [(each.gate, word(each, "result")) for each in against] == [("approvals", "waiting")]
    made = client.promote_build(**place, build=1, target="production")
    # It does not go on by itself.
    assert client.wait(made).status == pb.BUILD_STATUS_BLOCKED
    with pytest.raises(Denied) as denied:
        client.approve_build(**place, build=made.number)
    assert denied.value.reason == "NOT_AN_APPROVER"
    with second(repository) as other:
        approved = other.approve_build(**place, build=made.number, comment="seen")
        comments = [each.comment for each in approved.approvals]
        assert (word(approved, "status"), comments) == ("pending", ["seen"])
        with pytest.raises(Refused) as late:
            other.decline_build(**place, build=made.number)
    assert (late.value.reason, late.value.metadata["status"]) == ("NOT_BLOCKED", "pending")
    repository.report(made.number, SUCCESS)
    assert client.wait(made).status == SUCCESS


def test_the_asynchronous_client_does_the_same(client: Client, repository: Repository) -> None:
    place = of(repository)

    async def run() -> None:
        async with AsyncClient(repository.server.address, repository.server.admin_token) as other:
            assert [each.name async for each in other.iterate_environments(**place)] == ["production"]
            made = await other.promote_build(**place, build=1, target="production")
            assert (await other.wait(made)).status == pb.BUILD_STATUS_BLOCKED
            with pytest.raises(Refused) as nothing:
                await other.rollback_build(**place, target="production")
            assert nothing.value.reason == "NOTHING_TO_ROLL_BACK_TO"
            with pytest.raises(NotFound) as gone:
                await other.resume_environment(**place, environment="production")
            assert gone.value.reason == "HOLD_NOT_FOUND"

    asyncio.run(run())


def test_what_there_is_not_is_refused_before_it_is_sent(client: Client, repository: Repository) -> None:
    place = of(repository)
    wrong = {"name": "production", "sok": 1}
    with pytest.raises(ValueError, match="environment has no 'sok': Environment has owner, repo, name, "):
        client.update_environment(**place, environment=wrong, update_mask=["soak"])
    wrong = {"name": "qa", "queue_policy": "fast"}
    with pytest.raises(ValueError, match="queue_policy: 'fast' is none: wanted one of queue, supersede"):
        client.create_environment(**place, environment=wrong)
