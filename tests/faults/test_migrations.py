"""Migrations that are killed by `kill -9` at any of their statements: the next start completes them."""

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from shipliftd.store import SqliteStore, schema

from tests.faults.conftest import Tell
from tests.support import postgres
from tests.support.commands import MIGRATIONS
from tests.support.faults import form, rows
from tests.support.harness import Shipliftd
from tests.support.repository import Repository
from tests.support.staged import SUCCESS, Staged

# Every so-manieth statement; a prime, so that it meets each kind. PostgreSQL is sent fewer.
EVERY = form(13 if postgres.is_in_use() else 37, 1)
BUILDS = 21
# What a release to come might do: tables are made anew, rows written, more than one migration.
NEXT = """
from peewee import SQL, TextField


def up(migrator, db):
    empty = TextField(default="", constraints=[SQL("DEFAULT ''")])
    migrator.migrate(
        migrator.add_column("builds", "holds", empty),
        migrator.rename_column("repositories", "scm", "source_control"),
        migrator.drop_column("stages", "link"),
    )
    db.execute_sql("UPDATE builds SET holds = 'migrated ' || number")
"""
# What this release lives with.
WIDER = """
from peewee import SQL, TextField


def up(migrator, db):
    empty = TextField(default="", constraints=[SQL("DEFAULT ''")])
    migrator.migrate(migrator.add_column("builds", "holds", empty))
    db.execute_sql("UPDATE builds SET holds = 'migrated ' || number")
"""
MORE = """
def up(migrator, db):
    db.execute_sql("CREATE TABLE freezes (reason TEXT)")
    db.execute_sql("INSERT INTO freezes SELECT holds FROM builds")
    migrator.migrate(migrator.rename_column("repositories", "source_control", "scm"))
"""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of this release, at rest: stages that succeeded, run, are lost and wait, with a log."""
    database = tmp_path_factory.mktemp("filled") / "shiplift.db"
    with Shipliftd(database) as server:
        staged = Staged.of(Repository.make(server, "octocat", "app"))
        (step,) = staged.stepping()
        staged.runner.append(step.id, 0, "one\n", "two\n")
        staged.runner.report(step.stage_id, SUCCESS)
        staged.running()
        for n in range(BUILDS - 4):
            staged.repository.promote(1, f"env-{n}", request_id=f"request {n}", params={"N": str(n)})
    return database


def as_of(migration: str, filled: Path, folder: Path) -> Path:
    """A store as the release left it that had no migration after this one, with what is in this one's."""
    had = folder / "had"
    had.mkdir()
    for path in schema.MIGRATIONS.glob("0*.py"):
        if path.stem <= migration:
            shutil.copy(path, had)
    database = folder / "old.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", had)
        store = SqliteStore(database)
        store.migrate()
        store.close()
    with closing(sqlite3.connect(database)) as file, file:
        file.execute("ATTACH ? AS filled", (str(filled),))
        for (table,) in file.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'").fetchall():
            if table == "settings":
                # Those that a later migration makes it had not.
                file.execute(
                    "UPDATE main.settings SET value = s.value FROM filled.settings AS s"
                    " WHERE s.key = main.settings.key"
                )
            elif table != schema.HISTORY and not table.startswith("sqlite_"):
                names = [
                    {row[1] for row in file.execute(f"PRAGMA {of}.table_info({table})")}
                    for of in ("main", "filled")
                ]
                columns = ", ".join(f'"{name}"' for name in names[0] & names[1])
                file.execute(f"DELETE FROM main.{table}")
                file.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM filled.{table}")
    return database


def interrupted(migrations: Path, database: Path, folder: Path, every: int) -> tuple[int, int]:
    """How many statements there are, and before how many of them it was killed, each time to no effect."""
    words = [str(migrations), str(database), str(folder), str(every)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.interrupted", *words], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["wrong"] == [], done.stderr
    assert told["tried"] > 0
    return told["statements"], told["tried"]


def and_those_of_this_release(folder: Path) -> Path:
    """A folder for migrations to come."""
    migrations = folder / "migrations"
    shutil.copytree(schema.MIGRATIONS, migrations, ignore=shutil.ignore_patterns("__pycache__"))
    return migrations


@pytest.mark.timeout(form(300, 3_600))
@pytest.mark.parametrize(
    "since",
    # The releases before had stores in SQLite alone.
    ["nothing", pytest.param("the first release", marks=pytest.mark.sqlite), "this release"],
)
def test_a_migration_that_is_killed_is_completed_by_the_next_start(
    filled: Path, tmp_path: Path, since: str, tell: Tell
) -> None:
    migrations = and_those_of_this_release(tmp_path)
    database = tmp_path / "none.db"
    if since == "the first release":
        database = as_of(MIGRATIONS[0], filled, tmp_path)
    elif since == "this release":
        database = filled
        (migrations / "9001_next.py").write_text(NEXT)
        (migrations / "9002_more.py").write_text(MORE)
    statements, tried = interrupted(migrations, database, tmp_path / "runs", EVERY)
    tell(f"killed before {tried} of {statements} statements; 0 times anything lost")


def test_a_server_goes_on_with_a_store_whose_migration_was_killed(filled: Path, tmp_path: Path) -> None:
    if postgres.is_in_use():
        migrations = and_those_of_this_release(tmp_path)
        (migrations / "9001_wider.py").write_text(WIDER)
        interrupted(migrations, filled, tmp_path / "runs", 15)
    else:
        interrupted(schema.MIGRATIONS, as_of(MIGRATIONS[0], filled, tmp_path), tmp_path / "runs", 150)
    database = tmp_path / "runs" / "killed" / "shiplift.db"
    killed = Shipliftd(database)
    shutil.copy(Shipliftd(filled).token_file, killed.token_file)
    with killed as server:
        repository = Repository(server, "octocat", "app")
        again = repository.promote(1, "env-3", request_id="request 3", params={"N": "3"})
        assert (again.number, again.params["N"]) == (8, "3")
        assert repository.promote(1).number == BUILDS + 1
    assert rows(database, "SELECT count(*), max(number) FROM builds") == [(BUILDS + 1, BUILDS + 1)]
