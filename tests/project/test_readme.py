"""The snippets of the README and of docs/ run, and show what they print."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from shipliftd.builds.parameters import REFUSED
from shipliftd.pipelines.plans import BUILT_IN

from tests.support import demo
from tests.support.gateway import drone_variables
from tests.support.harness import Shipliftd
from tests.support.pages import block, page
from tests.support.patience import within
from tests.support.repository import COMMIT
from tests.support.toolchains import ROOT, SECONDS, make, need

BIN = Path(sys.executable).parent


def settled(text: str) -> str:
    """Without what differs from run to run, or between machines: ports, folders, times, platforms."""
    text = re.sub(r"127\.0\.0\.1:\d+", "ADDRESS", text)
    text = re.sub(r"/\S+/shiplift\.db", "STORE", text)
    text = re.sub(r"\b(linux|darwin)/\w+", "PLATFORM", text)
    text = re.sub(r"as the user \S+\.", "as the user USER.", text)
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d (UTC|[+-]\d{4}))?", "TIME", text)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables that `make run` has one export, with its server behind them."""
    with Shipliftd(tmp_path_factory.mktemp("readme") / "shiplift.db", ("--http", "127.0.0.1:0")) as server:
        tokens = demo.fill(server)
        yield {
            **os.environ,
            **drone_variables(server.http, tokens.writer),
            "PATH": f"{BIN}:{ROOT / '.venv' / 'go'}:{os.environ['PATH']}",
            "SHIPLIFT_SERVER": server.address,
            "SHIPLIFT_REPO": "octocat/hello-world",
            "SHIPLIFT_TOKEN": tokens.writer,
            "RUNNER_TOKEN": tokens.runner,
        }


def moved(snippet: str, environment: dict[str, str]) -> str:
    """A snippet with the address of the test's gateway in place of `make run`'s."""
    assert snippet.count("http://127.0.0.1:8080") == 1
    return snippet.replace("http://127.0.0.1:8080", environment["DRONE_SERVER"])


def output(command: list[str], environment: dict[str, str], directory: Path = ROOT) -> str:
    """What a program prints; it must exit 0."""
    done = subprocess.run(
        command,
        env=environment,
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_demo_prints_what_the_readme_shows() -> None:
    with within(60):
        shown = settled(output([sys.executable, "-m", "tests.support.story"], dict(os.environ)))
    # Parts of it, in their order.
    for part in settled(block("README.md", "text", "$ shiplift explain")).split("\n[...]\n"):
        assert part.strip("\n") in shown, part
        shown = shown[shown.index(part.strip("\n")) :]


@pytest.mark.parametrize(("name", "to"), [("README.md", "staging"), ("docs/calling.md", "production")])
def test_the_python_examples_promote(environment: dict[str, str], name: str, to: str) -> None:
    printed = output([sys.executable, "-c", block(name, "python")], environment)
    assert re.fullmatch(rf"build \d+ goes to {to}: default is pending\n", printed)


def test_the_command_promotes(environment: dict[str, str]) -> None:
    printed = output(["sh", "-ec", block("README.md", "sh", "shiplift promote 41")], environment)
    assert re.search(r"^environment +staging$", printed, re.MULTILINE)
    assert re.search(r"^params +REGION=eu-west-1$", printed, re.MULTILINE)


def test_the_readme_is_short() -> None:
    assert len(page("README.md").splitlines()) < 200


def test_the_links_between_pages_lead_somewhere() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    lost = [
        f"{each.relative_to(ROOT)}: {to}"
        for each in pages
        # What stands in a fenced block is code.
        for to in re.findall(
            r"\]\(((?!https?:|#)[^)#]+)", re.sub(r"(?ms)^```.*?^```$", "", each.read_text())
        )
        if not (each.parent / to).exists()
    ]
    assert lost == []


def test_the_curl_example_promotes(environment: dict[str, str]) -> None:
    need("curl")
    snippet = moved(block("README.md", "sh", "curl -X POST"), environment)
    build = json.loads(subprocess.check_output(["sh", "-euc", snippet], env=environment, timeout=SECONDS))
    found = [build[name] for name in ("event", "parent", "deploy_to", "params", "status")]
    assert found == ["promote", 41, "production", {"REGION": "eu-west-1"}, "pending"]


def test_the_fetch_example_promotes(environment: dict[str, str]) -> None:
    need("node")
    snippet = block("docs/calling.md", "js")
    command = ["node", "--input-type=module", "--eval", moved(snippet, environment)]
    assert re.fullmatch(r"build \d+ goes to staging: BUILD_STATUS_PENDING\n", output(command, environment))


def test_the_fetch_example_says_why_not(environment: dict[str, str]) -> None:
    need("node")
    snippet = block("docs/calling.md", "js")
    done = subprocess.run(
        ["node", "--input-type=module", "--eval", moved(snippet, environment)],
        env={**environment, "SHIPLIFT_TOKEN": "shl_wrong"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert (done.stdout, done.returncode) == ("", 1)
    assert "Error: unauthenticated: the token is not known here: " in done.stderr


def test_the_drone_commands_environment_is_the_one_that_test_drone_go_sets(
    environment: dict[str, str],
) -> None:
    exports, command = moved(block("docs/calling.md", "sh", "drone build"), environment).splitlines()
    assert command.startswith("drone build promote ")
    names = re.findall(r"(\w+)=", exports)
    assert names == [*drone_variables("", "")]
    without = {name: value for name, value in environment.items() if name not in names}
    printed = output(["sh", "-euc", f"{exports}\nprintenv {' '.join(names)}"], without)
    assert printed.splitlines() == [environment[name] for name in names]


@pytest.mark.timeout(SECONDS)
def test_the_grpcurl_example_promotes(environment: dict[str, str]) -> None:
    need("go")
    make(".venv/go/grpcurl")
    printed = output(["sh", "-c", block("README.md", "sh", "grpcurl")], environment)
    assert '"deploy_to": "staging"' in printed
    assert '"status": "BUILD_STATUS_PENDING"' in printed


@pytest.mark.timeout(SECONDS)
def test_the_buf_example_promotes(environment: dict[str, str]) -> None:
    need("npm")
    make(".venv/node/.installed")
    variables = {**environment, "PATH": f"{ROOT}/.venv/node/node_modules/.bin:{environment['PATH']}"}
    build = json.loads(
        output(["sh", "-euc", moved(block("docs/calling.md", "sh", "buf curl"), environment)], variables)
    )
    found = [build[name] for name in ("event", "parent", "deployTo", "params", "status")]
    assert found == ["BUILD_EVENT_PROMOTE", 41, "staging", {"REGION": "eu-west-1"}, "BUILD_STATUS_PENDING"]


def test_the_commands_of_a_ci_job_record_and_promote(environment: dict[str, str], tmp_path: Path) -> None:
    for command in (
        "git init -q",
        "git -c user.name=Ann -c user.email=ann@example.org commit -q --allow-empty -m first",
    ):
        output(["sh", "-c", command], environment, tmp_path)
    printed = output(["sh", "-ec", block("docs/command.md", "sh")], environment, tmp_path)
    assert re.search(r"^environment +staging$", printed, re.MULTILINE)
    assert re.search(r"^release +v1\.4\.2$", printed, re.MULTILINE)


def test_the_helm_example_takes_what_was_promoted(environment: dict[str, str], tmp_path: Path) -> None:
    helm = tmp_path / "helm"
    helm.write_text('#!/bin/sh\necho "helm $*"\n')
    helm.chmod(0o700)
    variables = {**environment, "PATH": f"{tmp_path}:{environment['PATH']}"}
    output(["shiplift", "record", "--pipeline", "", "--commit", COMMIT], variables, tmp_path)
    build = json.loads(output(["shiplift", "builds", "-n", "1", "--json"], variables))[0]["number"]
    output(["shiplift", "promote", str(build), "production", "-p", "CHART=1.4.2"], variables)
    variables["SHIPLIFT_TOKEN"] = environment["RUNNER_TOKEN"]
    taking = subprocess.Popen(
        ["sh", "-c", f"exec {block('docs/deployers/README.md', 'sh', 'helm')}"], env=variables, cwd=tmp_path
    )
    waiting = ["shiplift", "wait", str(build + 1), "--timeout", str(SECONDS)]
    try:
        printed = output(waiting, {**variables, "SHIPLIFT_TOKEN": environment["SHIPLIFT_TOKEN"]})
    finally:
        taking.terminate()
        assert taking.wait(timeout=SECONDS) == 0
    assert "helm upgrade --install --wait app oci://registry/app --version 1.4.2\n" in printed


def test_the_pipeline_example_runs(environment: dict[str, str], tmp_path: Path) -> None:
    text = block("docs/pipelines.md", "yaml")
    (tmp_path / ".drone.yml").write_text(text.replace("./deploy.sh", "echo to"))
    output(["shiplift", "record", "--commit", COMMIT], environment, tmp_path)
    build = json.loads(output(["shiplift", "builds", "-n", "1", "--json"], environment))[0]["number"]
    output(["shiplift", "promote", str(build), "production", "-p", "REGION=eu"], environment)
    output(["shiplift", "runner", "--once"], {**environment, "SHIPLIFT_TOKEN": environment["RUNNER_TOKEN"]})
    printed = output(["shiplift", "log", str(build + 1)], environment)
    assert printed.endswith("\nto production eu\n")


def test_the_go_example_is_the_program_that_test_go_runs() -> None:
    assert block("docs/deployers/README.md", "go") == page("tests/interop/go/deploy/main.go")


def test_every_refused_parameter_is_named() -> None:
    # `PYTHON+` stands there in words.
    promotions = page("docs/promotions.md")
    assert [name for name in REFUSED if f"`{name}`" not in promotions and name != "PYTHON+"] == []


def test_the_variables_of_a_step_are_those_in_the_tables() -> None:
    found = set()
    for row in re.findall(r"^\| (`.*?) \|", page("docs/variables.md"), re.MULTILINE):
        for name in re.findall(r"`([\w<>]+)`", row):
            if not name.startswith("_"):
                before = name
            # `_NAME` goes on from the first one's beginning, or from all of it.
            stem = re.sub(r"(DRONE_(?:BUILD|COMMIT|REPO|STAGE|SYSTEM)).*", r"\1", before)
            found.add(stem + name if name.startswith("_") else name)
    artifacts = {"SHIPLIFT_ARTIFACT_<NAME>", "SHIPLIFT_ARTIFACT_<NAME>_DIGEST"}
    # The trace is there where there is one.
    assert found == BUILT_IN | {"DRONE_STEP_NAME", "DRONE_STEP_NUMBER", "TRACEPARENT"} | artifacts


@pytest.mark.parametrize(
    ("program", "where"),
    [("shiplift", ["docs/command.md"]), ("shipliftd", ["docs/operating.md", "docs/gateway.md"])],
)
def test_every_command_is_documented(program: str, where: list[str]) -> None:
    help_text = output([sys.executable, "-m", program, "--help"], {**os.environ, "COLUMNS": "120"})
    commands = re.findall(r"^[ │]+([a-z]+)  +[A-Z]", help_text.split("Commands")[1], re.MULTILINE)
    assert len(commands) >= 8
    documented = "".join(page(name) for name in where)
    for command in commands:
        assert re.search(rf"`(?:shipliftd )?{command}[ `]", documented), f"{program} {command}"
