"""The commands about access: whoami, token, grant, user."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, get_args

import typer

from shiplift._methods import TokenActionWord
from shiplift.cli.output import put, say, when, word
from shiplift.cli.session import (
    RequestIdOption,
    Session,
    UnresolvedError,
    UsageError,
    chosen,
    command,
    group,
)
from shiplift.cli.tables import Column, put_fields, put_table
from shiplift.v1 import access_pb2 as pb

app = typer.Typer()
token_app = group(
    app,
    "token",
    "Creates, lists, shows and revokes tokens.",
    "shiplift token create --login deploy-bot --action run -R octocat/hello-world",
    "shiplift token list",
)
grant_app = group(
    app,
    "grant",
    "Gives users access to repositories, and takes it back.",
    "shiplift grant add mona write -R octocat/hello-world",
)
user_app = group(
    app,
    "user",
    "Creates, lists, shows and disables users.",
    "shiplift user add mona --email mona@example.org",
    "shiplift user list",
)

ACTIONS: tuple[TokenActionWord, ...] = get_args(TokenActionWord)

LoginArgument = Annotated[str, typer.Argument(metavar="LOGIN", help="The user.")]
LoginOption = Annotated[str, typer.Option(metavar="LOGIN", help="Another user's; needs a site admin.")]
GrantedRepository = Annotated[
    str | None,
    typer.Option(
        "--repository",
        "-R",
        metavar="OWNER/REPO",
        help="The repository, or 'OWNER/*' for all of them. [SHIPLIFT_REPO, else the git remote origin]",
    ),
]


@command(
    app,
    "whoami",
    "shiplift whoami",
    "shiplift whoami --server deploy.example.org",
    answers=pb.WhoAmIResponse,
)
def whoami(session: Session) -> None:
    """Shows who the token is of, and what it may do."""
    answer = session.client.who_am_i()
    user = answer.user
    fields = (
        ("server", session.settings.server),
        *_user_fields(user),
        *_token_fields(answer.token),
    )
    session.show(answer, lambda: put_fields(fields))


def _user_fields(user: pb.User) -> Sequence[tuple[str, str]]:
    return (("login", user.login), ("kind", _kind(user)), ("email", user.email))


def _token_fields(token: pb.Token) -> Sequence[tuple[str, str]]:
    return (
        ("token", f"{token.id} {token.hint}..."),
        ("name", token.name),
        ("actions", _actions(token)),
        ("repositories", ", ".join(token.repositories)),
        ("environments", ", ".join(token.environments)),
        ("created", when(token, "created")),
        ("expires", when(token, "expires")),
        ("revoked", when(token, "revoked")),
        ("last used", when(token, "last_used")),
    )


def _actions(token: pb.Token) -> str:
    return ", ".join(word(pb.TokenAction, action) for action in token.actions)


@command(
    token_app,
    "create",
    "shiplift token create --name ci --action record -R octocat/hello-world",
    "shiplift token create --login deploy-bot --action run --expires-in 90",
    answers=pb.Token,
)
def token_create(
    session: Session,
    login: LoginOption = "",
    name: Annotated[str, typer.Option(help="What it is for.")] = "",
    action: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ACTION", help=f"Only for this ({', '.join(ACTIONS)}); may be repeated. Else for all."
        ),
    ] = None,
    repository: Annotated[
        list[str] | None,
        typer.Option(
            "--repository", "-R", metavar="OWNER/REPO", help="Only there, or 'OWNER/*'; may be repeated."
        ),
    ] = None,
    environment: Annotated[
        list[str] | None,
        typer.Option("--environment", "-e", metavar="NAME", help="Only to there; may be repeated."),
    ] = None,
    expires_in: Annotated[
        int | None, typer.Option(metavar="DAYS", min=1, max=36_500, help="Never when left out.")
    ] = None,
    request_id: RequestIdOption = None,
) -> None:
    """Creates a token and puts out its secret alone, which is not shown again."""
    token = session.client.create_token(
        login=login,
        name=name,
        actions=chosen("--action", action, ACTIONS),
        repositories=repository or (),
        environments=environment or (),
        expires=None if expires_in is None else datetime.now(UTC) + timedelta(days=expires_in),
        request_id=request_id,
    )
    session.show(token, lambda: _put_secret(token))


def _put_secret(token: pb.Token) -> None:
    say(f"Token {token.id} of {token.login}" + (f", {token.name}" if token.name else ""))
    if token.secret:
        put(token.secret)
    else:
        say(
            f"It was made by an earlier call, and its secret is gone: revoke {token.id} and create another."
        )


@command(
    token_app, "list", "shiplift token list", "shiplift token list --login deploy-bot", answers=pb.Token
)
def token_list(session: Session, login: LoginOption = "") -> None:
    """Lists tokens, newest first, without their secrets."""
    tokens = list(session.client.iterate_tokens(login=login))
    rows = [
        (
            str(token.id),
            token.hint,
            token.name,
            _actions(token),
            ", ".join(token.repositories),
            ", ".join(token.environments),
            *(when(token, field)[:16] for field in ("created", "expires", "revoked", "last_used")),
        )
        for token in tokens
    ]
    session.show(tokens, lambda: put_table(_TOKEN_COLUMNS, rows, wide=session.wide), "No tokens.")


_TOKEN_COLUMNS = (
    Column("TOKEN"),
    Column("HINT", 7),
    Column("NAME"),
    Column("ACTIONS", 1),
    Column("REPOSITORIES", 2),
    Column("ENVIRONMENTS", 3),
    Column("CREATED", 8),
    Column("EXPIRES", 5),
    Column("REVOKED", 4),
    Column("LAST USED", 6),
)


@command(
    token_app, "show", "shiplift token show", "shiplift token show 7 --login deploy-bot", answers=pb.Token
)
def token_show(
    session: Session,
    token_id: Annotated[
        int | None, typer.Argument(metavar="[ID]", help="Its number in the list. [the one that calls]")
    ] = None,
    login: LoginOption = "",
) -> None:
    """Shows a token, without its secret."""
    if token_id is None and login:
        raise UsageError(f"which token of {login}? `shiplift token list --login {login}` has their numbers")
    token = session.client.who_am_i().token if token_id is None else _token_of(session, token_id, login)
    session.show(token, lambda: put_fields((("login", token.login), *_token_fields(token))))


def _token_of(session: Session, number: int, login: str) -> pb.Token:
    for token in session.client.iterate_tokens(login=login):
        if token.id == number:
            return token
    whose = f" --login {login}" if login else ""
    there = f"`shiplift token list{whose}` has the numbers"
    raise UnresolvedError(f"{login or 'you'}: no token {number}; {there}")


@command(token_app, "revoke", "shiplift token revoke 7", answers=pb.Token)
def token_revoke(
    session: Session,
    token_id: Annotated[int, typer.Argument(metavar="ID", help="Its number in the list, not its secret.")],
    request_id: RequestIdOption = None,
) -> None:
    """Revokes a token: it stops working at once."""
    revoked = session.client.revoke_token(id=token_id, request_id=request_id)
    told = f"Token {revoked.id} of {revoked.login} revoked {when(revoked, 'revoked')}"
    session.show(revoked, lambda: put(told))


@command(
    grant_app,
    "add",
    "shiplift grant add mona write -R octocat/hello-world",
    "shiplift grant add mona read -R 'octocat/*'",
    answers=pb.Grant,
)
def grant_add(
    session: Session,
    login: LoginArgument,
    level: Annotated[Literal["read", "write", "admin"], typer.Argument(help="How much.")],
    repository: GrantedRepository = None,
    request_id: RequestIdOption = None,
) -> None:
    """Gives a user access to a repository, in place of what they had there."""
    owner, repo = session.repository(repository)
    grant = session.client.grant_access(
        owner=owner, repo=repo, login=login, level=level, request_id=request_id
    )
    told = f"{grant.login} has {word(pb.AccessLevel, grant.level)} on {grant.owner}/{grant.repo}"
    session.show(grant, lambda: put(told))


@command(grant_app, "remove", "shiplift grant remove mona -R octocat/hello-world", answers=pb.Grant)
def grant_remove(
    session: Session,
    login: LoginArgument,
    repository: GrantedRepository = None,
    request_id: RequestIdOption = None,
) -> None:
    """Takes a user's access to a repository back."""
    owner, repo = session.repository(repository)
    grant = session.client.revoke_access(owner=owner, repo=repo, login=login, request_id=request_id)
    told = f"{grant.login} has no grant on {grant.owner}/{grant.repo}"
    session.show(grant, lambda: put(told))


@command(grant_app, "list", "shiplift grant list -R octocat/hello-world", answers=pb.Grant)
def grant_list(session: Session, repository: GrantedRepository = None) -> None:
    """Lists who was given access to a repository, or to all of its owner's."""
    owner, repo = session.repository(repository)
    grants = list(session.client.iterate_access(owner=owner, repo=repo))
    rows = [
        (
            grant.login,
            word(pb.AccessLevel, grant.level),
            f"{grant.owner}/{grant.repo}",
            when(grant, "updated")[:16],
        )
        for grant in grants
    ]
    columns = (Column("LOGIN"), Column("LEVEL"), Column("REPOSITORY"), Column("SINCE", 1))
    session.show(
        grants,
        lambda: put_table(columns, rows, wide=session.wide),
        f"Nobody was given access to {owner}/{repo}.",
    )


@command(
    user_app,
    "add",
    "shiplift user add mona --email mona@example.org",
    "shiplift user add deploy-bot --machine",
    answers=pb.User,
)
def user_add(
    session: Session,
    login: LoginArgument,
    email: Annotated[str, typer.Option(help="The mail address.")] = "",
    machine: Annotated[bool, typer.Option("--machine", help="A service, not a person.")] = False,
    admin: Annotated[bool, typer.Option("--admin", help="A site admin, who may do everything.")] = False,
    request_id: RequestIdOption = None,
) -> None:
    """Creates a user; needs a site admin."""
    user = session.client.create_user(
        login=login, email=email, machine=machine, admin=admin, request_id=request_id
    )
    told = f"User {user.login} created"
    session.show(user, lambda: put(told))


@command(user_app, "list", "shiplift user list", answers=pb.User)
def user_list(session: Session) -> None:
    """Lists the users; needs a site admin."""
    users = list(session.client.iterate_users())
    rows = [(user.login, _kind(user), user.email, when(user, "created")[:16]) for user in users]
    columns = (Column("LOGIN"), Column("KIND", 1), Column("EMAIL", 2), Column("SINCE", 3))
    session.show(users, lambda: put_table(columns, rows, wide=session.wide), "No users.")


@command(user_app, "show", "shiplift user show", "shiplift user show mona", answers=pb.User)
def user_show(
    session: Session,
    login: Annotated[
        str, typer.Argument(metavar="[LOGIN]", help="The user; another one needs a site admin. [you]")
    ] = "",
) -> None:
    """Shows a user."""
    user = session.client.get_user(login=login)
    session.show(user, lambda: put_fields((*_user_fields(user), ("created", when(user, "created")))))


@command(user_app, "disable", "shiplift user disable mona", answers=pb.User)
def user_disable(session: Session, login: LoginArgument, request_id: RequestIdOption = None) -> None:
    """Has a user's tokens refused, until the user is enabled again; needs a site admin."""
    _put_disabled(session, login, True, request_id)


@command(user_app, "enable", "shiplift user enable mona", answers=pb.User)
def user_enable(session: Session, login: LoginArgument, request_id: RequestIdOption = None) -> None:
    """Has a disabled user's tokens taken again; needs a site admin."""
    _put_disabled(session, login, False, request_id)


def _put_disabled(session: Session, login: str, disabled: bool, request_id: str | None) -> None:
    user = session.client.update_user(
        login=login, update_mask=["disabled"], user=pb.User(disabled=disabled), request_id=request_id
    )
    told = f"User {user.login} {'disabled' if user.disabled else 'enabled'}"
    session.show(user, lambda: put(told))


def _kind(user: pb.User) -> str:
    kinds = (user.machine and "machine user", user.admin and "site admin", user.disabled and "disabled")
    return ", ".join(kind for kind in kinds if kind)
