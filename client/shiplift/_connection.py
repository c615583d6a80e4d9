"""What both clients are made from: a server and a token, and what they add to each call."""

# gRPC's callables are generic in their type stubs alone.
from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from pathlib import Path
from typing import Self

import grpc
from google.protobuf.message import Message

from shiplift._channel import DEFAULT_SERVER, Route
from shiplift._mismatch import mismatch
from shiplift.errors import ShipliftError, Unavailable, error_of

_replayed: ContextVar[bool] = ContextVar("shiplift_replayed", default=False)


def was_replayed() -> bool:
    """Whether this thread's or task's latest call made nothing new.

    True when it answered with what an earlier call with the same request_id, or the same external
    id, had made.
    """
    return _replayed.get()


class Connection:
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


def request_id_of(request: Message) -> str:
    """The id that a call has; empty for a read."""
    return str(getattr(request, "request_id", ""))


def note_replay(metadata: Iterable[tuple[str, str | bytes]] | None) -> None:
    """Keeps for `was_replayed` what a call's trailers say."""
    # A tuple, because the asynchronous metadata looks for keys with `in`.
    _replayed.set(("shiplift-replayed", "true") in tuple(metadata or ()))
