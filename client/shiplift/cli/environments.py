"""The commands about the rules of environments: env list, show, set, delete, export, apply."""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from shiplift import NotFound, Refused
from shiplift.cli import applying, completing, rehearsing
from shiplift.cli.environment_files import read, written
from shiplift.cli.holds import WhereOption
from shiplift.cli.lengths import FORM, length, shown_length
from shiplift.cli.output import put, put_lines, say, word
from shiplift.cli.session import (
    RepositoryOption,
    RequestIdOption,
    Session,
    UsageError,
    command,
    group,
)
from shiplift.cli.showing import some
from shiplift.cli.tables import Column, put_fields, put_table
from shiplift.v1 import access_pb2
from shiplift.v1 import environments_pb2 as pb

app = typer.Typer()
env_app = group(
    app,
    "env",
    "Declares environments, with the rules for promotions to them.",
    "shiplift env set production --required-approvals 1 --requires staging",
    "shiplift env apply environments.yml --dry-run",
)

NameArgument = Annotated[
    str,
    typer.Argument(metavar="NAME", autocompletion=completing.environments, help="Such as production."),
]


@command(env_app, "list", "shiplift env list", answers=pb.Environment)
def env_list(session: Session, repository: RepositoryOption = None) -> None:
    """Lists the environments that a repository declares."""
    owner, repo = session.repository(repository)
    found = list(session.client.iterate_environments(owner=owner, repo=repo))
    rows = [
        (
            each.name,
            some(_promoters(each)),
            _approvals(each),
            _requires(each),
            word(pb.QueuePolicy, each.queue_policy) or "queue",
            some([freeze.name for freeze in each.freezes]),
            some([rule.name for rule in each.params]),
            each.description,
        )
        for each in found
    ]
    session.show(
        found,
        lambda: put_table(_COLUMNS, rows, wide=session.wide),
        f"{owner}/{repo} declares no environments: any name is taken.",
    )


_COLUMNS = (
    Column("ENVIRONMENT"),
    Column("PROMOTERS", 4),
    Column("APPROVALS", 1),
    Column("REQUIRES", 2),
    Column("QUEUE", 3),
    Column("FREEZES", 5),
    Column("PARAMS", 6),
    Column("DESCRIPTION", 7, is_text=True),
)


@command(env_app, "show", "shiplift env show production", answers=pb.Environment)
def env_show(session: Session, name: NameArgument, repository: RepositoryOption = None) -> None:
    """Shows an environment with its rules."""
    owner, repo = session.repository(repository)
    _show(session, session.client.get_environment(owner=owner, repo=repo, environment=name))


@command(
    env_app,
    "set",
    "shiplift env set staging",
    "shiplift env set production --requires staging --soak 30m",
    "shiplift env set production --approver mona --approver octocat --confirm",
    answers=pb.Environment,
)
def env_set(
    session: Session,
    name: NameArgument,
    repository: RepositoryOption = None,
    required_approvals: Annotated[
        int | None, typer.Option(metavar="N", min=0, max=10, help="How many others must approve; 0: none.")
    ] = None,
    approver: Annotated[
        list[str] | None,
        typer.Option(metavar="LOGIN", help="Who may approve; may be repeated. '': admins who are people."),
    ] = None,
    approval_window: Annotated[
        str, typer.Option(metavar="TIME", help="How long they have, such as 2h. [7d]")
    ] = "",
    promoter: Annotated[
        list[str] | None,
        typer.Option(metavar="LOGIN", help="Who alone may promote; may be repeated. '': who may write."),
    ] = None,
    promoter_level: Annotated[
        Literal["write", "admin"] | None, typer.Option(help="What a promotion to it takes.")
    ] = None,
    requires: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            autocompletion=completing.environments,
            help="The environment in which a build must have succeeded before; '': none.",
        ),
    ] = None,
    soak: Annotated[
        str, typer.Option(metavar="TIME", help="How long ago that must be, such as 10m; 0: no matter.")
    ] = "",
    allow_failed: Annotated[
        bool | None,
        typer.Option("--allow-failed/--no-allow-failed", help="Whether builds go there that failed."),
    ] = None,
    queue: Annotated[
        Literal["queue", "supersede", "reject"] | None,
        typer.Option(
            help="Promotions while another one is under way: wait, replace who waits, are refused."
        ),
    ] = None,
    overrider: Annotated[
        list[str] | None,
        typer.Option(metavar="LOGIN", help="Who may pass gates that fail, beside site admins; '': nobody."),
    ] = None,
    deployer: Annotated[
        Literal["pipeline", "external"] | None,
        typer.Option(help="What deploys to it: runners by the pipeline file, or a deployer."),
    ] = None,
    link: Annotated[str | None, typer.Option(metavar="URL", help="A page about it.")] = None,
    description: Annotated[str | None, typer.Option(metavar="TEXT", help="What it is.")] = None,
    confirm: Annotated[
        bool | None,
        typer.Option("--confirm/--no-confirm", help="Whether `promote` and `rollback` ask on a terminal."),
    ] = None,
    request_id: RequestIdOption = None,
) -> None:
    """Declares an environment, or changes what is said of it; needs admin. What is left out stays.

    Freezes and parameters are said in a file: see `env export` and `env apply`. A change of rules voids
    approvals that were given.
    """
    owner, repo = session.repository(repository)
    given: dict[str, Any] = {
        "required_approvals": required_approvals,
        "approvers": _logins(approver),
        "approval_window": _length("--approval-window", approval_window),
        "promoters": _logins(promoter),
        "promoter_level": promoter_level,
        "requires": requires,
        "soak": _length("--soak", soak),
        "allow_failed": allow_failed,
        "queue_policy": queue,
        "overriders": _logins(overrider),
        "deployer": deployer,
        "link": link,
        "description": description,
        "confirm": confirm,
    }
    said = {field: value for field, value in given.items() if value is not None}
    _show(session, _declare(session, owner, repo, name, said, request_id))


def _declare(
    session: Session, owner: str, repo: str, name: str, said: dict[str, Any], request_id: str | None
) -> pb.Environment:
    environment = {"name": name, **said}
    if said:
        try:
            return session.client.update_environment(
                owner=owner,
                repo=repo,
                environment=environment,
                update_mask=list(said),
                request_id=request_id,
            )
        except NotFound as error:
            if error.reason != "ENVIRONMENT_NOT_FOUND":
                raise
    try:
        return session.client.create_environment(
            owner=owner, repo=repo, environment=environment, request_id=request_id
        )
    except Refused as error:
        if error.code.name != "ALREADY_EXISTS":
            raise
        raise UsageError(
            f"{name} is declared: what is to change? Say it with an option, such as --soak 10m"
        ) from None


def _logins(given: list[str] | None) -> list[str] | None:
    """The logins; one that is empty alone clears them."""
    return [] if given == [""] else given or None


def _length(option: str, given: str) -> object:
    if not given:
        return None
    try:
        return length(given)
    except ValueError:
        raise UsageError(f"{option} {given!r}: wanted {FORM}") from None


@command(env_app, "delete", "shiplift env delete qa", answers=pb.Environment)
def env_delete(
    session: Session,
    name: NameArgument,
    repository: RepositoryOption = None,
    request_id: RequestIdOption = None,
) -> None:
    """Takes the declaration of an environment back; what was promoted to it stays. Needs admin.

    It is refused while promotions wait there, which would go without its gates.
    """
    owner, repo = session.repository(repository)
    was = session.client.delete_environment(owner=owner, repo=repo, environment=name, request_id=request_id)
    session.show(was, lambda: put(f"{was.owner}/{was.repo}: {was.name} is declared no more"))


@command(
    env_app,
    "export",
    "shiplift env export",
    "shiplift env export -R 'octocat/*'",
)
def env_export(session: Session, repository: WhereOption = None) -> None:
    """Puts out the environments of a repository with their rules, as YAML for `env apply`.

    Of 'OWNER/*' those of all of the owner's repositories that you can see, and the owner's freezes.
    """
    owner, repo = session.repository(repository)
    sys.stdout.write(written(applying.export(session.client, owner, repo)))


@command(
    env_app,
    "apply",
    "shiplift env apply environments.yml --dry-run",
    "shiplift env apply environments.yml --rehearse --last 200",
    "shiplift env apply environments.yml -R 'octocat/*'",
)
def env_apply(
    session: Session,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="As `env export` writes it.")],
    repository: WhereOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")
    ] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Delete environments that do not stand in the file.")
    ] = False,
    rehearse: Annotated[
        bool,
        typer.Option(
            "--rehearse", help="Show what promotions the rules would have stopped, and change nothing."
        ),
    ] = False,
    last: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, max=1000, help="With --rehearse: of so many promotions to each. [100]"
        ),
    ] = None,
) -> None:
    """Declares and changes environments as a file says, and shows the difference; needs admin.

    For 'OWNER/*' what stands under `environments` goes for each of the owner's repositories that you can
    see, under `repositories` for those that are named, and `freezes` for all.
    """
    if last is not None and not rehearse:
        raise UsageError("--last says how many promotions to rehearse with: it goes with --rehearse")
    owner, repo = session.repository(repository)
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{file} is no text in UTF-8") from None
    said = read(text, str(file))
    found = applying.plan(session.client, owner, repo, said, prune=prune)
    if rehearse:
        rehearsing.rehearse(session, found.changes, last or 0)
        return
    for change in found.changes:
        put_lines("\n".join(change.diff(file.name)))
    for what in found.kept:
        say(f"{what}: not in {file.name}, and stays: --prune deletes it")
    if dry_run:
        say(f"{len(found.changes)} to change. Nothing was changed: --dry-run.")
    elif found.changes:
        applying.apply(found.changes)
    else:
        say(f"{owner}/{repo}: nothing to change")


def _show(session: Session, environment: pb.Environment) -> None:
    session.show(environment, lambda: _put(environment))


def _put(environment: pb.Environment) -> None:
    window = environment.approval_window if environment.HasField("approval_window") else None
    put_fields(
        (
            ("repository", f"{environment.owner}/{environment.repo}"),
            ("environment", environment.name),
            ("description", environment.description),
            ("link", environment.link),
            ("deployer", word(pb.Deployer, environment.deployer)),
            ("promoters", ", ".join(_promoters(environment))),
            ("approvals", _approvals(environment)),
            ("approval window", shown_length(window) if window is not None else ""),
            ("requires", _requires(environment)),
            ("allow failed", "yes: builds go there that failed" if environment.allow_failed else ""),
            ("queue", word(pb.QueuePolicy, environment.queue_policy)),
            ("overriders", ", ".join(environment.overriders)),
            ("confirm", "yes: `promote` and `rollback` ask on a terminal" if environment.confirm else ""),
            ("freezes", "\n".join(map(_freeze, environment.freezes))),
            ("params", "\n".join(map(_rule, environment.params))),
            ("version", f"{environment.version}, rules {environment.rules_version}"),
        )
    )


def _promoters(environment: pb.Environment) -> list[str]:
    admins = environment.promoter_level == access_pb2.ACCESS_LEVEL_ADMIN
    return [*environment.promoters, *(["admins alone"] if admins else [])]


def _approvals(environment: pb.Environment) -> str:
    if not environment.required_approvals:
        return ""
    return f"{environment.required_approvals} of {some(environment.approvers) or 'the admins'}"


def _requires(environment: pb.Environment) -> str:
    if not environment.requires:
        return ""
    soak = environment.soak
    return (
        f"{environment.requires} for {shown_length(soak)}"
        if soak.seconds or soak.nanos
        else environment.requires
    )


def _freeze(freeze: pb.Freeze) -> str:
    begin: str = getattr(freeze, "from")
    spans = [f"{begin} to {freeze.to}"] if begin else []
    spans += [f"{getattr(window, 'from')} to {window.to}" for window in freeze.weekly]
    return f"{freeze.name}: {', '.join(spans)} ({freeze.zone})" + (
        f": {freeze.reason}" if freeze.reason else ""
    )


def _rule(rule: pb.ParameterRule) -> str:
    parts = (
        "required" if rule.required else "",
        "secret" if rule.secret else "",
        rule.default and f"else {rule.default}",
        f"one of {', '.join(rule.choices)}" if rule.choices else "",
        rule.pattern and f"matches {rule.pattern}",
        rule.description,
    )
    told = "; ".join(part for part in parts if part)
    return f"{rule.name}: {told}" if told else rule.name
