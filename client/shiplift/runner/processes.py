"""A process and all that it starts: one process group, which ends as one."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

GRACE_SECONDS = 5.0
# After SIGKILL only the kernel is waited for.
_KILL_SECONDS = 2.0
_POLL_SECONDS = 0.02
_GUARD = 'group=; while read -r line; do group=$line; done; [ -z "$group" ] || kill -s KILL -- "-$group"'


class Group:
    """A process in a session of its own, with its children and theirs.

    Beside it a shell waits for the end of a pipe from here, and kills the group then: it does not outlive
    this process, however that ends.
    """

    def __init__(
        self, leader: asyncio.subprocess.Process, guard: asyncio.subprocess.Process, pipe: int
    ) -> None:
        self._leader = leader
        self._guard = guard
        self._pipe: int | None = pipe

    @classmethod
    async def start(
        cls,
        command: Sequence[str | Path],
        environment: Mapping[str, str],
        *,
        directory: Path | None = None,
        stdin: int | None = None,
        output: int | None = None,
    ) -> "Group":
        """Starts a command.

        Args:
            command: The program, found on the environment's PATH, and its arguments.
            environment: All that it finds in its environment.
            directory: Where it runs; here when None.
            stdin: What it reads, by file descriptor; what this process reads when None.
            output: Where what it prints goes, on both streams; where this process prints when None.

        Raises:
            OSError: It cannot be started.
            ValueError: The command or the environment has a NUL in it.
        """
        # The guard first, so that no group is there without one; it is told which as soon as that begins.
        read, write = os.pipe()
        try:
            guard = await asyncio.create_subprocess_exec(
                *("/bin/sh", "-c", _GUARD),
                stdin=read,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        except BaseException:
            os.close(write)
            raise
        finally:
            os.close(read)
        try:
            leader = await asyncio.create_subprocess_exec(
                *command,
                cwd=directory,
                # As bytes: what they are does not depend on this process's locale.
                env={name.encode(): value.encode() for name, value in environment.items()},
                stdin=stdin,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        except BaseException:
            # Told of no group, it ends.
            os.close(write)
            await guard.wait()
            raise
        os.write(write, b"%d\n" % leader.pid)
        return cls(leader, guard, write)

    async def wait(self) -> int:
        """Waits for the process that was started, not for its children; its exit code, as in a shell."""
        code = await self._leader.wait()
        return 128 - code if code < 0 else code

    async def end(self, grace: float = GRACE_SECONDS) -> None:
        """Ends what is left of the group: SIGTERM, and SIGKILL for what has not listened in time.

        Whoever starts a group calls this, even where it has ended by itself.
        """
        try:
            await self._end(grace)
        finally:
            await self._dismiss_guard()

    async def _dismiss_guard(self) -> None:
        if self._pipe is None:
            return
        pipe, self._pipe = self._pipe, None
        with contextlib.suppress(ProcessLookupError):
            self._guard.kill()
        os.close(pipe)
        await self._guard.wait()

    async def _end(self, grace: float) -> None:
        for number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, _KILL_SECONDS)):
            until = asyncio.get_running_loop().time() + seconds
            self._send(number)
            while self._is_left():
                if asyncio.get_running_loop().time() > until:
                    break
                await asyncio.sleep(_POLL_SECONDS)
            else:
                return

    def _send(self, number: int) -> bool:
        try:
            os.killpg(self._leader.pid, number)
        except ProcessLookupError:
            return False
        except PermissionError:
            # One of them runs as somebody else.
            return True
        return True

    def _is_left(self) -> bool:
        return self._leader.returncode is None or (self._send(0) and _has_living(self._leader.pid))


def _has_living(group: int) -> bool:
    """Whether something of a group is more than a zombie.

    In a container whose first process collects no orphans they stay, and nothing ends them.
    """
    folders = [folder for folder in Path("/proc").glob("[0-9]*") if folder.name.isdecimal()]
    for folder in folders:
        try:
            # The name, in brackets, may hold anything.
            state, _parent, its_group = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
        except (OSError, ValueError):
            continue
        if int(its_group) == group and state not in "ZX":
            return True
    # Without /proc, as on macOS, the group is what the signal found.
    return not folders
