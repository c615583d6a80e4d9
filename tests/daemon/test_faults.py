"""Servers that die, and disks that are full: what was acknowledged stays, what was not can be repeated.

`SHIPLIFT_FAULTS=long` asks for ten kills in bursts of 5,000 calls, instead of two in bursts of 1,000.
"""

import asyncio
import os
import random
import resource
import signal
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import grpc
import grpc.aio
import pytest
from shiplift.v1 import access_pb2, builds_pb2, builds_pb2_grpc

from tests.support.beside import opened
from tests.support.commands import said
from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS
from tests.support.repository import COMMIT

pytestmark = pytest.mark.sqlite

LONG = os.environ.get("SHIPLIFT_FAULTS") == "long"
KILLS, CALLS = (10, 5_000) if LONG else (2, 1_000)
CALLERS = 64


@pytest.mark.timeout(900 if LONG else 300)
def test_a_kill_loses_nothing_that_was_acknowledged_and_repeats_nothing(tmp_path: Path) -> None:
    database = tmp_path / "shiplift.db"
    with Shipliftd(database) as server:
        _record_a_build(server)
    promotions: dict[str, int] = {}
    # Seeded: a failure can be had again, as far as the machine's timing allows.
    moment = random.Random(42)
    for kill in range(KILLS):
        ids = [f"kill {kill}, call {call}" for call in range(CALLS)]
        server = Shipliftd(database).start()
        acknowledged, _ = _promote(server, ids, kill_at=moment.randrange(CALLS // 10, CALLS * 9 // 10))
        assert server.stop() == -signal.SIGKILL
        stored = _stored(database)
        assert acknowledged.items() <= stored.items()
        assert promotions.items() <= stored.items()
        _assert_sound(database, stored)

        with Shipliftd(database) as server:
            unacknowledged = [request_id for request_id in ids if request_id not in acknowledged]
            retried, replayed = _promote(server, unacknowledged)
            known = {
                request_id: stored[request_id] for request_id in unacknowledged if request_id in stored
            }
            assert set(retried) == set(unacknowledged)
            assert replayed == set(known)
            assert known.items() <= retried.items()
            # Once more, all of them: each id goes on standing for its one build.
            assert _promote(server, ids) == ({**acknowledged, **retried}, set(ids))
        promotions |= acknowledged | retried
        assert _stored(database) == promotions
        _assert_sound(database, promotions)
    assert len(promotions) == KILLS * CALLS


def test_a_full_disk_stops_writes_alone_until_there_is_room(own_server: Shipliftd) -> None:
    _record_a_build(own_server)
    builds = own_server.builds()
    first = builds.PromoteBuild(_promotion("before"))
    written = own_server.database.with_name("shiplift.db-wal").stat().st_size
    process = own_server.process.pid
    unlimited = resource.prlimit(process, resource.RLIMIT_FSIZE)

    resource.prlimit(process, resource.RLIMIT_FSIZE, (written, unlimited[1]))
    refused, _ = _promote(own_server, [f"full {n}" for n in range(20)], expect=grpc.StatusCode.UNAVAILABLE)
    assert refused == {}
    with pytest.raises(grpc.RpcError) as error:
        builds.PromoteBuild(_promotion("full 0"))
    assert error.value.details() == ("the store cannot take the write now; nothing was stored: try again")
    assert builds.GetBuild(builds_pb2.GetBuildRequest(owner="octocat", repo="app", build=2)) == first

    resource.prlimit(process, resource.RLIMIT_FSIZE, unlimited)
    again, replayed = _promote(own_server, [f"full {n}" for n in range(20)])
    assert (sorted(again.values()), replayed) == (list(range(3, 23)), set())
    assert own_server.stop() == 0
    _assert_sound(own_server.database, {"before": 2, **again})


def _record_a_build(server: Shipliftd) -> None:
    server.access().CreateRepository(access_pb2.CreateRepositoryRequest(owner="octocat", repo="app"))
    stages = [builds_pb2.StageSpec(name="deploy"), builds_pb2.StageSpec(name="notify")]
    server.builds().CreateBuild(
        builds_pb2.CreateBuildRequest(owner="octocat", repo="app", after=COMMIT, stages=stages)
    )


def _promotion(request_id: str) -> builds_pb2.PromoteRequest:
    return builds_pb2.PromoteRequest(
        owner="octocat",
        repo="app",
        build=1,
        target="production",
        params={"REQUEST": request_id},
        request_id=request_id,
    )


def _promote(
    server: Shipliftd,
    request_ids: Iterable[str],
    kill_at: int = 0,
    expect: grpc.StatusCode = grpc.StatusCode.OK,
) -> tuple[dict[str, int], set[str]]:
    """Promotes once under each id, with many callers; kills the server at that many answers.

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
            call = builds.PromoteBuild(_promotion(request_id), metadata=credentials, timeout=SECONDS)
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
                server.process.kill()

    async def burst() -> None:
        async with grpc.aio.insecure_channel(server.address) as channel:
            await asyncio.gather(*(caller(channel) for _ in range(CALLERS)))

    asyncio.run(burst())
    if kill_at:
        expect = grpc.StatusCode.UNAVAILABLE
    assert set(codes) <= {expect}
    return numbers, replayed


def _stored(database: Path) -> dict[str, int]:
    """The numbers of the promotions in the file, by their request_id."""
    with opened(database) as store:
        rows = store.execute(
            "SELECT request_id, number FROM requests JOIN builds ON builds.id = resource_id"
            " WHERE method = 'PromoteBuild'"
        ).fetchall()
    assert len(dict(rows)) == len(rows)
    return dict(rows)


def _assert_sound(database: Path, promotions: dict[str, int]) -> None:
    """The file is whole, and holds these promotions of build 1 and nothing besides."""
    count = len(promotions) + 1
    assert (
        said("check", "--database", database)
        == f"{database}: ok, 1 repositories, {count} builds, 1 users\n"
    )
    with opened(database) as store:

        def column(sql: str) -> list[object]:
            return [row[0] for row in store.execute(sql)]

        assert column("SELECT number FROM builds ORDER BY number") == list(range(1, count + 1))
        assert column("SELECT counter FROM repositories") == [count]
        assert column("SELECT count(*) FROM stages GROUP BY build_id") == [2] * count
        assert column("SELECT count(*) FROM changes GROUP BY build_id") == [1] * count
        assert column("SELECT count(*) FROM audit WHERE method = 'PromoteBuild' AND code = 'OK'") == [
            count - 1
        ]
    assert sorted(promotions.values()) == list(range(2, count + 1))
