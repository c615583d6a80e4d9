"""What a runner does for a stage: the environment of all its steps, and each step. Pure.

Parameters go into values, never into the file's text, so none can add a step or a key, and no value
becomes a part of a command; and what Drone's runners set themselves (`DRONE_*`, `CI`) no parameter
replaces, neither in the environment nor in `${VAR}`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from shipliftd.pipelines import MOST_NAME, Pipeline, Secret, Step, graphs, versions
from shipliftd.pipelines.commands import Commands, shell_of
from shipliftd.pipelines.conditions import WHEN, Answers, Facts, asked
from shipliftd.pipelines.substitution import Substitution

MOST_BYTES = 1024 * 1024

# These are other than they seem before a step runs; Drone's `${VAR}` does not know them either.
RUNTIME = frozenset(
    {
        "DRONE_FAILED_STEPS",
        *("DRONE_BUILD_STATUS", "DRONE_BUILD_CREATED", "DRONE_BUILD_STARTED", "DRONE_BUILD_FINISHED"),
        *("DRONE_STAGE_STATUS", "DRONE_STAGE_STARTED", "DRONE_STAGE_FINISHED"),
        *("DRONE_STEP_NAME", "DRONE_STEP_NUMBER"),
    }
)
_NO_NAME = re.compile(r"[^A-Za-z0-9]")
_PULL_REQUEST = re.compile(r"refs/(?:pull|pull-requests|merge-requests)/([0-9]+)(?:/.*)?", re.DOTALL)


class Artifact(NamedTuple):
    """What the build produced."""

    name: str
    uri: str
    digest: str


@dataclass(frozen=True, slots=True)
class Previous:
    """What is in the environment that the build goes to; zero and empty for nothing."""

    build: int = 0
    release: str = ""
    commit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildFacts:
    """The build; times are Unix seconds, `status` success until something failed, `link` the commit's.

    `origin` is the recorded build that it deploys, itself where it is none; `traceparent` the trace that it
    was asked for in, '' without one.
    """

    number: int = 0
    parent: int = 0
    event: str = ""
    action: str = ""
    status: str = "success"
    created: int = 0
    started: int = 0
    finished: int = 0
    link: str = ""
    title: str = ""
    message: str = ""
    before: str = ""
    after: str = ""
    ref: str = ""
    source: str = ""
    target: str = ""
    deploy_to: str = ""
    author_login: str = ""
    author_name: str = ""
    author_email: str = ""
    author_avatar: str = ""
    trigger: str = ""
    failed_stages: tuple[str, ...] = ()
    origin: int = 0
    release: str = ""
    external_id: str = ""
    artifacts: tuple[Artifact, ...] = ()
    previous: Previous = Previous()
    traceparent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryFacts:
    """The repository; `branch` is its default one."""

    owner: str = ""
    name: str = ""
    scm: str = ""
    link: str = ""
    branch: str = ""
    visibility: str = ""
    private: bool = False
    git_http_url: str = ""
    git_ssh_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageFacts:
    """The stage, and the machine that runs it."""

    number: int = 0
    name: str = ""
    kind: str = ""
    type: str = ""
    machine: str = ""
    os: str = ""
    arch: str = ""
    variant: str = ""
    status: str = "success"
    started: int = 0
    finished: int = 0
    depends_on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemFacts:
    """This server; `link` is the page under which builds have theirs, if there is one."""

    proto: str = ""
    host: str = ""
    hostname: str = ""
    version: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """All that the built-in variables are made of."""

    build: BuildFacts = BuildFacts()
    repository: RepositoryFacts = RepositoryFacts()
    stage: StageFacts = StageFacts()
    system: SystemFacts = SystemFacts()


class PlannedStep(NamedTuple):
    """A step that runs; it begins when those that it depends on have ended (a detached one: begun).

    Its environment comes on top of that of all steps.
    """

    number: int
    name: str
    image: str
    commands: tuple[str, ...]
    environment: Mapping[str, str | Secret]
    ignore_failure: bool
    detached: bool
    privileged: bool
    shell: str
    on_success: bool
    on_failure: bool
    depends_on: tuple[str, ...]


def environment(inputs: Inputs, params: Mapping[str, str]) -> dict[str, str]:
    """What every step of a stage finds in its environment: built-in variables, and parameters.

    TRACEPARENT is left out where there is no trace: a library would have to make something of an empty one.
    """
    traced = {"TRACEPARENT": inputs.build.traceparent} if inputs.build.traceparent else {}
    return {**params, **_built_in(inputs), **traced}


def steps(pipeline: Pipeline, facts: Facts, common: Mapping[str, str]) -> tuple[PlannedStep, ...]:
    """The steps of a pipeline whose conditions let the build through, with their variables put in.

    `common` is what `environment` made. Raises Invalid when they come to more than is taken.
    """
    put_in = Substitution(substituted(common), MOST_BYTES)
    answers = Answers(facts, asked(step.when for step in pipeline.steps))
    kept = [step for step in pipeline.steps if not answers.failed(step.when, WHEN)]
    names = _names(kept, put_in)
    waits_for = graphs.skipping({step.name: step.depends_on for step in pipeline.steps}, names)
    shared = _put_into(pipeline.environment, put_in)
    shared = {name: value for name, value in shared.items() if name not in BUILT_IN}
    planned = []
    for number, step in enumerate(kept, start=1):
        put_in.count(*shared, *(value for value in shared.values() if isinstance(value, str)))
        depends_on = tuple(names[name] for name in waits_for[step.name])
        own = shared | _put_into(step.environment, put_in)
        command = Commands(put_in, shell_of(pipeline.os, step.shell), own.keys() | common.keys())
        planned.append(_planned(step, number, names[step.name], depends_on, own, command))
    return tuple(planned)


def substituted(common: Mapping[str, str]) -> dict[str, str]:
    """The variables that are put in for `${VAR}`, of those that `environment` made."""
    return {name: value for name, value in common.items() if name not in RUNTIME}


def _planned(
    step: Step,
    number: int,
    name: str,
    depends_on: tuple[str, ...],
    own: Mapping[str, str | Secret],
    command: Commands,
) -> PlannedStep:
    command.put_in.count(*depends_on, step.shell)
    commands = tuple(map(command, step.commands))
    named = {"DRONE_STEP_NAME": name, "DRONE_STEP_NUMBER": str(number)}
    return PlannedStep(
        number=number,
        name=name,
        image=command.put_in(step.image),
        commands=commands,
        environment={**own, **named, **command.made},
        ignore_failure=step.ignore_failure,
        detached=step.detach,
        privileged=step.privileged,
        # The program that runs a step is no caller's to choose.
        shell=step.shell,
        on_success=step.when.on_success,
        on_failure=step.when.on_failure,
        depends_on=depends_on,
    )


def _put_into(values: Mapping[str, str | Secret], put_in: Substitution) -> dict[str, str | Secret]:
    put_in.count(*values)
    return {
        name: put_in(value) if isinstance(value, str) else Secret(put_in(value.from_secret))
        for name, value in values.items()
    }


def _names(kept: Iterable[Step], put_in: Substitution) -> dict[str, str]:
    """What each step is called: with the variables in it, unless that is no name or another step's."""
    names = {step.name: step.name for step in kept}
    taken = set(names)
    for step_name in names:
        name = put_in(step_name)
        if name.isprintable() and 0 < len(name) <= MOST_NAME and name not in taken:
            names[step_name] = name
            taken.add(name)
    return names


def _built_in(inputs: Inputs) -> dict[str, str]:
    return {
        "CI": "true",
        "DRONE": "true",
        **_of_build(inputs.build),
        **_of_repository(inputs.repository),
        **_of_stage(inputs.stage),
        "DRONE_SYSTEM_PROTO": inputs.system.proto,
        "DRONE_SYSTEM_HOST": inputs.system.host,
        "DRONE_SYSTEM_HOSTNAME": inputs.system.hostname,
        "DRONE_SYSTEM_VERSION": inputs.system.version,
        "DRONE_BUILD_LINK": _page(inputs),
        **_ours(inputs),
    }


def _ours(inputs: Inputs) -> dict[str, str]:
    """What Drone has no word for, or a deployer that knows no Drone would look for under our own name."""
    build = inputs.build
    return {
        "SHIPLIFT_REPO": _slug(inputs.repository),
        "SHIPLIFT_BUILD": _number(build.number),
        "SHIPLIFT_PARENT": _number(build.parent),
        "SHIPLIFT_ORIGIN": _number(build.origin),
        "SHIPLIFT_EVENT": build.event,
        "SHIPLIFT_ENVIRONMENT": build.deploy_to,
        "SHIPLIFT_RELEASE": build.release,
        "SHIPLIFT_COMMIT": build.after,
        "SHIPLIFT_REF": build.ref,
        "SHIPLIFT_BRANCH": build.target,
        "SHIPLIFT_EXTERNAL_ID": build.external_id,
        "SHIPLIFT_TRIGGER": build.trigger,
        "SHIPLIFT_LINK": _page(inputs),
        "SHIPLIFT_PREVIOUS_BUILD": _number(build.previous.build),
        "SHIPLIFT_PREVIOUS_RELEASE": build.previous.release,
        "SHIPLIFT_PREVIOUS_COMMIT": build.previous.commit,
        **_of_artifacts(build.artifacts),
    }


def _of_artifacts(artifacts: Iterable[Artifact]) -> dict[str, str]:
    """Where each is, and its digest; of several that come to one name the first."""
    found: dict[str, str] = {}
    for name, uri, digest in artifacts:
        stem = f"SHIPLIFT_ARTIFACT_{_NO_NAME.sub('_', name).upper()}"
        found.setdefault(stem, uri)
        found.setdefault(f"{stem}_DIGEST", digest)
    return found


def _of_build(build: BuildFacts) -> dict[str, str]:
    tag = build.ref.removeprefix("refs/tags/") if build.ref.startswith("refs/tags/") else ""
    pull_request = _PULL_REQUEST.fullmatch(build.ref)
    return {
        "DRONE_BUILD_NUMBER": _number(build.number),
        "DRONE_BUILD_PARENT": _number(build.parent),
        "DRONE_BUILD_EVENT": build.event,
        "DRONE_BUILD_ACTION": build.action,
        "DRONE_BUILD_STATUS": build.status,
        "DRONE_BUILD_CREATED": _number(build.created),
        "DRONE_BUILD_STARTED": _number(build.started),
        "DRONE_BUILD_FINISHED": _number(build.finished),
        "DRONE_BUILD_TRIGGER": build.trigger,
        "DRONE_DEPLOY_TO": build.deploy_to,
        "DRONE_COMMIT": build.after,
        "DRONE_COMMIT_SHA": build.after,
        "DRONE_COMMIT_BEFORE": build.before,
        "DRONE_COMMIT_AFTER": build.after,
        "DRONE_COMMIT_REF": build.ref,
        "DRONE_COMMIT_BRANCH": build.target,
        "DRONE_COMMIT_LINK": build.link,
        "DRONE_COMMIT_MESSAGE": build.message,
        "DRONE_COMMIT_AUTHOR": build.author_login,
        "DRONE_COMMIT_AUTHOR_NAME": build.author_name,
        "DRONE_COMMIT_AUTHOR_EMAIL": build.author_email,
        "DRONE_COMMIT_AUTHOR_AVATAR": build.author_avatar,
        "DRONE_BRANCH": build.target,
        "DRONE_SOURCE_BRANCH": build.source,
        "DRONE_TARGET_BRANCH": build.target,
        "DRONE_TAG": tag,
        **versions.semver(tag),
        **versions.calver(tag),
        "DRONE_PULL_REQUEST": pull_request[1] if pull_request is not None else "",
        "DRONE_PULL_REQUEST_TITLE": build.title if pull_request is not None else "",
        "DRONE_FAILED_STAGES": ",".join(build.failed_stages),
        # A runner has its own, as they fail.
        "DRONE_FAILED_STEPS": "",
    }


def _of_repository(repository: RepositoryFacts) -> dict[str, str]:
    return {
        "DRONE_REPO": _slug(repository),
        "DRONE_REPO_SCM": repository.scm,
        "DRONE_REPO_OWNER": repository.owner,
        "DRONE_REPO_NAMESPACE": repository.owner,
        "DRONE_REPO_NAME": repository.name,
        "DRONE_REPO_LINK": repository.link,
        "DRONE_REPO_BRANCH": repository.branch,
        "DRONE_REPO_VISIBILITY": repository.visibility,
        "DRONE_REPO_PRIVATE": "true" if repository.private else "false",
        "DRONE_GIT_HTTP_URL": repository.git_http_url,
        "DRONE_GIT_SSH_URL": repository.git_ssh_url,
        "DRONE_REMOTE_URL": repository.git_http_url,
    }


def _of_stage(stage: StageFacts) -> dict[str, str]:
    return {
        "DRONE_STAGE_KIND": stage.kind,
        "DRONE_STAGE_TYPE": stage.type,
        "DRONE_STAGE_NAME": stage.name,
        "DRONE_STAGE_NUMBER": _number(stage.number),
        "DRONE_STAGE_MACHINE": stage.machine,
        "DRONE_STAGE_OS": stage.os,
        "DRONE_STAGE_ARCH": stage.arch,
        "DRONE_STAGE_VARIANT": stage.variant,
        "DRONE_STAGE_STATUS": stage.status,
        "DRONE_STAGE_STARTED": _number(stage.started),
        "DRONE_STAGE_FINISHED": _number(stage.finished),
        "DRONE_STAGE_DEPENDS_ON": ",".join(stage.depends_on),
    }


def _slug(repository: RepositoryFacts) -> str:
    return f"{repository.owner}/{repository.name}" if repository.name else ""


def _page(inputs: Inputs) -> str:
    if not inputs.system.link:
        return ""
    return f"{inputs.system.link.rstrip('/')}/{_slug(inputs.repository)}/{inputs.build.number}"


def _number(value: int) -> str:
    return str(value) if value else ""


BUILT_IN = frozenset(_built_in(Inputs()))
