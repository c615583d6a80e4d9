"""The conditions of pipelines and steps: which builds they run for. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from shipliftd import globs
from shipliftd.documents import Fields, Reader
from shipliftd.errors import shown

# In the order in which they are looked at. A trigger knows no instance, a pipeline is for all of them.
TRIGGER = ("branch", "event", "action", "ref", "repo", "target", "cron")
WHEN = (*TRIGGER, "instance")

_MOST_PATTERN = 500


class Facts(NamedTuple):
    """What conditions ask of a build.

    `branch` is the build's target branch, `repo` owner/name, `target` the environment that it goes
    to, `instance` the host of this server.
    """

    branch: str = ""
    event: str = ""
    action: str = ""
    ref: str = ""
    repo: str = ""
    target: str = ""
    cron: str = ""
    instance: str = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """Patterns of values: what is excluded does not match; with nothing included everything else does."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def matches(self, value: str) -> bool:
        """Whether a value does."""
        if self.exclude and self.excludes(value):
            return False
        return not self.include or any(globs.matches(pattern, value) for pattern in self.include)

    def excludes(self, value: str) -> bool:
        """Whether a value is excluded, included or not."""
        return any(globs.matches(pattern, value) for pattern in self.exclude)


@dataclass(frozen=True, slots=True)
class Conditions:
    """A pipeline's `trigger` or a step's `when`."""

    branch: Condition = Condition()
    event: Condition = Condition()
    action: Condition = Condition()
    ref: Condition = Condition()
    repo: Condition = Condition()
    target: Condition = Condition()
    cron: Condition = Condition()
    instance: Condition = Condition()
    status: Condition = Condition()

    def failed(self, facts: Facts, names: Sequence[str]) -> str:
        """The first of the conditions of these names that the facts fail, or nothing."""
        return next((name for name in names if not self[name].matches(getattr(facts, name))), "")

    def __getitem__(self, name: str) -> Condition:
        """The condition of a name."""
        condition: Condition = getattr(self, name)
        return condition

    @property
    def patterns(self) -> int:
        """How many patterns there are."""
        return sum(len(self[name].include) + len(self[name].exclude) for name in (*WHEN, "status"))

    @property
    def on_success(self) -> bool:
        """Whether it runs when all before it went well."""
        return self.status.matches("success")

    @property
    def on_failure(self) -> bool:
        """Whether it runs when something before it failed: only where the file says so."""
        return self.status != Condition() and self.status.matches("failure")

    def why_not(self, facts: Facts, names: Sequence[str]) -> str:
        """In words the first condition that the facts fail."""
        name = self.failed(facts, names)
        value: str = getattr(facts, name)
        told = f"{name} is {shown(value)}" if value else f"{name} is not set"
        if self[name].excludes(value):
            return f"{told}, which is excluded"
        return f"{told}, wanted {_listed(self[name].include)}"


def _listed(patterns: Sequence[str]) -> str:
    if len(patterns) > 6:
        return f"{', '.join(_bare(pattern) for pattern in patterns[:5])} or one of {len(patterns) - 5} more"
    *some, last = [_bare(pattern) for pattern in patterns]
    return f"{', '.join(some)} or {last}" if some else last


def _bare(pattern: str) -> str:
    return pattern if pattern.isprintable() and 0 < len(pattern) <= 60 else shown(pattern)


def read(reader: Reader, parent: Fields, key: str) -> Conditions:
    """The conditions under a key; each is a text, a list, or {include, exclude}."""
    fields = reader.fields(parent, key)
    return Conditions(**{name: _condition(reader, fields, name) for name in (*WHEN, "status")})


def _condition(reader: Reader, fields: Fields, name: str) -> Condition:
    node = fields.get(name)
    if isinstance(node, Fields):
        return Condition(_patterns(reader, node, "include"), _patterns(reader, node, "exclude"))
    return Condition(_patterns(reader, fields, name))


def _patterns(reader: Reader, fields: Fields, key: str) -> tuple[str, ...]:
    nodes = reader.texts(fields, key)
    for node in nodes:
        if problem := globs.problem(reader.line(node, key, _MOST_PATTERN)):
            reader.fault(node, f"{shown(node.value)} is not a pattern: {problem}")
    return tuple(node.value for node in nodes)
