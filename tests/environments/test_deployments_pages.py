"""Pages of ListDeployments: what they cost, and where they end."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from shiplift.v1 import access_pb2
from shiplift.v1 import environments_pb2 as pb
from shiplift.v1.environments_pb2_grpc import EnvironmentServiceStub
from shipliftd.access.callers import Caller, token_of
from shipliftd.environments import deployments
from shipliftd.store import open_database
from shipliftd.store.transaction import Reader

from tests.support.harness import Shipliftd
from tests.support.repository import Repository
from tests.support.staged import FAILURE, RUNNING, SUCCESS, stored

# Its queries are seen by SQLite's own means.
pytestmark = pytest.mark.sqlite

ENVIRONMENTS = ("canary", "dev", "production", "staging", "test")
# The environments, what waits for them, the builds, the holds, the stages and steps of the builds.
QUERIES = 6


def filled(server: Shipliftd, owner: str, repos: str, environments: tuple[str, ...]) -> None:
    """Repositories: in each environment something is, one newer failed or runs, and the newest waits."""
    for repo in repos:
        made = Repository.make(server, owner, repo)
        made.record()
        for n, environment in enumerate(environments):
            for status in (SUCCESS, FAILURE if n % 2 else RUNNING):
                made.report(made.promote(1, environment).number, status)
            made.promote(1, environment)


@contextmanager
def beside(server: Shipliftd) -> Iterator[Reader]:
    """Reads the server's file beside it."""
    with closing(open_database(server.database, timeout=5)) as database:
        yield Reader(database)


@pytest.fixture
def reader(server: Shipliftd) -> Iterator[Reader]:
    """Reads the shared server's file."""
    with beside(server) as found:
        yield found


def caller_of(reader: Reader, secret: str) -> Caller:
    """Whose token it is."""
    token = token_of(reader, f"Bearer {secret}")
    assert token is not None
    return Caller("ListDeployments", token.user_id, token.token_id, token.login, token.admin, cut=token)


def traced(reader: Reader, secret: str, **fields: Any) -> tuple[list[str], list[str]]:  # noqa: ANN401
    """The environments of a page and one more, and the queries that it takes."""
    caller = caller_of(reader, secret)
    queries: list[str] = []
    reader.connection.set_trace_callback(queries.append)
    rows, _ = deployments.page(reader, caller, pb.ListDeploymentsRequest(**fields))
    found = [f"{row.repo} {row.environment}" for row in rows]
    reader.connection.set_trace_callback(None)
    return found, queries


def test_a_page_takes_as_many_queries_of_few_environments_as_of_many(
    repository: Repository, name: str, reader: Reader
) -> None:
    filled(repository.server, f"many-{name}", "abcd", ENVIRONMENTS)
    filled(repository.server, f"few-{name}", "a", ENVIRONMENTS[:2])
    admin = repository.server.admin_token
    found, queries = traced(reader, admin, owner=f"many-{name}")
    assert found == [f"{repo} {environment}" for repo in "abcd" for environment in ENVIRONMENTS]
    assert len(queries) == QUERIES
    found, queries = traced(reader, admin, owner=f"few-{name}")
    assert (found, len(queries)) == (["a canary", "a dev"], QUERIES)
    found, queries = traced(reader, admin, owner=f"many-{name}", environment="dev", page_size=2)
    # One more, which tells that another page follows.
    assert (found, len(queries)) == (["a dev", "b dev", "c dev"], QUERIES)


@pytest.mark.parametrize("environment", ["", "dev"])
@pytest.mark.parametrize("is_admin", [True, False])
def test_a_page_goes_by_indexes(
    server: Shipliftd, name: str, reader: Reader, environment: str, is_admin: bool
) -> None:
    owner = f"o-{name}"
    filled(server, owner, "ab", ENVIRONMENTS[:2])
    cut = {"repositories": [f"{owner}/*"]}
    granted = server.user(f"r-{name}", f"{owner}/b", access_pb2.ACCESS_LEVEL_READ, **cut)
    secret = server.admin_token if is_admin else granted
    _, queries = traced(reader, secret, owner=owner, environment=environment)
    assert len(queries) == QUERIES
    plan = [row[3] for query in queries for row in reader.connection.execute(f"EXPLAIN QUERY PLAN {query}")]
    # Nothing is gone through from end to end.
    assert [line for line in plan if line.startswith("SCAN")] == []
    for way in (
        "INDEX builds_of_environment (repo_id=? AND deploy_to=?)",
        "INDEX builds_failed (repo_id=? AND deploy_to=? AND number>?)",
        "INDEX builds_in_flight (repo_id=? AND deploy_to=?)",
        "INDEX builds_under_way (repo_id=? AND deploy_to=? AND waits=?)",
        "INDEX builds_under_way (repo_id=? AND deploy_to>?)",
        "INDEX environments_name_taken (repo_id=? AND name=?)"
        if environment
        else "INDEX environments_name_taken (repo_id=?)",
    ):
        assert [line for line in plan if line.endswith(way)], (way, plan)


def test_a_page_that_has_all_is_the_last(server: Shipliftd, name: str) -> None:
    filled(server, f"o-{name}", "ab", ENVIRONMENTS[:2])
    # What comes behind them has no environments.
    Repository.make(server, f"o-{name}", "c").record()
    list_deployments = EnvironmentServiceStub(server.channel()).ListDeployments
    request = pb.ListDeploymentsRequest(owner=f"o-{name}", page_size=2)
    pages = []
    for _ in range(3):
        answer = list_deployments(request)
        pages.append([f"{found.repo} {found.environment}" for found in answer.deployments])
        request.page_token = answer.next_page_token
        if not request.page_token:
            break
    assert pages == [["a canary", "a dev"], ["b canary", "b dev"]]


def test_a_list_goes_on_behind_what_has_gone_meanwhile(own_server: Shipliftd) -> None:
    filled(own_server, "octocat", "a", ENVIRONMENTS[:3])
    with beside(own_server) as reader:
        caller = caller_of(reader, own_server.admin_token)
        rows, then = deployments.page(reader, caller, pb.ListDeploymentsRequest(page_size=1))
        stored(own_server, "DELETE FROM builds WHERE deploy_to = 'dev'")
        # The one that tells that a page follows is no more, and yet a page follows.
        assert [row.environment for row in rows] == ["canary"]
        assert then == ["octocat", "a", "dev"]
