"""The command `runner`."""

import asyncio
import signal
from typing import Annotated

import typer

from shiplift.cli.output import say
from shiplift.cli.pairs import pairs_of
from shiplift.cli.session import Session, UsageError, command
from shiplift.runner.place import DEFAULT_PATH
from shiplift.runner.runner import Options, Runner
from shiplift.runner.taking import Wanted, host_name, this_platform, user_name

app = typer.Typer()


@command(app, "runner", "shiplift runner --capacity 4 --label region=eu", "shiplift runner --once")
def runner(
    session: Session,
    once: Annotated[
        bool, typer.Option("--once", help="Do one stage; exit code 0 if it succeeded.")
    ] = False,
    capacity: Annotated[int, typer.Option(min=1, max=1000, help="How many stages at once.")] = 1,
    name: Annotated[
        str, typer.Option(metavar="NAME", help="What this machine is called. [the host's name]")
    ] = "",
    label: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Takes stages that have these labels; may be repeated."),
    ] = None,
    kind: Annotated[str, typer.Option("--type", help="The stages' type.")] = "exec",
    timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", min=0.1, help="How long a stage may take. [as the repository says]"
        ),
    ] = None,
    path: Annotated[
        str, typer.Option(metavar="DIRS", help="The steps' PATH.", envvar="SHIPLIFT_RUNNER_PATH")
    ] = DEFAULT_PATH,
) -> None:
    """Runs the stages of pipelines on this machine, as the user that it runs as.

    Each step is a shell with a clean environment in the stage's own folder, which is removed afterwards.
    Nothing is cloned. SIGTERM and Ctrl-C end what runs, and report it as killed.
    """
    system, architecture = this_platform()
    if system not in ("linux", "darwin"):
        raise UsageError(f"the runner knows Linux and macOS, not {system}")
    wanted = Wanted(
        machine=name or host_name(),
        kind="pipeline",
        type=kind,
        os=system,
        arch=architecture,
        labels=pairs_of("--label", label or []),
    )
    options = Options(capacity=capacity, once=once, longest=timeout, path=path)
    say(
        f"{wanted.machine} takes {kind} stages for {system}/{architecture} from {session.settings.server},"
        f" {'one' if once else f'{capacity} at once'}."
    )
    say(f"It runs what their pipelines tell it, as the user {user_name()}.")
    well = asyncio.run(_run(session, wanted, options))
    if once and not well:
        raise typer.Exit(1)


async def _run(session: Session, wanted: Wanted, options: Options) -> bool:
    async with session.connect_async() as client:
        runner = Runner(client, wanted, options, say)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, runner.stop)
        return await runner.run()
