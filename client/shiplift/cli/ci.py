"""What a CI system's variables tell of the build that runs: GitHub Actions, GitLab CI, Jenkins, Drone.

The variables and their meanings are those of the systems' own documentation.
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from shiplift._methods import BuildEventWord
from shiplift.cli import git
from shiplift.cli.facts import Facts, known

Environment = Mapping[str, str]


class Job(NamedTuple):
    """A CI job: its repository as `owner/repo`, empty when not known, and the facts."""

    repository: str
    facts: Facts


def job(environment: Environment) -> Job | None:
    """The CI job that the environment is of; None outside of the four systems."""
    for variable, read in _SYSTEMS.items():
        if environment.get(variable):
            found = read(_Variables(environment))
            return Job(found.repository, known(found.facts))
    return None


class _Variables(dict[str, str]):
    """Variables: an unset one is empty."""

    def __missing__(self, name: str) -> str:
        return ""


def _github(env: _Variables) -> Job:
    name = env["GITHUB_EVENT_NAME"]
    payload = _Payload.read(env["GITHUB_EVENT_PATH"])
    tag = env["GITHUB_REF_NAME"] if env["GITHUB_REF_TYPE"] == "tag" else ""
    pull = name in ("pull_request", "pull_request_target")
    branch = "" if pull or tag else env["GITHUB_REF_NAME"]
    run, attempt = env["GITHUB_RUN_ID"], env["GITHUB_RUN_ATTEMPT"] or "1"
    events: dict[str, BuildEventWord] = {"push": "tag" if tag else "push", "schedule": "cron"}
    page = f"{env['GITHUB_SERVER_URL']}/{env['GITHUB_REPOSITORY']}/actions/runs/{run}"
    return Job(
        env["GITHUB_REPOSITORY"],
        Facts(
            external_id=f"github/{run}.{attempt}",
            event="pull_request" if pull else events.get(name, "custom"),
            action=payload.text("action"),
            link=f"{page}/attempts/{attempt}",
            title=payload.text("pull_request", "title"),
            message=payload.text("head_commit", "message"),
            before=payload.text("before"),
            after=env["GITHUB_SHA"],
            ref=env["GITHUB_REF"],
            source_repo=payload.text("pull_request", "head", "repo", "full_name"),
            source=env["GITHUB_HEAD_REF"] or branch,
            target=env["GITHUB_BASE_REF"] or branch,
            sender=env["GITHUB_ACTOR"],
            cron=payload.text("schedule"),
            release=_release(tag),
        ),
    )


class _Payload:
    """GitHub's event, as the runner leaves it in a file."""

    def __init__(self, event: object) -> None:
        self._event = event

    @classmethod
    def read(cls, path: str) -> "_Payload":
        try:
            return cls(json.loads(Path(path).read_text()))
        except (OSError, ValueError):
            return cls(None)

    def text(self, *names: str) -> str:
        value = self._event
        for name in names:
            value = value.get(name) if isinstance(value, dict) else None
        return value if isinstance(value, str) else ""


def _gitlab(env: _Variables) -> Job:
    tag = env["CI_COMMIT_TAG"]
    source, target = env["CI_MERGE_REQUEST_SOURCE_BRANCH_NAME"], env["CI_MERGE_REQUEST_TARGET_BRANCH_NAME"]
    branch = "" if tag else env["CI_COMMIT_REF_NAME"]
    events: dict[str, BuildEventWord] = {
        "push": "tag" if tag else "push",
        "merge_request_event": "pull_request",
        "external_pull_request_event": "pull_request",
        "schedule": "cron",
    }
    ref = f"refs/tags/{tag}" if tag else branch and f"refs/heads/{branch}"
    author = re.fullmatch(r"(.*?)\s*<(.*)>", env["CI_COMMIT_AUTHOR"])
    name, email = author.groups() if author else ("", "")
    return Job(
        env["CI_PROJECT_PATH"],
        Facts(
            external_id=f"gitlab/{env['CI_PIPELINE_ID']}",
            event=events.get(env["CI_PIPELINE_SOURCE"], "custom"),
            link=env["CI_PIPELINE_URL"],
            title=env["CI_MERGE_REQUEST_TITLE"],
            message=env["CI_COMMIT_MESSAGE"].strip(),
            before=env["CI_COMMIT_BEFORE_SHA"],
            after=env["CI_COMMIT_SHA"],
            ref=env["CI_MERGE_REQUEST_REF_PATH"] or ref,
            source_repo=env["CI_MERGE_REQUEST_SOURCE_PROJECT_PATH"],
            source=source or branch,
            target=target or branch,
            author_name=name,
            author_email=email,
            sender=env["GITLAB_USER_LOGIN"],
            release=_release(tag),
        ),
    )


def _jenkins(env: _Variables) -> Job:
    tag, change = env["TAG_NAME"], env["CHANGE_ID"]
    # GIT_BRANCH names the remote as well: origin/main.
    branch = env["BRANCH_NAME"] or env["GIT_BRANCH"].removeprefix("refs/heads/").removeprefix("origin/")
    branch = "" if tag or change else branch
    ref = f"refs/tags/{tag}" if tag else branch and f"refs/heads/{branch}"
    event: BuildEventWord = "pull_request" if change else "tag" if tag else "push"
    try:
        repository = "/".join(git.remote_repository(env["GIT_URL"]))
    except ValueError:
        repository = ""
    return Job(
        repository,
        Facts(
            external_id=f"jenkins/{env['JOB_NAME']}#{env['BUILD_NUMBER']}",
            event=event,
            link=env["BUILD_URL"],
            title=env["CHANGE_TITLE"],
            before=env["GIT_PREVIOUS_COMMIT"],
            after=env["GIT_COMMIT"],
            ref=ref,
            source_repo=env["CHANGE_FORK"],
            source=env["CHANGE_BRANCH"] or branch,
            target=env["CHANGE_TARGET"] or branch,
            sender=env["CHANGE_AUTHOR"],
            release=_release(tag),
        ),
    )


def _drone(env: _Variables) -> Job:
    events: dict[str, BuildEventWord] = {
        "push": "push",
        "pull_request": "pull_request",
        "tag": "tag",
        "cron": "cron",
    }
    return Job(
        env["DRONE_REPO"],
        Facts(
            external_id=f"drone/{env['DRONE_REPO']}#{env['DRONE_BUILD_NUMBER']}",
            # A promotion or rollback of Drone's is no promotion here: somebody asked for a build.
            event=events.get(env["DRONE_BUILD_EVENT"], "custom"),
            action=env["DRONE_BUILD_ACTION"],
            link=env["DRONE_BUILD_LINK"],
            title=env["DRONE_PULL_REQUEST_TITLE"],
            message=env["DRONE_COMMIT_MESSAGE"].strip(),
            before=env["DRONE_COMMIT_BEFORE"],
            after=env["DRONE_COMMIT_SHA"],
            ref=env["DRONE_COMMIT_REF"],
            source=env["DRONE_SOURCE_BRANCH"],
            target=env["DRONE_TARGET_BRANCH"],
            author_login=env["DRONE_COMMIT_AUTHOR"],
            author_name=env["DRONE_COMMIT_AUTHOR_NAME"],
            author_email=env["DRONE_COMMIT_AUTHOR_EMAIL"],
            author_avatar=env["DRONE_COMMIT_AUTHOR_AVATAR"],
            sender=env["DRONE_BUILD_TRIGGER"],
            cron=env["DRONE_CRON"],
            release=_release(env["DRONE_TAG"]),
        ),
    )


def _release(tag: str) -> str:
    """A tag as a release; the server takes none of digits alone, for they would look like a number."""
    return "" if tag.isdigit() else tag


_SYSTEMS: dict[str, Callable[[_Variables], Job]] = {
    "GITHUB_ACTIONS": _github,
    "GITLAB_CI": _gitlab,
    "JENKINS_URL": _jenkins,
    "DRONE": _drone,
}
