"""What every test may use."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from shiplift.v1 import access_pb2

from tests.support import postgres
from tests.support.callers import World
from tests.support.gateway import Caller
from tests.support.harness import Gateway, Shipliftd
from tests.support.repository import Repository

# What holds the repository together is about no store.
collect_ignore = ["project"] if postgres.is_in_use() else []

_numbers = itertools.count(1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what is about the other store."""
    other = "sqlite" if postgres.is_in_use() else "postgresql"
    left_out = [item for item in items if item.get_closest_marker(other)]
    items[:] = [item for item in items if not item.get_closest_marker(other)]
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shipliftd]:
    """A server that the tests of a process share; each makes its own repository."""
    database = tmp_path_factory.mktemp("server") / "shiplift.db"
    with Shipliftd(database, ("--http", "127.0.0.1:0")) as running:
        yield running


@pytest.fixture(scope="session")
def gateway(server: Shipliftd) -> Iterator[Gateway]:
    """A gateway of its own before that server."""
    with Gateway(server.address) as running:
        yield running


@pytest.fixture(params=["in the server", "before the server"])
def caller(request: pytest.FixtureRequest, server: Shipliftd) -> Caller:
    """The site admin, before either kind of gateway."""
    daemon = server if request.param == "in the server" else request.getfixturevalue("gateway")
    return Caller(daemon.http, server.admin_token)


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Shipliftd]:
    """A server of the test's own."""
    with Shipliftd(tmp_path / "shiplift.db") as running:
        yield running


@pytest.fixture
def name() -> str:
    """A word that no other test of the process has."""
    return f"n{next(_numbers)}"


@pytest.fixture
def repo(server: Shipliftd, name: str) -> str:
    """A new private repository of the shared server, as `owner/repo`."""
    request = access_pb2.CreateRepositoryRequest(owner="octocat", repo=name)
    return server.access().CreateRepository(request).slug


@pytest.fixture
def repository(server: Shipliftd, repo: str) -> Repository:
    """The same, as the site admin sees it."""
    return Repository(server, *repo.split("/"))


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A server with every kind of caller; tests change nothing of who may do what."""
    with Shipliftd(tmp_path_factory.mktemp("matrix") / "shiplift.db") as running:
        made = World(running, lambda: f"m{next(_numbers)}")
        made.fill()
        yield made
