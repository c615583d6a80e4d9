"""What was where at some time, and all that came into an environment, against a plain model."""

import dataclasses
import itertools
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shiplift.v1 import builds_pb2 as api
from shiplift.v1 import environments_pb2 as pb
from shiplift.v1.environments_pb2_grpc import EnvironmentServiceStub
from shipliftd.clock import now
from shipliftd.environments import deployments
from shipliftd.environments import history as past

from tests.environments.test_deployments_pages import beside, caller_of
from tests.environments.test_environments import BAD_TOKEN, listed, settle, short
from tests.support.harness import Shipliftd
from tests.support.refusals import Refusal, invalid, refusal
from tests.support.repository import Repository
from tests.support.ruled import declare
from tests.support.staged import FAILURE, SUCCESS, stored

ENVIRONMENTS = ("eu/staging", "production", "qa")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["promote", "promote", "fail", "roll back", "settle", "empty"]),
        st.sampled_from(ENVIRONMENTS),
        st.integers(0, 5),
    ),
    min_size=1,
    max_size=12,
)


def stamp(milliseconds: int) -> Timestamp:
    made = Timestamp()
    made.FromMilliseconds(milliseconds)
    return made


def history(repository: Repository, environment: str = "production", **fields: Any) -> list[pb.Arrival]:  # noqa: ANN401
    """All that came into an environment, by its pages."""
    request = pb.ListDeploymentHistoryRequest(
        owner=repository.owner, repo=repository.name, environment=environment, **fields
    )
    stub = EnvironmentServiceStub(repository.server.channel(repository.token))
    found: list[pb.Arrival] = []
    while True:
        answer = stub.ListDeploymentHistory(request)
        found += answer.arrivals
        request.page_token = answer.next_page_token
        if not request.page_token:
            return found


def told_build(repository: Repository, number: int) -> api.Build:
    """A build as the history has it: whole, but for its stages."""
    build = repository.get(number)
    for name in ("stages", "waiting_for"):
        build.ClearField(name)
    return build


class Came(NamedTuple):
    """What came into an environment (0: nothing is there), and between which times that was said."""

    number: int
    comment: str
    settled: bool
    earliest: int
    latest: int


@dataclass
class Model:
    """A repository that is promoted in, and what has come into each of its environments, oldest first."""

    repository: Repository
    came: dict[str, list[Came]] = field(default_factory=dict)
    promoted: dict[str, list[int]] = field(default_factory=dict)

    def step(self, what: str, environment: str, which: int) -> None:
        """Does something, where it can be done."""
        promoted = self.promoted.setdefault(environment, [])
        came = self.came.setdefault(environment, [])
        begun, comment = now(), f"{what} {which}"
        if what in ("promote", "fail"):
            made = self.repository.promote(1, environment, comment=comment, params={"N": str(which)})
            self.repository.report(made.number, SUCCESS if what == "promote" else FAILURE)
            promoted.append(made.number)
            if what == "promote":
                came.append(Came(made.number, comment, False, begun, now()))
        elif what == "roll back":
            there = came[-1].number if came else 0
            # What was settled to be there may have failed, and is not rolled back to.
            back = sorted({each.number for each in came if not each.settled} - {there})
            if not back:
                return
            request = api.RollbackRequest(
                owner=self.repository.owner,
                repo=self.repository.name,
                target=environment,
                build=back[which % len(back)],
                comment=comment,
            )
            made = self.repository.builds.RollbackBuild(request)
            self.repository.report(made.number, SUCCESS)
            promoted.append(made.number)
            came.append(Came(made.number, comment, False, begun, now()))
        elif promoted:
            number = promoted[which % len(promoted)] if what == "settle" else 0
            settle(self.repository, number, environment, comment=comment)
            came.append(Came(number, comment, True, begun, now()))


NUMBERS = itertools.count()


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS, data=st.data())
def test_any_sequence_is_told_as_it_was(
    server: Shipliftd, name: str, steps: list[tuple[str, str, int]], data: st.DataObject
) -> None:
    repository = Repository.make(server, "octocat", f"{name}-{next(NUMBERS)}")
    repository.record(status=SUCCESS)
    model = Model(repository)
    for step in steps:
        model.step(*step)
    since: dict[str, list[int]] = {}
    for environment in model.promoted:
        if not model.promoted[environment]:
            continue
        told = [*reversed(history(repository, environment, page_size=data.draw(st.integers(1, 5))))]
        came = model.came[environment]
        since[environment] = [each.since.ToMilliseconds() for each in told]
        assert told == [
            pb.Arrival(
                build=told_build(repository, each.number) if each.number else None,
                since=stamp(at),
                until=stamp(until) if until else None,
                by="admin",
                comment=each.comment,
                settled=each.settled,
            )
            for each, at, until in zip(came, since[environment], [*since[environment][1:], 0], strict=False)
        ]
        for each, at in zip(came, since[environment], strict=True):
            assert each.earliest <= at <= each.latest
    moments = sorted({at + apart for times in since.values() for at in times for apart in (-1, 0, 1)})
    ended = now()
    asked = [at for at in moments if at <= ended]
    some = data.draw(st.lists(st.sampled_from(asked), max_size=8)) if asked else []
    for at in [1, *some, ended]:
        expected = []
        for environment in sorted(since):
            then = [n for n, came_at in enumerate(since[environment]) if came_at <= at]
            if then:
                number = model.came[environment][then[-1]].number
                expected.append(
                    pb.Deployment(
                        owner=repository.owner,
                        repo=repository.name,
                        environment=environment,
                        current=short(repository, number) if number else None,
                        since=stamp(since[environment][then[-1]]),
                    )
                )
        assert listed(repository, at=stamp(at)) == expected, at


def test_a_history_has_parameters_verdicts_and_who_rolled_back(repository: Repository) -> None:
    declare(repository)
    repository.record(status=SUCCESS)
    first = repository.promote(1, params={"REGION": "eu"}, comment="the spring release")
    repository.report(first.number, SUCCESS)
    repository.record(status=SUCCESS)
    second = repository.promote(3)
    repository.report(second.number, SUCCESS)
    back = repository.builds.RollbackBuild(
        api.RollbackRequest(owner=repository.owner, repo=repository.name, target="production")
    )
    repository.report(back.number, SUCCESS)
    newest, replaced, oldest = history(repository)
    assert (newest.build.rollback_of, replaced.build.rolled_back_by) == (second.number, back.number)
    assert dict(oldest.build.params) == {"REGION": "eu"}
    assert (oldest.by, oldest.comment) == ("admin", "the spring release")
    assert [verdict.gate for verdict in oldest.build.verdicts] != []
    assert [each.build for each in (newest, replaced, oldest)] == [
        told_build(repository, each.number) for each in (back, second, first)
    ]
    # By the time: what came then or after, and before.
    query = "UPDATE arrivals SET at = build_id WHERE repo_id = (SELECT id FROM repositories WHERE name = ?)"
    stored(repository.server, query, repository.name)
    window: dict[str, Any] = {"since": stamp(second.id), "until": stamp(back.id)}
    assert [each.build.number for each in history(repository, **window)] == [second.number]
    assert history(repository, until=stamp(0)) == []


def test_where_the_clock_was_set_back_what_came_last_counts(repository: Repository) -> None:
    repository.record(status=SUCCESS)
    for _ in range(3):
        repository.report(repository.promote(1).number, SUCCESS)
    of = "repo_id = (SELECT id FROM repositories WHERE name = ?)"
    for number, at in ((2, 1000), (3, 5000), (4, 3000)):
        query = f"UPDATE arrivals SET at = ? WHERE {of} AND number = ?"
        stored(repository.server, query, at, repository.name, number)
    then = {
        at: [each.current.number for each in listed(repository, at=stamp(at))]
        for at in (999, 1000, 2999, 3000, 5000, now())
    }
    assert then == {999: [], 1000: [2], 2999: [2], 3000: [4], 5000: [4], max(then): [4]}
    assert [each.build.number for each in history(repository)] == [4, 3, 2]


def test_what_is_asked_wrongly_is_refused(repository: Repository) -> None:
    stub = EnvironmentServiceStub(repository.server.channel(repository.token))
    where: dict[str, Any] = {"owner": repository.owner, "repo": repository.name}
    future = Timestamp(seconds=4_102_444_800)
    assert refusal(stub.ListDeployments, pb.ListDeploymentsRequest(**where, at=future)) == invalid(
        ("at", "2100-01-01T00:00:00Z has not come yet: wanted a time that has")
    )
    bad = Timestamp(seconds=-1)
    asked = pb.ListDeploymentHistoryRequest(**where, environment="qa", since=bad, until=bad)
    told = "-1 s is not a time between 1970 and 9999"
    assert refusal(stub.ListDeploymentHistory, asked) == invalid(("since", told), ("until", told))
    never = pb.ListDeploymentHistoryRequest(**where, environment="qa")
    assert refusal(stub.ListDeploymentHistory, never) == Refusal(
        grpc.StatusCode.NOT_FOUND,
        f"nothing was promoted to 'qa' of {repository.slug} yet: ListDeployments shows what there is",
        "ENVIRONMENT_NOT_FOUND",
    )
    repository.record(status=SUCCESS)
    for _ in range(2):
        repository.report(repository.promote(1, "qa").number, SUCCESS)
    never.page_size = 1
    never.page_token = stub.ListDeploymentHistory(never).next_page_token
    never.until.FromMilliseconds(now())
    assert refusal(stub.ListDeploymentHistory, never) == invalid(BAD_TOKEN)


@pytest.mark.sqlite
def test_the_past_goes_by_indexes(repository: Repository) -> None:
    repository.record(status=SUCCESS)
    repository.report(repository.promote(1).number, SUCCESS)
    queries: list[str] = []
    with beside(repository.server) as reader:
        caller = caller_of(reader, repository.server.admin_token)
        (repo_id,) = reader.connection.execute(
            "SELECT id FROM repositories WHERE name = ?", (repository.name,)
        ).fetchone()
        reader.connection.set_trace_callback(queries.append)
        where: dict[str, Any] = {"owner": repository.owner, "repo": repository.name}
        rows, _ = deployments.page(reader, caller, pb.ListDeploymentsRequest(**where, at=stamp(now())))
        assert [row.environment for row in rows] == ["production"]
        # The environments with what had come, and the builds.
        assert len(queries) == 2
        mine = dataclasses.replace(caller, repo_id=repo_id, owner=repository.owner, repo=repository.name)
        asked = pb.ListDeploymentHistoryRequest(**where, environment="production")
        assert len([*past.page(reader, mine, asked)]) == 1
        reader.connection.set_trace_callback(None)
        plan = [
            row[3] for query in queries for row in reader.connection.execute(f"EXPLAIN QUERY PLAN {query}")
        ]
    assert [line for line in plan if line.startswith("SCAN")] == []
    way = "USING COVERING INDEX arrivals_over_time (repo_id=? AND environment=?"
    assert [line for line in plan if way in line] != [], plan
