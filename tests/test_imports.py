"""Who may import whom. A new module needs a room here before anything can import it."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import shipliftd

SERVER = Path(shipliftd.__file__).parent
CLIENT = SERVER.parents[1] / "client" / "shiplift"

ROOMS = {
    "entry": {"__main__"},
    "command": {"command"},
    "server": {"server", "setup", "symbols"},
    # A client of the server, wherever that is: it sees nothing of what is behind the doors.
    "gateway": {
        "gateway",
        "gateway.absent",
        "gateway.app",
        "gateway.badges",
        "gateway.build_page",
        "gateway.connect",
        "gateway.drone",
        "gateway.edge",
        "gateway.everywhere",
        "gateway.exchange",
        "gateway.failures",
        "gateway.health",
        "gateway.openapi",
        "gateway.page",
        "gateway.protocol",
        "gateway.repositories",
        "gateway.runner_exchange",
        "gateway.runner_json",
        "gateway.runners",
        "gateway.serving",
        "gateway.shapes",
        "gateway.standalone",
    },
    "doors": {"inprocess", "interceptors"},
    "services": {
        "dispatch",
        "known",
        "leaseplans",
        "services",
        "services.access",
        "services.builds",
        "services.environments",
        "services.runs",
        "services.server",
        "services.stages",
        "wakes",
    },
    "verbs": {
        "access",
        "asked",
        "builds",
        "derived",
        "ending",
        "environments",
        "flow",
        "leases",
        "promotions",
        "recording",
        "reports",
        "stages",
        "steplog",
        "uncertain",
        "users",
    },
    "rules": {"answers", "cuts", "guard", "pages", "parameters", "writes"},
    "pipelines": {
        "commands",
        "conditions",
        "documents",
        "globs",
        "graphs",
        "matching",
        "needs",
        "pipelines",
        "plans",
        "resolved",
        "substitution",
        "versions",
    },
    "messages": {"messages"},
    "store": {"backups", "migrations", "schema", "store"},
    "models": {"compiled", "models", "rows"},
    "words": {
        "ahead",
        "api",
        "clock",
        "errors",
        "fields",
        "logins",
        "logs",
        "settings",
        "signals",
        "tls",
        "words",
    },
}

# Inside a room modules may import each other. Verbs and messages never see the store: a verb runs in
# a transaction that it does not know of, a message is made of rows that somebody else has read.
MAY_IMPORT = {
    "entry": {"command"},
    "command": {"server", "gateway", "verbs", "rules", "store", "words"},
    "server": {"gateway", "doors", "services", "verbs", "rules", "store", "models", "words"},
    "gateway": {"words"},
    "doors": {"rules", "store", "words"},
    "services": {"verbs", "rules", "pipelines", "messages", "store", "models", "words"},
    "verbs": {"rules", "pipelines", "models", "words"},
    "rules": {"models", "words"},
    "pipelines": {"words"},
    "messages": {"pipelines", "models", "words"},
    "store": {"models", "words"},
    "models": {"pipelines"},
    "words": set[str](),
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
    """The room that a module is in."""
    if module.startswith("migrations."):
        return "store"
    return next((room for room, modules in ROOMS.items() if module in modules), "no room")


def test_every_module_of_the_server_has_a_room() -> None:
    homeless = [module for module in modules_of(SERVER) if module and room_of(module) == "no room"]
    assert homeless == []


def test_every_room_of_the_table_is_there() -> None:
    modules = modules_of(SERVER)
    assert [module for room in ROOMS.values() for module in room if module not in modules] == []


def test_modules_import_only_from_the_rooms_that_theirs_may() -> None:
    wrong = [
        f"{module} ({room_of(module)}) imports {imported} ({room_of(imported)})"
        for module, imports in server_imports().items()
        for imported in imports
        if room_of(imported) not in MAY_IMPORT.get(room_of(module), set()) | {room_of(module)}
    ]
    assert wrong == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    TopologicalSorter(server_imports()).prepare()


def test_the_server_imports_nothing_of_the_client_but_the_stubs() -> None:
    wrong = [
        f"{module} imports {name}"
        for module, path in modules_of(SERVER).items()
        for name in imports_of(path)
        if is_in(name, "shiplift") and not is_in(name, "shiplift.v1")
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
