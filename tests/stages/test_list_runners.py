"""ListRunners: who asked for stages within the last hour."""

from typing import Any

from shiplift.v1 import access_pb2
from shiplift.v1 import stages_pb2 as pb
from shiplift.v1.stages_pb2_grpc import StageServiceStub

from tests.support.harness import Shipliftd
from tests.support.patience import until
from tests.support.repository import Repository
from tests.support.staged import AT_ONCE, Staged, runner_of, stored


def listed(server: Shipliftd, **fields: object) -> pb.ListRunnersResponse:
    request = pb.ListRunnersRequest(**fields)  # type: ignore[arg-type]
    return StageServiceStub(server.channel()).ListRunners(request)


def test_runners_are_listed_by_token_and_what_they_ask_for(own_server: Shipliftd) -> None:
    assert listed(own_server) == pb.ListRunnersResponse()
    staged = Staged.of(Repository.make(own_server, "octocat", "app"))
    other = runner_of(staged.repository, "other", environments=["qa"])
    asked: dict[str, Any] = {
        "os": "linux",
        "arch": "arm64",
        "variant": "v8",
        "kernel": "6",
        "labels": {"a": "1"},
    }
    at: dict[str, Any] = {"owner": "octocat", "repo": "app", "environments": ["production", "qa"]}
    other.offered(AT_ONCE, **asked, **at)
    # In another order they are the same.
    other.offered(AT_ONCE, **asked, **{**at, "environments": ["qa", "production"]})
    staged.runner.offered(AT_ONCE, machine="one")
    # Another machine that asks for the same is no other entry.
    staged.runner.offered(AT_ONCE, machine="two")
    staged.runner.offered(AT_ONCE, kind="external")
    runners = list(listed(own_server).runners)
    access = own_server.access()
    tokens = [
        access.ListTokens(access_pb2.ListTokensRequest(login=login)).tokens[0].id
        for login in (runners[0].login, "other")
    ]
    now = stored(own_server, "SELECT max(seen) FROM runners")[0][0]
    for runner in runners:
        assert now - 60_000 < runner.last_seen.ToMilliseconds() <= now
        runner.ClearField("last_seen")
    mine: dict[str, Any] = {
        "token_id": tokens[0],
        "login": runners[0].login,
        "token_repositories": ["octocat/app"],
    }
    assert runners == [
        pb.Runner(**mine, kind="external"),
        pb.Runner(**mine, kind="pipeline"),
        pb.Runner(
            token_id=tokens[1],
            login="other",
            kind="pipeline",
            **asked,
            **at,
            token_repositories=["octocat/app"],
            token_environments=["qa"],
        ),
    ]
    pages = [listed(own_server, page_size=2)]
    pages.append(listed(own_server, page_size=2, page_token=pages[0].next_page_token))
    found = [runner.kind for page in pages for runner in page.runners]
    assert (found, pages[1].next_page_token) == ([runner.kind for runner in runners], "")


def test_what_a_runner_asks_for_is_known_after_a_restart(own_server: Shipliftd) -> None:
    staged = Staged.of(Repository.make(own_server, "octocat", "app"))
    staged.runner.offered(AT_ONCE, environments=["qa", "production"])
    staged.runner.offered(AT_ONCE, environments=["qa"])
    staged.runner.offered(AT_ONCE)
    until(lambda: stored(own_server, "SELECT count(*) FROM runners") == [(3,)])
    before = listed(own_server)
    assert [list(each.environments) for each in before.runners] == [["production", "qa"], ["qa"], []]
    own_server.stop()
    with Shipliftd(own_server.database) as again:
        assert listed(again) == before


def test_who_has_not_asked_for_an_hour_is_not_listed(own_server: Shipliftd) -> None:
    staged = Staged.of(Repository.make(own_server, "octocat", "app"))
    staged.runner.offered(AT_ONCE)
    own_server.stop()
    stored(own_server, "UPDATE runners SET seen = seen - 3600000")
    with Shipliftd(own_server.database) as again:
        assert listed(again) == pb.ListRunnersResponse()
