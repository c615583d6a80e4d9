"""What is imported is declared: a package that another one brings today may be gone tomorrow."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions

import pytest

from tests.support.toolchains import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OURS = {"shiplift", "shipliftd", "tests", "bench"}
# Packages that share the namespace `google`.
GOOGLE = {"google.protobuf": "protobuf", "google.rpc": "googleapis-common-protos"}
# And those that share `opentelemetry`, which is the API's where it is none of these.
OPENTELEMETRY = {
    "opentelemetry.exporter": "opentelemetry-exporter-otlp-proto-http",
    "opentelemetry.proto": "opentelemetry-proto",
    "opentelemetry.sdk": "opentelemetry-sdk",
}
# Distributions that are parts of the declared one.
WHOLE = {"protobuf-py-pure": "protobuf-py", "protobuf-py-ext": "protobuf-py"}


def distribution(requirement: str) -> str:
    """The name of what a requirement asks for, as names are compared."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found is not None, requirement
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def declared(*extras: str) -> set[str]:
    """What pyproject.toml asks for, with these extras."""
    asked = [*PROJECT["dependencies"]]
    for extra in extras:
        asked += PROJECT["optional-dependencies"][extra]
    return {distribution(each) for each in asked}


def imported(folder: str) -> Iterator[tuple[str, str]]:
    """The modules of others that a folder imports, and where."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        if "interop" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(), str(path))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            for name in names:
                if name.partition(".")[0] not in OURS | sys.stdlib_module_names:
                    yield name, str(path.relative_to(ROOT))


def brought_by(module: str, installed: dict[str, list[str]]) -> str:
    """The distribution that has a module; the module itself where none has."""
    top, _, rest = module.partition(".")
    if top == "google":
        return GOOGLE.get(f"google.{rest.partition('.')[0]}", module)
    if top == "opentelemetry":
        return OPENTELEMETRY.get(f"opentelemetry.{rest.partition('.')[0]}", "opentelemetry-api")
    found = distribution(installed.get(top, [module])[0])
    return WHOLE.get(found, found)


def undeclared(folder: str, known: set[str]) -> dict[str, str]:
    """What a folder imports and is not known: the distribution, and a file that wants it."""
    installed = {name: sorted({*given}) for name, given in packages_distributions().items()}
    brought = ((brought_by(module, installed), path) for module, path in imported(folder))
    return {package: path for package, path in brought if package not in known}


@pytest.mark.parametrize(
    ("folder", "extras"),
    [
        ("client", ()),
        ("server", ("server", "postgresql", "otel")),
        ("tests", ("server", "postgresql", "otel", "dev")),
        ("bench", ("server", "dev")),
    ],
)
def test_what_is_imported_is_declared(folder: str, extras: tuple[str, ...]) -> None:
    assert undeclared(folder, declared(*extras)) == {}


@pytest.mark.parametrize("folder", ["client", "server", "tests", "bench"])
def test_what_is_not_declared_is_seen(folder: str) -> None:
    assert "grpcio" in undeclared(folder, set())


def test_what_comes_with_the_package_has_a_range() -> None:
    extras = PROJECT["optional-dependencies"]
    asked = [*PROJECT["dependencies"], *extras["server"], *extras["postgresql"], *extras["otel"]]
    assert [each for each in asked if not re.search(r">=\d", each)] == []
