"""Which build a name means: a number, else what it is called, or `latest`, a branch, an environment. Pure.

What is to be asked of the server is yielded, so that both clients find builds by the same rules.
"""

import re
from collections.abc import Generator, Iterable
from typing import Any, NamedTuple

import grpc

from shiplift.errors import NotFound, SeveralBuilds
from shiplift.v1 import builds_pb2 as pb

LATEST = "latest"
WHICH = "which build? Say its number, release, external id or commit, latest, a branch or an environment"
# A promotion has the commit and the release of what it promotes; names mean what was recorded.
RECORDED = (
    pb.BUILD_EVENT_PUSH,
    pb.BUILD_EVENT_PULL_REQUEST,
    pb.BUILD_EVENT_TAG,
    pb.BUILD_EVENT_CRON,
    pb.BUILD_EVENT_CUSTOM,
)
# Some CI systems build a pull request under the reference of the branch that it is to go to.
_OF_A_BRANCH = tuple(event for event in RECORDED if event != pb.BUILD_EVENT_PULL_REQUEST)
_COMMIT = re.compile(r"[0-9A-Fa-f]{7,64}")
_COMMIT_DIGITS = 7
_HIGHEST = 2**31 - 1
_MOST_LISTED = 100
# What the server takes.
_MOST_RELEASE, _MOST_EXTERNAL_ID, _MOST_REF = 100, 200, 500
_ENVIRONMENT = re.compile(r"[A-Za-z0-9._/-]{1,100}")


class Question(NamedTuple):
    """A method of a client, and its arguments."""

    method: str
    arguments: dict[str, Any]


# Is sent the answers; an answer that is NotFound is thrown.
Finding = Generator[Question, Any, pb.Build]
_Meaning = Generator[Question, Any, list[pb.Build]]


class Name(NamedTuple):
    """A name, and where the build is looked for that is called this."""

    owner: str
    repo: str
    text: str

    @property
    def number(self) -> int | None:
        """The number that it is, if it is one."""
        if self.text.isascii() and self.text.isdigit() and int(self.text) <= _HIGHEST:
            return int(self.text)
        return None

    @property
    def is_number_alone(self) -> bool:
        """Whether it can be nothing but a number: it is too short for a commit."""
        return self.number is not None and len(self.text) < _COMMIT_DIGITS

    def finding(self) -> Finding:
        """Asks for the build, and returns it whole.

        Raises ValueError when the name is empty, NotFound, SeveralBuilds.
        """
        if not self.text:
            raise ValueError(WHICH)
        if self.number is not None:
            try:
                numbered: pb.Build = yield self._ask("get_build", build=self.number)
                return numbered
            except NotFound as error:
                if self.is_number_alone or error.reason != "BUILD_NOT_FOUND":
                    raise
        found = [
            *(yield from self._of_release()),
            *(yield from self._called()),
            *(yield from self._in_environment()),
        ]
        branch = yield from self._branch()
        found += yield from self._newest_of(branch)
        whole: pb.Build = yield self._ask("get_build", build=self._only(found, branch))
        return whole

    def _ask(self, method: str, **arguments: Any) -> Question:  # noqa: ANN401
        return Question(method, {"owner": self.owner, "repo": self.repo, **arguments})

    def _recorded(self, **filters: str) -> _Meaning:
        page = yield self._ask("list_builds", events=RECORDED, page_size=_MOST_LISTED, **filters)
        return list(page.builds)

    def _of_release(self) -> _Meaning:
        """What has it as its release: the newest alone where all are of one commit."""
        if len(self.text) > _MOST_RELEASE:
            return []
        found = yield from self._recorded(release=self.text)
        return found[:1] if found and all(is_same_commit(each, found[0]) for each in found) else found

    def _called(self) -> _Meaning:
        found = []
        if len(self.text) <= _MOST_EXTERNAL_ID:
            found += yield from self._recorded(external_id=self.text)
        if _COMMIT.fullmatch(self.text):
            found += yield from self._recorded(commit=self.text.lower())
        return found

    def _in_environment(self) -> _Meaning:
        """What is in the environment that it names."""
        if _ENVIRONMENT.fullmatch(self.text) is None:
            return []
        try:
            deployment = yield self._ask("get_deployment", environment=self.text)
        except NotFound as error:
            if error.reason != "ENVIRONMENT_NOT_FOUND":
                raise
            return []
        return [deployment.current] if deployment.HasField("current") else []

    def _branch(self) -> Generator[Question, Any, str]:
        """The branch that it names; `latest` alone is the default one."""
        if self.text == LATEST:
            repository = yield self._ask("get_repository")
            return str(repository.default_branch)
        return self.text.removeprefix(f"{LATEST}@")

    def _newest_of(self, branch: str) -> _Meaning:
        """The newest build of a branch that succeeded."""
        ref = f"refs/heads/{branch}"
        if not branch or len(ref) > _MOST_REF:
            return []
        page = yield self._ask(
            "list_builds", events=_OF_A_BRANCH, statuses=["success"], ref=ref, page_size=1
        )
        return list(page.builds)

    def _only(self, found: Iterable[pb.Build], branch: str) -> int:
        """The number of the one build that was found."""
        builds = {build.number: build for build in found}
        if len(builds) == 1:
            return next(iter(builds))
        slug = f"{self.owner}/{self.repo}"
        if builds:
            raise SeveralBuilds(
                f"{self.text!r} names several builds of {slug}; say the number",
                sorted(builds.values(), key=lambda build: -build.number),
            )
        if branch == self.text:
            told = (
                f"{slug} has no build {self.text!r}: no number, release, external id or commit"
                f" ({_COMMIT_DIGITS} digits or more) is that, no branch with a build that succeeded, and no"
                " environment with anything in it"
            )
        else:
            told = f"{slug} has no build {self.text!r}: no build of the branch {branch!r} has succeeded yet"
        raise NotFound(grpc.StatusCode.NOT_FOUND, told, reason="BUILD_NOT_FOUND")


def is_same_commit(one: pb.Build, other: pb.Build) -> bool:
    """Whether both are known to be of one commit, which may be abbreviated."""
    return bool(one.after and other.after) and (
        one.after.startswith(other.after) or other.after.startswith(one.after)
    )
