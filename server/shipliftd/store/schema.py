"""The schema of a store: applying migrations, and which releases may use it.

A migration expands first and contracts a release later, so that the release before still runs on what
this one leaves: a new column is NULL or has a default in SQL (peewee's `default` is none), or that release
could not insert. The store records the oldest release that may use it.
"""

import contextlib
import logging
import re
import secrets
import shlex
import time
from collections.abc import Iterator
from pathlib import Path

from peewee import Database, SqliteDatabase, fn
from playhouse.migrations import Runner

from shipliftd import __version__
from shipliftd.errors import Precondition
from shipliftd.store import backups
from shipliftd.store.failures import is_damaged, is_locked
from shipliftd.store.models import Arrival, Build, Environment, Setting
from shipliftd.store.transaction import Reader, Transaction

MIGRATIONS = Path(__file__).parent / "migrations"
HISTORY = "schema_migrations"

# Raised by a release whose migrations an older one could not live with.
OLDEST_RELEASE = "0.1.0"

# The setting that has the newest build whose environment was noted.
_NOTED = "environments_noted"
# So many before it are looked at again: another server may have been storing them just then.
_LOOK_BACK = 1000

# Any number, the same in all releases.
_LOCK = 7_544_273_548
# How long a migration waits for a table, and lets others go on then; how often. Shorter than PostgreSQL's
# deadlock_timeout, at which whoever waits with it in a circle would be ended.
_LOCK_SECONDS = 0.5
_LOCK_TURNS = 120

# The setting that names the history of changes: cursors of another one find nothing here.
CHANGES_EPOCH = "changes_epoch"

log = logging.getLogger(__name__)


def migrate(database: Database) -> list[str]:
    """Brings the store up to this release; returns the names of the migrations that it took.

    A store that holds anything is copied beside itself before each migration. Raises Precondition when
    the store was used by a newer release that shut this one out.
    """
    runner = Runner(database, str(MIGRATIONS), table_name=HISTORY)
    status = runner.status()
    if any(each.path is None for each in status):
        _refuse_if_shut_out(database)
    is_new = not any(each.applied for each in status)
    taken = [each.name for each in status if not each.applied]
    for name in taken:
        if isinstance(database, SqliteDatabase):
            if not is_new:
                _copy_before(database, name)
            _apply(database, runner, name)
        else:
            _apply_beside_servers(database, runner, name)
        log.info("migrated", extra={"migration": name})
    tx = Transaction(database)
    _complete_settings(tx)
    if database.table_exists(Arrival):
        _take_over_deployments(tx)
    if database.table_exists(Environment):
        try:
            note_environments(tx)
        except Exception as error:
            # What is damaged keeps no server from the rest.
            if not is_damaged(error):
                raise
            log.warning("environments not noted", extra={"error": str(error)})
    return taken


def migrate_if_empty(database: SqliteDatabase) -> None:
    """Makes the tables of a new store. Raises Precondition when an old one needs migrating.

    For commands that may run beside a server, which must not find its tables changed.
    """
    if any(each.applied for each in Runner(database, str(MIGRATIONS), table_name=HISTORY).status()):
        require(database)
    else:
        migrate(database)


def require(database: Database) -> None:
    """Raises Precondition where the schema is not one that this release works with."""
    status = Runner(database, str(MIGRATIONS), table_name=HISTORY).status()
    pending = [each.name for each in status if not each.applied]
    if pending:
        raise Precondition(
            f"the store {database.database} needs {', '.join(pending)} first: run `shipliftd migrate`"
        )
    if any(each.path is None for each in status):
        _refuse_if_shut_out(database)


@contextlib.contextmanager
def one_at_a_time(database: Database) -> Iterator[None]:
    """Has other processes wait that would migrate the same PostgreSQL database."""
    database.execute_sql("SELECT pg_advisory_lock(%s)", (_LOCK,))
    try:
        yield
    finally:
        database.execute_sql("SELECT pg_advisory_unlock(%s)", (_LOCK,))


def _apply_beside_servers(database: Database, runner: Runner, name: str) -> None:
    """Applies a migration, or nothing of it, without having servers wait for long.

    Who waits for a whole table has all others wait behind it: so it waits shortly, and tries again. Raises
    Precondition where somebody uses the tables without an end.
    """
    database.execute_sql(f"SET lock_timeout = '{int(_LOCK_SECONDS * 1000)}ms'")
    for turn in range(_LOCK_TURNS):
        try:
            with database.atomic():
                runner.up(name)
                _compare_by_bytes(database)
        except Exception as error:
            if not is_locked(error):
                raise
            if not turn:
                log.info("waits for tables that others use", extra={"migration": name})
            time.sleep(_LOCK_SECONDS)
        else:
            return
    raise Precondition(
        f"{name} found its tables in use for {2 * _LOCK_SECONDS * _LOCK_TURNS:g} s, and changed nothing:"
        " wait until what reads or writes for so long has ended (pg_stat_activity shows it; pg_dump is"
        " one), and run `shipliftd migrate` again"
    )


def _compare_by_bytes(database: Database) -> None:
    # As SQLite does, whatever the database's own order: lists and their pages are the same on both.
    rows = database.execute_sql(
        "SELECT table_name, column_name FROM information_schema.columns WHERE data_type = 'text'"
        " AND table_schema = current_schema() AND collation_name IS DISTINCT FROM 'C'"
    ).fetchall()
    changes: dict[str, list[str]] = {}
    for table, column in rows:
        changes.setdefault(table, []).append(f'ALTER COLUMN "{column}" TYPE text COLLATE "C"')
    for table, each in changes.items():
        database.execute_sql(f'ALTER TABLE "{table}" {", ".join(each)}')


def _complete_settings(tx: Transaction) -> None:
    # With every start: the one that made the tables may have been killed before it came here.
    oldest = tx.get(Setting, Setting.key == "oldest_release")
    if oldest is None or _parts(oldest.value) < _parts(OLDEST_RELEASE):
        tx.execute(
            Setting.insert(key="oldest_release", value=OLDEST_RELEASE).on_conflict(
                conflict_target=[Setting.key], preserve=[Setting.value]
            )
        )
    if tx.get(Setting, Setting.key == "secret") is None:
        tx.execute(Setting.insert(key="secret", value=secrets.token_hex(32)))
    if tx.get(Setting, Setting.key == CHANGES_EPOCH) is None:
        begin_changes(tx)


def begin_changes(tx: Transaction) -> None:
    """Begins a history of changes: to cursors of another one nothing is known here."""
    tx.execute(
        Setting.insert(key=CHANGES_EPOCH, value=secrets.token_hex(4)).on_conflict(
            conflict_target=[Setting.key], preserve=[Setting.value]
        )
    )


def _take_over_deployments(tx: Transaction) -> None:
    # With every start: the release before may have served the store meanwhile, and knows no arrivals.
    with tx.database.atomic():
        for statement in _TAKE_OVER:
            tx.database.execute_sql(statement)


def note_environments(tx: Transaction) -> None:
    """Has those listed to which the release before has promoted, which notes none; with every start.

    There may be millions of builds, so only those are looked at that came since the last time.
    """
    with tx.database.atomic():
        noted = tx.get(Setting, Setting.key == _NOTED)
        after = int(noted.value) - _LOOK_BACK if noted is not None else 0
        newest = tx.scalar(Build.select(fn.MAX(Build.id))) or 0
        promoted = (
            Build.select(Build.repo, Build.deploy_to)
            .distinct()
            .where(Build.id > after, Build.parent > 0, Build.deploy_to != "")
        )
        into = [Environment.repo, Environment.name]
        tx.execute(Environment.insert_from(promoted, into).on_conflict_ignore())
        tx.execute(
            Setting.insert(key=_NOTED, value=str(newest)).on_conflict(
                conflict_target=[Setting.key], preserve=[Setting.value]
            )
        )


_NEWEST = """(
    SELECT number FROM arrivals
    WHERE arrivals.repo_id = d.repo_id AND arrivals.environment = d.environment ORDER BY id DESC LIMIT 1
)"""
_TAKE_OVER = (
    f"""
    INSERT INTO arrivals (repo_id, environment, build_id, number, at, said_by)
    SELECT repo_id, environment, build_id, number, updated, '' FROM deployments AS d
    WHERE number <> coalesce({_NEWEST}, 0)
    """,  # noqa: S608  # of constants
    f"""
    INSERT INTO arrivals (repo_id, environment, build_id, number, at, said_by)
    SELECT d.repo_id, d.environment, NULL, 0, (
        SELECT max(at) FROM arrivals WHERE repo_id = d.repo_id AND environment = d.environment
    ), '' FROM (SELECT DISTINCT repo_id, environment FROM arrivals) AS d
    WHERE NOT EXISTS (
        SELECT 1 FROM deployments WHERE repo_id = d.repo_id AND environment = d.environment
    ) AND {_NEWEST} <> 0
    """,  # noqa: S608  # of constants
)


def _refuse_if_shut_out(database: Database) -> None:
    oldest = Reader(database).by_id(Setting, "oldest_release").value
    if _parts(oldest) > _parts(__version__):
        raise Precondition(
            f"the store {database.database} needs Shiplift {oldest} or newer, this is {__version__}:"
            " install that release, or restore a backup from before the upgrade"
        )


def _copy_before(database: SqliteDatabase, name: str) -> None:
    path = Path(database.database)
    copy = path.with_name(f"{path.name}.before-{name}")
    copy.unlink(missing_ok=True)
    backups.backup(path, copy)
    undo = shlex.join(["shipliftd", "restore", "--database", str(path), str(copy)])
    log.info("backed up before migration", extra={"file": str(copy), "undo": undo})


def _apply(database: SqliteDatabase, runner: Runner, name: str) -> None:
    """Applies a migration, or nothing of it."""
    # Rebuilds of tables need foreign keys off, which only works outside of a transaction.
    database.pragma("foreign_keys", 0)
    try:
        with database.atomic():
            runner.up(name)
            _check_foreign_keys(database)
    finally:
        database.pragma("foreign_keys", 1)


def _check_foreign_keys(database: SqliteDatabase) -> None:
    broken = database.execute_sql("PRAGMA foreign_key_check").fetchall()
    if broken:
        raise Precondition(
            f"the migration would leave {len(broken)} rows that point nowhere, such as {broken[:3]}:"
            " the store is as it was"
        )


def _parts(release: str) -> tuple[int, ...]:
    # What follows the three numbers, as in 0.2.0rc1, does not count.
    return tuple(int(number) for number in re.findall(r"\d+", release)[:3])
