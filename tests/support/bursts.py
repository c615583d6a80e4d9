"""Bursts of promotions, each under a request_id, and what a store has of them afterwards."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import grpc
import grpc.aio
from shiplift.v1 import access_pb2, builds_pb2, builds_pb2_grpc

from tests.support import postgres
from tests.support.commands import checked
from tests.support.faults import column, rows
from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS
from tests.support.repository import COMMIT

CALLERS = 64


def record_a_build(server: Shipliftd) -> None:
    """Records build 1 of octocat/app, of two stages."""
    server.access().CreateRepository(access_pb2.CreateRepositoryRequest(owner="octocat", repo="app"))
    stages = [builds_pb2.StageSpec(name="deploy"), builds_pb2.StageSpec(name="notify")]
    server.builds().CreateBuild(
        builds_pb2.CreateBuildRequest(owner="octocat", repo="app", after=COMMIT, stages=stages)
    )


def promotion(request_id: str) -> builds_pb2.PromoteRequest:
    """A promotion of it, which says in a parameter under which id it was asked for."""
    return builds_pb2.PromoteRequest(
        owner="octocat",
        repo="app",
        build=1,
        target="production",
        params={"REQUEST": request_id},
        request_id=request_id,
    )


def promote(
    server: Shipliftd,
    request_ids: Iterable[str],
    kill_at: int = 0,
    expect: grpc.StatusCode = grpc.StatusCode.OK,
    kill: Callable[[], None] | None = None,
) -> tuple[dict[str, int], set[str]]:
    """Promotes once under each id, with many callers; kills the server, or what else, at that many answers.

    Returns the numbers of the builds that were acknowledged, and the ids that had been seen before.
    """
    numbers: dict[str, int] = {}
    replayed: set[str] = set()
    codes: Counter[grpc.StatusCode] = Counter()
    left = iter(request_ids)
    credentials = (("authorization", f"Bearer {server.admin_token}"),)

    async def caller(channel: grpc.aio.Channel) -> None:
        builds = builds_pb2_grpc.BuildServiceStub(channel)
        for request_id in left:
            call = builds.PromoteBuild(promotion(request_id), metadata=credentials, timeout=SECONDS)
            try:
                build = await call
            except grpc.aio.AioRpcError as error:
                codes[error.code()] += 1
                continue
            assert build.params["REQUEST"] == request_id
            numbers[request_id] = build.number
            if ("shiplift-replayed", "true") in tuple(await call.trailing_metadata()):
                replayed.add(request_id)
            if len(numbers) == kill_at:
                (kill or server.process.kill)()

    async def burst() -> None:
        async with grpc.aio.insecure_channel(server.address) as channel:
            await asyncio.gather(*(caller(channel) for _ in range(CALLERS)))

    asyncio.run(burst())
    if kill_at:
        expect = grpc.StatusCode.UNAVAILABLE
    assert set(codes) <= {expect}, codes
    return numbers, replayed


def stored(database: Path) -> dict[str, int]:
    """The numbers of the promotions in the store, by their request_id."""
    found = rows(
        database,
        "SELECT request_id, number FROM requests JOIN builds ON builds.id = resource_id"
        " WHERE method = 'PromoteBuild'",
    )
    assert len(dict(found)) == len(found)
    return dict(found)


def assert_sound(database: Path, promotions: dict[str, int]) -> None:
    """The store is whole, and holds these promotions of build 1 and nothing besides."""
    count = len(promotions) + 1
    whole = f"{database}: ok, 1 repositories, {count} builds, 1 users\n"
    url = postgres.url_of(database) if postgres.is_in_use() else str(database)
    assert checked(url) == ("ok\n" if postgres.is_in_use() else whole)
    assert column(database, "SELECT number FROM builds ORDER BY number") == list(range(1, count + 1))
    assert column(database, "SELECT counter FROM repositories") == [count]
    assert column(database, "SELECT count(*) FROM stages GROUP BY build_id") == [2] * count
    assert column(database, "SELECT count(*) FROM changes GROUP BY build_id") == [1] * count
    audited = "SELECT count(*) FROM audit WHERE method = 'PromoteBuild' AND code = 'OK'"
    assert column(database, audited) == [count - 1]
    assert sorted(promotions.values()) == list(range(2, count + 1))
