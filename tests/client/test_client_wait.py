"""`wait` of both clients, on a real server."""

import asyncio
import threading
import time

import pytest
import shiplift
from shiplift import AsyncClient, Client, ShipliftError, WaitTimeout
from shiplift.v1 import builds_pb2 as pb

from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS, within
from tests.support.repository import Repository
from tests.support.staged import PENDING, RUNNING, SUCCESS, stored


def client_of(server: Shipliftd) -> Client:
    return Client(server.address, server.admin_token)


def ended_by(repository: Repository, build: pb.Build, changes: list[pb.Build]) -> pb.Build:
    """The build once it has ended, which begins and ends when the wait has seen what is before."""
    go = threading.Event()

    def change(now: pb.Build) -> None:
        changes.append(now)
        go.set()

    def move() -> None:
        repository.report(build.number, RUNNING)
        go.wait(timeout=SECONDS)
        repository.report(build.number, SUCCESS)

    with client_of(repository.server) as client:
        thread = threading.Thread(target=move)
        thread.start()
        ended = client.wait(build, on_change=change)
        thread.join()
    return ended


def test_a_build_is_waited_for_to_its_end(repository: Repository) -> None:
    build = repository.record(status=PENDING)
    changes: list[pb.Build] = []
    ended = ended_by(repository, build, changes)
    assert ended == repository.get(1)
    assert ended.status == SUCCESS
    assert [each.status for each in changes] == [RUNNING, SUCCESS]


def test_the_asynchronous_client_waits_alike(repository: Repository) -> None:
    build = repository.record(status=PENDING)
    changes: list[pb.BuildStatus] = []

    async def run() -> pb.Build:
        server = repository.server
        async with AsyncClient(server.address, server.admin_token) as client:

            def change(now: pb.Build) -> None:
                changes.append(now.status)
                if now.status == RUNNING:
                    repository.report(1, SUCCESS)

            waiting = asyncio.create_task(client.wait(build, on_change=change))
            await client.update_build(
                owner=build.owner, repo=build.repo, build=1, status=pb.BUILD_STATUS_RUNNING
            )
            return await waiting

    ended = asyncio.run(asyncio.wait_for(run(), 60))
    assert ended == repository.get(1)
    assert changes == [RUNNING, SUCCESS]


def test_a_wait_ends_in_time_and_has_the_build(repository: Repository) -> None:
    build = repository.record(status=PENDING)
    began = time.monotonic()
    with client_of(repository.server) as client, within(2), pytest.raises(WaitTimeout) as caught:
        client.wait(build, 0.3)
    assert time.monotonic() - began >= 0.3
    error = caught.value
    assert isinstance(error, ShipliftError)
    assert isinstance(error, TimeoutError)
    assert (error.build, error.reason) == (build, "WAIT_TIMEOUT")
    assert str(error) == f"DEADLINE_EXCEEDED: build 1 of {repository.slug} had not ended within 0.3 s"


def test_what_has_ended_or_is_blocked_is_returned_whole(repository: Repository) -> None:
    repository.record(status=SUCCESS)
    blocked = repository.record(status=PENDING)
    stored(repository.server, "UPDATE builds SET status = 'blocked' WHERE id = ?", blocked.id)
    with client_of(repository.server) as client:
        listed = client.list_builds(owner=repository.owner, repo=repository.name).builds
        waited = [client.wait(build, 10) for build in listed]
    assert waited == [repository.get(2), repository.get(1)]


def test_a_wait_goes_on_through_a_restart_of_the_server(own_server: Shipliftd) -> None:
    build = Repository.make(own_server, "octocat", "app").record(status=PENDING)
    own_server.listen = own_server.address
    seen: list[pb.Build] = []
    with client_of(own_server) as client:
        thread = threading.Thread(target=lambda: seen.append(client.wait(build, 60)))
        thread.start()
        own_server.stop()
        # Longer than the channel's own repeats.
        thread.join(timeout=5)
        assert thread.is_alive()
        own_server.start()
        Repository(own_server, "octocat", "app").report(1, SUCCESS)
        thread.join(timeout=60)
    assert [each.status for each in seen] == [SUCCESS]


def test_a_build_that_is_not_there_is_refused(repository: Repository) -> None:
    with client_of(repository.server) as client, pytest.raises(ShipliftError) as caught:
        client.wait(pb.Build(owner=repository.owner, repo=repository.name, number=7))
    assert caught.value.reason == "BUILD_NOT_FOUND"
    assert shiplift.WaitTimeout is WaitTimeout
