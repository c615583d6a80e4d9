"""The log: a line an event, for people on a terminal, JSON elsewhere."""

import json
import logging
import sys
from datetime import UTC, datetime

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


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(_event(self, record), ensure_ascii=False, default=str)


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        event = _event(self, record)
        trace = event.pop("trace", None)
        head = f"{event.pop('time')[11:19]} {event.pop('level'):<7} {event.pop('event')}"
        line = "  ".join([head, *(f"{name}={value}" for name, value in event.items())])
        return f"{line}\n{trace}" if trace else line


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
