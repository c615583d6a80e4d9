"""A pipeline file's pipelines: text in, what it says out. Pure.

The file is Drone's: YAML documents of `kind: pipeline`. Keys that stand here for nothing are let be,
since the runners of each type have their own.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias, TypeVar, cast

from shipliftd.errors import shown
from shipliftd.pipelines import conditions, graphs
from shipliftd.pipelines.conditions import ALWAYS, WHEN, Asked, Condition, Conditions
from shipliftd.pipelines.documents import Fields, Items, Node, Reader, Text
from shipliftd.pipelines.documents import read as read_documents

MOST_PIPELINES = 100
MOST_STEPS = 200
MOST_NAME = 100
# A runner may have as many, and as long ones: `AcquireStageRequest.labels`.
MOST_LABELS = 32
MOST_LABEL = 200
MOST_COMMANDS = 64 * 1024
_MOST_TEXT = 1000
# Of patterns that are more than words, each counted once for what it is compared with. The longest values
# that a build may hold are compared with so many in 0.1 s.
MOST_PATTERNS = 16 * 1024
# Types whose pipelines do nothing but their steps.
STEPPED = frozenset({"docker", "kubernetes", "exec", "ssh", "digitalocean", "macstadium", "aws", "vm"})
_IN_CONTAINERS = frozenset({"docker", "kubernetes"})

T = TypeVar("T")
_Makers: TypeAlias = dict[str, Callable[[Any], object]]


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that the runner gets from the secret of this name."""

    from_secret: str


@dataclass(frozen=True, slots=True)
class Step:
    """One of a pipeline's `steps`; `secrets` are those that it wants beside its environment's."""

    name: str
    image: str = ""
    commands: tuple[str, ...] = ()
    environment: Mapping[str, str | Secret] = field(default_factory=dict)
    when: Conditions = ALWAYS
    depends_on: tuple[str, ...] = ()
    ignore_failure: bool = False
    detach: bool = False
    privileged: bool = False
    shell: str = ""
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A document of `kind: pipeline`; `kernel` is its platform's version, `labels` its node.

    `secrets` are those that it wants beside its environment and its steps.
    """

    name: str = "default"
    type: str = "docker"
    os: str = "linux"
    arch: str = "amd64"
    variant: str = ""
    kernel: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    limit: int = 0
    depends_on: tuple[str, ...] = ()
    trigger: Conditions = ALWAYS
    clone_disabled: bool = False
    workspace: str = ""
    environment: Mapping[str, str | Secret] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pipelines:
    """The pipelines of a file, in its order; and what was odd about a file that has just been read."""

    pipelines: tuple[Pipeline, ...]
    warnings: tuple[str, ...] = ()

    @cached_property
    def asked(self) -> Asked:
        """What its triggers and steps ask of a build."""
        return conditions.asked(self._conditions())

    @cached_property
    def work(self) -> int:
        """How much there is to compare with a build: conditions, their patterns, and what these hold."""
        looked_at = sum(
            1 if each is ALWAYS else sum(1 + len(each[name].patterns) for name in WHEN)
            for each in self._conditions()
        )
        return looked_at + self.size_of_patterns

    @property
    def size_of_patterns(self) -> int:
        """The characters of all patterns that are more than words."""
        special = conditions.special(self._conditions(), (*WHEN, "status"))
        return sum(len(pattern) for patterns in special.values() for pattern in patterns)

    def _conditions(self) -> Iterator[Conditions]:
        for pipeline in self.pipelines:
            yield pipeline.trigger
            yield from (step.when for step in pipeline.steps)

    def find(self, name: str) -> Pipeline | None:
        """The pipeline of a name, which is that of its stage."""
        return next((pipeline for pipeline in self.pipelines if pipeline.name == name), None)


def parse(text: str) -> Pipelines:
    """The pipelines of a file. Raises Invalid with every fault, each at its line and column."""
    reader = Reader()
    documents = read_documents(text, reader)
    found = Pipelines(_Schema(reader).pipelines(documents))
    if (size := found.size_of_patterns) > MOST_PATTERNS:
        told = f"{size} characters of patterns with '*', '?', '[' or '\\'"
        reader.fault(documents[0], f"{told} in all triggers and steps: at most {MOST_PATTERNS}")
    reader.refuse()
    return _counted(replace(found, warnings=reader.warnings()))


def dump(pipelines: Pipelines) -> str:
    """The pipelines as JSON, without what is as it is by default."""
    return json.dumps(_plain(pipelines.pipelines), ensure_ascii=False, separators=(",", ":"))


def load(text: str) -> Pipelines:
    """The pipelines of what `dump` made, of this release or an earlier one."""
    return _counted(Pipelines(tuple(_pipeline(value) for value in json.loads(text))))


def _counted(said: Pipelines) -> Pipelines:
    # Reading is done beside the loop where it takes long, and so is this.
    _ = said.work
    return said


class _Schema:
    """What the nodes of a file mean."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def pipelines(self, documents: Iterable[Node]) -> tuple[Pipeline, ...]:
        """The documents that are pipelines."""
        nodes = [node for node in documents if self._is_pipeline(node)]
        if len(nodes) > MOST_PIPELINES:
            text = f"is one pipeline more than the {MOST_PIPELINES} that are taken"
            self._reader.fault(nodes[MOST_PIPELINES], text)
        found: list[Pipeline] = []
        parts: list[graphs.Part] = []
        for node in nodes[:MOST_PIPELINES]:
            if isinstance(node, Fields):
                depends_on = self._reader.texts(node, "depends_on")
                found.append(self._pipeline(node, depends_on))
                parts.append(graphs.Part(node.get("name") or node, found[-1].name, depends_on))
        graphs.check(self._reader, "pipeline of this file", parts)
        return tuple(found)

    def _is_pipeline(self, node: Node) -> bool:
        if not isinstance(node, Fields):
            self._reader.wrong(node, "the document", "a mapping with kind: pipeline")
            return False
        kind = node.get("kind")
        if kind is None and "pipeline" in node.nodes:
            self._reader.fault(
                node.nodes["pipeline"][0],
                "`pipeline:` without a kind is the format of Drone 0.8: `drone convert --save` converts it",
            )
        elif kind is None:
            self._reader.fault(node, "has no kind: wanted kind: pipeline")
        elif not isinstance(kind, Text):
            self._reader.wrong(kind, "kind", "text")
        elif kind.value == "template":
            self._reader.fault(
                kind, "templates are not supported: send the pipelines that it makes instead"
            )
        return isinstance(kind, Text) and kind.value == "pipeline"

    def _pipeline(self, node: Fields, depends_on: list[Text]) -> Pipeline:
        read = self._reader
        platform = read.fields(node, "platform")
        of_type = read.text(node, "type", "docker")
        clone_disabled = read.flag(read.fields(node, "clone"), "disable")
        return Pipeline(
            name=read.text(node, "name", "default", MOST_NAME),
            type=of_type,
            os=read.text(platform, "os", "linux"),
            arch=read.text(platform, "arch", "amd64"),
            variant=read.text(platform, "variant"),
            kernel=read.text(platform, "version"),
            labels=self._labels(read.fields(node, "node")),
            limit=read.number(read.fields(node, "concurrency"), "limit"),
            depends_on=_once(depends_on),
            trigger=conditions.read(read, node, "trigger"),
            clone_disabled=clone_disabled,
            workspace=read.text(read.fields(node, "workspace"), "path", most=_MOST_TEXT),
            environment=self._environment(node),
            steps=self._steps(node, of_type, clone_disabled),
            secrets=_secrets(node, _WITH_SECRETS) + _texts_in(node.get("image_pull_secrets")),
        )

    def _labels(self, node: Fields) -> dict[str, str]:
        labels = {}
        for key, _ in node.nodes.values():
            name = self._reader.line(key, "the name of a label", MOST_NAME)
            if not name:
                self._reader.fault(key, "the name of a label is empty")
            labels[name] = self._reader.text(node, name, most=MOST_LABEL)
        if len(labels) > MOST_LABELS:
            self._reader.fault(node, f"{len(labels)} labels: at most {MOST_LABELS}")
        return labels

    def _environment(self, parent: Fields) -> dict[str, str | Secret]:
        found: dict[str, str | Secret] = {}
        for key, value in self._reader.fields(parent, "environment").nodes.values():
            name = self._reader.line(key, "the name of a variable", 256)
            if not name or "=" in name:
                self._reader.fault(key, f"{shown(name)} is not a variable's name")
            if isinstance(value, Text):
                found[name] = "" if value.is_null else value.value
            elif isinstance(value, Fields) and "from_secret" in value.nodes:
                found[name] = Secret(self._reader.text(value, "from_secret", most=_MOST_TEXT))
            else:
                self._reader.wrong(value, name, "text or {from_secret: NAME}")
        return found

    def _steps(self, pipeline: Fields, of_type: str, clone_disabled: bool) -> tuple[Step, ...]:
        read = self._reader
        steps: list[Step] = []
        parts: list[graphs.Part] = []
        for node in read.items(pipeline, "steps", MOST_STEPS):
            if isinstance(node, Fields):
                depends_on = read.texts(node, "depends_on")
                steps.append(self._step(node, depends_on))
                self._check_can_run(node, of_type, steps[-1])
                parts.append(graphs.Part(node.get("name") or node, steps[-1].name, depends_on))
            else:
                read.wrong(node, "a step", "a mapping with a name")
        names = {step.name for step in steps}
        # Steps may wait for what a runner starts before them all.
        before = set() if clone_disabled else {"clone"}
        before |= _names_in(pipeline.get("services"))
        graphs.check(read, "step of this pipeline", parts, before)
        if any(step.depends_on for step in steps):
            waits = [tuple(name for name in step.depends_on if name in names) for step in steps]
        else:
            # Without any `depends_on` they run one after the other.
            waits = [(), *((step.name,) for step in steps[:-1])]
        return tuple(replace(step, depends_on=names) for step, names in zip(steps, waits, strict=False))

    def _step(self, node: Fields, depends_on: list[Text]) -> Step:
        read = self._reader
        name = read.text(node, "name", most=MOST_NAME)
        if not name and not isinstance(node.get("name"), Items | Fields):
            read.fault(node, "a step has no name: give it one")
        commands = tuple("" if text.is_null else text.value for text in read.texts(node, "commands"))
        if (size := sum(len(command.encode()) + 1 for command in commands)) > MOST_COMMANDS:
            read.fault(node, f"{size} bytes of commands in a step: at most {MOST_COMMANDS} (64 KiB)")
        return Step(
            name=name,
            image=read.text(node, "image", most=_MOST_TEXT),
            commands=commands,
            environment=self._environment(node),
            when=conditions.read(read, node, "when"),
            depends_on=_once(depends_on),
            ignore_failure=read.text(node, "failure").lower() == "ignore",
            detach=read.flag(node, "detach"),
            privileged=read.flag(node, "privileged"),
            shell=read.text(node, "shell", most=_MOST_TEXT),
            secrets=_secrets(node, ("settings",)),
        )

    def _check_can_run(self, node: Fields, of_type: str, step: Step) -> None:
        problem = cannot_run(of_type, step, has_settings=node.get("settings") is not None)
        if problem:
            at = next((node.nodes[key][0] for key in ("image", "settings") if node.get(key)), node)
            self._reader.fault(at, f"step {shown(step.name)} {problem}")


def cannot_run(of_type: str, step: Step, has_settings: bool = False) -> str:
    """Why a pipeline of the type cannot run a step, or nothing; of types not known here nothing is.

    As the linter of Drone's docker and kubernetes runners has it; Drone's exec runner passes over an image.
    """
    if of_type in _IN_CONTAINERS:
        return "" if step.image else f"has no image: a pipeline of type {of_type} runs each step in one"
    if of_type != "exec":
        return ""
    on_machine = "a pipeline of type exec runs commands on the runner's own machine"
    if step.image or has_settings:
        what = "an image" if step.image else "settings"
        return f"has {what}, but {on_machine}: leave that out, or make the pipeline one of type docker"
    return "" if step.commands else f"has no commands, but {on_machine} and nothing else"


# Where pipelines of Drone's types say {from_secret: NAME} beside their environment and steps.
_WITH_SECRETS = ("services", "server", "token", "account")


def _secrets(parent: Fields, keys: Sequence[str]) -> tuple[str, ...]:
    """The secrets that are wanted under these keys, however deep."""
    found: dict[str, None] = {}
    waiting = [node for key in reversed(keys) if (node := parent.get(key)) is not None]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Items):
            waiting.extend(reversed(node.nodes))
        elif isinstance(node, Fields):
            name = node.get("from_secret")
            if isinstance(name, Text):
                found[name.value] = None
            waiting.extend(value for _, value in reversed(node.nodes.values()))
    return tuple(found)


def _texts_in(node: Node | None) -> tuple[str, ...]:
    nodes = node.nodes if isinstance(node, Items) else []
    return tuple(item.value for item in nodes if isinstance(item, Text) and not item.is_null)


def _names_in(node: Node | None) -> set[str]:
    named = (
        [item.get("name") for item in node.nodes if isinstance(item, Fields)]
        if isinstance(node, Items)
        else []
    )
    return {name.value for name in named if isinstance(name, Text)}


def _once(nodes: Iterable[Text]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(node.value for node in nodes))


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if is_dataclass(value):
        told = ((part, getattr(value, part.name)) for part in fields(value))
        return {part.name: _plain(item) for part, item in told if item != _default(part)}
    return value


def _default(part: Field[Any]) -> object:
    return part.default if part.default_factory is MISSING else part.default_factory()


def _made(kind: type[T], value: Mapping[str, Any], **made: Callable[[Any], object]) -> T:
    """An object of its plain form; parts that only a later release knows are left out."""
    names = [part.name for part in fields(cast(Any, kind)) if part.name in value]
    return kind(**{name: made[name](value[name]) if name in made else value[name] for name in names})


def _pipeline(value: Mapping[str, Any]) -> Pipeline:
    made: _Makers = {
        "depends_on": tuple,
        "trigger": _conditions,
        "environment": _environment,
        "steps": _steps,
        "secrets": tuple,
    }
    return _made(Pipeline, value, **made)


def _steps(values: Sequence[Mapping[str, Any]]) -> tuple[Step, ...]:
    made: _Makers = {
        "commands": tuple,
        "depends_on": tuple,
        "when": _conditions,
        "environment": _environment,
        "secrets": tuple,
    }
    return tuple(_made(Step, value, **made) for value in values)


def _environment(value: Mapping[str, Any]) -> dict[str, str | Secret]:
    return {name: item if isinstance(item, str) else _made(Secret, item) for name, item in value.items()}


def _conditions(value: Mapping[str, Any]) -> Conditions:
    if not value:
        return ALWAYS
    return _made(Conditions, value, **dict.fromkeys((*WHEN, "status"), _condition))


def _condition(value: Mapping[str, Any]) -> Condition:
    return _made(Condition, value, include=tuple, exclude=tuple)
