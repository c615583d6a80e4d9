"""Drone's routes over HTTP: the contract, every route that is answered, and who may use it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from shiplift.v1 import access_pb2
from shipliftd.descriptors import descriptor_set
from shipliftd.gateway.absent import ABSENT

from tests.support import demo
from tests.support.gateway import Answer, Caller
from tests.support.harness import Gateway, Shipliftd
from tests.support.repository import Repository

BUILDS = "shiplift/v1/builds.proto"
GOLDEN = Path(__file__).with_name("golden") / "promotion.json"
# What a store and a clock decide.
OWN_VALUES = {"id", "repo_id", "build_id", "created", "updated"}
NO_TOKEN = "needs a token here: send it as the metadata `authorization: Bearer TOKEN`"


def path(repository: Repository, rest: str = "") -> str:
    """A route of the repository."""
    return f"/api/repos/{repository.slug}{rest}"


def hidden(slug: str) -> tuple[int, str]:
    """What is told of a repository that the caller may not read, and of one that is not there."""
    return 404, f"repository {slug} not found: it does not exist, or you may not read it"


@pytest.fixture
def recorded(repository: Repository) -> Repository:
    """A repository with build 1 of its default branch."""
    repository.record(ref="refs/heads/main", source="main", target="main", params={"A": "1"})
    return repository


@pytest.fixture
def stranger(caller: Caller) -> Caller:
    """Nobody."""
    return caller.having("")


@pytest.fixture
def outsider(caller: Caller, server: Shipliftd, name: str) -> Caller:
    """A user without a grant."""
    return caller.having(server.user(f"outsider-{name}"))


@pytest.fixture
def reader(caller: Caller, server: Shipliftd, repo: str, name: str) -> Caller:
    """A user who may read the repository."""
    return caller.having(server.user(f"reader-{name}", repo, access_pb2.ACCESS_LEVEL_READ))


# The contract.


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Shipliftd, Caller, Caller]]:
    """A server with the contract's build, and who may promote it, before either kind of gateway."""
    database = tmp_path_factory.mktemp("contract") / "shiplift.db"
    with Shipliftd(database, ("--http", "127.0.0.1:0")) as server, Gateway(server.address) as gateway:
        token = demo.fill(server).writer
        yield server, Caller(server.http, token), Caller(gateway.http, token)


def assert_has_all_of(found: dict[str, object], published: dict[str, object], more: set[str]) -> None:
    """Every key of the published one in type and in value, and no others but these."""
    assert found.keys() == published.keys() | more
    for key, value in published.items():
        assert type(found[key]) is type(value), key
        if key not in OWN_VALUES | {"stages"}:
            assert found[key] == value, key


def test_a_promotion_of_the_contracts_build_equals_the_published_example(
    contract: tuple[Shipliftd, Caller, Caller],
) -> None:
    server, *callers = contract
    published = json.loads(GOLDEN.read_text())
    for caller in callers:
        answer = caller.post(
            f"/api/repos/{demo.OWNER}/{demo.REPO}/builds/41/promote",
            {"target": "production", **demo.PARAMS},
        )
        assert answer.status == 200
        found = answer.json
        # The second promotion is the same but for its number.
        published["number"] = found["number"]
        assert_has_all_of(
            found, published, {"trigger", "parent", "action", "timestamp", "params", "deploy_to"}
        )
        assert found["stages"][0]["build_id"] == found["id"]
        assert len(found["stages"]) == 1
        assert_has_all_of(found["stages"][0], published["stages"][0], set())
        assert {key: found[key] for key in ("trigger", "parent", "action", "timestamp")} == {
            "trigger": "octocat",
            "parent": 41,
            "action": "",
            "timestamp": 0,
        }
        assert (found["deploy_to"], found["params"]) == ("production", demo.PARAMS)
    numbers = [build.number for build in Repository(server, demo.OWNER, demo.REPO).page().builds]
    assert numbers == [43, 42, 41]


# Promoting.


def test_a_promotion_is_what_get_shows(caller: Caller, recorded: Repository) -> None:
    made = caller.post(path(recorded, "/builds/1/promote"), {"target": "production", "B": "2"})
    assert made.status == 200
    assert caller.get(path(recorded, "/builds/2")).json == made.json
    assert made.json["params"] == {"A": "1", "B": "2"}
    assert recorded.get(2).params == {"A": "1", "B": "2"}


def test_who_may_not_promote_is_told_why(
    recorded: Repository, stranger: Caller, outsider: Caller, reader: Caller
) -> None:
    def promote(who: Caller) -> tuple[int, str]:
        return who.post(path(recorded, "/builds/1/promote"), {"target": "production"}).told

    assert promote(stranger) == (401, f"PromoteBuild {NO_TOKEN}")
    assert promote(outsider) == hidden(recorded.slug)
    login = f"reader-{recorded.name}"
    assert promote(reader) == (
        403,
        f"PromoteBuild needs write on {recorded.slug}; {login} has read: an admin of the repository can"
        " grant it",
    )
    assert recorded.numbers() == [1]


def test_a_token_promotes_no_further_than_it_reaches(
    caller: Caller, server: Shipliftd, recorded: Repository
) -> None:
    token = server.user(
        f"cut-{recorded.name}", recorded.slug, access_pb2.ACCESS_LEVEL_WRITE, environments=["staging"]
    )
    cut = caller.having(token)
    assert cut.post(path(recorded, "/builds/1/promote"), {"target": "staging"}).status == 200
    assert cut.post(path(recorded, "/builds/1/promote"), {"target": "production"}).told == (
        403,
        "this token is cut to the environments staging; production is not one of them",
    )


@pytest.mark.parametrize(
    ("build", "status", "message"),
    [
        ("9", 404, "build 9 of {slug} not found: ListBuilds shows those there are"),
        ("0", 400, "build: is 0: wanted 1 or above"),
        ("x", 400, "build: 'x' is not a build's number"),
        ("-1", 400, "build: '-1' is not a build's number"),
        ("1.0", 400, "build: '1.0' is not a build's number"),
        ("2147483648", 400, "build: '2147483648' is not a build's number"),
        ("9" * 100, 400, f"build: '{'9' * 60}' is not a build's number"),
    ],
)
def test_a_build_that_is_not_there_is_neither_shown_nor_promoted(
    caller: Caller, recorded: Repository, build: str, status: int, message: str
) -> None:
    told = (status, message.format(slug=recorded.slug))
    assert caller.post(path(recorded, f"/builds/{build}/promote"), {"target": "production"}).told == told
    assert caller.get(path(recorded, f"/builds/{build}")).told == told


# Repositories and the caller.


def repo_json(repository: access_pb2.Repository, **permissions: bool) -> dict[str, object]:
    """A new private repository in Drone's JSON."""
    return {
        "id": repository.id,
        "uid": "",
        "user_id": repository.user_id,
        "namespace": repository.owner,
        "name": repository.name,
        "slug": f"{repository.owner}/{repository.name}",
        "scm": "git",
        "git_http_url": "",
        "git_ssh_url": "",
        "link": "",
        "default_branch": "main",
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
        "archived": False,
        "timeout": 60,
        "counter": repository.counter,
        "synced": 0,
        "created": repository.created.seconds,
        "updated": repository.updated.seconds,
        "version": repository.version,
        "permissions": permissions,
    }


def stored(server: Shipliftd, slug: str) -> access_pb2.Repository:
    """The repository over gRPC."""
    owner, repo = slug.split("/")
    return server.access().GetRepository(access_pb2.GetRepositoryRequest(owner=owner, repo=repo))


def test_the_caller_is_shown(outsider: Caller, stranger: Caller, server: Shipliftd) -> None:
    user = server.access(outsider.token).WhoAmI(access_pb2.WhoAmIRequest()).user
    answer = outsider.get("/api/user")
    assert (answer.status, answer.json) == (
        200,
        {
            "id": user.id,
            "login": user.login,
            "email": "",
            "machine": False,
            "admin": False,
            "active": True,
            "avatar": "",
            "syncing": False,
            "synced": 0,
            "created": user.created.seconds,
            "updated": user.updated.seconds,
            "last_login": 0,
        },
    )
    assert stranger.get("/api/user").told == (401, f"WhoAmI {NO_TOKEN}")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_repositories_are_those_that_the_caller_may_read(
    reader: Caller, outsider: Caller, stranger: Caller, server: Shipliftd, repo: str, method: str
) -> None:
    def this(caller: Caller) -> list[object]:
        # Other tests have public and internal ones, which every user may read.
        answer = caller.call(method, "/api/user/repos")
        assert answer.status == 200
        return [found for found in answer.json if found["slug"] == repo]

    assert this(reader) == [repo_json(stored(server, repo), read=True, write=False, admin=False)]
    assert this(outsider) == []
    # A list of the public ones would make a client believe that its token is a good one.
    assert stranger.call(method, "/api/user/repos").told == (401, f"WhoAmI {NO_TOKEN}")


def test_a_repository_is_shown_to_who_may_read_it(
    caller: Caller, reader: Caller, outsider: Caller, stranger: Caller, server: Shipliftd, repo: str
) -> None:
    shown = stored(server, repo)
    answer = caller.get(f"/api/repos/{repo}")
    assert (answer.status, answer.json) == (200, repo_json(shown, read=True, write=True, admin=True))
    answer = reader.get(f"/api/repos/{repo}")
    assert (answer.status, answer.json) == (200, repo_json(shown, read=True, write=False, admin=False))
    assert outsider.get(f"/api/repos/{repo}").told == hidden(repo)
    assert stranger.get(f"/api/repos/{repo}").told == (401, f"GetRepository {NO_TOKEN}")


@pytest.mark.parametrize(
    ("visibility", "private"),
    [(access_pb2.VISIBILITY_INTERNAL, True), (access_pb2.VISIBILITY_PUBLIC, False)],
)
def test_a_repository_says_who_may_see_it(
    outsider: Caller,
    stranger: Caller,
    server: Shipliftd,
    name: str,
    visibility: access_pb2.Visibility,
    private: bool,
) -> None:
    server.access().CreateRepository(
        access_pb2.CreateRepositoryRequest(owner="open", repo=name, visibility=visibility)
    )
    shown = outsider.get(f"/api/repos/open/{name}").json
    word = access_pb2.Visibility.Name(visibility).removeprefix("VISIBILITY_").lower()
    assert (shown["visibility"], shown["private"]) == (word, private)
    assert stranger.get(f"/api/repos/open/{name}").status == (401 if private else 200)
    assert stranger.get(f"/api/repos/open/{name}/builds").status == (401 if private else 200)


def test_enabling_registers_a_repository_once(
    caller: Caller, reader: Caller, server: Shipliftd, repo: str, name: str
) -> None:
    first = caller.post(f"/api/repos/new-{name}/app")
    made = stored(server, f"new-{name}/app")
    assert (first.status, first.json) == (200, repo_json(made, read=True, write=True, admin=True))
    assert caller.post(f"/api/repos/new-{name}/app").json == first.json
    # Who may read it is shown it, as Drone's client expects of what is enabled already.
    assert reader.post(f"/api/repos/{repo}").json == reader.get(f"/api/repos/{repo}").json


def test_who_may_not_register_is_told_no_more_than_of_any_repository(
    reader: Caller, outsider: Caller, stranger: Caller, repo: str, name: str
) -> None:
    for who, slug in ((reader, f"new-{name}/app"), (outsider, f"new-{name}/app"), (outsider, repo)):
        status, message = who.post(f"/api/repos/{slug}").told
        told, _, hint = message.partition("; ")
        assert (status, told) == (403, hidden(slug)[1])
        assert hint.startswith("if it is not registered yet, a site admin can do it: CreateRepository")
    assert stranger.post(f"/api/repos/new-{name}/app").told == (401, f"GetRepository {NO_TOKEN}")


def test_an_admin_of_an_owner_registers_there(caller: Caller, server: Shipliftd, name: str) -> None:
    boss = caller.having(server.user(f"boss-{name}", f"mine-{name}/*", access_pb2.ACCESS_LEVEL_ADMIN))
    assert boss.post(f"/api/repos/mine-{name}/app").status == 200
    assert boss.post(f"/api/repos/not-mine-{name}/app").status == 403


# What is not here.


def test_what_is_not_here_is_told_to_who_may_read_the_repository(
    recorded: Repository, reader: Caller, outsider: Caller, stranger: Caller
) -> None:
    def call(who: Caller) -> Answer:
        return who.get(path(recorded, "/registry"))

    told = ABSENT["/api/repos/{owner}/{repo}/registry"]
    assert (call(reader).status, call(reader).json) == (501, {"message": told, "code": "UNIMPLEMENTED"})
    assert call(outsider).told == hidden(recorded.slug)
    assert call(stranger).told == (401, f"GetRepository {NO_TOKEN}")


# The API's descriptors.


def test_the_descriptor_set_is_everybodys_and_may_be_kept(caller: Caller) -> None:
    answer = caller.having("").get("/descriptor.binpb")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/protobuf"
    assert answer.headers["cache-control"] == "public, max-age=3600"
    assert answer.body == descriptor_set()
    files = {file.name: file for file in FileDescriptorSet.FromString(answer.body).file}
    (promote,) = [rpc for rpc in files[BUILDS].service[0].method if rpc.name == "PromoteBuild"]
    assert (promote.input_type, promote.output_type) == (
        ".shiplift.v1.PromoteRequest",
        ".shiplift.v1.Build",
    )
