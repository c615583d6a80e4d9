"""The commands about contexts: login, logout, context."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from shiplift._channel import Route
from shiplift.cli import completing
from shiplift.cli.output import put, say
from shiplift.cli.session import Session, UnresolvedError, UsageError, command, group
from shiplift.cli.tables import Column, put_table
from shiplift.settings import Context, Contexts, TokenFile
from shiplift.v1 import access_pb2

app = typer.Typer()
context_app = group(
    app, "context", "Lists contexts, and chooses one.", "shiplift context list", "shiplift context use work"
)


@command(app, "login", "shiplift login --server deploy.example.org", answers=access_pb2.WhoAmIResponse)
def login(session: Session) -> None:
    """Checks a token and keeps it with its server as a context, which is the current one from then on.

    Asks for the server and the token where no option or variable says them; without a terminal, the token
    is the first line of standard input. A context is named by --context, else by its server, and is kept in
    a file that only you can read.
    """
    name, session.context = session.context, None
    session.server = session.server or _server(session, name)
    if not session.token:
        session.token = _given(session.token_file) or _token(session.server)
        session.token_file = None
    answer = session.client.who_am_i()
    found = session.settings
    contexts = Contexts.read()
    contexts.current = name or Route(found.server).name
    contexts.contexts[contexts.current] = Context(
        found.server,
        answer.user.login,
        session.token,
        _absolute(found.ca_file),
        _absolute(found.cert_file),
        _absolute(found.key_file),
        found.insecure,
        found.server_name,
    )
    path = contexts.write()
    as_name = f" as context {name}" if name else ""
    told = f"Logged in to {found.server} as {answer.user.login}; kept{as_name} in {path}"
    session.show(answer, lambda: put(told))


@command(app, "logout", "shiplift logout", "shiplift logout --context work")
def logout(session: Session) -> None:
    """Forgets the current context, or that of --context, and its token.

    The token itself works on until it is revoked.
    """
    contexts = Contexts.read()
    name = session.context or os.environ.get("SHIPLIFT_CONTEXT") or contexts.current
    if not name:
        raise UnresolvedError("nobody is logged in: `shiplift context list` shows who is")
    server = contexts.get(name).server
    del contexts.contexts[name]
    if contexts.current == name:
        contexts.current = ""
    contexts.write()
    put(f"Logged out of {server}: context {name} is forgotten")
    say("Its token works on until it is revoked: shiplift token list, shiplift token revoke ID")


@command(context_app, "list", "shiplift context list")
def context_list(session: Session) -> None:
    """Lists the contexts, the current one with a star."""
    contexts = Contexts.read()
    if not contexts.contexts:
        say("No contexts: `shiplift login` makes one.")
        return
    columns = (Column("CONTEXT"), Column("CURRENT"), Column("SERVER"), Column("USER", 1))
    rows = [
        (name, "*" if name == contexts.current else "", context.server, context.user)
        for name, context in sorted(contexts.contexts.items())
    ]
    put_table(columns, rows)


@command(context_app, "use", "shiplift context use work")
def context_use(
    session: Session,
    name: Annotated[
        str, typer.Argument(metavar="CONTEXT", autocompletion=completing.contexts, help="Its name.")
    ],
) -> None:
    """Makes a context the current one."""
    contexts = Contexts.read()
    server = contexts.get(name).server
    contexts.current = name
    contexts.write()
    put(f"Context {name} is the current one: {server}")


def _server(session: Session, name: str | None) -> str:
    contexts = Contexts.read().contexts
    known = contexts[name].server if name in contexts else session.settings.server
    vars(session).pop("settings", None)
    if not sys.stdin.isatty():
        return known
    return str(typer.prompt("Server", default=known, err=True))


def _given(token_file: str | None) -> str:
    """The token that an option or a variable gives; empty for none."""
    file = token_file or (not os.environ.get("SHIPLIFT_TOKEN") and os.environ.get("SHIPLIFT_TOKEN_FILE"))
    return TokenFile(file)() if file else os.environ.get("SHIPLIFT_TOKEN", "")


def _token(server: str) -> str:
    if sys.stdin.isatty():
        return str(typer.prompt(f"Token for {server}", hide_input=True, err=True)).strip()
    token = sys.stdin.readline().strip()
    if not token:
        raise UsageError("no token: pipe it in, or say --token-file")
    return token


def _absolute(path: str | None) -> str | None:
    return None if path is None else str(Path(path).absolute())
