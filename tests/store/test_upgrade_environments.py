"""The upgrade of a filled store from the release before environments had rules, and the way back."""

from pathlib import Path

import grpc
from shiplift.v1 import builds_pb2 as api
from shiplift.v1 import environments_pb2 as pb

from tests.support.beside import Opened, opened
from tests.support.commands import said, shipliftd
from tests.support.harness import Shipliftd
from tests.support.patience import until
from tests.support.refusals import code_of, refusal
from tests.support.repository import Repository
from tests.support.staged import ERROR, FAILURE, PENDING, RUNNING, SUCCESS, Runner, Staged, lose

MIGRATIONS = ("0014_environments", "0015_long_queues")
TABLES = ("approvals", "owner_rules", "holds", "environments")
COLUMNS = ("comment", "rollback_of", "rolled_back_by", "superseded_by", "verdicts", "waits")


def go_back(database: Path) -> None:
    """Makes it a store of the release before, which had none of these."""
    with opened(database) as store:
        for index in (
            "builds_under_way",
            "builds_waiting",
            "builds_failed",
            "builds_queued",
            "builds_succeeded",
        ):
            store.execute(f"DROP INDEX {index}")
        for table in TABLES:
            store.execute(f"DROP TABLE {table}")
        for column in COLUMNS:
            store.execute(f"ALTER TABLE builds DROP COLUMN {column}")
        store.execute("DELETE FROM settings WHERE key = 'environments_noted'")
        store.execute("DELETE FROM schema_migrations WHERE name IN (?, ?)", MIGRATIONS)


def promote_as_before(database: Path, number: int, environment: str) -> None:
    """What the release before writes for a promotion like number 2, into the columns that it knows."""
    with opened(database) as store:
        _again(store, "builds", "number = 2", {"number": number, "deploy_to": environment})
        (build,) = store.execute("SELECT id FROM builds WHERE number = ?", (number,)).fetchone()
        like = "build_id = (SELECT id FROM builds WHERE number = 2)"
        _again(store, "stages", like, {"build_id": build})
        store.execute("UPDATE repositories SET counter = ?", (number,))


def _again(store: Opened, table: str, where: str, changes: dict[str, object]) -> None:
    description = store.execute(f"SELECT * FROM {table} LIMIT 0").description
    names = [column[0] for column in description if column[0] not in (*COLUMNS, "id")]
    told = ", ".join(f'"{name}"' for name in names)
    taken = ", ".join("?" if name in changes else f'"{name}"' for name in names)
    values = [changes[name] for name in names if name in changes]
    store.execute(f"INSERT INTO {table} ({told}) SELECT {taken} FROM {table} WHERE {where}", values)


def what_is_where(server: Shipliftd, **fields: object) -> list[pb.Deployment]:
    request = pb.ListDeploymentsRequest(owner="octocat", **fields)  # type: ignore[arg-type]
    return list(server.environments().ListDeployments(request).deployments)


def fill(server: Shipliftd) -> Runner:
    """Of octocat/app: a success in production, then a failure; one that runs, one lost, one that waits."""
    staged = Staged.of(Repository.make(server, "octocat", "app"))
    repository = staged.repository
    repository.record(status=SUCCESS)
    repository.promote(1)
    repository.report(2, SUCCESS)
    repository.promote(1)
    repository.report(3, FAILURE)
    staged.running(target="staging")
    lost = staged.running(target="canary")
    lose(server, lost.stage.id)
    until(lambda: repository.get(lost.build.number).status == ERROR)
    staged.promoted(target="qa")
    return staged.runner


def broken(server: Shipliftd) -> str:
    """What `shipliftd check` says that should hold and does not."""
    done = shipliftd("check", "--database", server.store)
    assert done.returncode == 1, done.stdout
    return done.stderr.removeprefix("shipliftd: what should hold does not: ").removesuffix("\n")


def test_environments_are_listed_as_before_and_promotions_go_on(tmp_path: Path) -> None:
    with Shipliftd(tmp_path / "shiplift.db") as old:
        token = fill(old).token
        before = what_is_where(old)
    assert [row.environment for row in before] == ["canary", "production", "qa", "staging"]
    go_back(old.database)
    assert said("migrate", "--database", old.store) == f"applied {', '.join(MIGRATIONS)}\n"
    with Shipliftd(old.database) as server:
        repository, runner = Repository(server, "octocat", "app"), Runner(server, token)
        assert what_is_where(server) == before
        running, waiting = repository.get(5), repository.get(9)
        assert (running.status, running.deploy_to) == (RUNNING, "staging")
        assert (waiting.status, waiting.deploy_to) == (PENDING, "qa")
        runner.report(running.stages[0].id, SUCCESS)
        lease = runner.take()
        assert lease.build.number == 9
        runner.report(lease.stage.id, SUCCESS)
        shown = {row.environment: row.current.number for row in what_is_where(server)}
        assert shown == {"canary": 0, "production": 2, "qa": 9, "staging": 5}
        # Nobody knew what was in canary, and nobody does.
        assert code_of(repository.promote, 1, "canary") is grpc.StatusCode.FAILED_PRECONDITION
        assert repository.promote(1, "canary", despite_lost=7).number == 10
        # Any target will do, until the first is declared; what runs then goes first.
        first = repository.promote(1, "elsewhere").number
        where = {"owner": "octocat", "repo": "app"}
        said_of = pb.Environment(name="elsewhere")
        made = server.environments().CreateEnvironment(
            pb.CreateEnvironmentRequest(**where, environment=said_of)
        )
        assert (made.rules_version, made.version) == (1, 1)
        assert refusal(repository.promote, 1, "production").reason == "PROMOTION_REFUSED"
        waits = repository.promote(1, "elsewhere")
        assert waits.waiting_for == (
            f"queue: promotion {first} to elsewhere is under way: this one goes when it has ended"
        )
        repository.report(first, SUCCESS)
        until(lambda: not repository.get(waits.number).waiting_for.startswith("queue:"))
    assert "what should hold" not in said("check", "--database", old.store)


def test_where_the_release_before_promotes_meanwhile_is_listed_after_the_next_start(tmp_path: Path) -> None:
    with Shipliftd(tmp_path / "shiplift.db") as server:
        fill(server)
        known = {row.environment for row in what_is_where(server)}
    go_back(server.database)
    said("migrate", "--database", server.store)
    promote_as_before(server.database, 10, "edge")
    said("migrate", "--database", server.store)
    promote_as_before(server.database, 11, "far")
    with Shipliftd(server.database) as again:
        there = what_is_where(again)
        assert {row.environment for row in there} == known | {"edge", "far"}
        assert [row.latest.number for row in there if row.environment in ("edge", "far")] == [10, 11]
        assert Repository(again, "octocat", "app").promote(1, "far").number == 12
    # Of the builds only those are looked at that came since the last start.
    with opened(server.database) as store:
        (noted,) = store.execute("SELECT value FROM settings WHERE key = 'environments_noted'").fetchone()
        (newest,) = store.execute("SELECT max(id) FROM builds WHERE number < 12").fetchone()
        store.execute("DELETE FROM environments WHERE name = 'edge'")
        store.execute("UPDATE settings SET value = '5000' WHERE key = 'environments_noted'")
    assert int(noted) == newest
    with Shipliftd(server.database) as again:
        assert {row.environment for row in what_is_where(again)} == known | {"far"}


def test_check_says_what_does_not_hold_of_promotions_that_wait(tmp_path: Path) -> None:
    with Shipliftd(tmp_path / "shiplift.db") as server:
        repository = Repository.make(server, "octocat", "app")
        for name, approvals in (("production", 0), ("guarded", 1)):
            environment = pb.Environment(name=name, required_approvals=approvals)
            server.environments().CreateEnvironment(
                pb.CreateEnvironmentRequest(owner="octocat", repo="app", environment=environment)
            )
        repository.record(status=SUCCESS)
        goes, waits = repository.promote(1), repository.promote(1)
        blocked = repository.promote(1, "guarded")
        assert [build.status for build in (goes, waits, blocked)] == [
            *(PENDING, PENDING),
            api.BUILD_STATUS_BLOCKED,
        ]
    assert "what should hold" not in said("check", "--database", server.store)
    with opened(server.database) as store:
        store.execute("UPDATE stages SET status = 'running' WHERE build_id = ?", (waits.id,))
        store.execute("UPDATE builds SET waits = 0 WHERE id = ?", (blocked.id,))
        store.execute("UPDATE builds SET rollback_of = 99 WHERE id = ?", (goes.id,))
    assert broken(server) == (
        f"1 promotions that wait although a stage of theirs has begun: {waits.id};"
        f" 1 promotions that are blocked and wait for nothing: {blocked.id};"
        f" 1 builds that name another one that is not there: {goes.id}"
    )
    with opened(server.database) as store:
        store.execute("UPDATE builds SET waits = 0, rollback_of = 0")
        store.execute("UPDATE builds SET status = 'pending' WHERE status = 'blocked'")
    told = "1 declared environments with several promotions under way: production"
    assert broken(server) == told
