"""What the stages of a new build need that this server may not have: secrets, something to clone. Pure."""

from collections.abc import Container, Iterable, Iterator

from shipliftd.errors import Precondition
from shipliftd.pipelines import Pipeline, Pipelines, Secret
from shipliftd.pipelines.conditions import WHEN, Answers, Facts

_MOST_TOLD = 10
_WITHHELD = " (it is there, but not for pull requests: --pull-requests has them get it)"


def secrets(said: Pipelines, pipelines: Iterable[Pipeline], facts: Facts) -> dict[str, list[str]]:
    """The secrets that what would run of these pipelines of a file wants, and what wants each."""
    wanted: dict[str, list[str]] = {}
    answers = Answers(facts, said.asked)
    for pipeline in pipelines:
        for secret, where in _secrets(pipeline, answers):
            wanted.setdefault(secret, []).append(where)
    return wanted


def require_secrets(slug: str, missing: dict[str, list[str]], withheld: Container[str]) -> None:
    """Raises Precondition, naming them, when wanted secrets are missing, or not for pull requests."""
    if not missing:
        return
    owner, _, repo = slug.partition("/")
    why = {name: _WITHHELD if name in withheld else "" for name in missing}
    first = list(missing.items())[:_MOST_TOLD]
    told = "; ".join(f"{name!r} by {', '.join(where[:3])}{why[name]}" for name, where in first)
    more = f"; and {len(missing) - _MOST_TOLD} more" if len(missing) > _MOST_TOLD else ""
    raise Precondition(
        f"secrets are wanted that there are not: {told}{more}. An admin of {slug} can set each:"
        f" shiplift secret set NAME -R {slug}. Where its runners bring them, they can say so:"
        f" shiplift repo set {slug} --runner-secrets",
        reason="SECRETS_MISSING",
        violations=[
            (name, f"is wanted by {', '.join(where)}{why[name]}") for name, where in missing.items()
        ],
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
