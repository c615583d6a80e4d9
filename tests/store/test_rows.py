"""The rows that queries make, the models and the migrations speak of the same tables."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple, get_type_hints

import peewee
import pytest
from shipliftd.store import SqliteStore, models
from shipliftd.store.rows import BuildRow, SecretRow, StageRow, StepRow
from shipliftd.store.schema import HISTORY

from tests.support.patience import SECONDS

pytestmark = pytest.mark.sqlite


class Row(NamedTuple):
    """A kind of row, and the model whose columns it has."""

    kind: type[BuildRow] | type[SecretRow] | type[StageRow] | type[StepRow]
    model: type[peewee.Model]


TYPES = {
    peewee.TextField: str,
    peewee.BlobField: bytes,
    peewee.IntegerField: int,
    peewee.BooleanField: bool,
    peewee.ForeignKeyField: int,
}


@pytest.mark.parametrize(
    "row",
    [
        Row(BuildRow, models.Build),
        Row(SecretRow, models.Secret),
        Row(StageRow, models.Stage),
        Row(StepRow, models.Step),
    ],
)
def test_a_row_has_the_columns_of_its_model_in_their_order(row: Row) -> None:
    fields = row.model._meta.sorted_fields
    assert list(row.kind._fields) == [field.column_name for field in fields]
    for field, kind in zip(fields, get_type_hints(row.kind).values(), strict=True):
        plain = next(plain for base, plain in TYPES.items() if isinstance(field, base))
        assert (field.column_name, kind) == (field.column_name, plain | None if field.null else plain)


def test_every_model_is_in_the_list_of_tables() -> None:
    tables = {
        model
        for model in vars(models).values()
        if isinstance(model, type) and issubclass(model, models.Table) and model is not models.Table
    }
    assert set(models.TABLES) == tables


def schema(path: Path) -> dict[str, set[str]]:
    """The parts of the SQL of every table and index that a migration or a model makes.

    A column that was added stands behind the constraints, so their order does not count.
    """
    with closing(sqlite3.connect(path)) as other:
        rows = other.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        return {name: parts(sql) for name, sql in rows if not name.startswith(HISTORY)}


def parts(sql: str) -> set[str]:
    """What stands between the commas of the outermost parentheses, and what is around them."""
    head, _, rest = sql.partition("(")
    found, depth, begin = [head], 0, 0
    for place, character in enumerate(rest):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if (character == "," and depth == 0) or depth < 0:
            found.append(rest[begin:place])
            begin = place + 1
        if depth < 0:
            break
    plain = (" ".join(part.replace('"', "").split()) for part in (*found, rest[begin:]))
    # The same, as a migration writes it.
    return {re.sub(r"DEFAULT (\S+) NOT NULL", r"NOT NULL DEFAULT \1", part) for part in plain}


def test_the_migrations_make_what_the_models_say(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "migrated.db")
    store.migrate()
    store.close()
    database = peewee.SqliteDatabase(str(tmp_path / "modelled.db"))
    with database.bind_ctx(models.TABLES):
        database.create_tables(models.TABLES)
    database.close()
    migrated, modelled = schema(tmp_path / "migrated.db"), schema(tmp_path / "modelled.db")
    assert migrated == modelled
    assert {model._meta.table_name for model in models.TABLES} <= modelled.keys()


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("UPDATE builds SET status = 'odd'", "builds_status"),
        ("UPDATE builds SET event = 'odd'", "builds_event"),
        ("UPDATE builds SET number = 0", "builds_number_positive"),
        ("UPDATE builds SET deploy_to = ''", "builds_promotion_has_parent_and_environment"),
        ("UPDATE builds SET parent = 0", "builds_promotion_has_parent_and_environment"),
        ("UPDATE builds SET event = 'push'", "builds_promotion_has_parent_and_environment"),
        ("UPDATE builds SET number = 1", "builds.repo_id, builds.number"),
        ("UPDATE builds SET external_id = 'x'", "builds.repo_id, builds.external_id"),
        ("UPDATE builds SET repo_id = 404", "FOREIGN KEY"),
        ("UPDATE stages SET status = 'odd'", "stages_status"),
        ("UPDATE stages SET kind = 'odd'", "stages_kind"),
        ("UPDATE stages SET number = 1, build_id = 1", "stages.build_id, stages.number"),
        ("UPDATE repositories SET visibility = 'odd'", "repositories_visibility"),
        ("UPDATE grants SET level = 6", "grants_level"),
        ("DELETE FROM builds", "FOREIGN KEY"),
        ("DELETE FROM users", "FOREIGN KEY"),
    ],
)
def test_the_database_enforces_the_rules_itself(tmp_path: Path, statement: str, constraint: str) -> None:
    store = SqliteStore(tmp_path / "shiplift.db")
    store.migrate()
    with store.writer.bind_ctx(models.TABLES):
        user = models.User.create(login="mona", created=1, updated=1)
        repo = models.Repository.create(
            user=user,
            owner="octocat",
            name="app",
            scm="git",
            git_http_url="",
            git_ssh_url="",
            link="",
            default_branch="main",
            visibility="private",
            config_path="",
            timeout=SECONDS,
            created=1,
            updated=1,
        )
        models.Grant.create(user=user, owner="octocat", repo="app", level=3, created=1, updated=1)
        for number in (1, 2):
            build = models.Build.create(**filled(models.Build), repo=repo, number=number)
            models.Stage.create(**filled(models.Stage), repo=repo, build=build, number=number)
    store.close()
    with closing(sqlite3.connect(tmp_path / "shiplift.db")) as other:
        other.execute("PRAGMA foreign_keys = 1")
        with pytest.raises(sqlite3.IntegrityError, match=constraint):
            other.execute(statement)


def filled(model: type[peewee.Model]) -> dict[str, object]:
    """A good value for every column but the numbers and those that point elsewhere."""
    words = {
        "status": "pending",
        "event": "promote",
        "parent": 1,
        "deploy_to": "production",
        "kind": "pipeline",
        "external_id": None,
    }
    left = {"id", "number", "repo", "build"}
    return {
        field.name: words.get(field.name, "" if isinstance(field, peewee.TextField) else 1)
        for field in model._meta.sorted_fields
        if field.name not in left
    }
