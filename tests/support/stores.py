"""What the tests of the store's file put into it and read from it."""

import sqlite3
from contextlib import closing
from pathlib import Path

from shiplift.v1 import access_pb2, builds_pb2, builds_pb2_grpc

from tests.support.beside import opened
from tests.support.harness import Shipliftd
from tests.support.repository import COMMIT

# Commands that write.
ADD = ("user", "add", "dora")
TOKEN = ("token", "create", "--login", "admin")
GRANT = ("grant", "add", "admin", "read", "-R", "o/r")


def create(server: Shipliftd) -> None:
    server.access().CreateRepository(access_pb2.CreateRepositoryRequest(owner="octocat", repo="app"))
    record(server)


def record(server: Shipliftd, repo: str = "octocat/app") -> None:
    owner, name = repo.split("/")
    server.builds().CreateBuild(
        builds_pb2.CreateBuildRequest(owner=owner, repo=name, after=COMMIT, message="m" * 500)
    )


def promote(builds: builds_pb2_grpc.BuildServiceStub, repo: str = "octocat/app") -> builds_pb2.Build:
    owner, name = repo.split("/")
    return builds.PromoteBuild(
        builds_pb2.PromoteRequest(owner=owner, repo=name, build=1, target="production")
    )


def numbers(database: Path) -> list[int]:
    with opened(database) as store:
        return [row[0] for row in store.execute("SELECT number FROM builds ORDER BY number")]


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def damage(store: Path) -> Path:
    """Writes over pages of the builds."""
    with closing(sqlite3.connect(store)) as source:
        source.execute("PRAGMA wal_checkpoint(truncate)")
        (size,) = source.execute("PRAGMA page_size").fetchone()
    text = b"m" * 200
    with store.open("r+b") as file:
        content = file.read()
        for start in range(size, len(content), size):
            if text in content[start : start + size]:
                file.seek(start)
                file.write(b"\xa5" * 100)
    return store
