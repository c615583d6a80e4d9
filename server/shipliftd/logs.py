"""The log: a line an event, for people on a terminal, JSON elsewhere."""

import json
import logging
import re
import sys
from datetime import UTC, datetime

# Any of these may be hidden; most are not.
_HIDDEN = re.compile(r"[^\x20-\x7e]+")
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def set_up() -> None:
    """Sends the log to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines() if sys.stderr.isatty() else _Json())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # Its own notes are about its internals, and repeat what the interceptor logs.
    logging.getLogger("grpc").setLevel(logging.CRITICAL)
    # It notes whatever strangers send it, and when it starts and ends; the gateway says that itself.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    # `schema.py` says the same in its own words.
    logging.getLogger("peewee.migrations").setLevel(logging.WARNING)


def printable(text: str) -> str:
    """A text that cannot steer the terminal that it is shown on: what is not to be seen is escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = json.dumps(_event(self, record), ensure_ascii=False, default=str)
        # Somebody will look at the file on a terminal; JSON alone escapes no more than the first 32.
        return line if line.isprintable() else _HIDDEN.sub(_escaped, line)


def _escaped(hidden: re.Match[str]) -> str:
    return "".join(
        c if c.isprintable() else json.dumps(c)[1:-1].replace("\x7f", "\\u007f") for c in hidden[0]
    )


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        event = _event(self, record)
        trace = event.pop("trace", None)
        head = f"{event.pop('time')[11:19]} {event.pop('level'):<7} {event.pop('event')}"
        line = printable("  ".join([head, *(f"{name}={value}" for name, value in event.items())]))
        return "\n".join([line, *map(printable, trace.splitlines())]) if trace else line


def _event(formatter: logging.Formatter, record: logging.LogRecord) -> dict[str, str]:
    event = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "event": record.getMessage(),
    }
    event.update((k, v) for k, v in vars(record).items() if k not in _STANDARD)
    if record.exc_info:
        event["trace"] = formatter.formatException(record.exc_info)
    return event
