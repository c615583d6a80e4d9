"""What waits for an environment makes nothing dearer for others, however much it is."""

from collections.abc import Callable
from contextlib import closing

import pytest
from shipliftd import environments
from shipliftd.builds import waiting
from shipliftd.environments.asking import Asked
from shipliftd.store import open_database
from shipliftd.store.transaction import Reader

from tests.support.gated import Gated
from tests.support.repository import Repository
from tests.support.staged import stored

# What a query steps through is seen by SQLite's own means.
pytestmark = pytest.mark.sqlite

_FEW, _MANY = 30, 2000


def copied(gated: Gated, number: int, first: int, count: int) -> None:
    """Makes more builds like the numbered one, without their stages."""
    with closing(open_database(gated.server.database, timeout=5)) as database:
        columns = [row[1] for row in database.execute_sql("PRAGMA table_info(builds)").fetchall()]
    kept = ", ".join(f'"{name}"' for name in columns if name not in ("id", "number"))
    stored(
        gated.server,
        f"INSERT INTO builds (number, {kept}) WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL"
        f" SELECT i + 1 FROM n WHERE i + 1 < {first + count}) SELECT i, {kept} FROM n, builds"
        f" WHERE builds.number = {number} AND builds.repo_id = {gated.get(number).repo_id}",
    )


def steps(reader: Reader, ask: Callable[[], object]) -> int:
    """How many steps of SQLite's machine it takes."""
    count = 0

    def step() -> None:
        nonlocal count
        count += 1

    ask()
    reader.connection.set_progress_handler(step, 1)
    ask()
    reader.connection.set_progress_handler(None, 1)
    return count


@pytest.mark.parametrize("kind", ["blocked", "queued", "succeeded"])
def test_gates_are_asked_at_the_same_cost_whatever_waits(repository: Repository, kind: str) -> None:
    gated = Gated.caller_of(repository)
    gated.released()
    gated.declare("staging")
    gated.delivered(1, "staging")
    gated.declare(requires="staging", required_approvals=2 if kind == "blocked" else 0)
    ahead = gated.promote(1)
    waits = gated.promote(1)
    model = 2 if kind == "succeeded" else waits.number
    with closing(open_database(gated.server.database, timeout=5)) as database:
        reader = Reader(database)
        place = environments.place_of(reader, waits.repo_id, "production")
        asked = Asked(
            id=waits.id,
            repo_id=waits.repo_id,
            environment="production",
            login="admin",
            access="",
            is_admin=True,
            build=1,
            status="success",
            commit="9fc1ad6ebf12",
            origin=1,
            params={},
            at=0,
            created=0,
            event="promote",
            number=waits.number,
        )
        found = []
        for first, count in ((1000, _FEW), (1000 + _FEW, _MANY)):
            copied(gated, model, first, count)
            facts = steps(reader, lambda: environments.facts(reader, place, asked))
            told = steps(reader, lambda: waiting.concerned(reader, "left", ahead.id))
            found.append((facts, told, len(waiting.concerned(reader, "left", ahead.id)[1])))
    (facts, told, asked_again), of_many = found
    assert of_many[0] == pytest.approx(facts, abs=20)
    assert of_many[1] == pytest.approx(told, abs=20)
    assert of_many[2] == asked_again <= 10
