"""What only grows is removed by its age, where the server is told so: logs of steps, audit, request_ids."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from shipliftd.access.old_writes import forget_audit, forget_requests
from shipliftd.stages import old_logs
from shipliftd.store import SqliteStore
from shipliftd.store.transaction import Transaction

from tests.support.beside import opened
from tests.support.commands import refusal
from tests.support.harness import Shipliftd
from tests.support.patience import until
from tests.support.repository import Repository
from tests.support.staged import SUCCESS, Runner, Staged, stored
from tests.support.waiting import tail

HOUR = 60 * 60 * 1000
LINES = 1200
LONG = "x" * 1024 * 1024


def removed(server: Shipliftd) -> dict[str, Any]:
    """What the server says that it removed."""
    event = until(lambda: next((e for e in server.log if e["event"] == "removed what is old"), None))
    return {name: event[name] for name in ("log_lines", "audit", "request_ids")}


def texts(repository: Repository, build: int) -> list[str]:
    return [line.text for part in tail(repository, build=build) for line in part.lines]


def logged(staged: Staged, *batches: list[str], ends: bool = True) -> int:
    """A build with a step's log, sent in batches; its number."""
    (step,) = staged.stepping()
    position = 0
    for lines in batches:
        position = staged.runner.append(step.id, position, *lines)
    if ends:
        staged.runner.report_step(step.id, SUCCESS)
        staged.runner.report(step.stage_id, SUCCESS)
    return staged.repository.page(page_size=1).builds[0].number


def step_of(server: Shipliftd, build: int) -> int:
    """The id of the step of a build."""
    steps = stored(
        server,
        "SELECT steps.id FROM steps JOIN stages ON stages.id = steps.stage_id"
        " JOIN builds ON builds.id = stages.build_id WHERE builds.number = ?",
        build,
    )
    return int(steps[0][0])


def test_logs_of_builds_that_ended_long_ago_are_removed_and_said_to_be(tmp_path: Path) -> None:
    database = tmp_path / "shiplift.db"
    with Shipliftd(database) as server:
        staged = Staged.of(Repository.make(server, "octocat", "app"))
        running = logged(staged, ["still"], ends=False)
        full = logged(staged, [LONG] * 3, [LONG, LONG, "more", "and more"])
        old = logged(staged, [f"{n}\n" for n in range(LINES)])
        ended_late = logged(staged, ["late"])
        young = logged(staged, ["young"])
    with opened(database) as store:
        store.execute("UPDATE builds SET created = created - ?", (3 * HOUR,))
        store.execute("UPDATE builds SET updated = updated - ? WHERE number <> ?", (3 * HOUR, ended_late))
        store.execute("UPDATE builds SET created = created + ? WHERE number = ?", (3 * HOUR, young))
    with Shipliftd(database, ("--keep-logs", "2h")) as server:
        repository = Repository(server, "octocat", "app")
        assert removed(server) == {"log_lines": LINES + 6, "audit": 0, "request_ids": 0}
        gone = "This log of {} lines was removed: it was older than the server's --keep-logs.\n"
        assert [texts(repository, n) for n in (running, full, old, ended_late, young)] == [
            ["still"],
            [gone.format(8)],
            [gone.format(LINES)],
            ["late"],
            ["young"],
        ]
        # Whoever comes back goes on behind its end, and is told once.
        (part,) = tail(repository, LINES - 3, build=old, follow=True)
        assert part.next_position == LINES
        assert list(tail(repository, LINES, build=old)) == []
        # What comes for it yet is not kept, and its sender need not care.
        runner = Runner(server, staged.runner.token)
        assert runner.append(step_of(server, old), LINES, "x") == LINES + 1
        assert texts(repository, old) == [gone.format(LINES)]


def test_old_rows_of_the_audit_are_removed_but_for_the_latest(tmp_path: Path) -> None:
    database = tmp_path / "shiplift.db"
    with Shipliftd(database) as server:
        Repository.make(server, "octocat", "app")
    with opened(database) as store:
        (highest,) = store.execute("SELECT max(id) FROM audit").fetchone()
        store.execute(
            "INSERT INTO audit (id, at, user_id, token_id, method, owner, repo, resource_id, target,"
            " request_id, code, reason) WITH RECURSIVE more(n) AS"
            " (SELECT CAST(? AS BIGINT) UNION ALL SELECT n + 1 FROM more WHERE n < ? + 1300)"
            " SELECT n, at, user_id, token_id, method, owner, repo, resource_id, target,"
            " request_id, code, reason FROM more, audit WHERE audit.id = ?",
            (highest + 1, highest, highest),
        )
        store.execute("UPDATE audit SET at = at - ? WHERE id <= ?", (3 * HOUR, highest + 1250))
    with Shipliftd(database, environment={"SHIPLIFTD_KEEP_AUDIT": "2h"}) as server:
        assert removed(server) == {"log_lines": 0, "audit": highest + 1200, "request_ids": 0}
        assert stored(server, "SELECT min(id), max(id), count(*) FROM audit") == [
            (highest + 1201, highest + 1300, 100)
        ]


def test_old_request_ids_are_forgotten_and_those_without_a_time_count_from_now_on(tmp_path: Path) -> None:
    database = tmp_path / "shiplift.db"
    with Shipliftd(database) as server:
        repository = Repository.make(server, "octocat", "app")
        repository.record(status=SUCCESS)
        first = [repository.promote(1, request_id=f"r{n}").number for n in range(3)]
    with opened(database) as store:
        store.execute("UPDATE requests SET at = at - ? WHERE request_id = 'r0'", (3 * HOUR,))
        store.execute("UPDATE requests SET at = NULL WHERE request_id = 'r1'")
    with Shipliftd(database, ("--keep-requests", "2h")) as server:
        repository = Repository(server, "octocat", "app")
        assert removed(server) == {"log_lines": 0, "audit": 0, "request_ids": 1}
        again = [repository.promote(1, request_id=f"r{n}").number for n in range(3)]
        assert (first, again) == ([2, 3, 4], [5, 3, 4])
        assert stored(server, "SELECT count(*) FROM requests WHERE at IS NULL") == [(0,)]


def test_ages_are_whole_hours_or_days() -> None:
    for text in ("90", "0d", "1.5h", "-1d", "90 d", "3m", "1000000d"):
        assert refusal("serve", "--keep-audit", text) == (
            f"--keep-audit {text!r} is not an age: wanted whole hours or days, 1h to 999999d,"
            " such as 12h or 90d"
        )


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("verb", "plans"),
    [
        (
            lambda tx: old_logs.remove(tx, 2**60, 0),
            [
                "SEARCH t1 USING PRIMARY KEY (step_id>?)",
                "SEARCH t1 USING INTEGER PRIMARY KEY (rowid=?)",
                "SEARCH t3 USING INTEGER PRIMARY KEY (rowid=?)",
                "SEARCH t2 USING INTEGER PRIMARY KEY (rowid=?)",
                "SEARCH steps USING INTEGER PRIMARY KEY (rowid=?)",
                "SEARCH log_lines USING PRIMARY KEY (step_id=? AND position<?)",
            ],
        ),
        (
            lambda tx: forget_audit(tx, 2**60),
            [
                "SEARCH t1 USING COVERING INDEX audit_sealed (seq>?)",
                "SEARCH t1 USING INDEX sqlite_autoindex_settings_1 (key=?)",
                "SEARCH t1 USING INDEX audit_sealed (seq<?)",
                "SEARCH audit USING INDEX audit_sealed (seq<?)",
                "SEARCH settings USING INDEX sqlite_autoindex_settings_1 (key=?)",
            ],
        ),
        (
            lambda tx: forget_requests(tx, 2**60),
            [
                "SEARCH t1 USING COVERING INDEX requests_by_time (at=?)",
                "SEARCH t1 USING COVERING INDEX requests_by_time (at<?)",
                "SEARCH requests USING PRIMARY KEY (user_id=? AND method=? AND request_id=?)",
            ],
        ),
    ],
    ids=["logs", "audit", "request_ids"],
)
def test_what_is_old_is_found_by_an_index(
    own_server: Shipliftd, verb: Callable[[Transaction], object], plans: list[str]
) -> None:
    staged = Staged.of(Repository.make(own_server, "octocat", "app"))
    logged(staged, ["a"])
    for n in range(101):
        staged.repository.record(request_id=f"r{n}")
    own_server.stop()
    with closing(SqliteStore(own_server.database)) as store:
        connection = store.writer.connection()
        statements: list[str] = []
        connection.set_trace_callback(statements.append)
        with store.writer.atomic():
            verb(Transaction(store.writer))
        connection.set_trace_callback(None)
        found: dict[str, None] = {}
        for statement in statements:
            if not statement.startswith(("BEGIN", "COMMIT")):
                rows = connection.execute(f"EXPLAIN QUERY PLAN {statement}")
                found |= dict.fromkeys(row[3] for row in rows.fetchall())
    assert list(found) == plans
