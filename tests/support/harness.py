"""A real server in a process of its own, on a real port and a real file."""

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from types import TracebackType
from typing import Any, Self

import grpc
import platformdirs
from google.protobuf.message import Message
from shiplift.v1 import (
    access_pb2,
    access_pb2_grpc,
    builds_pb2_grpc,
    environments_pb2_grpc,
    secrets_pb2_grpc,
)

from tests.support import postgres
from tests.support.leaks import Secrets
from tests.support.patience import SECONDS

# What every server here keeps its secrets with, unless a test says another, or none.
SECRET_KEY = "tests:dGhlIGtleSBvZiB0aGUgdGVzdHMsIDMyIGJ5dGVzLi4="


@dataclass
class Daemon:
    """A `shipliftd` that listens, from its first line to its end."""

    listening: dict[str, str] = field(default_factory=dict, init=False)
    log: list[dict[str, str]] = field(default_factory=list, init=False)
    # A bench has better things to do than to read a line a request.
    keeps_log: bool = field(default=True, kw_only=True)
    environment: dict[str, str] = field(default_factory=dict, kw_only=True)
    secrets: Secrets = field(default_factory=Secrets, init=False)

    def command(self) -> list[str]:
        """What runs, after `shipliftd`."""
        raise NotImplementedError

    def start(self) -> Self:
        """Starts it and returns once it listens."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "shipliftd", *self.command()],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "SHIPLIFTD_SECRET_KEY": SECRET_KEY, **self.environment},
        )
        ready: Queue[dict[str, str]] = Queue()
        self._reader = threading.Thread(target=self._read, args=(ready,), daemon=True)
        self._reader.start()
        self.listening = ready.get(timeout=SECONDS)
        if not self.listening:
            raise RuntimeError(f"shipliftd did not start: {self.log}")
        return self

    @property
    def http(self) -> str:
        """Where its gateway listens."""
        return self.listening["http"]

    def cpu_seconds(self) -> float:
        """The seconds of a core that the process has used."""
        words = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def _read(self, ready: "Queue[dict[str, str]]") -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            event = json.loads(line) if line.startswith("{") else {"event": line.rstrip()}
            self.log.append(event)
            if event["event"] == "listening":
                ready.put(event)
                if not self.keeps_log:
                    break
        while self.process.stderr.read(65536):
            pass
        ready.put({})

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ends it with a signal and returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            code = self.process.wait(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self._reader.join(timeout=SECONDS)
        self.look_for_leaks()
        return code

    def look_for_leaks(self) -> None:
        """Fails where a token or a parameter's value has got out."""
        self.secrets.look("the log", (json.dumps(line, ensure_ascii=False) for line in self.log))
        assert not self.secrets.seen, self.secrets.seen

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


@dataclass
class Gateway(Daemon):
    """`shipliftd gateway` before the server at an address."""

    upstream: str
    arguments: tuple[str, ...] = ()

    def command(self) -> list[str]:
        """What runs, after `shipliftd`."""
        return ["gateway", "--upstream", self.upstream, "--http", "127.0.0.1:0", *self.arguments]


@dataclass
class Shipliftd(Daemon):
    """`shipliftd serve`."""

    database: Path
    arguments: tuple[str, ...] = ()
    listen: str = "127.0.0.1:0"

    def command(self) -> list[str]:
        """What runs, after `shipliftd`."""
        return ["serve", "--database", self.store, "--listen", self.listen, *self.arguments]

    @property
    def store(self) -> str:
        """What `--database` is given: the file, or what stands for it in PostgreSQL."""
        return postgres.url_of(self.database) if postgres.is_in_use() else str(self.database)

    @property
    def address(self) -> str:
        """Where it listens for gRPC."""
        return self.listening["address"]

    @property
    def metrics(self) -> str:
        """Where Prometheus would ask it."""
        return self.listening["metrics"]

    @property
    def token_file(self) -> Path:
        """Where the first start writes its token."""
        if not postgres.is_in_use():
            return Path(f"{self.database}.admin-token")
        name = self.store.rpartition("/")[2]
        return platformdirs.user_state_path("shiplift") / f"{name}.admin-token"

    @property
    def admin_token(self) -> str:
        """The token that the first start made."""
        return self.token_file.read_text().strip()

    def look_for_leaks(self) -> None:
        """Fails where a token or a parameter's value has got out."""
        self.secrets.look_into(self.database)
        super().look_for_leaks()

    def builds(self, token: str | None = None) -> builds_pb2_grpc.BuildServiceStub:
        """BuildService, called with this token (`""`: with none; unset: the admin's)."""
        return builds_pb2_grpc.BuildServiceStub(self.channel(token))

    def access(self, token: str | None = None) -> access_pb2_grpc.AccessServiceStub:
        """AccessService, called with this token (`""`: with none; unset: the admin's)."""
        return access_pb2_grpc.AccessServiceStub(self.channel(token))

    def environments(self, token: str | None = None) -> environments_pb2_grpc.EnvironmentServiceStub:
        """EnvironmentService, called with this token (`""`: with none; unset: the admin's)."""
        return environments_pb2_grpc.EnvironmentServiceStub(self.channel(token))

    def secret_service(self, token: str | None = None) -> secrets_pb2_grpc.SecretServiceStub:
        """SecretService, called with this token (`""`: with none; unset: the admin's)."""
        return secrets_pb2_grpc.SecretServiceStub(self.channel(token))

    def channel(self, token: str | None = None) -> grpc.Channel:
        """A channel whose calls carry the token (`""`: none; unset: the admin's)."""
        # Without a pool of its own each channel of the process would share one connection.
        channel = grpc.insecure_channel(self.address, [("grpc.use_local_subchannel_pool", 1)])
        secret = self.admin_token if token is None else token
        return grpc.intercept_channel(channel, _Bearer(secret, self.secrets))

    def user(
        self,
        login: str,
        repo: str = "",
        level: access_pb2.AccessLevel = access_pb2.ACCESS_LEVEL_UNSPECIFIED,
        **cuts: object,
    ) -> str:
        """Makes a user with a grant on `owner/repo` and returns a token of theirs, cut as told."""
        access = self.access()
        access.CreateUser(access_pb2.CreateUserRequest(login=login))
        if repo:
            owner, name = repo.split("/")
            access.GrantAccess(
                access_pb2.GrantAccessRequest(
                    owner=owner,
                    repo=name,
                    login=login,
                    level=level,
                )
            )
        request = access_pb2.CreateTokenRequest(login=login, **cuts)  # type: ignore[arg-type]
        return access.CreateToken(request).secret


class _Details(grpc.ClientCallDetails):
    def __init__(self, details: grpc.ClientCallDetails, secret: str) -> None:
        self.method = details.method
        self.timeout = details.timeout or SECONDS
        self.credentials = details.credentials
        self.wait_for_ready = details.wait_for_ready
        self.compression = details.compression
        bearer = (("authorization", f"Bearer {secret}"),) if secret else ()
        self.metadata = (*(details.metadata or ()), *bearer)


class _Bearer(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    def __init__(self, secret: str, secrets: Secrets) -> None:
        self._secret = secret
        self._secrets = secrets

    def intercept_unary_unary(
        self,
        continuation: Any,  # noqa: ANN401
        client_call_details: grpc.ClientCallDetails,
        request: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        if isinstance(request, Message):
            self._secrets.note_request(request)
        call = continuation(_Details(client_call_details, self._secret), request)
        call.add_done_callback(self._secrets.note_end)
        return call

    def intercept_unary_stream(
        self,
        continuation: Any,  # noqa: ANN401
        client_call_details: grpc.ClientCallDetails,
        request: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        return continuation(_Details(client_call_details, self._secret), request)
