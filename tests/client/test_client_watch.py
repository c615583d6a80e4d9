"""`watch` of both clients, on a real server that goes away meanwhile."""

import asyncio
from collections.abc import Iterator

import pytest
from shiplift import AsyncClient, Client, Denied, Refused
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb

from tests.support.harness import Shipliftd
from tests.support.repository import Repository
from tests.support.staged import PENDING, SUCCESS
from tests.support.watching import Seen, short


def begun(watch: Iterator[pb.WatchBuildsResponse]) -> list[int]:
    """The numbers of the builds in the snapshot."""
    found: list[int] = []
    for response in watch:
        if response.HasField("snapshot_end"):
            return found
        found.append(response.snapshot.number)
    raise AssertionError("it ended")


def restart(server: Shipliftd, number: int = 9) -> None:
    server.listen = server.address
    server.stop(number)
    server.start()


def test_a_watch_goes_on_where_it_was_however_often_the_server_goes_away(own_server: Shipliftd) -> None:
    repository = Repository.make(own_server, "octocat", "app")
    repository.record(status=PENDING)
    with Client(own_server.address, own_server.admin_token) as client:
        watch = client.watch(owner="octocat", repo="app")
        assert begun(watch) == [1]
        seen = []
        for number in (9, 15):
            repository.record(status=SUCCESS)
            restart(own_server, number)
            repository.record(status=SUCCESS)
            seen += [short(next(watch)) for _ in range(2)]
        watch.close()
    assert seen == [Seen(str(number), "success", 1) for number in range(2, 6)]


def test_the_asynchronous_client_watches_alike(own_server: Shipliftd) -> None:
    repository = Repository.make(own_server, "octocat", "app")

    async def run() -> list[Seen]:
        async with AsyncClient(own_server.address, own_server.admin_token) as client:
            watch = client.watch(owner="octocat", repo="app", events=["push"])
            assert (await anext(watch)).HasField("snapshot_end")
            repository.record(status=SUCCESS, event=pb.BUILD_EVENT_PUSH)
            seen = [short(await anext(watch))]
            await asyncio.to_thread(restart, own_server)
            repository.record(status=SUCCESS, event=pb.BUILD_EVENT_PUSH)
            seen.append(short(await anext(watch)))
            await watch.aclose()
            return seen

    assert asyncio.run(run()) == [Seen("1", "success", 1), Seen("2", "success", 1)]


def test_a_watch_goes_on_from_a_cursor_and_says_when_it_cannot(repository: Repository) -> None:
    server = repository.server
    with Client(server.address, server.admin_token) as client:
        watch = client.watch(owner=repository.owner, repo=repository.name)
        assert begun(watch) == []
        repository.record(status=SUCCESS)
        cursor = next(watch).cursor
        repository.record(status=SUCCESS)
        again = client.watch(owner=repository.owner, repo=repository.name, cursor=cursor)
        assert short(next(again)) == Seen("2", "success", 1)
        with pytest.raises(Refused) as told:
            next(client.watch(owner=repository.owner, repo=repository.name, cursor="00000000-1"))
        assert told.value.reason == "CURSOR_TOO_OLD"


def test_a_watch_ends_with_what_its_caller_may_no_longer_see(repository: Repository) -> None:
    access = repository.server.access()
    token = access.CreateToken(access_pb2.CreateTokenRequest(name=f"of {repository.name}"))
    with Client(repository.server.address, token.secret) as client:
        watch = client.watch(owner=repository.owner, repo=repository.name)
        assert begun(watch) == []
        access.RevokeToken(access_pb2.RevokeTokenRequest(id=token.id))
        with pytest.raises(Denied) as told:
            next(watch)
    assert told.value.reason == "REVOKED_TOKEN"
