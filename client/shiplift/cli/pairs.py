"""What is given as KEY=VALUE."""

from collections.abc import Sequence

from shiplift.cli.session import UsageError


def pairs_of(option: str, given: Sequence[str]) -> dict[str, str]:
    """The pairs that an option gave, each time one. Raises UsageError."""
    pairs: dict[str, str] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not (name and equals):
            # What stands there can be a secret with its name forgotten.
            raise UsageError(f"{option} wants KEY=VALUE; one of those given has no key or no '='")
        if name in pairs:
            raise UsageError(f"{option} {name} is given twice")
        pairs[name] = value
    return pairs
