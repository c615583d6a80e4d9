"""Looks for tokens and values where none may be: in logs, errors, audit rows, stores and backups.

The harness notes what the tests of a process use, and looks when a server ends. A token may be nowhere but
in the file that the first start writes it to; a parameter's value in the store, and there not in the audit;
a secret's nowhere, nor in base64.
"""

import base64
import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from shiplift.v1 import secrets_pb2

from tests.support import postgres
from tests.support.rpcs import RPCS

_TOKEN = re.compile(rb"shl_[A-Za-z0-9_-]{43}")
# A shorter value is also a word that may be anywhere, and many more say nothing new.
_LEAST_VALUE, _MOST_VALUES = 12, 300


@dataclass
class Secrets:
    """What was used on a server, and where it was seen."""

    values: set[str] = field(default_factory=set)
    lease_tokens: set[str] = field(default_factory=set)
    # Of secrets, in clear and in base64.
    hidden: set[str] = field(default_factory=set)
    seen: list[str] = field(default_factory=list)

    def note_request(self, request: Any) -> None:  # noqa: ANN401
        """Notes the parameters or the secret that a request gives."""
        if isinstance(request, secrets_pb2.SetSecretRequest):
            self.hide(request.value)
        fields = request.DESCRIPTOR.fields_by_name
        if "params" not in fields or len(self.values) >= _MOST_VALUES:
            return
        # What else the request names may be told.
        told = " ".join(str(getattr(request, name)) for name in fields if name != "params")
        self.values |= {
            value
            for value in request.params.values()
            # Hypothesis takes words of the code for values, and the log names what is called.
            if len(value) >= _LEAST_VALUE and value not in told and value not in RPCS
        }

    def hide(self, value: str) -> None:
        """Notes a secret, each of its lines, and what is of it in base64."""
        for part in {value, *value.splitlines()}:
            if len(part) >= _LEAST_VALUE:
                self.hidden |= {part, base64.b64encode(part.encode()).decode().rstrip("=")[:-1]}

    def note_end(self, call: Any) -> None:  # noqa: ANN401
        """Notes the lease's token that a call brought; looks into the error that it ended with."""
        error = call.exception()
        if error is None:
            self.lease_tokens |= {getattr(call.result(), "lease_token", "")} - {""}
        else:
            self.look("an error", [call.details() or ""])

    def look(self, where: str, texts: Iterable[str]) -> None:
        """Looks for all of them in texts."""
        text = "\n".join(texts)
        found = [value for value in (*self.values, *self.lease_tokens, *self.hidden) if value in text]
        found += [token.decode() for token in _TOKEN.findall(text.encode(errors="replace"))]
        self.seen += [f"{each!r} in {where}" for each in found]

    def look_into(self, database: Path) -> None:
        """Looks for tokens in a store and in what lies beside it, and for values in its audit."""
        if postgres.is_in_use():
            self._look_through(database)
            return
        for path in _stores(database):
            content = path.read_bytes()
            found = [token.decode() for token in _TOKEN.findall(content)]
            found += [each for each in (*self.lease_tokens, *self.hidden) if each.encode() in content]
            self.seen += [f"{each!r} in {path}" for each in found]
        self.look(f"the audit of {database}", _audit(database))

    def _look_through(self, database: Path) -> None:
        audit = "TABLE audit"
        tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        with closing(psycopg.connect(postgres.url_of(database))) as store:
            self.look(f"the audit of {database}", [str(row) for row in store.execute(audit)])
            for (table,) in store.execute(tables).fetchall():
                text = "\n".join(
                    str(row) for row in store.execute(sql.SQL("TABLE {}").format(sql.Identifier(table)))
                )
                found = [token.decode() for token in _TOKEN.findall(text.encode())]
                found += [each for each in (*self.lease_tokens, *self.hidden) if each in text]
                self.seen += [f"{each!r} in {table}" for each in found]


def _stores(database: Path) -> Iterator[Path]:
    for path in database.parent.glob("*.db*"):
        if path.is_file() and not path.name.endswith(("-token", "-token.new", "lock")):
            yield path


def _audit(database: Path) -> list[str]:
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as store:
            return [str(row) for row in store.execute("SELECT * FROM audit")]
    except sqlite3.DatabaseError:
        # Damaged by a test, or not there yet.
        return []
