"""Who may import whom. A new room needs a row here before anything can import it."""

import ast
import re
from collections.abc import Iterator, Set
from graphlib import TopologicalSorter
from pathlib import Path

import shipliftd

from tests.support.toolchains import ROOT

SERVER = Path(shipliftd.__file__).parent
CLIENT = SERVER.parents[1] / "client" / "shiplift"

# What a room, or a module beside the rooms, may import beside itself: CONTRIBUTING.md has the same table.
NOUNS = frozenset({"builds", "environments", "stages"})
GROUND = frozenset(
    {
        "canonical",
        "clock",
        "descriptors",
        "enum_words",
        "errors",
        "fields",
        "logins",
        "logs",
        "settings",
        "signals",
        "tls",
        "trace_context",
    }
)
MAY_IMPORT: dict[str, Set[str]] = {
    **dict.fromkeys(GROUND, GROUND),
    "pipelines": GROUND,
    "store": GROUND,
    "access": GROUND | {"store"},
    "secrets": GROUND | {"store", "access"},
    "changes": GROUND | {"store"},
    # Of each other these see what stands in `__init__` alone.
    **dict.fromkeys(NOUNS, GROUND | NOUNS | {"store", "access", "pipelines", "secrets", "changes"}),
    "api": GROUND | NOUNS | {"store", "access", "pipelines", "secrets", "changes"},
    # A client of the server, wherever that is: it sees nothing of what is behind the doors.
    "gateway": GROUND,
    "metrics": GROUND | {"store"},
    "tracing": GROUND,
    "first_start": GROUND | {"store", "access"},
    "retention": GROUND | {"store", "access", "stages", "changes"},
    "server": GROUND
    | NOUNS
    | {"store", "access", "secrets", "api", "gateway", "metrics", "tracing", "first_start", "retention"},
    "administration": GROUND | {"store", "access", "secrets", "first_start"},
    "command": GROUND | {"store", "secrets", "gateway", "server", "administration"},
    "__main__": {"command"},
}


def modules_of(root: Path) -> dict[str, Path]:
    """The modules below a package's directory by their names in it; the package itself is `""`."""
    found = {}
    for path in root.rglob("*.py"):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_of(path: Path) -> Iterator[str]:
    """The full names of everything that a module imports, wherever in it the import stands."""
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: a relative import, which this test cannot read"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def server_imports() -> dict[str, set[str]]:
    """For each module of the server the other modules of the server that it imports."""
    modules = modules_of(SERVER)

    def module_of(name: str) -> str:
        # `shipliftd.errors.Refusal` is in `errors`; `shipliftd.__version__` in the package itself.
        inner = name.removeprefix("shipliftd").removeprefix(".")
        while inner not in modules:
            inner = inner.rpartition(".")[0]
        return inner

    return {
        module: {module_of(name) for name in imports_of(path) if is_in(name, "shipliftd")} - {module, ""}
        for module, path in modules.items()
    }


def is_in(name: str, package: str) -> bool:
    """Whether a full name is a package or something in it."""
    return name == package or name.startswith(f"{package}.")


def room_of(module: str) -> str:
    """The room that a module is in, or the module itself where it stands beside the rooms."""
    return module.partition(".")[0]


def test_every_module_of_the_server_has_a_room() -> None:
    assert {room_of(module) for module in modules_of(SERVER) if module} == MAY_IMPORT.keys()


def test_the_table_for_contributors_is_this_one() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| .* \| (.*?)\|$", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE
    )
    told = {room: {*re.findall(r"`(\w+)`", may)} for room, may in rows}
    rooms = MAY_IMPORT.keys() - GROUND - {"__main__"}
    assert told == {room: {*MAY_IMPORT[room]} - GROUND - {room} for room in rooms}


def test_every_room_says_what_is_in_it() -> None:
    rooms = [path for path in SERVER.glob("*/__init__.py") if path.parent.name != "gateway"]
    assert {path.parent.name for path in rooms} == {
        room for room in MAY_IMPORT if (SERVER / room).is_dir()
    } - {"gateway"}
    for path in rooms:
        said = ast.get_docstring(ast.parse(path.read_text())) or ""
        assert "tart reading in" in said, path


def test_modules_import_only_from_the_rooms_that_theirs_may() -> None:
    wrong = [
        f"{module} imports {imported}"
        for module, imports in server_imports().items()
        if module
        for imported in imports
        if room_of(imported) not in MAY_IMPORT[room_of(module)] | {room_of(module)}
    ]
    assert wrong == []


def test_a_noun_sees_of_another_what_its_init_has_alone() -> None:
    wrong = [
        f"{module} imports {imported}"
        for module, imports in server_imports().items()
        if room_of(module) in NOUNS
        for imported in imports
        if room_of(imported) in NOUNS - {room_of(module)} and imported not in NOUNS
    ]
    assert wrong == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    TopologicalSorter(server_imports()).prepare()


def test_the_server_imports_nothing_of_the_client_but_the_stubs_and_masking() -> None:
    # A runner and the server are to find the same values.
    shared = ("shiplift.v1", "shiplift.masking")
    wrong = [
        f"{module} imports {name}"
        for module, path in modules_of(SERVER).items()
        for name in imports_of(path)
        if is_in(name, "shiplift") and not any(is_in(name, each) for each in shared)
    ]
    assert wrong == []


def test_the_client_imports_nothing_of_the_server() -> None:
    wrong = [
        f"{module} imports {name}"
        for module, path in modules_of(CLIENT).items()
        for name in imports_of(path)
        if is_in(name, "shipliftd")
    ]
    assert wrong == []
