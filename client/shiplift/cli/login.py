"""The command `login`."""

import sys
from pathlib import Path

import typer

from shiplift.cli.output import put
from shiplift.cli.session import Session, UsageError, command
from shiplift.settings import Login, Logins, TokenFile
from shiplift.v1 import access_pb2

app = typer.Typer()


@command(app, "login", access_pb2.WhoAmIResponse)
def login(session: Session) -> None:
    """Checks a token and keeps it for later calls.

    Asks for the server and the token where they are not said; without a terminal, the token is the
    first line of standard input. Each server keeps its login, in a file that only you can read; the last
    one is the default.
    """
    session.server = session.server or _server(session)
    if not session.token:
        session.token = TokenFile(session.token_file)() if session.token_file else _token(session.server)
        session.token_file = None
    answer = session.client.who_am_i()
    found = session.settings
    logins = Logins.read()
    logins.add(
        found.server,
        Login(
            session.token,
            _absolute(found.ca_file),
            _absolute(found.cert_file),
            _absolute(found.key_file),
            found.insecure,
        ),
    )
    path = logins.write()
    told = f"Logged in to {found.server} as {answer.user.login}; kept in {path}"
    session.show(answer, lambda: put(told))


def _server(session: Session) -> str:
    known = session.settings.server
    del session.settings
    if not sys.stdin.isatty():
        return known
    return str(typer.prompt("Server", default=known, err=True))


def _token(server: str) -> str:
    if sys.stdin.isatty():
        return str(typer.prompt(f"Token for {server}", hide_input=True, err=True)).strip()
    token = sys.stdin.readline().strip()
    if not token:
        raise UsageError("no token: pipe it in, or say --token-file")
    return token


def _absolute(path: str | None) -> str | None:
    return None if path is None else str(Path(path).absolute())
