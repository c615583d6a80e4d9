"""The command `shipliftd`: serving, and administration on the store itself."""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, TypeVar

import typer
from google.protobuf.timestamp_pb2 import Timestamp
from shiplift.v1 import access_pb2 as pb

from shipliftd import __version__, first_start, logs
from shipliftd.access.callers import Caller
from shipliftd.access.grants import grant_access
from shipliftd.access.tokens import create_token
from shipliftd.access.users import create_user
from shipliftd.clock import now
from shipliftd.enum_words import ACTION_WORD
from shipliftd.errors import Precondition, Refusal
from shipliftd.fields import Faults
from shipliftd.settings import (
    GatewaySettings,
    HttpSettings,
    Limits,
    Retention,
    Settings,
    Tls,
    database_of,
    default_database,
    sqlite_path,
)
from shipliftd.store import Lock, backups, copying, invariants, is_defect, is_of_a_store, open_store
from shipliftd.store.transaction import Transaction

T = TypeVar("T")
E = TypeVar("E")

app = typer.Typer(
    name="shipliftd",
    help="Promotes builds: the server, and administration of its store.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    # As `shiplift` has it: a log shows an error as it is.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
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
TlsCert = Annotated[Path | None, typer.Option(envvar="SHIPLIFTD_TLS_CERT", help="Certificate chain, PEM.")]
TlsKey = Annotated[Path | None, typer.Option(envvar="SHIPLIFTD_TLS_KEY", help="Its private key, PEM.")]
TlsClientCa = Annotated[
    Path | None,
    typer.Option(
        envvar="SHIPLIFTD_TLS_CLIENT_CA",
        help="Only clients with a certificate of this CA may connect, PEM.",
    ),
]
Insecure = Annotated[
    bool,
    typer.Option(
        "--insecure",
        envvar="SHIPLIFTD_INSECURE",
        help="Listen without TLS on an address that is reachable from elsewhere.",
    ),
]
CorsOrigins = Annotated[
    list[str] | None,
    typer.Option(
        "--cors-origin",
        envvar="SHIPLIFTD_CORS_ORIGIN",
        help="An origin whose pages may call the gateway, such as https://deploy.example.org; * for all.",
    ),
]
PublicUrl = Annotated[
    str,
    typer.Option(
        "--public-url",
        envvar="SHIPLIFTD_PUBLIC_URL",
        help="Where people and steps reach the gateway, such as https://deploy.example.org: links begin"
        " with it. Else the address that --http listens on.",
        show_default=False,
    ),
]
DrainSeconds = Annotated[
    float,
    typer.Option(envvar="SHIPLIFTD_DRAIN_SECONDS", help="How long calls in flight may take on SIGTERM."),
]
MaxReads = Annotated[int, typer.Option(envvar="SHIPLIFTD_MAX_READS", help="The most reads at once.")]
MaxWrites = Annotated[int, typer.Option(envvar="SHIPLIFTD_MAX_WRITES", help="The most writes at once.")]
MaxWaits = Annotated[
    int,
    typer.Option(
        envvar="SHIPLIFTD_MAX_WAITS", help="The most calls that wait: for a stage, a build, a log's lines."
    ),
]
TokenShare = Annotated[
    float, typer.Option(envvar="SHIPLIFTD_TOKEN_SHARE", help="How much of each one token may have.")
]
LoginArgument = Annotated[str, typer.Argument(metavar="LOGIN", help="The user.")]


def _age(name: str, told: str) -> Any:  # noqa: ANN401  # typer's own
    return typer.Option(envvar=f"SHIPLIFTD_KEEP_{name}", metavar="AGE", help=f"{told} Else all stay.")


_DEFAULT_DATABASE = str(default_database())
_LIMITS = Limits()


@app.command()
def serve(
    database: Database = _DEFAULT_DATABASE,
    listen: Annotated[
        str, typer.Option(envvar="SHIPLIFTD_LISTEN", help="HOST:PORT or unix:PATH; port 0: any.")
    ] = "127.0.0.1:50051",
    http: Annotated[
        str | None,
        typer.Option(envvar="SHIPLIFTD_HTTP", help="Serve the JSON gateway, too: HOST:PORT or unix:PATH."),
    ] = None,
    cors_origin: CorsOrigins = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    tls_client_ca: TlsClientCa = None,
    insecure: Insecure = False,
    refuse_param: Annotated[
        list[str] | None,
        typer.Option(
            envvar="SHIPLIFTD_REFUSE_PARAM",
            help="A parameter's name to refuse beside the built-in ones; a * at its end: any ending.",
        ),
    ] = None,
    netrc_file: Annotated[
        Path | None,
        typer.Option(
            envvar="SHIPLIFTD_NETRC_FILE",
            help="A netrc file (mode 0600) with the logins that runners clone with, over HTTPS.",
        ),
    ] = None,
    public_url: PublicUrl = "",
    metrics: Annotated[
        str | None,
        typer.Option(
            envvar="SHIPLIFTD_METRICS",
            help="Answer Prometheus at http://HOST:PORT/metrics, without TLS or tokens: an address that"
            " only your own machines reach.",
        ),
    ] = None,
    keep_logs: Annotated[
        str | None, _age("LOGS", "Remove logs of builds that ended longer ago than this, such as 90d.")
    ] = None,
    keep_audit: Annotated[
        str | None, _age("AUDIT", "Remove rows of the audit that are older, but for the latest 100.")
    ] = None,
    keep_requests: Annotated[
        str | None,
        _age("REQUESTS", "Forget request ids that are older: a repeat writes anew from then on."),
    ] = None,
    drain_seconds: DrainSeconds = 30.0,
    connections: Annotated[
        int,
        typer.Option(
            envvar="SHIPLIFTD_CONNECTIONS", min=2, max=200, help="How many connections to PostgreSQL."
        ),
    ] = 10,
    max_reads: MaxReads = _LIMITS.reads,
    max_writes: MaxWrites = _LIMITS.writes,
    max_waits: MaxWaits = _LIMITS.waits,
    token_share: TokenShare = _LIMITS.token_share,
) -> None:
    """Serve the API until SIGTERM or Ctrl-C."""
    from shipliftd import server  # gRPC's server side, which administration does without

    settings = Settings(
        database=database_of(database),
        listen=listen,
        tls=Tls(tls_cert, tls_key, tls_client_ca, insecure),
        http=HttpSettings(http, tuple(cors_origin or ())) if http else None,
        refuse_params=tuple(refuse_param or ()),
        netrc_file=netrc_file,
        public_url=public_url,
        metrics=metrics or None,
        retention=Retention.of(keep_logs, keep_audit, keep_requests),
        drain_seconds=drain_seconds,
        connections=connections,
        limits=Limits(max_reads, max_writes, max_waits, token_share),
    )
    _run(server.serve(settings))


@app.command()
def gateway(
    upstream: Annotated[
        str,
        typer.Option(
            envvar="SHIPLIFTD_UPSTREAM",
            help="The server, or several behind a name: HOST:PORT; or the IP addresses of several, with"
            " commas between.",
        ),
    ],
    http: Annotated[
        str, typer.Option(envvar="SHIPLIFTD_HTTP", help="HOST:PORT or unix:PATH; port 0: any.")
    ] = "127.0.0.1:8080",
    upstream_ca: Annotated[
        Path | None,
        typer.Option(
            envvar="SHIPLIFTD_UPSTREAM_CA",
            help="Certificates to know the server by, in place of the system's, PEM.",
        ),
    ] = None,
    upstream_name: Annotated[
        str,
        typer.Option(
            envvar="SHIPLIFTD_UPSTREAM_NAME",
            help="The name in the server's certificate, if not the address.",
            show_default=False,
        ),
    ] = "",
    cors_origin: CorsOrigins = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    tls_client_ca: TlsClientCa = None,
    insecure: Insecure = False,
    public_url: PublicUrl = "",
    drain_seconds: DrainSeconds = 30.0,
) -> None:
    """Run the JSON gateway alone, before a server that is elsewhere."""
    from shipliftd.gateway import standalone  # Starlette and all, which the other commands do without

    settings = GatewaySettings(
        upstream=upstream,
        http=HttpSettings(http, tuple(cors_origin or ())),
        upstream_ca=upstream_ca,
        upstream_name=upstream_name,
        tls=Tls(tls_cert, tls_key, tls_client_ca, insecure),
        public_url=public_url,
        drain_seconds=drain_seconds,
    )
    _run(standalone.serve(settings))


@users.command("add")
def user_add(
    login: LoginArgument,
    email: Annotated[str, typer.Option(help="The mail address.")] = "",
    machine: Annotated[bool, typer.Option("--machine", help="A service, not a person.")] = False,
    admin: Annotated[bool, typer.Option("--admin", help="A site admin, who may do everything.")] = False,
    database: Database = _DEFAULT_DATABASE,
) -> None:
    """Create a user."""
    request = pb.CreateUserRequest(login=login, admin=admin, machine=machine, email=email)
    made = _write(database, create_user, request).resource
    _say(f"created {'site admin' if admin else 'user'} {made.login}")


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
    database: Database = _DEFAULT_DATABASE,
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
    _say(_write(database, create_token, request).resource.secret)


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
    database: Database = _DEFAULT_DATABASE,
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
    _say(f"{login} has {level} on {repository}")


@app.command()
def migrate(database: Database = _DEFAULT_DATABASE) -> None:
    """Bring the store up to this release."""
    with _locked(database, Lock), closing(open_store(database_of(database))) as store:
        taken = store.migrate()
    _say(f"applied {', '.join(taken)}" if taken else "nothing to apply")


@app.command()
def check(database: Database = _DEFAULT_DATABASE) -> None:
    """Check the store's integrity; works beside a running server."""
    place = _existing(database)
    if isinstance(place, Path):
        for line in backups.check(place):
            _say(line)

    async def broken() -> list[str]:
        with closing(open_store(place, 1)) as store:
            try:
                await store.open()
            except Precondition as needed:
                if isinstance(place, str):
                    raise
                # Another release's, whose rules may be others.
                _say(f"looked at no further: {needed.message}")
                return []
            return await store.listing(invariants.broken)

    if found := asyncio.run(broken()):
        raise Precondition(f"what should hold does not: {'; '.join(found)}")
    if isinstance(place, str):
        # Its files are PostgreSQL's own to check (pg_amcheck).
        _say("ok")


@app.command()
def backup(file: Path, database: Database = _DEFAULT_DATABASE) -> None:
    """Copy the store to a file; works beside a running server."""
    backups.backup(sqlite_path(database, "back it up with pg_dump"), file)
    _say(f"backed up to {file}")


@app.command()
def restore(file: Path, database: Database = _DEFAULT_DATABASE) -> None:
    """Put a backup in the store's place; keeps what was there beside it."""
    path = sqlite_path(database, "put back what pg_dump wrote with pg_restore")
    with closing(Lock(path)), closing(Lock.of_restore(path)):
        kept = backups.restore(path, file)
    _say(f"restored {file}" + (f"; what was there is in {kept}" if kept else ""))


@app.command("copy")
def copy_store(
    source: Annotated[str, typer.Option("--from", help="The store to read: a file's path, or a URL.")],
    target: Annotated[str, typer.Option("--to", help="An empty one, or a file that is not there yet.")],
) -> None:
    """Copy a store that no server uses, from SQLite to PostgreSQL or back."""
    copying.copy(_existing(source), database_of(target), _say)


@app.callback(invoke_without_command=True)
def _main(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        _say(f"shipliftd {__version__}")
        raise typer.Exit


def _write(database: str, verb: Callable[[Transaction, Caller, Any], T], request: Any) -> T:  # noqa: ANN401
    """Runs a verb of the API on the store itself, in the operator's name."""

    place = _existing(database)

    async def run() -> T:
        with closing(open_store(place, 1)) as store:
            await store.open()
            method = type(request).__name__.removesuffix("Request")
            return await store.write(verb, first_start.by_operator(method), request)

    with _locked(database, Lock.of_command):
        return asyncio.run(run())


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


def _run(serving: Coroutine[Any, Any, None]) -> None:
    import uvloop  # heavy, and only what serves needs it

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serving)
    sys.stderr.flush()


def _value(what: str, words: Mapping[E, str], word: str) -> E:
    for value, name in words.items():
        if name == word:
            return value
    raise typer.BadParameter(f"{word!r}: wanted one of {', '.join(words.values())}", param_hint=what)


def _in_days(days: int) -> int:
    return now() // 1000 + int(timedelta(days=days).total_seconds())


def _say(text: str) -> None:
    sys.stdout.write(logs.printable(text) + "\n")


def main() -> None:
    """Runs the command; a refusal is one line on stderr and exit code 1."""
    logs.set_up()
    try:
        app()
    except Refusal as error:
        _end(error.message)
    except Exception as error:
        # A full disk, a damaged file, a file that another user owns: the operator's to mend.
        if is_defect(error) or not (isinstance(error, OSError) or is_of_a_store(error)):
            raise
        _end(f"{type(error).__name__}: {error}; if it is the store, `shipliftd check` tells more")


def _end(message: str) -> NoReturn:
    sys.stderr.write(f"shipliftd: {logs.printable(' '.join(message.split()))}\n")
    sys.exit(1)
