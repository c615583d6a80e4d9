"""Crowds: connections that do nothing, readers that do not read, runners, strangers, the largest pages.

`SHIPLIFT_FAULTS=long` asks for the numbers in full. Each tells what it cost a second caller and the server.
"""

import os
import resource
import socket
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import grpc
import pytest
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as api
from shiplift.v1 import stages_pb2 as pb
from shiplift.v1.builds_pb2_grpc import BuildServiceStub
from shiplift.v1.stages_pb2_grpc import StageServiceStub

from tests.support import probe
from tests.support.harness import Shipliftd
from tests.support.repository import Repository
from tests.support.staged import RUNNING, SUCCESS, Staged

LONG = os.environ.get("SHIPLIFT_FAULTS") == "long"
CONNECTIONS = 2000 if LONG else 200
READERS = 200 if LONG else 40
RUNNERS = 1000 if LONG else 200
STRANGERS = 20_000 if LONG else 1000
BUILDS = 1000 if LONG else 200
MIB = 1024 * 1024
# What a crowd makes each other wait is the machine's doing, too: others use it.
MOST_SECONDS = 5.0
T = TypeVar("T")


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[Staged]:
    """A repository with a runner, on a server of the test's own with a gateway."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(files[1], 20_000), files[1]))
    # Crowds are as large as the tests make them: what one over a limit is told is tested elsewhere.
    limits = ("--max-reads", "10000", "--max-writes", "10000", "--max-waits", "10000", "--token-share", "1")
    with Shipliftd(tmp_path / "shiplift.db", ("--http", "127.0.0.1:0", *limits)) as server:
        yield Staged.of(Repository.make(server, "octocat", "app"))
    resource.setrlimit(resource.RLIMIT_NOFILE, files)


def costing(staged: Staged, most_bytes: int, crowd: Callable[[], T]) -> T:
    """What the crowd returned; fails where others waited for long or the server grew by more."""
    answer, told = probe.cost(staged.repository, crowd)
    waits = f"longest wait {told.wait:.3f} s, with what the machine did to it {told.whole:.3f} s"
    sys.stdout.write(f"\n{waits}, memory {told.memory / MIB:+.1f} MiB\n")
    assert told.calls
    assert told.wait < MOST_SECONDS, told
    assert told.memory < most_bytes, told
    return answer


def connected(address: str, hello: bytes) -> socket.socket:
    host, _, port = address.rpartition(":")
    made = socket.create_connection((host, int(port)), timeout=20)
    made.sendall(hello)
    return made


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"


def test_connections_that_do_nothing(busy: Staged) -> None:
    """Half of them before gRPC, of which half have said hello; half before the gateway, in mid-request."""
    server = busy.repository.server
    kinds = [
        (server.address, b""),
        (server.address, PREFACE),
        (server.http, b""),
        (server.http, b"GET / H"),
    ]
    with ExitStack() as stack:

        def crowd() -> None:
            for n in range(CONNECTIONS):
                stack.enter_context(connected(*kinds[n % len(kinds)]))
            # While they are all there.
            assert busy.repository.record().number == 1
            assert busy.promoted().number == 3

        costing(busy, 160 * MIB, crowd)
    assert busy.repository.get(3).number == 3


def full_log(staged: Staged) -> pb.StageLease:
    """A stage that runs and whose step has a log up to its limit."""
    lease = staged.running()
    (step,) = staged.runner.report(
        lease.stage.id, steps=[pb.StepReport(number=1, name="only", status=RUNNING)]
    ).steps
    lines = ["x" * 1000 + "\n"] * 1000
    position = 0
    for _ in range(6):
        position = staged.runner.append(step.id, position, *lines)
    assert position == 6000
    return lease


def test_readers_of_a_log_that_do_not_read(busy: Staged) -> None:
    """Each takes one message of a log of 5 MiB and no more; each on a connection of its own."""
    full_log(busy)
    server = busy.repository.server
    request = api.TailLogRequest(owner="octocat", repo="app", build=2, stage=1, step=1, follow=True)
    with ExitStack() as stack:
        streams: list[Any] = []

        def crowd() -> None:
            for _ in range(READERS):
                channel = stack.enter_context(plain(server))
                streams.append(
                    BuildServiceStub(channel).TailLog(request, metadata=bearer(server.admin_token))
                )
            for stream in streams:
                assert len(next(stream).lines) > 0
            assert busy.promoted().number == 4

        costing(busy, READERS * MIB + 32 * MIB, crowd)
        for stream in streams:
            stream.cancel()


def test_watchers_of_a_stage_that_do_not_read(busy: Staged) -> None:
    """Each on a connection of its own, while the stage's reports come."""
    lease = busy.running()
    server = busy.repository.server
    request = pb.WatchStageRequest(stage_id=lease.stage.id)
    with ExitStack() as stack:
        streams: list[Any] = []

        def crowd() -> None:
            for _ in range(READERS):
                stub = StageServiceStub(stack.enter_context(plain(server)))
                streams.append(stub.WatchStage(request, metadata=bearer(busy.runner.token), timeout=300))
            for stream in streams:
                assert next(stream).status == RUNNING
            for n in range(100):
                busy.runner.report(lease.stage.id, message=f"{n} %")
            busy.runner.report(lease.stage.id, SUCCESS)

        costing(busy, 96 * MIB, crowd)
        # None has lost the end.
        assert [[told.status for told in stream] for stream in streams] == [[SUCCESS]] * READERS


def test_a_burst_of_calls_is_answered_whole(busy: Staged) -> None:
    """Many more than gRPC lets wait of itself."""
    request = access_pb2.GetRepositoryRequest(owner="octocat", repo="app")
    get = busy.repository.server.access().GetRepository
    calls = [get.future(request, timeout=120) for _ in range(3000)]
    assert Counter(call.code() for call in calls) == {grpc.StatusCode.OK: 3000}


def test_runners_that_ask_at_once(busy: Staged) -> None:
    """Each is given one of as many stages, and none twice."""
    documents = [{"name": f"s{n}"} for n in range(100)]
    recorded = busy.promoted(*documents)
    for _ in range(RUNNERS // 100 - 1):
        busy.repository.promote(recorded.parent)

    def crowd() -> list[int]:
        calls = [
            busy.runner.stages.AcquireStage.future(busy.runner.wants(machine=f"i-{n}"), timeout=120)
            for n in range(RUNNERS)
        ]
        return [call.result().offer.id for call in calls]

    offered = costing(busy, 64 * MIB, crowd)
    assert len(set(offered) - {0}) == RUNNERS


@pytest.mark.sqlite
def test_strangers_cost_no_write(busy: Staged) -> None:
    """A token each that nobody knows, of an rpc that writes; nothing of it comes to the disk."""
    server = busy.repository.server
    wal = Path(f"{server.database}-wal")
    before = wal.stat().st_size

    def stranger(share: int) -> Counter[grpc.StatusCode]:
        codes: Counter[grpc.StatusCode] = Counter()
        with plain(server) as channel:
            promote = BuildServiceStub(channel).PromoteBuild
            request = api.PromoteRequest(owner="octocat", repo="app", build=1, target="production")
            for n in range(STRANGERS // 8):
                try:
                    promote(request, metadata=bearer(f"shl_{share}_{n}"), timeout=60)
                except grpc.RpcError as error:
                    codes[error.code()] += 1
        return codes

    def crowd() -> Counter[grpc.StatusCode]:
        with ThreadPoolExecutor(8) as threads:
            return sum(threads.map(stranger, range(8)), Counter())

    codes = costing(busy, 32 * MIB, crowd)
    assert codes == {grpc.StatusCode.UNAUTHENTICATED: STRANGERS}
    # A few pages are the second caller's, whose token was used.
    assert wal.stat().st_size - before < 64 * 1024


def test_pages_of_the_largest_size(busy: Staged) -> None:
    """Builds with the longest texts, listed a thousand a page by many at once."""
    message = "m" * 20_000
    for _ in range(BUILDS):
        busy.repository.record(message=message)

    def listed(_: int) -> int:
        request = api.ListBuildsRequest(owner="octocat", repo="app", page_size=1000)
        count = 0
        while True:
            page = busy.repository.builds.ListBuilds(request, timeout=120)
            assert page.ByteSize() < 1.2 * MIB
            count += len(page.builds)
            if not page.next_page_token:
                return count
            request.page_token = page.next_page_token

    def crowd() -> list[int]:
        with ThreadPoolExecutor(8) as threads:
            return list(threads.map(listed, range(16)))

    assert costing(busy, 128 * MIB, crowd) == [BUILDS] * 16


def test_a_log_up_to_its_limit_by_many_at_once(busy: Staged) -> None:
    """Eight steps' logs are filled beside each other, and can be read whole."""
    lease = busy.running()
    reports = [pb.StepReport(number=n, name=str(n), status=RUNNING) for n in range(1, 9)]
    steps = busy.runner.report(lease.stage.id, steps=reports).steps

    def fill(step: api.Step) -> int:
        position = 0
        while position < 60_000:
            position = busy.runner.append(step.id, position, *["y" * 99 + "\n"] * 5000)
        return position

    def crowd() -> list[int]:
        with ThreadPoolExecutor(8) as threads:
            return list(threads.map(fill, steps))

    assert costing(busy, 96 * MIB, crowd) == [60_000] * 8
    request = api.TailLogRequest(owner="octocat", repo="app", build=2, stage=1, step=8)
    lines = [line.text for part in busy.repository.builds.TailLog(request) for line in part.lines]
    kept = -(-5 * MIB // 100)
    assert (len(lines), lines[-1]) == (kept + 2, f"{60_000 - kept} lines left out.\n")


def plain(server: Shipliftd) -> grpc.Channel:
    """A connection of its own."""
    return grpc.insecure_channel(server.address, [("grpc.use_local_subchannel_pool", 1)])


def bearer(token: str) -> tuple[tuple[str, str]]:
    return (("authorization", f"Bearer {token}"),)
