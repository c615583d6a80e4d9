"""Staying with a build: how it moves, and what its steps print, shown as it comes."""

import asyncio
import contextlib
import json
import re
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Annotated, NamedTuple

import typer
from rich.console import Console
from rich.live import Live

from shiplift import AsyncClient, Unavailable, WaitTimeout
from shiplift._waiting import ENDED, PATIENCE_SECONDS, PAUSE_SECONDS
from shiplift.cli.failing import say_failure
from shiplift.cli.output import clean, say, word
from shiplift.cli.progress import Progress, Screen
from shiplift.cli.session import DECLINED, FAILED, TIMED_OUT, Session
from shiplift.v1 import builds_pb2 as pb

_FRAME_SECONDS = 0.1
_COLOUR = re.compile(r"\x1b\[[0-9;:]*[A-Za-z]")


TimeoutOption = Annotated[
    float | None,
    typer.Option(metavar="SECONDS", min=0.1, help="How long to wait for the end. [without end]"),
]


class Place(NamedTuple):
    """A build of a repository."""

    owner: str
    repo: str
    build: int


def state(build: pb.Build) -> str:
    """How far a build is, in words, and what it waits for."""
    told = f"{build.owner}/{build.repo}: build {build.number} is {word(pb.BuildStatus, build.status)}"
    return ": ".join(filter(None, (told, build.error if build.status in ENDED else build.waiting_for)))


def until_ended(session: Session, build: pb.Build, timeout: float | None) -> None:
    """Waits for a build's end, and shows meanwhile how it moves and what its steps print.

    On a terminal that is a picture that moves; elsewhere it is lines, and those that the steps print.
    Raises typer.Exit where it did not end in success, or not in time.
    """
    slug = f"{build.owner}/{build.repo}"
    come_back = f"Build {build.number} goes on. To wait again: shiplift wait {build.number} -R {slug}"
    try:
        ended = asyncio.run(_until_ended(session, build, timeout))
    except WaitTimeout as error:
        say(f"shiplift: {error.message}\n{come_back}")
        raise typer.Exit(TIMED_OUT) from None
    except (KeyboardInterrupt, Unavailable):
        say(come_back)
        raise
    session.show(ended, lambda: None)
    if ended.status != pb.BUILD_STATUS_SUCCESS:
        is_replaced = ended.status == pb.BUILD_STATUS_DECLINED or ended.superseded_by > 0
        raise typer.Exit(DECLINED if is_replaced else FAILED)


async def _until_ended(session: Session, build: pb.Build, timeout: float | None) -> pb.Build:
    console = Console(stderr=True, highlight=False)
    progress = Progress(build)
    async with session.connect_async() as client:
        shown = Shown(client, build, "", as_json=False)
        try:
            async with asyncio.timeout(timeout):
                if console.is_terminal and not console.is_dumb_terminal and not session.for_programs:
                    await _shown_live(client, progress, console)
                else:
                    await _shown_in_lines(client, progress, None if session.for_programs else shown)
        except TimeoutError:
            if progress.build.status not in ENDED:
                raise WaitTimeout(progress.build, timeout or 0) from None
        say(state(progress.build))
        on_terminal = sys.stdout.isatty() and not session.for_programs
        await say_failure(client, progress.build, shown.last if on_terminal else None)
    return progress.build


async def _shown_live(client: AsyncClient, progress: Progress, console: Console) -> None:
    with Live(Screen(progress), console=console, auto_refresh=False) as live:

        async def draw() -> None:
            while True:
                live.refresh()
                await asyncio.sleep(_FRAME_SECONDS)

        drawing = asyncio.create_task(draw())
        try:
            await _follow(client, progress, lambda _: None)
        finally:
            drawing.cancel()
            live.refresh()


async def _shown_in_lines(client: AsyncClient, progress: Progress, shown: "Shown | None") -> None:
    def moved(build: pb.Build) -> None:
        # Its end is told behind the last line of the log.
        if build.status not in ENDED:
            say(state(build))

    moved(progress.build)
    log = asyncio.create_task(_nothing() if shown is None else shown.show(follow=True))
    try:
        await _follow(client, progress, moved)
        await log
    finally:
        log.cancel()
        await asyncio.gather(log, return_exceptions=True)


async def _follow(client: AsyncClient, progress: Progress, moved: Callable[[pb.Build], None]) -> None:
    """Keeps the build as it goes on, until it has ended; `moved` is told each time that it has moved."""
    place = progress.build
    watch = client.watch(owner=place.owner, repo=place.repo, build=place.number)
    async with contextlib.aclosing(watch):
        while progress.build.status not in ENDED:
            if progress.take(await anext(watch)):
                progress.build = await client.get_build(
                    owner=place.owner, repo=place.repo, build=place.number
                )
                moved(progress.build)


async def _nothing() -> bool:
    return False


class Shown:
    """Shows the lines of the steps that are named, with a heading where another step's begin."""

    def __init__(self, client: AsyncClient, build: pb.Build, where: str, *, as_json: bool) -> None:
        self._client = client
        self._build = build
        self._place = Place(build.owner, build.repo, build.number)
        self._where = where
        self._json = as_json
        # The stage and the step that were shown last.
        self.last: tuple[int, int] | None = None

    async def show(self, *, follow: bool) -> bool:
        """Shows them to their end; returns whether there is a step that is named."""
        async for part in self._parts(follow=follow):
            stage, step = await self._step(part.stage, part.step)
            if not _is_named(stage, step, self._where):
                continue
            if self.last != (part.stage, part.step) and "/" not in self._where and not self._json:
                say(f"--- {stage.name}/{step.name} ({stage.number}/{step.number})")
            self.last = (part.stage, part.step)
            for line in part.lines:
                self._put(part, line)
        if self.last is None:
            await self._look()
        return any(
            _is_named(stage, step, self._where) for stage in self._build.stages for step in stage.steps
        )

    async def _parts(self, *, follow: bool) -> AsyncIterator[pb.TailLogResponse]:
        """The lines, each once, however often the server goes away meanwhile."""
        stage, step = _narrowed(self._build, self._where)
        positions: dict[tuple[int, int], int] = {}
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            position = positions.get((stage, step), 0)
            try:
                async for part in self._client.tail_log(
                    **self._place._asdict(), stage=stage, step=step, position=position, follow=follow
                ):
                    until = time.monotonic() + PATIENCE_SECONDS
                    seen = positions.get((part.stage, part.step), 0)
                    new = [line for line in part.lines if line.position >= seen]
                    positions[part.stage, part.step] = max(seen, part.next_position)
                    if new:
                        yield pb.TailLogResponse(lines=new, stage=part.stage, step=part.step)
            except Unavailable:
                if not follow or time.monotonic() > until:
                    raise
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                return

    async def _step(self, stage: int, step: int) -> tuple[pb.Stage, pb.Step]:
        """A step with its stage, by their numbers."""
        found = _find(self._build, stage, step)
        if found is None:
            await self._look()
            found = _find(self._build, stage, step)
        return found or (pb.Stage(number=stage), pb.Step(number=step))

    async def _look(self) -> None:
        self._build = await self._client.get_build(**self._place._asdict())

    def _put(self, part: pb.TailLogResponse, line: pb.LogLine) -> None:
        if self._json:
            fields = {"stage": part.stage, "step": part.step, "position": line.position}
            sys.stdout.write(
                json.dumps({**fields, "time": line.time.ToMilliseconds() / 1000, "text": line.text}) + "\n"
            )
        elif sys.stdout.isatty():
            text = _COLOUR.sub("", line.text.removesuffix("\n").expandtabs())
            sys.stdout.write(f"{clean(text)}\n")
        else:
            # A program or a file gets what was printed.
            sys.stdout.write(line.text)
        sys.stdout.flush()


def _narrowed(build: pb.Build, where: str) -> tuple[int, int]:
    """The one stage or step that a build's log can be asked for; 0 where that is not one."""
    found = {
        (stage.number, 0 if where in (str(stage.number), stage.name) else step.number)
        for stage in build.stages
        for step in (stage.steps or [pb.Step()])
        if _is_named(stage, step, where)
    }
    return found.pop() if where and len(found) == 1 else (0, 0)


def _find(build: pb.Build, number: int, step: int) -> tuple[pb.Stage, pb.Step] | None:
    return next(
        (
            (stage, each)
            for stage in build.stages
            if stage.number == number
            for each in stage.steps
            if each.number == step
        ),
        None,
    )


def _is_named(stage: pb.Stage, step: pb.Step, where: str) -> bool:
    # Names may have slashes in them.
    stages = (str(stage.number), stage.name)
    steps = (str(step.number), step.name)
    return where in ("", *stages) or where in {f"{a}/{b}" for a in stages for b in steps}
