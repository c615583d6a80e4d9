"""What a stranger finds in the wheel."""

import shutil
import sys
import zipfile
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from tests.toolchains import ROOT, run

PROTOS = sorted((ROOT / "protos" / "shiplift" / "v1").iterdir())


def test_the_protos_and_their_descriptors_are_in_the_wheel(tmp_path: Path) -> None:
    # In a copy: setuptools leaves files behind.
    source = tmp_path / "source"
    for folder in ("client", "server", "protos"):
        shutil.copytree(ROOT / folder, source / folder, symlinks=True)
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source)
    pip = (sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation")
    run([*pip, "-w", str(tmp_path), "."], source)
    (wheel,) = tmp_path.glob("shiplift-*.whl")
    with zipfile.ZipFile(wheel) as packed:
        for proto in PROTOS:
            assert packed.read(f"shiplift/v1/{proto.name}") == proto.read_bytes()
        described = FileDescriptorSet.FromString(packed.read("shiplift/v1/descriptor.binpb"))
    # With what they import: nothing else is needed to use it.
    names = {file.name for file in described.file}
    assert {f"shiplift/v1/{proto.name}" for proto in PROTOS} <= names
    assert {name for file in described.file for name in file.dependency} <= names
