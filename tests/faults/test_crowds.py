"""Very many who hold on to the server and ask nothing, or read slowly: others are answered all the same."""

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import grpc
import pytest
from shiplift.v1 import builds_pb2 as pb

from tests.faults.conftest import Tell
from tests.support.faults import form
from tests.support.gateway import opened
from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS, until, within
from tests.support.repository import Repository
from tests.support.staged import Staged
from tests.support.waiting import tail

CONNECTIONS = form(500, 10_000)
READERS = form(20, 200)
CALLS = 20
# What they may take while others crowd the server; alone they take a hundredth of it.
CALLS_SECONDS = 2.0
MOST_KIB_A_CONNECTION = 64
MOST_MIB_A_READER = 1
LINES, LINE = 500, "x" * 9_999 + "\n"
# A client's first words, with settings that change nothing.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0"


@pytest.fixture
def crowded(database: Path) -> Iterator[Shipliftd]:
    """A server that may have a file open for each connection, as may we."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + 2_000
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"{CONNECTIONS} connections need `ulimit -Hn {wanted}`")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    try:
        with Shipliftd(database, ("--http", "127.0.0.1:0")) as server:
            yield server
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def kib(server: Shipliftd) -> int:
    """What the server holds in memory."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def files(server: Shipliftd) -> int:
    """How many files and connections the server has open."""
    return len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))


def idle(server: Shipliftd, door: str) -> socket.socket:
    """A connection that the server has taken, and on which nothing is asked."""
    if door == "http":
        return opened(server.http)
    host, _, port = server.address.rpartition(":")
    connection = socket.create_connection((host, int(port)), timeout=SECONDS)
    connection.sendall(PREFACE)
    assert connection.recv(9), "it was not taken"
    return connection


@pytest.mark.timeout(form(300, 1_800))
@pytest.mark.parametrize("door", ["grpc", "http"])
def test_idle_connections_hold_nobody_up(crowded: Shipliftd, door: str, tell: Tell) -> None:
    repository = Repository.make(crowded, "octocat", "app")
    build = repository.record()
    memory, open_before = kib(crowded), files(crowded)
    with ExitStack() as stack:
        for _ in range(CONNECTIONS):
            stack.enter_context(closing(idle(crowded, door)))
        until(lambda: files(crowded) >= open_before + CONNECTIONS)
        with within(CALLS_SECONDS):
            for _ in range(CALLS):
                assert repository.get(build.number) == build
        grown = kib(crowded) - memory
        assert grown < CONNECTIONS * MOST_KIB_A_CONNECTION
    until(lambda: files(crowded) <= open_before + 10)
    assert repository.record().number == build.number + 1
    tell(f"{CONNECTIONS} connections at {grown // CONNECTIONS} KiB each; {CALLS} of {CALLS} calls answered")


@pytest.mark.timeout(form(300, 1_800))
def test_slow_readers_of_a_log_hold_nobody_up_and_get_all_of_it(crowded: Shipliftd, tell: Tell) -> None:
    staged = Staged.of(Repository.make(crowded, "octocat", "app"))
    repository, (step,) = staged.repository, staged.stepping()
    for first in range(0, LINES, 100):
        assert staged.runner.append(step.id, first, *[LINE] * 100) == first + 100
    memory = kib(crowded)
    readers = [Repository(crowded, "octocat", "app") for _ in range(READERS)]
    logs = [tail(reader, follow=True) for reader in readers]
    # Each has begun, and reads no more for now.
    read = [len(next(log).lines) for log in logs]
    assert max(read) < LINES
    with within(CALLS_SECONDS):
        for _ in range(CALLS):
            assert repository.get(2).number == 2
    # Nor do they keep a log from growing, which takes the server's memory no more than the log itself.
    assert staged.runner.append(step.id, LINES, "the end\n") == LINES + 1
    grown = (kib(crowded) - memory) // 1024
    assert grown < READERS * MOST_MIB_A_READER + 50
    staged.runner.report(step.stage_id, pb.BUILD_STATUS_SUCCESS)
    for log, begun in zip(logs, read, strict=True):
        assert begun + sum(len(part.lines) for part in log) == LINES + 1
        assert isinstance(log, grpc.Call)
        assert log.code() is grpc.StatusCode.OK
    tell(f"{READERS} readers of {LINES * len(LINE) // 10**6} MB at {grown} MiB in all; 0 lines lost")
