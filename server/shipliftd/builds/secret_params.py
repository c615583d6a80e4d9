"""Parameters that an environment says are secret: sealed on the build, and never among its others."""

import json
from collections.abc import Collection, Mapping
from typing import NamedTuple

from shipliftd.enum_words import as_json
from shipliftd.environments import Place
from shipliftd.errors import Precondition
from shipliftd.secrets import given, sealing
from shipliftd.secrets.keys import Keyring
from shipliftd.store.rows import BuildRow


class Said(NamedTuple):
    """What a request gives, and the build whose secret parameters it keeps but for those dropped."""

    keyring: Keyring
    given: Mapping[str, str]
    keeps: BuildRow | None = None
    dropped: Collection[str] = ()

    def changes(self, secret: Collection[str]) -> bool:
        """Whether these are others than what the build has that is repeated."""
        kept = json.loads(self.keeps.sealed_params) if self.keeps is not None else {}
        return set(secret) != set(kept) or any(name in self.given for name in secret)


class Parted(NamedTuple):
    """Parameters, the secret ones apart."""

    plain: dict[str, str]
    secret: dict[str, str]

    @property
    def all(self) -> dict[str, str]:
        """All of them."""
        return {**self.plain, **self.secret}

    def __repr__(self) -> str:
        """Without the values."""
        return f"Parted({[*self.plain]}, {[*self.secret]})"


def part(place: Place, params: Mapping[str, str], said: Said) -> Parted:
    """The parameters of a new build. Raises Precondition where there is no key, or one does not open.

    A promotion leaves behind what it stands on has of secret ones; another try and a rollback repeat them.
    """
    rules = place.rules
    names = {rule.name for rule in rules.message.params if rule.secret} if rules is not None else set()
    plain = {name: value for name, value in params.items() if name not in names}
    secret = {
        name: value
        for name, value in params.items()
        if name in names and (name in said.given or said.keeps is not None)
    }
    if said.keeps is not None:
        kept = _kept(said.keeps, said)
        secret = {**kept, **secret}
        # Which may have a default by now, and be secret no more.
        plain = {name: value for name, value in plain.items() if name not in secret}
    if secret:
        # Raises where there is none, before anything is stored.
        said.keyring.first()
    return Parted(plain, secret)


def _kept(build: BuildRow, said: Said) -> dict[str, str]:
    opened = given.params(said.keyring, build)
    anew = {*said.given, *said.dropped}
    lost = {name: why for name, why in opened.lost.items() if name not in anew}
    if lost:
        told = "; ".join(f"{name}: {why}" for name, why in lost.items())
        raise Precondition(
            f"secret parameters of build {build.number} cannot be repeated: {told}. Give them anew",
            reason="SECRET_PARAMETERS_LOST",
            violations=[(f"params[{name}]", f"cannot be opened: {why}") for name, why in lost.items()],
            metadata={"build": build.number},
        )
    return {name: value for name, value in opened.values.items() if name not in anew}


def named(secret: Mapping[str, str]) -> str:
    """What stands in the row of a build that is not stored: the names."""
    return as_json(dict.fromkeys(sorted(secret), ""))


def sealed(keyring: Keyring, build: BuildRow, secret: Mapping[str, str]) -> str:
    """What is stored of them, bound to the build's number. Raises Precondition where there is no key."""
    if not secret:
        return "{}"
    key = keyring.first()
    return as_json(
        {
            name: sealing.as_json(
                sealing.seal(key, value, sealing.of_parameter(build.repo_id, build.number, name))
            )
            for name, value in secret.items()
        }
    )
