"""Upgrades: migrations on a filled store, the copy before them, and releases that meet a newer store."""

import asyncio
import logging
import shlex
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from peewee import IntegrityError
from shiplift.v1 import access_pb2, builds_pb2
from shipliftd.errors import Precondition
from shipliftd.store import SqliteStore, schema

from tests.support.commands import MIGRATIONS, refusal, said, shipliftd
from tests.support.harness import Shipliftd
from tests.support.repository import COMMIT

pytestmark = pytest.mark.sqlite

# A rebuild of the table that others point to, and a column that a later release might want.
NEXT = """
from peewee import SQL, TextField

def up(migrator, db):
    empty = TextField(default="", constraints=[SQL("DEFAULT ''")])
    migrator.migrate(
        migrator.add_column("builds", "holds", empty),
        migrator.rename_column("repositories", "scm", "source_control"),
        migrator.rename_column("repositories", "source_control", "scm"),
    )
    db.execute_sql("UPDATE builds SET holds = 'migrated ' || number")
"""
FAILING = """
def up(migrator, db):
    db.execute_sql("CREATE TABLE half (done)")
    db.execute_sql("DELETE FROM changes")
    raise RuntimeError("power cut")
"""
POINTING_NOWHERE = """
def up(migrator, db):
    db.execute_sql("DELETE FROM users")
"""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of this release, at rest, with a recorded build and 20 promotions of it."""
    # The blank is in the path on purpose: the command that is logged must survive it.
    database = tmp_path_factory.mktemp("filled") / "of this release.db"
    with Shipliftd(database) as server:
        request = access_pb2.CreateRepositoryRequest(owner="octocat", repo="app")
        server.access().CreateRepository(request)
        server.builds().CreateBuild(
            builds_pb2.CreateBuildRequest(owner="octocat", repo="app", after=COMMIT)
        )
        for number in range(20):
            promote(server, server.admin_token, f"request {number}")
    return database


@pytest.fixture
def database(filled: Path, tmp_path: Path) -> Path:
    """A copy of it, of the test's own."""
    shutil.copy(f"{filled}.admin-token", tmp_path / "of this release.db.admin-token")
    return Path(shutil.copy(filled, tmp_path / filled.name))


@pytest.fixture
def migrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The migrations of a release to come; a test adds its own."""
    folder = tmp_path / "migrations"
    shutil.copytree(schema.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(schema, "MIGRATIONS", folder)
    return folder


@pytest.fixture(autouse=True)
def _logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.INFO, logger="shipliftd"):
        yield


def promote(server: Shipliftd, token: str, request_id: str) -> builds_pb2.Build:
    return server.builds(token).PromoteBuild(
        builds_pb2.PromoteRequest(
            owner="octocat", repo="app", build=1, target="production", request_id=request_id
        )
    )


def migrate(database: Path) -> list[str]:
    store = SqliteStore(database)
    try:
        return store.migrate()
    finally:
        store.close()


def rows(database: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(database)) as store:
        return store.execute(sql).fetchall()


def content(database: Path) -> list[str]:
    """Everything that is in the file, but for the history of changes, which a restore begins anew."""
    with closing(sqlite3.connect(database)) as store:
        return [line for line in store.iterdump() if "changes_epoch" not in line]


def test_a_migration_keeps_what_is_in_a_filled_store(database: Path, migrations: Path) -> None:
    before = rows(database, "SELECT * FROM stages ORDER BY id")
    (migrations / "9001_next.py").write_text(NEXT)
    assert migrate(database) == ["9001_next"]
    assert migrate(database) == []
    assert rows(database, "SELECT number, holds FROM builds ORDER BY number") == [
        (number, f"migrated {number}") for number in range(1, 22)
    ]
    assert rows(database, "SELECT * FROM stages ORDER BY id") == before
    assert rows(database, "SELECT owner, name, scm, counter FROM repositories") == [
        ("octocat", "app", "git", 21)
    ]
    assert rows(database, "SELECT name FROM schema_migrations ORDER BY name") == [
        *((name,) for name in MIGRATIONS),
        ("9001_next",),
    ]
    assert "21 builds" in said("check", "--database", database)


def test_the_indexes_and_constraints_outlive_the_rebuild_of_a_table(
    database: Path, migrations: Path
) -> None:
    named = "SELECT type, name, tbl_name FROM sqlite_master WHERE type = 'index' ORDER BY name"
    before = rows(database, named)
    (migrations / "9001_next.py").write_text(NEXT)
    migrate(database)
    assert rows(database, named) == before
    (text,) = rows(database, "SELECT sql FROM sqlite_master WHERE name = 'repositories'")[0]
    assert "repositories_visibility" in str(text)


def test_this_release_serves_a_newer_store_that_lets_it(database: Path, migrations: Path) -> None:
    (migrations / "9001_next.py").write_text(NEXT)
    migrate(database)
    with Shipliftd(database) as server:
        token = server.admin_token
        assert promote(server, token, "request 3").number == 5
        promotion = promote(server, token, "new")
        assert promotion.number == 22
    assert rows(database, "SELECT holds FROM builds WHERE number = 22") == [("",)]
    assert rows(database, "SELECT value FROM settings WHERE key = 'oldest_release'") == [
        (schema.OLDEST_RELEASE,)
    ]
    assert said("user", "add", "dora", "--database", database) == "created user dora\n"
    assert said("migrate", "--database", database) == "nothing to apply\n"


def test_a_newer_store_that_shuts_this_release_out_is_refused(
    database: Path, migrations: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (migrations / "9001_next.py").write_text(NEXT)
    monkeypatch.setattr(schema, "OLDEST_RELEASE", "0.10.0")
    migrate(database)
    before = content(database)
    for command in (("serve", "--listen", "127.0.0.1:0"), ("user", "add", "dora"), ("migrate",)):
        assert refusal(*command, "--database", database) == (
            f"the store {database} needs Shiplift 0.10.0 or newer, this is 0.2.0: install that release,"
            " or restore a backup from before the upgrade"
        )
    assert content(database) == before


def test_a_store_is_copied_before_a_migration_and_the_logged_command_undoes_it(
    database: Path, migrations: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = content(database)
    (migrations / "9001_next.py").write_text(NEXT)
    migrate(database)
    copy = database.with_name(f"{database.name}.before-9001_next")
    # Its header says that it is one file, with no -wal beside it.
    assert copy.read_bytes()[18:20] == b"\x01\x01"
    assert (content(copy), copy.stat().st_mode & 0o777) == (before, 0o600)

    (record,) = [record for record in caplog.records if record.message == "backed up before migration"]
    assert vars(record)["file"] == str(copy)
    command, *arguments = shlex.split(vars(record)["undo"])
    assert command == "shipliftd"
    assert shipliftd(*arguments).returncode == 0
    assert content(database) == before
    with Shipliftd(database) as server:
        assert promote(server, server.admin_token, "after the way back").number == 22


def test_the_copy_is_of_the_last_upgrade(database: Path, migrations: Path) -> None:
    (migrations / "9001_next.py").write_text(NEXT)
    migrate(database)
    copy = database.with_name(f"{database.name}.before-9001_next")
    said("restore", copy, "--database", database)
    with Shipliftd(database) as server:
        promote(server, server.admin_token, "between the upgrades")
    migrate(database)
    assert rows(copy, "SELECT max(number) FROM builds") == [(22,)]


def test_each_of_several_migrations_has_its_copy(database: Path, migrations: Path) -> None:
    (migrations / "9001_next.py").write_text(NEXT)
    (migrations / "9002_more.py").write_text(
        'def up(migrator, db):\n    db.execute_sql("CREATE TABLE more (reason)")\n'
    )
    assert migrate(database) == ["9001_next", "9002_more"]
    copies = sorted(path.name for path in database.parent.glob("*.before-*"))
    assert copies == [f"{database.name}.before-9001_next", f"{database.name}.before-9002_more"]
    (columns,) = rows(
        database.with_name(copies[1]), "SELECT count(*) FROM builds WHERE holds LIKE 'migrated%'"
    )
    assert columns == (21,)


def test_a_new_store_is_not_copied(tmp_path: Path, migrations: Path) -> None:
    (migrations / "9001_next.py").write_text(NEXT)
    assert migrate(tmp_path / "new.db") == [*MIGRATIONS, "9001_next"]
    assert list(tmp_path.glob("*.before-*")) == []


def test_a_migration_that_fails_leaves_the_store_as_it_was(database: Path, migrations: Path) -> None:
    before = content(database)
    (migrations / "9001_failing.py").write_text(FAILING)
    with pytest.raises(RuntimeError, match="power cut"):
        migrate(database)
    assert content(database) == before
    with Shipliftd(database) as server:
        assert promote(server, server.admin_token, "goes on").number == 22


def test_a_migration_that_would_leave_rows_pointing_nowhere_is_undone(
    database: Path, migrations: Path
) -> None:
    before = content(database)
    (migrations / "0003_nowhere.py").write_text(POINTING_NOWHERE)
    for _ in range(2):
        with pytest.raises(Precondition, match=r"would leave \d+ rows that point nowhere"):
            migrate(database)
        assert content(database) == before
    # Foreign keys are looked at again afterwards.
    store = SqliteStore(database)
    (migrations / "0003_nowhere.py").unlink()
    store.migrate()
    with pytest.raises(IntegrityError):
        store.writer.execute_sql("DELETE FROM users")
    store.close()


def test_a_command_beside_a_server_does_not_migrate(database: Path, migrations: Path) -> None:
    (migrations / "9001_next.py").write_text(NEXT)
    before = content(database)
    store = SqliteStore(database)
    with pytest.raises(Precondition) as refused:
        asyncio.run(store.open())
    store.close()
    assert refused.value.message == (f"the store {database} needs 9001_next first: run `shipliftd migrate`")
    assert content(database) == before


def test_a_first_start_that_was_killed_after_making_the_tables_is_completed(tmp_path: Path) -> None:
    database = tmp_path / "shiplift.db"
    migrate(database)
    with closing(sqlite3.connect(database)) as store:
        # What the last transaction of the migration had not yet written.
        store.execute("DELETE FROM settings")
        store.commit()
    with Shipliftd(database) as server:
        request = access_pb2.CreateRepositoryRequest(owner="octocat", repo="app", request_id="one")
        assert server.access().CreateRepository(request) == server.access().CreateRepository(request)
    assert rows(database, "SELECT key, length(value) FROM settings ORDER BY key") == [
        ("changes_epoch", 8),
        ("environments_noted", 1),
        ("oldest_release", len(schema.OLDEST_RELEASE)),
        ("secret", 64),
    ]
