"""Verbs that move the same builds at once: PostgreSQL finds none that wait for each other in a circle."""

import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

import grpc
import psycopg
import pytest
from shiplift.v1 import builds_pb2 as api
from shiplift.v1 import stages_pb2 as pb

from tests.faults.conftest import Tell
from tests.support import postgres
from tests.support.commands import checked
from tests.support.faults import form
from tests.support.harness import Shipliftd
from tests.support.refusals import code_of
from tests.support.repository import Repository
from tests.support.staged import FAILURE, RUNNING, SUCCESS, Runner, Staged, lose, pipelines

pytestmark = pytest.mark.postgresql

ROUNDS = form(4, 60)
BUILDS, STAGES, CALLERS = 8, 3, 24


@pytest.mark.timeout(form(300, 3_600))
def test_cancels_and_reports_of_the_same_builds_are_no_deadlock(database: Path, tell: Tell) -> None:
    order = random.Random(42)
    codes: Counter[grpc.StatusCode] = Counter()
    with Shipliftd(database) as first, Shipliftd(database) as second:
        one = Staged.of(Repository.make(first, "octocat", "app"))
        other = Staged(Repository(second, "octocat", "app"), Runner(second, one.runner.token))
        documents = [{"name": f"stage-{n}"} for n in range(STAGES)]
        recorded = one.repository.record(pipeline=pipelines(*documents), status=SUCCESS).number
        for turn in range(ROUNDS):
            calls = [
                call
                for n in range(BUILDS)
                for call in _calls(one, other, one.repository.promote(recorded, f"env-{turn}-{n % 2}"))
            ]
            order.shuffle(calls)
            with ThreadPoolExecutor(CALLERS) as threads:
                codes.update(threads.map(lambda call: call(), calls))
            # All builds have ended, and go on no more.
            builds = one.repository.builds.ListBuilds(api.ListBuildsRequest(owner="octocat", repo="app"))
            assert all(build.finished.seconds for build in builds.builds)
    # What has ended by then is refused.
    assert codes.keys() <= {grpc.StatusCode.OK, grpc.StatusCode.FAILED_PRECONDITION}, codes
    assert codes[grpc.StatusCode.OK] > codes[grpc.StatusCode.FAILED_PRECONDITION]
    with closing(psycopg.connect(postgres.url_of(database))) as connection:
        # Of both servers, which have told when their connections ended.
        counted = connection.execute(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        ).fetchall()
    assert counted == [(0,)]
    assert checked(first.store) == "ok\n"
    tell(f"{codes.total()} calls that move {ROUNDS * BUILDS} builds at once; 0 deadlocks")


def _calls(one: Staged, other: Staged, build: api.Build) -> list[Callable[[], grpc.StatusCode]]:
    """What may come at once for a build whose stages run: two servers have each some of it."""
    steps = [pb.StepReport(number=n, name=f"step-{n}", status=RUNNING) for n in (1, 2)]
    for stage in build.stages:
        one.runner.accept(stage.id)
        one.runner.report(stage.id, RUNNING, steps=steps)
    ends = [pb.StepReport(number=n, status=status) for n, status in ((1, SUCCESS), (2, FAILURE))]
    cancel = api.CancelBuildRequest(owner="octocat", repo="app", build=build.number)
    calls: list[Callable[[], grpc.StatusCode]] = [
        partial(code_of, other.repository.builds.CancelBuild, cancel),
        partial(code_of, other.repository.report, build.number, RUNNING, message="goes on"),
        partial(code_of, lose, one.repository.server, build.stages[0].id),
    ]
    for n, stage in enumerate(build.stages):
        report = (one, other)[n % 2].runner.report
        calls.append(partial(code_of, report, stage.id, RUNNING, steps=ends))
        calls.append(partial(code_of, report, stage.id, SUCCESS))
    return calls
