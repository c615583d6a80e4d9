"""The command `shipliftd`: serving; administration on the store itself is in `administration.py`."""

import asyncio
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from shipliftd import __version__, administration, logs
from shipliftd.administration import DEFAULT_DATABASE, Database, SecretKeyFile, say
from shipliftd.errors import Refusal
from shipliftd.secrets import keys
from shipliftd.settings import (
    GatewaySettings,
    HttpSettings,
    Limits,
    Retention,
    Settings,
    Tls,
    database_of,
)
from shipliftd.store import is_defect, is_of_a_store

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
app.add_typer(administration.app)

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


def _age(name: str, told: str) -> Any:  # noqa: ANN401  # typer's own
    return typer.Option(envvar=f"SHIPLIFTD_KEEP_{name}", metavar="AGE", help=f"{told} Else all stay.")


_LIMITS = Limits()


@app.command()
def serve(
    database: Database = DEFAULT_DATABASE,
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
    secret_key_file: SecretKeyFile = None,
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
    keep_changes: Annotated[
        str,
        typer.Option(
            envvar="SHIPLIFTD_KEEP_CHANGES",
            metavar="AGE",
            help="Forget changes that are older: a watch that comes back later begins anew.",
        ),
    ] = "7d",
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
        retention=Retention.of(keep_logs, keep_audit, keep_requests, keep_changes),
        drain_seconds=drain_seconds,
        connections=connections,
        limits=Limits(max_reads, max_writes, max_waits, token_share),
        secret_key_file=secret_key_file,
        secret_key=os.environ.get(keys.VARIABLE, ""),
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


@app.callback(invoke_without_command=True)
def _main(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        say(f"shipliftd {__version__}")
        raise typer.Exit


def _run(serving: Coroutine[Any, Any, None]) -> None:
    import uvloop  # heavy, and only what serves needs it

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serving)
    sys.stderr.flush()


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
