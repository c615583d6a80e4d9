"""WatchBuilds: who watches sees every change once, in order, from wherever they come back."""

from typing import Any

import grpc
import pytest
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as api
from shiplift.v1 import environments_pb2 as env
from shiplift.v1 import stages_pb2 as pb
from shiplift.v1.builds_pb2_grpc import BuildServiceStub

from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS, until
from tests.support.refusals import Refusal, code_of, ended, invalid, told
from tests.support.repository import Repository
from tests.support.staged import FAILURE, PENDING, RUNNING, SUCCESS, Staged
from tests.support.watching import Seen, begun, changes, short, watch


@pytest.fixture
def staged(repository: Repository) -> Staged:
    """A repository of the test's own with its runner."""
    return Staged.of(repository)


def steps(*status: api.BuildStatus) -> list[pb.StepReport]:
    return [pb.StepReport(number=n, name=f"s{n}", status=each) for n, each in enumerate(status, start=1)]


def run(staged: Staged, build: api.Build) -> list[Seen]:
    """Has the runner do a promotion's only stage; what is to be seen of it."""
    number, runner = build.number, staged.runner
    stage = runner.accept(build.stages[0].id).stage.id
    one, two = runner.report(stage, RUNNING, steps=steps(RUNNING, PENDING)).steps
    runner.report_step(one.id, SUCCESS)
    runner.report_step(two.id, RUNNING)
    runner.report(stage, FAILURE, error="no space")
    return [
        Seen(f"{number}/1", "pending", 2),
        Seen(f"{number}/1/1", "running", 1),
        Seen(f"{number}/1/2", "pending", 1),
        Seen(f"{number}/1", "running", 3),
        Seen(f"{number}", "running", 2),
        Seen(f"{number}/1/1", "success", 2),
        Seen(f"{number}/1/2", "running", 2),
        Seen(f"{number}/1", "failure", 4),
        Seen(f"{number}/1/2", "error", 3),
        Seen(f"{number}", "failure", 3),
    ]


def test_a_watch_begins_with_what_has_not_ended(staged: Staged) -> None:
    repository = staged.repository
    running = staged.running()
    repository.record(status=SUCCESS)
    waits = repository.promote(1)
    call = watch(repository)
    builds, cursor = begun(call)
    assert builds == [repository.get(running.build.number), repository.get(waits.number)]
    assert cursor
    assert repository.report(waits.number, SUCCESS).status == SUCCESS
    assert [short(each) for each in changes(call, 2)] == [
        Seen(f"{waits.number}/1", "success", 2),
        Seen(f"{waits.number}", "success", 2),
    ]


def test_a_build_that_is_named_is_in_the_snapshot_though_it_has_ended(repository: Repository) -> None:
    repository.record(status=SUCCESS)
    repository.record(status=PENDING)
    builds, _ = begun(watch(repository, build=1))
    assert builds == [repository.get(1)]
    assert code_of(next, watch(repository, build=3)) == grpc.StatusCode.NOT_FOUND


def test_every_change_is_told_once_in_order_and_from_every_cursor_on(staged: Staged) -> None:
    repository = staged.repository
    call = watch(repository)
    _, first = begun(call)
    build = staged.promoted()
    expected = [Seen("1", "success", 1), Seen("2", "pending", 1), *run(staged, build)]
    seen = changes(call, len(expected))
    assert [short(each) for each in seen] == expected
    assert [each.change.environment for each in seen] == ["", *["production"] * (len(seen) - 1)]
    assert {each.change.repo for each in seen} == {repository.name}
    # Whoever comes back is told the same, as it was then.
    for n, cursor in enumerate([first, *(each.cursor for each in seen)][:-1]):
        again = changes(watch(repository, cursor=cursor), len(seen) - n)
        assert [(each.cursor, short(each)) for each in again] == [
            (each.cursor, short(each)) for each in seen[n:]
        ]


def test_what_is_told_late_is_told_as_it_was(staged: Staged) -> None:
    repository = staged.repository
    call = watch(repository)
    _, cursor = begun(call)
    build = staged.promoted()
    expected = run(staged, build)
    then = changes(call, 2 + len(expected))
    again = changes(watch(repository, cursor=cursor), len(then))
    assert [(each.cursor, short(each)) for each in again] == [(each.cursor, short(each)) for each in then]
    late = [each.change for each in again]
    waited = next(each.moved_build for each in late if each.moved_build.number == build.number)
    assert (waited.status, waited.HasField("started"), waited.HasField("finished")) == (
        PENDING,
        False,
        False,
    )
    runs = [each.moved_stage for each in late if each.moved_stage.status == RUNNING]
    assert [(each.error, each.HasField("started"), each.HasField("stopped")) for each in runs] == [
        ("", True, False)
    ]
    last = late[-1].moved_build
    whole = repository.get(build.number)
    assert (last.version, last.finished, last.error) == (whole.version, whole.finished, whole.error)
    stages = [each.moved_stage for each in late if each.HasField("moved_stage")]
    assert [each.error for each in stages] == ["", "", "no space"]


def test_filters_let_through_what_they_name(staged: Staged) -> None:
    repository = staged.repository
    repository.record(status=PENDING)
    calls = {
        "all": watch(repository),
        "build": watch(repository, build=1),
        "environment": watch(repository, environment="production"),
        "events": watch(repository, events=[api.BUILD_EVENT_PROMOTE]),
    }
    for call in calls.values():
        begun(call)
    repository.report(1, SUCCESS)
    repository.promote(1, "staging")
    repository.promote(1, "production")
    environments = repository.server.environments()
    named: Any = {"owner": repository.owner, "repo": repository.name}
    environments.HoldEnvironment(
        env.HoldEnvironmentRequest(**named, environment="production", reason="a test")
    )
    told_of = [
        Seen("1/1", "success", 2),
        Seen("1", "success", 2),
        Seen("2", "pending", 1),
        Seen("3", "pending", 1),
        Seen("production", "held"),
    ]
    assert [short(each) for each in changes(calls["all"], 5)] == told_of
    assert [short(each) for each in changes(calls["build"], 2)] == told_of[:2]
    assert [short(each) for each in changes(calls["environment"], 2)] == told_of[3:]
    assert [short(each) for each in changes(calls["events"], 2)] == told_of[2:4]


def test_what_is_done_to_an_environment_is_told(repository: Repository) -> None:
    call = watch(repository)
    begun(call)
    environments = repository.server.environments()
    named: Any = {"owner": repository.owner, "repo": repository.name}
    said = env.Environment(name="production")
    environments.CreateEnvironment(env.CreateEnvironmentRequest(**named, environment=said))
    said.description = "where people are"
    changed = env.UpdateEnvironmentRequest(**named, environment=said)
    changed.update_mask.paths.append("description")
    environments.UpdateEnvironment(changed)
    environments.HoldEnvironment(env.HoldEnvironmentRequest(**named, reason="a test"))
    environments.ResumeEnvironment(env.ResumeEnvironmentRequest(**named))
    repository.record(status=SUCCESS)
    promoted = repository.promote(1)
    repository.report(promoted.number, SUCCESS)
    environments.SettleEnvironment(
        env.SettleEnvironmentRequest(**named, environment="production", build=promoted.number)
    )
    environments.DeleteEnvironment(env.DeleteEnvironmentRequest(**named, environment="production"))
    assert [each for each in map(short, changes(call, 10)) if "/" not in each.what] == [
        Seen("production", "created"),
        Seen("production", "updated"),
        Seen("", "held"),
        Seen("", "resumed"),
        Seen("1", "success", 1),
        Seen("2", "pending", 1),
        Seen("2", "success", 2),
        Seen("production", "settled"),
        Seen("production", "deleted"),
    ]


def test_a_hold_of_an_owner_is_told_to_each_repository(server: Shipliftd, name: str) -> None:
    one, other = (Repository.make(server, name, each) for each in ("one", "other"))
    calls = [watch(one), watch(other)]
    for call in calls:
        begun(call)
    held = env.HoldEnvironmentRequest(owner=name, repo="*", reason="a test")
    server.environments().HoldEnvironment(held)
    assert [[short(each) for each in changes(call, 1)] for call in calls] == [[Seen("", "held")]] * 2


def test_who_watches_all_sees_what_they_may_read_and_no_more(server: Shipliftd, name: str) -> None:
    theirs, others = (Repository.make(server, name, each) for each in ("theirs", "others"))
    seen_by = theirs.of(f"reader-{name}", access_pb2.ACCESS_LEVEL_READ)
    others.record(status=PENDING)
    mine = theirs.record(status=PENDING)
    call = watch(seen_by, owner="")
    builds, cursor = begun(call)
    assert [build.id for build in builds if build.owner == name] == [mine.id]
    others.report(1, RUNNING)
    theirs.report(1, RUNNING)
    found = [each for each in changes(call, 2) if each.change.owner == name]
    assert [(each.change.repo, short(each)) for each in found] == [
        ("theirs", Seen("1/1", "running", 2)),
        ("theirs", Seen("1", "running", 2)),
    ]
    # What is granted is seen from then on, what is taken away no more.
    grants = server.access()
    grant: Any = {"login": f"reader-{name}", "owner": name}
    grants.GrantAccess(
        access_pb2.GrantAccessRequest(**grant, repo="others", level=access_pb2.ACCESS_LEVEL_READ)
    )
    grants.RevokeAccess(access_pb2.RevokeAccessRequest(**grant, repo="theirs"))
    theirs.report(1, SUCCESS)
    others.report(1, SUCCESS)
    assert [(each.change.repo, short(each)) for each in changes(call, 2)] == [
        ("others", Seen("1/1", "success", 3)),
        ("others", Seen("1", "success", 3)),
    ]
    # Nor by who comes back.
    again = changes(watch(seen_by, owner="", cursor=cursor), 4)
    assert {each.change.repo for each in again} == {"others"}


def test_a_watch_of_a_repository_ends_with_the_access_to_it(repository: Repository) -> None:
    seen_by = repository.of(f"reader-{repository.name}", access_pb2.ACCESS_LEVEL_READ)
    call = watch(seen_by)
    begun(call)
    repository.server.access().RevokeAccess(
        access_pb2.RevokeAccessRequest(
            login=f"reader-{repository.name}", owner=repository.owner, repo=repository.name
        )
    )
    assert ended(call).code == grpc.StatusCode.NOT_FOUND


def test_a_cursor_that_is_none_of_here_is_refused(repository: Repository) -> None:
    _, cursor = begun(watch(repository))
    epoch, _, place = cursor.partition("-")
    for wrong in (f"00000000-{place}", f"{epoch}-{int(place) + 1000}"):
        assert ended(watch(repository, cursor=wrong)) == Refusal(
            grpc.StatusCode.OUT_OF_RANGE,
            f"changes behind the cursor {wrong} are not kept any more, or it is of another store: begin"
            " without a cursor, with a new snapshot",
            "CURSOR_TOO_OLD",
        )
    assert ended(watch(repository, cursor="yesterday")) == invalid(
        ("cursor", "'yesterday' is not one that a watch has told")
    )
    assert ended(watch(repository, owner="", build=1)) == invalid(
        ("build", "goes with owner and repo: name them, or leave it out")
    )


def test_who_reads_nothing_is_cut_off_and_comes_back(staged: Staged) -> None:
    server = staged.repository.server
    # Whose window does not grow: what is on its way is 64 KiB.
    with grpc.insecure_channel(server.address, [("grpc.http2.bdp_probe", 0)]) as channel:
        _is_cut_off(staged, BuildServiceStub(channel))


def _is_cut_off(staged: Staged, builds: BuildServiceStub) -> None:
    named: Any = {"owner": staged.repository.owner, "repo": staged.repository.name}
    token = staged.repository.server.admin_token
    call: Any = builds.WatchBuilds(
        api.WatchBuildsRequest(**named), metadata=(("authorization", f"Bearer {token}"),), timeout=SECONDS
    )
    _, cursor = begun(call)
    stage = staged.running().stage.id
    count = 2400
    for begin in range(1, count, 200):
        reports = [pb.StepReport(number=n, name=f"s{n}") for n in range(begin, begin + 200)]
        staged.runner.report(stage, steps=reports)
    seen = []
    end = None
    while end is None:
        try:
            seen.append(next(call))
        except grpc.RpcError as error:
            end = told(error)
    assert end == Refusal(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "more than 1000 changes waited to be read, and nothing is kept for this watch any more: come back"
        " with the last cursor, and read faster or filter more",
        "READS_TOO_SLOWLY",
    )
    rest = changes(watch(staged.repository, cursor=seen[-1].cursor), count + 5 - len(seen))
    numbers = [
        each.change.moved_step.number for each in (*seen, *rest) if each.change.HasField("moved_step")
    ]
    assert numbers == list(range(1, count + 1))
    assert len({each.cursor for each in (*seen, *rest)}) == count + 5
    assert cursor not in {each.cursor for each in seen}


def test_a_watch_in_which_nothing_happens_lives(repository: Repository) -> None:
    call = watch(repository)
    _, cursor = begun(call)
    response = next(call)
    assert (response.WhichOneof("told"), response.cursor[:9]) == ("heartbeat", cursor[:9])
    repository.record(status=SUCCESS)
    assert [short(each) for each in changes(watch(repository, cursor=response.cursor), 1)] == [
        Seen("1", "success", 1)
    ]


def test_many_watches_that_hang_up_leave_nothing(own_server: Shipliftd) -> None:
    repository = Repository.make(own_server, "octocat", "app")
    for _ in range(20):
        call = watch(repository)
        begun(call)
        call.cancel()
    call = watch(repository)
    begun(call)
    repository.record(status=SUCCESS)
    assert [short(each) for each in changes(call, 1)] == [Seen("1", "success", 1)]
    until(lambda: not [line for line in own_server.log if line["level"] == "error"])
