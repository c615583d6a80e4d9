"""YAML text -> nodes that know their line and column. Pure.

Nodes are made of PyYAML's events, not by its composer: that one calls itself for each level, so a
text of 40,000 brackets ends the process (ruamel.yaml's raises RecursionError from 2,000 on). Each scalar
stays the text that stands in the file (`1.10`, `on`, `2024-01-01`); who reads a node says what it should
be.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple, NoReturn, TypeAlias, cast

import yaml

from shipliftd.errors import Invalid, shown
from shipliftd.fields import Faults

MOST_BYTES = 1024 * 1024
MOST_DEPTH = 64
MOST_NODES = 50_000
MOST_DOCUMENTS = 200
# Each is compared with all before it, in C: 70,000 of them took 6.5 s.
MOST_DIRECTIVES = 100
_MOST_FAULTS = 1000
_MOST_WARNINGS = 20

_LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader

_BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")
_DIRECTIVE = re.compile(r"(?:\A|[\n\r\x85\u2028\u2029])%")
_REFUSED = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "yes", "on"})
_FALSE = frozenset({"false", "no", "off"})
_NUMBER = re.compile(r"[0-9]{1,10}")
_MOST_NUMBER = 2**31 - 1


class Text(NamedTuple):
    """A scalar; `plain` when it stands there without quotes or a tag."""

    line: int
    column: int
    value: str
    plain: bool

    @property
    def is_null(self) -> bool:
        """Whether YAML means nothing by it."""
        return self.plain and self.value in _NULLS


class Items(NamedTuple):
    """A list."""

    line: int
    column: int
    nodes: list["Node"]


class Fields(NamedTuple):
    """A mapping, its merged keys among the others; each value stands with its key."""

    line: int
    column: int
    nodes: dict[str, tuple[Text, "Node"]]

    def get(self, key: str) -> "Node | None":
        """The value of a key; None when there is none, or null."""
        node = self.nodes[key][1] if key in self.nodes else None
        return None if isinstance(node, Text) and node.is_null else node


Node: TypeAlias = Text | Items | Fields


class _Open(NamedTuple):
    """A list or mapping whose end is still to come, and what had been counted before it."""

    line: int
    column: int
    children: list[Node]
    anchor: str | None
    nodes: int
    characters: int


class Reader:
    """Reads nodes as a schema wants them; each that is otherwise is a fault at its line and column."""

    def __init__(self) -> None:
        self._found: list[tuple[int, int, str]] = []
        self._odd: list[tuple[int, int, str]] = []

    def warn(self, node: Node, description: str) -> None:
        """Notes that a node is odd, and taken nevertheless."""
        self._odd.append((node.line, node.column, description))

    def warnings(self) -> tuple[str, ...]:
        """What is odd, as it stands in the file; past a number how much more there is."""
        told = [f"{_field(line, column)}: {text}" for line, column, text in sorted(self._odd)]
        more = len(told) - _MOST_WARNINGS
        return (*told[:_MOST_WARNINGS], f"pipeline: and {more} more") if more > 0 else tuple(told)

    def fault(self, node: Node, description: str) -> None:
        """Notes that a node is wrong; raises Invalid when that is too often."""
        self._found.append((node.line, node.column, description))
        if len(self._found) >= _MOST_FAULTS:
            self.refuse()

    def refuse(self) -> None:
        """Raises Invalid with every fault, as they stand in the file, if there are any."""
        Faults((_field(line, column), text) for line, column, text in sorted(self._found)).refuse()

    def wrong(self, node: Node, what: str, wanted: str) -> None:
        """Notes that a node is not of the kind that is wanted."""
        is_a = {Text: "text", Items: "a list", Fields: "a mapping"}[type(node)]
        value = f" ({shown(node.value)})" if isinstance(node, Text) else ""
        self.fault(node, f"{what} is {is_a}{value}: wanted {wanted}")

    def fields(self, parent: Fields, key: str) -> Fields:
        """A mapping; an empty one when it is not there."""
        node = parent.get(key)
        if node is None or isinstance(node, Fields):
            return node or Fields(parent.line, parent.column, {})
        self.wrong(node, key, "a mapping")
        return Fields(parent.line, parent.column, {})

    def items(self, parent: Fields, key: str, most: int) -> list[Node]:
        """A list of at most so many, without its nulls."""
        node = parent.get(key)
        if node is None:
            return []
        if not isinstance(node, Items):
            self.wrong(node, key, "a list")
            return []
        if len(node.nodes) > most:
            self.fault(node, f"{len(node.nodes)} {key}: at most {most}")
        return [item for item in node.nodes[:most] if not (isinstance(item, Text) and item.is_null)]

    def text(self, parent: Fields, key: str, default: str = "", most: int = 100) -> str:
        """A text of one line; the default when it is empty or not there."""
        node = parent.get(key)
        if node is None:
            return default
        if not isinstance(node, Text):
            self.wrong(node, key, "text")
            return default
        return self.line(node, key, most) or default

    def line(self, node: Text, what: str, most: int) -> str:
        """The value of a text that should be one line of at most so many characters."""
        if len(node.value) > most:
            self.fault(node, f"{what} has {len(node.value)} characters: at most {most}")
        if _CONTROL.search(node.value):
            self.fault(node, f"{what} {shown(node.value)} has a line break or a control character")
        return node.value

    def texts(self, parent: Fields, key: str) -> list[Text]:
        """A text, or a list of texts."""
        node = parent.get(key)
        if isinstance(node, Items):
            for item in node.nodes:
                if not isinstance(item, Text):
                    hint = ", quoted if it holds ': '" if isinstance(item, Fields) else ""
                    self.wrong(item, f"an item of {key}", f"text{hint}")
            return [item for item in node.nodes if isinstance(item, Text)]
        if isinstance(node, Fields):
            self.wrong(node, key, "text or a list of texts")
        return [node] if isinstance(node, Text) else []

    def flag(self, parent: Fields, key: str) -> bool:
        """Whether something is true; false when it is not there."""
        node = parent.get(key)
        if node is None:
            return False
        word = node.value.lower() if isinstance(node, Text) else ""
        if word not in _TRUE | _FALSE:
            self.wrong(node, key, "true or false")
        return word in _TRUE

    def number(self, parent: Fields, key: str) -> int:
        """A whole number from 0; 0 when it is not there."""
        node = parent.get(key)
        if node is None:
            return 0
        if isinstance(node, Text) and _NUMBER.fullmatch(node.value) and int(node.value) <= _MOST_NUMBER:
            return int(node.value)
        self.wrong(node, key, f"a whole number from 0 to {_MOST_NUMBER}")
        return 0


def read(text: str, reader: Reader) -> list[Node]:
    """The documents of a text, but for the empty ones.

    Raises Invalid when it is not YAML or more than is taken.
    """
    text = text.removeprefix("\ufeff")
    _check(text)
    building = _Building(reader)
    try:
        for event in _events(text):
            building.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        context = f" {error.context}" if error.context else ""
        description = f"is not YAML: {error.problem}{context}"
        if mark is None:
            raise Invalid([("pipeline", description)]) from None
        raise Invalid([(_field(mark.line + 1, mark.column + 1), description)]) from None
    except yaml.YAMLError as error:
        raise Invalid([("pipeline", f"is not YAML: {str(error)[:200]}")]) from None
    return [node for node in building.documents if not (isinstance(node, Text) and node.is_null)]


def _events(text: str) -> Iterator[yaml.Event]:
    events: Iterator[yaml.Event] = yaml.parse(text, Loader=_LOADER)
    return events


def _check(text: str) -> None:
    """Raises Invalid for what should not even be scanned."""
    if len(text) > MOST_BYTES:
        raise Invalid([("pipeline", f"has {len(text)} characters: at most {MOST_BYTES} bytes (1 MiB)")])
    refused = _REFUSED.search(text)
    if refused is not None:
        *_, (line, start) = _lines(text, refused.start())
        character = f"U+{ord(refused[0]):04X}"
        raise Invalid(
            [(_field(line, refused.start() - start + 1), f"has the character {character}: not in YAML")]
        )
    if (size := len(text.encode())) > MOST_BYTES:
        raise Invalid([("pipeline", f"has {size} bytes: at most {MOST_BYTES} (1 MiB)")])
    if (count := sum(1 for _ in _DIRECTIVE.finditer(text))) > MOST_DIRECTIVES:
        raise Invalid([("pipeline", f"has {count} lines that begin with '%': at most {MOST_DIRECTIVES}")])


def _lines(text: str, end: int) -> Iterator[tuple[int, int]]:
    """The lines before a place: their number and where they start."""
    yield 1, 0
    for number, found in enumerate(_BREAK.finditer(text, 0, end), start=2):
        yield number, found.end()


def _field(line: int, column: int) -> str:
    return f"pipeline:{line}:{column}"


class _Building:
    """Puts events together; counts what they come to with each alias written out."""

    def __init__(self, reader: Reader) -> None:
        self.documents: list[Node] = []
        self._reader = reader
        self._open: list[_Open] = []
        # A node by its anchor, with what it counts for.
        self._anchors: dict[str, tuple[Node, int, int]] = {}
        self._nodes = self._characters = 0

    def take(self, event: yaml.Event) -> None:
        """Takes the next event; raises Invalid past a limit."""
        mark = cast(yaml.Mark, event.start_mark)
        line, column = mark.line + 1, mark.column + 1
        if isinstance(event, yaml.ScalarEvent):
            node = Text(line, column, event.value, not event.style and bool(event.implicit[0]))
            self._count(line, column, 1, len(event.value) + len(event.tag or ""))
            if "\0" in event.value:
                self._refuse(line, column, "has a NUL character")
            if event.anchor:
                self._anchors[event.anchor] = (node, 1, len(event.value))
            self._add(node)
        elif isinstance(event, yaml.AliasEvent):
            self._add(self._alias(line, column, event.anchor or ""))
        elif isinstance(event, yaml.CollectionStartEvent):
            if len(self._open) >= MOST_DEPTH:
                self._refuse(line, column, f"is nested more than {MOST_DEPTH} deep")
            self._open.append(_Open(line, column, [], event.anchor, self._nodes, self._characters))
            self._anchors.pop(event.anchor or "", None)
            self._count(line, column, 1, len(event.tag or ""))
        elif isinstance(event, yaml.CollectionEndEvent):
            self._close(self._open.pop(), isinstance(event, yaml.MappingEndEvent))
        elif isinstance(event, yaml.DocumentStartEvent):
            self._anchors.clear()
            if len(self.documents) >= MOST_DOCUMENTS:
                self._refuse(line, column, f"is one document more than the {MOST_DOCUMENTS} that are taken")

    def _add(self, node: Node) -> None:
        (self._open[-1].children if self._open else self.documents).append(node)

    def _alias(self, line: int, column: int, name: str) -> Node:
        if name not in self._anchors:
            inside = any(opened.anchor == name for opened in self._open)
            where = "stands in what it is an alias of" if inside else "has no anchor before it"
            self._refuse(line, column, f"the alias {shown('*' + name)} {where}")
        node, nodes, characters = self._anchors[name]
        self._count(line, column, nodes, characters)
        return node

    def _close(self, opened: _Open, is_mapping: bool) -> None:
        node: Node
        if is_mapping:
            node = Fields(opened.line, opened.column, self._fields(opened.children))
        else:
            node = Items(opened.line, opened.column, opened.children)
        if opened.anchor:
            counted = (self._nodes - opened.nodes, self._characters - opened.characters)
            self._anchors[opened.anchor] = (node, *counted)
        self._add(node)

    def _fields(self, children: list[Node]) -> dict[str, tuple[Text, Node]]:
        own: dict[str, tuple[Text, Node]] = {}
        merged: dict[str, tuple[Text, Node]] = {}
        for key, value in zip(children[::2], children[1::2], strict=True):
            if not isinstance(key, Text):
                self._reader.wrong(key, "a key", "text")
            elif key.plain and key.value == "<<":
                merged.update(self._merged(value))
            else:
                if key.value in own:
                    # YAML 1.2 forbids it; readers of YAML 1.1 take the last one, Drone's among them.
                    first = own.pop(key.value)[0].line
                    told = f"the key {shown(key.value)} stands there twice, first in line {first}"
                    self._reader.warn(key, f"{told}: the last one counts")
                own[key.value] = (key, value)
        return merged | own

    def _merged(self, value: Node) -> dict[str, tuple[Text, Node]]:
        merged: dict[str, tuple[Text, Node]] = {}
        # The first of a list of them wins.
        for node in reversed(value.nodes if isinstance(value, Items) else [value]):
            if isinstance(node, Fields):
                merged.update(node.nodes)
            else:
                self._reader.wrong(node, "'<<'", "a mapping or a list of them")
        return merged

    def _count(self, line: int, column: int, nodes: int, characters: int) -> None:
        self._nodes += nodes
        self._characters += characters
        if self._nodes > MOST_NODES:
            self._refuse(
                line, column, f"more than {MOST_NODES} values, with aliases written out, are not taken"
            )
        if self._characters > MOST_BYTES:
            self._refuse(line, column, "more than 1 MiB of text, with aliases written out, is not taken")

    def _refuse(self, line: int, column: int, description: str) -> NoReturn:
        raise Invalid([(_field(line, column), description)])
