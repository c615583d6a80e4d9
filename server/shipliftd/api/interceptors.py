"""The one pass that every call takes: whether it is let through, how long, and who hears of a refusal."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection
from dataclasses import replace
from typing import Any, NoReturn

import grpc
import grpc.aio
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from shiplift.v1 import access_pb2 as pb

from shipliftd.access.answers import bounded
from shipliftd.access.callers import CALLER, Caller
from shipliftd.access.guard import Guard
from shipliftd.access.write_once import audit
from shipliftd.api import observed
from shipliftd.api.admission import Admission, Busy
from shipliftd.api.calls import Context, Handler, Origin, Rpc, Told, note, origin_of, rules_of, told_in
from shipliftd.api.refusals import (
    LATE,
    SHUTTING_DOWN,
    Malformed,
    decoder,
    each_well_formed,
    end,
    malformed,
    refusal_of,
    well_formed,
)
from shipliftd.clock import now
from shipliftd.descriptors import WAITING
from shipliftd.errors import Defect, Invalid, Refusal, Unauthenticated, Unavailable
from shipliftd.settings import Limits
from shipliftd.store import Store
from shipliftd.store.transaction import Change

log = logging.getLogger(__name__)

# How often the caller of an open stream is looked at again, beside every change of access.
RECHECK_SECONDS = 15.0
LAST_WORDS_SECONDS = 0.3


class Interceptor(grpc.aio.ServerInterceptor):
    """Lets a call through or refuses it; gives what it raises its status.

    Its wrapped handlers are kept, one a method: making them anew each time cost a tenth of the rate.
    """

    def __init__(self, store: Store, services: Collection[ServiceDescriptor], limits: Limits) -> None:
        self._store = store
        self._observers: list[observed.Observer] = []
        self.admission = Admission(services, limits)
        self._rpcs = rules_of(services)
        self._handlers: dict[str, Handler] = {}
        self._changed = asyncio.Event()
        self._changes = 0
        self._draining = asyncio.Event()
        self._running: set[asyncio.Task[Any]] = set()
        self._guard = Guard(store)
        store.subscribe(self._see)
        self.used_tokens: set[int] = set()
        # All that ever knocked, and how many of them the log has told of.
        self.strangers = self.strangers_told = 0

    def observe(self, observer: observed.Observer) -> None:
        """Has somebody look at every call; to be told before the first one."""
        self._observers.append(observer)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Called by gRPC for each call, in the call's own task, before its request is read."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # gRPC makes one for each call, which ends with its answer
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        place = self.admission.enter(handler_call_details.method, handler_call_details.invocation_metadata)
        if isinstance(place, Busy):
            return place.handler
        task.add_done_callback(place)
        return await self.handler(continuation, handler_call_details)

    async def handler(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """What answers a call; None when there is no such rpc."""
        path = handler_call_details.method
        if self._draining.is_set() and path in self._rpcs:
            return LATE
        handler = self._handlers.get(path)
        if handler is None:
            found = await continuation(handler_call_details)
            rpc = self._rpcs.get(path)
            if found is None:
                return None
            # Health and reflection are everybody's.
            handler = self._wrapped(found, rpc) if rpc is not None else self._ending(found)
            self._handlers[path] = handler
        return handler

    async def drain(self, seconds: float) -> None:
        """Ends streams, refuses new calls from now on, and waits so long for the answers of the others."""
        self._draining.set()
        if self._running:
            await asyncio.wait(set(self._running), timeout=seconds)

    def _ending(self, handler: Handler) -> Handler:
        """Health's watches and reflection's streams: they end when the server drains."""
        decode = decoder(handler.request_deserializer)
        if handler.unary_unary is not None:
            return grpc.unary_unary_rpc_method_handler(
                well_formed(handler.unary_unary), decode, handler.response_serializer
            )
        behavior = handler.unary_stream or handler.stream_stream
        assert behavior is not None  # noqa: S101  # neither health nor reflection has another kind

        async def call(request: Any, context: Any) -> None:  # noqa: ANN401
            if isinstance(request, Malformed):
                await end(malformed(request), context)
            told: Any = each_well_formed(request) if handler.request_streaming else request
            work = asyncio.ensure_future(_written(behavior(told, context), context))
            draining = asyncio.ensure_future(self._draining.wait())
            try:
                await asyncio.wait({work, draining}, return_when=asyncio.FIRST_COMPLETED)
                # A watch still tells that the server is not serving.
                await asyncio.wait({work}, timeout=LAST_WORDS_SECONDS)
                if not work.done():
                    await end(Unavailable(SHUTTING_DOWN), context)
                await work
            except Invalid as refusal:
                await end(refusal, context)
            finally:
                work.cancel()
                draining.cancel()

        make = (
            grpc.stream_stream_rpc_method_handler
            if handler.request_streaming
            else grpc.unary_stream_rpc_method_handler
        )
        return make(call, decode, handler.response_serializer)

    def _wrapped(self, handler: Handler, rpc: Rpc) -> Handler:
        decode = decoder(handler.request_deserializer)
        if handler.unary_unary is not None:
            behavior = self._unary(handler.unary_unary, rpc)
            for observer in self._observers:
                behavior = observed.unary(behavior, observer(rpc.name, rpc.name in WAITING))
            return grpc.unary_unary_rpc_method_handler(behavior, decode, handler.response_serializer)
        if handler.unary_stream is not None:
            behavior = self._stream(handler.unary_stream, rpc)
            for observer in self._observers:
                behavior = observed.stream(behavior, observer(rpc.name, True))
            return grpc.unary_stream_rpc_method_handler(behavior, decode, handler.response_serializer)
        raise NotImplementedError(f"{rpc.name} streams requests; Shiplift has no such rpc")

    def _unary(self, behavior: Callable[..., Any], rpc: Rpc) -> Callable[..., Any]:
        if rpc.name in WAITING:
            behavior = self._waiting(behavior, rpc)

        async def call(request: Message | Malformed, context: Context) -> Message:
            told = told_in(context)
            try:
                if isinstance(request, Malformed):
                    raise malformed(request)
                caller = await self._guard.admit(rpc.name, rpc.rule, request, told.authorization)
                if rpc.writes:
                    origin = origin_of(context)
                    caller = replace(caller, address=origin.address, client=origin.client)
                self._enter(caller)
                answer: Message = await behavior(request, context)
                if rpc.writes and not caller.reads:
                    answer = bounded(answer, request)
            except asyncio.CancelledError:
                raise
            except Exception as error:
                await self._refuse(error, rpc, request, told, context)
            if told.is_traced:
                note(rpc, told, "OK", caller.login)
            return answer

        return call

    def _enter(self, caller: Caller) -> None:
        CALLER.set(caller)
        if caller.token_id:
            self.used_tokens.add(caller.token_id)

    def _waiting(self, behavior: Callable[..., Any], rpc: Rpc) -> Callable[..., Any]:
        """The same, which ends when its caller may no longer wait."""

        async def once(request: Message, context: Context) -> AsyncGenerator[Message]:
            yield await behavior(request, context)

        async def call(request: Message, context: Context) -> Message:
            async def admit() -> Caller:
                return await self._guard.admit_anew(
                    rpc.name, rpc.rule, request, told_in(context).authorization
                )

            # What waits is answered by itself when the server drains.
            answers = self._watched(once(request, context), admit, draining=asyncio.Event())
            async with contextlib.aclosing(answers):
                return await anext(answers)

        return call

    def _stream(self, behavior: Callable[..., Any], rpc: Rpc) -> Callable[..., Any]:
        async def call(request: Message | Malformed, context: Context) -> AsyncIterator[Message]:
            told = told_in(context)

            async def admit() -> Caller:
                if self._draining.is_set():
                    raise Unavailable(SHUTTING_DOWN)
                if isinstance(request, Malformed):
                    raise malformed(request)
                caller = await self._guard.admit_anew(rpc.name, rpc.rule, request, told.authorization)
                self._enter(caller)
                return caller

            try:
                async for message in self._watched(behavior(request, context), admit, self._draining):
                    yield message
            except asyncio.CancelledError:
                raise
            except Exception as error:
                await self._refuse(error, rpc, request, told, context)

        return call

    async def _watched(
        self,
        stream: AsyncGenerator[Message],
        admit: Callable[[], Awaitable[Caller]],
        draining: asyncio.Event,
    ) -> AsyncGenerator[Message]:
        """The stream's messages, as long as its caller may have them."""
        loop = asyncio.get_running_loop()
        # Counted and timed, for a stream that is never silent would not see an event that came and went.
        seen, due = self._changes, _due(await admit())
        message = asyncio.ensure_future(anext(stream))
        # Not made anew for each message: that took as long again as all else that is done for one.
        changed = asyncio.ensure_future(self._changed.wait())
        drained = asyncio.ensure_future(draining.wait())
        try:
            while True:
                await asyncio.wait(
                    {message, changed, drained},
                    timeout=max(0.0, due - loop.time()),
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if changed.done():
                    changed = asyncio.ensure_future(self._changed.wait())
                if seen != self._changes or loop.time() >= due or draining.is_set():
                    seen, due = self._changes, _due(await admit())
                if message.done():
                    try:
                        ready = message.result()
                    except StopAsyncIteration:
                        return
                    yield ready
                    message = asyncio.ensure_future(anext(stream))
        finally:
            # Or each caller who hangs up leaves two that wait for ever.
            changed.cancel()
            drained.cancel()
            message.cancel()
            # A stream that has a message ready cannot be cancelled: it waits to be asked for the next one.
            await asyncio.wait({message})
            await stream.aclose()

    def _see(self, changes: Collection[Change]) -> None:
        if any(kind in ("access", "tokens") for kind, _ in changes):
            self.access_changed()

    def access_changed(self) -> None:
        """Looks up every caller again, those of open calls at once."""
        self._guard.forget()
        self._changes += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def _refuse(
        self,
        error: Exception,
        rpc: Rpc,
        request: Message | Malformed,
        told: Told,
        context: Context,
    ) -> NoReturn:
        refusal = refusal_of(error, rpc, told)
        if isinstance(refusal, Unauthenticated):
            self.strangers += 1
        elif rpc.writes and not isinstance(refusal, Unavailable | Defect):
            await self._audit(rpc, request, told, refusal, origin_of(context))
        if told.is_traced:
            token = await self._guard.token_of(told.authorization)
            note(rpc, told, refusal.code.name, token.login if token else "")
        await end(refusal, context)

    async def _audit(
        self, rpc: Rpc, request: Message | Malformed, told: Told, refusal: Refusal, origin: Origin
    ) -> None:
        token = await self._guard.token_of(told.authorization)
        if token is None:
            return
        caller = Caller(
            rpc.name,
            token.user_id,
            token.token_id,
            token.login,
            address=origin.address,
            client=origin.client,
        )
        kept = pb.WhoAmIRequest() if isinstance(request, Malformed) else request
        try:
            # In a transaction of its own: the verb's was rolled back.
            await self._store.write(audit, caller, kept, None, refusal)
        except Refusal:
            log.warning("not audited", extra={"method": rpc.name, "login": token.login, **told.named})


def _due(caller: Caller) -> float:
    """When the caller of an open call is looked at again, by the loop's clock."""
    left = (caller.expires - now()) / 1000 if caller.expires else RECHECK_SECONDS
    return asyncio.get_running_loop().time() + min(max(left, 0.0), RECHECK_SECONDS)


async def _written(answers: Any, context: Context) -> None:  # noqa: ANN401
    """Sends what a streaming handler yields, if it does not write itself."""
    if not isinstance(answers, AsyncIterator):
        await answers
        return
    async for message in answers:
        await context.write(message)
