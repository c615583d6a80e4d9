"""The chain of the audit: rows are sealed in order, and whatever is changed with SQL is found and named."""

import asyncio
import hashlib
import json
import re
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shiplift.v1 import access_pb2
from shipliftd.access import audit_chain
from shipliftd.access.old_writes import forget_audit
from shipliftd.settings import database_of
from shipliftd.store import open_store

from tests.support.beside import Opened, opened
from tests.support.commands import AUDIT, refusal, said, shipliftd
from tests.support.harness import Shipliftd
from tests.support.patience import until
from tests.support.repository import Repository

ROWS = 12
WRONG = "the audit is not as it was written: "


@dataclass
class Trail:
    """A store at rest with some rows of the audit, all of them sealed."""

    server: Shipliftd
    rows: list[tuple[Any, ...]]
    names: list[str]
    settings: list[tuple[str, str]]

    def restore(self) -> None:
        """Puts back what was there."""
        with opened(self.server.database) as store:
            store.execute("DELETE FROM audit")
            marks = ", ".join("?" * len(self.names))
            for row in self.rows:
                store.execute(f"INSERT INTO audit VALUES ({marks})", row)
            for key, value in self.settings:
                store.execute("UPDATE settings SET value = ? WHERE key = ?", (value, key))

    def sql(self, *statements: str) -> None:
        with opened(self.server.database) as store:
            for statement in statements:
                store.execute(statement)

    def look(self, known: audit_chain.Place | None = None) -> audit_chain.Verified | str:
        """What the verification finds: all is well, or what is not."""

        async def verify() -> audit_chain.Verified:
            with closing(open_store(database_of(self.server.store), 1)) as store:
                return await audit_chain.verify(store, known)

        try:
            return asyncio.run(verify())
        except audit_chain.BrokenChainError as broken:
            return str(broken).removeprefix(WRONG)

    def id(self, seq: int) -> int:
        """The id of a row, by its place."""
        found: int = next(row[0] for row in self.rows if row[self.names.index("seq")] == seq)
        return found

    def told(self, seq: int) -> str:
        """How a row is named."""
        return f"seq {seq} (id {self.id(seq)})"


def every(store: Opened) -> tuple[list[str], list[tuple[Any, ...]]]:
    cursor = store.execute("SELECT * FROM audit ORDER BY seq")
    return [column[0] for column in cursor.description], [tuple(row) for row in cursor.fetchall()]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Trail:
    with Shipliftd(tmp_path_factory.mktemp("chain") / "shiplift.db") as server:
        # The first start has two.
        for number in range(ROWS - 2):
            server.access().CreateUser(access_pb2.CreateUserRequest(login=f"u{number}"))
    with opened(server.database) as store:
        names, rows = every(store)
        chain = store.execute("SELECT key, value FROM settings WHERE key LIKE 'audit_%'").fetchall()
    return Trail(server, rows, names, [tuple(row) for row in chain])


@pytest.fixture
def trail(kept: Trail) -> Trail:
    kept.restore()
    return kept


def place(trail: Trail, seq: int) -> audit_chain.Place:
    row = trail.rows[seq - 1]
    return audit_chain.Place(seq, row[trail.names.index("hash")])


def test_the_hash_of_a_row_is_of_its_content_and_the_hash_before(trail: Trail) -> None:
    before = b""
    at = {name: number for number, name in enumerate(trail.names)}
    for seq, row in enumerate(trail.rows, 1):
        content = [row[at[name]] for name in trail.names if name not in ("seq", "hash")]
        text = json.dumps([seq, *content], separators=(",", ":"))
        before = hashlib.sha256(before + text.encode()).digest()
        assert (row[at["seq"]], row[at["hash"]]) == (seq, before)
    assert dict(trail.settings) == {"audit_anchor": "0:", "audit_head": f"{ROWS}:{before.hex()}"}
    assert trail.look() == audit_chain.Verified(ROWS, 0, audit_chain.Place(ROWS, before))


def test_a_column_that_is_changed_is_found_in_each_row(trail: Trail) -> None:
    for name in trail.names:
        for seq in (1, ROWS // 2, ROWS):
            if name in ("seq", "hash", "id"):
                continue
            is_text = isinstance(trail.rows[0][trail.names.index(name)], str)
            new = f"{name} || 'x'" if is_text else f"{name} + 1"
            trail.sql(f"UPDATE audit SET {name} = {new} WHERE seq = {seq}")
            assert trail.look() == f"{trail.told(seq)} is changed", name
            trail.restore()


def test_an_id_or_a_hash_that_is_changed_is_found(trail: Trail) -> None:
    trail.sql("UPDATE audit SET id = 1000 WHERE seq = 5")
    assert trail.look() == "seq 5 (id 1000) is changed"
    trail.restore()
    with opened(trail.server.database) as store:
        store.execute("UPDATE audit SET hash = ? WHERE seq = 5", (b"\0" * 32,))
    assert trail.look() == f"{trail.told(5)} is changed"


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("seq = 1", "seq 1 is removed: {2} follows"),
        ("seq BETWEEN 4 AND 6", "seq 4 to 6 are removed: {7} follows"),
        (f"seq = {ROWS}", f"seq {ROWS} is removed: the chain ends before its head"),
        (f"seq > {ROWS - 3}", f"seq {ROWS - 2} to {ROWS} are removed: the chain ends before its head"),
        ("seq > 0", f"seq 1 to {ROWS} are removed: the chain ends before its head"),
    ],
)
def test_rows_that_are_removed_are_named(trail: Trail, where: str, told: str) -> None:
    trail.sql(f"DELETE FROM audit WHERE {where}")
    named = re.sub(r"\{(\d+)\}", lambda found: trail.told(int(found[1])), told)
    assert trail.look() == named


def test_a_gap_that_is_closed_is_found(trail: Trail) -> None:
    trail.sql(
        "DELETE FROM audit WHERE seq = 4",
        "UPDATE audit SET seq = -seq WHERE seq > 4",
        "UPDATE audit SET seq = -seq - 1 WHERE seq < 0",
    )
    assert trail.look() == (
        f"seq 4 is removed, and those behind it moved up: seq 4 (id {trail.id(5)}) was seq 5"
    )


@pytest.mark.parametrize(("one", "other"), [(3, 4), (1, ROWS), (5, 9)])
def test_rows_that_are_swapped_are_named(trail: Trail, one: int, other: int) -> None:
    trail.sql(
        f"UPDATE audit SET seq = 1000 WHERE seq = {one}",
        f"UPDATE audit SET seq = {one} WHERE seq = {other}",
        f"UPDATE audit SET seq = {other} WHERE seq = 1000",
    )
    told = f"seq {one} (id {trail.id(other)}) is swapped with seq {other} (id {trail.id(one)})"
    assert trail.look() == told


def test_contents_that_are_swapped_are_named(trail: Trail) -> None:
    names = [name for name in trail.names if name not in ("seq", "hash")]
    with opened(trail.server.database) as store:
        store.execute("DELETE FROM audit WHERE seq IN (4, 8)")
        for one, other in ((3, 7), (7, 3)):
            content = [trail.rows[other][trail.names.index(name)] for name in names]
            digest = trail.rows[one][trail.names.index("hash")]
            store.execute(
                f"INSERT INTO audit ({', '.join(names)}, seq, hash)"
                f" VALUES ({', '.join('?' * (len(names) + 2))})",
                (*content, one + 1, digest),
            )
    assert trail.look() == f"seq 4 (id {trail.id(8)}) is swapped with seq 8 (id {trail.id(4)})"


COPY = (
    "INSERT INTO audit (id, at, user_id, token_id, method, owner, repo, resource_id, target, request_id,"
    " code, reason, seq, hash) SELECT 1000, at, user_id, token_id, method, owner, repo, resource_id,"
    " target, request_id, code, reason, {seq}, hash FROM audit WHERE seq = {like}"
)


def test_a_row_that_is_inserted_is_named(trail: Trail) -> None:
    # With room made for it.
    trail.sql(
        "UPDATE audit SET seq = -seq - 1 WHERE seq >= 5",
        "UPDATE audit SET seq = -seq WHERE seq < 0",
        COPY.format(seq=5, like=4),
    )
    told = f"seq 5 (id 1000) is inserted: what belongs there is seq 6 (id {trail.id(5)})"
    assert trail.look() == told
    # Behind the end, and before the beginning.
    trail.restore()
    trail.sql(COPY.format(seq=ROWS + 1, like=ROWS))
    assert trail.look() == f"seq {ROWS + 1} (id 1000) is inserted: the chain's head is seq {ROWS}"
    trail.restore()
    trail.sql(COPY.format(seq=-3, like=1))
    assert trail.look() == "seq -3 (id 1000) is inserted: retention has cut to seq 0"


def test_a_head_that_is_changed_or_gone_is_found(trail: Trail) -> None:
    head = dict(trail.settings)["audit_head"]
    wrong = f"{ROWS}:{'00' * 32}"
    trail.sql(f"UPDATE settings SET value = '{wrong}' WHERE key = 'audit_head'")
    assert trail.look() == f"the head of the chain is changed: it says {wrong}, and the last row is {head}"
    trail.sql("UPDATE settings SET value = 'x' WHERE key = 'audit_head'")
    assert trail.look() == "the setting audit_head is 'x': wanted SEQ:HASH"
    trail.sql("UPDATE settings SET key = 'mislaid' WHERE key = 'audit_head'")
    assert trail.look() == "the setting audit_head is missing"
    trail.sql("UPDATE settings SET key = 'audit_head' WHERE key = 'mislaid'")


def test_who_makes_the_whole_chain_anew_is_found_by_a_head_that_was_told_before(trail: Trail) -> None:
    before, middle = place(trail, ROWS), place(trail, 5)
    assert trail.look(before) == trail.look(middle) == trail.look()
    trail.sql(
        "UPDATE audit SET code = 'OK', reason = '' WHERE seq = 3",
        "DELETE FROM audit WHERE seq = 4",
        "UPDATE audit SET seq = NULL, hash = NULL",
        "UPDATE settings SET value = '0:' WHERE key LIKE 'audit_%'",
    )
    with Shipliftd(trail.server.database):
        pass
    anew = trail.look()
    assert isinstance(anew, audit_chain.Verified)
    assert anew.rows == ROWS - 1
    replaced = f"seq 5 has another hash than {middle}: it, or rows before it, were replaced"
    assert trail.look(middle) == replaced
    assert trail.look(before) == f"seq {ROWS} is removed: the chain ends at {anew.head}"


TAMPERING = st.one_of(
    st.tuples(
        st.just("UPDATE audit SET {name} = {value} WHERE seq = {seq}"),
        st.sampled_from(["at", "user_id", "token_id", "resource_id", "build"]),
        st.integers(1, 2**31 - 1),
    ),
    st.tuples(
        st.just("UPDATE audit SET {name} = '{value}' WHERE seq = {seq}"),
        st.sampled_from(["method", "owner", "repo", "target", "code", "reason", "address", "verdicts"]),
        st.text("abc[]\u2603", min_size=1, max_size=5),
    ),
    st.tuples(st.just("DELETE FROM audit WHERE seq = {seq}"), st.none(), st.none()),
    st.tuples(
        st.just("UPDATE audit SET seq = {value} WHERE seq = {seq}"), st.none(), st.integers(100, 200)
    ),
    st.tuples(st.just("UPDATE audit SET seq = NULL WHERE seq = {seq}"), st.none(), st.none()),
    st.tuples(st.just(COPY), st.integers(1, ROWS), st.integers(-5, 5)),
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    database=None,
)
@given(seqs=st.lists(st.integers(1, ROWS), min_size=1, max_size=3, unique=True), data=st.data())
def test_whatever_is_done_to_the_rows_is_found_at_the_first_of_them(
    trail: Trail, seqs: list[int], data: st.DataObject
) -> None:
    trail.restore()
    touched = []
    with opened(trail.server.database) as store:
        for number, seq in enumerate(seqs):
            statement, name, value = data.draw(TAMPERING)
            if statement == COPY:
                # Behind the end, or before the beginning: in between there is no room.
                at = value if value <= 0 else ROWS + value
                copied = COPY.replace("1000", str(1000 + number))
                is_free = not store.execute("SELECT 1 FROM audit WHERE seq = ?", (at,)).fetchone()
                if is_free and store.execute(copied.format(seq=at, like=name)).rowcount:
                    touched.append(at)
                continue
            if "seq = {value}" in statement and (
                store.execute("SELECT 1 FROM audit WHERE seq = ?", (value,)).fetchone()
            ):
                continue
            before = every(store)
            store.execute(statement.format(name=name, value=value, seq=seq))
            if every(store) != before:
                touched.append(seq)
    found = trail.look()
    if not touched:
        assert isinstance(found, audit_chain.Verified)
        return
    assert isinstance(found, str), touched
    # Nothing before the first of them is blamed. What was removed is named by its place, too.
    named = re.search(r"^seq (-?\d+)", found)
    assert named is not None, found
    inserted = [seq for seq in touched if seq > ROWS]
    assert int(named[1]) == min(touched) or (min(touched) in inserted and int(named[1]) > ROWS), found


def test_rows_that_are_not_sealed_yet_are_by_the_next_start(tmp_path: Path) -> None:
    """A server that is killed between a commit and the sealing."""
    with Shipliftd(tmp_path / "shiplift.db") as server:
        for number in range(30):
            server.access().CreateUser(access_pb2.CreateUserRequest(login=f"u{number}"))
        assert server.stop(signal.SIGKILL) == -signal.SIGKILL
    with opened(server.database) as store:
        # As if it had been killed before it sealed the last ones; as a release before leaves its rows, too.
        store.execute(
            "INSERT INTO audit (at, user_id, token_id, method, owner, repo, resource_id, target,"
            " request_id, code, reason) SELECT at, 0, 0, 'CreateUser', '', '', 7, '', '', 'OK', ''"
            " FROM audit WHERE id = 1"
        )
        (unsealed,) = store.execute("SELECT count(*) FROM audit WHERE seq IS NULL").fetchone()
        (rows,) = store.execute("SELECT count(*) FROM audit").fetchone()
    assert (rows, unsealed > 0) == (33, True)
    before = AUDIT.search(said("check", "--database", server.store))
    assert before is not None
    assert (int(before[1]), int(before[2])) == (rows - unsealed, unsealed)
    with Shipliftd(server.database) as again:
        until(lambda: _unsealed(again) == 0)
        # Beside it, and an earlier head is part of the chain still.
        found = AUDIT.search(said("check", "--audit-head", before[3], "--database", again.store))
    assert found is not None
    assert (int(found[1]), int(found[2])) == (rows, 0)


def _unsealed(server: Shipliftd) -> int:
    with opened(server.database) as store:
        (count,) = store.execute("SELECT count(*) FROM audit WHERE seq IS NULL").fetchone()
        return int(count)


def test_check_names_the_break_and_fails(trail: Trail) -> None:
    trail.sql("UPDATE audit SET reason = 'nothing' WHERE seq = 3")
    done = shipliftd("check", "--database", trail.server.store)
    assert (done.returncode, done.stderr) == (1, f"shipliftd: {WRONG}{trail.told(3)} is changed\n")


@pytest.mark.parametrize("text", ["3", "3:", "x:00", "-1:" + "0" * 64, "3:" + "g" * 64])
def test_a_head_that_is_none_is_refused(trail: Trail, text: str) -> None:
    assert refusal("check", "--database", trail.server.store, "--audit-head", text) == (
        f"--audit-head {text!r} is no head: wanted SEQ:HASH, as `shipliftd check` tells it"
    )


def test_retention_keeps_the_chain_verifiable(tmp_path: Path) -> None:
    with Shipliftd(tmp_path / "shiplift.db") as server:
        repository = Repository.make(server, "octocat", "app")
        for _ in range(150):
            repository.record()
    trail = Trail(server, [], [], [])
    whole = trail.look()
    assert isinstance(whole, audit_chain.Verified)
    with opened(server.database) as store:
        names, rows = every(store)
    at = [audit_chain.Place(row[names.index("seq")], row[names.index("hash")]) for row in rows]

    async def cut(before: int) -> tuple[int, bool]:
        with closing(open_store(database_of(server.store), 2)) as store:
            return await store.write(forget_audit, before)

    # The latest 100 stay.
    assert asyncio.run(cut(2**60)) == (whole.rows - 100, False)
    assert asyncio.run(cut(2**60)) == (0, False)
    assert trail.look() == audit_chain.Verified(100, 0, whole.head)
    assert trail.look(at[-50]) == trail.look(at[-101]) == trail.look()
    assert trail.look(at[10]) == (
        f"whether {at[10]} was part of it cannot be told: retention has cut behind it; keep a head that is"
        " newer"
    )
    # What is cut by hand is no retention.
    trail.sql(f"DELETE FROM audit WHERE seq <= {at[-99].seq}")
    assert trail.look() == (
        f"seq {at[-100].seq} to {at[-99].seq} are removed: seq {at[-98].seq} (id {rows[-98][0]}) follows"
    )


@pytest.mark.postgresql
def test_two_replicas_under_load_seal_without_a_gap_and_nothing_twice(tmp_path: Path) -> None:
    database = tmp_path / "shiplift.db"
    with Shipliftd(database) as one, Shipliftd(database) as other:

        def write(server: Shipliftd, name: str) -> None:
            access = server.access()
            for number in range(60):
                access.CreateUser(access_pb2.CreateUserRequest(login=f"{name}{number}"))

        with ThreadPoolExecutor(8) as pool:
            made = [pool.submit(write, server, f"u{n}-") for n, server in enumerate([one, other] * 4)]
        for each in made:
            each.result()
        until(lambda: _unsealed(one) == 0)
        with opened(database) as store:
            names, rows = every(store)
        assert [row[names.index("seq")] for row in rows] == list(range(1, len(rows) + 1))
        assert len({row[0] for row in rows}) == len(rows) == 8 * 60 + 2
        found = AUDIT.search(said("check", "--database", one.store))
    assert found is not None
    assert (int(found[1]), int(found[2])) == (len(rows), 0)
