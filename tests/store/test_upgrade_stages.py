"""The upgrade of a filled store from the release before stages were taken, and the way back."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as api
from shipliftd.access.callers import hash_of
from shipliftd.store import SqliteStore, schema

from tests.support.commands import MIGRATIONS, said
from tests.support.harness import Shipliftd
from tests.support.refusals import code_of
from tests.support.repository import Repository
from tests.support.staged import ERROR, PENDING, RUNNING, SUCCESS, Staged, pipelines

pytestmark = pytest.mark.sqlite

AT = 1_564_085_874_123
SECRET = "shl_" + "a" * 43

# As that release wrote them: a recorded build, one that runs, a promotion that is current, one that is
# still to be done, and one that a deployer is at.
REPOSITORY = f"""
INSERT INTO users (id, login, email, avatar, machine, admin, created, updated)
    VALUES (1, 'admin', '', '', 0, 1, {AT}, {AT});
INSERT INTO repositories (id, user_id, owner, name, scm, git_http_url, git_ssh_url, link, default_branch,
    visibility, config_path, timeout, counter, created, updated, version)
    VALUES (1, 1, 'octocat', 'app', 'git', '', '', '', 'main', 'private', '.drone.yml', 60, 5, {AT}, {AT},
    1);
"""
BUILDS = (
    (1, 0, "push", "success", ""),
    (2, 0, "push", "pending", ""),
    (3, 1, "promote", "success", "production"),
    (4, 1, "promote", "pending", "production"),
    (5, 1, "promote", "running", "staging"),
)


def build(number: int, parent: int, event: str, status: str, deploy_to: str) -> str:
    """What that release wrote for a build with one stage; the ids are the numbers."""
    begun = AT if status != "pending" else 0
    ended = AT if status == "success" else 0
    return f"""
INSERT INTO builds (id, repo_id, number, parent, origin, status, error, event, action, link, title, message,
    before, after, ref, source_repo, source, target, deploy_to, author_login, author_name, author_email,
    author_avatar, sender, trigger, cron, params, debug, timestamp, started, finished, created, updated,
    version, external_id, release, artifacts)
    VALUES ({number}, 1, {number}, {parent}, {parent or number}, '{status}', '', '{event}', '', '', '',
    'a message', '', 'ff', 'refs/heads/main', '', '', 'main', '{deploy_to}', 'mona', '', '', '', '',
    'admin', '', '{{"A":"1"}}', 0, 0, {begun}, {ended}, {AT}, {AT}, 1, NULL, 'v1', '[]');
INSERT INTO stages (id, repo_id, build_id, number, name, kind, type, status, error, errignore, exit_code,
    machine, os, arch, variant, kernel, "limit", throttle, started, stopped, created, updated, version,
    on_success, on_failure, depends_on, labels, message, link)
    VALUES ({number}, 1, {number}, 1, 'default', 'external', '', '{status}', '', 0, 0, '', '', '', '', '',
    0, 0, {begun}, {ended}, {AT}, {AT}, 1, 1, 0, '[]', '{{}}', '', '');
INSERT INTO changes (repo_id, build_id, version, at) VALUES (1, {number}, 1, {AT});
"""


PIPELINE = """kind: pipeline
type: exec
name: deploy
clone: {disable: true}
trigger: {event: promote}
steps:
- name: ship
  commands: [echo shipped]
  when: {target: [production]}
"""
# What that release had parsed of it.
PARSED = (
    '[{"name":"deploy","type":"exec","trigger":{"event":{"include":["promote"]}},"clone_disabled":true,'
    '"steps":[{"name":"ship","commands":["echo shipped"],"when":{"target":{"include":["production"]}}}]}]'
)
# Build 2 has a pipeline file; the stage of build 3 ran a step with a log; build 5 was lost on its way.
RAN = f"""
INSERT INTO pipelines (id, hash, text, parsed) VALUES (1, x'00', '{PIPELINE}', '{PARSED}');
UPDATE builds SET pipeline_id = 1 WHERE id = 2;
INSERT INTO steps (id, stage_id, number, name, status, error, errignore, exit_code, started, stopped,
    version, depends_on, image, detached, schema, log_lines, log_bytes)
    VALUES (1, 3, 1, 'deploy', 'success', '', 0, 0, {AT}, {AT}, 2, '[]', '', 0, '', 2, 8);
INSERT INTO log_lines (step_id, position, time, text) VALUES (1, 0, 0, 'one\n'), (1, 1, 75, 'two\n');
INSERT INTO runners VALUES (1, 'host-1', '["pipeline","exec","","","","",[],"","",""]', '[]', '[]', {AT});
UPDATE builds SET status = 'error' WHERE id = 5;
UPDATE stages SET status = 'error' WHERE id = 5;
INSERT INTO lost VALUES (1, 'staging', 5, 'default', 'host-1', {AT});
"""


def write(database: Path, *scripts: str) -> None:
    with closing(sqlite3.connect(database)) as store:
        store.execute("PRAGMA foreign_keys = 1")
        store.executescript("".join(scripts))


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of the release before stages were taken, at rest."""
    return filled(tmp_path, monkeypatch, "0001_initial")


@pytest.fixture
def settled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of the release before 0.2.0, at rest: with a pipeline file, a log, a runner and a loss."""
    path = filled(tmp_path, monkeypatch, "0001_initial", "0002_stages")
    write(path, RAN)
    return path


def filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *migrations: str) -> Path:
    folder = tmp_path / "migrations"
    folder.mkdir()
    for name in migrations:
        shutil.copy(schema.MIGRATIONS / f"{name}.py", folder)
    path = tmp_path / "shiplift.db"
    with monkeypatch.context() as patched:
        patched.setattr(schema, "MIGRATIONS", folder)
        store = SqliteStore(path)
        assert store.migrate() == [*migrations]
        store.close()
    write(path, REPOSITORY, *(build(*columns) for columns in BUILDS))
    with closing(sqlite3.connect(path)) as old, old:
        old.execute(
            "INSERT INTO tokens (user_id, name, hint, hash, actions, repositories, environments, created,"
            " expires, revoked, last_used) VALUES (1, 'first', 'aaaa', ?, '[]', '[]', '[]', ?, 0, 0, 0)",
            (hash_of(SECRET), AT),
        )
        old.execute("INSERT INTO deployments VALUES (1, 'production', 3, 3, ?)", (AT,))
    path.with_name(f"{path.name}.admin-token").write_text(SECRET)
    return path


def everything(database: Path, table: str, columns: list[str]) -> list[tuple[object, ...]]:
    named = ", ".join(f'"{column}"' for column in columns)
    with closing(sqlite3.connect(database)) as store:
        return store.execute(f"SELECT {named} FROM {table} ORDER BY 1").fetchall()


def columns(database: Path, table: str) -> list[str]:
    with closing(sqlite3.connect(database)) as store:
        return [row[1] for row in store.execute(f"PRAGMA table_info({table})")]


def tables(database: Path) -> dict[str, list[str]]:
    with closing(sqlite3.connect(database)) as store:
        names = store.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        ).fetchall()
    return {name: columns(database, name) for (name,) in names}


def test_the_migration_keeps_every_row_and_is_undone_by_its_copy(database: Path) -> None:
    kept = {name for name in tables(database) if name not in ("schema_migrations", "settings")}
    before = {name: (each := columns(database, name), everything(database, name, each)) for name in kept}
    assert said("migrate", "--database", database) == f"applied {', '.join(MIGRATIONS[1:])}\n"
    for name, (each, rows) in before.items():
        # Of changes, which nobody has been told, the newest is enough.
        assert everything(database, name, each) == (rows[-1:] if name == "changes" else rows)
    assert "5 builds" in said("check", "--database", database)

    copy = database.with_name(f"{database.name}.before-0002_stages")
    said("restore", copy, "--database", database)
    assert {name: columns(database, name) for name in kept} == {n: each for n, (each, _) in before.items()}


def test_a_store_of_the_release_before_is_served(database: Path) -> None:
    with Shipliftd(database) as server:
        repository = Repository(server, "octocat", "app")
        at = Timestamp()
        at.FromMilliseconds(AT)
        there = repository.get(3)
        assert there == api.Build(
            id=3,
            repo_id=1,
            owner="octocat",
            repo="app",
            number=3,
            parent=1,
            origin=1,
            status=SUCCESS,
            event=api.BUILD_EVENT_PROMOTE,
            message="a message",
            after="ff",
            ref="refs/heads/main",
            target="main",
            deploy_to="production",
            author_login="mona",
            trigger="admin",
            params={"A": "1"},
            started=at,
            finished=at,
            created=at,
            updated=at,
            version=1,
            release="v1",
            stages=[
                api.Stage(
                    id=3,
                    repo_id=1,
                    build_id=3,
                    number=1,
                    name="default",
                    kind="external",
                    status=SUCCESS,
                    started=at,
                    stopped=at,
                    created=at,
                    updated=at,
                    version=1,
                    on_success=True,
                )
            ],
        )
        # Promotions go on, from what was recorded before and with files that come now.
        assert repository.promote(1, expected_current=3).number == 6
        recorded = repository.record(pipeline=pipelines({"name": "deploy"}), status=SUCCESS)
        promoted = repository.promote(recorded.number, "canary")
        assert [stage.name for stage in promoted.stages] == ["deploy"]
        staged = Staged.of(repository)
        staged.runner.report(staged.runner.take().stage.id, SUCCESS)
        assert repository.get(promoted.number).status == SUCCESS
        # What a deployer was at is theirs to report.
        assert repository.report(5, SUCCESS).status == SUCCESS


def test_what_waited_before_the_upgrade_can_be_taken_after_it(database: Path) -> None:
    with Shipliftd(database) as server:
        staged = Staged.of(Repository(server, "octocat", "app"))
        lease = staged.runner.take(kind="external")
        assert (lease.build.number, lease.current.number) == (4, 3)
        assert staged.runner.report(lease.stage.id, RUNNING).status == RUNNING
        # A recorded build is its CI system's, however old it is.
        assert staged.repository.get(2).status == PENDING


def test_the_release_before_can_still_write(database: Path) -> None:
    said("migrate", "--database", database)
    write(
        database,
        build(6, 1, "promote", "pending", "production"),
        build(7, 0, "push", "success", ""),
        "UPDATE stages SET status = 'running', version = version + 1 WHERE id = 4;",
        "UPDATE builds SET status = 'running', version = version + 1 WHERE id = 4;",
        "UPDATE repositories SET counter = 7;",
    )
    with Shipliftd(database) as server:
        repository = Repository(server, "octocat", "app")
        staged = Staged.of(repository)
        assert repository.numbers() == [7, 6, 5, 4, 3, 2, 1]
        assert (repository.get(6).retry_of, repository.get(7).status) == (0, SUCCESS)
        lease = staged.runner.take(kind="external")
        assert (lease.build.number, lease.pipeline) == (6, "")
        staged.runner.report(lease.stage.id, ERROR)
        assert repository.report(4, SUCCESS).status == SUCCESS
        assert repository.promote(7, expected_current=4).number == 8


def test_the_store_of_the_release_before_0_2_0_goes_on(settled: Path) -> None:
    old = {name: columns(settled, name) for name in ("builds", "stages", "steps", "log_lines", "lost")}
    before = {name: everything(settled, name, each) for name, each in old.items()}
    said("migrate", "--database", settled)
    assert {name: everything(settled, name, each) for name, each in old.items()} == before
    with Shipliftd(settled) as server:
        repository = Repository(server, "octocat", "app")
        log = repository.builds.TailLog(
            api.TailLogRequest(owner="octocat", repo="app", build=3, stage=1, step=1)
        )
        lines = [(line.text, line.time.ToMilliseconds()) for part in log for line in part.lines]
        assert lines == [("one\n", 0), ("two\n", 75_000)]
        there = server.access().GetRepository(access_pb2.GetRepositoryRequest(owner="octocat", repo="app"))
        assert (there.active, there.runner_secrets, there.timeout.ToSeconds()) == (True, False, 3600)
        assert not server.access().GetUser(access_pb2.GetUserRequest(login="admin")).disabled
        # Nobody knew what was in staging, and nobody does; what was parsed then is understood now.
        assert code_of(repository.promote, 1, "staging") is grpc.StatusCode.FAILED_PRECONDITION
        assert repository.promote(1, "staging", despite_lost=5).number == 6
        promoted = repository.promote(2)
        assert [(stage.name, stage.type) for stage in promoted.stages] == [("deploy", "exec")]
        lease = Staged.of(repository).runner.take()
        assert [step.name for step in lease.plan.steps] == ["ship"]


def test_the_release_before_0_2_0_can_still_write(settled: Path) -> None:
    said("migrate", "--database", settled)
    write(
        settled,
        build(6, 1, "promote", "pending", "production"),
        "INSERT INTO log_lines (step_id, position, time, text) VALUES (1, 2, 80, 'three\n');",
        "UPDATE steps SET log_lines = 3, log_bytes = 14 WHERE id = 1;",
        f"INSERT INTO users (login, email, avatar, machine, admin, created, updated)"
        f" VALUES ('mona', '', '', 0, 0, {AT}, {AT});",
        "UPDATE repositories SET counter = 6;",
    )
    with Shipliftd(settled) as server:
        repository = Repository(server, "octocat", "app")
        assert (repository.get(6).status, [*repository.get(6).warnings]) == (PENDING, [])
        log = repository.builds.TailLog(
            api.TailLogRequest(owner="octocat", repo="app", build=3, stage=1, step=1, position=2)
        )
        lines = [(line.text, line.time.ToMilliseconds()) for part in log for line in part.lines]
        assert lines == [("three\n", 80_000)]
        assert not server.access().GetUser(access_pb2.GetUserRequest(login="mona")).disabled


def test_what_the_release_before_put_into_environments_is_known_again(settled: Path) -> None:
    def arrivals() -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(settled)) as store:
            query = "SELECT environment, build_id, number, said_by FROM arrivals ORDER BY id"
            return store.execute(query).fetchall()

    said("migrate", "--database", settled)
    before = arrivals()
    write(
        settled,
        build(6, 1, "promote", "success", "production"),
        f"INSERT OR REPLACE INTO deployments VALUES (1, 'production', 6, 6, {AT});",
        f"INSERT INTO deployments VALUES (1, 'canary', 6, 6, {AT});",
    )
    said("migrate", "--database", settled)
    # In the order of the old table, once each.
    later = {("production", 6, 6, ""), ("canary", 6, 6, "")}
    assert (arrivals()[: len(before)], {*arrivals()[len(before) :]}) == (before, later)
    # There it was settled that nothing is there.
    write(settled, "DELETE FROM deployments WHERE environment = 'canary';")
    said("migrate", "--database", settled)
    said("migrate", "--database", settled)
    assert arrivals()[-1] == ("canary", None, 0, "")
    assert len(arrivals()) == len(before) + 3
