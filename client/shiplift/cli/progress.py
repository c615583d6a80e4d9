"""A build as it goes on: what a watch tells of it put together, and shown live on a terminal."""

import time
from collections.abc import Iterator

from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console, ConsoleOptions, RenderResult
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from shiplift._waiting import ENDED
from shiplift.cli.output import clean, word
from shiplift.cli.tables import COLOURS
from shiplift.v1 import builds_pb2 as pb

_WENT_WRONG = ("failure", "error", "killed", "declined")
_MARKS = {"success": "\u2713", **dict.fromkeys(_WENT_WRONG, "\u2717")}
_PLAIN_MARKS = {"success": "+", **dict.fromkeys(_WENT_WRONG, "x")}
_RUNNING = (pb.BUILD_STATUS_RUNNING,)
# Of a stage that went well its own line is enough.
_OPEN = (*_RUNNING, pb.BUILD_STATUS_FAILURE, pb.BUILD_STATUS_ERROR, pb.BUILD_STATUS_KILLED)


class Progress:
    """A build, whole, with what a watch of it has told so far."""

    def __init__(self, build: pb.Build) -> None:
        self.build = build

    def take(self, response: pb.WatchBuildsResponse) -> bool:
        """Adds what is told; returns whether the build itself has moved, so that it is to be read again."""
        if response.HasField("snapshot"):
            has_moved = response.snapshot.version != self.build.version
            self.build = response.snapshot
            return has_moved
        change = response.change
        if change.HasField("moved_stage"):
            self._take_stage(change.moved_stage)
        elif change.HasField("moved_step"):
            self._take_step(change.stage, change.moved_step)
        return change.HasField("moved_build")

    def _take_stage(self, moved: pb.Stage) -> None:
        for stage in self.build.stages:
            if stage.number == moved.number:
                steps = list(stage.steps)
                stage.CopyFrom(moved)
                stage.steps.extend(steps)

    def _take_step(self, stage_number: int, moved: pb.Step) -> None:
        for stage in self.build.stages:
            if stage.number != stage_number:
                continue
            steps = {step.number: step for step in stage.steps}
            steps[moved.number] = moved
            in_order = [steps[number] for number in sorted(steps)]
            del stage.steps[:]
            stage.steps.extend(in_order)


class Screen:
    """A build's stages and steps with how long each took, and what it waits for, as Rich shows them."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._fancy, self._plain = Spinner("dots"), Spinner("line")

    def __rich_console__(self, console: Console, _options: ConsoleOptions) -> RenderResult:
        """The lines as they are now."""
        build = self._progress.build
        table = Table.grid(padding=(0, 1), expand=True)
        table.add_column(no_wrap=True)
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, justify="right")
        is_plain = not console.encoding.startswith("utf")
        for name, what, begun, ended in _lines(build):
            status = word(pb.BuildStatus, what)
            style = COLOURS.get(status, "")
            mark = (_PLAIN_MARKS if is_plain else _MARKS).get(status, "-" if is_plain else "\u00b7")
            marked = Text(mark, style)
            if what in _RUNNING:
                marked = Text(self._spinner(console, is_plain).plain, style)
            took = length(begun, ended)
            table.add_row(marked, Text(name), Text(status.replace("_", " "), style), Text(took))
        yield table
        if build.waiting_for and build.status not in ENDED:
            since = length(build.created, None)
            yield Text(clean(f"waits for {since}: {build.waiting_for}"), "yellow")

    def _spinner(self, console: Console, is_plain: bool) -> Text:
        frame = (self._plain if is_plain else self._fancy).render(console.get_time())
        return frame if isinstance(frame, Text) else Text("")


def _lines(build: pb.Build) -> Iterator[tuple[str, pb.BuildStatus, Timestamp | None, Timestamp | None]]:
    """Each line's name, status, begin and end: the build, its stages, and the steps of those that run."""
    what = build.release or build.after[:12]
    where = f"{what} to {build.deploy_to}" if build.deploy_to else what
    title = f"{build.owner}/{build.repo} {build.number}: {where}"
    yield (clean(title), build.status, *_span(build, "started", "finished"))
    for stage in build.stages:
        name = f"  {clean(stage.name)}"
        if stage.machine and stage.status in _RUNNING:
            name = f"{name} on {clean(stage.machine)}"
        yield (name, stage.status, *_span(stage, "started", "stopped"))
        if stage.status in _OPEN:
            for step in stage.steps:
                yield (f"    {clean(step.name)}", step.status, *_span(step, "started", "stopped"))


def _span(
    message: pb.Build | pb.Stage | pb.Step, begun: str, ended: str
) -> tuple[Timestamp | None, Timestamp | None]:
    begin, end = (getattr(message, name) if message.HasField(name) else None for name in (begun, ended))
    return begin, end


def length(begun: Timestamp | None, ended: Timestamp | None) -> str:
    """How long something took, or takes by now, as 1:02:03; '' for what has not begun."""
    if begun is None:
        return ""
    end = ended.ToMilliseconds() / 1000 if ended is not None else time.time()
    seconds = max(0, int(end - begun.ToMilliseconds() / 1000))
    minutes, hours = seconds // 60, seconds // 3600
    return f"{hours}:{minutes % 60:02}:{seconds % 60:02}" if hours else f"{minutes}:{seconds % 60:02}"
