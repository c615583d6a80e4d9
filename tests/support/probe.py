"""What a hostile call costs others: how long a second caller waits while it runs, and the server's memory.

The second caller is a process of its own (`python -m tests.support.probe`), or it would wait for the
first one's GIL and not for the server.
"""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple, TypeVar

import grpc
from shiplift.v1 import access_pb2, access_pb2_grpc

from tests.support.harness import Shipliftd
from tests.support.repository import Repository

T = TypeVar("T")

# A CI machine is shared with others, which hold up the server as well.
IN_CI = bool(os.environ.get("CI"))
MOST_SECONDS = 0.25 * (8 if IN_CI else 1)
MOST_BYTES = 32 * 1024 * 1024
_PAUSE_SECONDS = 0.002
_PATIENCE_SECONDS = 60


class Cost(NamedTuple):
    """What others had of a call.

    `wait` is the longest that GetRepository took, in seconds, without the time in which the machine ran
    others although the server or the second caller could have gone on; `whole` the longest with it;
    `calls` how often it asked; `memory` by how many bytes the server's resident memory grew.
    """

    wait: float
    whole: float
    calls: int
    memory: int


def cost(repository: Repository, hostile: Callable[[], T]) -> tuple[T, Cost]:
    """What a hostile call returned, and what it cost others."""
    server = repository.server
    with _started(repository) as second:
        second.ready()
        before = resident(server)
        answer = hostile()
        wait, whole, calls = second.end()
        return answer, Cost(wait, whole, calls, resident(server) - before)


def harmless(repository: Repository, hostile: Callable[[], T], most_bytes: int = MOST_BYTES) -> T:
    """What a hostile call returned; fails where others waited for it, or the server grew by more bytes."""
    answer, told = cost(repository, hostile)
    assert told.calls
    assert told.wait < MOST_SECONDS, told
    assert told.memory < most_bytes, told
    return answer


def resident(server: Shipliftd) -> int:
    """The bytes of memory that the server's process has."""
    pages = Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


@dataclass
class _Second:
    process: "subprocess.Popen[str]"

    def __enter__(self) -> "_Second":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def ready(self) -> None:
        """Returns once it has had its first answer."""
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def end(self) -> tuple[float, float, int]:
        """Ends it; the wait, with and without what is the machine's, and the calls that it has seen."""
        output, _ = self.process.communicate(timeout=_PATIENCE_SECONDS)
        wait, whole, calls = output.split()
        return float(wait), float(whole), int(calls)


def _started(repository: Repository) -> _Second:
    server = repository.server
    environment = {**os.environ, "PROBE_TOKEN": server.admin_token}
    command = [
        sys.executable,
        "-m",
        "tests.support.probe",
        server.address,
        repository.owner,
        repository.name,
    ]
    command.append(str(server.process.pid))
    pipe = subprocess.PIPE
    return _Second(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment))


def _main(address: str, owner: str, name: str, pid: str) -> None:
    request = access_pb2.GetRepositoryRequest(owner=owner, repo=name)
    metadata = (("authorization", f"Bearer {os.environ['PROBE_TOKEN']}"),)
    ended = Event()
    Thread(target=_until_closed, args=(ended,), daemon=True).start()
    with grpc.insecure_channel(address) as channel:
        get = access_pb2_grpc.AccessServiceStub(channel).GetRepository
        get(request, metadata=metadata, timeout=_PATIENCE_SECONDS)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        wait = whole = 0.0
        calls = 0
        last = False
        # Once more after the end: an answer may come before what it began is done.
        while not last:
            last = ended.is_set()
            before = _kept_waiting("self", pid)
            began = time.monotonic()
            get(request, metadata=metadata, timeout=_PATIENCE_SECONDS)
            took = time.monotonic() - began
            whole = max(whole, took)
            wait = max(wait, took - (_kept_waiting("self", pid) - before))
            time.sleep(_PAUSE_SECONDS)
            calls += 1
    sys.stdout.write(f"{wait} {whole} {calls}")


def _kept_waiting(*processes: str) -> float:
    """For how many seconds the threads of processes waited for a processor; 0 where nobody counts it."""
    total = 0
    for process in processes:
        for task in Path(f"/proc/{process}/task").iterdir():
            # A thread may end meanwhile.
            with contextlib.suppress(OSError):
                total += int((task / "schedstat").read_text().split()[1])
    return total / 1e9


def _until_closed(ended: Event) -> None:
    sys.stdin.read()
    ended.set()


if __name__ == "__main__":
    _main(*sys.argv[1:])
