"""The command `record`."""

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

import typer

from shiplift import ShipliftError, was_replayed
from shiplift._naming import RECORDED
from shiplift.cli import ci, git
from shiplift.cli.builds import ParameterOption
from shiplift.cli.facts import OF_COMMIT, Facts, known, without
from shiplift.cli.output import put, say, word
from shiplift.cli.pairs import pairs_of
from shiplift.cli.session import RepositoryOption, RequestIdOption, Session, UsageError, command
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb

app = typer.Typer()

RecordedEvent = Literal["push", "pull_request", "tag", "cron", "custom"]
RecordedStatus = Literal["pending", "running", "success", "failure", "error", "killed"]

PIPELINE = ".drone.yml"

_HEX = re.compile(r"[0-9A-Fa-f]{4,64}")
_DIGEST = re.compile(r"(?P<uri>.*)@(?P<digest>[A-Za-z0-9+._-]+:[0-9A-Fa-f]+)")


@command(
    app,
    "record",
    "shiplift record --release v1.4.2",
    "shiplift record --artifact image=registry/app@sha256:9fc1ad6e",
    answers=pb.Build,
)
def record(
    session: Session,
    repository: RepositoryOption = None,
    commit: Annotated[str | None, typer.Option(metavar="HASH", help="The commit that was built.")] = None,
    branch: Annotated[str | None, typer.Option(help="The git branch.")] = None,
    ref: Annotated[str | None, typer.Option(help="The git reference, such as refs/tags/v1.")] = None,
    release: Annotated[str | None, typer.Option(help="The release that it is; a tag's by itself.")] = None,
    external_id: Annotated[
        str | None, typer.Option(metavar="ID", help="What the CI system calls it; taken from it by itself.")
    ] = None,
    event: Annotated[RecordedEvent | None, typer.Option(help="What brought it about.")] = None,
    status: Annotated[RecordedStatus, typer.Option(help="How far it is.")] = "success",
    link: Annotated[str | None, typer.Option(metavar="URL", help="Its page at the CI system.")] = None,
    message: Annotated[str | None, typer.Option(help="The commit's message.")] = None,
    artifact: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=URI[@DIGEST]", help="What it produced; may be repeated."),
    ] = None,
    param: ParameterOption = None,
    pipeline: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="The pipeline file; '': none. [.drone.yml, if it is here or in the git work tree's root]",
        ),
    ] = None,
    number: Annotated[
        int | None, typer.Option(help="A number of your choice, to import a history; needs admin.")
    ] = None,
    request_id: RequestIdOption = None,
) -> None:
    """Records a build that a CI job made.

    What is not said is taken from the CI system's variables (GitHub Actions, GitLab CI, Jenkins,
    Drone) and from git, and the stages of its promotions from the pipeline file, if there is one.
    Recording the same external id again changes nothing. Where nobody has said what the repository is
    cloned from, it is git's origin from now on, if you may say so.
    """
    job = ci.job(os.environ)
    given = _given(commit, branch, ref, release, external_id, event, link, message)
    facts = _merged(job.facts if job else Facts(), given)
    owner, repo = session.repository(repository, job.repository if job else "")
    artifacts = [_artifact(each) for each in artifact or []]
    params = pairs_of("-p", param or [])
    if job is None and number is None:
        earlier = _recorded_before(session, owner, repo, facts)
        if earlier is not None:
            session.show(earlier, lambda: _put_recorded(earlier, "was recorded before", ""))
            return
    made = session.client.create_build(
        owner=owner,
        repo=repo,
        number=number,
        status=status,
        artifacts=artifacts,
        params=params,
        pipeline=_pipeline(pipeline),
        request_id=request_id,
        **facts,
    )
    # Before another call is made.
    done = "was recorded before" if was_replayed() else "recorded"
    told = _fill_clone_url(session, owner, repo)
    session.show(made, lambda: _put_recorded(made, done, told))


def _recorded_before(session: Session, owner: str, repo: str, facts: Facts) -> pb.Build | None:
    """What was recorded of the same release and commit, outside of CI, where no run tells two apart."""
    release, commit = facts.get("release", ""), facts.get("after", "")
    if not (release and commit) or "external_id" in facts:
        return None
    try:
        found = session.client.list_builds(owner=owner, repo=repo, release=release, events=RECORDED).builds
    except ShipliftError:
        # A token that may only record does not see them.
        return None
    for build in found:
        if build.after == commit:
            return build
    if found:
        say(f"warning: release {release} is also build {found[0].number}, of commit {found[0].after[:12]}")
    return None


def _put_recorded(made: pb.Build, done: str, told: str) -> None:
    for warning in made.warnings:
        say(f"warning: {warning}")
    parts = (
        word(pb.BuildStatus, made.status),
        made.release and f"release {made.release}",
        made.after and f"commit {made.after[:12]}",
        made.target and f"branch {made.target}",
        made.external_id,
    )
    put(f"{made.owner}/{made.repo}: build {made.number} {done}: {', '.join(filter(None, parts))}")
    if told:
        say(told)


def _fill_clone_url(session: Session, owner: str, repo: str) -> str:
    """Says where the repository is cloned from if nobody has: as git's origin is. Returns what to tell.

    Refusals count for nothing here: the build is recorded.
    """
    slug, found = f"{owner}/{repo}", git.clone_of(owner, repo)
    if not found:
        return ""
    ((name, url),) = found.items()
    try:
        repository = session.client.get_repository(owner=owner, repo=repo)
    except ShipliftError:
        # A token that may only record does not see it.
        return ""
    if getattr(repository, name):
        return ""
    if repository.permissions.admin:
        with suppress(ShipliftError):
            session.client.update_repository(
                owner=owner, repo=repo, update_mask=[name], repository=access_pb2.Repository(**found)
            )
            return f"{slug} is cloned from {url} from now on, as git's origin says"
    return (
        f"nobody has said where {slug} is cloned from; an admin of it can: shiplift repo set {slug}"
        f" --git-url {url}"
    )


def _artifact(given: str) -> pb.Artifact:
    name, equals, uri = given.partition("=")
    if not (name and equals and uri):
        raise UsageError(f"--artifact {given!r}: wanted NAME=URI or NAME=URI@DIGEST")
    found = _DIGEST.fullmatch(uri)
    if found is None:
        return pb.Artifact(name=name, uri=uri)
    return pb.Artifact(name=name, uri=found["uri"], digest=found["digest"])


def _pipeline(given: str | None) -> str:
    """The pipeline file's text; empty where there is none. Raises OSError, UsageError."""
    if given is None:
        root = git.root()
        places = [folder / PIPELINE for folder in (root, Path()) if folder]
        path = next((path for path in places if path.is_file()), None)
    else:
        path = Path(given) if given else None
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8") from None


def _given(
    commit: str | None,
    branch: str | None,
    ref: str | None,
    release: str | None,
    external_id: str | None,
    event: RecordedEvent | None,
    link: str | None,
    message: str | None,
) -> Facts:
    if commit and _HEX.fullmatch(commit) is None:
        raise UsageError(f"--commit {commit!r}: wanted a hash of 4 to 64 hexadecimal digits")
    facts = Facts(
        after=(commit or "").lower(),
        source=branch or "",
        target=branch or "",
        ref=ref or (f"refs/heads/{branch}" if branch else ""),
        release=release or "",
        external_id=external_id or "",
        link=link or "",
        message=message or "",
    )
    if event:
        facts["event"] = event
    return known(facts)


def _merged(job: Facts, given: Facts) -> Facts:
    """What is given, over what the CI system says, over what git knows of the same commit."""
    commit = given.get("after", "")
    if commit and not job.get("after", "").startswith(commit):
        job = without(job, OF_COMMIT)
    after = commit or job.get("after", "")
    checkout = git.facts(after) if after else git.facts()
    if "ref" in job or "ref" in given:
        # The branch that happens to be checked out may be another.
        checkout = without(checkout, {"ref", "source", "target"})
    merged = Facts(**{**checkout, **job, **given})
    if commit:
        # Git spells an abbreviated one out.
        merged["after"] = checkout.get("after", commit)
    return merged
