"""Changing a repository's settings, and what a disabled one refuses."""

from datetime import timedelta

import grpc
import pytest
from shiplift import Client
from shiplift.v1 import access_pb2 as pb
from shiplift.v1 import builds_pb2

from tests.support.gateway import Caller
from tests.support.harness import Shipliftd
from tests.support.refusals import Refusal, invalid, refusal
from tests.support.repository import CHANGEABLE, Repository, change, changing, replayed


def get(repository: Repository) -> pb.Repository:
    request = pb.GetRepositoryRequest(owner=repository.owner, repo=repository.name)
    return repository.server.access().GetRepository(request)


def test_settings_are_changed_and_come_back_whole(repository: Repository) -> None:
    before = get(repository)
    settings = {
        "git_http_url": "https://git.example/octocat/app.git",
        "git_ssh_url": "git@git.example:octocat/app.git",
        "link": "https://git.example/octocat/app",
        "default_branch": "trunk",
        "visibility": pb.VISIBILITY_PUBLIC,
        "config_path": "ci.yml",
        "timeout": timedelta(minutes=5),
        "active": False,
        "runner_secrets": True,
    }
    changed = change(repository, **settings)
    before.MergeFrom(pb.Repository(**settings, version=2, updated=changed.updated))  # type: ignore[arg-type]
    before.active = False
    assert changed.updated.ToMilliseconds() > before.created.ToMilliseconds()
    assert changed == before
    assert get(repository) == changed


def test_what_the_mask_does_not_name_stays(repository: Repository) -> None:
    before = change(repository, link="https://git.example/app")
    request = changing(repository, timeout=timedelta(minutes=7))
    request.repository.link = "https://elsewhere.example"
    request.repository.counter = 99
    changed = repository.server.access().UpdateRepository(request)
    before.MergeFrom(pb.Repository(timeout=timedelta(minutes=7), version=3, updated=changed.updated))
    assert changed == before


def test_an_empty_setting_is_the_default_of_a_new_repository(repository: Repository) -> None:
    new = get(repository)
    change(
        repository,
        link="https://git.example",
        default_branch="trunk",
        visibility=pb.VISIBILITY_PUBLIC,
        config_path="ci.yml",
        timeout=timedelta(minutes=5),
        runner_secrets=True,
    )
    names = ("link", "default_branch", "visibility", "config_path", "timeout", "runner_secrets")
    changed = change(repository, *names)
    new.MergeFrom(pb.Repository(version=3, updated=changed.updated))
    assert changed == new


def test_what_is_so_already_is_no_change(repository: Repository) -> None:
    before = get(repository)
    assert change(repository, "active", "timeout", active=True, timeout=timedelta(hours=1)) == before


@pytest.mark.parametrize(
    "path", ["counter", "owner", "version", "permissions.admin", "*", "gitHttpUrl", "", "scm"]
)
def test_a_path_that_cannot_be_changed_is_refused_by_name(repository: Repository, path: str) -> None:
    before = get(repository)
    request = changing(repository, path, timeout=timedelta(minutes=5))
    told = f"{path!r} cannot be changed: wanted {CHANGEABLE}"
    assert refusal(repository.server.access().UpdateRepository, request) == invalid(("update_mask", told))
    assert get(repository) == before


def test_a_mask_names_something(repository: Repository) -> None:
    request = changing(repository)
    told = f"is empty: name what to change, of {CHANGEABLE}"
    assert refusal(repository.server.access().UpdateRepository, request) == invalid(("update_mask", told))


def test_every_fault_is_told_with_its_field(repository: Repository) -> None:
    before = get(repository)
    request = changing(
        repository, "scm", link="\0", timeout=timedelta(minutes=-1), default_branch="b" * 256
    )
    assert refusal(repository.server.access().UpdateRepository, request) == invalid(
        ("update_mask", f"'scm' cannot be changed: wanted {CHANGEABLE}"),
        ("repository.link", "has a NUL character: leave it out"),
        ("repository.default_branch", "has 256 characters: at most 255 are taken"),
        ("repository.timeout", "is -1 minutes: wanted whole minutes, 1 to 10080 (7 days)"),
    )
    assert get(repository) == before


def test_a_repeated_change_is_replayed_as_it_stands_now(repository: Repository, name: str) -> None:
    access = repository.server.access()
    request = changing(repository, timeout=timedelta(minutes=5))
    request.request_id = name
    access.UpdateRepository(request)
    later = change(repository, timeout=timedelta(minutes=6))
    again, call = access.UpdateRepository.with_call(request)
    assert (again, replayed(call)) == (later, True)
    request.repository.timeout.FromTimedelta(timedelta(minutes=7))
    assert refusal(access.UpdateRepository, request).reason == "REQUEST_ID_TAKEN"


def test_a_visibility_counts_at_once(repository: Repository) -> None:
    stranger = repository.server.access("")
    request = pb.GetRepositoryRequest(owner=repository.owner, repo=repository.name)
    change(repository, visibility=pb.VISIBILITY_PUBLIC)
    assert stranger.GetRepository(request).visibility == pb.VISIBILITY_PUBLIC
    change(repository, visibility=pb.VISIBILITY_PRIVATE)
    assert refusal(stranger.GetRepository, request).code == grpc.StatusCode.UNAUTHENTICATED


def disabled(slug: str) -> Refusal:
    message = (
        f"repository {slug} is disabled, and takes no new builds: an admin of it can enable it,"
        f" shiplift repo set {slug} --active"
    )
    return Refusal(
        grpc.StatusCode.FAILED_PRECONDITION, message, "REPOSITORY_DISABLED", ((slug, "is disabled"),)
    )


def test_a_disabled_repository_takes_no_new_builds_and_can_be_read(repository: Repository) -> None:
    repository.record(status=builds_pb2.BUILD_STATUS_SUCCESS, external_id="e1")
    repository.promote(1)
    change(repository, active=False)
    told = disabled(repository.slug)
    builds = repository.builds
    assert refusal(builds.CreateBuild, repository.recording()) == told
    assert refusal(builds.CreateBuild, repository.recording(number=9)) == told
    assert refusal(builds.PromoteBuild, repository.promotion(1)) == told
    retry = builds_pb2.RetryBuildRequest(owner=repository.owner, repo=repository.name, build=1)
    assert refusal(builds.RetryBuild, retry) == told
    assert repository.numbers() == [2, 1]
    assert get(repository).counter == 2
    # What was there goes on.
    assert repository.report(2, builds_pb2.BUILD_STATUS_SUCCESS).status == builds_pb2.BUILD_STATUS_SUCCESS
    assert repository.record(external_id="e1").number == 1
    change(repository, active=True)
    assert repository.record().number == 3


def test_drones_wire_tells_whether_a_repository_is_active(caller: Caller, repository: Repository) -> None:
    path = f"/api/repos/{repository.slug}"
    assert caller.get(path).json["active"] is True
    change(repository, active=False)
    answer = caller.get(path).json
    assert answer["active"] is False
    assert "runner_secrets" not in answer


def test_the_client_takes_the_names_as_a_list(server: Shipliftd, repository: Repository) -> None:
    with Client(server.address, server.admin_token) as client:
        changed = client.update_repository(
            owner=repository.owner,
            repo=repository.name,
            update_mask=["timeout"],
            repository=pb.Repository(timeout=timedelta(minutes=9)),
        )
    assert changed == get(repository)
    assert changed.timeout.ToTimedelta() == timedelta(minutes=9)


HTTP, SSH = "wanted https://HOST/PATH", "wanted USER@HOST:PATH or ssh://USER@HOST/PATH"
SEEN = "which everybody who may see the repository would see: leave"
CREDENTIALS = f"has credentials in it, {SEEN} them out (the server's --netrc-file is for them)"
PASSWORD = f"has a password in it, {SEEN} it out"


@pytest.mark.parametrize(
    ("field", "url", "fault"),
    [
        ("git_http_url", "https://mona:hunter2@git.example/app.git", CREDENTIALS),
        ("git_http_url", "https://hunter2@git.example/app.git", CREDENTIALS),
        ("git_http_url", "https://@git.example/app.git", CREDENTIALS),
        ("git_http_url", "https://hunter2:@git.example/app.git", CREDENTIALS),
        ("git_http_url", "HTTPS://mona:hunter2@git.example", CREDENTIALS),
        ("git_http_url", "git@git.example:app.git", f"this is not a URL to clone over HTTP: {HTTP}"),
        ("git_http_url", "ssh://mona:hunter2@h/a", f"this is not a URL to clone over HTTP: {HTTP}"),
        ("git_http_url", "ftp://h/a", f"'ftp://h/a' is not a URL to clone over HTTP: {HTTP}"),
        (
            "git_http_url",
            "javascript:alert(1)",
            f"'javascript:alert(1)' is not a URL to clone over HTTP: {HTTP}",
        ),
        ("git_http_url", "https:///app", f"'https:///app' is not a URL to clone over HTTP: {HTTP}"),
        ("git_http_url", "https://h:x/app", f"'https://h:x/app' is not a URL to clone over HTTP: {HTTP}"),
        ("git_http_url", "https://[h/app", f"'https://[h/app' is not a URL to clone over HTTP: {HTTP}"),
        ("git_http_url", "app.git", f"'app.git' is not a URL to clone over HTTP: {HTTP}"),
        (
            "git_http_url",
            "https://h/a b",
            "'https://h/a b' has a blank, a control character or a backslash",
        ),
        (
            "git_http_url",
            "https://mona:hunter2\n@h",
            "this has a blank, a control character or a backslash",
        ),
        ("git_ssh_url", "ssh://mona:hunter2@git.example/app.git", PASSWORD),
        ("git_ssh_url", "ssh://mona:@git.example/app.git", PASSWORD),
        ("git_ssh_url", "https://mona:hunter2@h/a", f"this is not a URL to clone over SSH: {SSH}"),
        ("git_ssh_url", "mona:hunter2@git.example:app.git", f"this is not a URL to clone over SSH: {SSH}"),
        ("git_ssh_url", "git@git.example/app.git", f"this is not a URL to clone over SSH: {SSH}"),
        ("git_ssh_url", "/srv/app.git", f"'/srv/app.git' is not a URL to clone over SSH: {SSH}"),
        (
            "git_ssh_url",
            "-oProxyCommand=id:a",
            f"'-oProxyCommand=id:a' is not a URL to clone over SSH: {SSH}",
        ),
        ("git_ssh_url", "git@-oProxyCommand=id:a", f"this is not a URL to clone over SSH: {SSH}"),
        (
            "git_ssh_url",
            "ssh://-oProxyCommand=id/a",
            f"'ssh://-oProxyCommand=id/a' is not a URL to clone over SSH: {SSH}",
        ),
        ("git_ssh_url", "ext::sh -c id", "'ext::sh -c id' has a blank, a control character or a backslash"),
    ],
)
def test_a_url_to_clone_from_has_its_form_and_no_credentials(
    server: Shipliftd, repository: Repository, name: str, field: str, url: str, fault: str
) -> None:
    access = server.access()
    made = pb.CreateRepositoryRequest(owner="octocat", repo=f"{name}-new", **{field: url})  # type: ignore[arg-type]
    assert refusal(access.CreateRepository, made) == invalid((field, fault))
    told = refusal(access.UpdateRepository, changing(repository, **{field: url}))
    assert told == invalid((f"repository.{field}", fault))
    assert "hunter2" not in told.message


@pytest.mark.parametrize(
    ("field", "url"),
    [
        ("git_http_url", "https://git.example:8443/group/sub/app.git"),
        ("git_http_url", "http://[::1]:3000/a"),
        ("git_http_url", "https://git.example/~mona/ä/app"),
        ("git_http_url", "https://git.example/a@b"),
        ("git_ssh_url", "git@git.example:octocat/app.git"),
        ("git_ssh_url", "git.example:app"),
        ("git_ssh_url", "git@[::1]:app"),
        ("git_ssh_url", "git@git.example:/srv/app.git"),
        ("git_ssh_url", "ssh://git@git.example:2222/app.git"),
        ("git_ssh_url", "git+ssh://git.example/app.git"),
    ],
)
def test_a_url_to_clone_from_is_taken_as_it_is(repository: Repository, field: str, url: str) -> None:
    assert getattr(change(repository, **{field: url}), field) == url
