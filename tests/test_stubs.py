"""The stubs for other languages are what their compilers take."""

from pathlib import Path

import pytest

from tests.toolchains import ROOT, SECONDS, make, need, run, stubs

# Downloading compilers and libraries is part of the first run.
pytestmark = pytest.mark.timeout(SECONDS)


def test_the_java_stubs_compile() -> None:
    need("mvn")
    need("javac")
    make("stubs", "LANG=java")
    run(["mvn", "-q", "-B", "compile"], ROOT / "gen" / "java")


def test_the_typescript_stubs_type_check(tmp_path: Path) -> None:
    need("npm")
    stubs("ts", tmp_path / "ts")
    run(["npm", "install", "--no-audit", "--no-fund"], tmp_path / "ts")
    run([ROOT / ".venv" / "node" / "node_modules" / ".bin" / "tsc"], tmp_path / "ts")


@pytest.mark.parametrize("arguments", [[], ["LANG=rust"]])
def test_a_language_without_stubs_is_refused_with_those_there_are(arguments: list[str]) -> None:
    with pytest.raises(
        pytest.fail.Exception, match="Say which language: make stubs LANG=go, LANG=java or LANG=ts"
    ):
        make("stubs", *arguments)
