"""A pipeline file's pipelines: text in, what it says out. Pure.

The file is Drone's: YAML documents of `kind: pipeline`. Keys that stand here for nothing are let be,
since the runners of each type have their own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from shipliftd.errors import shown
from shipliftd.pipelines import conditions, graphs
from shipliftd.pipelines.documents import Fields, Items, Node, Reader, Text
from shipliftd.pipelines.documents import read as read_documents
from shipliftd.pipelines.said import Pipeline, Pipelines, Secret, Step, cannot_run, counted

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


def parse(text: str) -> Pipelines:
    """The pipelines of a file. Raises Invalid with every fault, each at its line and column."""
    reader = Reader()
    documents = read_documents(text, reader)
    found = Pipelines(_Schema(reader).pipelines(documents))
    if (size := found.size_of_patterns) > MOST_PATTERNS:
        told = f"{size} characters of patterns with '*', '?', '[' or '\\'"
        reader.fault(documents[0], f"{told} in all triggers and steps: at most {MOST_PATTERNS}")
    reader.refuse()
    return counted(replace(found, warnings=reader.warnings()))


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
