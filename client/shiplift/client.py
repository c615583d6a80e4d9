"""The two clients: one for threads, one for asyncio."""

# gRPC's callables are generic in their type stubs alone.
from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextvars import ContextVar
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc
import grpc.aio
from google.protobuf.message import Message

from shiplift._channel import DEFAULT_SERVER, Route
from shiplift._methods import AsyncMethods, Methods, Q, R
from shiplift._mismatch import mismatch
from shiplift._naming import Name
from shiplift._repeats import repeated, repeated_async
from shiplift._waiting import Waiting
from shiplift.errors import NotFound, ShipliftError, Unavailable, error_of
from shiplift.v1 import builds_pb2

_replayed: ContextVar[bool] = ContextVar("shiplift_replayed", default=False)


def was_replayed() -> bool:
    """Whether this thread's or task's latest call made nothing new.

    True when it answered with what an earlier call with the same request_id, or the same external
    id, had made.
    """
    return _replayed.get()


class _Connection:
    """What both clients are made from, and what they add to a call."""

    def __init__(
        self,
        server: str = DEFAULT_SERVER,
        token: str | Callable[[], str] | None = None,
        *,
        timeout: float = 30.0,
        ca_file: str | Path | None = None,
        cert_file: str | Path | None = None,
        key_file: str | Path | None = None,
        insecure: bool = False,
        server_name: str | None = None,
    ) -> None:
        """Prepares the connection; the first call makes it.

        Args:
            server: Where it is: `host:port` (`host` alone: port 50051) or `unix:PATH`. Of several replicas
                their IP addresses with commas between, or a name that stands for all of them: those that
                are there and serve take turns.
            token: Who calls: the token, or a function that returns it, asked for each call; None or
                an empty one for an anonymous caller.
            timeout: How long a call may take with all its repeats, in seconds, unless the call says.
            ca_file: PEM certificates to know the server by, in place of the system's.
            cert_file: PEM certificate to show to the server, for mutual TLS; with `key_file`.
            key_file: Its private key.
            insecure: Plaintext to another machine. Without it, TLS is left out only where the server
                is on this machine (loopback or a UNIX socket) and no certificate is given.
            server_name: The name that the server's certificate has to be for; its address when None, of
                several addresses the first one.

        Raises:
            ValueError: The arguments contradict each other, or the server is no address.
            OSError: A file cannot be read.
        """
        self._token = token
        self._timeout = timeout
        self._route = Route(server, ca_file, cert_file, key_file, insecure, server_name)
        self._open(self._route)

    @classmethod
    def from_env(cls, *, timeout: float = 30.0) -> Self:
        """A client with the settings that the `shiplift` command has.

        These are SHIPLIFT_SERVER, SHIPLIFT_TOKEN or SHIPLIFT_TOKEN_FILE, SHIPLIFT_CA, SHIPLIFT_CERT,
        SHIPLIFT_KEY, SHIPLIFT_INSECURE and SHIPLIFT_SERVER_NAME, else what `shiplift login` left.

        Raises:
            ValueError: A setting makes no sense.
            OSError: A file cannot be read.
        """
        from shiplift.settings import Settings

        found = Settings.find()
        return cls(
            found.server,
            found.token,
            timeout=timeout,
            ca_file=found.ca_file,
            cert_file=found.cert_file,
            key_file=found.key_file,
            insecure=found.insecure,
            server_name=found.server_name,
        )

    def _open(self, route: Route) -> None:
        raise NotImplementedError

    def _failed(self, error: grpc.RpcError, request_id: str) -> ShipliftError:
        """A failed call as an error. May look at the server, which takes two seconds at the most."""
        told = mismatch(self._route, error)
        if told:
            return Unavailable(grpc.StatusCode.UNAVAILABLE, told, request_id=request_id)
        return error_of(error, request_id)

    def _is_hopeless(self, error: grpc.RpcError) -> bool:
        """Whether no repeat can help, since client and server disagree about TLS. May take two seconds."""
        return bool(mismatch(self._route, error))

    def _limit(self, timeout: float | None) -> float:
        return self._timeout if timeout is None else timeout

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        token = self._token() if callable(self._token) else self._token
        if not token:
            return ()
        if not (token.isascii() and token.isprintable()):
            # gRPC's own refusal would show the token.
            raise ValueError("the token has characters that no token has: was it copied whole?")
        return (("authorization", f"Bearer {token}"),)


class Client(_Connection, Methods):
    """A client for threads, which may share it: a method for every rpc.

    Every call has a deadline, and is repeated until then while the server is UNAVAILABLE or too busy. That
    is safe for writes too, since each carries a request_id, the same in every repeat. A call that is
    refused or fails raises ShipliftError; one that got no answer, its subclass Unavailable. A stream is
    repeated until its first message, within its timeout or else the client's.

        with shiplift.Client("127.0.0.1:50051", token) as client:
            build = client.promote_build(
                owner="octocat", repo="hello-world", build=42, target="production"
            )
    """

    def _open(self, route: Route) -> None:
        credentials = route.credentials()
        if credentials is None:
            self._channel = grpc.insecure_channel(route.target, route.options())
        else:
            self._channel = grpc.secure_channel(route.target, credentials, route.options())
        Methods.__init__(self, self._channel)

    def _call(self, method: grpc.UnaryUnaryMultiCallable[Q, R], request: Q, timeout: float | None) -> R:
        def attempt(left: float) -> tuple[R, grpc.Call]:
            return method.with_call(request, timeout=left, metadata=self._metadata())

        try:
            answer, call = repeated(self._limit(timeout), self._is_hopeless, attempt)
        except grpc.RpcError as error:
            raise self._failed(error, _request_id(request)) from error
        _note_replay(call.trailing_metadata())
        return answer

    def _stream(
        self, method: grpc.UnaryStreamMultiCallable[Q, R], request: Q, timeout: float | None
    ) -> Iterator[R]:
        def attempt(left: float) -> tuple[R | None, Iterator[R]]:
            given = None if timeout is None else left
            answers = iter(method(request, timeout=given, metadata=self._metadata()))
            return next(answers, None), answers

        try:
            first, others = repeated(self._limit(timeout), self._is_hopeless, attempt)
            if first is not None:
                yield first
            yield from others
        except grpc.RpcError as error:
            raise self._failed(error, "") from error

    def find_build(
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
                    answer = ask(**question.arguments, timeout=timeout)
                except NotFound as error:
                    question = finding.throw(error)
                else:
                    question = finding.send(answer)
        except StopIteration as found:
            build: builds_pb2.Build = found.value
            return build

    def wait(
        self,
        build: builds_pb2.Build,
        timeout: float | None = None,
        *,
        on_change: Callable[[builds_pb2.Build], None] | None = None,
    ) -> builds_pb2.Build:
        """Waits until a build has ended, or is blocked and so waits for a person; returns it as it is.

        Stands on WaitBuild, and goes on while the server is away, for ten minutes at a time. For what its
        stages and steps do meanwhile there is `tail_log` with `follow`.

        Args:
            build: The build, as any call returned it.
            timeout: How long to wait, in seconds; without end when None.
            on_change: Called with each new state of the build, the last one included.

        Raises:
            WaitTimeout: It had not ended in time. The build goes on.
            Unavailable: The server has not answered for ten minutes.
            ShipliftError: The build may not be read, or is not there.
        """
        waiting = Waiting(build, timeout, on_change)
        while True:
            try:
                answer = self.wait_build(
                    owner=build.owner,
                    repo=build.repo,
                    build=build.number,
                    seen_version=waiting.build.version,
                    timeout=waiting.deadline(),
                )
            except Unavailable as error:
                time.sleep(waiting.pause(error))
                continue
            if not waiting.goes_on(answer):
                return answer

    def close(self) -> None:
        """Closes the connection; calls in flight end."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class AsyncClient(_Connection, AsyncMethods):
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
            raise await asyncio.to_thread(self._failed, error, _request_id(request)) from error
        _note_replay(await call.trailing_metadata())
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


def _request_id(request: Message) -> str:
    return str(getattr(request, "request_id", ""))


def _note_replay(metadata: Iterable[tuple[str, str | bytes]] | None) -> None:
    # A tuple, because the asynchronous metadata looks for keys with `in`.
    _replayed.set(("shiplift-replayed", "true") in tuple(metadata or ()))
