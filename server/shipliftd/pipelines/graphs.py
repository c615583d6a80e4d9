"""What waits for what: pipelines within a file, steps within a pipeline. Pure."""

import graphlib
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from shipliftd.errors import shown
from shipliftd.pipelines.documents import Node, Reader, Text


class Part(NamedTuple):
    """A pipeline or step with where it stands, and what it waits for."""

    at: Node
    name: str
    depends_on: list[Text]


def check(reader: Reader, what: str, parts: Sequence[Part], before: Collection[str] = ()) -> None:
    """Notes names that are there twice, waits for what is not there (nor in `before`), and circles."""
    seen: dict[str, Part] = {}
    for part in parts:
        if part.name in seen:
            text = f"{shown(part.name)} is another {what}, too, in line {seen[part.name].at.line}"
            reader.fault(part.at, f"{text}: give each a name of its own")
        seen.setdefault(part.name, part)
    for other in (other for part in parts for other in part.depends_on):
        if other.value not in seen and other.value not in before:
            reader.fault(other, f"{shown(other.value)} is not a {what}")
    waits_for = {
        name: [other.value for other in part.depends_on if other.value in seen]
        for name, part in seen.items()
    }
    try:
        graphlib.TopologicalSorter(waits_for).prepare()
    except graphlib.CycleError as error:
        # The library names first what is waited for.
        circle: list[str] = error.args[1][::-1]
        at = next(node for node in seen[circle[0]].depends_on if node.value == circle[1])
        told = " -> ".join(shown(name) for name in circle)
        reader.fault(at, f"wait for each other, so that none can begin: {told}")


def skipping(depends_on: Mapping[str, Sequence[str]], kept: Collection[str]) -> dict[str, tuple[str, ...]]:
    """What each waits for when only some are kept: for one that is not, what that one waits for."""
    found: dict[str, tuple[str, ...]] = {}
    for name in graphlib.TopologicalSorter(depends_on).static_order():
        needed: dict[str, None] = {}
        for other in depends_on.get(name, ()):
            needed.update(dict.fromkeys((other,) if other in kept else found[other]))
        found[name] = tuple(needed)
    return found
