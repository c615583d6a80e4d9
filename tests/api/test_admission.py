"""How many calls may be under way at once, and what those over a limit are told."""

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from shiplift import Client, Unavailable
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb
from shiplift.v1.builds_pb2_grpc import BuildServiceStub
from shiplift.v1.stages_pb2 import UpdateStageRequest, WatchStageRequest

from tests.support import postgres
from tests.support.beside import held
from tests.support.gateway import Answer, Caller
from tests.support.harness import Gateway, Shipliftd
from tests.support.patience import SECONDS, until
from tests.support.refusals import Refusal, code_of, details, refusal
from tests.support.repository import Repository
from tests.support.staged import runner_of
from tests.support.waiting import asking, waiting

OK, EXHAUSTED = grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED
WRITE = access_pb2.ACCESS_LEVEL_WRITE


def token_busy(calls: str, limit: int) -> Refusal:
    return Refusal(
        EXHAUSTED,
        f"{limit} {calls} are under way with this token (callers without one count as one), as many as may"
        " be at once; nothing was done: try again once some have ended",
        "TOKEN_BUSY",
    )


def server_busy(calls: str, limit: int) -> Refusal:
    return Refusal(
        EXHAUSTED,
        f"the server has {limit} {calls} under way, as many as it takes at once; nothing was done: try"
        " again in a moment",
        "SERVER_BUSY",
    )


@contextmanager
def limited(folder: Path, *limits: str) -> Iterator[Repository]:
    """A repository with build 1, on a server with these limits."""
    with Shipliftd(folder / "shiplift.db", ("--http", "127.0.0.1:0", *limits)) as server:
        repository = Repository.make(server, "octocat", "hello")
        repository.record()
        # A place is free a moment after the answer.
        assert repository.get(1).number == 1
        yield repository


def wait_for_build(repository: Repository) -> Any:  # noqa: ANN401  # a future, which stubs lack
    """WaitBuild of build 1, which does not move, once it is under way."""
    return waiting(repository, 1, repository.get(1).version)


def not_waiting(repository: Repository) -> Refusal:
    """What WaitBuild of build 1 is refused with."""
    return refusal(repository.builds.WaitBuild, asking(repository, 1, 1), timeout=SECONDS)


def test_a_token_at_its_limit_is_refused_and_hinders_nobody(tmp_path: Path) -> None:
    with limited(tmp_path, "--max-waits", "4") as admin:
        writer = admin.of("mona", WRITE)
        calls = [wait_for_build(admin), wait_for_build(admin)]
        assert not_waiting(admin) == token_busy("waits", 2)
        assert details(admin.builds.WaitBuild, asking(admin, 1, 1)) == {
            "ErrorInfo": {
                "reason": "TOKEN_BUSY",
                "domain": "shiplift",
                "metadata": {"calls": "waits", "limit": "2"},
            },
            "RetryInfo": {"retry_delay": "5s"},
        }
        # However the scheme is written, it is the same token.
        bearer = (("authorization", f"bearer {admin.server.admin_token}"),)
        with grpc.insecure_channel(admin.server.address) as channel:
            call = BuildServiceStub(channel).WaitBuild
            assert refusal(call, asking(admin, 1, 1), metadata=bearer) == token_busy("waits", 2)
        # Nor do calls of another kind count.
        assert (admin.promote(1).number, admin.get(2).number) == (2, 2)
        calls += [wait_for_build(writer), wait_for_build(writer)]
        assert not_waiting(writer) == token_busy("waits", 2)
        assert not_waiting(admin.of("hubot", WRITE)) == server_busy("waits", 4)
        admin.report(1, pb.BUILD_STATUS_SUCCESS)
        assert {call.result().status for call in calls} == {pb.BUILD_STATUS_SUCCESS}
        # There is room again once the answers are there, or a moment later.
        until(lambda: code_of(admin.builds.WaitBuild, asking(admin, 1, 1)) == OK)


def test_callers_without_a_token_count_as_one(tmp_path: Path) -> None:
    with limited(tmp_path, "--max-waits", "2") as admin:
        public = access_pb2.CreateRepositoryRequest(
            owner="octocat", repo="open", visibility=access_pb2.VISIBILITY_PUBLIC
        )
        admin.server.access().CreateRepository(public)
        Repository(admin.server, "octocat", "open").record()
        strangers = [Repository(admin.server, "octocat", "open", "") for _ in range(2)]
        call = wait_for_build(strangers[0])
        assert not_waiting(strangers[1]) == token_busy("waits", 1)
        assert not wait_for_build(admin).done()
        assert not call.done()


def test_runners_that_wait_do_not_count_as_writes(tmp_path: Path) -> None:
    with limited(tmp_path, "--max-writes", "8", "--max-waits", "24") as admin:
        runner = runner_of(admin, "runner")
        polls = [runner.waiting(SECONDS, type="another") for _ in range(12)]
        assert refusal(runner.stages.AcquireStage, runner.wants()) == token_busy("waits", 12)
        # The same token takes a stage and reports.
        stage = admin.promote(1).stages[0].id
        assert runner.accept(stage).stage.id == stage
        assert runner.report(stage, pb.BUILD_STATUS_RUNNING).status == pb.BUILD_STATUS_RUNNING
        assert not any(poll.done() for poll in polls)


def test_a_write_over_the_limit_is_refused_while_those_before_it_wait(tmp_path: Path) -> None:
    with limited(tmp_path, "--max-writes", "4") as admin:
        mona, hubot = admin.of("mona", WRITE), admin.of("hubot", WRITE)
        with held(admin.server.database):
            calls = [promoting(admin), promoting(admin)]
            assert refusal(admin.promote, 1) == token_busy("writes", 2)
            assert details(admin.promote, 1)["RetryInfo"] == {"retry_delay": "1s"}
            calls += [promoting(mona), promoting(mona)]
            assert refusal(hubot.promote, 1) == server_busy("writes", 4)
            assert not any(call.done() for call in calls)
        assert sorted(call.result().number for call in calls) == [2, 3, 4, 5]
        until(lambda: code_of(admin.promote, 1) == OK)
        assert admin.numbers() == [6, 5, 4, 3, 2, 1]


def promoting(repository: Repository) -> Any:  # noqa: ANN401  # as above
    """PromoteBuild of build 1, once it is under way."""
    future = repository.builds.PromoteBuild.future(repository.promotion(1), timeout=SECONDS)
    # Behind it on the same connection.
    assert repository.get(1).number == 1
    return future


def test_the_client_comes_again_once_there_is_room(tmp_path: Path) -> None:
    with limited(tmp_path, "--max-writes", "4") as admin:
        server = admin.server
        with Client(server.address, server.admin_token) as client, ThreadPoolExecutor(1) as thread:

            def promote(seconds: float) -> pb.Build:
                return client.promote_build(
                    owner=admin.owner, repo=admin.name, build=1, target="qa", timeout=seconds
                )

            with held(server.database):
                calls = [promoting(admin), promoting(admin)]
                with pytest.raises(Unavailable) as failed:
                    promote(0.9)
                told = failed.value
                assert (told.code, told.reason, told.retry_after) == (EXHAUSTED, "TOKEN_BUSY", 1.0)
                assert told.metadata == {"calls": "writes", "limit": "2"}
                promoted = thread.submit(promote, SECONDS)
                wait([promoted], timeout=1)
                assert not promoted.done()
            assert promoted.result().number == 4
            assert sorted(call.result().number for call in calls) == [2, 3]


def filled(repository: Repository, places: int, begin: Callable[[Repository], Any]) -> list[Any]:
    """So many calls that are under way at once, each begun again until there is room for it."""
    calls: list[Any] = []

    def are_under_way() -> bool:
        calls[:] = [call for call in calls if not call.done()]
        calls.extend(begin(repository) for _ in range(places - len(calls)))
        # Behind them on the same connection.
        assert repository.get(1).number == 1
        return not any(call.done() for call in calls)

    until(are_under_way)
    return calls


def test_200_cancelled_calls_give_their_places_back(tmp_path: Path) -> None:
    def begin(repository: Repository) -> Any:  # noqa: ANN401  # as above
        return repository.builds.WaitBuild.future(asking(repository, 1, version), timeout=SECONDS)

    with limited(tmp_path, "--max-waits", "200", "--token-share", "1") as admin:
        version = admin.get(1).version
        for _ in range(2):
            calls = filled(admin, 200, begin)
            assert not_waiting(admin) == token_busy("waits", 200)
            assert [call.done() for call in calls] == [False] * 200
            assert [call.cancel() for call in calls] == [True] * 200


def test_200_cancelled_writes_give_their_places_back_and_pile_up_nowhere(tmp_path: Path) -> None:
    def begin(repository: Repository) -> Any:  # noqa: ANN401  # as above
        return repository.builds.PromoteBuild.future(repository.promotion(1), timeout=SECONDS)

    with limited(tmp_path, "--max-writes", "100", "--token-share", "1") as admin:
        with held(admin.server.database):
            for _ in range(2):
                calls = filled(admin, 100, begin)
                assert refusal(admin.promote, 1) == token_busy("writes", 100)
                assert [call.cancel() for call in calls] == [True] * 100
            assert filled(admin, 1, begin)[0].cancel()
        # On PostgreSQL those that have a connection have begun, and go on.
        begun = 8 if postgres.is_in_use() else 0
        assert admin.promote(1).number <= 2 + begun


def test_streams_that_are_left_give_their_places_back(tmp_path: Path) -> None:
    with limited(tmp_path, "--max-waits", "4") as admin:
        runner = runner_of(admin, "runner")
        stage = runner.accept(admin.promote(1).stages[0].id).stage

        def watching() -> Any:  # noqa: ANN401  # a stream
            return runner.stages.WatchStage(WatchStageRequest(stage_id=stage.id), timeout=SECONDS)

        def begun() -> Any:  # noqa: ANN401  # a stream
            watch = watching()
            return watch if code_of(next, watch) == OK else None

        for _ in range(10):
            # Those of the turn before may still be giving their places back.
            watches = [until(begun), until(begun)]
            assert refusal(next, watching()) == token_busy("waits", 2)
            for watch in watches:
                watch.cancel()
            until(lambda: code_of(next, watching()) == OK)
            until(lambda: code_of(next, watching()) == OK)


@pytest.mark.parametrize("where", ["in the server", "before the server"])
def test_the_gateways_say_when_to_come_again(tmp_path: Path, where: str) -> None:
    with limited(tmp_path, "--max-writes", "4") as admin, ExitStack() as stack:
        server = admin.server
        http = server.http
        if where == "before the server":
            http = stack.enter_context(Gateway(server.address)).http
        caller = Caller(http, server.admin_token)
        mona = caller.having(admin.of("mona", WRITE).token or "")
        place = {"owner": admin.owner, "repo": admin.name, "build": 1}
        with ThreadPoolExecutor(1) as thread, held(server.database):
            calls = [promoting(admin), promoting(admin)]
            path = f"/api/repos/{admin.slug}/builds/1/promote"
            assert told(caller.post(path, {"target": "qa"})) == (429, "1", token_busy("writes", 2).message)
            answer = caller.rpc("BuildService/PromoteBuild", **place, target="qa")
            assert told(answer) == (429, "1", token_busy("writes", 2).message)
            assert answer.json["code"] == "resource_exhausted"
            # Reads go on, and so do the others.
            assert caller.get(f"/api/repos/{admin.slug}/builds/1").status == 200
            promoted = thread.submit(mona.post, path, {"target": "qa"})
            wait([promoted], timeout=0.5)
            assert not promoted.done()
        # On PostgreSQL those that wait for a lock get it in any order.
        numbers = [call.result().number for call in calls]
        assert sorted([*numbers, promoted.result().json["number"]]) == [2, 3, 4]
        until(lambda: caller.post(path, {"target": "qa"}).status == 200)


def told(answer: Answer) -> tuple[int, str, str]:
    """The status, when to come again, and why."""
    return answer.status, answer.headers["retry-after"], answer.json["message"]


def test_drones_runners_are_told_what_they_come_again_on(tmp_path: Path) -> None:
    with limited(tmp_path, "--max-writes", "4") as admin:
        runner = runner_of(admin, "runner")
        stage = runner.accept(admin.promote(1).stages[0].id).stage
        report = json.dumps({"id": stage.id, "status": "running", "version": stage.version})

        def reported() -> Answer:
            return Caller(admin.server.http).call(
                "PUT", f"/rpc/v2/stage/{stage.id}", (), report, x_drone_token=runner.token
            )

        with held(admin.server.database):
            running = UpdateStageRequest(stage_id=stage.id, status=pb.BUILD_STATUS_RUNNING)
            calls = [runner.stages.UpdateStage.future(running, timeout=SECONDS) for _ in range(2)]
            until(lambda: code_of(runner.lease, 2**62) == EXHAUSTED)
            answer = reported()
            # Of a 429 they would take it that the server wants no such report.
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
            assert answer.body.decode() == token_busy("writes", 2).message
        assert {call.result().status for call in calls} == {pb.BUILD_STATUS_RUNNING}
        until(lambda: reported().status == 200)


def test_a_refused_call_has_its_line_in_the_log(tmp_path: Path) -> None:
    with limited(tmp_path, "--max-waits", "2") as admin:
        call = wait_for_build(admin)
        named = (("x-request-id", "one too many"),)
        assert refusal(admin.builds.WaitBuild, asking(admin, 1, 1), metadata=named) == token_busy(
            "waits", 1
        )
        log = admin.server.log
        (line,) = until(lambda: [line for line in log if line.get("x_request_id") == "one too many"])
        assert (line["event"], line["method"], line["code"]) == ("call", "WaitBuild", "RESOURCE_EXHAUSTED")
        call.cancel()


@pytest.mark.parametrize(
    ("option", "value", "why"),
    [
        ("--max-reads", "0", "--max-reads 0 would refuse every call: wanted 1 or more"),
        ("--max-writes", "-1", "--max-writes -1 would refuse every call: wanted 1 or more"),
        ("--max-waits", "0", "--max-waits 0 would refuse every call: wanted 1 or more"),
        ("--token-share", "0", "--token-share 0 is no share: wanted more than 0, and 1 at the most"),
        ("--token-share", "1.5", "--token-share 1.5 is no share: wanted more than 0, and 1 at the most"),
    ],
)
def test_limits_that_make_no_sense_are_refused(tmp_path: Path, option: str, value: str, why: str) -> None:
    with pytest.raises(RuntimeError, match=re.escape(why)):
        Shipliftd(tmp_path / "shiplift.db", (option, value)).start()
