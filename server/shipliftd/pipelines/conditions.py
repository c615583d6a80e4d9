"""The conditions of pipelines and steps: which builds they run for. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from shipliftd.errors import shown
from shipliftd.pipelines import globs
from shipliftd.pipelines.documents import Fields, Reader

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
        return self.lets({pattern for pattern in self.patterns if globs.matches(pattern, value)})

    def lets(self, matching: AbstractSet[str]) -> bool:
        """Whether a value does that all these patterns match, and no other."""
        if self.exclude and not matching.isdisjoint(self.exclude):
            return False
        return not self.include or not matching.isdisjoint(self.include)

    @property
    def patterns(self) -> tuple[str, ...]:
        """All that a value is compared with."""
        return self.include + self.exclude


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

    def __getitem__(self, name: str) -> Condition:
        """The condition of a name."""
        condition: Condition = getattr(self, name)
        return condition

    @property
    def on_success(self) -> bool:
        """Whether it runs when all before it went well."""
        return self.status.matches("success")

    @property
    def on_failure(self) -> bool:
        """Whether it runs when something before it failed: only where the file says so."""
        return self.status != Condition() and self.status.matches("failure")


# What asks for nothing is this object, and known at once.
ALWAYS = Conditions()

# The patterns that are more than words, by the name of what they are compared with.
Asked: TypeAlias = Mapping[str, globs.Globs]


def asked(conditions: Iterable[Conditions]) -> Asked:
    """What conditions ask of a build's facts."""
    found = special(conditions, WHEN)
    return {name: globs.Globs(patterns) for name, patterns in found.items()}


def special(conditions: Iterable[Conditions], names: Sequence[str]) -> dict[str, dict[str, None]]:
    """The patterns of conditions that are more than words, each once, by the names of the conditions."""
    found: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for each in conditions:
        if each is not ALWAYS:
            for name in names:
                for pattern in each[name].patterns:
                    if not globs.is_plain(pattern):
                        found[name][pattern] = None
    return found


class Answers:
    """What conditions say to a build: each of its facts is compared once, with all patterns."""

    def __init__(self, facts: Facts, asked: Asked) -> None:
        """`asked` is of all conditions that are to be looked at."""
        self._facts = facts
        self._matching: dict[str, AbstractSet[str]] = {}
        for name in WHEN:
            value: str = getattr(facts, name)
            itself = frozenset({value} if globs.is_plain(value) else ())
            self._matching[name] = itself | asked[name].matching(value) if name in asked else itself

    def failed(self, conditions: Conditions, names: Sequence[str]) -> str:
        """The first of the conditions of these names that the facts fail, or nothing."""
        if conditions is ALWAYS:
            return ""
        return next((name for name in names if not conditions[name].lets(self._matching[name])), "")

    def why_not(self, conditions: Conditions, name: str) -> str:
        """In words why the facts fail the condition of a name."""
        value: str = getattr(self._facts, name)
        told = f"{name} is {shown(value)}" if value else f"{name} is not set"
        if not self._matching[name].isdisjoint(conditions[name].exclude):
            return f"{told}, which is excluded"
        return f"{told}, wanted {_listed(conditions[name].include)}"


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
    if not fields.nodes:
        return ALWAYS
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
