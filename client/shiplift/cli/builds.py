"""The commands about builds: promote, retry, cancel, show, builds."""

import itertools
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, get_args

import typer

from shiplift import Denied, was_replayed
from shiplift._methods import BuildEventWord, BuildStatusWord
from shiplift._waiting import ENDED
from shiplift.cli import completing
from shiplift.cli.following import TimeoutOption, until_ended
from shiplift.cli.naming import number_of
from shiplift.cli.output import first_line, put, say, when, word
from shiplift.cli.pairs import params_of
from shiplift.cli.session import (
    RepositoryOption,
    RequestIdOption,
    Session,
    UnresolvedError,
    UsageError,
    chosen,
    command,
)
from shiplift.cli.slips import look_for_slip
from shiplift.cli.tables import Column, put_fields, put_table
from shiplift.v1 import builds_pb2 as pb

app = typer.Typer()

EVENTS: tuple[BuildEventWord, ...] = get_args(BuildEventWord)
STATUSES: tuple[BuildStatusWord, ...] = get_args(BuildStatusWord)

BuildArgument = Annotated[
    str,
    typer.Argument(
        metavar="BUILD",
        autocompletion=completing.builds,
        help="Its number, release, external id or commit (7 digits on); latest, latest@BRANCH or a branch:"
        " the newest that succeeded; an environment: what is there.",
    ),
]
EnvironmentArgument = Annotated[
    str,
    typer.Argument(
        metavar="ENVIRONMENT", autocompletion=completing.environments, help="Where to, such as production."
    ),
]
ParameterOption = Annotated[
    list[str] | None,
    typer.Option("--param", "-p", metavar="KEY=VALUE", help="A parameter for the steps; may be repeated."),
]


InheritedOption = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        "-p",
        metavar="KEY=VALUE",
        help="A parameter for the steps; KEY-: without the one that is inherited. May be repeated.",
    ),
]


@command(
    app,
    "promote",
    "shiplift promote 42 production -p REGION=eu-west-1",
    "shiplift promote v1.4.2 staging --wait",
    answers=pb.Build,
)
def promote(
    session: Session,
    build: BuildArgument,
    environment: EnvironmentArgument,
    repository: RepositoryOption = None,
    param: InheritedOption = None,
    expected_current: Annotated[
        int | None,
        typer.Option(metavar="NUMBER", help="Refuse if another deployment is current there; 0: if any is."),
    ] = None,
    despite_lost: Annotated[
        int,
        typer.Option(metavar="NUMBER", help="Promote although this promotion was lost on its way there."),
    ] = 0,
    new_environment: Annotated[
        bool, typer.Option("--new-environment", help="It is new, and its name is no slip.")
    ] = False,
    request_id: RequestIdOption = None,
    wait: Annotated[
        bool,
        typer.Option("--wait", help="Wait for its end, as the command `wait` does."),
    ] = False,
    timeout: TimeoutOption = None,
) -> None:
    """Promotes a build to an environment, and shows the new build."""
    if timeout is not None and not wait:
        raise UsageError("--timeout says how long to wait: it goes with --wait")
    owner, repo = session.repository(repository)
    params, dropped = params_of(param or [])
    number = number_of(session.client, owner, repo, build)
    if not new_environment:
        look_for_slip(session, owner, repo, environment)
    made = session.client.promote_build(
        owner=owner,
        repo=repo,
        build=number,
        target=environment,
        params=params,
        drop_params=dropped,
        expected_current=expected_current,
        despite_lost=despite_lost,
        request_id=request_id,
    )
    earlier = " (by an earlier call)" if was_replayed() else ""
    say(
        f"{made.owner}/{made.repo}: promoted build {made.parent}, release {made.release or '(none)'},"
        f" commit {made.after[:12] or '(none)'}, to {made.deploy_to} as build {made.number}{earlier}"
    )
    if wait:
        until_ended(session, made, timeout)
    else:
        _show_build(session, made)


@command(app, "retry", "shiplift retry 42", "shiplift retry 42 -p REPLICAS=3", answers=pb.Build)
def retry(
    session: Session,
    build: BuildArgument,
    repository: RepositoryOption = None,
    param: InheritedOption = None,
    request_id: RequestIdOption = None,
) -> None:
    """Starts a build that has ended once more, as a new one, and shows that."""
    owner, repo = session.repository(repository)
    params, dropped = params_of(param or [])
    number = number_of(session.client, owner, repo, build)
    made = session.client.retry_build(
        owner=owner, repo=repo, build=number, params=params, drop_params=dropped, request_id=request_id
    )
    earlier = " (by an earlier call)" if was_replayed() else ""
    say(f"{made.owner}/{made.repo}: build {made.number} tries build {made.retry_of} again{earlier}")
    _show_build(session, made)


@command(app, "cancel", "shiplift cancel 42", answers=pb.Build)
def cancel(
    session: Session,
    build: BuildArgument,
    repository: RepositoryOption = None,
    request_id: RequestIdOption = None,
) -> None:
    """Stops a build: what runs is ended, what waits is left out."""
    owner, repo = session.repository(repository)
    number = number_of(session.client, owner, repo, build)
    _refuse_if_ended(session, owner, repo, number)
    stopped = session.client.cancel_build(owner=owner, repo=repo, build=number, request_id=request_id)
    told = f"build {stopped.number} is {word(pb.BuildStatus, stopped.status)}"
    session.show(stopped, lambda: put(f"{stopped.owner}/{stopped.repo}: {told}"))


def _refuse_if_ended(session: Session, owner: str, repo: str, number: int) -> None:
    # The server takes it, as a repeat of the call that ended the build would be; whoever types it is late.
    with suppress(Denied):
        found = session.client.get_build(owner=owner, repo=repo, build=number)
        if found.status in ENDED:
            told = f"build {number} of {owner}/{repo} has ended in {word(pb.BuildStatus, found.status)}"
            raise UnresolvedError(f"{told}: there is nothing to stop")


@command(app, "show", "shiplift show 42", "shiplift show v1.4.2 -R octocat/hello-world", answers=pb.Build)
def show(session: Session, build: BuildArgument, repository: RepositoryOption = None) -> None:
    """Shows a build with its parameters, stages and steps."""
    owner, repo = session.repository(repository)
    number = number_of(session.client, owner, repo, build)
    _show_build(session, session.client.get_build(owner=owner, repo=repo, build=number))


@command(
    app,
    "builds",
    "shiplift builds --environment production --status success",
    "shiplift builds --branch main -n 5",
    answers=pb.Build,
)
def builds(
    session: Session,
    repository: RepositoryOption = None,
    event: Annotated[
        list[str] | None,
        typer.Option(metavar="EVENT", help=f"Only of this event ({', '.join(EVENTS)}); may be repeated."),
    ] = None,
    status: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STATUS", help=f"Only of this status ({', '.join(STATUSES)}); may be repeated."
        ),
    ] = None,
    environment: Annotated[
        str | None,
        typer.Option(
            "--environment",
            "-e",
            autocompletion=completing.environments,
            help="Only promotions and rollbacks to it.",
        ),
    ] = None,
    release: Annotated[str | None, typer.Option(help="Only of this release.")] = None,
    commit: Annotated[str | None, typer.Option(metavar="HASH", help="Only of this commit.")] = None,
    branch: Annotated[str | None, typer.Option(help="Only of this git branch.")] = None,
    origin: Annotated[
        int, typer.Option(metavar="NUMBER", help="Only this build and what was promoted from it.")
    ] = 0,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at the most.")] = 20,
) -> None:
    """Lists builds, newest first."""
    owner, repo = session.repository(repository)
    found = session.client.iterate_builds(
        owner=owner,
        repo=repo,
        events=chosen("--event", event, EVENTS),
        statuses=chosen("--status", status, STATUSES),
        environment=environment or "",
        release=release or "",
        commit=(commit or "").lower(),
        ref=f"refs/heads/{branch}" if branch else "",
        origin=origin,
        page_size=min(limit, 1000),
    )
    listed = list(itertools.islice(found, limit))
    filters = (event, status, environment, release, commit, branch, origin)
    session.show(
        listed,
        lambda: put_table(_BUILD_COLUMNS, map(_row, listed), wide=session.wide),
        f"No builds of {owner}/{repo}{' that fit' if any(filters) else ''}.",
    )


_BUILD_COLUMNS = (
    Column("BUILD"),
    Column("STATUS"),
    Column("EVENT", 6),
    Column("ENVIRONMENT", 1),
    Column("RELEASE", 2),
    Column("COMMIT"),
    Column("BRANCH", 7),
    Column("BY", 4),
    Column("CREATED", 3),
    Column("MESSAGE", 5, is_text=True),
)


def _row(build: pb.Build) -> Sequence[str]:
    return (
        str(build.number),
        word(pb.BuildStatus, build.status),
        _event(build),
        build.deploy_to,
        build.release,
        build.after[:8],
        build.target,
        build.trigger,
        when(build, "created")[:16],
        first_line(build.title or build.message),
    )


def _event(build: pb.Build) -> str:
    event = word(pb.BuildEvent, build.event)
    return f"{event} of {build.parent}" if build.parent else event


def _show_build(session: Session, build: pb.Build) -> None:
    session.show(build, lambda: _put_build(build, wide=session.wide))


def _put_build(build: pb.Build, *, wide: bool) -> None:
    author = f"{build.author_name} <{build.author_email}>" if build.author_email else build.author_name
    put_fields(
        (
            ("repository", f"{build.owner}/{build.repo}"),
            ("build", str(build.number)),
            ("status", word(pb.BuildStatus, build.status)),
            ("error", build.error),
            ("waiting for", build.waiting_for),
            ("warnings", "\n".join(build.warnings)),
            ("event", _event(build)),
            ("environment", build.deploy_to),
            ("release", build.release),
            ("commit", build.after),
            ("branch", build.target),
            ("ref", build.ref),
            ("title", build.title),
            ("message", build.message),
            ("author", author or build.author_login),
            ("link", build.link),
            ("external id", build.external_id),
            ("retry of", str(build.retry_of or "")),
            ("by", build.trigger),
            ("created", when(build, "created")),
            ("started", when(build, "started")),
            ("finished", when(build, "finished")),
            ("artifacts", "\n".join(f"{each.name} {each.uri} {each.digest}" for each in build.artifacts)),
            ("params", "\n".join(f"{name}={value}" for name, value in sorted(build.params.items()))),
        )
    )
    if build.stages:
        put("")
        put_table(_STAGE_COLUMNS, map(_stage_row, build.stages), wide=wide)
    steps = [_step_row(stage, step) for stage in build.stages for step in stage.steps]
    if steps:
        put("")
        put_table(_STEP_COLUMNS, steps, wide=wide)


_STAGE_COLUMNS = (
    Column("STAGE"),
    Column("NAME"),
    Column("STATUS"),
    Column("KIND", 3),
    Column("TYPE", 4),
    Column("PLATFORM", 5),
    Column("MESSAGE", 1, is_text=True),
    Column("LINK", 2),
)


def _stage_row(stage: pb.Stage) -> Sequence[str]:
    return (
        str(stage.number),
        stage.name,
        word(pb.BuildStatus, stage.status),
        stage.kind,
        stage.type,
        "/".join(filter(None, (stage.os, stage.arch))),
        stage.error or stage.message,
        stage.link,
    )


_STEP_COLUMNS = (
    Column("STEP"),
    Column("NAME"),
    Column("STATUS"),
    Column("EXIT", 1),
    Column("BEGAN", 3),
    Column("ENDED", 4),
    Column("ERROR", 2, is_text=True),
)


def _step_row(stage: pb.Stage, step: pb.Step) -> Sequence[str]:
    return (
        f"{stage.number}/{step.number}",
        step.name,
        word(pb.BuildStatus, step.status),
        str(step.exit_code or ""),
        when(step, "started")[11:19],
        when(step, "stopped")[11:19],
        step.error,
    )
