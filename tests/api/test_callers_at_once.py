"""Callers at once: 64 who promote on one repository, and 4,000 calls that wait for a server."""

import asyncio
import signal
from collections import Counter
from pathlib import Path

import grpc
import grpc.aio
import uvloop
from shiplift.v1 import access_pb2, access_pb2_grpc, builds_pb2_grpc
from shiplift.v1 import builds_pb2 as pb

from tests.support import postgres
from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS
from tests.support.repository import Repository


def together(repository: Repository, calls: list[list[pb.PromoteRequest]]) -> list[tuple[pb.Build, bool]]:
    """Every caller's promotions, one after the other; all callers at once."""
    metadata = (("authorization", f"Bearer {repository.server.admin_token}"),)

    async def caller(
        builds: "builds_pb2_grpc.BuildServiceAsyncStub", requests: list[pb.PromoteRequest]
    ) -> list[tuple[pb.Build, bool]]:
        answers = []
        for request in requests:
            call = builds.PromoteBuild(request, metadata=metadata, timeout=SECONDS)
            build = await call
            trailers = tuple(await call.trailing_metadata() or ())
            answers.append((build, ("shiplift-replayed", "true") in trailers))
        return answers

    async def all_of_them() -> list[list[tuple[pb.Build, bool]]]:
        async with grpc.aio.insecure_channel(repository.server.address) as channel:
            builds = builds_pb2_grpc.BuildServiceStub(channel)
            return await asyncio.gather(*(caller(builds, requests) for requests in calls))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return [answer for answers in runner.run(all_of_them()) for answer in answers]


def test_64_callers_with_one_request_id_get_one_build(repository: Repository) -> None:
    repository.record()
    request = repository.promotion(1, params={"A": "1"}, request_id=repository.name)
    answers = together(repository, [[request] for _ in range(64)])
    assert [build for build, _ in answers] == [repository.get(2)] * 64
    assert sorted(replay for _, replay in answers) == [False] + [True] * 63
    assert repository.numbers() == [2, 1]


def test_64_callers_with_50_promotions_each_get_every_number_once(repository: Repository) -> None:
    repository.record()
    calls = [
        [
            repository.promotion(1, params={"WHO": f"{who}.{n}"}, request_id=f"{repository.name} {who}.{n}")
            for n in range(50)
        ]
        for who in range(64)
    ]
    answers = together(repository, calls)
    assert sorted(build.number for build, _ in answers) == list(range(2, 3202))
    assert {build.params["WHO"] for build, _ in answers} == {
        f"{who}.{n}" for who in range(64) for n in range(50)
    }
    assert not any(replay for _, replay in answers)
    assert repository.promote(1).number == 3202


async def burst(server: Shipliftd, number: int) -> Counter[grpc.StatusCode]:
    """What so many calls end with that are all there before the server takes the first."""
    metadata = (("authorization", f"Bearer {server.admin_token}"),)
    async with grpc.aio.insecure_channel(server.address) as channel:
        access = access_pb2_grpc.AccessServiceStub(channel)

        async def code() -> grpc.StatusCode:
            call = access.WhoAmI(access_pb2.WhoAmIRequest(), metadata=metadata, timeout=60)
            return await call.code()

        assert await code() is grpc.StatusCode.OK
        # What the machine does to a busy server, for certain.
        server.process.send_signal(signal.SIGSTOP)
        calls = [asyncio.create_task(code()) for _ in range(number)]
        await asyncio.wait(calls, timeout=0.5)
        server.process.send_signal(signal.SIGCONT)
        return Counter(await asyncio.gather(*calls))


def test_every_call_of_a_burst_is_answered(tmp_path: Path) -> None:
    # Not over a limit of the server's own, which a client would be told of and repeat.
    limits = ("--max-reads", "4000", "--token-share", "1")
    with Shipliftd(tmp_path / "shiplift.db", limits) as server:
        # gRPC's own limit of 1,000 made half of them CANCELLED, which no client repeats.
        # On PostgreSQL they wait for a connection, for 5 s at most.
        calls = 1_000 if postgres.is_in_use() else 4_000
        assert asyncio.run(burst(server, calls)) == {grpc.StatusCode.OK: calls}
