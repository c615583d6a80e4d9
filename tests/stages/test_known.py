"""The runners that are known: which stages they fit, what is said where none does, and how many may be."""

import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

import grpc
import pytest
from shiplift import Client, ShipliftError

from tests.support.harness import Shipliftd
from tests.support.patience import until
from tests.support.probe import harmless
from tests.support.refusals import Refusal, refusal
from tests.support.repository import Repository
from tests.support.staged import AT_ONCE, Runner, Staged, runner_of, stored

WINDOWS = {"os": "windows", "arch": "amd64"}
ARM = {"arch": "arm64"}
ANY: dict[str, str] = {}
MOST = 100
HOUR_MS = 3_600_000
# As much as they may be.
LARGEST = {name.rjust(100, "k"): "v" * 200 for name in ("n", *map(str, range(31)))}
OK, EXHAUSTED = grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED
TOO_MANY = Refusal(
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    "this token's runners have asked for 100 different things in the last hour, and more are not taken:"
    " have machines of a kind ask for the same platform, labels, repository and environment, whatever their"
    " names, or give each kind a token of its own",
    "TOO_MANY_RUNNERS",
)


@pytest.fixture
def staged(repository: Repository) -> Staged:
    """A repository of the test's own with its runner."""
    return Staged.of(repository)


@pytest.mark.parametrize(
    ("platform", "want", "fits"),
    [
        # What the official image for Windows sends, and a pipeline that names no version.
        (WINDOWS, {**WINDOWS, "kernel": "1809"}, True),
        (ARM, {"os": "linux", "arch": "arm64", "variant": "v8"}, True),
        ({**WINDOWS, "version": 1809}, {**WINDOWS, "kernel": "1809"}, True),
        ({**WINDOWS, "version": 1809}, {**WINDOWS, "kernel": "2004"}, False),
        ({**WINDOWS, "version": 1809}, WINDOWS, False),
        ({**ARM, "variant": "v7"}, {**ARM, "variant": "v7"}, True),
        ({**ARM, "variant": "v7"}, {**ARM, "variant": "v8"}, False),
        ({**ARM, "variant": "v7"}, ARM, False),
        # Whoever names a kernel and nothing else names a platform.
        ({"version": 1809}, {"kernel": "2004"}, False),
        ({**ARM, "variant": "v7"}, {"kernel": "2004"}, False),
        # Whoever names no platform takes any.
        ({**WINDOWS, "version": 1809}, ANY, True),
        ({**ARM, "variant": "v7"}, ANY, True),
        (ARM, {"os": "linux", "arch": "amd64"}, False),
        (WINDOWS, {"os": "linux"}, False),
    ],
    ids=str,
)
def test_variant_and_kernel_count_where_the_pipeline_names_them(
    staged: Staged, platform: dict[str, Any], want: dict[str, str], fits: bool
) -> None:
    staged.promoted({"name": "it", "platform": platform})
    assert staged.runner.offered(20 if fits else AT_ONCE, **want) == ("it" if fits else "")
    # What is offered and what is waited for are found by the same rule.
    assert (staged.repository.get(2).waiting_for == "") is fits


WAITS = (
    "stage 'it' waits for a runner of type exec for {}: none that may take it has asked in the last hour{}"
)


@pytest.mark.parametrize(
    ("document", "wants", "what", "near"),
    [
        ({}, [{"os": "windows"}, {"type": "docker"}], "linux/amd64", ""),
        (
            {"platform": {**ARM, "variant": "v7", "version": 5}, "node": {"zone": "a"}},
            [{"os": "windows"}],
            "linux/arm64 with the variant v7, the kernel 5 and the labels {'zone': 'a'}",
            "",
        ),
        (
            {"platform": {**ARM, "variant": "v7", "version": 5}},
            [{**ARM, "labels": {"zone": "a"}}, ARM, {**ARM, "variant": "v7"}],
            "linux/arm64 with the variant v7 and the kernel 5",
            "; one with another kernel has",
        ),
        (
            {"platform": {**ARM, "variant": "v7", "version": 5}},
            [{**ARM, "labels": {"zone": "a"}}],
            "linux/arm64 with the variant v7 and the kernel 5",
            "; one with another variant, another kernel and other labels has",
        ),
        ({}, [{"labels": {"zone": "a"}}], "linux/amd64", "; one with other labels has"),
        (
            {"node": {"zone": "a"}},
            [{}],
            "linux/amd64 with the labels {'zone': 'a'}",
            "; one with other labels has",
        ),
    ],
    ids=["others", "all", "kernel", "near in nothing", "labels of the runner", "labels of the stage"],
)
def test_what_is_waited_for_names_what_keeps_the_nearest_runner(
    staged: Staged, document: dict[str, Any], wants: list[dict[str, Any]], what: str, near: str
) -> None:
    staged.promoted({"name": "it", **document})
    for want in wants:
        assert staged.runner.offered(AT_ONCE, **want) == ""
    assert staged.repository.get(2).waiting_for == WAITS.format(what, near)


def rows(server: Shipliftd) -> int:
    ((count,),) = stored(server, "SELECT count(*) FROM runners")
    return int(count)


def ask(runner: Runner, wants: Iterable[dict[str, Any]]) -> list[grpc.StatusCode]:
    """AcquireStage for each of them, a hundred at once, and how each ended."""
    codes: list[grpc.StatusCode] = []
    requests = [runner.wants(**want) for want in wants]
    for n in range(0, len(requests), 100):
        # What comes to the server with less than a second left is told that there is nothing.
        calls = [runner.stages.AcquireStage.future(each, timeout=5) for each in requests[n : n + 100]]
        codes += [call.code() for call in calls]
    return codes


@pytest.mark.sqlite
def test_a_token_asks_for_so_many_different_things_and_no_more(own_server: Shipliftd) -> None:
    staged = Staged.of(Repository.make(own_server, "octocat", "app"))
    assert ask(staged.runner, [{"labels": LARGEST}]) == [OK]
    wants = [{"labels": {**LARGEST, "n".rjust(100, "k"): str(n)}, "machine": f"i-{n}"} for n in range(1500)]
    codes = harmless(staged.repository, lambda: ask(staged.runner, wants))
    assert Counter(codes) == {OK: MOST - 1, EXHAUSTED: 1501 - MOST}
    assert refusal(staged.runner.offered, labels={"a": "b"}) == TOO_MANY
    with Client(own_server.address, staged.runner.token) as client, pytest.raises(ShipliftError) as told:
        client.acquire_stage(machine="box", labels={"a": "b"})
    assert (told.value.reason, told.value.metadata) == ("TOO_MANY_RUNNERS", {"limit": "100"})
    # Until the first of them is forgotten.
    assert 0 < (told.value.retry_after or 0) <= HOUR_MS / 1000
    # Nothing is written for those.
    assert rows(own_server) == MOST
    ((pages, size),) = stored(own_server, "SELECT * FROM pragma_page_count, pragma_page_size")
    assert pages * size < 4 * 1024 * 1024
    # Those that are known are served on, and so are another token's.
    staged.promoted({"name": "it", "node": LARGEST}, {"name": "free"})
    assert staged.runner.offered(labels=LARGEST) == "it"
    assert runner_of(staged.repository, "another").offered() == "free"


def test_machines_come_and_go_under_names_of_their_own(own_server: Shipliftd) -> None:
    staged = Staged.of(Repository.make(own_server, "octocat", "app"))
    wants = [{"labels": {"pool": "large"}, "machine": f"i-{n}"} for n in range(200)]
    assert harmless(staged.repository, lambda: ask(staged.runner, wants)) == [OK] * 200
    assert rows(own_server) == 1
    staged.promoted({"name": "it", "node": {"pool": "large"}})
    assert staged.repository.get(2).waiting_for == ""


def test_who_has_not_asked_for_an_hour_is_forgotten(own_server: Shipliftd) -> None:
    staged = Staged.of(Repository.make(own_server, "octocat", "app"))
    assert ask(staged.runner, [{"labels": {"n": str(n)}} for n in range(MOST)]) == [OK] * MOST
    own_server.stop()
    soon = int(time.time() * 1000) - HOUR_MS + 20_000
    # As an earlier release left them, which kept one for each machine and for longer.
    stored(own_server, "UPDATE runners SET machine = 'box', seen = ?", soon)
    stored(own_server, 'UPDATE runners SET seen = seen - 86400000 WHERE wants LIKE \'%"n", "7"%\'')
    with Shipliftd(own_server.database) as again:
        runner = Runner(again, staged.runner.token)
        assert rows(again) == MOST - 1
        assert [*ask(runner, [{"labels": {"m": "first"}}]), *ask(runner, [{"labels": {"m": "more"}}])] == [
            OK,
            EXHAUSTED,
        ]
        until(lambda: ask(runner, [{"labels": {"m": "more"}}]) == [OK])
        until(lambda: rows(again) == 2)
        codes = ask(runner, [{"labels": {"o": str(n)}} for n in range(MOST)])
        assert Counter(codes) == {OK: MOST - 2, EXHAUSTED: 2}
