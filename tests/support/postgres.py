"""A PostgreSQL server for a run of the tests: `python -m tests.support.postgres COMMAND...`.

It listens on a free port of 127.0.0.1, has its data in a temporary folder, and ends with the command. As
root it runs as `postgres` or `nobody`, for PostgreSQL does not run as root. Each test's store is a database
of its own, copied from a template that is migrated once.
"""

import fcntl
import hashlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psycopg

SERVER = "SHIPLIFT_TEST_POSTGRESQL"
_PROGRAMS = "/usr/lib/postgresql"
_SETTINGS = ("max_connections=400", "shared_buffers=64MB")
# The machine may lose power in a test, but not the test its database.
_FAST = ("fsync=off", "full_page_writes=off")


def is_in_use() -> bool:
    """Whether the tests' stores are in PostgreSQL."""
    return bool(os.environ.get(SERVER))


def url_of(path: Path) -> str:
    """The database that stands for this file; the same for the same path."""
    name = _name_of(path)
    _make(name)
    return f"{os.environ[SERVER]}/{name}"


def copy(source: Path, to: Path) -> None:
    """Makes the database of a file anew, as another's, or empty where that is not there."""
    with _maintaining() as connection:
        given = _name_of(source) if _is_there(connection, _name_of(source)) else "template0"
        connection.execute(f"DROP DATABASE IF EXISTS {_name_of(to)} WITH (FORCE)".encode())
        connection.execute(f"CREATE DATABASE {_name_of(to)} TEMPLATE {given}".encode())


def _name_of(path: Path) -> str:
    return "t" + hashlib.sha256(str(path).encode()).hexdigest()[:20]


def _maintaining() -> "closing[psycopg.Connection[Any]]":
    return closing(psycopg.connect(f"{os.environ[SERVER]}/postgres", autocommit=True))


def _is_there(connection: "psycopg.Connection[Any]", name: str) -> bool:
    found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
    return found.fetchone() is not None


@cache
def _make(name: str) -> None:
    with _maintaining() as connection:
        if not _is_there(connection, name):
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {_template()}".encode())


@cache
def _template() -> str:
    """An empty store with its tables, made by whoever comes first."""
    with (Path(os.environ[f"{SERVER}_DATA"]) / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        server = os.environ[SERVER]
        with _maintaining() as connection:
            if _is_there(connection, "empty"):
                return "empty"
            connection.execute("CREATE DATABASE empty_new")
            subprocess.run(
                [sys.executable, "-m", "shipliftd", "migrate", "--database", f"{server}/empty_new"],
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            connection.execute("ALTER DATABASE empty_new RENAME TO empty")
    return "empty"


@dataclass
class Cluster:
    """A PostgreSQL server of the tests' own."""

    folder: Path
    port: int
    settings: tuple[str, ...] = ()
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """Where it is, without a database."""
        return f"postgresql://shiplift@127.0.0.1:{self.port}"

    def start(self) -> None:
        """Starts it, and returns once it answers."""
        options = [word for setting in self.settings for word in ("-c", setting)]
        self.process = subprocess.Popen(
            [
                *_as_other(),
                _program("postgres"),
                *("-D", str(self.folder / "data"), "-p", str(self.port)),
                *("-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self.folder}"),
                *options,
            ],
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "log").open("ab"),
        )
        ready = [_program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port), "-t", "30"]
        for _ in range(300):
            if subprocess.run(ready, check=False).returncode == 0:
                return
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(0.1)
                break
        raise RuntimeError((self.folder / "log").read_text())

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Has the stores of tests in this server, and not in the one that they share."""
        before = {name: os.environ.pop(name, None) for name in self.environment}
        os.environ.update(self.environment)
        _make.cache_clear()
        _template.cache_clear()
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name)
                if value is not None:
                    os.environ[name] = value
            _make.cache_clear()
            _template.cache_clear()

    @property
    def environment(self) -> dict[str, str]:
        """What names it to the tests of a process."""
        return {SERVER: self.url, f"{SERVER}_DATA": str(self.folder)}

    def kill(self) -> None:
        """Ends it as a crash does: by `kill -9` of all of its processes."""
        assert self.process is not None
        pids = subprocess.run(
            ["pgrep", "-P", str(self.process.pid)], check=False, capture_output=True, text=True
        ).stdout.split()
        for pid in (self.process.pid, *map(int, pids)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(60)
        (self.folder / "data" / "postmaster.pid").unlink(missing_ok=True)

    def stop(self, number: int) -> None:
        """Ends it by a signal: SIGINT (fast), SIGQUIT (at once)."""
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait(60)


@contextmanager
def cluster(folder: Path | None = None, *, is_durable: bool = False) -> Iterator[Cluster]:
    """A server with its data in a temporary folder, within this one; a durable one waits for the disk."""
    folder = Path(tempfile.mkdtemp(prefix="shiplift-postgresql-", dir=folder))
    try:
        if os.getuid() == 0:
            user = pwd.getpwnam(_other())
            os.chown(folder, user.pw_uid, user.pw_gid)
        subprocess.run(
            [
                *_as_other(),
                *(_program("initdb"), "-D", str(folder / "data"), "-U", "shiplift", "-A", "trust"),
                *("--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        made = Cluster(folder, port, _SETTINGS if is_durable else _SETTINGS + _FAST)
        made.start()
        try:
            yield made
        finally:
            if made.process is not None and made.process.poll() is None:
                made.stop(2)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _other() -> str:
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise RuntimeError("no user to run PostgreSQL as: add `postgres`")


def _as_other() -> list[str]:
    if os.getuid() != 0:
        return []
    return ["setpriv", f"--reuid={_other()}", f"--regid={pwd.getpwnam(_other()).pw_gid}", "--clear-groups"]


def _program(name: str) -> str:
    # Debian keeps each version in a folder of its own, and none of them on the path.
    versions = sorted(Path(_PROGRAMS).glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    found = str(versions[-1]) if versions else shutil.which(name)
    if found is None:
        raise RuntimeError(f"{name} is not there: install Debian's package postgresql, or run `make tools`")
    return found


def main() -> int:
    """Runs the command with a server beside it."""
    with cluster() as running:
        environment = {**os.environ, **running.environment}
        return subprocess.run(sys.argv[1:], check=False, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
