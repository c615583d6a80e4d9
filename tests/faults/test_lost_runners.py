"""Many local runners at once, runners that die, and a server that is away while a stage runs."""

import random
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb

from tests.faults.conftest import Tell
from tests.support.farm import LIMIT, RUNNERS, Ran, diamond, farm, journal_of, most_at_once, promote_all
from tests.support.faults import LONG, form
from tests.support.harness import Shipliftd
from tests.support.patience import until
from tests.support.repository import Repository
from tests.support.runners import Fleet

PROMOTIONS = form(20, 200)
DOWN_SECONDS = form(2, 120)
# After this long nobody holds a lease that nobody keeps.
LEASE_SECONDS = 60


@pytest.fixture
def fleet(own_server: Shipliftd, tmp_path: Path) -> Fleet:
    """A repository of a server of the test's own."""
    request = access_pb2.CreateRepositoryRequest(owner="octocat", repo="app")
    own_server.access().CreateRepository(request)
    return Fleet.make(own_server, Repository(own_server, "octocat", "app"), tmp_path)


@pytest.mark.timeout(900)
def test_every_stage_runs_once_in_order_and_within_its_limit(
    fleet: Fleet, tmp_path: Path, tell: Tell
) -> None:
    journal = tmp_path / "journal"
    with farm(fleet):
        builds = promote_all(fleet, diamond(journal, 0.05), PROMOTIONS)
        ended = [fleet.ended(build, 600) for build in builds]
    assert Counter(build.status for build in ended) == {pb.BUILD_STATUS_SUCCESS: PROMOTIONS}
    noted = journal_of(journal)
    assert noted.keys() == {(build, name) for build in builds for name in ("left", "right", "join")}
    assert {len(moments) for moments in noted.values()} == {2}
    runs = {key: Ran(*moments) for key, moments in noted.items()}
    for build in builds:
        assert runs[build, "join"].began >= max(runs[build, "left"].ended, runs[build, "right"].ended)
    assert most_at_once([run for (_, name), run in runs.items() if name == "join"]) <= LIMIT
    assert most_at_once(list(runs.values())) <= RUNNERS
    tell(f"{len(runs)} stages by {RUNNERS} runners; 0 lost, 0 twice")


@pytest.mark.timeout(900)
def test_a_runner_that_is_killed_costs_its_stage_and_no_stage_runs_twice(
    fleet: Fleet, tmp_path: Path, tell: Tell
) -> None:
    journal = tmp_path / "journal"
    journal.touch()
    # Seeded: a failure can be had again, as far as the machine's timing allows.
    moment = random.Random(7)
    over = threading.Event()
    hits: list[bool] = []
    with farm(fleet) as runners:
        builds = promote_all(fleet, diamond(journal, 0.3), PROMOTIONS)

        def kill() -> None:
            while not over.wait(0.5):
                hits.append(runners.kill_one(moment))

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            until(lambda: len(journal_of(journal)) >= PROMOTIONS and any(hits), 300)
        finally:
            over.set()
            killer.join()
        if not LONG:
            runners.lose_killed()
        ended = [fleet.ended(build, LEASE_SECONDS + 400) for build in builds]
    noted = journal_of(journal)
    # Once begun, and once ended where nobody killed it.
    assert max(len(moments) for moments in noted.values()) <= 2
    lost = {
        (build.number, stage.name): stage.error
        for build in ended
        for stage in build.stages
        if stage.status == pb.BUILD_STATUS_ERROR
    }
    assert lost
    assert all("runner lost: nothing was heard of runner-" in error for error in lost.values())
    unfinished = {key for key, moments in noted.items() if len(moments) == 1}
    assert unfinished <= lost.keys()
    failed = {build for build, _ in lost}
    for build in ended:
        expected = pb.BUILD_STATUS_ERROR if build.number in failed else pb.BUILD_STATUS_SUCCESS
        assert (build.number, build.status) == (build.number, expected)
    tell(f"{len(runners.killed)} runners killed; {len(lost)} of {len(noted)} stages lost; 0 ran twice")


@pytest.mark.timeout(900)
def test_a_server_that_is_away_loses_nothing_of_a_stage_that_runs(
    database: Path, tmp_path: Path, tell: Tell
) -> None:
    ready = tmp_path / "ready"
    server = Shipliftd(database).start()
    request = access_pb2.CreateRepositoryRequest(owner="octocat", repo="app")
    server.access().CreateRepository(request)
    fleet = Fleet.make(server, Repository(server, "octocat", "app"), tmp_path)
    steps = f"""\
- name: count
  commands:
  - 'n=0; while [ ! -e {ready} ]; do echo $n; n=$((n + 1)); sleep 0.05; done; echo $n'
"""
    with fleet.running():
        number = fleet.promote(steps)
        until(lambda: any(stage.steps for stage in fleet.repository.get(number).stages))
        until(lambda: fleet.log(number, 1))
        assert server.stop() == 0
        time.sleep(DOWN_SECONDS)
        # The same address again, where the runner looks for it.
        with Shipliftd(database, listen=server.address) as back:
            repository = Repository(back, "octocat", "app")
            assert repository.get(number).status == pb.BUILD_STATUS_RUNNING
            ready.touch()
            build = until(lambda: found if (found := repository.get(number)).HasField("finished") else None)
            lines = Fleet(repository, fleet.runner, fleet.person).log(number, 1)
    assert build.status == pb.BUILD_STATUS_SUCCESS
    counted = [line for line in lines if not line.startswith("+ ")]
    assert counted == [f"{n}\n" for n in range(len(counted))]
    assert len(counted) > DOWN_SECONDS
    tell(f"{DOWN_SECONDS} s away; 0 of {len(counted)} lines of the log lost")
