"""One call of a Drone runner: what it says, and how it is waited with."""

import asyncio
import re
from collections.abc import Coroutine
from typing import Any, TypeVar

import grpc
import orjson
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from shipliftd.gateway.edge import hung_up, read_body
from shipliftd.gateway.exchange import Exchange, Stubs
from shipliftd.gateway.failures import SHUTTING_DOWN, Failure, invalid
from shipliftd.gateway.health import Health

T = TypeVar("T")

_ID = re.compile(r"[0-9]{1,18}")


class RunnerExchange(Exchange):
    """A request of a runner. Its body is JSON, whatever it says of it."""

    def __init__(
        self,
        stubs: Stubs,
        scope: Scope,
        receive: Receive,
        health: Health,
        draining: asyncio.Event,
        public_url: str,
    ) -> None:
        super().__init__(stubs, scope, receive)
        self.health = health
        self._public_url = public_url
        self._draining = draining
        self._body = b""

    async def read(self) -> None:
        """Reads the body; from then on `unless_gone` can tell whether the runner is there."""
        self._body = await read_body(self._receive)

    def json(self) -> Any:  # noqa: ANN401
        """What the body says."""
        try:
            return orjson.loads(self._body)
        except orjson.JSONDecodeError as error:
            raise invalid(f"the body is not JSON: {error}") from None

    def id(self, name: str) -> int:
        """An id in the path."""
        text = self.segment(name)
        if not _ID.fullmatch(text):
            raise invalid(f"{name}: {text[:60]!r} is not an id")
        return int(text)

    @property
    def link(self) -> str:
        """Where this server is: as it was told, else as the runner knows it."""
        return self._public_url.rstrip("/") or f"{self._scope['scheme']}://{self.header('host') or ''}"

    @property
    def client(self) -> str:
        """The address that the runner calls from; empty on a UNIX socket."""
        client = self._scope.get("client")
        return str(client[0]) if client else ""

    async def unless_gone(self, work: Coroutine[Any, Any, T]) -> T:
        """What the work comes to, unless the runner hangs up or the gateway stops before.

        Raises ClientDisconnect, or Failure with 503.
        """
        task = asyncio.create_task(work)
        gone = asyncio.create_task(hung_up(self._receive))
        draining = asyncio.create_task(self._draining.wait())
        try:
            await asyncio.wait({task, gone, draining}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            if gone.done():
                raise ClientDisconnect
            raise Failure(503, grpc.StatusCode.UNAVAILABLE, SHUTTING_DOWN)
        finally:
            for each in (task, gone, draining):
                each.cancel()

    @property
    def _authorization(self) -> str | None:
        token = self.header("x-drone-token")
        return None if token is None else f"Bearer {token}"
