"""The commands about a promotion to come: explain, diff, approve, decline."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated

import typer

from shiplift import ShipliftError
from shiplift.cli import completing
from shiplift.cli.builds import BuildArgument, EnvironmentArgument
from shiplift.cli.differing import put_diff, summary
from shiplift.cli.following import state
from shiplift.cli.naming import number_of
from shiplift.cli.output import put, say
from shiplift.cli.pairs import params_of
from shiplift.cli.promoting import InheritedOption, OverrideOption, overrides_of
from shiplift.cli.session import REFUSED, RepositoryOption, RequestIdOption, Session, UsageError, command
from shiplift.cli.showing import put_stages, put_verdicts, shown_params
from shiplift.cli.tables import put_fields
from shiplift.v1 import builds_pb2 as pb

app = typer.Typer()

BlockedArgument = Annotated[
    str,
    typer.Argument(
        metavar="BUILD",
        autocompletion=completing.blocked_builds,
        help="The promotion: its number, as `envs` and `builds --status blocked` show it.",
    ),
]


@command(
    app,
    "explain",
    "shiplift explain 42 production",
    "shiplift explain v1.4.2 production -p REGION=eu-west-1 --json=verdicts",
    answers=pb.ExplainPromotionResponse,
)
def explain(
    session: Session,
    build: BuildArgument,
    environment: EnvironmentArgument,
    repository: RepositoryOption = None,
    param: InheritedOption = None,
    override: OverrideOption = None,
) -> None:
    """Shows what each gate says of a promotion, and who clears it, without promoting anything.

    Below are the parameters that it would have, and its stages. Exit code 0: it would go, now or after
    waiting; 1: it would be refused. With -o name, the gates that are against it.
    """
    owner, repo = session.repository(repository)
    params, dropped = params_of(param or [])
    overrides = overrides_of(override)
    number = number_of(session.client, owner, repo, build)
    said = session.client.explain_promotion(
        owner=owner,
        repo=repo,
        build=number,
        target=environment,
        params=params,
        drop_params=dropped,
        overrides=overrides,
    )
    told = f"build {number} of {owner}/{repo} {_outcome(said.verdicts, environment)}"
    session.show(said, lambda: _put(said, told, wide=session.wide))
    failed = _gates(said.verdicts, pb.GATE_RESULT_FAILED)
    passable = [gate for gate in failed if gate in completing.OVERRIDABLE]
    if passable and not session.for_programs:
        say(f"A site admin, or whom {environment} names, can pass with --override: {', '.join(passable)}")
    if failed:
        raise typer.Exit(REFUSED)


def _outcome(verdicts: Sequence[pb.Verdict], environment: str) -> str:
    """What PromoteBuild would do."""
    if failed := _gates(verdicts, pb.GATE_RESULT_FAILED):
        return f"may not go to {environment}: {', '.join(failed)}"
    if waiting := _gates(verdicts, pb.GATE_RESULT_WAITING):
        return f"may go to {environment}, and would wait: {', '.join(waiting)}"
    return f"may go to {environment}"


def _gates(verdicts: Sequence[pb.Verdict], result: pb.GateResult) -> list[str]:
    return [each.gate for each in verdicts if each.result == result]


def _put(said: pb.ExplainPromotionResponse, told: str, *, wide: bool) -> None:
    put(told)
    if said.HasField("diff"):
        put(summary(said.diff))
    put("")
    put_verdicts(said.verdicts, wide=wide)
    if said.build.params or said.build.masked_params:
        put("")
        put_fields((("params", shown_params(said.build)),))
    if said.build.stages:
        put("")
        put_stages(said.build, wide=wide)


@command(
    app,
    "diff",
    "shiplift diff 42 production",
    "shiplift diff v1.4.2 production -p REGION=eu-west-1",
    "shiplift diff 43",
    answers=pb.DiffPromotionResponse,
)
def diff(
    session: Session,
    build: BuildArgument,
    environment: Annotated[
        str,
        typer.Argument(
            metavar="[ENVIRONMENT]",
            autocompletion=completing.environments,
            help="Where to, such as production; left out, the build is a promotion itself.",
        ),
    ] = "",
    repository: RepositoryOption = None,
    param: InheritedOption = None,
) -> None:
    """Shows what a promotion would change: what is there, what would come, and what lies between.

    That is the builds recorded between the two, a page that compares their commits, and the parameters and
    artifacts that change. With -o name, the numbers of the builds between.
    """
    owner, repo = session.repository(repository)
    params, dropped = params_of(param or [])
    if param and not environment:
        raise UsageError("--param goes with an ENVIRONMENT: a promotion has its parameters already")
    found = session.client.diff_promotion(
        owner=owner,
        repo=repo,
        build=number_of(session.client, owner, repo, build),
        target=environment,
        params=params,
        drop_params=dropped,
    )
    session.show(found, lambda: put_diff(found, wide=session.wide))


@command(
    app,
    "approve",
    "shiplift approve 43",
    "shiplift approve 43 --comment 'looked at the dashboards'",
    answers=pb.Build,
)
def approve(
    session: Session,
    build: BlockedArgument,
    repository: RepositoryOption = None,
    comment: Annotated[str, typer.Option(help="What to say of it.")] = "",
    request_id: RequestIdOption = None,
) -> None:
    """Approves a promotion that waits for people: with the last approval it goes on.

    Says before what it changes, in a line; `diff` shows all of it.
    """
    owner, repo = session.repository(repository)
    number = number_of(session.client, owner, repo, build)
    if not session.for_programs:
        _say_what_changes(session, owner, repo, number)
    approved = session.client.approve_build(
        owner=owner, repo=repo, build=number, comment=comment, request_id=request_id
    )
    session.show(approved, lambda: put(state(approved)))


def _say_what_changes(session: Session, owner: str, repo: str, number: int) -> None:
    # Who may approve need not be one who may read, and what is wrong the call itself says.
    with suppress(ShipliftError):
        said = session.client.diff_promotion(owner=owner, repo=repo, build=number, target="")
        say(summary(said))
        if said.compare_link:
            say(said.compare_link)


@command(app, "decline", "shiplift decline 43 --comment 'not on a Friday'", answers=pb.Build)
def decline(
    session: Session,
    build: BlockedArgument,
    repository: RepositoryOption = None,
    comment: Annotated[str, typer.Option(help="Why.")] = "",
    request_id: RequestIdOption = None,
) -> None:
    """Declines a promotion that waits for people, which is its end."""
    owner, repo = session.repository(repository)
    number = number_of(session.client, owner, repo, build)
    declined = session.client.decline_build(
        owner=owner, repo=repo, build=number, comment=comment, request_id=request_id
    )
    session.show(declined, lambda: put(state(declined)))
