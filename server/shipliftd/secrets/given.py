"""Which secrets there are for a build, and their values."""

import json
from collections.abc import Mapping
from typing import NamedTuple

from shipliftd.secrets import sealing
from shipliftd.secrets.keys import Keyring
from shipliftd.secrets.sealing import CannotOpen, Sealed
from shipliftd.store.compiled import Compiled, arg
from shipliftd.store.models import Secret
from shipliftd.store.rows import BuildRow, SecretRow
from shipliftd.store.transaction import Reader

_MOST_TOLD = 20

# The narrower last: an owner's, the repository's, the environment's.
_APPLYING = Compiled(
    Secret.select()
    .where(
        Secret.owner == arg(0),
        Secret.deleted == 0,
        (Secret.repo == "*") | ((Secret.repo == arg(1)) & Secret.environment.in_(["", arg(2)])),
    )
    .order_by(Secret.repo != "*", Secret.environment)
)


class Opened(NamedTuple):
    """Values by their secrets' names, and why those do not open that do not."""

    values: dict[str, str]
    lost: dict[str, str]

    def __repr__(self) -> str:
        """Without the values, wherever it is shown."""
        return f"Opened({list(self.values)}, {self.lost})"


def is_of_pull_request(build: BuildRow) -> bool:
    """Whether a build gets those secrets alone that pull requests may have.

    A promotion of one gets them all: whoever promotes it vouches for it.
    """
    return build.event == "pull_request"


def available(
    reader: Reader, owner: str, repo: str, environment: str, is_pull_request: bool
) -> dict[str, SecretRow]:
    """The secrets that a build may have, by name: the narrower of several."""
    rows = _applying(reader, owner, repo, environment)
    return {row.name: row for row in rows if row.pull_requests or not is_pull_request}


def withheld(reader: Reader, owner: str, repo: str, environment: str) -> set[str]:
    """The names of the secrets that are there, but not for pull requests."""
    rows = _applying(reader, owner, repo, environment)
    return {row.name for row in rows} - {row.name for row in rows if row.pull_requests}


def _applying(reader: Reader, owner: str, repo: str, environment: str) -> list[SecretRow]:
    return [SecretRow(*row) for row in _APPLYING.run(reader, owner, repo, environment).fetchall()]


def opened(keyring: Keyring, rows: Mapping[str, SecretRow]) -> Opened:
    """The values of these secrets."""
    keys = keyring.all()
    found = Opened({}, {})
    for name, row in rows.items():
        try:
            found.values[name] = sealing.open_sealed(keys, sealed_of(row), place_of(row))
        except CannotOpen as error:
            found.lost[name] = str(error)
    return found


def lost(reader: Reader, keyring: Keyring) -> list[str]:
    """The first secrets whose master key is not there, for people."""
    query = Secret.select().where(Secret.deleted == 0, Secret.key_id.not_in([*keyring.all()]))
    rows = reader.rows(query.order_by(Secret.id).limit(_MOST_TOLD))
    return [f"{told_of(row)} (key {row.key_id})" for row in (SecretRow(*each) for each in rows)]


def told_of(row: SecretRow) -> str:
    """A secret by all its names, for people."""
    return f"{row.name} of {row.owner}/{row.repo}" + (row.environment and f" in {row.environment}")


def params(keyring: Keyring, build: BuildRow) -> Opened:
    """The values of a build's secret parameters."""
    found = Opened({}, {})
    if build.sealed_params == "{}":
        return found
    keys = keyring.all()
    for name, stored in json.loads(build.sealed_params).items():
        place = sealing.of_parameter(build.repo_id, build.number, name)
        try:
            found.values[name] = sealing.open_sealed(keys, sealing.of_json(stored), place)
        except CannotOpen as error:
            found.lost[name] = str(error)
    return found


def sealed_of(row: SecretRow) -> Sealed:
    """What is stored of a secret's value."""
    return Sealed(row.key_id, row.wrapped, row.sealed)


def place_of(row: SecretRow) -> sealing.Place:
    """What it is bound to."""
    return sealing.of_secret(row.owner, row.repo, row.environment, row.name)
