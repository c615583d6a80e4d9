"""The client for threads."""

# gRPC's callables are generic in their type stubs alone.
from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from types import TracebackType
from typing import Self

import grpc

from shiplift._channel import Route
from shiplift._connection import Connection, note_replay, request_id_of
from shiplift._methods import BuildEventWord, Methods, Q, R
from shiplift._naming import Name
from shiplift._repeats import repeated
from shiplift._waiting import Waiting, Watching
from shiplift.errors import NotFound, ShipliftError, Unavailable
from shiplift.v1 import builds_pb2


class Client(Connection, Methods):
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
            raise self._failed(error, request_id_of(request)) from error
        note_replay(call.trailing_metadata())
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

    def watch(
        self,
        *,
        owner: str = "",
        repo: str = "",
        build: int = 0,
        environment: str = "",
        events: Sequence[builds_pb2.BuildEvent | BuildEventWord] = (),
        cursor: str = "",
    ) -> Generator[builds_pb2.WatchBuildsResponse]:
        """Builds as they move, over as many connections as it takes: `watch_builds` that comes back.

        First the builds that have not ended (`snapshot`) and `snapshot_end`, then every `change`, each
        once, in order; heartbeats are left out. Where a connection ends it goes on from the last cursor, at
        whichever server answers, and asks one that is away for ten minutes. A snapshot that was cut off
        begins anew.

        Args:
            owner: The repository's owner. Without it and `repo` all repositories that the caller may read.
            repo: The repository's name.
            build: Only this build; its number.
            environment: Only promotions and rollbacks to this environment, and what becomes of it.
            events: Only builds of these events.
            cursor: The cursor of the last response that was seen: without a snapshot from there on.

        Raises:
            Refused: The cursor is too old (`reason` CURSOR_TOO_OLD): begin without one.
            Unavailable: The server has not answered for ten minutes.
            ShipliftError: The caller may not read that, or no longer.
        """
        watching = Watching(cursor)
        while True:
            try:
                for response in self.watch_builds(
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
                time.sleep(watching.pause(error))

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
