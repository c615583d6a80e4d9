"""What the tests of the gateway stand on."""

from collections.abc import Iterator

import pytest

from tests.support.gateway import Raw
from tests.support.harness import Shipliftd
from tests.support.repository import Repository
from tests.support.runner_wire import Work


@pytest.fixture
def raw(server: Shipliftd) -> Iterator[Raw]:
    with Raw(server.http) as connection:
        yield connection


@pytest.fixture
def recorded(repository: Repository) -> Repository:
    """A repository with build 1."""
    repository.record()
    return repository


@pytest.fixture
def work(server: Shipliftd, name: str) -> Work:
    """A repository and its Drone runner."""
    return Work.at(server, server.http, name)
