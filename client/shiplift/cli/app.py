"""The command's wiring."""

import sys
from typing import Annotated, Literal

import typer

from shiplift.cli import (
    access,
    audit,
    builds,
    environments,
    envs,
    figures,
    gates,
    holds,
    log,
    login,
    promoting,
    record,
    repos,
    runner,
    secrets,
    take,
    watching,
)
from shiplift.cli.output import put
from shiplift.cli.pages import Group
from shiplift.cli.session import Session, command, with_global_options

# What the scripts of `completion` have in the environment when they ask.
COMPLETE_VARIABLE = "_SHIPLIFT_COMPLETE"

app = typer.Typer(
    name="shiplift",
    cls=Group,
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    # One form for our own errors and Typer's, which a CI log shows as it is.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for part in (
    *(login.app, record.app, promoting.app, gates.app, builds.app, log.app, watching.app, envs.app),
    *(figures.app, holds.app, environments.app, take.app, runner.app, access.app, repos.app),
    *(secrets.app, audit.app),
):
    app.add_typer(part)


@command(app, "completion", "shiplift completion bash")
def completion(
    _session: Session,
    shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(help="For which shell.")],
) -> None:
    """Puts out a script that has a shell complete commands, builds, environments and repositories.

    bash: source <(shiplift completion bash), in ~/.bashrc; zsh: the same in ~/.zshrc, behind compinit;
    fish: shiplift completion fish > ~/.config/fish/completions/shiplift.fish
    """
    from shiplift.cli.shells import script  # slow, and only this needs it

    sys.stdout.write(script(shell, COMPLETE_VARIABLE) + "\n")


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # slow, and only this needs it

        put(f"shiplift {version('shiplift')}")
        raise typer.Exit


@app.callback(
    epilog="shiplift login --server deploy.example.org\n"
    "shiplift promote v1.4.2 production\n"
    "shiplift builds --environment production"
)
@with_global_options
def main(
    _called: typer.Context,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Promotes builds: from "build 42 is good" to "build 42 is running in production".

    Exit codes: 0 done, 1 refused, 2 usage, 3 no answer or too busy; of a build that was waited for:
    4 failed, 5 declined or superseded, 6 not in time.
    """
