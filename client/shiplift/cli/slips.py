"""An environment that nothing went to yet, and whose name is near one that has builds: a slip, perhaps."""

import difflib
import sys

import typer

from shiplift import ShipliftError
from shiplift.cli.output import say
from shiplift.cli.session import Session, UnresolvedError

# Of difflib: `prodution` is 0.95 of `production`, `staging` 0.25.
_NEAR = 0.8


def look_for_slip(session: Session, owner: str, repo: str, environment: str) -> None:
    """Asks on a terminal whether such a name is meant, and warns elsewhere.

    Raises UnresolvedError when it is not.
    """
    try:
        found = list(session.client.iterate_deployments(owner=owner, repo=repo))
    except ShipliftError:
        # A token that may promote need not be one that may read; what else is wrong the call itself says.
        return
    if any(deployment.declared for deployment in found):
        # The server refuses what is not declared, and names what is near.
        return
    known = {deployment.environment for deployment in found}
    near = difflib.get_close_matches(environment, known, 1, _NEAR)
    if environment in known or not near:
        return
    told = f"{environment} is new here; did you mean {near[0]}?"
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        say(f"warning: {told} If not, say --new-environment.")
    elif not typer.confirm(f"{told} Promote to {environment} all the same", err=True):
        raise UnresolvedError(f"nothing was promoted to {environment}")
