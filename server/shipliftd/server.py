"""The only wiring: store, interceptor, servicers, health, reflection, drain."""

import asyncio
import contextlib
import gc
import logging
import signal
import ssl
import sys
from typing import cast

import grpc
import grpc.aio
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from shiplift.v1 import access_pb2, access_pb2_grpc, builds_pb2, builds_pb2_grpc

from shipliftd import __version__, access, setup
from shipliftd.errors import Precondition
from shipliftd.interceptors import Interceptor
from shipliftd.parameters import ParameterRules
from shipliftd.services.access import AccessService
from shipliftd.services.builds import BuildService
from shipliftd.settings import Settings
from shipliftd.store import Lock, Store
from shipliftd.symbols import Symbols

log = logging.getLogger(__name__)

SERVICES = (
    builds_pb2.DESCRIPTOR.services_by_name["BuildService"],
    access_pb2.DESCRIPTOR.services_by_name["AccessService"],
)

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
    ("grpc.max_receive_message_length", 4 * 1024 * 1024),
)

_NOTE_SECONDS = 60
# A call makes some hundred objects, hardly any in a cycle; the default looks after each 700.
_GC_THRESHOLD = 20_000


async def serve(settings: Settings) -> None:
    """Runs a server until SIGTERM or SIGINT, then lets calls in flight finish, until the next signal.

    Raises Precondition when it cannot start, in words for people.
    """
    settings.check()
    credentials = _credentials(settings)
    # The lock first: a restore must not exchange the file that is being opened.
    with contextlib.closing(Lock(settings.database)):
        store = Store(settings.database)
        try:
            store.migrate()
            await setup.first_start(store)
            await _run(settings, store, credentials)
        finally:
            store.close()


async def _run(settings: Settings, store: Store, credentials: grpc.ServerCredentials | None) -> None:
    interceptor = Interceptor(store, SERVICES)
    server = grpc.aio.server(interceptors=[interceptor], options=_OPTIONS)
    builds_pb2_grpc.add_BuildServiceServicer_to_server(
        BuildService(store, ParameterRules(settings.refuse_params)), server
    )
    access_pb2_grpc.add_AccessServiceServicer_to_server(AccessService(store), server)
    healths = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(healths, server)
    names = [service.full_name for service in SERVICES]
    reflection.enable_server_reflection(
        [*names, health.SERVICE_NAME, reflection.SERVICE_NAME], server, cast(DescriptorPool, Symbols())
    )
    address = _bind(server, settings.listen, credentials)
    stop, hurry = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def end() -> None:
        (hurry if stop.is_set() else stop).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    await server.start()
    for name in ("", *names):
        await healths.set(name, health_pb2.HealthCheckResponse.SERVING)
    log.info(
        "listening",
        extra={"address": address, "database": str(settings.database), "version": __version__},
    )
    gc.collect()
    # What is there now stays; without this each full collection walks all of it.
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD)
    housekeeping = asyncio.create_task(_housekeep(store, interceptor))
    await stop.wait()
    log.info("draining", extra={"seconds": settings.drain_seconds})
    await healths.enter_graceful_shutdown()
    await interceptor.drain()
    stopping = asyncio.ensure_future(server.stop(settings.drain_seconds))
    hurried = asyncio.ensure_future(hurry.wait())
    await asyncio.wait({stopping, hurried}, return_when=asyncio.FIRST_COMPLETED)
    if hurried.done():
        await server.stop(None)
    hurried.cancel()
    await stopping
    housekeeping.cancel()
    await _note(store, interceptor)
    await store.drain()
    log.info("stopped")


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


def _credentials(settings: Settings) -> grpc.ServerCredentials | None:
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    try:
        pair = (settings.tls_key.read_bytes(), settings.tls_cert.read_bytes())
        ca = settings.tls_client_ca.read_bytes() if settings.tls_client_ca else None
        # gRPC would not say what is wrong with them. The empty passphrase: or OpenSSL asks for one.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(settings.tls_cert, settings.tls_key, password=str)
        if settings.tls_client_ca:
            context.load_verify_locations(settings.tls_client_ca)
    except ssl.SSLError as error:
        raise Precondition(
            f"{settings.tls_cert} and {settings.tls_key}"
            + (f", or {settings.tls_client_ca}," if settings.tls_client_ca else "")
            + f" do not serve for TLS ({error.reason or error}): wanted a certificate chain and its"
            " private key without a passphrase, in PEM"
        ) from error
    except OSError as error:
        raise Precondition(f"{error.filename} cannot be read: {error.strerror}") from error
    return grpc.ssl_server_credentials([pair], root_certificates=ca, require_client_auth=ca is not None)


async def _housekeep(store: Store, interceptor: Interceptor) -> None:
    seconds = 0
    while True:
        await asyncio.sleep(1)
        seconds += 1
        try:
            if store.changed_elsewhere():
                interceptor.access_changed()
        except Exception as error:
            # Its end would be silent, and access that is taken away by a command would stay.
            log.exception("changes by others not seen", extra={"error": str(error)})
        if seconds % _NOTE_SECONDS == 0:
            await _note(store, interceptor)


async def _note(store: Store, interceptor: Interceptor) -> None:
    """Stores which tokens were used, and logs how many strangers knocked."""
    used, interceptor.used_tokens = interceptor.used_tokens, set()
    strangers, interceptor.strangers = interceptor.strangers, 0
    if strangers:
        log.warning("strangers refused", extra={"count": strangers})
    if used:
        try:
            await store.write(access.touch_tokens, used)
        except Exception as error:
            log.exception("token use not stored", extra={"error": str(error)})


def run(settings: Settings) -> None:
    """Runs a server on uvloop."""
    import uvloop  # heavy, and only this command needs it

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings))
    sys.stderr.flush()
