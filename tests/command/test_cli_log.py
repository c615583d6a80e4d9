"""`shiplift log`, `show`, `envs`, `settle`, `cancel`, `retry` and `record --pipeline`, on a real server."""

import json
import subprocess
from pathlib import Path

import pytest
from shiplift.v1 import builds_pb2 as pb

from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS, until
from tests.support.repository import Repository
from tests.support.runners import HEAD, Fleet, counting, pipeline, waiting_for

STEPS = "- {name: build it, commands: ['echo one', 'echo two']}\n- {name: ship, commands: ['echo three']}\n"
FIRST, SECOND = "+ echo one\none\n+ echo two\ntwo\n", "+ echo three\nthree\n"


@pytest.fixture
def fleet(server: Shipliftd, repository: Repository, tmp_path: Path) -> Fleet:
    """Runners for a repository of the test's own."""
    return Fleet.make(server, repository, tmp_path)


def test_a_log_shows_all_steps_or_the_one_that_is_named(fleet: Fleet) -> None:
    build = str(fleet.promote(STEPS))
    assert fleet.once().code == 0
    log = fleet.person.run
    assert log("log", build) == (
        0,
        FIRST + SECOND,
        "--- default/build it (1/1)\n--- default/ship (1/2)\n",
    )
    assert log("log", build, "1/2") == log("log", build, "default/ship") == (0, SECOND, "")
    assert log("log", build, "default").out == log("log", build, "1").out == FIRST + SECOND
    assert log("log", build, "2/1") == (
        1,
        "",
        f"shiplift: build {build} of {fleet.repository.slug} has no step '2/1'\n",
    )
    lines = [json.loads(line) for line in log("log", build, "1/2", "--json").out.splitlines()]
    assert [(line["stage"], line["step"], line["position"], line["text"]) for line in lines] == [
        (1, 2, 0, "+ echo three\n"),
        (1, 2, 1, "three\n"),
    ]
    # In whole seconds it would be 0.
    assert all(0 < line["time"] < SECONDS for line in lines)


def test_a_build_without_steps_has_no_log(fleet: Fleet) -> None:
    fleet.repository.record()
    assert fleet.person.run("log", "1") == (0, "", f"build 1 of {fleet.repository.slug} has no steps\n")


def test_a_log_is_followed_to_the_end_of_the_build(fleet: Fleet, tmp_path: Path) -> None:
    go = tmp_path / "go"
    steps = f"- {{name: first, commands: ['echo begun', '{waiting_for(go)}']}}\n" + STEPS
    build = str(fleet.promote(steps))
    follower = fleet.person.start("log", build, "-f")
    try:
        assert follower.stdout is not None
        with fleet.running("--once"):
            assert follower.stdout.readline() == "+ echo begun\n"
            assert follower.stdout.readline() == "begun\n"
            go.touch()
            out, err = follower.communicate(timeout=SECONDS)
    finally:
        follower.kill()
    assert out.endswith(FIRST + SECOND)
    assert err.count("---") == 3
    assert follower.returncode == 0


def test_a_log_is_followed_through_a_restart_of_the_server(own_server: Shipliftd, tmp_path: Path) -> None:
    repository = Repository.make(own_server, "octocat", "again")
    fleet = Fleet.make(own_server, repository, tmp_path)
    build = fleet.promote(counting(tmp_path))
    listen = own_server.address
    with fleet.running("--once"):
        until(lambda: repository.get(build).stages[0].steps)
        # A file: of a pipe, what is read with the first line would be lost to `communicate`.
        shown = tmp_path / "shown"
        with shown.open("w") as file:
            follower = fleet.person.start("log", str(build), "-f", "--json", stdout=file.fileno())
        try:
            until(lambda: shown.read_text().count("\n") > 1)
            own_server.stop()
            counted = len((tmp_path / "count").read_text())
            until(lambda: len((tmp_path / "count").read_text()) > counted + 10)
            own_server.listen = listen
            own_server.start()
            (tmp_path / "go").touch()
            follower.communicate(timeout=SECONDS)
        finally:
            follower.kill()
    first, *lines = (json.loads(line)["text"] for line in shown.read_text().splitlines())
    assert first.startswith("+ ")
    printed = len((tmp_path / "count").read_text())
    assert lines == [f"{number}\n" for number in range(printed)]


def test_show_has_the_steps_and_what_is_waited_for(fleet: Fleet) -> None:
    build = str(fleet.promote("- {name: ship it, commands: ['exit 3']}\n"))
    assert "\nwaiting for  stage 'default' waits for a runner" in fleet.person.run("show", build).out
    assert fleet.once().code == 1
    shown = fleet.person.run("show", build).out
    assert "waiting for" not in shown
    assert shown.splitlines()[-2].split() == ["STEP", "NAME", "STATUS", "EXIT", "BEGAN", "ENDED"]
    assert shown.splitlines()[-1].split()[:5] == ["1/1", "ship", "it", "failure", "3"]


def test_a_build_is_cancelled_and_tried_again(fleet: Fleet) -> None:
    build = fleet.promote(STEPS, REGION="eu", SIZE="1")
    slug = fleet.repository.slug
    assert fleet.person.run("cancel", str(build)) == (0, f"{slug}: build {build} is killed\n", "")
    said = fleet.person.run("retry", str(build), "-p", "SIZE=2", "--json")
    assert said.err == f"{slug}: build {build + 1} tries build {build} again\n"
    again = said._replace(err="").json()
    assert (again["retry_of"], again["params"]) == (build, {"REGION": "eu", "SIZE": "2"})
    assert f"\nretry of     {build}\n" in fleet.person.run("show", str(build + 1)).out
    assert fleet.once().code == 0


def test_envs_show_what_is_where_and_settle_says_it(fleet: Fleet) -> None:
    build = fleet.promote(STEPS)
    assert fleet.once().code == 0
    failed = fleet.repository.promote(build).number
    assert fleet.person.run("report", str(failed), "failure").code == 0
    heading, row = fleet.person.run("envs").out.splitlines()
    assert heading.split("  ")[0] == "REPOSITORY"
    assert row.split()[:3] == [fleet.repository.slug, "production", str(build)]
    assert f"{failed} failure" in row
    said = fleet.person.run("settle", "production", "--current", str(failed), "--comment", "by hand")
    assert said == (0, f"{fleet.repository.slug}: build {failed} is in production\n", "")
    assert fleet.person.run("envs", "production", "--json").json()[0]["current"]["number"] == failed
    assert fleet.person.run("settle", "production", "--current", "0").out.endswith(
        ": nothing is in production\n"
    )
    assert fleet.person.run("settle", "nowhere", "--current", "0").code == 1
    everywhere = fleet.person.run("envs", "--all", "--json").json()
    assert fleet.repository.name in {each["repo"] for each in everywhere}


def test_record_sends_the_pipeline_file_that_is_there(fleet: Fleet, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    person = fleet.person
    person.home = folder
    (folder / ".drone.yml").write_text(pipeline(STEPS))
    assert person.run("record").code == 0
    other = folder / "other.yml"
    other.write_text(pipeline(STEPS, HEAD.replace("default", "other")))
    assert person.run("record", "--pipeline", "other.yml").code == 0
    assert person.run("record", "--pipeline", "").code == 0
    stages = [fleet.repository.get(number).stages[0] for number in (1, 2, 3)]
    assert [(stage.name, stage.kind) for stage in stages] == [
        ("default", "pipeline"),
        ("other", "pipeline"),
        ("default", "external"),
    ]
    assert person.run("record", "--pipeline", "none.yml").code == 2
    other.write_bytes(b"\xff")
    assert person.run("record", "--pipeline", "other.yml") == (2, "", "shiplift: other.yml is not UTF-8\n")
    other.write_text("kind: [")
    said = person.run("record", "--pipeline", "other.yml")
    assert said.code == 1
    assert said.err.startswith("shiplift: refused (INVALID_ARGUMENT): pipeline:2:1: ")


def test_record_finds_the_pipeline_file_in_the_root_of_the_work_tree(fleet: Fleet, tmp_path: Path) -> None:
    inner = tmp_path / "work" / "inner"
    inner.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", tmp_path / "work"], check=True)
    (tmp_path / "work" / ".drone.yml").write_text(pipeline(STEPS))
    fleet.person.home = inner
    fleet.person.variables["GIT_CEILING_DIRECTORIES"] = str(tmp_path)
    assert fleet.person.run("record").code == 0
    assert fleet.repository.get(1).stages[0].kind == "pipeline"
    assert fleet.repository.get(1).status == pb.BUILD_STATUS_SUCCESS
