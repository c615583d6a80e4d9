"""Replicas that are restarted, upgraded and taken back one after the other under load: no call fails."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
import shipliftd
from shiplift import Client
from shiplift.v1 import builds_pb2 as api

from tests.faults.conftest import Tell
from tests.support import postgres
from tests.support.bursts import record_a_build
from tests.support.commands import checked, command
from tests.support.commands import shipliftd as run
from tests.support.faults import column, form
from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS
from tests.support.replicas import Load, recorded

pytestmark = pytest.mark.postgresql

REPLICAS = 3
ROUNDS = form(1, 20)
CALLS = form(15, 60)
# What the release to come adds, in tables that every promotion and report writes to.
NEXT = """
from peewee import TextField


def up(migrator, db):
    for table in ("stages", "builds", "repositories"):
        migrator.migrate(migrator.add_column(table, "holds", TextField(null=True)))
"""


@dataclass
class Rolling:
    """Replicas, restarted one after the other, and what clients of all of them do meanwhile."""

    database: Path
    running: ExitStack
    servers: list[Shipliftd] = field(default_factory=list)
    restarts: int = 0

    def __post_init__(self) -> None:
        """Starts them, with build 1 of octocat/app."""
        self.servers = [self.running.enter_context(Shipliftd(self.database)) for _ in range(REPLICAS)]
        record_a_build(self.servers[0])
        addresses = ",".join(server.address for server in self.servers)
        self.client = self.running.enter_context(Client(addresses, self.servers[0].admin_token, timeout=60))
        self.waiters = self.running.enter_context(ThreadPoolExecutor())

    def promote(self, name: str) -> None:
        """Promotes, reads, reports and waits, each by whichever replica is there."""
        client = self.client
        build = client.promote_build(
            owner="octocat", repo="app", build=1, target="production", params={"CALL": name}
        )
        number = build.number
        waiting = self.waiters.submit(client.wait, build, SECONDS)
        assert client.get_build(owner="octocat", repo="app", build=number).params == {"CALL": name}
        reported = client.update_build(
            owner="octocat", repo="app", build=number, status=api.BUILD_STATUS_SUCCESS
        )
        assert reported.status == api.BUILD_STATUS_SUCCESS
        assert waiting.result() == reported
        listed = client.list_builds(owner="octocat", repo="app", page_size=50)
        assert number in [each.number for each in listed.builds]

    def restart(self, load: Load, environment: dict[str, str] | None = None) -> None:
        """Ends each by SIGTERM, and starts it again in this environment, while the load goes on."""
        for n, server in enumerate(self.servers):
            assert server.stop() == 0
            load.more(CALLS)
            again = Shipliftd(self.database, listen=server.address, environment=environment or {})
            self.servers[n] = self.running.enter_context(again)
            load.more(CALLS)
            self.restarts += 1


@pytest.fixture
def rolling(database: Path) -> Iterator[Rolling]:
    """Three replicas of this release."""
    with ExitStack() as running:
        yield Rolling(database, running)


@pytest.fixture
def newer(tmp_path: Path) -> dict[str, str]:
    """The environment that runs a release to come: this one with a migration more."""
    package = tmp_path / "newer" / "shipliftd"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(shipliftd.__file__).parent, package, ignore=ignored)
    (package / "store" / "migrations" / "9001_next.py").write_text(NEXT)
    return {"PYTHONPATH": str(package.parent)}


@contextmanager
def reading(database: Path) -> Iterator["psycopg.Connection[Any]"]:
    """A transaction that has read a table, as pg_dump has for as long as it takes."""
    with closing(psycopg.connect(postgres.url_of(database))) as reader:
        reader.execute("SELECT count(*) FROM builds")
        yield reader


@contextmanager
def nothing_fails(rolling: Rolling, tell: Tell) -> Iterator[Load]:
    """Has promotions made the whole time, all of which are answered and done once."""
    with Load(rolling.promote) as load:
        load.more(CALLS)
        yield load
    assert load.failed == []
    assert recorded(rolling.servers[0]) == {*load.answered}
    assert column(rolling.database, "SELECT number FROM builds ORDER BY number") == [
        *range(1, len(load.answered) + 2)
    ]
    assert column(rolling.database, "SELECT count(*) FROM arrivals GROUP BY build_id") == [1] * len(
        load.answered
    )
    assert checked(rolling.servers[0].store) == "ok\n"
    tell(
        f"{rolling.restarts} restarts of {REPLICAS} replicas, {len(load.answered)} promotions by their"
        " clients; 0 calls failed, 0 lost, 0 twice"
    )


@pytest.mark.timeout(form(300, 3_600))
def test_replicas_restarted_one_after_the_other_fail_no_call(rolling: Rolling, tell: Tell) -> None:
    with nothing_fails(rolling, tell) as load:
        for _ in range(ROUNDS):
            rolling.restart(load)


@pytest.mark.timeout(form(300, 3_600))
def test_an_upgrade_and_the_way_back_fail_no_call(
    rolling: Rolling, newer: dict[str, str], tell: Tell
) -> None:
    with nothing_fails(rolling, tell) as load:
        for turn in range(ROUNDS):
            done = run("migrate", "--database", rolling.servers[0].store, environment=newer)
            assert (done.returncode, done.stdout) == (
                0,
                "nothing to apply\n" if turn else "applied 9001_next\n",
            ), done.stderr
            # The servers of this release go on on the newer schema.
            load.more(CALLS)
            rolling.restart(load, newer)
            # And back.
            rolling.restart(load)
    assert set(column(rolling.database, "SELECT holds FROM builds")) == {None}


def test_a_migration_that_waits_for_a_long_reader_has_nobody_else_wait(
    rolling: Rolling, newer: dict[str, str], tell: Tell
) -> None:
    migrate = command("migrate", "--database", rolling.servers[0].store)
    with (
        nothing_fails(rolling, tell) as load,
        reading(rolling.database) as reader,
        subprocess.Popen(
            migrate, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **newer}
        ) as migrating,
    ):
        assert migrating.stderr is not None
        assert "waits for tables that others use" in migrating.stderr.readline()
        load.more(3 * CALLS)
        assert migrating.poll() is None
        reader.rollback()
        load.more(CALLS)
        assert migrating.communicate(timeout=SECONDS)[0] == "applied 9001_next\n"
        load.more(CALLS)
