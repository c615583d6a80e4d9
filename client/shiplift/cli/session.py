"""What every command has: the global options, the forms of its answer, and the exit codes.

Exit codes: 0 done; 1 refused by the server, or it has no such build; 2 usage: nothing was sent that changes
anything; 3 no answer: a write may have been done, and the same request_id repeats it safely; or the server
was too busy all the time: nothing was done. Of a build that was waited for: 4 it failed, 5 it was declined,
or superseded by a newer one; 6 it had not ended in time.
"""

import functools
import inspect
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, Concatenate, NoReturn, ParamSpec, TypeVar, get_args

import grpc
import typer
from google.protobuf.message import Message

from shiplift import AsyncClient, Client, ShipliftError, Unavailable
from shiplift._channel import Route
from shiplift._mismatch import listens
from shiplift.cli import git
from shiplift.cli.formats import Answer, Form, as_fields, as_json, as_names, as_yaml, fields_of
from shiplift.cli.output import put_lines, say
from shiplift.cli.pages import GLOBAL, Command, Group
from shiplift.settings import Settings

P = ParamSpec("P")
W = TypeVar("W", bound=str)
C = TypeVar("C", Client, AsyncClient)

# For a call with all its repeats: a server that starts again is back within it, and nobody waits for
# half a minute to be told of a wrong address.
_CALL_SECONDS = 10.0
# The same of those that run for long.
_PATIENT_SECONDS = 30.0

REFUSED, USAGE, UNREACHABLE = 1, 2, 3
# Of a build that was waited for.
FAILED, DECLINED, TIMED_OUT = 4, 5, 6
# As a shell reports the signals that end other programs.
_INTERRUPTED, _PIPE_CLOSED = 130, 141


class UsageError(Exception):
    """The command line, or a setting, is wrong: said in words, exit code 2."""


class UnresolvedError(Exception):
    """What the command line names is not there, or is not one thing: said in words, exit code 1."""


def _contexts(incomplete: str) -> list[str]:
    from shiplift.cli import completing  # it needs this module

    return completing.contexts(incomplete)


def _repositories(ctx: typer.Context, incomplete: str) -> list[str]:
    from shiplift.cli import completing  # as above

    return completing.repositories(ctx, incomplete)


@dataclass
class Session:
    """A command's run: what it was called with, and its client. The fields are the global options."""

    output: Annotated[
        Form | None,
        typer.Option(
            "--output",
            "-o",
            help="json, yaml, name (what other commands take), or wide (all columns of a table).",
        ),
    ] = None
    json: Annotated[
        str | None,
        typer.Option(
            "--json",
            metavar="[=FIELDS]",
            help="As -o json; with fields (--json=number,status) these alone, in plain words.",
        ),
    ] = None
    context: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            autocompletion=_contexts,
            help="A context that `login` made. [SHIPLIFT_CONTEXT, else the current]",
        ),
    ] = None
    server: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="The server, or its replicas with commas between."
            " [SHIPLIFT_SERVER, else the context's, else 127.0.0.1:50051]",
        ),
    ] = None
    token: Annotated[
        str | None,
        typer.Option(
            metavar="TOKEN",
            help="Who calls; others on this machine can see it: rather use --token-file. [SHIPLIFT_TOKEN]",
        ),
    ] = None
    token_file: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="A file with the token. [SHIPLIFT_TOKEN_FILE]"),
    ] = None
    ca: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Certificates (PEM) to know the server by. [SHIPLIFT_CA]"),
    ] = None
    cert: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Certificate (PEM) to show to the server. [SHIPLIFT_CERT]"),
    ] = None
    key: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Its private key (PEM). [SHIPLIFT_KEY]"),
    ] = None
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Plaintext to another machine. [SHIPLIFT_INSECURE=1]")
    ] = False
    server_name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The name in the server's certificate, if not the address. [SHIPLIFT_SERVER_NAME]",
        ),
    ] = None
    _open: ExitStack = field(default_factory=ExitStack, init=False, repr=False)
    # What stood behind `--`, for a command that takes another one there.
    behind: list[str] = field(default_factory=list, init=False)
    _fields: list[str] = field(default_factory=list, init=False)

    @classmethod
    def of(cls, called: typer.Context) -> "Session":
        """A run with the global options of a command line: each may be before or after a command's name.

        The last one holds where an option is given in several places.
        """
        given: dict[str, Any] = {}
        at: Any = called
        while at is not None:
            for each in _SHARED:
                source = at.get_parameter_source(each.name)
                if each.name not in given and source is not None and source.name == "COMMANDLINE":
                    given[each.name] = at.params[each.name]
            at = at.parent
        usual = {each.name: called.params.get(each.name, each.default) for each in _SHARED}
        made = cls(**{**usual, **given})
        made.behind = called.args
        return made

    @cached_property
    def settings(self) -> Settings:
        """The options, the environment and the file of logins together."""
        return Settings.find(
            context=self.context,
            server=self.server,
            token=self.token,
            token_file=self.token_file,
            ca_file=self.ca,
            cert_file=self.cert,
            key_file=self.key,
            insecure=self.insecure,
            server_name=self.server_name,
        )

    @cached_property
    def client(self) -> Client:
        """The client, open until the command ends."""
        return self._open.enter_context(self.connect(self.settings))

    def connect(self, settings: Settings) -> Client:
        """A client with these settings."""
        return _client(Client, settings, _CALL_SECONDS)

    def connect_async(self) -> AsyncClient:
        """A client for asyncio, to be closed by who calls."""
        return _client(AsyncClient, self.settings, _PATIENT_SECONDS)

    def choose(self, answers: type[Message] | None) -> None:
        """Looks whether the answer can be had as it is wanted. Raises UsageError, ValueError."""
        if self.json is not None and self.output not in (None, "json"):
            raise UsageError(f"--json and -o {self.output} are both given: leave one out")
        if self.json and answers is None:
            raise UsageError(f"--json={self.json}: this command has no fields")
        if self.json and answers is not None:
            self._fields = fields_of(self.json, answers)

    @property
    def for_programs(self) -> bool:
        """Whether a program reads the answer, and not a person."""
        return self.json is not None or self.output in ("json", "yaml", "name")

    @property
    def wide(self) -> bool:
        """Whether tables have all their columns."""
        return self.output == "wide"

    def show(self, answer: Answer, text: Callable[[], None], empty: str = "") -> None:
        """Puts out what a command has, in the form that was asked for.

        Args:
            answer: What there is, for programs.
            text: Puts it out for people.
            empty: What people are told of an empty list.
        """
        if self._fields:
            put_lines(as_fields(answer, self._fields))
        elif self.json is not None or self.output == "json":
            put_lines(as_json(answer))
        elif self.output == "yaml":
            put_lines(as_yaml(answer))
        elif self.output == "name":
            put_lines(as_names(answer))
        elif empty and not answer:
            say(empty)
        else:
            text()

    def repository(self, given: str | None, known: str = "") -> tuple[str, str]:
        """Owner and name: as given, else SHIPLIFT_REPO, else as known, else git's remote.

        Raises UsageError when there are none.
        """
        slug = given or os.environ.get("SHIPLIFT_REPO") or known
        if slug:
            owner, slash, name = slug.partition("/")
            if not (owner and slash and name) or "/" in name:
                raise UsageError(f"repository {slug!r}: wanted owner/repo")
            return owner, name
        try:
            found = git.origin()
        except ValueError as error:
            raise UsageError(f"{error}: say which repository with -R owner/repo") from None
        if found is None:
            raise UsageError("which repository? Say -R owner/repo, set SHIPLIFT_REPO, or have a git remote")
        return found

    def repository_or_all(self, given: str | None, *, everywhere: bool) -> tuple[str, str]:
        """The same, and neither for all of them. Raises UsageError, which names --all."""
        if everywhere:
            return "", ""
        try:
            return self.repository(given)
        except UsageError as error:
            raise UsageError(f"{error}; or --all") from None

    def close(self) -> None:
        """Closes the client, if there is one."""
        self._open.close()


def _client(kind: type[C], settings: Settings, timeout: float) -> C:
    return kind(
        settings.server,
        settings.token,
        timeout=timeout,
        ca_file=settings.ca_file,
        cert_file=settings.cert_file,
        key_file=settings.key_file,
        insecure=settings.insecure,
        server_name=settings.server_name,
    )


RepositoryOption = Annotated[
    str | None,
    typer.Option(
        "--repository",
        "-R",
        metavar="OWNER/REPO",
        autocompletion=_repositories,
        help="The repository. [SHIPLIFT_REPO, else the git remote origin]",
    ),
]
RequestIdOption = Annotated[
    str | None,
    typer.Option(metavar="ID", help="Repeats a call that got no answer; a fresh one when left out."),
]


def _shared() -> list[inspect.Parameter]:
    """The global options, as parameters of a function."""
    parameters = list(inspect.signature(Session).parameters.values())
    for each in parameters:
        get_args(each.annotation)[1].rich_help_panel = GLOBAL
    return [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters]


_SHARED = _shared()

Body = Callable[Concatenate[Session, P], None]


def command(
    app: typer.Typer,
    name: str,
    *examples: str,
    answers: type[Message] | None = None,
    kind: type[Command] | None = None,
) -> Callable[[Body[P]], Body[P]]:
    """Makes a function a command: its own parameters, then the global options. Help shows the examples.

    `answers` is the message that it shows, alone or in a list; None when it shows something else: there
    `--json` and `-o` mean nothing, or what the command itself says. `kind` reads its command line, where
    the usual one does not.
    """

    def register(function: Body[P]) -> Body[P]:
        @functools.wraps(function)
        def run(called: typer.Context, *args: P.args, **options: P.kwargs) -> None:
            session = Session.of(called)

            def chosen_and_run() -> None:
                session.choose(answers)
                function(session, *args, **options)

            _ending_well(session, chosen_and_run)

        made = app.command(
            name, cls=kind or Command, help=inspect.getdoc(function), epilog="\n".join(examples)
        )
        made(with_global_options(run))
        return function

    return register


def group(app: typer.Typer, name: str, words: str, *examples: str) -> typer.Typer:
    """Makes a group of commands, which takes the global options before their names."""
    made = typer.Typer(cls=Group, no_args_is_help=True)
    made.callback()(with_global_options(lambda called: None))
    app.add_typer(made, name=name, help=words, epilog="\n".join(examples))
    return made


def with_global_options(function: Callable[..., None]) -> Callable[..., None]:
    """The function, as Typer gets it: its parameters after the first one, then the global options."""
    own = list(inspect.signature(function).parameters.values())[1:]

    def run(called: typer.Context, **given: Any) -> None:  # noqa: ANN401  # as Typer gives it
        function(called, **{each.name: given[each.name] for each in own})

    called = inspect.Parameter("called", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    parameters = [called, *own, *_SHARED]
    # Typer reads a command's parameters from these two.
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # Python knows it
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    run.__doc__ = function.__doc__
    return run


def chosen(option: str, given: Sequence[str] | None, allowed: Sequence[W]) -> list[W]:
    """The words given to an option that may be repeated. Raises UsageError for one that is not allowed.

    Typer checks the words of an option that is given once; lists of words it does not know.
    """
    words = {str(each): each for each in allowed}
    for each in given or ():
        if each not in words:
            raise UsageError(f"{option} {each!r}: wanted one of {', '.join(words)}")
    return [words[each] for each in given or ()]


def _ending_well(session: Session, run: Callable[[], None]) -> None:
    """Runs a command; what is expected to fail ends it with words and an exit code."""
    try:
        run()
        sys.stdout.flush()
    except Unavailable as error:
        _say_unavailable(session, error)
        raise typer.Exit(UNREACHABLE) from None
    except ShipliftError as error:
        _say_refused(error)
        raise typer.Exit(REFUSED) from None
    except UnresolvedError as error:
        say(f"shiplift: {error}")
        raise typer.Exit(REFUSED) from None
    except BrokenPipeError:
        _leave_quietly()
    except (UsageError, ValueError) as error:
        say(f"shiplift: {error}")
        raise typer.Exit(USAGE) from None
    except OSError as error:
        say(f"shiplift: {error.filename}: {error.strerror}" if error.filename else f"shiplift: {error}")
        raise typer.Exit(USAGE) from None
    except (KeyboardInterrupt, typer.Abort):
        # Abort: at a prompt.
        raise typer.Exit(_INTERRUPTED) from None
    finally:
        session.close()


def _say_unavailable(session: Session, error: Unavailable) -> None:
    if error.is_busy:
        say(f"shiplift: {session.settings.server} is too busy: {error.message}")
        say(f"There may be room in {error.retry_after or 1:g} s.")
        return
    say(f"shiplift: no answer from {session.settings.server}: {_without_grpc(session, error)}")
    if error.request_id:
        say(f"It may have been done. To repeat it safely, add: --request-id {error.request_id}")


def _without_grpc(session: Session, error: Unavailable) -> str:
    """Why there was no answer: gRPC's words for it are its own, and of several addresses are about one."""
    if "Connection refused" not in error.message and "backend unhealthy" not in error.message:
        return error.message
    listening = {each: listens(each) for each in Route(session.settings.server).addresses}
    if any(listening.values()):
        # It took the connection, and has said of its health that it does not serve.
        told = (
            f"{','.join(each for each in listening if listening[each])} is there and does not serve: does"
        )
        silent = ",".join(each for each in listening if not listening[each])
        return f"{told} it start or stop, or is its store away?" + (
            f" And nothing listens on {silent}" if silent else ""
        )
    return f"nothing listens on {session.settings.server}: is the server running, and is this its address?"


# What shows what there is, as the server has it, and as it is called here.
_LISTS = {
    "ListBuilds": "builds",
    "ListDeployments": "envs",
    "ListSecrets": "secret list",
    "ListEnvironments": "env list",
    "ListTokens": "token list",
}


def _say_refused(error: ShipliftError) -> None:
    """A refusal in the words of the command: the server's are for callers in every language."""
    message = error.message
    for rpc, words in _LISTS.items():
        message = message.replace(f"{rpc} shows", f"`shiplift {words}` shows")
    if error.reason == "NO_TOKEN":
        message = f"{error.metadata.get('method', 'this')} needs a token, and none was given"
    if error.reason == "PROMOTION_REFUSED":
        # A line for each gate: what stands in the message is one sentence.
        gates = "\n".join(f"  {gate}: {reason}" for gate, reason in error.violations)
        message = f"{message.partition(': ')[0]}:\n{gates}"
    say(f"shiplift: refused ({error.code.name}): {message}")
    if error.code is grpc.StatusCode.UNAUTHENTICATED:
        say("Run `shiplift login`, or set SHIPLIFT_TOKEN or SHIPLIFT_TOKEN_FILE.")
    if error.reason == "PROMOTION_REFUSED":
        build, environment = (error.metadata.get(key, key.upper()) for key in ("build", "environment"))
        say(f"All gates, and who clears them: shiplift explain {build} {environment}")
    if error.reason == "ROLLBACK_UNDER_WAY":
        build, environment, owner, repo = (
            error.metadata.get(key, "") for key in ("build", "environment", "owner", "repo")
        )
        say(f"To wait for it: shiplift wait {build} -R {owner}/{repo}")
        say(
            f"To stop it and put back the same: shiplift rollback {environment} --cancel-running"
            f" -R {owner}/{repo}"
        )
    if error.reason == "REPOSITORY_NOT_FOUND" and {"owner", "repo"} <= error.metadata.keys():
        slug = f"{error.metadata['owner']}/{error.metadata['repo']}"
        say(f"If it is new here: shiplift repo add {slug}")


def _leave_quietly() -> NoReturn:
    # Python flushes once more at its end, and would complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise typer.Exit(_PIPE_CLOSED) from None
