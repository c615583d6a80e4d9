"""Replicas that are killed one after the other, while runners do what is promoted."""

import itertools
import threading
from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest
from shiplift import Client
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb

from tests.faults.conftest import Tell
from tests.support.cli import Cli
from tests.support.commands import checked
from tests.support.farm import RUNNERS, Ran, diamond, farm, journal_of
from tests.support.faults import form
from tests.support.harness import Shipliftd
from tests.support.repository import COMMIT, Repository
from tests.support.runners import Fleet

pytestmark = pytest.mark.postgresql

REPLICAS = 3
PROMOTIONS = form(30, 300)
KILL_SECONDS = form(0.7, 2.0)


@pytest.mark.timeout(form(300, 3_600))
def test_every_stage_runs_once_and_every_build_ends(database: Path, tmp_path: Path, tell: Tell) -> None:
    journal = tmp_path / "journal"
    journal.touch()
    over = threading.Event()
    kills = 0
    with ExitStack() as running:
        servers = [running.enter_context(Shipliftd(database)) for _ in range(REPLICAS)]
        addresses = ",".join(server.address for server in servers)
        servers[0].access().CreateRepository(
            access_pb2.CreateRepositoryRequest(owner="octocat", repo="app")
        )
        fleet = Fleet.make(servers[0], Repository(servers[0], "octocat", "app"), tmp_path)
        fleet = replace(fleet, runner=Cli(tmp_path, addresses, fleet.runner.token))

        def kill() -> None:
            nonlocal kills
            for n in itertools.cycle(range(REPLICAS)):
                if over.wait(KILL_SECONDS):
                    return
                servers[n].stop(9)
                kills += 1
                servers[n] = running.enter_context(Shipliftd(database, listen=servers[n].address))

        killer = threading.Thread(target=kill)
        with farm(fleet), closing(Client(addresses, servers[0].admin_token)) as client:
            recorded = client.create_build(
                owner="octocat",
                repo="app",
                after=COMMIT,
                status=pb.BUILD_STATUS_SUCCESS,
                pipeline=diamond(journal, 0.2),
            )
            killer.start()
            try:
                made = [
                    client.promote_build(
                        owner="octocat", repo="app", build=recorded.number, target=f"env-{n}"
                    )
                    for n in range(PROMOTIONS)
                ]
                ended = [client.wait(build, 600) for build in made]
            finally:
                over.set()
                killer.join()
        builds = [build.number for build in made]
        assert builds == list(range(recorded.number + 1, recorded.number + 1 + PROMOTIONS))
        assert Counter(build.status for build in ended) == {pb.BUILD_STATUS_SUCCESS: PROMOTIONS}
        noted = journal_of(journal)
        assert noted.keys() == {(build, name) for build in builds for name in ("left", "right", "join")}
        # Begun once and ended once.
        assert {len(moments) for moments in noted.values()} == {2}
        runs = {key: Ran(*moments) for key, moments in noted.items()}
        for build in builds:
            assert runs[build, "join"].began >= max(runs[build, "left"].ended, runs[build, "right"].ended)
        assert checked(servers[0].store) == "ok\n"
    assert kills
    tell(f"{kills} kills of {REPLICAS} replicas, {RUNNERS} runners, {len(runs)} stages; 0 lost, 0 twice")
