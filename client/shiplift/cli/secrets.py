"""The commands about secrets: secret set, list, show, delete."""

import sys
from typing import Annotated

import typer

from shiplift.cli import completing
from shiplift.cli.holds import WhereOption
from shiplift.cli.output import put, when
from shiplift.cli.session import RequestIdOption, Session, UsageError, command, group
from shiplift.cli.tables import Column, put_fields, put_table
from shiplift.v1 import secrets_pb2 as pb

app = typer.Typer()
secret_app = group(
    app,
    "secret",
    "Sets, lists and deletes the secrets that pipeline files name with from_secret.",
    "shiplift secret set deploy_key --environment production",
    "shiplift secret list",
)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="What pipeline files call it.")]
EnvironmentOption = Annotated[
    str,
    typer.Option(
        "--environment",
        "-e",
        metavar="NAME",
        autocompletion=completing.environments,
        help="Only of this one. [all of the repository]",
    ),
]


@command(
    secret_app,
    "set",
    "shiplift secret set deploy_key --environment production",
    "shiplift secret set registry_token -R 'octocat/*'",
    answers=pb.Secret,
)
def secret_set(
    session: Session,
    name: NameArgument,
    repository: WhereOption = None,
    environment: EnvironmentOption = "",
    pull_requests: Annotated[
        bool | None,
        typer.Option(
            "--pull-requests/--no-pull-requests",
            help="Whether builds of pull requests get it. [as it is; a new one: no]",
        ),
    ] = None,
    request_id: RequestIdOption = None,
) -> None:
    """Makes a secret, or gives it another value; needs admin there.

    The value is read from stdin (`< FILE`), without the newline at its end, if there is one; on a terminal
    it is asked for, and not shown. It is never shown again.
    """
    owner, repo = session.repository(repository)
    made = session.client.set_secret(
        owner=owner,
        repo=repo,
        environment=environment,
        name=name,
        value=_value(name),
        pull_requests=pull_requests,
        request_id=request_id,
    )
    session.show(made, lambda: put(f"{_where(made)}: {made.name} is set, digest {made.digest}"))


@command(
    secret_app, "list", "shiplift secret list", "shiplift secret list -R 'octocat/*'", answers=pb.Secret
)
def secret_list(session: Session, repository: WhereOption = None) -> None:
    """Lists the secrets of a repository, with those of all of its owner's.

    Of one name a build gets that of its environment, else the repository's, else the owner's.
    """
    owner, repo = session.repository(repository)
    found = list(session.client.iterate_secrets(owner=owner, repo=repo))
    rows = [
        (
            each.name,
            f"{each.owner}/{each.repo}",
            each.environment,
            "yes" if each.pull_requests else "",
            each.digest,
            each.by,
            when(each, "updated"),
        )
        for each in found
    ]
    session.show(
        found,
        lambda: put_table(_COLUMNS, rows, wide=session.wide),
        f"No secrets of {owner}/{repo}.",
    )


_COLUMNS = (
    Column("NAME"),
    Column("OF", 1),
    Column("ENVIRONMENT", 2),
    Column("PULL REQUESTS", 3),
    Column("DIGEST", 6),
    Column("BY", 5),
    Column("CHANGED", 4),
)


@command(
    secret_app,
    "show",
    "shiplift secret show deploy_key",
    "shiplift secret show deploy_key --environment production",
    answers=pb.Secret,
)
def secret_show(
    session: Session,
    name: NameArgument,
    repository: WhereOption = None,
    environment: EnvironmentOption = "",
) -> None:
    """Shows what is known of a secret, which is all but its value."""
    owner, repo = session.repository(repository)
    found = session.client.get_secret(owner=owner, repo=repo, environment=environment, name=name)
    fields = (
        ("secret", found.name),
        ("of", _where(found)),
        ("pull requests", "yes" if found.pull_requests else ""),
        ("digest", found.digest),
        ("by", found.by),
        ("created", when(found, "created")),
        ("changed", when(found, "updated")),
        ("version", str(found.version)),
    )
    session.show(found, lambda: put_fields(fields))


@command(
    secret_app,
    "delete",
    "shiplift secret delete deploy_key --environment production",
    answers=pb.Secret,
)
def secret_delete(
    session: Session,
    name: NameArgument,
    repository: WhereOption = None,
    environment: EnvironmentOption = "",
    request_id: RequestIdOption = None,
) -> None:
    """Deletes a secret; needs admin there. A stage that has begun has it already."""
    owner, repo = session.repository(repository)
    gone = session.client.delete_secret(
        owner=owner, repo=repo, environment=environment, name=name, request_id=request_id
    )
    session.show(gone, lambda: put(f"{_where(gone)}: {gone.name} is deleted"))


def _value(name: str) -> str:
    """What stands on stdin, or is typed. Raises UsageError where that is nothing, or no text."""
    if sys.stdin.isatty():
        return str(typer.prompt(f"Value of {name}", hide_input=True, err=True))
    try:
        value = sys.stdin.buffer.read().decode()
    except UnicodeDecodeError:
        raise UsageError("the value on stdin is not UTF-8: encode it, such as with base64") from None
    value = value.removesuffix("\n").removesuffix("\r") if value.endswith("\n") else value
    if not value:
        raise UsageError("no value: pipe it in")
    return value


def _where(secret: pb.Secret) -> str:
    return f"{secret.owner}/{secret.repo}" + (secret.environment and f" in {secret.environment}")
