"""drone-go, the unmodified client library of Drone, talks to the gateway."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from shiplift.v1 import access_pb2, builds_pb2, secrets_pb2

from tests.support import demo
from tests.support.gateway import drone_variables
from tests.support.harness import Gateway, Shipliftd
from tests.support.repository import Repository
from tests.support.ruled import declare, second_person
from tests.support.toolchains import ROOT, SECONDS, need, run

# Downloading and compiling the modules is part of the first test.
pytestmark = pytest.mark.timeout(SECONDS)

Json = dict[str, Any]


@pytest.fixture(scope="module")
def drone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program of tests/interop/go/drone."""
    need("go")
    program = tmp_path_factory.mktemp("go") / "drone"
    run(["go", "build", "-o", program, "."], ROOT / "tests" / "interop" / "go" / "drone")
    return program


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Shipliftd]:
    """A server of the test's own that serves JSON, too."""
    with Shipliftd(tmp_path / "shiplift.db", ("--http", "127.0.0.1:0")) as running:
        yield running


def told(program: Path, http: str, token: str, *words: str, build: int = 41) -> list[tuple[str, Any]]:
    """`drone octocat hello-world 41`: each call, with what it found or the text of its error."""
    done = subprocess.run(
        [program, demo.OWNER, demo.REPO, str(build), *words],
        env={**os.environ, **drone_variables(http, token)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stderr, done.returncode) == ("", 0)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return [(line["call"], line["error"] if "error" in line else line.get("found")) for line in lines]


def refusal(status: int, code: str, message: str) -> str:
    """A refusal in the words of drone-go: the status and the answer's body."""
    body = {"message": message, "code": code}
    return f"client error {status}: {json.dumps(body, separators=(',', ':'))}"


NO_REPOSITORY = refusal(
    404,
    "NOT_FOUND",
    "repository octocat/no-such-repo not found: it does not exist, or you may not read it",
)
NO_BUILD = refusal(
    404,
    "NOT_FOUND",
    "build 4000 of octocat/hello-world not found: ListBuilds shows those there are",
)
NO_BRANCH = refusal(404, "NOT_FOUND", "no build of the branch 'no-such-branch' is recorded")
NO_TARGET = refusal(
    400,
    "INVALID_ARGUMENT",
    "target: is empty: name the environment to promote to, such as 'production'",
)
READER = refusal(
    403,
    "PERMISSION_DENIED",
    "PromoteBuild needs write on octocat/hello-world; mona has read: "
    "an admin of the repository can grant it",
)
STRANGER = refusal(
    401,
    "UNAUTHENTICATED",
    "the token is not known here: was it made on another server, or cut off when copied?",
)


def user(server: Shipliftd, token: str) -> Json:
    """The token's user as drone-go has it."""
    stored = server.access(token).WhoAmI(access_pb2.WhoAmIRequest()).user
    return {
        "id": stored.id,
        "login": stored.login,
        "email": "",
        "avatar_url": "",
        "active": True,
        "admin": False,
        "machine": False,
        "syncing": False,
        "synced": 0,
        "created": stored.created.seconds,
        "updated": stored.updated.seconds,
        "last_login": 0,
        "token": "",
    }


# What drone-go has where the gateway sends no build.
UNSET_BUILD: Json = {
    "id": 0,
    "repo_id": 0,
    "trigger": "",
    "number": 0,
    "status": "",
    "event": "",
    "action": "",
    "link": "",
    "timestamp": 0,
    "message": "",
    "before": "",
    "after": "",
    "ref": "",
    "source_repo": "",
    "source": "",
    "target": "",
    "author_login": "",
    "author_name": "",
    "author_email": "",
    "author_avatar": "",
    "sender": "",
    "debug": False,
    "started": 0,
    "finished": 0,
    "created": 0,
    "updated": 0,
    "version": 0,
}


def repository(server: Shipliftd) -> Json:
    """The demo's repository, before anything is promoted, as drone-go has it."""
    stored = server.access().GetRepository(
        access_pb2.GetRepositoryRequest(owner=demo.OWNER, repo=demo.REPO)
    )
    return {
        "id": stored.id,
        "uid": "",
        "user_id": stored.user_id,
        "namespace": "octocat",
        "name": "hello-world",
        "slug": "octocat/hello-world",
        "scm": "git",
        "git_http_url": "https://github.com/octocat/hello-world.git",
        "git_ssh_url": "",
        "link": "",
        "default_branch": "master",
        "private": True,
        "visibility": "private",
        "active": True,
        "config_path": ".drone.yml",
        "trusted": False,
        "protected": False,
        "ignore_forks": False,
        "ignore_pull_requests": False,
        "auto_cancel_pull_requests": False,
        "auto_cancel_pushes": False,
        "auto_cancel_running": False,
        "throttle": 0,
        "timeout": 60,
        "counter": 41,
        "synced": 0,
        "created": stored.created.seconds,
        "updated": stored.updated.seconds,
        "version": stored.version,
        "build": UNSET_BUILD,
    }


def stored_build(server: Shipliftd, number: int) -> builds_pb2.Build:
    """A build of the demo's repository as it is over gRPC."""
    return server.builds().GetBuild(
        builds_pb2.GetBuildRequest(owner=demo.OWNER, repo=demo.REPO, build=number)
    )


def build(stored: builds_pb2.Build, status: str, **fields: object) -> Json:
    """A build with the demo's commit as drone-go has it."""
    (stage,) = stored.stages
    return {
        **UNSET_BUILD,
        **demo.BUILD,
        "id": stored.id,
        "repo_id": stored.repo_id,
        "number": stored.number,
        "status": status,
        "started": stored.started.seconds,
        "finished": stored.finished.seconds,
        "created": stored.created.seconds,
        "updated": stored.updated.seconds,
        "version": 1,
        "stages": [
            {
                **demo.STAGE,
                "id": stage.id,
                "build_id": stored.id,
                "number": 1,
                "status": status,
                "errignore": False,
                "exit_code": 0,
                "started": stage.started.seconds,
                "stopped": stage.stopped.seconds,
                "created": stage.created.seconds,
                "updated": stage.updated.seconds,
                "version": 1,
                "on_success": True,
                "on_failure": False,
            }
        ],
        **fields,
    }


def recorded(server: Shipliftd) -> Json:
    """Build 41."""
    return build(stored_build(server, 41), "success", trigger="admin", event="push")


def promoted(server: Shipliftd) -> Json:
    """The promotion that the program makes of it."""
    return build(
        stored_build(server, 42),
        "pending",
        trigger="octocat",
        event="promote",
        parent=41,
        deploy_to="production",
        # As the program sends them: what the gateway itself might have taken for its own stays whole.
        params={"REGION": "eu-west-1", "owner": "Ann & Bob = 100 %", "page": "Grüße\n+"},
    )


def listed(found: Json) -> Json:
    """A build as lists have it."""
    return {name: value for name, value in found.items() if name not in ("params", "stages")}


@pytest.mark.parametrize("alone", [False, True], ids=["in the server's process", "on its own"])
def test_who_may_write_looks_around_and_promotes(drone: Path, served: Shipliftd, alone: bool) -> None:
    tokens = demo.fill(served)
    found = repository(served)
    if alone:
        with Gateway(served.address) as gateway:
            lines = told(drone, gateway.http, tokens.writer)
    else:
        lines = told(drone, served.http, tokens.writer)
    parent, promotion = recorded(served), promoted(served)
    assert lines == [
        ("Self", user(served, tokens.writer)),
        ("RepoList", [found]),
        ("Repo", found),
        ("Repo, unknown", NO_REPOSITORY),
        ("RepoEnable", found),
        ("Build", parent),
        ("Build, unknown", NO_BUILD),
        ("BuildLast", parent),
        ("BuildLast, unknown branch", NO_BRANCH),
        ("Promote", promotion),
        ("Promote, no target", NO_TARGET),
        ("Promote, unknown build", NO_BUILD),
        ("Promote, unknown repository", NO_REPOSITORY),
        ("BuildLast, after the promotion", promotion),
        ("BuildList", [listed(promotion), listed(parent)]),
        ("BuildList, the second page of one", [listed(parent)]),
        ("BuildList, after the last", []),
    ]


def test_who_may_read_sees_all_and_promotes_nothing(drone: Path, served: Shipliftd) -> None:
    tokens = demo.fill(served)
    found, parent = repository(served), recorded(served)
    assert told(drone, served.http, tokens.reader) == [
        ("Self", user(served, tokens.reader)),
        ("RepoList", [found]),
        ("Repo", found),
        ("Repo, unknown", NO_REPOSITORY),
        ("RepoEnable", found),
        ("Build", parent),
        ("Build, unknown", NO_BUILD),
        ("BuildLast", parent),
        ("BuildLast, unknown branch", NO_BRANCH),
        ("Promote", READER),
        ("Promote, no target", READER),
        ("Promote, unknown build", READER),
        ("Promote, unknown repository", NO_REPOSITORY),
        ("BuildLast, after the promotion", parent),
        ("BuildList", [listed(parent)]),
        ("BuildList, the second page of one", []),
        ("BuildList, after the last", []),
    ]


@pytest.mark.parametrize("alone", [False, True], ids=["in the server's process", "on its own"])
def test_promotions_are_approved_declined_and_rolled_back(
    drone: Path, served: Shipliftd, alone: bool
) -> None:
    tokens = demo.fill(served)
    repository = Repository(served, demo.OWNER, demo.REPO)
    declare(repository, required_approvals=1)
    second = second_person(repository)
    made = {
        "trigger": "octocat",
        "deploy_to": "production",
        "params": {"REGION": "eu-west-1"},
        "parent": 41,
    }

    with Gateway(served.address) if alone else nullcontext(served) as gateway:

        def does(token: str, build: int, verb: str, word: str) -> Any:  # noqa: ANN401
            [(_, found)] = told(drone, gateway.http, token, verb, word, build=build)
            return found

        found = does(tokens.writer, 41, "promote", "production")
        assert found == build(stored_build(served, 42), "blocked", event="promote", **made)
        assert does(tokens.writer, 42, "approve", "1") == refusal(
            403, "PERMISSION_DENIED", "build 42 is from octocat, so somebody else approves it"
        )
        assert does(second, 42, "approve", "2") == refusal(404, "NOT_FOUND", "build 42 has no stage 2")
        assert does(second, 42, "approve", "1") is None
        assert repository.get(42).status == builds_pb2.BUILD_STATUS_PENDING
        told_so = "build 42 is pending: it waits for nobody's approval"
        assert does(second, 42, "decline", "1") == refusal(409, "FAILED_PRECONDITION", told_so)
        repository.report(42, builds_pb2.BUILD_STATUS_SUCCESS)

        assert does(tokens.writer, 41, "promote", "production")["number"] == 43
        assert does(second, 43, "decline", "1") is None
        assert repository.get(43).status == builds_pb2.BUILD_STATUS_DECLINED

        nowhere = f"staging is none of the environments of {demo.OWNER}/{demo.REPO} (production)"
        assert does(tokens.writer, 41, "rollback", "staging") == refusal(
            409, "FAILED_PRECONDITION", nowhere
        )
        for named, number in ((41, 44), (42, 45)):
            found = does(tokens.writer, named, "rollback", "production")
            assert found == build(stored_build(served, number), "pending", event="rollback", **made)
            repository.report(number, builds_pb2.BUILD_STATUS_SUCCESS)


@pytest.mark.parametrize("alone", [False, True], ids=["in the server's process", "on its own"])
def test_secrets_are_added_shown_listed_updated_and_removed(
    drone: Path, served: Shipliftd, alone: bool
) -> None:
    demo.fill(served)
    for value in ("correct horse battery", "another staple", "of all of them", "of all of them, now"):
        served.secrets.hide(value)
    served.secret_service().SetSecret(
        secrets_pb2.SetSecretRequest(
            owner=demo.OWNER, repo=demo.REPO, environment="production", name="narrow", value="not Drone's"
        )
    )
    with Gateway(served.address) if alone else nullcontext(served) as gateway:
        lines = told(drone, gateway.http, served.admin_token, "secrets", "all")
    token, key = {"namespace": demo.OWNER, "name": "token"}, {"namespace": demo.OWNER, "name": "key"}
    allowed = {**token, "pull_request": True}
    of_all = {**key, "pull_request": True}
    gone = refusal(
        404,
        "NOT_FOUND",
        f"there is no secret 'token' of {demo.OWNER}/{demo.REPO}: ListSecrets shows those there are",
    )
    assert lines == [
        ("SecretCreate", token),
        ("Secret", token),
        ("SecretUpdate", allowed),
        ("SecretList", [allowed]),
        ("SecretDelete", None),
        ("Secret, gone", gone),
        ("SecretUpdate, gone", gone),
        ("OrgSecretCreate", of_all),
        ("OrgSecret", of_all),
        ("OrgSecretUpdate", of_all),
        ("OrgSecretList", [of_all]),
        ("OrgSecretListAll", [of_all]),
        ("OrgSecretDelete", None),
        ("OrgSecretList, empty", []),
    ]


def test_a_wrong_token_is_told_so_at_every_call(drone: Path, served: Shipliftd) -> None:
    demo.fill(served)
    lines = told(drone, served.http, "shl_wrong")
    assert len(lines) == 17
    assert {error for _, error in lines} == {STRANGER}
