"""Secret parameters of a promotion: from standard input or a hidden prompt, never an argument."""

import sys
from collections.abc import Collection, Sequence
from typing import Annotated

import typer

from shiplift import ShipliftError
from shiplift.cli.session import Session, UsageError

SecretOption = Annotated[
    list[str] | None,
    typer.Option(
        "--secret-param",
        metavar="KEY",
        help="A parameter whose value is asked for, or read from standard input: all of it, or of several a"
        " line each.",
    ),
]


def secret_params_of(given: Sequence[str] | None, others: Collection[str]) -> dict[str, str]:
    """The values of `--secret-param KEY`. Raises UsageError."""
    names = list(given or [])
    for name in names:
        if name in others or names.count(name) > 1:
            raise UsageError(f"--secret-param {name}: {name} is given twice")
    if not names:
        return {}
    if sys.stdin.isatty():
        return {name: _asked(name) for name in names}
    lines = [sys.stdin.read()] if len(names) == 1 else sys.stdin.read().splitlines()
    values = dict(zip(names, (line.removesuffix("\n") for line in lines), strict=False))
    for name in names:
        if not values.get(name):
            raise UsageError(f"--secret-param {name}: standard input has no value for it")
    return values


def asked_for(
    session: Session, owner: str, repo: str, environment: str, given: Collection[str]
) -> dict[str, str]:
    """The secret parameters that an environment requires and nobody gave, asked for on a terminal."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return {}
    try:
        rules = session.client.get_environment(owner=owner, repo=repo, environment=environment)
    except ShipliftError:
        # It is not declared, or the token may not read: the call itself says what is missing.
        return {}
    wanted = [rule.name for rule in rules.params if rule.secret and rule.required]
    return {name: _asked(name) for name in wanted if name not in given}


def _asked(name: str) -> str:
    return str(typer.prompt(name, hide_input=True, err=True))
