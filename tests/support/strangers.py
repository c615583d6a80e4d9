"""Projects elsewhere that use the stubs as a stranger would, by installing what `make stubs` has made."""

import shutil
import sys
import tomllib
from pathlib import Path

from tests.support.toolchains import ROOT, need, run, stubs

INTEROP = ROOT / "tests" / "interop"


def go(name: str, directory: Path) -> Path:
    """A program of tests/interop/go."""
    need("go")
    stubs("go", directory / "stubs")
    project = directory / name
    shutil.copytree(INTEROP / "go" / name, project)
    module = "github.com/shiplift/shiplift-go"
    run(["go", "mod", "init", name], project)
    run(["go", "mod", "edit", f"-require={module}@v0.0.0", f"-replace={module}=../stubs"], project)
    run(["go", "mod", "tidy"], project)
    run(["go", "build", "-o", "program", "."], project)
    return project / "program"


def java(directory: Path) -> list[str | Path]:
    """The command that runs the program of tests/interop/java."""
    need("mvn")
    need("javac")
    stubs("java", directory / "stubs")
    project = directory / "project"
    shutil.copytree(INTEROP / "java", project)
    # Not the user's own repository, where the next project would find what a test has left.
    maven = ["mvn", "-q", "-B", f"-Dmaven.repo.local={ROOT / '.venv' / 'java' / 'repository'}"]
    run([*maven, "install"], directory / "stubs")
    copy = "org.apache.maven.plugins:maven-dependency-plugin:3.11.0:copy-dependencies"
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    run([*maven, f"-Dshiplift.version={version}", "compile", copy], project)
    return ["java", "-cp", f"{project}/target/classes:{project}/target/dependency/*", "Conversation"]


def typescript(directory: Path) -> Path:
    """The folder of tests/interop/ts's programs, compiled."""
    need("npm")
    stubs("ts", directory / "stubs")
    project = directory / "project"
    shutil.copytree(INTEROP / "ts", project)
    (tarball,) = (directory / "stubs").glob("*.tgz")
    npm = ["--ignore-scripts", "--no-audit", "--no-fund"]
    run(["npm", "ci", *npm], project)
    run(["npm", "install", "--no-save", *npm, tarball], project)
    run([project / "node_modules" / ".bin" / "tsc"], project)
    return project / "built"


def rust(directory: Path) -> Path:
    """The program of tests/interop/rust."""
    need("cargo")
    project = directory / "project"
    shutil.copytree(INTEROP / "rust", project)
    stubs("rust", project / "stubs")
    target = ROOT / ".venv" / "rust" / "target"
    run(["cargo", "build", "-q", "--target-dir", target], project)
    return target / "debug" / "conversation"


def python(directory: Path) -> list[str | Path]:
    """The command that runs the program of tests/interop/python, in an environment without our client."""
    stubs("python", directory / "stubs")
    run([sys.executable, "-m", "venv", directory / "venv"])
    pip: list[str | Path] = [
        directory / "venv" / "bin" / "pip",
        "install",
        "-q",
        "--disable-pip-version-check",
    ]
    run([*pip, directory / "stubs", "grpcio-status", "grpcio-health-checking"])
    return [directory / "venv" / "bin" / "python", INTEROP / "python" / "conversation.py"]
