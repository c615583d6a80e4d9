"""`shipliftd copy`: a store moves from one kind to the other, and nothing of it changes."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from shiplift.v1 import builds_pb2 as api

from tests.support import postgres
from tests.support.beside import everything, opened
from tests.support.commands import checked, refusal, said
from tests.support.harness import Shipliftd
from tests.support.repository import Repository
from tests.support.staged import SUCCESS, Staged

pytestmark = pytest.mark.postgresql


@pytest.fixture
def elsewhere(tmp_path: Path) -> str:
    """The URL of an empty database, without tables."""
    name = postgres.url_of(tmp_path / "elsewhere")
    server, _, database = name.rpartition("/")
    with closing(psycopg.connect(f"{server}/postgres", autocommit=True)) as connection:
        connection.execute(f"DROP DATABASE {database}".encode())
        connection.execute(f"CREATE DATABASE {database}".encode())
    return name


def filled(server: Shipliftd) -> api.Build:
    """Something of everything; a promotion with a request_id."""
    staged = Staged.of(Repository.make(server, "octocat", "app"))
    step, _ = staged.stepping("only", "\N{SNOWMAN} {")
    staged.runner.append(step.id, 0, "one\n", "two \N{SNOWMAN}\n")
    staged.runner.report(staged.runner.lease(step.stage_id).stage.id, SUCCESS)
    return server.builds().PromoteBuild(promotion())


def promotion() -> api.PromoteRequest:
    return api.PromoteRequest(
        owner="octocat", repo="app", build=1, target="staging", request_id="r1", params={"NOTE": "a'b\"\\"}
    )


def rows_of(file: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(file)) as store:
        return without_history(everything_in(store))


def everything_in(store: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    names = [row[0] for row in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {name: sorted(store.execute(f"SELECT * FROM {name}"), key=repr) for name in names}


def without_history(tables: dict[str, list[tuple[object, ...]]]) -> dict[str, list[tuple[object, ...]]]:
    # When migrations were applied is each store's own, and so are the cursors of watches.
    tables["settings"] = [row for row in tables["settings"] if row[0] != "changes_epoch"]
    return {name: rows for name, rows in tables.items() if name != "schema_migrations"}


def test_a_store_goes_there_and_back_as_it_is(tmp_path: Path, elsewhere: str) -> None:
    with Shipliftd(tmp_path / "server") as server:
        made = filled(server)
    # By way of SQLite, whichever the server's was.
    first, again = tmp_path / "first.db", tmp_path / "again.db"
    said("copy", "--from", server.store, "--to", first)
    told = said("copy", "--from", first, "--to", elsewhere)
    assert re.search(r"^builds: 3 rows, sha256 [0-9a-f]{16}$", told, re.M)
    assert re.search(r"^log_lines: 2 rows, sha256 [0-9a-f]{16}$", told, re.M)
    said("copy", "--from", elsewhere, "--to", again)
    assert rows_of(first) == rows_of(again)
    assert checked(elsewhere) == "ok\n"
    assert checked(again).startswith(f"{again}: ok, 1 repositories, 3 builds,")

    # Numbers and ids go on, and a request_id is known again.
    with Shipliftd(tmp_path / "elsewhere") as served:
        builds = served.builds(server.admin_token)
        assert builds.PromoteBuild(promotion()) == made
        next_one = api.PromoteRequest(owner="octocat", repo="app", build=1, target="other")
        assert builds.PromoteBuild(next_one).number == 4


def test_a_target_that_holds_something_is_refused(tmp_path: Path) -> None:
    with Shipliftd(tmp_path / "one") as one:
        filled(one)
    with Shipliftd(tmp_path / "two") as two:
        pass
    with opened(two.database) as store:
        before = everything(store)
    assert refusal("copy", "--from", one.store, "--to", two.store) == (
        "the target is not empty: it has users; name an empty one"
    )
    with opened(two.database) as store:
        assert everything(store) == before


def test_a_store_in_use_is_refused(server: Shipliftd, tmp_path: Path) -> None:
    file = tmp_path / "copy.db"
    assert "in use by" in refusal("copy", "--from", server.store, "--to", file)
    assert "in use by" in refusal("copy", "--from", _empty(tmp_path), "--to", server.store)


def _empty(tmp_path: Path) -> Path:
    said("migrate", "--database", tmp_path / "empty.db")
    return tmp_path / "empty.db"
