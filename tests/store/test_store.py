"""The commit queue on a real file: verbs taken together, and what becomes of them when one fails."""

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Coroutine, Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import peewee
import pytest
from shipliftd.errors import NotFound, Unavailable
from shipliftd.store import SqliteStore, group_commit
from shipliftd.store.compiled import Compiled, arg
from shipliftd.store.models import Change as ChangeRow
from shipliftd.store.models import Repository, Setting, User
from shipliftd.store.transaction import Change, Overtaken, Reader, Transaction

pytestmark = pytest.mark.sqlite

T = TypeVar("T")

UNAVAILABLE = "the store cannot take the write now; nothing was stored: try again"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """An empty store, in this process."""
    opened = SqliteStore(tmp_path / "shiplift.db")
    opened.migrate()
    yield opened
    opened.close()


def keep(tx: Transaction, key: str, value: str = "") -> str:
    tx.execute(Setting.insert(key=key, value=value))
    return key


def keep_much(tx: Transaction, key: str) -> str:
    return keep(tx, key, "x" * 4 * 1024 * 1024)


def raise_after(tx: Transaction, key: str, error: Exception) -> str:
    keep(tx, key)
    raise error


def misspell(tx: Transaction, key: str) -> None:
    keep(tx, key)
    tx.database.execute_sql("SELECT no_such_column FROM settings")


def break_a_constraint(tx: Transaction, key: str) -> None:
    keep(tx, key)
    tx.execute(User.insert(login="twin", created=0, updated=0))
    tx.execute(User.insert(login="twin", created=0, updated=0))


def fail_the_commit(tx: Transaction, key: str) -> None:
    """Leaves behind what SQLite refuses at the end of the transaction, and only there."""
    keep(tx, key)
    tx.database.execute_sql("PRAGMA defer_foreign_keys = 1")
    tx.database.execute_sql(
        "INSERT INTO grants (user_id, owner, repo, level, created, updated) VALUES (404, 'o', 'r', 3, 0, 0)"
    )


def run(scenario: Callable[[], Coroutine[object, object, T]]) -> T:
    return asyncio.run(scenario())


async def together(*writes: Coroutine[object, object, object]) -> list[object]:
    """What each of the writes returned or raised."""
    return await asyncio.gather(*writes, return_exceptions=True)


def kept(store: SqliteStore) -> list[str]:
    """The keys that are in the file, as another process sees them."""
    with closing(sqlite3.connect(store.path)) as other:
        rows = other.execute(
            "SELECT key FROM settings WHERE key NOT IN ('secret', 'oldest_release', 'environments_noted',"
            " 'audit_head', 'audit_anchor', 'changes_epoch')"
        )
        return sorted(row[0] for row in rows)


def commits(store: SqliteStore) -> list[str]:
    """The COMMITs that the writer goes on to run; the list grows."""
    seen: list[str] = []
    store.writer.connection().set_trace_callback(
        lambda sql: seen.append(sql) if sql.upper().startswith("COMMIT") else None
    )
    return seen


def test_waiting_verbs_are_committed_together(store: SqliteStore) -> None:
    async def scenario() -> list[object]:
        return await together(*(store.write(keep, f"{n:02}") for n in range(50)))

    seen = commits(store)
    assert run(scenario) == [f"{n:02}" for n in range(50)]
    assert kept(store) == [f"{n:02}" for n in range(50)]
    assert seen == ["COMMIT"]


def test_a_write_is_on_disk_when_it_is_answered(store: SqliteStore) -> None:
    async def scenario() -> list[list[str]]:
        seen = []
        for key in ("a", "b", "c"):
            await store.write(keep, key)
            seen.append(kept(store))
        return seen

    assert run(scenario) == [["a"], ["a", "b"], ["a", "b", "c"]]


@pytest.mark.parametrize(
    "error",
    [NotFound("no such build"), ValueError("a defect"), RecursionError(), sqlite3.OperationalError("bare")],
    ids=lambda error: type(error).__name__,
)
def test_a_verb_that_raises_harms_no_neighbour(store: SqliteStore, error: Exception) -> None:
    async def scenario() -> list[object]:
        return await together(
            store.write(keep, "before"),
            store.write(raise_after, "its own", error),
            store.write(keep, "after"),
        )

    seen = commits(store)
    assert run(scenario) == ["before", error, "after"]
    assert kept(store) == ["after", "before"]
    assert seen == ["COMMIT"]


@pytest.mark.parametrize(
    ("verb", "error"),
    [(misspell, peewee.OperationalError), (break_a_constraint, peewee.IntegrityError)],
)
def test_a_statement_that_fails_harms_no_neighbour(
    store: SqliteStore, verb: Callable[[Transaction, str], None], error: type[Exception]
) -> None:
    async def scenario() -> list[object]:
        return await together(
            store.write(keep, "before"), store.write(verb, "its own"), store.write(keep, "after")
        )

    before, failed, after = run(scenario)
    assert (before, type(failed), after) == ("before", error, "after")
    assert kept(store) == ["after", "before"]


def test_a_verb_does_not_see_what_a_failed_one_before_it_did(store: SqliteStore) -> None:
    def count(tx: Transaction) -> int:
        return len(tx.all(Setting.select().where(Setting.key == "undone")))

    async def scenario() -> list[object]:
        error = NotFound("undo this")
        return await together(
            store.write(raise_after, "undone", error), store.write(count), store.write(keep, "undone")
        )

    assert run(scenario)[1:] == [0, "undone"]


def test_a_full_disk_answers_the_whole_batch_unavailable_and_stores_none_of_it(store: SqliteStore) -> None:
    def fill() -> None:
        (pages,) = store.writer.execute_sql("PRAGMA page_count").fetchone()
        store.writer.execute_sql(f"PRAGMA max_page_count = {pages + 50}")

    async def scenario() -> list[list[object]]:
        batches = [await together(store.write(keep, "at first"))]
        fill()
        batches.append(
            await together(
                store.write(keep, "before"), store.write(keep_much, "too much"), store.write(keep, "after")
            )
        )
        # What fits goes on.
        batches.append(await together(store.write(keep, "small")))
        store.writer.execute_sql("PRAGMA max_page_count = 1000000")
        batches.append(await together(store.write(keep_much, "room again"), store.write(keep, "last")))
        return batches

    first, full, small, last = run(scenario)
    assert first == ["at first"]
    assert [(type(error), str(error)) for error in full] == [(Unavailable, UNAVAILABLE)] * 3
    assert (small, last) == (["small"], ["room again", "last"])
    assert kept(store) == ["at first", "last", "room again", "small"]


def test_a_full_disk_that_a_verb_makes_light_of_is_still_everybodys(store: SqliteStore) -> None:
    def hide(tx: Transaction) -> str:
        try:
            keep_much(tx, "too much")
        except peewee.OperationalError as error:
            raise NotFound("something else") from error
        return ""

    async def scenario() -> list[object]:
        (pages,) = store.writer.execute_sql("PRAGMA page_count").fetchone()
        store.writer.execute_sql(f"PRAGMA max_page_count = {pages + 50}")
        return await together(store.write(keep, "before"), store.write(hide), store.write(keep, "after"))

    answers = run(scenario)
    # SQLite had ended the transaction, so the neighbours' work was gone too.
    assert [(type(error), str(error)) for error in answers] == [(Unavailable, UNAVAILABLE)] * 3
    assert kept(store) == []


def test_a_failed_commit_answers_the_whole_batch_unavailable_and_stores_none_of_it(
    store: SqliteStore,
) -> None:
    async def scenario() -> list[list[object]]:
        return [
            await together(
                store.write(keep, "before"), store.write(fail_the_commit, "it"), store.write(keep, "after")
            ),
            await together(store.write(keep, "next")),
        ]

    failed, last = run(scenario)
    assert [(type(error), str(error)) for error in failed] == [(Unavailable, UNAVAILABLE)] * 3
    assert last == ["next"]
    assert kept(store) == ["next"]


def test_another_process_that_writes_only_delays(store: SqliteStore) -> None:
    async def scenario() -> list[object]:
        with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            other.execute("INSERT INTO settings VALUES ('other', '')")
            waiting = asyncio.ensure_future(together(store.write(keep, "mine"), store.write(keep, "too")))
            # Reads go on meanwhile, and so does the loop.
            assert await store.listing(Reader.all, Repository.select()) == []
            done, _ = await asyncio.wait({waiting}, timeout=0.2)
            assert not done
            other.execute("COMMIT")
            return await waiting

    assert run(scenario) == ["mine", "too"]
    assert kept(store) == ["mine", "other", "too"]


def test_another_process_that_never_stops_writing_makes_the_store_unavailable(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "_BUSY_SECONDS", 0.2)

    async def scenario() -> list[object]:
        with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            refused = await together(store.write(keep, "first"), store.write(keep, "second"))
        return [*refused, *await together(store.write(keep, "third"))]

    *refused, third = run(scenario)
    assert [(type(error), str(error)) for error in refused] == [(Unavailable, UNAVAILABLE)] * 2
    assert third == "third"
    assert kept(store) == ["third"]


def test_a_caller_who_is_gone_before_the_batch_has_nothing_stored(store: SqliteStore) -> None:
    async def scenario() -> list[object]:
        with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            gone = asyncio.ensure_future(store.write(keep, "gone"))
            stays = asyncio.ensure_future(store.write(keep, "stays"))
            await asyncio.sleep(0)
            gone.cancel()
            other.execute("COMMIT")
        return list(await asyncio.gather(gone, stays, return_exceptions=True))

    gone, stays = run(scenario)
    assert (type(gone), stays) == (asyncio.CancelledError, "stays")
    assert kept(store) == ["stays"]


def test_a_caller_who_goes_at_any_moment_harms_no_neighbour(store: SqliteStore) -> None:
    async def scenario() -> list[object]:
        answers: list[object] = []
        for moment in range(30):
            goes = asyncio.ensure_future(store.write(keep, f"goes {moment}"))
            stays = asyncio.ensure_future(store.write(keep, f"stays {moment}"))
            for _ in range(moment):
                await asyncio.sleep(0)
            goes.cancel()
            answers += await asyncio.gather(goes, stays, return_exceptions=True)
        return answers

    answers = run(scenario)
    assert answers[1::2] == [f"stays {moment}" for moment in range(30)]
    acknowledged = {key for key in answers if isinstance(key, str)}
    # Whoever left during the commit may have been stored; nobody who was answered is missing.
    assert acknowledged <= set(kept(store))


def test_drain_waits_for_everything_that_was_given(store: SqliteStore) -> None:
    async def scenario() -> list[str]:
        writes = [asyncio.ensure_future(store.write(keep, f"{n:02}")) for n in range(20)]
        await asyncio.sleep(0)
        late = asyncio.ensure_future(store.write(keep, "late"))
        await asyncio.sleep(0)
        await store.drain()
        seen = kept(store)
        await asyncio.gather(*writes, late)
        return seen

    assert run(scenario) == [*(f"{n:02}" for n in range(20)), "late"]


def test_drain_of_an_idle_store_returns_at_once(store: SqliteStore) -> None:
    async def scenario() -> str:
        await store.drain()
        key = await store.write(keep, "still open")
        await store.drain()
        return key

    assert run(scenario) == "still open"
    assert kept(store) == ["still open"]


def test_verbs_run_in_the_order_in_which_they_were_given(store: SqliteStore) -> None:
    def note(tx: Transaction, number: int) -> int:
        tx.execute(ChangeRow.insert(repo_id=1, build_id=number, version=1, at=0))
        return number

    async def scenario() -> list[object]:
        return await together(*(store.write(note, number) for number in range(100)))

    assert run(scenario) == list(range(100))
    with closing(sqlite3.connect(store.path)) as other:
        rows = other.execute("SELECT build_id FROM changes ORDER BY id").fetchall()
    assert [row[0] for row in rows] == list(range(100))


def test_lists_read_what_is_committed_while_a_batch_is_open(store: SqliteStore) -> None:
    read: list[int] = []

    def peek(tx: Transaction) -> None:
        keep(tx, "uncommitted")
        with closing(sqlite3.connect(store.path)) as other:
            read.extend(other.execute("SELECT count(*) FROM settings WHERE key = 'uncommitted'").fetchone())

    async def scenario() -> int:
        await store.write(peek)
        return len(await store.listing(Reader.all, Setting.select().where(Setting.key == "uncommitted")))

    assert run(scenario) == 1
    assert read == [0]


def test_a_verb_whose_row_has_moved_meanwhile_runs_again(store: SqliteStore) -> None:
    runs: list[int] = []

    def move(tx: Transaction) -> str:
        runs.append(len(runs))
        key = keep(tx, f"run {len(runs)}")
        if len(runs) < 3:
            raise Overtaken
        return key

    assert run(lambda: store.write(move)) == "run 3"
    # What the others did is undone.
    assert kept(store) == ["run 3"]


def test_a_verb_that_others_overtake_for_ever_is_unavailable(store: SqliteStore) -> None:
    def move(tx: Transaction) -> None:
        keep(tx, "never")
        raise Overtaken

    with pytest.raises(Unavailable, match="others were faster 6 times; nothing was stored: try again"):
        run(lambda: store.write(move))
    assert kept(store) == []


def test_an_update_that_finds_no_row_as_it_expects_overtakes(store: SqliteStore) -> None:
    rename = Compiled(
        Setting.update({Setting.value: arg(2)}).where(Setting.key == arg(0), Setting.value == arg(1))
    )

    def move(tx: Transaction, expected: str) -> None:
        rename.move(tx, "key", expected, "new")

    async def scenario() -> list[object]:
        await store.write(keep, "key", "old")
        return await together(store.write(move, "old"), store.write(move, "old"))

    first, second = run(scenario)
    assert (first, type(second)) == (None, Unavailable)


def test_changes_are_told_once_they_are_on_disk_and_before_the_answer(store: SqliteStore) -> None:
    told: list[tuple[list[Change], list[str]]] = []
    answered: list[bool] = []
    calls: list[asyncio.Future[None]] = []

    def hang_up(_changes: Collection[Change]) -> None:
        calls[-1].cancel()

    def see(changes: Collection[Change]) -> None:
        with closing(sqlite3.connect(store.path)) as other:
            keys = other.execute("SELECT key FROM settings WHERE key LIKE 'told%'").fetchall()
        told.append((list(changes), [key for (key,) in keys]))
        answered.append(calls[-1].done())

    def tell(tx: Transaction, key: str) -> None:
        keep(tx, key)
        tx.tell("moved", 7)
        tx.tell("moved", 7)
        tx.tell("begun", 8)

    def fail(tx: Transaction) -> None:
        tx.tell("begun", 9)
        raise NotFound("none")

    async def scenario() -> None:
        store.subscribe(see)
        calls.append(asyncio.ensure_future(store.write(tell, "told")))
        await asyncio.gather(*calls, store.write(fail), return_exceptions=True)
        # Who hangs up has it stored, and others are told of it all the same.
        calls.append(asyncio.ensure_future(store.write(tell, "told, too")))
        store.subscribe(hang_up)
        await asyncio.wait(calls)

    run(scenario)
    changes = [("moved", 7), ("begun", 8)]
    assert told == [(changes, ["told"]), (changes, ["told", "told, too"])]
    assert answered == [False, False]
