"""What a step prints: cut into lines, and sent to its log as they come."""

import asyncio
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from datetime import timedelta

from shiplift.masking import Masked, Masker
from shiplift.runner.holding import Holding
from shiplift.v1 import builds_pb2 as pb

Echo = Callable[[bytes], Awaitable[None]]

MOST_LINE_BYTES = 64 * 1024
MOST_LINES = 500
BATCH_SECONDS = 0.25
# What has piled up goes in larger batches.
_MOST_BATCH_LINES = 5000
_MOST_BATCH_BYTES = 1024 * 1024
# A log keeps 5 MiB. What comes after is not held either, so that a step never waits for the server.
_MOST_LOG_BYTES = 6 * 1024 * 1024


class Splitter:
    """Cuts bytes into lines with their line ends; one that is too long is cut between characters."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        """The lines that are complete with these bytes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        found = [piece for line in lines for piece in _pieces(line + b"\n")]
        if len(self._rest) > MOST_LINE_BYTES:
            *begun, self._rest = _pieces(self._rest)
            found += begun
        return [_text(piece) for piece in found]

    def close(self) -> list[str]:
        """The last line, if it has no end."""
        rest, self._rest = self._rest, b""
        return [_text(rest)] if rest else []


def _pieces(line: bytes) -> Iterator[bytes]:
    while len(line) > MOST_LINE_BYTES:
        end = MOST_LINE_BYTES
        # Back to a character's first byte; what has none within its length is no UTF-8.
        while line[end] & 0xC0 == 0x80 and end > MOST_LINE_BYTES - 4:
            end -= 1
        yield line[:end]
        line = line[end:]
    yield line


def _text(line: bytes) -> str:
    # Texts on the server have no NUL.
    return line.decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")


class StepLog:
    """A step's log: takes lines at once, and sends them in batches."""

    def __init__(self, holding: Holding, step_id: int) -> None:
        self._holding = holding
        self._step_id = step_id
        self._begun = time.monotonic()
        self._lines: deque[pb.LogLine] = deque()
        self._position = 0
        self._bytes = 0
        self._full = False
        self._left_out = 0
        self._closed = False
        self._some = asyncio.Event()
        self._many = asyncio.Event()

    @property
    def is_full(self) -> bool:
        """Whether nothing more is kept."""
        return self._full

    @property
    def masker(self) -> Masker:
        """What finds the values that must not stand in it."""
        return self._holding.masker

    def add(self, texts: Iterable[str]) -> None:
        """Takes lines."""
        at = timedelta(milliseconds=int((time.monotonic() - self._begun) * 1000))
        for text in texts:
            if self._full:
                self._left_out += 1
                continue
            self._lines.append(pb.LogLine(text=text, time=at))
            self._bytes += len(text.encode())
            self._full = self._bytes > _MOST_LOG_BYTES
            self._some.set()
        if len(self._lines) >= MOST_LINES:
            self._many.set()

    def leave_out(self, data: bytes) -> None:
        """Counts the lines in what is not kept."""
        self._left_out += data.count(b"\n")

    def close(self) -> None:
        """Takes no more: `send` ends once all has been sent."""
        self._closed = True
        self._some.set()
        self._many.set()

    async def send(self) -> None:
        """Sends the lines as they come, until the log is closed or the lease is lost."""
        while True:
            await self._some.wait()
            if not self._closed:
                await _within(self._many.wait(), BATCH_SECONDS)
            if not self._lines and self._closed:
                if self._left_out:
                    await self._holding.append_log(self._step_id, self._position + self._left_out, [])
                return
            await self._send_batch()
            if not (self._lines or self._closed):
                self._some.clear()
            if len(self._lines) < MOST_LINES and not self._closed:
                self._many.clear()

    async def _send_batch(self) -> None:
        batch = self._batch()
        kept = await self._holding.append_log(self._step_id, self._position, batch)
        self._position += len(batch)
        if kept is None or kept.full or kept.next_position < self._position:
            self._full = True
            self._left_out += len(self._lines)
            self._lines.clear()

    def _batch(self) -> list[pb.LogLine]:
        batch: list[pb.LogLine] = []
        room = _MOST_BATCH_BYTES
        while self._lines and len(batch) < _MOST_BATCH_LINES and room > 0:
            batch.append(self._lines.popleft())
            room -= batch[-1].ByteSize()
        return batch


async def _within(waiting: Coroutine[None, None, object], seconds: float) -> None:
    try:
        await asyncio.wait_for(waiting, seconds)
    except TimeoutError:
        return


class Pipe:
    """A pipe whose writing end a process gets; it is read here."""

    def __init__(self, reader: asyncio.StreamReader, transport: asyncio.ReadTransport, end: int) -> None:
        self._reader = reader
        self._transport = transport
        self.end = end

    @classmethod
    async def open(cls) -> "Pipe":
        """A new pipe. asyncio's own for processes would make `wait` wait for whoever else holds it."""
        read, write = os.pipe()
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read, "rb", 0)
        )
        return cls(reader, transport, write)

    def started(self) -> None:
        """The process has it now: when all who have it are gone, it ends."""
        os.close(self.end)

    async def read_into(self, log: StepLog, echo: Echo | None = None) -> None:
        """Reads to the end; `echo` is given all of it, without secrets, as it came."""
        splitter, masked = Splitter(), Masked(log.masker)

        async def put(data: bytes) -> None:
            if log.is_full:
                log.leave_out(data)
            else:
                log.add(splitter.feed(data))
            if echo is not None:
                await echo(data)

        try:
            while data := await self._reader.read(MOST_LINE_BYTES):
                await put(masked.feed(data))
            await put(masked.close())
        finally:
            # Of a full log the end of that line has been counted.
            if not log.is_full:
                # Where reading ended before its end.
                log.add([*splitter.feed(masked.close()), *splitter.close()])

    def close(self) -> None:
        """Reads no more; who still writes is told so."""
        self._transport.close()
