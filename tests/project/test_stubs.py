"""The stubs for other languages: where there are none, and what no toolchain of this machine can try."""

import subprocess
from pathlib import Path

import pytest

from tests.support.toolchains import ROOT, SECONDS, make, need, run, stubs

# Downloading compilers is part of the first run.
pytestmark = pytest.mark.timeout(SECONDS)


def test_protoc_takes_the_protos_of_the_csharp_project(tmp_path: Path) -> None:
    need("mvn")
    make("stubs", "LANG=java")
    stubs("csharp", tmp_path / "csharp")
    protos, descriptors = tmp_path / "csharp" / "protos", tmp_path / "shiplift.binpb"
    found = sorted(proto.relative_to(protos) for proto in protos.glob("shiplift/v1/*.proto"))
    python = ROOT / ".venv" / "protos" / "bin" / "python"
    run(
        [
            python,
            "-m",
            "grpc_tools.protoc",
            "-I.",
            "--include_imports",
            f"--descriptor_set_out={descriptors}",
            *found,
        ],
        protos,
    )
    # Maven's protoc writes C#, too, but comes without google/protobuf/*.proto.
    (protoc,) = (ROOT / ".venv" / "java").glob("protoc-[!g]*.exe")
    run([protoc, f"--descriptor_set_in={descriptors}", f"--csharp_out={tmp_path}", *found])
    written = [(tmp_path / f"{proto.stem.capitalize()}.cs").read_text() for proto in found]
    assert all("namespace Shiplift.V1 {" in text for text in written)


@pytest.mark.parametrize("arguments", [[], ["LANG=cobol"]])
def test_a_language_without_stubs_is_refused_with_those_there_are(arguments: list[str]) -> None:
    with pytest.raises(
        pytest.fail.Exception,
        match="Say which language: make stubs LANG=go, java, ts, rust, csharp or python",
    ):
        make("stubs", *arguments)


def test_the_python_stubs_go_beside_the_client(tmp_path: Path) -> None:
    stubs("python", tmp_path / "stubs")
    both = "import shiplift.v1.builds_pb2, shiplift_stubs.v1.builds_pb2 as pb; print(pb.Build(number=1))"
    python = ROOT / ".venv" / "bin" / "python"
    said = subprocess.check_output([python, "-c", both], cwd=tmp_path / "stubs", text=True, timeout=60)
    assert said == "number: 1\n\n"
