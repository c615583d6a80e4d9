"""The only wiring: store, interceptor, servicers, health, reflection, drain."""

import asyncio
import contextlib
import gc
import logging
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, cast

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from shiplift.v1 import (
    access_pb2_grpc,
    builds_pb2_grpc,
    environments_pb2_grpc,
    secrets_pb2_grpc,
    server_pb2_grpc,
    stages_pb2_grpc,
)

from shipliftd import __version__, first_start, retention, tls
from shipliftd.access import audit_chain, tokens
from shipliftd.api import reflection
from shipliftd.api.inprocess import InProcess
from shipliftd.api.interceptors import LAST_WORDS_SECONDS, Interceptor
from shipliftd.api.services.access import AccessService
from shipliftd.api.services.builds import BuildService
from shipliftd.api.services.environments import EnvironmentService
from shipliftd.api.services.runs import Runs
from shipliftd.api.services.secrets import SecretService
from shipliftd.api.services.server import ServerService
from shipliftd.api.services.stages import StageService
from shipliftd.builds import endings, waiting
from shipliftd.builds.parameters import ParameterRules
from shipliftd.clock import Setting
from shipliftd.descriptors import MOST_REQUEST, SERVICES
from shipliftd.errors import Precondition, Unavailable
from shipliftd.logins import Logins
from shipliftd.secrets import given
from shipliftd.secrets.keys import Keyring
from shipliftd.settings import Settings
from shipliftd.signals import Signals
from shipliftd.stages import known_runners, leases
from shipliftd.stages.known_runners import KnownRunners
from shipliftd.store import Lock, Store, is_damaged, open_store
from shipliftd.store.transaction import Change, Reader

if TYPE_CHECKING:
    from shipliftd.gateway.serving import HttpServer
    from shipliftd.metrics.measures import Metrics
    from shipliftd.tracing import Traces

log = logging.getLogger(__name__)

_MOST_PENDING = 100_000
_NAMES = [service.full_name for service in SERVICES]
_OPTIONS = (
    # Otherwise a second server silently takes half of the calls of the first.
    ("grpc.so_reuseport", 0),
    # Go's clients ping every 10 s at the most often, without a call too; the default cuts them off.
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    # So that clients find replicas that came later.
    ("grpc.max_connection_age_ms", 30 * 60_000),
    ("grpc.max_connection_age_grace_ms", 60_000),
    ("grpc.max_receive_message_length", MOST_REQUEST),
    # More calls that wait to be taken, or one that waits longer, and gRPC answers CANCELLED, which no
    # client repeats; its own limits are 1,000 (3,000 for certain) and 30 s.
    ("grpc.server.max_pending_requests", _MOST_PENDING),
    ("grpc.server.max_pending_requests_hard_limit", _MOST_PENDING),
    ("grpc.server_max_unrequested_time_in_server", 600),
)

# Addresses to listen on that are none to call.
_EVERYWHERE = frozenset({"", "0.0.0.0", "[::]"})  # noqa: S104  # compared, not listened on
_NOTE_SECONDS = 60
_OTLP = "http/protobuf"
# What sets a clock by less corrects it, and takes no lease away that is kept.
_CLOCK_SECONDS = 5
# Nobody can say that a runner was silent while nobody listened.
_GAP_SECONDS = 10
_TEND_SECONDS = 10
# A call makes some hundred objects, hardly any in a cycle; the default looks after each 700.
_GC_THRESHOLD = 20_000


async def serve(settings: Settings) -> None:
    """Runs a server until SIGTERM or SIGINT, lets calls in flight finish, and ends the process.

    Raises Precondition when it cannot start, in words for people.
    """
    settings.check()
    credentials = tls.credentials(settings.tls)
    logins = Logins(settings.netrc_file)
    keyring = Keyring(settings.secret_key_file, settings.secret_key)
    # The lock first: a restore must not exchange the file that is being opened.
    with contextlib.ExitStack() as held:
        if isinstance(settings.database, Path):
            held.enter_context(contextlib.closing(Lock(settings.database)))
        store = open_store(settings.database, settings.connections)
        try:
            await store.start()
            await first_start.first_start(store)
            await _tell_of_lost(store, keyring)
            if store.is_alone:
                await store.write(leases.extend_leases)
            await store.write(known_runners.forget_old)
            await _run(settings, store, credentials, logins, keyring)
        finally:
            store.close()
    _leave()


async def _tell_of_lost(store: Store, keyring: Keyring) -> None:
    try:
        lost = await store.read(given.lost, keyring)
    except Exception as error:
        # What is damaged keeps no server from the rest.
        if not is_damaged(error):
            raise
        lost = ["nobody knows which: their table is damaged"]
    if lost:
        log.warning("secrets cannot be opened", extra={"secrets": ", ".join(lost)})


def _leave() -> NoReturn:
    """Ends the process, and with it its connections: to whoever still calls, the server is UNAVAILABLE.

    gRPC's own stop answers CANCELLED to what arrives meanwhile, and no client repeats that
    (grpc/grpc#41785); so does a task of its that is cancelled, as asyncio's runner does at its end.
    """
    logging.shutdown()
    sys.stdout.flush()
    os._exit(0)


async def _run(
    settings: Settings,
    store: Store,
    credentials: grpc.ServerCredentials | None,
    logins: Logins,
    keyring: Keyring,
) -> None:
    interceptor = Interceptor(store, SERVICES, settings.limits)
    server = grpc.aio.server(interceptors=[interceptor], options=_OPTIONS)
    inprocess = InProcess(interceptor)
    healths = health.aio.HealthServicer()
    http = _http(settings, inprocess)
    link = _link(settings, http)
    runs = Runs(store, KnownRunners(store, await store.read(known_runners.remembered)))
    traces = _trace(interceptor)
    metrics = None
    if settings.metrics is not None:
        metrics = await _measure(settings.metrics, store, interceptor, runs)
    rules = ParameterRules(settings.refuse_params, keyring)
    stages = StageService(store, runs, logins, link, keyring)
    for door in (cast(grpc.aio.Server, _Unregistered(server)), cast(grpc.aio.Server, inprocess)):
        builds_pb2_grpc.add_BuildServiceServicer_to_server(
            BuildService(store, rules, runs, stages.masking), door
        )
        access_pb2_grpc.add_AccessServiceServicer_to_server(AccessService(store), door)
        environments_pb2_grpc.add_EnvironmentServiceServicer_to_server(
            EnvironmentService(store, rules, runs), door
        )
        stages_pb2_grpc.add_StageServiceServicer_to_server(stages, door)
        secrets_pb2_grpc.add_SecretServiceServicer_to_server(SecretService(store, keyring), door)
        server_pb2_grpc.add_ServerServiceServicer_to_server(ServerService(settings), door)
        health_pb2_grpc.add_HealthServicer_to_server(healths, door)
    reflection.add_to(server, [*_NAMES, health.SERVICE_NAME])
    address = _bind(server, settings.listen, credentials)
    signals = Signals()
    await server.start()
    await _tell(healths, health_pb2.HealthCheckResponse.SERVING)
    listening = {"address": address, "database": store.name, "version": __version__}
    if http is not None:
        await http.start()
        listening["http"] = http.address
    if metrics is not None:
        listening["metrics"] = metrics.address
    log.info("listening", extra=listening)
    gc.collect()
    # What is there now stays; without this each full collection walks all of it.
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD)
    housekeeping = asyncio.create_task(_housekeep(store, interceptor, healths, runs, metrics))
    removing = asyncio.create_task(retention.remove_old(store, settings.retention))
    sealing = asyncio.create_task(audit_chain.keep_sealing(store))
    feeding = asyncio.create_task(runs.feed.run())
    await signals.wait()
    log.info("draining", extra={"seconds": settings.drain_seconds})
    await healths.enter_graceful_shutdown()
    runs.end()
    answering = asyncio.create_task(interceptor.drain(settings.drain_seconds))

    def hurry() -> None:
        answering.cancel()
        if http is not None:
            http.hurry()

    await signals.end(_answered(answering, http), hurry)
    housekeeping.cancel()
    removing.cancel()
    sealing.cancel()
    feeding.cancel()
    store.hurry()
    await _note(store, interceptor)
    await _seal(store)
    await store.drain()
    await interceptor.drain(LAST_WORDS_SECONDS)
    if traces is not None:
        await traces.end()
    if address.startswith("unix:"):
        Path(address.removeprefix("unix:")).unlink(missing_ok=True)
    log.info("stopped")


class _Unregistered:
    """Stands in for a server where servicers are added, and keeps gRPC from registering their methods.

    It would wait for each of them apart, and look at all of these waits anew for every call.
    """

    def __init__(self, server: grpc.aio.Server) -> None:
        self.add_generic_rpc_handlers = server.add_generic_rpc_handlers

    def add_registered_method_handlers(self, _service: str, _handlers: object) -> None:
        """Called by the generated `add_...Servicer_to_server`."""


async def _answered(answering: asyncio.Task[None], http: "HttpServer | None") -> None:
    await asyncio.gather(asyncio.wait([answering]), *([http.stop()] if http is not None else []))


def _http(settings: Settings, inprocess: InProcess) -> "HttpServer | None":
    if settings.http is None:
        return None
    from shipliftd.gateway.serving import HttpServer  # Starlette and all, which gRPC alone does without

    return HttpServer.of(
        inprocess.channel(), settings.http, settings.tls, settings.public_url, settings.drain_seconds
    )


def _link(settings: Settings, http: "HttpServer | None") -> str:
    """What links to this server begin with; '' where nothing answers them."""
    if settings.public_url or http is None or http.address.startswith("unix:"):
        return settings.public_url.rstrip("/")
    host, _, port = http.address.rpartition(":")
    scheme = "http" if settings.tls.cert is None else "https"
    return f"{scheme}://{socket.gethostname() if host in _EVERYWHERE else host}:{port}"


async def _tell(healths: health.aio.HealthServicer, status: int) -> None:
    for name in ("", *_NAMES):
        await healths.set(name, status)


def _bind(server: grpc.aio.Server, listen: str, credentials: grpc.ServerCredentials | None) -> str:
    try:
        if credentials is None:
            port = server.add_insecure_port(listen)
        else:
            port = server.add_secure_port(listen, credentials)
    except RuntimeError as error:
        raise Precondition(
            f"cannot listen on {listen}: is the port taken, or the address not this machine's?"
            " Name another with --listen"
        ) from error
    if listen.startswith("unix:"):
        return listen
    return f"{listen.rpartition(':')[0]}:{port}"


def _trace(interceptor: Interceptor) -> "Traces | None":
    """What traces calls, where the environment says to whom they are told."""
    if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return None
    protocol = os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", _OTLP)
    if protocol != _OTLP:
        told = f"OTEL_EXPORTER_OTLP_PROTOCOL {protocol!r} is not spoken here: wanted {_OTLP}"
        log.warning("no traces", extra={"error": told})
        return None
    try:
        from shipliftd.tracing import Traces  # OpenTelemetry's libraries, an extra
    except ImportError as error:
        # The variable may be set for everything on this machine: no reason not to serve.
        told = "OTEL_EXPORTER_OTLP_ENDPOINT is set, and libraries are missing: pip install 'shiplift[otel]'"
        log.warning("no traces", extra={"error": f"{told} ({error.name})"})
        return None
    traces = Traces()
    interceptor.observe(traces.calls)
    return traces


async def _measure(listen: str, store: Store, interceptor: Interceptor, runs: Runs) -> "Metrics":
    from shipliftd.metrics import measures, serving  # Prometheus's library, for who wants it

    listener = serving.Listener(listen)
    metrics = measures.Metrics(
        listener.address, store, lambda: measures.Now(runs.dispatcher.waiting, interceptor.strangers)
    )
    interceptor.observe(metrics.calls)
    await listener.start(metrics)
    return metrics


async def _housekeep(
    store: Store,
    interceptor: Interceptor,
    healths: health.aio.HealthServicer,
    runs: Runs,
    metrics: "Metrics | None" = None,
) -> None:
    seconds, looked, failing, clock = 0, time.monotonic(), False, Setting()
    while True:
        await asyncio.sleep(1)
        seconds += 1
        # Once that is told: it may take a while.
        if store.failing and failing:
            with contextlib.suppress(Unavailable):
                await store.probe()
        if store.failing != failing:
            failing = store.failing
            log.warning("the store takes no writes" if failing else "the store takes writes again")
            health_now = health_pb2.HealthCheckResponse
            await _tell(healths, health_now.NOT_SERVING if failing else health_now.SERVING)
        # A server that died may have left something, too.
        due = waiting.everywhere if seconds == 1 else waiting.due
        if seconds % _NOTE_SECONDS == 0:
            due = waiting.queues
        try:
            if store.changed_elsewhere():
                interceptor.access_changed()
                runs.look_again()
                due = waiting.everywhere
        except Exception as error:
            # Its end would be silent, and access that is taken away by a command would stay.
            log.exception("changes by others not seen", extra={"error": str(error)})
        looked = await _sweep(store, metrics, clock, looked, seconds % _NOTE_SECONDS == 0)
        await _advance(store, runs, due)
        if seconds % _TEND_SECONDS == 0:
            await store.tend()
        if seconds % _NOTE_SECONDS == 0:
            await _note(store, interceptor)
            await _learn(store, runs.dispatcher.known)


async def _sweep(
    store: Store, metrics: "Metrics | None", clock: Setting, looked: float, thoroughly: bool
) -> float:
    """Ends stages whose runner is lost, and those that wait in vain; returns when it last looked."""
    at = time.monotonic()
    try:
        if abs(clock.seconds) > _CLOCK_SECONDS:
            log.warning("the clock was set", extra={"seconds": round(clock.seconds)})
            await store.write(leases.extend_leases)
            clock.take()
        elif at - looked > _GAP_SECONDS:
            await store.write(leases.extend_leases)
        is_due = await store.read(endings.any_lost)
        if thoroughly and not is_due:
            is_due = await store.listing(endings.any_in_vain)
        if is_due:
            lost = await store.write(endings.sweep)
            if metrics is not None:
                metrics.leases_lost.inc(lost)
    except Exception as error:
        _not_done("stages not swept", store, error)
        return looked
    return at


async def _advance(store: Store, runs: Runs, due: Callable[[Reader], list[Change]]) -> None:
    """Has gates asked again where they may have opened."""
    try:
        for change in await store.read(due):
            runs.look_at(change)
    except Exception as error:
        _not_done("gates not asked again", store, error)


async def _learn(store: Store, known: KnownRunners) -> None:
    """Gets to know the runners that ask other replicas."""
    try:
        known.learn(await store.listing(known_runners.remembered))
    except Exception as error:
        _not_done("runners not learned", store, error)


async def _note(store: Store, interceptor: Interceptor) -> None:
    """Stores which tokens were used, and logs how many strangers knocked."""
    used, interceptor.used_tokens = interceptor.used_tokens, set()
    strangers = interceptor.strangers - interceptor.strangers_told
    interceptor.strangers_told += strangers
    refused = interceptor.admission.refused_since()
    if strangers:
        log.warning("strangers refused", extra={"count": strangers})
    if refused:
        log.warning("calls refused: too many at once", extra=refused)
    if used:
        try:
            await store.write(tokens.touch_tokens, used)
        except Exception as error:
            _not_done("token use not stored", store, error)


async def _seal(store: Store) -> None:
    """Seals the last rows of the audit; what comes later yet the next start seals."""
    try:
        await audit_chain.seal_all(store)
    except Exception as error:
        _not_done("the audit is not sealed", store, error)


def _not_done(event: str, store: Store, error: Exception) -> None:
    """Logs what comes again by itself, and not once more that the store takes nothing."""
    if not isinstance(error, Unavailable):
        log.error(event, exc_info=error, extra={"error": str(error)})
    elif not store.failing:
        log.warning(event, extra={"error": str(error)})
