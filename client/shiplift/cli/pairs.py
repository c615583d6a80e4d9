"""What is given as KEY=VALUE."""

import re
from collections.abc import Sequence

from shiplift.cli.session import UsageError

_DROPPED = re.compile(r"[A-Za-z_][A-Za-z0-9_]*-")


def params_of(given: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """The parameters that `-p KEY=VALUE` gave, and the names that `-p KEY-` drops. Raises UsageError."""
    dropped = [each for each in given if _DROPPED.fullmatch(each)]
    pairs = pairs_of("-p", [each for each in given if each not in dropped])
    return pairs, [each.removesuffix("-") for each in dropped]


def pairs_of(option: str, given: Sequence[str], form: str = "KEY=VALUE") -> dict[str, str]:
    """The pairs that an option gave, each time one. Raises UsageError."""
    pairs: dict[str, str] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not (name and equals):
            # What stands there can be a secret with its name forgotten.
            key = form.partition("=")[0].lower()
            raise UsageError(f"{option} wants {form}; one of those given has no {key} or no '='")
        if name in pairs:
            raise UsageError(f"{option} {name} is given twice")
        pairs[name] = value
    return pairs
