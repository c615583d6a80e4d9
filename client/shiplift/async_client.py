"""The client for asyncio."""

# gRPC's callables are generic in their type stubs alone.
from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from types import TracebackType
from typing import Self

import grpc
import grpc.aio

from shiplift._channel import Route
from shiplift._connection import Connection, note_replay, request_id_of
from shiplift._methods import AsyncMethods, BuildEventWord, Q, R
from shiplift._naming import Name
from shiplift._repeats import repeated_async
from shiplift._waiting import Waiting, Watching
from shiplift.errors import NotFound, ShipliftError, Unavailable
from shiplift.v1 import builds_pb2


class AsyncClient(Connection, AsyncMethods):
    """A client for asyncio: like Client, with coroutine methods. Make it inside the running loop.

    async with shiplift.AsyncClient("127.0.0.1:50051", token) as client:
        async for build in client.iterate_builds(owner="octocat", repo="hello-world"):
            ...
    """

    def _open(self, route: Route) -> None:
        credentials = route.credentials()
        if credentials is None:
            self._channel = grpc.aio.insecure_channel(route.target, route.options())
        else:
            self._channel = grpc.aio.secure_channel(route.target, credentials, route.options())
        AsyncMethods.__init__(self, self._channel)

    async def _call(
        self, method: grpc.aio.UnaryUnaryMultiCallable[Q, R], request: Q, timeout: float | None
    ) -> R:
        async def attempt(left: float) -> tuple[R, grpc.aio.UnaryUnaryCall[Q, R]]:
            call = method(request, timeout=left, metadata=self._metadata())
            return await call, call

        try:
            answer, call = await repeated_async(self._limit(timeout), self._is_hopeless, attempt)
        except grpc.RpcError as error:
            raise await asyncio.to_thread(self._failed, error, request_id_of(request)) from error
        note_replay(await call.trailing_metadata())
        return answer

    async def _stream(
        self, method: grpc.aio.UnaryStreamMultiCallable[Q, R], request: Q, timeout: float | None
    ) -> AsyncIterator[R]:
        async def attempt(left: float) -> tuple[R | None, AsyncIterator[R]]:
            given = None if timeout is None else left
            answers = aiter(method(request, timeout=given, metadata=self._metadata()))
            return await anext(answers, None), answers

        try:
            first, others = await repeated_async(self._limit(timeout), self._is_hopeless, attempt)
            if first is not None:
                yield first
            async for message in others:
                yield message
        except grpc.RpcError as error:
            raise await asyncio.to_thread(self._failed, error, "") from error

    async def find_build(
        self, *, owner: str, repo: str, name: str, timeout: float | None = None
    ) -> builds_pb2.Build:
        """The build that a word names: its number, else what it is called, or where it is.

        Digits are a number first; seven or more that no build has may be something else. The other words
        are a release (of several builds of one commit the newest), an external id or a commit (seven
        digits or more) of what was recorded, not its promotions; `latest`, the newest recorded build of
        the default branch that ended in success; `latest@BRANCH` or a branch, the same of that branch;
        and an environment: its current deployment.

        Args:
            owner: The repository's owner.
            repo: The repository's name.
            name: The word, such as `v1.4.2` or `latest`.
            timeout: How long each of the calls may take, in seconds; the client's when None.

        Raises:
            ValueError: The name is empty.
            NotFound: It names no build.
            SeveralBuilds: It names more than one.
        """
        finding = Name(owner, repo, name).finding()
        try:
            question = next(finding)
            while True:
                ask = getattr(self, question.method)
                try:
                    answer = await ask(**question.arguments, timeout=timeout)
                except NotFound as error:
                    question = finding.throw(error)
                else:
                    question = finding.send(answer)
        except StopIteration as found:
            build: builds_pb2.Build = found.value
            return build

    async def wait(
        self,
        build: builds_pb2.Build,
        timeout: float | None = None,
        *,
        on_change: Callable[[builds_pb2.Build], None] | None = None,
    ) -> builds_pb2.Build:
        """Waits until a build has ended, or is blocked: see `Client.wait`."""
        waiting = Waiting(build, timeout, on_change)
        while True:
            try:
                answer = await self.wait_build(
                    owner=build.owner,
                    repo=build.repo,
                    build=build.number,
                    seen_version=waiting.build.version,
                    timeout=waiting.deadline(),
                )
            except Unavailable as error:
                await asyncio.sleep(waiting.pause(error))
                continue
            if not waiting.goes_on(answer):
                return answer

    async def watch(
        self,
        *,
        owner: str = "",
        repo: str = "",
        build: int = 0,
        environment: str = "",
        events: Sequence[builds_pb2.BuildEvent | BuildEventWord] = (),
        cursor: str = "",
    ) -> AsyncGenerator[builds_pb2.WatchBuildsResponse]:
        """Builds as they move, over as many connections as it takes: see `Client.watch`."""
        watching = Watching(cursor)
        while True:
            try:
                async for response in self.watch_builds(
                    owner=owner,
                    repo=repo,
                    build=build,
                    environment=environment,
                    events=events,
                    cursor=watching.cursor,
                ):
                    if watching.is_news(response):
                        yield response
            except ShipliftError as error:
                await asyncio.sleep(watching.pause(error))

    async def close(self) -> None:
        """Closes the connection; calls in flight end."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
