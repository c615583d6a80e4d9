"""A pipeline file as Drone's runners get it: with the variables put in. Pure.

Such a runner puts variables into the whole text of a file, and reads that as YAML afterwards, so a value
could end a text and begin another, or be a part of a command. So the file that it gets is resolved by us,
node by node, and leaves to it only what nobody but the runner knows, and no caller chooses. It is written
as JSON, which is YAML, in lines well below the 64 KiB after which a runner stops to read.

What such a runner does is in its documentation (https://docs.drone.io/pipeline/environment/substitution),
and in its library github.com/drone/envsubst.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from shipliftd.errors import Invalid
from shipliftd.pipelines.commands import Commands, shell_of
from shipliftd.pipelines.documents import Fields, Items, Node, Reader, Text
from shipliftd.pipelines.documents import read as read_documents
from shipliftd.pipelines.plans import RUNTIME
from shipliftd.pipelines.substitution import Receiver, Substitution

# A lease with it has to fit into the 4 MiB of a gRPC message.
MOST_BYTES = 2 * 1024 * 1024

# A runner has these of its own, and they are of no caller's making.
_THE_RUNNERS = RUNTIME | {
    *("DRONE_SYSTEM_PROTO", "DRONE_SYSTEM_HOST", "DRONE_SYSTEM_HOSTNAME", "DRONE_SYSTEM_VERSION"),
    "DRONE_BUILD_LINK",
}
_PREFIXES = ("DRONE_", "SHIPLIFT_", "CI_")
# Without quotes as in Drone, where it may be a number or a truth value; it cannot be more than one scalar.
_WORD = re.compile(r"-?[A-Za-z0-9_.][A-Za-z0-9_.+-]*")
# The library reads a `$` before these, and before what is left to the runner.
_DOLLAR = re.compile(r"\$(?=[${]|\Z)")
_BACKSLASH = re.compile(r"\\(?=[\\/])")
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff]")
_LINE = 4000
_WHOLE = re.compile(rf"\$\$|\$\{{[^}}]*\}}|[^$]{{1,{_LINE}}}|\$")
_MOST_SIMPLE_KEY = 500
# What stands in these is no step's command, whatever it is called.
_VALUES = frozenset({"environment", "settings"})
_ARGUMENTS = frozenset({"command", "entrypoint"})
_RUNS_A_SHELL = re.compile(r"-[a-z]*c|/c|-command", re.IGNORECASE)

_Way: TypeAlias = Callable[[str], str]
# What is to be written; its texts are as they stand in the file.
_Made: TypeAlias = "str | list[_Made] | dict[str, _Made]"


def resolved(text: str, pipeline: str, common: Mapping[str, str]) -> str:
    """The file for the stage of a pipeline, with the variables of `plans.environment` in that.

    The other pipelines stay as they are, since nobody runs them with this file. Raises Invalid when it is
    none, or comes to more than is taken.
    """
    reader = Reader()
    documents = read_documents(text, reader)
    reader.refuse()
    known = {name: value for name, value in common.items() if name not in _THE_RUNNERS}

    def leaves(name: str) -> bool:
        return name in _THE_RUNNERS or not (name in known or name.startswith(_PREFIXES))

    put_in = Substitution(known, MOST_BYTES, Receiver(leaves, _literally))
    made = (_Document(document, put_in).made(pipeline) for document in documents)
    written = "".join(f"---\n{''.join(_written(document))}\n" for document in made)
    found = _BACKSLASH.sub(r"\\\\", written)
    if (size := len(found.encode())) > MOST_BYTES:
        raise Invalid([("pipeline", f"comes to {size} bytes with the parameters: at most {MOST_BYTES}")])
    return found


class _Document:
    def __init__(self, document: Node, put_in: Substitution) -> None:
        self._document = document
        self._put_in = put_in
        platform = document.get("platform") if isinstance(document, Fields) else None
        self._system = _value(platform, "os")

    def made(self, pipeline: str) -> _Made:
        """The document as it is written in the file for the stage of a pipeline."""
        if _value(self._document, "kind") != "pipeline":
            return self._part(self._document)
        name = _value(self._document, "name")
        if (name or "default") != pipeline:
            return _with(self._document, _literally)
        made = self._part(self._document)
        if name and isinstance(made, dict):
            # By which a runner finds it.
            made[_key("name")] = _quoted(_literally(name))
        return made

    def _part(self, node: Node) -> _Made:
        if isinstance(node, Text):
            return _text(node, self._put_in)
        if isinstance(node, Items):
            return [self._part(item) for item in node.nodes]
        if "commands" in node.nodes or _ARGUMENTS & node.nodes.keys():
            return self._step(node)
        return {_key(key): self._field(key, value) for key, (_, value) in node.nodes.items()}

    def _field(self, key: str, value: Node) -> _Made:
        return _with(value, self._put_in) if key in _VALUES else self._part(value)

    def _step(self, step: Fields) -> _Made:
        given = step.get("environment")
        taken = given.nodes.keys() if isinstance(given, Fields) else ()
        shell = shell_of(self._system, _value(step, "shell"))
        command = Commands(self._put_in, shell, {*taken, *self._put_in.variables})
        ways: dict[str, _Way] = {"commands": command, "shell": _literally}
        if any(_RUNS_A_SHELL.fullmatch(text) for key in _ARGUMENTS for text in _texts(step.get(key))):
            ways |= dict.fromkeys(_ARGUMENTS, command)
        made: dict[str, _Made] = {
            _key(key): _with(value, ways[key]) if key in ways else self._field(key, value)
            for key, (_, value) in step.nodes.items()
        }
        if command.made:
            own = made.get(_key("environment"))
            more = {_key(name): _quoted(_literally(value)) for name, value in command.made.items()}
            made[_key("environment")] = (own if isinstance(own, dict) else {}) | more
        return made


def _with(node: Node, way: _Way) -> _Made:
    """A part of a document, each text as the way makes it."""
    if isinstance(node, Text):
        return _text(node, way)
    if isinstance(node, Items):
        return [_with(item, way) for item in node.nodes]
    return {_key(key): _with(value, way) for key, (_, value) in node.nodes.items()}


def _text(node: Text, way: _Way) -> str:
    if node.is_null:
        return "null"
    value = way(node.value)
    if node.plain and not value:
        return "null"
    return value if node.plain and _WORD.fullmatch(value) else _quoted(value)


def _key(name: str) -> str:
    quoted = _quoted(_literally(name))
    return f"? {quoted} " if len(quoted) > _MOST_SIMPLE_KEY else quoted


def _quoted(value: str) -> str:
    # A line's first blank would be passed over.
    lines = (re.sub(r"\A ", r"\\x20", json.dumps(line, ensure_ascii=False)[1:-1]) for line in _lines(value))
    return '"' + _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", "\\\n ".join(lines)) + '"'


def _lines(value: str) -> Iterator[str]:
    """A text in parts of a line, each whole in what the library reads."""
    if len(value) <= _LINE:
        yield value
        return
    line = ""
    for part in _WHOLE.findall(value):
        if len(line) + len(part) > _LINE:
            yield line
            line = ""
        line += part
    yield line


def _literally(value: str) -> str:
    """What Drone's library makes the value of."""
    return _DOLLAR.sub("$$", value)


def _written(made: _Made) -> Iterator[str]:
    if isinstance(made, str):
        yield made
        return
    # Not at the beginning of a line, where '---' and '...' end a document.
    between = ",\n "
    if isinstance(made, dict):
        yield "{"
        for number, (key, value) in enumerate(made.items()):
            yield f"{between if number else ''}{key}: "
            yield from _written(value)
        yield "}"
    else:
        yield "["
        for number, value in enumerate(made):
            yield between if number else ""
            yield from _written(value)
        yield "]"


def _value(node: Node | None, key: str) -> str:
    found = node.get(key) if isinstance(node, Fields) else None
    return found.value if isinstance(found, Text) else ""


def _texts(node: Node | None) -> list[str]:
    nodes = node.nodes if isinstance(node, Items) else [node]
    return [text.value for text in nodes if isinstance(text, Text)]
