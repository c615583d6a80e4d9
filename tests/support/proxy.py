"""A TCP proxy that cuts, or holds for a while, what it hands on."""

import socket
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Self

from tests.support.harness import Shipliftd


class Proxy:
    """Hands on to a port of 127.0.0.1 what comes to its own."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        # Told what is about to be sent there: True hands it on, None cuts before it and False behind it.
        self.seen: Callable[[bytes], bool | None] = lambda _: True
        self._open: set[socket.socket] = set()
        # Cleared, nothing is handed on in either direction, and nothing is closed.
        self.flows = threading.Event()
        self.flows.set()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self.flows.set()
        self.cut()

    def cut(self) -> None:
        """Resets all connections."""
        for each in list(self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                caller, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(caller,), daemon=True).start()

    def _serve(self, caller: socket.socket) -> None:
        with closing(caller), suppress(OSError), socket.create_connection(("127.0.0.1", self._to)) as there:
            self._open |= {caller, there}
            back = threading.Thread(target=self._back, args=(there, caller), daemon=True)
            back.start()
            try:
                while data := caller.recv(65536):
                    self.flows.wait()
                    goes_on = self.seen(data)
                    if goes_on is None:
                        break
                    if not goes_on:
                        caller.shutdown(socket.SHUT_RDWR)
                    there.sendall(data)
            finally:
                with suppress(OSError):
                    caller.shutdown(socket.SHUT_RDWR)
                # What was sent is answered to nobody, but read: a reset would take it back.
                with suppress(OSError):
                    there.shutdown(socket.SHUT_WR)
                back.join(10)
                self._open -= {caller, there}

    def _back(self, there: socket.socket, caller: socket.socket) -> None:
        with suppress(OSError):
            while data := there.recv(65536):
                self.flows.wait()
                with suppress(OSError):
                    caller.sendall(data)
        with suppress(OSError):
            caller.shutdown(socket.SHUT_RDWR)


@dataclass
class ByProxy(Shipliftd):
    """A server that reaches its PostgreSQL database by way of a proxy."""

    port: int = 0

    @property
    def store(self) -> str:
        """What `--database` is given."""
        server, _, name = super().store.rpartition("/")
        return f"{server.rpartition(':')[0]}:{self.port}/{name}"
