"""Which build a word on the command line names."""

from shiplift import Client, NotFound, SeveralBuilds
from shiplift._naming import name_of
from shiplift.cli.output import first_line, when, word
from shiplift.cli.session import UnresolvedError, UsageError
from shiplift.v1 import builds_pb2 as pb

_MOST_LISTED = 10


def number_of(client: Client, owner: str, repo: str, name: str) -> int:
    """The number of the build that is called this, as `Client.find_build` has it.

    Raises UnresolvedError when it fits no recorded build, or several; UsageError when it is empty.
    """
    if not name:
        raise UsageError("which build? Say its number, release, external id or commit")
    named = name_of(owner, repo, name)
    if named.number is not None and named.is_number_alone:
        # Not looked for: a token that may promote need not be one that may read.
        return named.number
    try:
        return client.find_build(owner=owner, repo=repo, name=name).number
    except SeveralBuilds as error:
        more = ["  ..."] if len(error.builds) > _MOST_LISTED else []
        lines = "\n".join([*map(_line, error.builds[:_MOST_LISTED]), *more])
        raise UnresolvedError(f"{error.message}:\n{lines}") from None
    except NotFound as error:
        if error.reason != "BUILD_NOT_FOUND":
            raise
        raise UnresolvedError(error.message) from None


def _line(build: pb.Build) -> str:
    parts = (
        str(build.number),
        word(pb.BuildEvent, build.event),
        word(pb.BuildStatus, build.status),
        build.release,
        build.after[:12],
        build.target,
        build.external_id,
        when(build, "created"),
        first_line(build.message)[:60],
    )
    return "  " + "  ".join(part for part in parts if part)
