"""Stores that were filled."""

import shutil
from pathlib import Path

import pytest

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
    shutil.copy(f"{filled}.admin-token", tmp_path / "shiplift.db.admin-token")
    return Path(shutil.copy(filled, tmp_path / "shiplift.db"))
