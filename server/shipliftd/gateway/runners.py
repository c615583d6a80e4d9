"""Drone's runner calls, so that its runners work unchanged: a handler each, over our rpcs.

A runner's `X-Drone-Token` is a runner token of ours, and an `{id}` is the id in the whole installation.
What these calls look like is Drone 2.25's on the wire.
"""

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import NamedTuple

import grpc
import grpc.aio
import orjson
from shiplift.v1 import access_pb2, stages_pb2
from starlette.types import Receive, Scope, Send

from shipliftd.gateway import runner_json
from shipliftd.gateway.edge import answer
from shipliftd.gateway.exchange import Stubs
from shipliftd.gateway.failures import Failure, not_allowed, of_rpc
from shipliftd.gateway.health import Health
from shipliftd.gateway.runner_exchange import RunnerExchange
from shipliftd.gateway.shapes import BUILD, REPO, STAGE, STEP

WAIT_SECONDS = 30.0
# Runners ask for work again at once when they are refused.
_REFUSED_SECONDS = 1.0
# The rpc answers a second before its deadline.
_ACQUIRE_SECONDS = WAIT_SECONDS + 1
_WATCH_SECONDS = WAIT_SECONDS + 5
# Statuses above this one make a runner wait for 10 s.
_LAST_REFUSAL = 501
# The repository's own is always there; without any a runner would kill the build at once.
_TIMEOUT_MINUTES = 60


class Reply(NamedTuple):
    """An answer: its status, and its JSON if it has some."""

    status: int
    body: bytes = b""


_DONE, _NOTHING = Reply(200), Reply(204)
Handler = Callable[[RunnerExchange], Awaitable[Reply]]


def _json(value: object) -> Reply:
    return Reply(200, orjson.dumps(value))


async def ping(exchange: RunnerExchange) -> Reply:
    """POST /ping: whether the token is a runner's."""
    token = (await exchange.call(exchange.access.WhoAmI, access_pb2.WhoAmIRequest())).token
    if access_pb2.TOKEN_ACTION_RUN not in token.actions or not (token.repositories or token.environments):
        told = (
            "this is not a runner's token: those have the action run, and name repositories or environments"
        )
        raise Failure(403, grpc.StatusCode.PERMISSION_DENIED, told)
    return _DONE


async def acquire(exchange: RunnerExchange) -> Reply:
    """POST /stage: waits for a stage that the runner can do."""
    try:
        await exchange.health.require()
        return await exchange.unless_gone(_acquired(exchange))
    except grpc.aio.AioRpcError as error:
        failure = _failure(error)
    except Failure as error:
        failure = error
    if failure.status == 500:
        failure.status = 503
    if failure.status <= _LAST_REFUSAL:
        await exchange.unless_gone(asyncio.sleep(_REFUSED_SECONDS))
    raise failure


async def _acquired(exchange: RunnerExchange) -> Reply:
    wanted = runner_json.wanted(exchange.json(), exchange.client or "drone")
    if wanted is None:
        # Our stages are of another kind than those: there will be none.
        await ping(exchange)
        await asyncio.sleep(WAIT_SECONDS)
        return _NOTHING
    found = await exchange.call(exchange.stages.AcquireStage, wanted, _ACQUIRE_SECONDS)
    return _json(STAGE.json(found.offer)) if found.HasField("offer") else _NOTHING


async def accept(exchange: RunnerExchange) -> Reply:
    """POST /stage/{id}?machine=NAME: claims it."""
    request = stages_pb2.AcceptStageRequest(
        stage_id=exchange.id("stage"), machine=exchange.query.get("machine", "")
    )
    lease = await exchange.call(exchange.stages.AcceptStage, request)
    return _json(STAGE.json(lease.stage))


async def detail(exchange: RunnerExchange) -> Reply:
    """GET /stage/{id}: all that is needed for it."""
    request = stages_pb2.GetLeaseRequest(stage_id=exchange.id("stage"), resolve_pipeline=True)
    lease = await exchange.call(exchange.stages.GetLease, request)
    if lease.pipeline and not lease.resolved_pipeline:
        # The file itself would have the runner put parameters into commands.
        told = "the server is older than this gateway: upgrade it"
        raise Failure(503, grpc.StatusCode.UNAVAILABLE, told)
    repository, build = REPO.json(lease.repository), BUILD.json(lease.build)
    # Drone's runners make a step's variables themselves, of what they know and the parameters.
    ours = {
        name: value
        for name, value in lease.plan.environment.items()
        if name.startswith("SHIPLIFT_") or name == "TRACEPARENT"
    }
    secret = {name: lease.plan.environment[name] for name in lease.build.masked_params}
    build["params"] = {**build.get("params", {}), **secret, **ours}
    return _json(
        {
            "build": build,
            "stage": STAGE.json(lease.stage),
            "repository": {
                **repository,
                "timeout": repository["timeout"] or _TIMEOUT_MINUTES,
                "secret": "",
            },
            "config": {"Data": base64.b64encode(lease.resolved_pipeline.encode()).decode(), "Hash": None},
            # For a build of a pull request the server has left out what is not for one.
            "secrets": [
                {"name": secret.name, "data": secret.value, "pull_request": True}
                for secret in lease.secrets
            ]
            or None,
            "system": _system(exchange, lease.plan.environment),
            "netrc": _netrc(lease),
        }
    )


def _netrc(lease: stages_pb2.StageLease) -> dict[str, str] | None:
    if not lease.HasField("netrc"):
        return None
    found = lease.netrc
    return {"machine": found.machine, "login": found.login, "password": found.password}


def _system(exchange: RunnerExchange, variables: Mapping[str, str]) -> dict[str, str]:
    # The steps' links begin with it.
    proto, _, rest = exchange.link.partition("://")
    return {
        "proto": proto,
        "host": rest.partition("/")[0],
        "link": exchange.link,
        "version": variables.get("DRONE_SYSTEM_VERSION", ""),
    }


async def report(exchange: RunnerExchange) -> Reply:
    """PUT /stage/{id}: how it goes on, and its steps with it."""
    request = runner_json.of_stage(exchange.id("stage"), exchange.json())
    stage = await exchange.call(exchange.stages.UpdateStage, request)
    return _json(STAGE.json(stage))


async def report_step(exchange: RunnerExchange) -> Reply:
    """PUT /step/{id}: how it goes on."""
    request = runner_json.of_step(exchange.id("step"), exchange.json())
    step = await exchange.call(exchange.stages.UpdateStep, request)
    return _json(STEP.json(step))


async def card(exchange: RunnerExchange) -> Reply:
    """POST /step/{id}/card: what form of card the step left; the card itself is not kept."""
    request = runner_json.of_card(exchange.id("step"), exchange.json())
    await exchange.call(exchange.stages.UpdateStep, request)
    return _DONE


async def batch(exchange: RunnerExchange) -> Reply:
    """POST /step/{id}/logs/batch: lines as they come."""
    return await _log(exchange, replace=False)


async def upload(exchange: RunnerExchange) -> Reply:
    """POST /step/{id}/logs/upload: the whole log, in place of the lines that came before."""
    return await _log(exchange, replace=True)


async def _log(exchange: RunnerExchange, replace: bool) -> Reply:
    for request in runner_json.of_log(exchange.id("step"), exchange.json(), replace):
        await exchange.call(exchange.stages.AppendLog, request)
    return _DONE


async def watch(exchange: RunnerExchange) -> Reply:
    """POST /build/{id}/watch: waits for the order to stop."""
    return await exchange.unless_gone(_stopped(exchange))


async def _stopped(exchange: RunnerExchange) -> Reply:
    request = stages_pb2.WatchStageRequest(build_id=exchange.id("build"))
    answers = exchange.stream(exchange.stages.WatchStage, request, _WATCH_SECONDS)
    try:
        async with asyncio.timeout(WAIT_SECONDS), aclosing(answers):
            async for answer in answers:
                if answer.stop:
                    break
    except TimeoutError:
        return _NOTHING
    return _DONE


ROUTES: Mapping[str, Mapping[str, Handler]] = {
    "/rpc/v2/ping": {"POST": ping},
    "/rpc/v2/stage": {"POST": acquire},
    "/rpc/v2/stage/{stage}": {"POST": accept, "GET": detail, "PUT": report},
    "/rpc/v2/step/{step}": {"PUT": report_step},
    "/rpc/v2/step/{step}/logs/batch": {"POST": batch},
    "/rpc/v2/step/{step}/logs/upload": {"POST": upload},
    "/rpc/v2/step/{step}/card": {"POST": card},
    "/rpc/v2/build/{build}/watch": {"POST": watch},
}


class Runners:
    """The calls on one path, by method."""

    def __init__(
        self,
        stubs: Stubs,
        health: Health,
        draining: asyncio.Event,
        public_url: str,
        handlers: Mapping[str, Handler],
    ) -> None:
        self._stubs, self._health, self._draining = stubs, health, draining
        self._public_url = public_url
        self._handlers = handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Called for each request."""
        handler = self._handlers.get(scope["method"])
        if handler is None:
            raise not_allowed(self._handlers)
        exchange = RunnerExchange(
            self._stubs, scope, receive, self._health, self._draining, self._public_url
        )
        await exchange.read()
        try:
            reply = await handler(exchange)
        except grpc.aio.AioRpcError as error:
            raise _failure(error) from None
        await answer(send, reply.status, reply.body)


_BUSY = frozenset({"SERVER_BUSY", "TOKEN_BUSY"})


def _failure(error: grpc.aio.AioRpcError) -> Failure:
    if error.code() is grpc.StatusCode.ABORTED:
        return Failure(409, error.code(), "Optimistic Lock Error")
    failure = of_rpc(error)
    if failure.status == 409:
        # To a runner that is always the one above, whatever the words.
        failure.status = 400
    elif any(detail.get("reason") in _BUSY for detail in failure.details):
        # It repeats what has a status above 501, and gives up on others.
        failure.status = 503
    return failure
