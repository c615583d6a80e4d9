"""Servers that are stopped under load: a call is answered, or it is UNAVAILABLE, which clients repeat."""

import asyncio
import random
from collections import Counter
from contextlib import nullcontext
from pathlib import Path

import grpc
import grpc.aio
import pytest
from shiplift.v1 import access_pb2, builds_pb2, builds_pb2_grpc

from tests.faults.conftest import Tell
from tests.support.beside import held
from tests.support.faults import form
from tests.support.harness import Shipliftd
from tests.support.repository import COMMIT

DRAINS = form(2, 50)
CALLERS = 8
# Of each: a token may have 128 writes under way, and what is over that is refused as RESOURCE_EXHAUSTED.
MOST_CALLS = 12
# A connection a caller; and nothing is repeated.
PLAIN = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]


@pytest.mark.timeout(form(300, 900))
@pytest.mark.parametrize("kind", ["one after the other", "without waiting"])
@pytest.mark.parametrize("end", ["answered", "its limit"])
def test_a_drain_cancels_no_call(database: Path, kind: str, end: str, tell: Tell) -> None:
    with Shipliftd(database) as server:
        server.access().CreateRepository(access_pb2.CreateRepositoryRequest(owner="octocat", repo="app"))
        server.builds().CreateBuild(
            builds_pb2.CreateBuildRequest(owner="octocat", repo="app", after=COMMIT)
        )
    options = ("--drain-seconds", "0.2") if end == "its limit" else ()
    codes: Counter[grpc.StatusCode] = Counter()
    # Seeded: a failure can be had again, as far as the machine's timing allows.
    moment = random.Random(42)
    for drain in range(DRAINS):
        with Shipliftd(database, options) as server:
            load = Load(server, f"drain {drain}", moment.randrange(50, 200))
            asyncio.run(load.run(kind == "without waiting", end == "its limit"))
        codes += load.codes
    # CANCELLED is what gRPC's own stop answers to calls that it has not handed over.
    assert set(codes) == {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}, codes
    tell(f"{DRAINS} drains, {codes.total()} calls; 0 cancelled")


class Load:
    """Callers of a server that is stopped once so many calls were answered."""

    def __init__(self, server: Shipliftd, name: str, stop_at: int) -> None:
        self.codes: Counter[grpc.StatusCode] = Counter()
        self._server, self._name, self._stop_at = server, name, stop_at
        self._stopping, self._stopped = asyncio.Event(), asyncio.Event()
        self._metadata = (("authorization", f"Bearer {server.admin_token}"),)

    async def run(self, keeps_coming: bool, is_held: bool) -> None:
        """Calls until the server is gone; with its store held, so that writes are in flight at its end."""
        caller = self._keeps_calling if keeps_coming else self._calls
        callers = [asyncio.create_task(caller(number)) for number in range(CALLERS)]
        await self._stopping.wait()
        with held(self._server.database) if is_held else nullcontext():
            assert await asyncio.to_thread(self._server.stop) == 0
        self._stopped.set()
        await asyncio.gather(*callers)

    async def _calls(self, caller: int) -> None:
        async with grpc.aio.insecure_channel(self._server.address, PLAIN) as channel:
            builds, call = builds_pb2_grpc.BuildServiceStub(channel), 0
            while not self._stopped.is_set():
                await self._call(builds, caller, call)
                call += 1

    async def _keeps_calling(self, caller: int) -> None:
        async with (
            grpc.aio.insecure_channel(self._server.address, PLAIN) as channel,
            asyncio.TaskGroup() as calls,
        ):
            builds, call = builds_pb2_grpc.BuildServiceStub(channel), 0
            free = asyncio.Semaphore(MOST_CALLS)
            while not self._stopped.is_set():
                await free.acquire()
                calling = calls.create_task(self._call(builds, caller, call))
                calling.add_done_callback(lambda _: free.release())
                call += 1
                await asyncio.sleep(0.004)

    async def _call(self, builds: "builds_pb2_grpc.BuildServiceAsyncStub", caller: int, call: int) -> None:
        request = builds_pb2.PromoteRequest(
            owner="octocat",
            repo="app",
            build=1,
            target="production",
            request_id=f"{self._name}, caller {caller}, call {call}",
        )
        code = await builds.PromoteBuild(request, metadata=self._metadata, timeout=20).code()
        self.codes[code] += 1
        if self.codes[grpc.StatusCode.OK] == self._stop_at:
            self._stopping.set()
