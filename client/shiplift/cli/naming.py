"""Which build a word on the command line names."""

from shiplift import Client, NotFound, SeveralBuilds
from shiplift._naming import LATEST, WHICH, Name
from shiplift.cli.output import first_line, say, when, word
from shiplift.cli.session import UnresolvedError, UsageError
from shiplift.v1 import builds_pb2 as pb

_MOST_LISTED = 10


def number_of(client: Client, owner: str, repo: str, name: str) -> int:
    """The number of the build that is called this, as `Client.find_build` has it; says which it is.

    Raises UnresolvedError when it fits no build, or several; UsageError when it is empty.
    """
    if not name:
        raise UsageError(WHICH)
    named = Name(owner, repo, name)
    if named.number is not None and named.is_number_alone:
        # Not looked for: a token that may promote need not be one that may read.
        return named.number
    try:
        build = client.find_build(owner=owner, repo=repo, name=name)
    except SeveralBuilds as error:
        more = ["  ..."] if len(error.builds) > _MOST_LISTED else []
        lines = "\n".join([*map(_line, error.builds[:_MOST_LISTED]), *more])
        raise UnresolvedError(f"{error.message}:\n{lines}") from None
    except NotFound as error:
        if error.reason != "BUILD_NOT_FOUND":
            raise
        raise UnresolvedError(error.message) from None
    if build.number != named.number:
        say(f"{name} is {_told(name, build)}")
    return build.number


def _told(name: str, build: pb.Build) -> str:
    parts = [f"build {build.number}", build.release, build.after[:8]]
    told = ", ".join(part for part in parts if part and part != name)
    if build.deploy_to == name:
        return f"{told}: what is there now"
    branch = build.ref.removeprefix("refs/heads/")
    if build.release != name and name in (branch, LATEST, f"{LATEST}@{branch}"):
        return f"{told}: the newest of {branch} that succeeded"
    return told


def _line(build: pb.Build) -> str:
    parts = (
        str(build.number),
        word(pb.BuildEvent, build.event),
        word(pb.BuildStatus, build.status),
        build.deploy_to and f"in {build.deploy_to}",
        build.release,
        build.after[:12],
        build.target,
        build.external_id,
        when(build, "created"),
        first_line(build.message)[:60],
    )
    return "  " + "  ".join(part for part in parts if part)
