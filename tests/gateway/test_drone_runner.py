"""Drone's runner calls over real HTTP, as an unchanged runner makes them."""

import base64
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import ANY

import pytest
import yaml
from shipliftd.pipelines.plans import BUILT_IN

from tests.support.harness import Gateway, Shipliftd
from tests.support.runner_wire import DONE, PIPELINE, Work, begun, line


@pytest.mark.parametrize("alone", [False, True], ids=["in the server", "a gateway alone"])
def test_a_runner_does_a_stage(server: Shipliftd, gateway: Gateway, alone: bool) -> None:
    work = Work.at(server, gateway.http if alone else server.http, f"whole{int(alone)}")
    runner, api = work.runner, work.api
    build = work.promoted(params={"REPLICAS": "3"})

    assert runner.call("POST", "/ping")[::2] == DONE
    offer = runner.request().json
    assert (offer["id"], offer["build_id"], offer["status"], offer["version"]) == (
        build.stages[0].id,
        build.id,
        "pending",
        1,
    )
    stage = runner.accept(offer).json
    assert stage == {**offer, "machine": "box", "updated": stage["updated"], "version": 2}

    shown = api.call("GET", f"/builds/{build.number}").json
    detail = runner.call("GET", f"/stage/{stage['id']}").json
    data = base64.b64decode(detail["config"]["Data"]).decode()
    assert yaml.safe_load(data) == yaml.safe_load(PIPELINE)
    params = detail["build"].pop("params")
    assert params.pop("SHIPLIFT_ENVIRONMENT") == "production"
    # All that our own variables are; the others Drone's runner makes of what it is told.
    ours = {name for name in BUILT_IN if name.startswith("SHIPLIFT_")}
    assert {name: value for name, value in params.items() if name not in ours} == {"REPLICAS": "3"}
    assert ours <= {*params, "SHIPLIFT_ENVIRONMENT"}
    assert detail == {
        "build": {name: value for name, value in shown.items() if name != "params"},
        "stage": stage,
        "repository": {**api.call("GET").json, "secret": ""},
        "config": {"Data": ANY, "Hash": None},
        "secrets": None,
        "system": {
            "proto": "http",
            "host": runner.address,
            "link": f"http://{runner.address}",
            "version": server.listening["version"],
        },
        "netrc": None,
    }
    assert (shown["deploy_to"], shown["params"], shown["stages"]) == (
        "production",
        {"REPLICAS": "3"},
        [stage],
    )
    assert api.call("GET").json["timeout"] == 60

    said = begun(stage)
    running = runner.update(said).json
    steps = running["steps"]
    assert running == {
        **stage,
        "status": "running",
        "started": 1564085880,
        "updated": running["updated"],
        "version": 3,
        "steps": [
            {**step, "id": s["id"], "version": 1} for step, s in zip(said["steps"], steps, strict=True)
        ],
    }
    assert len({step["id"] for step in steps} - {0}) == 2
    assert api.call("GET", f"/builds/{build.number}").json["status"] == "running"

    ended = []
    for reported in steps:
        step = runner.update_step({**reported, "status": "running", "started": 1564085881}).json
        assert (step["status"], step["version"]) == ("running", 2)
        assert runner.batch(step, line(0), line(1, time=1))[::2] == DONE
        assert runner.batch(step, line(2, time=1))[::2] == DONE
        log = [line(0), line(1, time=1), line(2, time=1), line(3, time=2)]
        assert runner.upload(step, *log)[::2] == DONE
        assert api.call("GET", f"/builds/{build.number}/logs/1/{step['number']}").json == log
        final = {**step, "status": "success", "stopped": 1564085883}
        assert runner.update_step(final).json == {**final, "version": 3}
        ended.append({**final, "version": 3})

    final = {**running, "status": "success", "stopped": 1564085890, "steps": ended}
    done = runner.update(final).json
    assert done == {**final, "updated": done["updated"], "version": 4}
    shown = api.call("GET", f"/builds/{build.number}").json
    assert (shown["status"], shown["stages"]) == ("success", [done])
    assert runner.watch(build.id)[::2] == DONE


def test_two_runners_race_for_a_stage(work: Work) -> None:
    work.promoted()
    offer = work.runner.request().json
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: work.runner.accept(offer), range(2)))
    taken, refused = sorted(answers, key=lambda answer: answer.status)
    assert (taken.json["id"], refused.told) == (offer["id"], (409, "Optimistic Lock Error"))


def test_a_report_of_another_version_is_a_conflict(work: Work) -> None:
    stage = work.running()
    [step, _] = stage["steps"]
    conflict = (409, "Optimistic Lock Error")
    for version in (0, stage["version"] - 1, stage["version"] + 1):
        assert work.runner.update({**stage, "status": "success", "version": version}).told == conflict
    for version in (0, step["version"] + 1):
        assert work.runner.update_step({**step, "status": "success", "version": version}).told == conflict
    without = {name: value for name, value in stage.items() if name != "version"}
    assert work.runner.update(without).told == conflict
    assert work.api.call("GET", f"/builds/{2}").json["stages"] == [stage]


def test_a_stage_shows_where_its_runner_says_that_it_runs(work: Work) -> None:
    place = {"machine": "pi", "os": "linux", "arch": "arm64", "variant": "v8", "kernel": "6.1"}
    told = work.runner.update({**begun(work.accepted()), **place}).json
    shown = work.api.call("GET", "/builds/2").json["stages"]
    assert (shown, {name: told[name] for name in place}) == ([told], place)


def test_a_log_that_is_sent_again_changes_nothing(work: Work) -> None:
    [step, _] = work.running()["steps"]

    def log() -> object:
        return work.api.call("GET", "/builds/2/logs/1/1").json

    assert log() == []
    for _ in range(2):
        assert work.runner.batch(step, line(0), line(1))[::2] == DONE
        assert log() == [line(0), line(1)]
    assert work.runner.batch(step, line(1), line(2))[::2] == DONE
    whole = [line(0), line(1), line(2)]
    assert log() == whole
    for _ in range(2):
        assert work.runner.upload(step, *whole)[::2] == DONE
        assert log() == whole
    assert work.runner.call("POST", f"/step/{step['id']}/logs/upload", None).told[0] == 400
    assert work.runner.upload(step)[::2] == DONE
    assert log() == whole


def test_an_upload_that_lacks_its_first_lines_says_so_and_fills_gaps(work: Work) -> None:
    [step, _] = work.running()["steps"]
    assert work.runner.batch(step, line(0))[::2] == DONE
    assert work.runner.batch(step, line(7)).status == 400
    assert work.runner.upload(step, line(5), line(6), line(7))[::2] == DONE
    assert work.api.call("GET", "/builds/2/logs/1/1").json == [
        {**line(5), "pos": 0, "out": "5 lines left out: what follows is the end of the log.\n"},
        line(1, "line 5\n"),
        line(2, "line 6\n"),
        line(3, "line 7\n"),
    ]


def test_a_log_of_120_000_lines_ends_with_its_last_and_says_how_many_are_missing(work: Work) -> None:
    [step, _] = work.running()["steps"]
    lines = [line(pos, f"{pos:06} {'é' * 45}\n") for pos in range(120_000)]
    # Drone's runner keeps 5 MiB of it.
    kept = lines[-(5 * 1024 * 1024 // 98) :]
    assert work.runner.upload(step, *kept)[::2] == DONE
    told, *found = work.api.call("GET", "/builds/2/logs/1/1").json
    missing = 120_000 - len(found)
    assert told["out"] == f"{missing} lines left out: what follows is the end of the log.\n"
    assert [sent["out"] for sent in found] == [sent["out"] for sent in lines[missing:]]
    assert len(kept) - len(found) < 5


def test_a_log_of_5_mb_is_taken_whole(work: Work) -> None:
    [step, _] = work.running()["steps"]
    lines = [line(pos, f"{pos:06} {'é' * 45}\n") for pos in range(51_000)]
    assert sum(len(str(sent["out"]).encode()) for sent in lines) > 4_990_000
    assert work.runner.upload(step, *lines)[::2] == DONE
    assert work.api.call("GET", "/builds/2/logs/1/1").json == lines


def test_a_late_report_changes_nothing(work: Work) -> None:
    stage = work.running()
    [step, _] = stage["steps"]
    assert work.api.call("DELETE", "/builds/2").status == 200
    before = work.api.call("GET", "/builds/2").json
    [ended] = before["stages"]
    assert (before["status"], ended["status"]) == ("killed", "killed")
    assert work.runner.update({**stage, "status": "success"}).json == ended
    assert work.runner.update_step({**step, "status": "success"}).json == ended["steps"][0]
    assert work.api.call("GET", "/builds/2").json == before


def test_a_card_leaves_its_form(work: Work) -> None:
    [step, _] = work.running()["steps"]
    card = {"schema": "https://example.com/card.json", "data": {"a": 1}}
    assert work.runner.call("POST", f"/step/{step['id']}/card", card)[::2] == DONE
    [stage] = work.api.call("GET", "/builds/2").json["stages"]
    assert stage["steps"][0] == {**step, "schema": card["schema"], "version": 2}


def test_what_is_not_a_runners_to_say_stays(work: Work) -> None:
    stage = work.accepted()
    said = {
        "name": "other",
        "number": 9,
        "limit": 7,
        "build_id": 1,
        "on_success": False,
        "labels": {"a": "b"},
    }
    running = work.runner.update({**begun(stage), **said}).json
    assert {**running, "steps": []} == {
        **stage,
        "status": "running",
        "started": 1564085880,
        "updated": running["updated"],
        "version": 3,
        "steps": [],
    }


def test_texts_that_are_too_long_are_cut_so_that_the_stage_ends(work: Work) -> None:
    stage = work.running()
    ended = work.runner.update({**stage, "status": "error", "error": "é" * 5000}).json
    assert (ended["status"], ended["error"]) == ("error", "é" * 2000)
