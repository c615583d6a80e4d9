"""Commands that work on the store itself, beside a server or without one."""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer
from google.protobuf.timestamp_pb2 import Timestamp
from shiplift.v1 import access_pb2 as pb

from shipliftd import first_start, logs
from shipliftd.access import audit_chain
from shipliftd.access.callers import Caller
from shipliftd.access.grants import grant_access
from shipliftd.access.tokens import create_token
from shipliftd.access.users import create_user
from shipliftd.clock import now
from shipliftd.enum_words import ACTION_WORD
from shipliftd.errors import Precondition
from shipliftd.fields import Faults
from shipliftd.secrets import keys, rotation
from shipliftd.settings import (
    database_of,
    default_database,
    sqlite_path,
)
from shipliftd.store import Lock, Store, backups, copying, invariants, open_store
from shipliftd.store.transaction import Transaction

T = TypeVar("T")
E = TypeVar("E")

app = typer.Typer()
users = typer.Typer(help="Users.", no_args_is_help=True)
tokens = typer.Typer(help="Tokens.", no_args_is_help=True)
grants = typer.Typer(help="Access to repositories.", no_args_is_help=True)
app.add_typer(users, name="user")
app.add_typer(tokens, name="token")
app.add_typer(grants, name="grant")


Database = Annotated[
    str,
    typer.Option(
        "--database",
        envvar="SHIPLIFTD_DATABASE",
        help="The store: a SQLite file's path, sqlite:///PATH, or postgresql://USER@HOST/NAME.",
        show_default=False,
    ),
]
SecretKeyFile = Annotated[
    Path | None,
    typer.Option(
        "--secret-key-file",
        envvar="SHIPLIFTD_SECRET_KEY_FILE",
        help="A file (mode 0600) with the keys that secrets are kept with, as `shipliftd new-key` prints"
        f" them: the first one seals, all of them open. Or the lines themselves in {keys.VARIABLE}.",
        show_default=False,
    ),
]
LoginArgument = Annotated[str, typer.Argument(metavar="LOGIN", help="The user.")]


DEFAULT_DATABASE = str(default_database())


@users.command("add")
def user_add(
    login: LoginArgument,
    email: Annotated[str, typer.Option(help="The mail address.")] = "",
    machine: Annotated[bool, typer.Option("--machine", help="A service, not a person.")] = False,
    admin: Annotated[bool, typer.Option("--admin", help="A site admin, who may do everything.")] = False,
    database: Database = DEFAULT_DATABASE,
) -> None:
    """Create a user."""
    request = pb.CreateUserRequest(login=login, admin=admin, machine=machine, email=email)
    made = _write(database, create_user, request).resource
    say(f"created {'site admin' if admin else 'user'} {made.login}")


@tokens.command("create")
def token_create(
    login: Annotated[str, typer.Option(metavar="LOGIN", help="Whose token it is.")],
    name: Annotated[str, typer.Option(help="What it is for.")] = "",
    action: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ACTION",
            help=f"Only for this ({', '.join(ACTION_WORD.values())}); may be repeated. Else for all.",
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
    database: Database = DEFAULT_DATABASE,
) -> None:
    """Make a token for a user; prints its secret, which is shown this once."""
    request = pb.CreateTokenRequest(
        login=login,
        name=name,
        actions=[_value("--action", ACTION_WORD, word) for word in action or ()],
        repositories=repository or (),
        environments=environment or (),
    )
    if expires_in is not None:
        request.expires.CopyFrom(Timestamp(seconds=_in_days(expires_in)))
    say(_write(database, create_token, request).resource.secret)


@grants.command("add")
def grant_add(
    login: LoginArgument,
    level: Annotated[Literal["read", "write", "admin"], typer.Argument(help="How much.")],
    repository: Annotated[
        str,
        typer.Option(
            "--repository",
            "-R",
            metavar="OWNER/REPO",
            help="The repository, or 'OWNER/*' for all of them.",
        ),
    ],
    database: Database = DEFAULT_DATABASE,
) -> None:
    """Give a user access to a repository, in place of what they had there."""
    owner, _, repo = repository.partition("/")
    faults = Faults()
    faults.name("owner", owner)
    if repo != "*":
        faults.name("repo", repo)
    faults.refuse()
    request = pb.GrantAccessRequest(
        owner=owner, repo=repo, login=login, level=f"ACCESS_LEVEL_{level.upper()}"
    )
    _write(database, grant_access, request)
    say(f"{login} has {level} on {repository}")


@app.command()
def new_key() -> None:
    """Print a new key to keep secrets with, as a line for --secret-key-file."""
    say(keys.new_line())


@app.command()
def rotate_key(secret_key_file: SecretKeyFile = None, database: Database = DEFAULT_DATABASE) -> None:
    """Have the first key keep every secret in place of the others; works beside a running server."""
    keyring = keys.Keyring(secret_key_file, os.environ.get(keys.VARIABLE, ""))
    first = keyring.first()

    async def run(store: Store) -> rotation.Rotated:
        return await rotation.rotate(store, keyring.all(), first)

    rotated = _on_store(database, run)
    say(f"{rotated.wrapped} wrapped anew with {first.id!r}")
    for line in rotated.lost:
        say(f"gone: {line}")
    if rotated.lost:
        raise Precondition(
            f"{len(rotated.lost)} cannot be opened: give the key that kept them, or set them again"
        )


@app.command()
def migrate(database: Database = DEFAULT_DATABASE) -> None:
    """Bring the store up to this release."""
    with _locked(database, Lock), closing(open_store(database_of(database))) as store:
        taken = store.migrate()
    say(f"applied {', '.join(taken)}" if taken else "nothing to apply")


@app.command()
def check(
    database: Database = DEFAULT_DATABASE,
    audit_head: Annotated[
        str,
        typer.Option(
            metavar="SEQ:HASH", help="A head of the audit as told before: is it part of it still?"
        ),
    ] = "",
) -> None:
    """Check the store's integrity and its audit; works beside a running server."""
    known = _head(audit_head) if audit_head else None
    place = _existing(database)
    if isinstance(place, Path):
        for line in backups.check(place):
            say(line)

    async def broken() -> tuple[list[str], audit_chain.Verified | None]:
        with closing(open_store(place, 1)) as store:
            try:
                await store.open()
            except Precondition as needed:
                if isinstance(place, str):
                    raise
                # Another release's, whose rules may be others.
                say(f"looked at no further: {needed.message}")
                return [], None
            return await store.listing(invariants.broken), await audit_chain.verify(store, known)

    try:
        found, audit = asyncio.run(broken())
    except audit_chain.BrokenChainError as error:
        raise Precondition(str(error)) from None
    if found:
        raise Precondition(f"what should hold does not: {'; '.join(found)}")
    if audit is not None:
        say(f"audit: {audit.rows} rows verified, {audit.unsealed} not sealed yet, head {audit.head}")
    if isinstance(place, str):
        # Its files are PostgreSQL's own to check (pg_amcheck).
        say("ok")


@app.command()
def backup(file: Path, database: Database = DEFAULT_DATABASE) -> None:
    """Copy the store to a file; works beside a running server."""
    backups.backup(sqlite_path(database, "back it up with pg_dump"), file)
    say(f"backed up to {file}")


@app.command()
def restore(file: Path, database: Database = DEFAULT_DATABASE) -> None:
    """Put a backup in the store's place; keeps what was there beside it."""
    path = sqlite_path(database, "put back what pg_dump wrote with pg_restore")
    with closing(Lock(path)), closing(Lock.of_restore(path)):
        kept = backups.restore(path, file)
    say(f"restored {file}" + (f"; what was there is in {kept}" if kept else ""))


@app.command("copy")
def copy_store(
    source: Annotated[str, typer.Option("--from", help="The store to read: a file's path, or a URL.")],
    target: Annotated[str, typer.Option("--to", help="An empty one, or a file that is not there yet.")],
) -> None:
    """Copy a store that no server uses, from SQLite to PostgreSQL or back."""
    copying.copy(_existing(source), database_of(target), say)


def _write(database: str, verb: Callable[[Transaction, Caller, Any], T], request: Any) -> T:  # noqa: ANN401
    """Runs a verb of the API on the store itself, in the operator's name."""

    async def run(store: Store) -> T:
        method = type(request).__name__.removesuffix("Request")
        return await store.write(verb, first_start.by_operator(method), request)

    return _on_store(database, run)


def _on_store(database: str, work: Callable[[Store], Coroutine[Any, Any, T]]) -> T:
    """Works on a store that is there, beside a server or without one."""
    place = _existing(database)

    async def run() -> T:
        with closing(open_store(place, 1)) as store:
            await store.open()
            return await work(store)

    with _locked(database, Lock.of_command):
        return asyncio.run(run())


def _head(text: str) -> audit_chain.Place:
    try:
        return audit_chain.Place.parse(text)
    except ValueError:
        raise Precondition(
            f"--audit-head {text[:100]!r} is no head: wanted SEQ:HASH, as `shipliftd check` tells it"
        ) from None


def _existing(database: str) -> Path | str:
    place = database_of(database)
    if isinstance(place, Path) and not place.is_file():
        # A mistyped path would otherwise become a new store.
        raise Precondition(f"there is no store at {place}: name it with --database")
    return place


def _locked(database: str, lock: Callable[[Path], Lock]) -> AbstractContextManager[object]:
    """What of a store has to be held: PostgreSQL does that itself."""
    place = database_of(database)
    return closing(lock(place)) if isinstance(place, Path) else nullcontext()


def _value(what: str, words: Mapping[E, str], word: str) -> E:
    for value, name in words.items():
        if name == word:
            return value
    raise typer.BadParameter(f"{word!r}: wanted one of {', '.join(words.values())}", param_hint=what)


def _in_days(days: int) -> int:
    return now() // 1000 + int(timedelta(days=days).total_seconds())


def say(text: str) -> None:
    """Prints a line, whatever is in it."""
    sys.stdout.write(logs.printable(text) + "\n")
