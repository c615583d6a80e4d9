"""Stores that were filled."""

import shutil
from pathlib import Path

import pytest

from tests.support import postgres
from tests.support.harness import Shipliftd
from tests.support.stores import create, promote


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store at rest, with 300 builds of octocat/app."""
    database = tmp_path_factory.mktemp("filled") / "shiplift.db"
    with Shipliftd(database) as server:
        create(server)
        builds = server.builds()
        for _ in range(299):
            promote(builds)
    return database


@pytest.fixture
def store(filled: Path, tmp_path: Path) -> Path:
    """A copy of it, of the test's own."""
    database = tmp_path / "shiplift.db"
    if postgres.is_in_use():
        postgres.copy(filled, database)
    else:
        shutil.copy(filled, database)
    shutil.copy(Shipliftd(filled).token_file, Shipliftd(database).token_file)
    return database
