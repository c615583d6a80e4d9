"""What a pipeline file says: its pipelines, their steps, the secrets that they want."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from shipliftd.pipelines import conditions, globs
from shipliftd.pipelines.conditions import ALWAYS, WHEN, Asked, Conditions

# Types whose pipelines do nothing but their steps.
STEPPED = frozenset({"docker", "kubernetes", "exec", "ssh", "digitalocean", "macstadium", "aws", "vm"})
_IN_CONTAINERS = frozenset({"docker", "kubernetes"})


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

    @cached_property
    def speaks_of_rollbacks(self) -> bool:
        """Whether a condition on the event has a pattern that a rollback matches."""
        patterns = {pattern for each in self._conditions() for pattern in each.event.patterns}
        return any(globs.matches(pattern, "rollback") for pattern in patterns)

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


def counted(said: Pipelines) -> Pipelines:
    """The same, its work counted: reading is done beside the loop where it takes long, and so is this."""
    _ = said.work
    return said
