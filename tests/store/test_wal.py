"""The WAL: who reads for long is told of, and the server's own readers hold nothing longer than a page."""

import sqlite3
from contextlib import closing
from typing import Any

import pytest
from shiplift.v1 import builds_pb2 as api
from shipliftd.store.wal import MOST_BYTES

from tests.support.harness import Shipliftd
from tests.support.patience import until
from tests.support.repository import Repository
from tests.support.staged import Staged
from tests.support.waiting import tail

pytestmark = pytest.mark.sqlite


def event(server: Shipliftd, said: str) -> dict[str, Any]:
    return until(lambda: next((e for e in server.log if e["event"] == said), None))


def test_a_long_reader_is_told_of_and_the_wal_is_emptied_once_it_has_ended(own_server: Shipliftd) -> None:
    wal = own_server.database.with_name("shiplift.db-wal")
    with closing(sqlite3.connect(own_server.database, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM builds").fetchone()
        with closing(sqlite3.connect(own_server.database, timeout=20)) as writer, writer:
            writer.execute(
                "INSERT INTO pipelines (hash, text, parsed) VALUES (x'00', printf('%.*c', ?, 'x'), '')",
                (MOST_BYTES,),
            )
        told = event(own_server, "the WAL grows and cannot be emptied")
        assert (told["level"], told["file"], told["bytes"]) == ("warning", str(wal), wal.stat().st_size)
        assert told["to_do"] == (
            "another process has been reading the store for long, such as a backup or a sqlite3 shell:"
            " end it, or wait until it ends (`fuser -v` with this file names who has it open)"
        )
        assert wal.stat().st_size > MOST_BYTES
    assert event(own_server, "the WAL is emptied again")["file"] == str(wal)
    assert wal.stat().st_size < MOST_BYTES
    assert [e["level"] for e in own_server.log if "the WAL" in e["event"]] == ["warning", "info"]


def test_lists_that_end_early_and_readers_of_a_log_that_wait_hold_nothing(own_server: Shipliftd) -> None:
    staged = Staged.of(Repository.make(own_server, "octocat", "app"))
    (step,) = staged.stepping()
    staged.runner.append(step.id, 0, *["x" * 100_000] * 30)
    repository = staged.repository
    for _ in range(5):
        repository.record()
    # Three of its parts are in the server, which cannot go on until they are read.
    slow = tail(repository)
    assert len(next(slow).lines) == 1
    for view in (api.BUILD_VIEW_BASIC, api.BUILD_VIEW_FULL):
        for filters in ({}, {"events": [api.BUILD_EVENT_CUSTOM, api.BUILD_EVENT_PUSH]}):
            repository.page(page_size=1, view=view, **filters)
    own_server.builds().ListBuilds(api.ListBuildsRequest(page_size=1))
    repository.record()
    with closing(sqlite3.connect(own_server.database, timeout=20)) as other:

        def emptied() -> bool:
            return bool(other.execute("PRAGMA wal_checkpoint(truncate)").fetchone() == (0, 0, 0))

        assert until(emptied, 20)
    assert len(list(slow)) == 29
