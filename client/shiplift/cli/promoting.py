"""The commands that begin a build on another one: promote, retry, rollback."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from shiplift import ShipliftError, was_replayed
from shiplift.cli import completing
from shiplift.cli.builds import BuildArgument, EnvironmentArgument
from shiplift.cli.following import TimeoutOption, until_ended
from shiplift.cli.naming import number_of
from shiplift.cli.output import say
from shiplift.cli.pairs import pairs_of, params_of
from shiplift.cli.secret_params import SecretOption, asked_for, secret_params_of
from shiplift.cli.session import (
    RepositoryOption,
    RequestIdOption,
    Session,
    UnresolvedError,
    UsageError,
    command,
)
from shiplift.cli.showing import show_build
from shiplift.cli.slips import look_for_slip
from shiplift.v1 import builds_pb2 as pb

app = typer.Typer()

InheritedOption = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        "-p",
        metavar="KEY=VALUE",
        help="A parameter for the steps; KEY-: without the one that is inherited. May be repeated.",
    ),
]
OverrideOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="GATE=REASON",
        autocompletion=completing.gates,
        help=f"Pass a gate that fails ({', '.join(completing.OVERRIDABLE)}), and why; may be repeated.",
    ),
]
CommentOption = Annotated[str, typer.Option(help="Why, in a few words; kept on the build.")]
YesOption = Annotated[
    bool, typer.Option("--yes", help="Do not ask, though the environment wants that on a terminal.")
]
WaitOption = Annotated[bool, typer.Option("--wait", help="Wait for its end, as the command `wait` does.")]
ExpectedOption = Annotated[
    int | None,
    typer.Option(metavar="NUMBER", help="Refuse if another deployment is current there; 0: if any is."),
]


@command(
    app,
    "promote",
    "shiplift promote 42 production -p REGION=eu-west-1",
    "shiplift promote v1.4.2 staging --wait",
    "shiplift promote 42 production --secret-param DB_PASSWORD",
    "shiplift promote 42 production --override freeze='outage of the shop'",
    answers=pb.Build,
)
def promote(
    session: Session,
    build: BuildArgument,
    environment: EnvironmentArgument,
    repository: RepositoryOption = None,
    param: InheritedOption = None,
    secret_param: SecretOption = None,
    override: OverrideOption = None,
    comment: CommentOption = "",
    expected_current: ExpectedOption = None,
    despite_lost: Annotated[
        int,
        typer.Option(metavar="NUMBER", help="Promote although this promotion was lost on its way there."),
    ] = 0,
    new_environment: Annotated[
        bool, typer.Option("--new-environment", help="It is new, and its name is no slip.")
    ] = False,
    yes: YesOption = False,
    request_id: RequestIdOption = None,
    wait: WaitOption = False,
    timeout: TimeoutOption = None,
) -> None:
    """Promotes a build to an environment, and shows the new build.

    What the environment asks for may have it wait: for approvals, time, or another promotion.
    """
    _look_at_timeout(timeout, wait=wait)
    owner, repo = session.repository(repository)
    params, dropped = params_of(param or [])
    overrides = overrides_of(override)
    params |= secret_params_of(secret_param, params)
    number = number_of(session.client, owner, repo, build)
    if not new_environment:
        look_for_slip(session, owner, repo, environment)
    params |= asked_for(session, owner, repo, environment, params)
    if not yes:
        _confirm(session, owner, repo, number, environment)
    made = session.client.promote_build(
        owner=owner,
        repo=repo,
        build=number,
        target=environment,
        params=params,
        drop_params=dropped,
        expected_current=expected_current,
        despite_lost=despite_lost,
        overrides=overrides,
        comment=comment,
        request_id=request_id,
    )
    _say_made(
        made, f"promoted build {made.parent}, {_what(made)}, to {made.deploy_to} as build {made.number}"
    )
    _show_or_wait(session, made, timeout, wait=wait)


@command(app, "retry", "shiplift retry 42", "shiplift retry 42 -p REPLICAS=3", answers=pb.Build)
def retry(
    session: Session,
    build: BuildArgument,
    repository: RepositoryOption = None,
    param: InheritedOption = None,
    secret_param: SecretOption = None,
    override: OverrideOption = None,
    comment: CommentOption = "",
    yes: YesOption = False,
    request_id: RequestIdOption = None,
) -> None:
    """Starts a build that has ended once more, as a new one, and shows that."""
    owner, repo = session.repository(repository)
    params, dropped = params_of(param or [])
    overrides = overrides_of(override)
    params |= secret_params_of(secret_param, params)
    number = number_of(session.client, owner, repo, build)
    if not yes:
        _confirm(session, owner, repo, number)
    made = session.client.retry_build(
        owner=owner,
        repo=repo,
        build=number,
        params=params,
        drop_params=dropped,
        overrides=overrides,
        comment=comment,
        request_id=request_id,
    )
    _say_made(made, f"build {made.number} tries build {made.retry_of} again")
    show_build(session, made)


@command(
    app,
    "rollback",
    "shiplift rollback production --comment 'the shop is down' --wait",
    "shiplift rollback production v1.4.1 --cancel-running",
    answers=pb.Build,
)
def rollback(
    session: Session,
    environment: EnvironmentArgument,
    build: Annotated[
        str,
        typer.Argument(
            metavar="[BUILD]",
            autocompletion=completing.builds,
            help="What to put back: a promotion that succeeded there, or what was promoted by it."
            " [the newest that was there before]",
        ),
    ] = "",
    repository: RepositoryOption = None,
    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            "-p",
            metavar="KEY=VALUE",
            help="A parameter over those it had there; KEY-: without one of them. May be repeated.",
        ),
    ] = None,
    secret_param: SecretOption = None,
    cancel_running: Annotated[
        bool,
        typer.Option("--cancel-running", help="Stop what is on its way there; else this waits for it."),
    ] = False,
    comment: CommentOption = "",
    expected_current: ExpectedOption = None,
    yes: YesOption = False,
    request_id: RequestIdOption = None,
    wait: WaitOption = False,
    timeout: TimeoutOption = None,
) -> None:
    """Puts back what was in an environment before, and shows the new build.

    It passes over holds, freezes, approvals and whatever else an environment asks of promotions, which is
    kept on the build; with other parameters than it had there, it waits for approvals. Machine users deploy
    there again after `resume`.
    """
    _look_at_timeout(timeout, wait=wait)
    owner, repo = session.repository(repository)
    params, dropped = params_of(param or [])
    params |= secret_params_of(secret_param, params)
    number = number_of(session.client, owner, repo, build) if build else None
    if not yes:
        _confirm(session, owner, repo, number or 0, environment, is_rollback=True)
    made = session.client.rollback_build(
        owner=owner,
        repo=repo,
        target=environment,
        build=number,
        params=params,
        drop_params=dropped,
        expected_current=expected_current,
        cancel_running=cancel_running,
        comment=comment,
        request_id=request_id,
    )
    replaced = f", in place of {made.rollback_of}" if made.rollback_of else ""
    told = f"rolls {made.deploy_to} back to build {made.parent}, {_what(made)}, as build {made.number}"
    _say_made(made, f"{told}{replaced}")
    _show_or_wait(session, made, timeout, wait=wait)


def overrides_of(given: Sequence[str] | None) -> list[pb.Override]:
    """The gates that `--override GATE=REASON` passes. Raises UsageError."""
    pairs = pairs_of("--override", given or [], "GATE=REASON")
    return [pb.Override(gate=gate, reason=reason) for gate, reason in pairs.items()]


def _look_at_timeout(timeout: float | None, *, wait: bool) -> None:
    if timeout is not None and not wait:
        raise UsageError("--timeout says how long to wait: it goes with --wait")


def _confirm(
    session: Session,
    owner: str,
    repo: str,
    number: int,
    environment: str = "",
    *,
    is_rollback: bool = False,
) -> None:
    """Asks on a terminal, where an environment wants that; of a retry it is that of the build.

    A rollback to no build that is named has the number 0. Raises UnresolvedError when it is not meant.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return
    try:
        if not environment:
            environment = session.client.get_build(owner=owner, repo=repo, build=number).deploy_to
        rules = session.client.get_environment(owner=owner, repo=repo, environment=environment)
    except ShipliftError:
        # It is not declared; a token that may promote need not be one that may read; or the call itself
        # says what is wrong.
        return
    if not rules.confirm:
        return
    question, nothing = f"Promote build {number} of {owner}/{repo} to {environment}", "promoted to"
    if is_rollback:
        to = f"build {number}" if number else "what was there before"
        question, nothing = f"Roll {environment} of {owner}/{repo} back to {to}", "rolled back in"
    if not typer.confirm(question, err=True):
        raise UnresolvedError(f"nothing was {nothing} {environment}")


def _what(made: pb.Build) -> str:
    return f"release {made.release or '(none)'}, commit {made.after[:12] or '(none)'}"


def _say_made(made: pb.Build, told: str) -> None:
    earlier = " (by an earlier call)" if was_replayed() else ""
    say(f"{made.owner}/{made.repo}: {told}{earlier}")
    if made.status == pb.BUILD_STATUS_BLOCKED:
        say(
            f"It waits for people to approve it: shiplift approve {made.number} -R {made.owner}/{made.repo}"
        )
    if made.event == pb.BUILD_EVENT_ROLLBACK:
        slug = f"{made.owner}/{made.repo}"
        say(f"Machine users deploy there again after: shiplift resume {made.deploy_to} -R {slug}")


def _show_or_wait(session: Session, made: pb.Build, timeout: float | None, *, wait: bool) -> None:
    if wait:
        until_ended(session, made, timeout)
    else:
        show_build(session, made)
