"""A command whose output is a step's log."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from shiplift.runner.output import Echo, Pipe, StepLog
from shiplift.runner.processes import Group

# How long what a command printed may take to come out once all of its processes are gone.
_DRAIN_SECONDS = 1.0


@asynccontextmanager
async def logged(
    log: StepLog,
    command: Sequence[str | Path],
    environment: Mapping[str, str],
    *,
    directory: Path | None = None,
    stdin: int | None = None,
    echo: Echo | None = None,
) -> AsyncIterator[Group]:
    """Starts a command that prints into a log; it and what it left in its group end with the block.

    Args:
        log: Gets what it prints, on both streams, in one order.
        command: The program, found on the environment's PATH, and its arguments.
        environment: All that it finds in its environment.
        directory: Where it runs; here when None.
        stdin: What it reads, by file descriptor; what this process reads when None.
        echo: Is given what it prints as well, as it is.

    Raises:
        OSError: It cannot be started.
        ValueError: The command or the environment has a NUL in it.
    """
    pipe = await Pipe.open()
    try:
        group = await Group.start(command, environment, directory=directory, stdin=stdin, output=pipe.end)
    except BaseException:
        pipe.close()
        raise
    finally:
        pipe.started()
    reading = asyncio.create_task(pipe.read_into(log, echo))
    try:
        yield group
    finally:
        await group.end()
        # One that has left the group can hold the pipe for ever.
        await asyncio.wait([reading], timeout=_DRAIN_SECONDS)
        reading.cancel()
        pipe.close()
