"""What the tests of the gateway stand on."""

from collections.abc import Iterator

import pytest

from tests.support.gateway import Raw
from tests.support.harness import Shipliftd
from tests.support.repository import Repository


@pytest.fixture
def raw(server: Shipliftd) -> Iterator[Raw]:
    with Raw(server.http) as connection:
        yield connection


@pytest.fixture
def recorded(repository: Repository) -> Repository:
    """A repository with build 1."""
    repository.record()
    return repository
