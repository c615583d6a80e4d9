"""Any graph of stages, with any outcomes, in any order: each is done once, and the build ends."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as api
from shiplift.v1 import stages_pb2 as pb
from shipliftd import builds
from shipliftd.access.callers import Caller
from shipliftd.builds import endings, promotions, recording, reports
from shipliftd.builds.parameters import ParameterRules
from shipliftd.errors import Refusal
from shipliftd.stages import accepting, holders
from shipliftd.stages.leases import Leased, Work
from shipliftd.store import SqliteStore
from shipliftd.store.models import ENDED, Repository, Stage, User
from shipliftd.store.rows import BuildWithStages, StageRow
from shipliftd.store.transaction import Transaction

from tests.support.patience import SECONDS
from tests.support.repository import COMMIT

pytestmark = pytest.mark.sqlite

FAILED = ("failure", "error", "killed")
OUTCOMES = ("success", "success", "success", *FAILED, "skipped", "lost")
RULES = ParameterRules(())


class Node(NamedTuple):
    """A stage to be, and how it will end if it is done."""

    depends_on: tuple[int, ...]
    outcome: str
    on_success: bool
    on_failure: bool
    errignore: bool


@st.composite
def graphs(draw: st.DrawFn) -> list[Node]:
    """Graphs without circles, of which something begins; a stage waits for some of those before it."""
    count = draw(st.integers(1, 7))
    seldom = st.sampled_from([False, False, False, True])
    nodes = [
        Node(
            tuple(sorted(draw(st.sets(st.integers(max(0, n - 3), n - 1), max_size=3)))) if n else (),
            draw(st.sampled_from(OUTCOMES)),
            not draw(seldom),
            draw(seldom),
            draw(seldom),
        )
        for n in range(count)
    ]
    if not any(node.on_success for node in nodes):
        nodes[0] = nodes[0]._replace(on_success=True)
    return nodes


class World(NamedTuple):
    """A store that all examples share, and who does all in it."""

    tx: Transaction
    caller: Caller


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A new store with one repository."""
    store = SqliteStore(tmp_path_factory.mktemp("flow") / "shiplift.db")
    store.migrate()
    tx = Transaction(store.writer)
    with store.writer.atomic():
        user = tx.execute(User.insert(login="admin", admin=True, created=1, updated=1))
        repository = tx.execute(
            Repository.insert(
                user=user,
                owner="octocat",
                name="app",
                visibility="private",
                timeout=SECONDS,
                created=1,
                updated=1,
                **dict.fromkeys(
                    ("scm", "git_http_url", "git_ssh_url", "link", "default_branch", "config_path"), ""
                ),
            )
        )
    yield World(
        tx,
        Caller(
            "Test",
            user,
            1,
            "admin",
            site_admin=True,
            level=access_pb2.ACCESS_LEVEL_ADMIN,
            owner="octocat",
            repo="app",
            repo_id=repository,
        ),
    )
    store.close()


def create(world: World, nodes: list[Node], numbers: list[int]) -> BuildWithStages:
    """A promotion of a build with the stages, in the order of `numbers`."""
    request = api.CreateBuildRequest(
        after=COMMIT,
        owner="octocat",
        repo="app",
        status=api.BUILD_STATUS_SUCCESS,
        stages=[
            api.StageSpec(
                name=str(n),
                kind="external",
                depends_on=map(str, nodes[n].depends_on),
                on_success=nodes[n].on_success,
                on_failure=nodes[n].on_failure,
                errignore=nodes[n].errignore,
            )
            for n in numbers
        ],
    )
    recorded = recording.create(*world, request, RULES, None, None).resource
    promotion = api.PromoteRequest(
        owner="octocat", repo="app", build=recorded.build.number, target="production"
    )
    return promotions.promote(*world, promotion, RULES, None).resource


def finish(world: World, stage: StageRow, outcome: str) -> None:
    if outcome == "lost":
        world.tx.execute(Stage.update(lease_expires=1).where(Stage.id == stage.id))
        endings.sweep(world.tx)
        return
    status = f"BUILD_STATUS_{outcome.upper()}"
    request = pb.UpdateStageRequest(stage_id=stage.id, status=status, error=stage.name)
    holders.update_stage(*world, request)


def expected(nodes: list[Node]) -> dict[str, str]:
    """How each stage ends, by the rules as they are told to people."""
    ends: list[str] = []
    well: list[bool] = []
    for node in nodes:
        went_well = all(well[before] for before in node.depends_on)
        runs = node.on_success if went_well else node.on_failure
        end = ("error" if node.outcome == "lost" else node.outcome) if runs else "skipped"
        ends.append(end)
        well.append(went_well if end == "skipped" else end == "success" or node.errignore)
    return {str(n): end for n, end in enumerate(ends)}


def follow_through(world: World, nodes: list[Node], numbers: list[int], data: st.DataObject) -> None:
    build = create(world, nodes, numbers)
    taken: list[StageRow] = []
    done: list[str] = []
    seen: dict[str, str] = {}
    while True:
        now = {stage.name: stage for stage in builds.stages_of(world.tx, build.id)}
        for name, status in seen.items():
            if status in ENDED:
                assert now[name].status == status, "what has ended does not change"
        seen = {name: stage.status for name, stage in now.items()}
        ready = [s for s in now.values() if s.status == "pending" and s.lease_hash is None]
        for stage in ready:
            before = [now[str(n)].status for n in nodes[int(stage.name)].depends_on]
            assert all(status in ENDED for status in before), "it begins before its time"
        choices = len(ready) + len(taken)
        if not choices:
            break
        assert builds.load(*world, build.id).build.status in ("pending", "running")
        choice = data.draw(st.integers(0, choices - 1))
        if choice < len(ready):
            accepting.accept(
                *world, pb.AcceptStageRequest(stage_id=ready[choice].id, machine="box"), no_plan
            )
            taken.append(ready[choice])
        else:
            stage = taken.pop(choice - len(ready))
            finish(world, stage, nodes[int(stage.name)].outcome)
            done.append(stage.name)
    assert sorted(done) == sorted(set(done)), "a stage was done twice"
    check_end(builds.load(*world, build.id), expected(nodes), nodes)


def check_end(whole: BuildWithStages, ends: Mapping[str, str], nodes: list[Node]) -> None:
    assert {stage.name: stage.status for stage in whole.stages} == ends
    failed = [s for s in whole.stages if s.status in FAILED and not nodes[int(s.name)].errignore]
    assert whole.build.status == (failed[0].status if failed else "success")
    assert whole.build.error == (failed[0].error if failed else "")
    assert whole.build.finished >= whole.build.started > 0
    assert all(stage.lease_expires == 0 for stage in whole.stages)


many = settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@given(graphs(), st.data())
@many
def test_each_stage_is_done_once_in_its_order_and_the_build_ends(
    world: World, nodes: list[Node], data: st.DataObject
) -> None:
    numbers = data.draw(st.permutations(range(len(nodes))))
    with world.tx.database.atomic() as transaction:
        follow_through(world, nodes, list(numbers), data)
        transaction.rollback()


@given(graphs(), st.data(), st.sampled_from(["cancel", "report"]))
@many
def test_a_build_ends_for_good_whenever_it_is_ended(
    world: World, nodes: list[Node], data: st.DataObject, how: str
) -> None:
    with world.tx.database.atomic() as transaction:
        build = create(world, nodes, list(range(len(nodes))))
        for _ in range(data.draw(st.integers(0, 2 * len(nodes)))):
            step_once(world, build, nodes, data)
        before = builds.load(*world, build.id)
        named: dict[str, Any] = {"owner": "octocat", "repo": "app", "build": build.build.number}
        if how == "cancel":
            endings.cancel(*world, api.CancelBuildRequest(**named))
        elif before.build.status not in ENDED:
            reports.update(*world, api.UpdateBuildRequest(**named, status=api.BUILD_STATUS_FAILURE))
        after = builds.load(*world, build.id)
        if before.build.status in ENDED:
            assert after == before
        assert after.build.status in ENDED
        assert all(stage.status in ENDED and not stage.lease_expires for stage in after.stages)
        for was, now in zip(before.stages, after.stages, strict=True):
            assert now == was if was.status in ENDED else now.version == was.version + 1
        for stage in after.stages:
            late(world, stage)
        assert builds.load(*world, build.id) == after
        transaction.rollback()


def no_plan(_leased: Leased) -> Work:
    return Work(pb.Plan(), {}, {})


def step_once(world: World, build: BuildWithStages, nodes: list[Node], data: st.DataObject) -> None:
    rows = builds.stages_of(world.tx, build.id)
    open_ = [stage for stage in rows if stage.status == "pending"]
    if not open_:
        return
    stage = open_[data.draw(st.integers(0, len(open_) - 1))]
    if stage.lease_hash is None:
        accepting.accept(*world, pb.AcceptStageRequest(stage_id=stage.id, machine="box"), no_plan)
    else:
        finish(world, stage, nodes[int(stage.name)].outcome)


def late(world: World, stage: StageRow) -> None:
    """Whoever had the stage reports once more; others are refused."""
    request = pb.UpdateStageRequest(stage_id=stage.id, status=api.BUILD_STATUS_RUNNING, message="late")
    if stage.lease_hash is not None:
        assert holders.update_stage(*world, request)[0] == stage
        return
    for call in (
        lambda: holders.update_stage(*world, request),
        lambda: accepting.accept(*world, pb.AcceptStageRequest(stage_id=stage.id, machine="late"), no_plan),
    ):
        with pytest.raises(Refusal):
            call()
