"""The commands about repositories."""

from datetime import timedelta
from typing import Annotated

import typer

from shiplift._methods import VisibilityWord
from shiplift.cli import completing, git
from shiplift.cli.output import when, word
from shiplift.cli.session import RequestIdOption, Session, UsageError, command, group
from shiplift.cli.tables import Column, put_fields, put_table
from shiplift.v1 import access_pb2 as pb

app = typer.Typer()
repo_app = group(
    app, "repo", "Registers, shows and changes repositories.", "shiplift repo add octocat/hello-world"
)

SlugArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="OWNER/REPO",
        autocompletion=completing.repositories,
        help="The repository. [SHIPLIFT_REPO, else the git remote origin]",
    ),
]


@command(
    repo_app,
    "add",
    "shiplift repo add octocat/hello-world",
    "shiplift repo add --visibility internal",
    answers=pb.Repository,
)
def repo_add(
    session: Session,
    slug: SlugArgument = None,
    visibility: Annotated[
        VisibilityWord, typer.Option(help="Who can see it without a grant: nobody, users, everybody.")
    ] = "private",
    default_branch: Annotated[str, typer.Option(help="The branch that `latest` means.")] = "main",
    link: Annotated[str, typer.Option(metavar="URL", help="Its page in a browser.")] = "",
    git_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Where to clone it, over HTTPS or SSH. [the git remote origin, if it is this repository]",
        ),
    ] = None,
    request_id: RequestIdOption = None,
) -> None:
    """Registers a repository, so that its builds can be recorded and promoted."""
    owner, repo = session.repository(slug)
    made = session.client.create_repository(
        owner=owner,
        repo=repo,
        visibility=visibility,
        default_branch=default_branch,
        link=link,
        request_id=request_id,
        **(git.clone_of(owner, repo) if git_url is None else git.clone_url(git_url)),
    )
    _show_repository(session, made)


@command(repo_app, "list", "shiplift repo list", "shiplift repo list octocat", answers=pb.Repository)
def repo_list(
    session: Session,
    owner: Annotated[str, typer.Argument(metavar="[OWNER]", help="Only this owner's.")] = "",
) -> None:
    """Lists the repositories that you may read."""
    repositories = list(session.client.iterate_repositories(owner=owner))
    rows = [
        (
            repository.slug,
            word(pb.Visibility, repository.visibility),
            str(repository.counter),
            repository.default_branch,
            _permissions(repository),
        )
        for repository in repositories
    ]
    session.show(
        repositories,
        lambda: put_table(_COLUMNS, rows, wide=session.wide),
        f"No repositories{owner and f' of {owner}'} that you may read.",
    )


_COLUMNS = (
    Column("REPOSITORY"),
    Column("VISIBILITY", 2),
    Column("BUILDS", 3),
    Column("BRANCH", 4),
    Column("YOU MAY", 1),
)


@command(repo_app, "show", "shiplift repo show octocat/hello-world", answers=pb.Repository)
def repo_show(session: Session, slug: SlugArgument = None) -> None:
    """Shows a repository, with what you may do there."""
    owner, repo = session.repository(slug)
    _show_repository(session, session.client.get_repository(owner=owner, repo=repo))


@command(
    repo_app,
    "set",
    "shiplift repo set octocat/hello-world --default-branch trunk",
    "shiplift repo set --inactive",
    answers=pb.Repository,
)
def repo_set(
    session: Session,
    slug: SlugArgument = None,
    git_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Where to clone it, over HTTPS or SSH; '': not known."),
    ] = None,
    default_branch: Annotated[str | None, typer.Option(help="The branch that `latest` means.")] = None,
    visibility: Annotated[
        VisibilityWord | None,
        typer.Option(help="Who can see it without a grant: nobody, users, everybody."),
    ] = None,
    timeout: Annotated[
        int | None, typer.Option(metavar="MINUTES", min=1, help="How long a build may take.")
    ] = None,
    runner_secrets: Annotated[
        bool | None,
        typer.Option(
            "--runner-secrets/--no-runner-secrets",
            help="Whether its runners bring the secrets that its pipelines want.",
        ),
    ] = None,
    active: Annotated[
        bool | None,
        typer.Option("--active/--inactive", help="Whether it takes new builds; what is there goes on."),
    ] = None,
    request_id: RequestIdOption = None,
) -> None:
    """Changes what is said of a repository; needs admin there. What is left out stays."""
    owner, repo = session.repository(slug)
    given = {
        "default_branch": default_branch,
        "visibility": visibility and pb.Visibility.Value(f"VISIBILITY_{visibility.upper()}"),
        "timeout": timeout and timedelta(minutes=timeout),
        "runner_secrets": runner_secrets,
        "active": active,
        **({} if git_url is None else git.clone_url(git_url)),
    }
    settings = {name: value for name, value in given.items() if value is not None}
    if not settings:
        raise UsageError("what is to change? Say it with an option, such as --git-url URL")
    changed = session.client.update_repository(
        owner=owner,
        repo=repo,
        update_mask=list(settings),
        repository=pb.Repository(**settings),  # type: ignore[arg-type]  # each is of its field's type
        request_id=request_id,
    )
    _show_repository(session, changed)


def _show_repository(session: Session, repository: pb.Repository) -> None:
    session.show(repository, lambda: _put_repository(repository))


def _put_repository(repository: pb.Repository) -> None:
    put_fields(
        (
            ("repository", repository.slug),
            ("disabled", "" if repository.active else "yes: it takes no new builds"),
            ("visibility", word(pb.Visibility, repository.visibility)),
            ("builds", str(repository.counter)),
            ("default branch", repository.default_branch),
            ("git over http", repository.git_http_url),
            ("git over ssh", repository.git_ssh_url),
            ("link", repository.link),
            ("timeout", f"{repository.timeout.ToSeconds() // 60} minutes"),
            ("secrets", "its runners bring them" if repository.runner_secrets else ""),
            ("you may", _permissions(repository)),
            ("created", when(repository, "created")),
        )
    )


def _permissions(repository: pb.Repository) -> str:
    may = repository.permissions
    words = (("read", may.read), ("write", may.write), ("admin", may.admin))
    return ", ".join(name for name, allowed in words if allowed)
