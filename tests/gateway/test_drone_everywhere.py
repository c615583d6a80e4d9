"""Drone's routes over all repositories, and what it has and we have not."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb
from shipliftd import __version__
from shipliftd.gateway.absent import ABSENT, ABSENT_METHODS

from tests.support.gateway import Caller
from tests.support.harness import Shipliftd
from tests.support.repository import Repository
from tests.support.runner_wire import PIPELINE

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shipliftd]:
    """A server with builds in two repositories, one of them public."""
    path: Path = tmp_path_factory.mktemp("everywhere") / "shiplift.db"
    with Shipliftd(path, ("--http", "127.0.0.1:0")) as server:
        server.access().CreateRepository(
            access_pb2.CreateRepositoryRequest(
                owner="octocat", repo="public", visibility=access_pb2.VISIBILITY_PUBLIC
            )
        )
        private, public = (
            Repository.make(server, "octocat", "private"),
            Repository(server, "octocat", "public"),
        )
        private.record(
            pipeline=PIPELINE, status=pb.BUILD_STATUS_SUCCESS, author_login="ann", ref="refs/heads/main"
        )
        private.promote(1)
        public.record(status=pb.BUILD_STATUS_RUNNING, ref="refs/heads/dev")
        public.record(status=pb.BUILD_STATUS_FAILURE, ref="refs/heads/main")
        yield server


@pytest.fixture
def admin(served: Shipliftd) -> Caller:
    return Caller(served.http, served.admin_token)


@pytest.fixture(scope="module")
def reader(served: Shipliftd) -> Caller:
    """A user who may read what is public."""
    return Caller(served.http, served.user("hubot"))


def named(found: Any) -> list[str]:  # noqa: ANN401
    """Repositories with their builds, by name and number."""
    return [f"{repo['name']} {repo['build']['number']}" for repo in found]


def test_the_newest_builds_stand_in_their_repositories(admin: Caller, reader: Caller) -> None:
    found = admin.get("/api/user/builds").json
    assert named(found) == ["public 2", "public 1", "private 2", "private 1"]
    build = admin.get("/api/repos/octocat/private/builds/2").json
    shown = {name: value for name, value in build.items() if name not in ("params", "stages")}
    assert found[2] == {**admin.get("/api/repos/octocat/private").json, "build": shown}
    assert named(reader.get("/api/user/builds").json) == ["public 2", "public 1"]
    assert reader.having("").get("/api/user/builds").status == 401


def test_what_has_not_ended_is_incomplete(admin: Caller, reader: Caller) -> None:
    found = admin.get("/api/builds/incomplete").json
    assert named(found) == ["public 1", "private 2"]
    assert "stages" not in found[0]["build"]
    assert named(reader.get("/api/builds/incomplete").json) == ["public 1"]


def test_stages_that_have_not_ended_stand_with_their_builds(admin: Caller, reader: Caller) -> None:
    public, private = admin.get("/api/builds/incomplete/v2").json
    build = admin.get("/api/repos/octocat/private/builds/2").json
    assert private == {
        "repo_namespace": "octocat",
        "repo_name": "private",
        "repo_slug": "octocat/private",
        "build_number": 2,
        "build_author": "ann",
        "build_author_name": "",
        "build_author_email": "",
        "build_author_avatar": "",
        "build_sender": "",
        "build_started": 0,
        "build_finished": 0,
        "build_created": build["created"],
        "build_updated": build["updated"],
        "stage_name": "deploy",
        "stage_kind": "pipeline",
        "stage_type": "exec",
        "stage_status": "pending",
        "stage_machine": "",
        "stage_os": "linux",
        "stage_arch": "amd64",
        "stage_variant": "",
        "stage_kernel": "",
        "stage_limit": "",
        "stage_limit_repo": "",
        "stage_started": 0,
        "stage_stopped": 0,
    }
    assert (public["repo_name"], public["stage_status"]) == ("public", "running")
    assert reader.get("/api/builds/incomplete/v2").json == [public]


def test_the_queue_is_of_stages_the_oldest_first(admin: Caller, reader: Caller) -> None:
    expected = [
        admin.get(f"/api/repos/octocat/{build}").json["stages"][0]
        for build in ("private/builds/2", "public/builds/1")
    ]
    assert admin.get("/api/queue").json == expected
    assert reader.get("/api/queue").json == expected[1:]
    assert reader.having("").get("/api/queue").status == 401


PUBLIC, PRIVATE = ["public 2", "public 1"], ["private 2", "private 1"]
READ, RUN = access_pb2.TOKEN_ACTION_READ, access_pb2.TOKEN_ACTION_RUN


@pytest.mark.parametrize(
    ("cuts", "seen"),
    [
        ({"actions": [READ]}, [*PUBLIC, *PRIVATE]),
        ({"repositories": ["octocat/private"]}, [*PUBLIC, *PRIVATE]),
        # What is public anybody may read.
        ({"repositories": ["octocat/public"]}, PUBLIC),
        ({"repositories": ["octocat/other"]}, PUBLIC),
        ({"environments": ["staging"], "actions": [READ]}, [*PUBLIC, *PRIVATE]),
    ],
    ids=str,
)
def test_a_token_sees_what_it_reaches_and_nothing_else(
    served: Shipliftd, cuts: dict[str, list[Any]], seen: list[str]
) -> None:
    login = f"mona-{next(_numbers)}"
    token = served.user(login, "octocat/private", access_pb2.ACCESS_LEVEL_READ, **cuts)
    mona = Caller(served.http, token)
    assert named(mona.get("/api/user/builds").json) == seen
    going_on = [each for each in ("public 1", "private 2") if each in seen]
    assert named(mona.get("/api/builds/incomplete").json) == going_on
    flat = mona.get("/api/builds/incomplete/v2").json
    assert [f"{each['repo_name']} {each['build_number']}" for each in flat] == going_on
    # The oldest first.
    queue = mona.get("/api/queue").json
    ids = {repo["id"]: repo["name"] for repo in mona.get("/api/user/repos").json}
    public = mona.get("/api/repos/octocat/public").json
    ids[public["id"]] = "public"
    assert [ids[stage["repo_id"]] for stage in queue] == [name.split()[0] for name in going_on[::-1]]


@pytest.mark.parametrize("path", ["user/builds", "builds/incomplete", "builds/incomplete/v2", "queue"])
def test_a_runners_token_sees_no_builds(served: Shipliftd, path: str) -> None:
    cuts = {"actions": [RUN], "repositories": ["octocat/private"]}
    token = served.user(
        f"runner-{next(_numbers)}", "octocat/private", access_pb2.ACCESS_LEVEL_WRITE, **cuts
    )
    status, told = Caller(served.http, token).get(f"/api/{path}").told
    assert (status, "run" in told) == (403, True)


# Badges and the version.


def test_a_badge_says_how_the_newest_build_stands(admin: Caller, reader: Caller) -> None:
    path = "/api/badges/octocat/{}/status.svg"
    answer = reader.having("").get(path.format("public"))
    assert (answer.status, answer.headers["content-type"]) == (200, "image/svg+xml")
    assert answer.headers["cache-control"] == "no-cache, no-store, max-age=0"
    assert b"build: failure" in answer.body
    assert b"build: running" in reader.get(path.format("public"), branch="dev").body
    assert b"build: running" in reader.get(path.format("public"), ref="refs/heads/dev").body
    assert b"build: none" in reader.get(path.format("public"), branch="<b>").body
    assert b"build: pending" in admin.get(path.format("private")).body
    assert reader.get(path.format("private")).status == reader.get(path.format("no-such")).status == 404
    assert reader.having("").get(path.format("private")).status == 401


def test_the_version_is_told_to_anybody(reader: Caller) -> None:
    told = {"source": "", "version": __version__, "commit": ""}
    assert reader.having("").get("/version").json == told


# Settings.


def test_settings_are_changed_as_drones_command_does(served: Shipliftd, admin: Caller) -> None:
    Repository.make(served, "octocat", "settings")
    path = "/api/repos/octocat/settings"
    old = admin.get(path).json

    def change(body: str, **headers: str) -> Any:  # noqa: ANN401
        return admin.call("PATCH", path, (), body, content_type="application/json", **headers)

    # Drone's client sends all that it was not told as null.
    body = (
        '{"timeout": 90, "visibility": "internal", "ignore_forks": null, "trusted": false, "throttle": 0}'
    )
    new = change(body).json
    assert new == {
        **old,
        "timeout": 90,
        "visibility": "internal",
        "updated": new["updated"],
        "version": old["version"] + 1,
    }
    assert change('{"default_branch": "dev"}').json["default_branch"] == "dev"
    assert change("{}").json == admin.get(path).json
    for body, told in {
        '{"trusted": true}': "trusted: cannot be changed here: wanted active, config_path, default_branch,"
        " git_http_url, git_ssh_url, link, runner_secrets, timeout, visibility",
        '{"visibility": "secret"}': "visibility: 'secret' is none: wanted private, internal, public",
        '{"timeout": "1h"}': "timeout: wanted a whole number",
        '{"timeout": 99999999999}': "timeout: wanted minutes, 1 to 10080",
        '{"timeout": -1}': "repository.timeout: is -1 minutes: wanted whole minutes, 1 to 10080 (7 days)",
        '{"active": 1}': "active: wanted true or false",
        '{"link": []}': "link: wanted a text",
        "[]": "the body is not a JSON object",
    }.items():
        assert change(body).told == (400, told)
    assert change("{").status == 400
    assert admin.call("PATCH", path, (), "{}", content_type="text/plain").status == 415
    first, second = (change('{"timeout": 30}', idempotency_key="once") for _ in range(2))
    assert (first.json, second.headers["shiplift-replayed"]) == (second.json, "true")


def test_a_repository_is_disabled_and_enabled(served: Shipliftd, admin: Caller, reader: Caller) -> None:
    repository = Repository.make(served, "octocat", "disabled")
    repository.record()
    path = f"/api/repos/{repository.slug}"
    assert admin.call("DELETE", path, {"remove": "true"}).status == 501
    assert reader.call("DELETE", path).status == 404
    assert admin.call("DELETE", path).json["active"] is False
    assert admin.post(f"{path}/builds/1/promote", {"target": "production"}).status == 409
    assert admin.get(path).json["active"] is False
    assert admin.post(path).json["active"] is True
    assert admin.post(f"{path}/builds/1/promote", {"target": "production"}).status == 200


def test_who_may_not_register_a_repository_is_told_who_may(reader: Caller) -> None:
    told = (
        "repository octocat/{} not found: it does not exist, or you may not read it; if it is not"
        " registered yet, a site admin can do it: CreateRepository for all of octocat needs admin on"
        " octocat/*; hubot has not got it: a site admin can grant it"
    )
    # The same words for one that is hidden.
    for name in ("new", "private"):
        assert reader.post(f"/api/repos/octocat/{name}").told == (403, told.format(name))


# What is not here.


def filled(path: str) -> str:
    """A path with something in each of its places."""
    for place in ("branch:path", "target:path", "rest:path", "kind", "name", "login", "namespace", "pull"):
        path = path.replace(f"{{{place}}}", "x")
    for place in ("build", "stage", "step"):
        path = path.replace(f"{{{place}}}", "1")
    return path.replace("{owner}/{repo}", "octocat/public")


@pytest.mark.parametrize("path", ABSENT)
def test_what_is_not_here_says_what_to_use(admin: Caller, reader: Caller, path: str) -> None:
    told = (501, ABSENT[path])
    for method in ("GET", "POST", "PATCH", "DELETE"):
        assert admin.call(method, filled(path)).told == told
        assert reader.call(method, filled(path).replace("public", "private")).status in (404, 501)
    assert admin.having("shl_x").get(filled(path)).status == 401


@pytest.mark.parametrize(("method", "path"), ABSENT_METHODS)
def test_a_method_that_is_not_here_says_what_to_use(admin: Caller, method: str, path: str) -> None:
    assert admin.call(method, filled(path)).told == (501, ABSENT_METHODS[method, path])
