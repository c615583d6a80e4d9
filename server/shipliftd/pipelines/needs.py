"""What the stages of a new build need that this server may not have: secrets, something to clone. Pure."""

from collections.abc import Iterable, Iterator

from shipliftd.errors import Precondition
from shipliftd.pipelines import Pipeline, Pipelines, Secret
from shipliftd.pipelines.conditions import WHEN, Answers, Facts

_MOST_TOLD = 10


def secrets(said: Pipelines, pipelines: Iterable[Pipeline], facts: Facts) -> dict[str, list[str]]:
    """The secrets that what would run of these pipelines of a file wants, and what wants each."""
    wanted: dict[str, list[str]] = {}
    answers = Answers(facts, said.asked)
    for pipeline in pipelines:
        for secret, where in _secrets(pipeline, answers):
            wanted.setdefault(secret, []).append(where)
    return wanted


def require_secrets(slug: str, wanted: dict[str, list[str]]) -> None:
    """Raises Precondition, naming them, when secrets are wanted."""
    if not wanted:
        return
    owner, _, repo = slug.partition("/")
    first = list(wanted.items())[:_MOST_TOLD]
    told = "; ".join(f"{name!r} by {', '.join(where[:3])}" for name, where in first)
    more = f"; and {len(wanted) - _MOST_TOLD} more" if len(wanted) > _MOST_TOLD else ""
    raise Precondition(
        f"secrets are wanted, and this server has none to give: {told}{more}. Where the runners of {slug}"
        f" bring them, an admin of it can say so: shiplift repo set {slug} --runner-secrets",
        reason="SECRETS_MISSING",
        violations=[(name, f"is wanted by {', '.join(where)}") for name, where in wanted.items()],
        metadata={"owner": owner, "repo": repo},
    )


def clone_warning(slug: str, pipelines: Iterable[Pipeline]) -> str:
    """What to tell where pipelines clone a repository of which nobody has said from where; else nothing."""
    names = [pipeline.name for pipeline in pipelines if not pipeline.clone_disabled]
    if not names:
        return ""
    some = ", ".join(names[:_MOST_TOLD]) + (" and others" if len(names) > _MOST_TOLD else "")
    return (
        f"the repository is cloned by {some}, and nobody has said from where:"
        f" shiplift repo set {slug} --git-url URL, or clone: {{disable: true}} in the pipeline file"
    )


def _secrets(pipeline: Pipeline, answers: Answers) -> Iterator[tuple[str, str]]:
    """The secrets that a pipeline wants for these facts, and what wants each."""
    of_all = [*_in(pipeline.environment.values()), *pipeline.secrets]
    for step in pipeline.steps:
        own = [*_in(step.environment.values()), *step.secrets]
        if own and not answers.failed(step.when, WHEN):
            for name in dict.fromkeys(own):
                yield name, f"step {step.name} of pipeline {pipeline.name}"
    if of_all and any(not answers.failed(step.when, WHEN) for step in pipeline.steps):
        for name in dict.fromkeys(of_all):
            yield name, f"pipeline {pipeline.name}"


def _in(values: Iterable[str | Secret]) -> Iterator[str]:
    return (value.from_secret for value in values if isinstance(value, Secret))
