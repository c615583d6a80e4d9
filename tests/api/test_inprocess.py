"""Calls that cross no wire: streams and deadlines of the in-process channel, through the interceptor."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import grpc
import grpc.aio
import pytest
from google.protobuf import descriptor_pb2
from shiplift.v1 import access_pb2, builds_pb2
from shipliftd.access.callers import CALLER
from shipliftd.api.inprocess import InProcess

from tests.support.inside import Inside, Metadata, inside, service
from tests.support.patience import SECONDS
from tests.support.refusals import told

ACCESS = cast(Any, access_pb2.access)


def say_user(method: descriptor_pb2.MethodDescriptorProto) -> None:
    method.options.Extensions[ACCESS].CopyFrom(
        access_pb2.AccessRule(
            level=access_pb2.ACCESS_LEVEL_USER,
            scope=access_pb2.ACCESS_SCOPE_SELF,
            action=access_pb2.TOKEN_ACTION_READ,
        )
    )


WATCH = service("InProcessService", say_user)
PATH = "/shiplift.tests.InProcessService/Watch"


@dataclass
class Counting:
    """The streaming rpc: counts as it is told to, and keeps what it saw of its calls."""

    given: "asyncio.Queue[int | None]" = field(default_factory=asyncio.Queue)
    remaining: list[float | None] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def watch(self, _request: object, context: Any) -> AsyncIterator[builds_pb2.Build]:  # noqa: ANN401
        self.remaining.append(context.time_remaining())
        try:
            while (number := await self.given.get()) is not None:
                yield builds_pb2.Build(number=number, trigger=CALLER.get().login)
        finally:
            self.ended.set()


@dataclass
class Scene:
    """A server in this process, and a channel to it that crosses no wire."""

    server: Inside
    channel: grpc.aio.Channel
    rpc: Counting

    def open(self, metadata: Metadata | None = None, timeout: float | None = None) -> Any:  # noqa: ANN401
        call: Any = self.channel.unary_stream(PATH)
        return call(
            builds_pb2.GetBuildRequest(),
            metadata=self.server.admin if metadata is None else metadata,
            timeout=timeout,
        )


@asynccontextmanager
async def scene_in(path: Path) -> AsyncIterator[Scene]:
    rpc = Counting()
    async with inside(path / "shiplift.db", [WATCH]) as server:
        inprocess = InProcess(server.interceptor)
        handler = grpc.unary_stream_rpc_method_handler(
            rpc.watch, builds_pb2.GetBuildRequest.FromString, builds_pb2.Build.SerializeToString
        )
        inprocess.add_registered_method_handlers("shiplift.tests.InProcessService", {"Watch": handler})
        yield Scene(server, inprocess.channel(), rpc)


@pytest.fixture
def play(tmp_path: Path) -> Callable[[Callable[[Scene], Awaitable[None]]], None]:
    """Runs a scene."""

    def run(act: Callable[[Scene], Awaitable[None]]) -> None:
        async def scene() -> None:
            async with asyncio.timeout(SECONDS), scene_in(tmp_path) as made:
                await act(made)

        asyncio.run(scene())

    return run


Play = Callable[[Callable[[Scene], Awaitable[None]]], None]


def test_a_stream_is_iterated_over_to_its_end(play: Play) -> None:
    async def act(scene: Scene) -> None:
        for given in (1, 2, 3, None):
            scene.rpc.given.put_nowait(given)
        assert [(build.number, build.trigger) async for build in scene.open()] == [
            (1, "admin"),
            (2, "admin"),
            (3, "admin"),
        ]
        with pytest.raises(LookupError):
            CALLER.get()

    play(act)


def test_a_stranger_is_refused_as_over_a_wire(play: Play) -> None:
    async def act(scene: Scene) -> None:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await anext(scene.open(()))
        assert (told(refused.value).code, told(refused.value).reason) == (
            grpc.StatusCode.UNAUTHENTICATED,
            "NO_TOKEN",
        )

    play(act)


@pytest.mark.parametrize("waiting", [True, False], ids=["while it is waited for", "between two answers"])
def test_cancel_ends_the_servers_side(play: Play, waiting: bool) -> None:
    async def act(scene: Scene) -> None:
        stream = scene.open()
        scene.rpc.given.put_nowait(1)
        assert (await anext(stream)).number == 1
        if waiting:
            following = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0)
            assert stream.cancel()
            with pytest.raises(asyncio.CancelledError):
                await following
        else:
            assert stream.cancel()
        await scene.rpc.ended.wait()
        assert not stream.cancel()
        with pytest.raises(asyncio.CancelledError):
            await anext(stream)

    play(act)


def test_who_stops_waiting_ends_the_servers_side(play: Play) -> None:
    async def act(scene: Scene) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await anext(scene.open())
        await scene.rpc.ended.wait()

    play(act)


def test_a_stream_ends_at_its_deadline_which_its_handler_knows(play: Play) -> None:
    async def act(scene: Scene) -> None:
        stream = scene.open(timeout=2)
        scene.rpc.given.put_nowait(1)
        assert (await anext(stream)).number == 1
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await anext(stream)
        assert refused.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await scene.rpc.ended.wait()
        [remaining] = scene.rpc.remaining
        assert remaining is not None
        assert 0 < remaining <= 2

    play(act)


def test_a_handler_knows_that_there_is_no_deadline(play: Play) -> None:
    async def act(scene: Scene) -> None:
        scene.rpc.given.put_nowait(None)
        assert [build async for build in scene.open()] == []
        assert scene.rpc.remaining == [None]

    play(act)


def test_a_stream_is_refused_while_the_server_drains(play: Play) -> None:
    async def act(scene: Scene) -> None:
        before = scene.open()
        scene.rpc.given.put_nowait(1)
        assert (await anext(before)).number == 1
        following = asyncio.ensure_future(anext(before))
        await asyncio.sleep(0)
        await scene.server.interceptor.drain(1)
        for refused in (following, anext(scene.open())):
            with pytest.raises(grpc.aio.AioRpcError, match="the server is shutting down: try again"):
                await refused

    play(act)


def test_who_hangs_up_leaves_nothing_behind(play: Play) -> None:
    async def act(scene: Scene) -> None:
        before = len(asyncio.all_tasks())
        for _ in range(20):
            stream = scene.open()
            following = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0.005)
            stream.cancel()
            await asyncio.wait([following])
        async with asyncio.timeout(SECONDS):
            while len(asyncio.all_tasks()) > before:
                await asyncio.sleep(0.005)

    play(act)


def test_an_rpc_that_is_not_there_is_unimplemented(play: Play) -> None:
    async def act(scene: Scene) -> None:
        stream: Any = scene.channel.unary_stream("/shiplift.tests.Nobody/Watch")
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await anext(stream(builds_pb2.GetBuildRequest()))
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED

    play(act)
