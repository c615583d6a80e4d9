"""Changes as the store keeps them: what is forgotten, what becomes of cursors, what others wrote."""

from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pytest
from shipliftd.changes import old
from shipliftd.clock import now
from shipliftd.store import SqliteStore
from shipliftd.store.transaction import Transaction

from tests.support import postgres
from tests.support.beside import opened
from tests.support.commands import said
from tests.support.harness import Shipliftd
from tests.support.patience import until
from tests.support.refusals import code_of
from tests.support.repository import Repository
from tests.support.staged import SUCCESS, stored
from tests.support.watching import Seen, begun, changes, short, watch

HOUR = 60 * 60 * 1000


def repository_of(server: Shipliftd) -> Repository:
    return Repository(server, "octocat", "app")


def ids(server: Shipliftd) -> list[int]:
    return [row[0] for row in stored(server, "SELECT id FROM changes ORDER BY id")]


def test_changes_that_are_old_are_forgotten_and_a_cursor_before_them_with_them(tmp_path: Path) -> None:
    with Shipliftd(tmp_path / "shiplift.db") as server:
        repository = Repository.make(server, "octocat", "app")
        call = watch(repository)
        _, first = begun(call)
        for _ in range(6):
            repository.record(status=SUCCESS)
        cursors = [first, *(each.cursor for each in changes(call, 6))]
        kept = ids(server)
    with opened(server.database) as store:
        store.execute("UPDATE changes SET at = at - ? WHERE id <= ?", (3 * HOUR, kept[2]))
    with Shipliftd(server.database, ("--keep-changes", "2h")) as server:
        until(lambda: ids(server) == kept[3:])
        repository = repository_of(server)
        for n, cursor in enumerate(cursors):
            if n < 3:
                assert code_of(next, watch(repository, cursor=cursor)) == grpc.StatusCode.OUT_OF_RANGE
            elif n < 6:
                again = changes(watch(repository, cursor=cursor), 6 - n)
                assert [short(each).what for each in again] == [str(number) for number in range(n + 1, 7)]


def test_the_newest_change_stays_however_old_it_is(tmp_path: Path) -> None:
    with Shipliftd(tmp_path / "shiplift.db") as server:
        repository = Repository.make(server, "octocat", "app")
        call = watch(repository)
        begun(call)
        for _ in range(2):
            repository.record(status=SUCCESS)
        cursor = changes(call, 2)[-1].cursor
        newest = ids(server)[-1]
    with opened(server.database) as store:
        store.execute("UPDATE changes SET at = at - ?", (30 * 24 * HOUR,))
    with Shipliftd(server.database) as server:
        until(lambda: ids(server) == [newest])
        call = watch(repository_of(server), cursor=cursor)
        repository_of(server).record(status=SUCCESS)
        assert short(changes(call, 1)[0]) == Seen("3", "success", 1)


@pytest.mark.sqlite
def test_no_more_than_so_many_are_kept(tmp_path: Path) -> None:
    with Shipliftd(tmp_path / "shiplift.db") as server:
        repository = Repository.make(server, "octocat", "app")
        for _ in range(8):
            repository.record(status=SUCCESS)
        kept = ids(server)
    with closing(SqliteStore(server.database)) as store:
        with store.writer.atomic():
            assert old.forget(Transaction(store.writer), now() - HOUR, 5) == (3, False)
        rows = store.writer.execute_sql("SELECT id FROM changes ORDER BY id").fetchall()
    assert [row[0] for row in rows] == kept[3:]


@pytest.mark.sqlite
def test_a_backup_that_is_put_back_begins_another_history(tmp_path: Path) -> None:
    database, copy = tmp_path / "shiplift.db", tmp_path / "copy.db"
    with Shipliftd(database) as server:
        repository = Repository.make(server, "octocat", "app")
        said("backup", copy, "--database", database)
        call = watch(repository)
        begun(call)
        repository.record(status=SUCCESS)
        cursor = changes(call, 1)[0].cursor
    said("restore", copy, "--database", database)
    with Shipliftd(database) as server:
        repository = repository_of(server)
        for _ in range(3):
            repository.record(status=SUCCESS)
        # At its place is another change now.
        assert code_of(next, watch(repository, cursor=cursor)) == grpc.StatusCode.OUT_OF_RANGE


def test_what_the_release_before_writes_is_told_as_builds(own_server: Shipliftd) -> None:
    repository = Repository.make(own_server, "octocat", "app")
    build = repository.record(status=SUCCESS)
    call = watch(repository)
    begun(call)
    stored(
        own_server,
        "INSERT INTO changes (repo_id, build_id, version, at) VALUES (?, ?, 1, ?)",
        build.repo_id,
        build.id,
        now(),
    )
    repository.record(status=SUCCESS)
    assert [short(each) for each in changes(call, 2)] == [Seen("1", "success", 1), Seen("2", "success", 1)]


def test_the_changes_of_the_release_before_go_but_for_the_newest(tmp_path: Path) -> None:
    with Shipliftd(tmp_path / "shiplift.db") as server:
        repository = Repository.make(server, "octocat", "app")
        for _ in range(3):
            repository.record(status=SUCCESS)
        newest = ids(server)[-1]
    with opened(server.database) as store:
        go_back(store)
    if postgres.is_in_use():
        said("migrate", "--database", server.store)
    with Shipliftd(server.database) as server:
        assert ids(server) == [newest]
        repository = repository_of(server)
        call = watch(repository)
        begun(call)
        repository.record(status=SUCCESS)
        assert [short(each) for each in changes(call, 1)] == [Seen("4", "success", 1)]


def go_back(store: Any) -> None:  # noqa: ANN401  # either driver's connection
    """To what the release before left."""
    for index in ("changes_in_repository", "changes_in_order", "changes_unnumbered"):
        store.execute(f"DROP INDEX IF EXISTS {index}")
    for column in ("stage_id", "step_id", "status", "environment", "seq"):
        store.execute(f"ALTER TABLE changes DROP COLUMN {column}")
    store.execute("DELETE FROM schema_migrations WHERE name LIKE '0020%'")
    store.execute("DELETE FROM settings WHERE key = 'changes_epoch'")
