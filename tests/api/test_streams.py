"""Streams: their caller is looked at when they begin, and again while they are open.

No rpc streams yet, so these tests bring one of their own through the real interceptor.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import grpc
import grpc.aio
import pytest
from google.protobuf import descriptor_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from shiplift.v1 import access_pb2, builds_pb2
from shipliftd.access.callers import CALLER
from shipliftd.api import interceptors
from shipliftd.api.calls import rules_of
from shipliftd.errors import Precondition

from tests.support.beside import opened
from tests.support.inside import Inside, Metadata, inside, service
from tests.support.patience import SECONDS
from tests.support.refusals import Refusal, told

READ = access_pb2.AccessRule(
    level=access_pb2.ACCESS_LEVEL_READ,
    scope=access_pb2.ACCESS_SCOPE_REPOSITORY,
    action=access_pb2.TOKEN_ACTION_READ,
)
ACCESS = cast(Any, access_pb2.access)
HIDDEN = Refusal(
    grpc.StatusCode.NOT_FOUND,
    "repository octocat/app not found: it does not exist, or you may not read it",
    "REPOSITORY_NOT_FOUND",
)


def say_read(method: descriptor_pb2.MethodDescriptorProto) -> None:
    method.options.Extensions[ACCESS].CopyFrom(READ)


WATCH = service("WatchService", say_read)


@dataclass
class Watched:
    """The streaming rpc: passes on what it is given, until that is None, or raises it."""

    given: "asyncio.Queue[int | Exception | None]" = field(default_factory=asyncio.Queue)
    callers: list[str] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def watch(
        self, _request: builds_pb2.GetBuildRequest, _context: object
    ) -> AsyncIterator[builds_pb2.Build]:
        self.callers.append(CALLER.get().login)
        try:
            while (given := await self.given.get()) is not None:
                if isinstance(given, Exception):
                    raise given
                yield builds_pb2.Build(number=given)
        finally:
            self.ended.set()

    def handlers(self) -> grpc.GenericRpcHandler:
        return grpc.method_handlers_generic_handler(
            "shiplift.tests.WatchService",
            {
                "Watch": grpc.unary_stream_rpc_method_handler(
                    self.watch,
                    builds_pb2.GetBuildRequest.FromString,
                    builds_pb2.Build.SerializeToString,
                )
            },
        )


@dataclass
class Open:
    """A client's end of the stream."""

    call: Any

    async def number(self) -> int:
        """The next message's number."""
        message = await asyncio.wait_for(self.call.read(), SECONDS)
        assert isinstance(message, builds_pb2.Build)
        return message.number

    async def rest(self) -> Refusal:
        """What it is ended with, after whatever messages."""
        while True:
            try:
                await self.number()
            except grpc.aio.AioRpcError as error:
                return told(error)

    async def end(self) -> Refusal:
        """What it is ended with, without another message."""
        try:
            message = await asyncio.wait_for(self.call.read(), SECONDS)
        except grpc.aio.AioRpcError as error:
            return told(error)
        assert message is grpc.aio.EOF
        return Refusal(await self.call.code(), await self.call.details())


@dataclass
class Scene:
    """A private repository octocat/app, its reader mona, and the stream."""

    server: Inside
    rpc: Watched
    mona: Metadata
    token_id: int

    def open(self, metadata: Metadata, repo: str = "app") -> Open:
        call = self.server.channel.unary_stream(
            "/shiplift.tests.WatchService/Watch",
            request_serializer=builds_pb2.GetBuildRequest.SerializeToString,
            response_deserializer=builds_pb2.Build.FromString,
        )
        request = builds_pb2.GetBuildRequest(owner="octocat", repo=repo, build=1)
        return Open(call(request, metadata=metadata, timeout=2 * SECONDS))

    async def opened(self) -> Open:
        """Mona's stream, which has had its first message."""
        stream = self.open(self.mona)
        self.rpc.given.put_nowait(1)
        assert await stream.number() == 1
        return stream


@pytest.fixture
def play(tmp_path: Path) -> Callable[[Callable[[Scene], Awaitable[None]]], None]:
    """Runs a scene."""

    def run(act: Callable[[Scene], Awaitable[None]]) -> None:
        async def scene() -> None:
            rpc = Watched()
            async with inside(tmp_path / "shiplift.db", [WATCH], [rpc.handlers()]) as server:
                visibilities = {"app": 0, "open": access_pb2.VISIBILITY_PUBLIC}
                for repo, visibility in visibilities.items():
                    await server.call(
                        "CreateRepository",
                        access_pb2.CreateRepositoryRequest(
                            owner="octocat",
                            repo=repo,
                            visibility=visibility,  # type: ignore[arg-type]  # an enum's value
                        ),
                    )
                mona, token_id = await server.token("mona")
                await server.call("GrantAccess", grant(access_pb2.ACCESS_LEVEL_READ))
                await act(Scene(server, rpc, mona, token_id))

        asyncio.run(scene())

    return run


Play = Callable[[Callable[[Scene], Awaitable[None]]], None]


def grant(level: access_pb2.AccessLevel) -> access_pb2.GrantAccessRequest:
    return access_pb2.GrantAccessRequest(owner="octocat", repo="app", login="mona", level=level)


def test_who_may_read_is_let_through(play: Play) -> None:
    async def act(scene: Scene) -> None:
        stream = scene.open(scene.mona)
        for number in (1, 2, 3):
            scene.rpc.given.put_nowait(number)
            assert await stream.number() == number
        scene.rpc.given.put_nowait(None)
        assert await stream.end() == Refusal(grpc.StatusCode.OK, "")
        assert scene.rpc.callers == ["mona"]

    play(act)


def test_who_may_not_is_refused_before_it_begins(play: Play) -> None:
    async def act(scene: Scene) -> None:
        other, _ = await scene.server.token("other")
        cut, _ = await scene.server.token("cut", actions=[access_pb2.TOKEN_ACTION_RECORD])
        await scene.server.call(
            "GrantAccess",
            access_pb2.GrantAccessRequest(
                owner="octocat", repo="app", login="cut", level=access_pb2.ACCESS_LEVEL_ADMIN
            ),
        )
        assert await scene.open(other).end() == HIDDEN
        assert (await scene.open(()).end()).reason == "NO_TOKEN"
        assert (await scene.open((("authorization", "Bearer x"),)).end()).reason == "UNKNOWN_TOKEN"
        assert (await scene.open(cut).end()).reason == "TOKEN_CUT_TO_ACTIONS"
        assert (await scene.open(scene.mona, "..").end()).code == grpc.StatusCode.INVALID_ARGUMENT
        assert scene.rpc.callers == []

    play(act)


def test_a_public_repository_is_everybodys(play: Play) -> None:
    async def act(scene: Scene) -> None:
        stream = scene.open((), "open")
        scene.rpc.given.put_nowait(1)
        assert await stream.number() == 1
        assert scene.rpc.callers == [""]

    play(act)


@pytest.mark.parametrize("busy", [False, True], ids=["waiting", "with a message ready"])
def test_taking_the_grant_back_ends_an_open_stream_at_once(play: Play, busy: bool) -> None:
    async def act(scene: Scene) -> None:
        stream = await scene.opened()
        await scene.server.call(
            "RevokeAccess",
            access_pb2.RevokeAccessRequest(owner="octocat", repo="app", login="mona"),
        )
        if busy:
            scene.rpc.given.put_nowait(2)
        assert await stream.end() == HIDDEN
        await asyncio.wait_for(scene.rpc.ended.wait(), SECONDS)

    play(act)


def test_revoking_the_token_ends_an_open_stream_at_once(play: Play) -> None:
    async def act(scene: Scene) -> None:
        stream = await scene.opened()
        await scene.server.call("RevokeToken", access_pb2.RevokeTokenRequest(id=scene.token_id))
        assert await stream.end() == Refusal(
            grpc.StatusCode.UNAUTHENTICATED,
            f"token {scene.token_id} of mona was revoked: make another",
            "REVOKED_TOKEN",
        )

    play(act)


def test_a_change_that_leaves_the_caller_their_access_ends_nothing(play: Play) -> None:
    async def act(scene: Scene) -> None:
        stream = await scene.opened()
        await scene.server.call("GrantAccess", grant(access_pb2.ACCESS_LEVEL_ADMIN))
        await scene.server.call("GrantAccess", grant(access_pb2.ACCESS_LEVEL_READ))
        await scene.server.token("other")
        for number in (2, 3):
            scene.rpc.given.put_nowait(number)
            assert await stream.number() == number

    play(act)


def test_a_stream_is_looked_at_again_while_nothing_happens(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert interceptors.RECHECK_SECONDS == 15
    monkeypatch.setattr(interceptors, "RECHECK_SECONDS", 0.05)

    async def act(scene: Scene) -> None:
        stream = await scene.opened()
        # Not by the server, so nobody tells it.
        with opened(scene.server.path) as other:
            other.execute("UPDATE grants SET level = 0")
        assert await stream.end() == HIDDEN

    play(act)


def test_a_stream_ends_when_its_token_expires(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interceptors, "RECHECK_SECONDS", 0.05)

    async def act(scene: Scene) -> None:
        soon = Timestamp()
        soon.GetCurrentTime()
        soon.FromMilliseconds(soon.ToMilliseconds() + 2000)
        scene.mona, token_id = await scene.server.token("short", expires=soon)
        request = grant(access_pb2.ACCESS_LEVEL_READ)
        request.login = "short"
        await scene.server.call("GrantAccess", request)
        stream = await scene.opened()
        assert await stream.end() == Refusal(
            grpc.StatusCode.UNAUTHENTICATED,
            f"token {token_id} of short has expired: make another",
            "EXPIRED_TOKEN",
        )

    play(act)


def test_a_client_that_leaves_ends_the_servers_side(play: Play) -> None:
    async def act(scene: Scene) -> None:
        stream = await scene.opened()
        stream.call.cancel()
        await asyncio.wait_for(scene.rpc.ended.wait(), SECONDS)

    play(act)


def test_a_domain_error_ends_a_stream_with_its_status(play: Play) -> None:
    async def act(scene: Scene) -> None:
        stream = await scene.opened()
        scene.rpc.given.put_nowait(
            Precondition("not now", reason="BUILD_NOT_ENDED", violations=[("a", "b")])
        )
        assert await stream.end() == Refusal(
            grpc.StatusCode.FAILED_PRECONDITION, "not now", "BUILD_NOT_ENDED", (("a", "b"),)
        )

    play(act)


def test_a_defect_ends_a_stream_with_an_id_and_nothing_else(play: Play) -> None:
    async def act(scene: Scene) -> None:
        stream = await scene.opened()
        scene.rpc.given.put_nowait(ValueError("hunter2"))
        end = await stream.end()
        assert (end.code, end.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
        assert "hunter2" not in repr(end)

    play(act)


def nothing(_method: descriptor_pb2.MethodDescriptorProto) -> None:
    """Leaves the option out."""


def half(method: descriptor_pb2.MethodDescriptorProto) -> None:
    method.options.Extensions[ACCESS].level = access_pb2.ACCESS_LEVEL_READ


@pytest.mark.parametrize(("name", "say"), [("SilentService", nothing), ("HalfService", half)])
def test_an_rpc_that_does_not_say_what_it_needs_keeps_the_server_from_starting(
    tmp_path: Path, name: str, say: Callable[[descriptor_pb2.MethodDescriptorProto], None]
) -> None:
    silent = service(name, say)
    words = rf"/shiplift\.tests\.{name}/Watch has no \(shiplift\.v1\.access\) option: every rpc needs one"
    with pytest.raises(LookupError, match=words):
        rules_of([WATCH, silent])

    async def start() -> None:
        async with inside(tmp_path / "shiplift.db", [silent]):
            raise AssertionError("it started")

    with pytest.raises(LookupError, match=words):
        asyncio.run(start())


def test_a_stream_that_is_never_silent_is_looked_at_again_too(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interceptors, "RECHECK_SECONDS", 0.05)

    async def act(scene: Scene) -> None:
        stream = await scene.opened()
        # Beside the server, which is not told: only looking again can find it.
        with opened(scene.server.path) as other:
            other.execute("UPDATE tokens SET revoked = 1 WHERE id = ?", [scene.token_id])

        async def talk() -> None:
            for number in range(2, 20_000):
                scene.rpc.given.put_nowait(number)
                await asyncio.sleep(0.001)

        talking = asyncio.ensure_future(talk())
        refused = await stream.rest()
        talking.cancel()
        assert refused.reason == "REVOKED_TOKEN"

    play(act)


def test_a_change_while_a_message_is_on_its_way_is_seen(play: Play) -> None:
    async def act(scene: Scene) -> None:
        stream = await scene.opened()
        # Ready before the change; the stream is held up in sending, and sees no event.
        for number in range(2, 50):
            scene.rpc.given.put_nowait(number)
        await scene.server.call("RevokeToken", access_pb2.RevokeTokenRequest(id=scene.token_id))
        scene.rpc.given.put_nowait(1000)
        assert (await stream.rest()).reason == "REVOKED_TOKEN"

    play(act)
