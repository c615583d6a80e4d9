"""What `record` takes from the variables of CI systems."""

import json
from pathlib import Path

from shiplift.cli import ci

from tests.support.ci_variables import AFTER, BEFORE, GITHUB, GITLAB, JENKINS
from tests.support.cli import Cli
from tests.support.harness import Shipliftd

GITHUB_RUN = "https://github.com/octocat/hello-world/actions/runs/1658821493/attempts/2"


def test_nothing_is_taken_outside_of_a_ci_system() -> None:
    assert ci.job({"CI": "true", "PATH": "/bin"}) is None


def test_github_push(tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"before": BEFORE, "head_commit": {"message": "fix"}, "schedule": None}))
    assert ci.job({**GITHUB, "GITHUB_EVENT_PATH": str(event)}) == (
        "octocat/hello-world",
        {
            "after": AFTER,
            "before": BEFORE,
            "event": "push",
            "external_id": "github/1658821493.2",
            "link": GITHUB_RUN,
            "message": "fix",
            "ref": "refs/heads/main",
            "sender": "octocat",
            "source": "main",
            "target": "main",
        },
    )


def test_github_tag_is_a_release_unless_it_is_a_number() -> None:
    tag = {"GITHUB_REF": "refs/tags/v1.4.2", "GITHUB_REF_NAME": "v1.4.2", "GITHUB_REF_TYPE": "tag"}
    found = ci.job({**GITHUB, **tag})
    assert found is not None
    assert found.facts == {
        "after": AFTER,
        "event": "tag",
        "external_id": "github/1658821493.2",
        "link": GITHUB_RUN,
        "ref": "refs/tags/v1.4.2",
        "release": "v1.4.2",
        "sender": "octocat",
    }
    number = ci.job({**GITHUB, **tag, "GITHUB_REF_NAME": "20260102"})
    assert number is not None
    assert "release" not in number.facts


def test_github_pull_request(tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    pull = {"title": "Greet", "head": {"repo": {"full_name": "spaceghost/hello-world"}}}
    event.write_text(json.dumps({"action": "opened", "pull_request": pull}))
    found = ci.job(
        {
            **GITHUB,
            "GITHUB_BASE_REF": "main",
            "GITHUB_EVENT_NAME": "pull_request",
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_HEAD_REF": "greet",
            "GITHUB_REF": "refs/pull/7/merge",
            "GITHUB_REF_NAME": "7/merge",
        }
    )
    assert found is not None
    assert found.facts == {
        "action": "opened",
        "after": AFTER,
        "event": "pull_request",
        "external_id": "github/1658821493.2",
        "link": GITHUB_RUN,
        "ref": "refs/pull/7/merge",
        "sender": "octocat",
        "source": "greet",
        "source_repo": "spaceghost/hello-world",
        "target": "main",
        "title": "Greet",
    }


def test_github_schedule_and_other_events(tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"schedule": "0 3 * * *"}))
    nightly = ci.job({**GITHUB, "GITHUB_EVENT_NAME": "schedule", "GITHUB_EVENT_PATH": str(event)})
    by_hand = ci.job({**GITHUB, "GITHUB_EVENT_NAME": "workflow_dispatch"})
    assert nightly is not None
    assert by_hand is not None
    assert (nightly.facts["event"], nightly.facts["cron"]) == ("cron", "0 3 * * *")
    assert by_hand.facts["event"] == "custom"


def test_gitlab_push_to_a_new_branch() -> None:
    assert ci.job(GITLAB) == (
        "octocat/hello-world",
        {
            "after": AFTER,
            "author_email": "mona@example.com",
            "author_name": "Mona Lisa",
            "event": "push",
            "external_id": "gitlab/1234",
            "link": "https://gitlab.com/octocat/hello-world/-/pipelines/1234",
            "message": "fix",
            "ref": "refs/heads/main",
            "sender": "octocat",
            "source": "main",
            "target": "main",
        },
    )


def test_gitlab_tag_and_merge_request() -> None:
    tag = ci.job({**GITLAB, "CI_COMMIT_TAG": "v1.4.2", "CI_COMMIT_REF_NAME": "v1.4.2"})
    assert tag is not None
    assert [tag.facts.get(name) for name in ("event", "ref", "release", "target")] == [
        "tag",
        "refs/tags/v1.4.2",
        "v1.4.2",
        None,
    ]
    merge = ci.job(
        {
            **GITLAB,
            "CI_COMMIT_REF_NAME": "greet",
            "CI_MERGE_REQUEST_REF_PATH": "refs/merge-requests/7/head",
            "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "greet",
            "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": "spaceghost/hello-world",
            "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
            "CI_MERGE_REQUEST_TITLE": "Greet",
            "CI_PIPELINE_SOURCE": "merge_request_event",
        }
    )
    assert merge is not None
    names = ("event", "ref", "source", "source_repo", "target", "title")
    assert [merge.facts.get(name) for name in names] == [
        "pull_request",
        "refs/merge-requests/7/head",
        "greet",
        "spaceghost/hello-world",
        "main",
        "Greet",
    ]


def test_jenkins_branch() -> None:
    assert ci.job(JENKINS) == (
        "octocat/hello-world",
        {
            "after": AFTER,
            "before": BEFORE,
            "event": "push",
            "external_id": "jenkins/app#1043",
            "link": "https://ci.example.com/job/app/1043/",
            "ref": "refs/heads/main",
            "source": "main",
            "target": "main",
        },
    )


def test_jenkins_change_and_tag() -> None:
    change = ci.job(
        {
            **JENKINS,
            "BRANCH_NAME": "PR-7",
            "CHANGE_AUTHOR": "mona",
            "CHANGE_BRANCH": "greet",
            "CHANGE_ID": "7",
            "CHANGE_TARGET": "main",
            "CHANGE_TITLE": "Greet",
        }
    )
    assert change is not None
    names = ("event", "ref", "sender", "source", "target", "title")
    assert [change.facts.get(name) for name in names] == [
        "pull_request",
        None,
        "mona",
        "greet",
        "main",
        "Greet",
    ]
    tag = ci.job({**JENKINS, "BRANCH_NAME": "v1.4.2", "TAG_NAME": "v1.4.2"})
    assert tag is not None
    assert [tag.facts.get(name) for name in ("event", "ref", "release", "target")] == [
        "tag",
        "refs/tags/v1.4.2",
        "v1.4.2",
        None,
    ]


DRONE = {
    "DRONE": "true",
    "DRONE_BUILD_EVENT": "push",
    "DRONE_BUILD_LINK": "https://drone.example.com/octocat/hello-world/42",
    "DRONE_BUILD_NUMBER": "42",
    "DRONE_BUILD_TRIGGER": "bradrydzewski",
    "DRONE_COMMIT_AUTHOR": "octocat",
    "DRONE_COMMIT_AUTHOR_AVATAR": "https://example.com/octocat.png",
    "DRONE_COMMIT_AUTHOR_EMAIL": "octocat@github.com",
    "DRONE_COMMIT_AUTHOR_NAME": "The Octocat",
    "DRONE_COMMIT_BEFORE": BEFORE,
    "DRONE_COMMIT_MESSAGE": "updated README\n",
    "DRONE_COMMIT_REF": "refs/heads/master",
    "DRONE_COMMIT_SHA": AFTER,
    "DRONE_REPO": "octocat/hello-world",
    "DRONE_SOURCE_BRANCH": "master",
    "DRONE_TARGET_BRANCH": "master",
}


def test_drone_push() -> None:
    assert ci.job(DRONE) == (
        "octocat/hello-world",
        {
            "after": AFTER,
            "author_avatar": "https://example.com/octocat.png",
            "author_email": "octocat@github.com",
            "author_login": "octocat",
            "author_name": "The Octocat",
            "before": BEFORE,
            "event": "push",
            "external_id": "drone/octocat/hello-world#42",
            "link": "https://drone.example.com/octocat/hello-world/42",
            "message": "updated README",
            "ref": "refs/heads/master",
            "sender": "bradrydzewski",
            "source": "master",
            "target": "master",
        },
    )


def test_a_promotion_of_drone_s_is_a_custom_build() -> None:
    found = ci.job({**DRONE, "DRONE_BUILD_EVENT": "promote"})
    assert found is not None
    assert found.facts["event"] == "custom"


def test_record_in_a_ci_job(server: Shipliftd, repo: str, tmp_path: Path) -> None:
    variables = {**GITHUB, "GITHUB_REPOSITORY": repo}
    cli = Cli(tmp_path, server.address, server.admin_token, variables=variables)
    said = cli.run("record", "-p", "REGION=eu", "--artifact", "image=registry/app:1@sha256:9fc1", "--json")
    build = said.json()
    wanted = {
        "after": AFTER,
        "artifacts": [{"name": "image", "uri": "registry/app:1", "digest": "sha256:9fc1"}],
        "event": "BUILD_EVENT_PUSH",
        "external_id": "github/1658821493.2",
        "link": f"https://github.com/{repo}/actions/runs/1658821493/attempts/2",
        "number": 1,
        "params": {"REGION": "eu"},
        "ref": "refs/heads/main",
        "status": "BUILD_STATUS_SUCCESS",
        "target": "main",
    }
    assert {name: build[name] for name in wanted} == wanted
    again = cli.run("record", "-p", "REGION=eu", "--artifact", "image=registry/app:1@sha256:9fc1")
    assert again == (
        0,
        f"{repo}: build 1 was recorded before: success, commit 9fc1ad6ebf12, branch main,"
        " github/1658821493.2\n",
        "",
    )


def test_what_is_said_comes_before_what_is_found(server: Shipliftd, repo: str, tmp_path: Path) -> None:
    cli = Cli(tmp_path, server.address, server.admin_token, repo, {**DRONE})
    said = cli.run(
        *(
            "record",
            "--commit",
            "abcdef0123",
            "--branch",
            "next",
            "--event",
            "custom",
            "--status",
            "failure",
        ),
        *("--external-id", "mine", "--link", "https://example.com/1", "--release", "v2", "--json"),
    )
    build = said.json()
    wanted = {
        "after": "abcdef0123",
        # Those of another commit are not taken over.
        "author_name": "",
        "before": "",
        "event": "BUILD_EVENT_CUSTOM",
        "external_id": "mine",
        "link": "https://example.com/1",
        "message": "",
        "ref": "refs/heads/next",
        "release": "v2",
        "sender": "bradrydzewski",
        "source": "next",
        "status": "BUILD_STATUS_FAILURE",
        "target": "next",
    }
    assert {name: build[name] for name in wanted} == wanted


def test_record_refuses_what_it_cannot_take(server: Shipliftd, repo: str, tmp_path: Path) -> None:
    cli = Cli(tmp_path, server.address, server.admin_token, repo)
    assert cli.run("record", "--artifact", "image") == (
        2,
        "",
        "shiplift: --artifact 'image': wanted NAME=URI or NAME=URI@DIGEST\n",
    )
    assert cli.run("record", "--commit", "HEAD") == (
        2,
        "",
        "shiplift: --commit 'HEAD': wanted a hash of 4 to 64 hexadecimal digits\n",
    )
    assert cli.run("record", "-p", "hunter2") == (
        2,
        "",
        "shiplift: -p wants KEY=VALUE; one of those given has no key or no '='\n",
    )
    assert cli.run("record", "-p", "A=1", "-p", "A=2") == (2, "", "shiplift: -p A is given twice\n")
    assert cli.run("record", "--event", "promote").code == 2
