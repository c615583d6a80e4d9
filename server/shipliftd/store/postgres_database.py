"""Connections to PostgreSQL, and how they are set up."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote

import psycopg
from peewee import Model, PostgresqlDatabase
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from shipliftd.errors import Precondition

_OLDEST = 15
# Where the address says nothing of them. A host that is gone is noticed in ten seconds.
_DEFAULTS: dict[str, str | int] = {
    "connect_timeout": 3,
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "application_name": "shipliftd",
}
# No lock is waited for, and no transaction left open, for longer than a caller waits.
_BOUNDS = (
    "SET lock_timeout = '10s'; SET statement_timeout = '15s';"
    " SET idle_in_transaction_session_timeout = '15s'"
)


@dataclass(frozen=True, slots=True)
class PostgresUrl:
    """Where a database is; `shown` is it without its password."""

    conninfo: str
    shown: str
    database: str

    @classmethod
    def parse(cls, url: str) -> Self:
        """Reads a `postgresql://` URL as libpq does. Raises Precondition."""
        try:
            parts = conninfo_to_dict(url)
        except psycopg.ProgrammingError as error:
            # What it says may hold the password.
            raise Precondition(
                "--database is not a PostgreSQL address that libpq reads: wanted"
                " postgresql://USER@HOST:PORT/NAME, with special characters as %XX"
            ) from error
        name = str(parts.get("dbname") or parts.get("user") or "shiplift")
        host = ",".join(map(quote, str(parts.get("host") or "").split(",")))
        port = f":{parts['port']}" if parts.get("port") else ""
        return cls(
            make_conninfo(url, **{key: value for key, value in _DEFAULTS.items() if key not in parts}),
            f"postgresql://{host}{port}/{quote(name)}",
            name,
        )


class Postgres(PostgresqlDatabase):
    """One connection, of one thread."""

    def __init__(self, url: PostgresUrl, is_bounded: bool = True) -> None:
        super().__init__(url.shown, prefer_psycopg3=True, autoconnect=False)
        self._url = url
        self._is_bounded = is_bounded

    def create_tables(self, models: Iterable[type[Model]], **options: object) -> None:
        """Makes tables, without what SQLite alone has."""
        for model in models:
            model._meta.without_rowid = False
        super().create_tables(models, **options)

    def _connect(self) -> "psycopg.Connection[Any]":
        connection = psycopg.connect(self._url.conninfo, autocommit=True)
        if connection.info.server_version < _OLDEST * 10_000:
            connection.close()
            raise Precondition(
                f"{self._url.shown} is PostgreSQL {connection.info.server_version // 10_000}:"
                f" wanted {_OLDEST} or newer"
            )
        if self._is_bounded:
            connection.execute(_BOUNDS)
        # An answered write is on disk, whatever the database's default; stronger ones stay.
        connection.execute(
            "SELECT set_config('synchronous_commit', 'on', false)"
            " WHERE current_setting('synchronous_commit') IN ('off', 'local')"
        )
        return connection
