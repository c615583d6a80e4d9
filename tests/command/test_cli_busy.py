"""What the command says of a server that has too many calls under way."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from shiplift.v1 import access_pb2

from tests.support.cli import Cli
from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS, until
from tests.support.refusals import code_of
from tests.support.repository import Repository
from tests.support.waiting import tail


@contextmanager
def taking_its_place(repository: Repository, calls: str) -> Iterator[None]:
    """A call of the admin's that has its place, and goes on: its request does not come."""
    ended = threading.Event()
    method = {"writes": "PromoteBuild", "waits": "TailLog"}[calls]

    def requests() -> Iterator[Any]:
        ended.wait(SECONDS)
        yield from ()

    with grpc.insecure_channel(repository.server.address) as channel:
        token = (("authorization", f"Bearer {repository.server.admin_token}"),)
        rpc: Any = channel.stream_unary(f"/shiplift.v1.BuildService/{method}")
        under_way = [rpc.future(requests(), metadata=token)]

        def has_its_place() -> bool:
            if under_way[-1].done():
                # It came while the other one was there.
                under_way.append(rpc.future(requests(), metadata=token))
            return refused(repository, calls)

        until(has_its_place)
        yield
        under_way[-1].cancel()
        ended.set()


@pytest.mark.parametrize(
    ("calls", "arguments"), [("writes", ("repo", "add", "octocat/other")), ("waits", ("log", "1"))]
)
def test_nothing_was_done_and_when_there_may_be_room_is_said(
    tmp_path: Path, calls: str, arguments: tuple[str, ...]
) -> None:
    with Shipliftd(tmp_path / "shiplift.db", (f"--max-{calls}", "2")) as server:
        repository = Repository.make(server, "octocat", "hello")
        repository.record()
        cli = Cli(tmp_path, server.address, server.admin_token, "octocat/hello")
        with taking_its_place(repository, calls):
            said = cli.run(*arguments)
        seconds = {"writes": 1, "waits": 5}[calls]
        assert (said.code, said.out) == (3, "")
        assert said.err.endswith(
            f"shiplift: {server.address} is too busy: 1 {calls} are under way with this token (callers"
            " without one count as one), as many as may be at once; nothing was done: try again once some"
            f" have ended\nThere may be room in {seconds} s.\n"
        )
        found = server.access().ListRepositories(access_pb2.ListRepositoriesRequest())
        assert [each.slug for each in found.repositories] == ["octocat/hello"]


def refused(repository: Repository, calls: str) -> bool:
    """Whether there is no place for another call, which would do nothing if there was."""
    if calls == "writes":
        code = code_of(repository.promote, 404)
    else:
        code = code_of(next, tail(repository, build=404))
    return code is grpc.StatusCode.RESOURCE_EXHAUSTED
