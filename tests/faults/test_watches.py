"""Servers that are killed under those who watch: who comes back has a gap nowhere, and nothing twice."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from shiplift import Client

from tests.faults.conftest import Tell
from tests.support import postgres
from tests.support.faults import form
from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS, until
from tests.support.repository import Repository
from tests.support.staged import RUNNING, SUCCESS, stored
from tests.support.watching import begun, watch

WATCHERS = 50
_CUT = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
)
PROMOTIONS = form(60, 600)
KILLS = form(4, 20)
ROUND_SECONDS = form(0.5, 2.0)


@dataclass
class Follower:
    """One who watches and comes back with its last cursor, whatever happens."""

    repositories: list[Repository]
    is_over: threading.Event
    cursors: list[str] = field(default_factory=list)
    reconnects: int = 0

    def follow(self) -> None:
        """Watches until it is over."""
        turn = 0
        while not self.is_over.is_set():
            repository = self.repositories[turn % len(self.repositories)]
            turn += 1
            try:
                call = watch(repository, cursor=self.cursors[-1] if self.cursors else "", timeout=5)
                if not self.cursors:
                    self.cursors.append(begun(call)[1])
                for response in call:
                    if response.HasField("change"):
                        self.cursors.append(response.cursor)
                    if self.is_over.is_set():
                        call.cancel()
                        break
            except grpc.RpcError as error:
                if error.code() not in _CUT:
                    raise
                self.reconnects += 1
                self.is_over.wait(0.05)


def place_of(cursor: str) -> int:
    """Where a change stands, which only tests need to know."""
    return int(cursor.rpartition("-")[2])


def places(server: Shipliftd) -> list[int]:
    """Where the changes stand that are kept."""
    column = "seq" if postgres.is_in_use() else "id"
    return [row[0] for row in stored(server, f"SELECT {column} FROM changes ORDER BY {column}")]


def promoted(client: Client, recorded: int) -> None:
    """A promotion from its begin to its end."""
    named: Any = {"owner": "octocat", "repo": "app"}
    made = client.promote_build(**named, build=recorded, target="production")
    for status in (RUNNING, SUCCESS):
        client.update_build(**named, build=made.number, status=status)


@pytest.mark.timeout(form(300, 3_600))
def test_who_watches_has_no_gap_and_nothing_twice(database: Path, tell: Tell) -> None:
    is_over = threading.Event()
    count = 2 if postgres.is_in_use() else 1
    with ExitStack() as running:
        servers = [running.enter_context(Shipliftd(database)) for _ in range(count)]
        first = Repository.make(servers[0], "octocat", "app")
        first.record(status=SUCCESS)
        seen_on = [Repository(server, "octocat", "app") for server in servers]
        followers = [
            Follower(seen_on[n % count :] + seen_on[: n % count], is_over) for n in range(WATCHERS)
        ]
        pool = running.enter_context(ThreadPoolExecutor(WATCHERS + 5))
        following = [pool.submit(each.follow) for each in followers]
        until(lambda: all(each.cursors for each in followers))

        def promote() -> None:
            addresses = ",".join(server.address for server in servers)
            with Client(addresses, servers[0].admin_token) as client:
                for _ in range(PROMOTIONS // 4):
                    promoted(client, 1)

        promoting = [pool.submit(promote) for _ in range(4)]
        kills = kill_in_turn(servers, running, lambda: all(each.done() for each in promoting))
        for promotion in promoting:
            promotion.result(SECONDS)
        there = places(servers[0])
        until(lambda: all(place_of(each.cursors[-1]) >= there[-1] for each in followers))
        is_over.set()
        for follow in following:
            follow.result(SECONDS)
        there = places(servers[0])
        for each in followers:
            begin, *seen = map(place_of, each.cursors)
            assert seen == [place for place in there if place > begin]
    told = sum(len(each.cursors) - 1 for each in followers)
    tell(
        f"{kills} kills of {count} servers under {WATCHERS} watches, {PROMOTIONS} promotions:"
        f" {told} changes told, {sum(each.reconnects for each in followers)} reconnects; 0 missed, 0 twice"
    )


def kill_in_turn(servers: list[Shipliftd], running: ExitStack, is_done: Callable[[], bool]) -> int:
    """Kills the servers one after the other, and starts them again; how often."""
    kills = 0
    while kills < KILLS:
        time.sleep(ROUND_SECONDS)
        n = kills % len(servers)
        servers[n].stop(9)
        servers[n] = running.enter_context(Shipliftd(servers[n].database, listen=servers[n].address))
        kills += 1
        if is_done():
            break
    return kills
