"""Repositories, users and grants: whole values."""

from datetime import UTC, datetime, timedelta

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from shiplift.v1 import access_pb2 as pb

from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS
from tests.support.refusals import Refusal, invalid, refusal
from tests.support.repository import Repository, replayed

NAME = "is not a name: wanted 1 to 100 of letters, digits, '.', '_', '-', and not '.' or '..'"
NOT_NAMES = ["", ".", "..", "a/b", "a b", " a", "a\n", "x" * 101, "ä", "*", "a*", "a\0", "%2e", "a:b"]
NAMES = ["a", "A", "0", "-", "_", "...", ".a", "a..b", "x" * 100, "CON", "-rf"]


MINUTES = "wanted whole minutes, 1 to 10080 (7 days)"


def shown(value: str) -> str:
    return repr(value if len(value) <= 60 else value[:57] + "...")


def is_now(time: Timestamp) -> bool:
    now = datetime.now(UTC)
    return now - timedelta(seconds=SECONDS) < time.ToDatetime(UTC) <= now


def taken_request_id(request_id: str, method: str) -> Refusal:
    return Refusal(
        grpc.StatusCode.ALREADY_EXISTS,
        f"request_id '{request_id}' was used for another {method}: use a new one for a new request, and"
        " the old one only to repeat it unchanged",
        "REQUEST_ID_TAKEN",
    )


def test_a_repository_comes_back_whole(server: Shipliftd, name: str) -> None:
    told = {
        "visibility": pb.VISIBILITY_INTERNAL,
        "scm": "hg",
        "git_http_url": "https://git/1.git",
        "git_ssh_url": "git@git:1.git",
        "link": "https://git/1?a=1&b=ä",
        "default_branch": "trunk",
        "config_path": "ci/ä.yml",
        "timeout": timedelta(days=7),
    }
    access = server.access()
    made = access.CreateRepository(pb.CreateRepositoryRequest(owner="octocat", repo=name, **told))  # type: ignore[arg-type]
    me = access.WhoAmI(pb.WhoAmIRequest()).user
    assert made == pb.Repository(
        **told,  # type: ignore[arg-type]
        id=made.id,
        user_id=me.id,
        owner="octocat",
        name=name,
        slug=f"octocat/{name}",
        permissions=pb.Permissions(read=True, write=True, admin=True),
        created=made.created,
        updated=made.created,
        version=1,
        active=True,
    )
    assert is_now(made.created)
    request = pb.GetRepositoryRequest(owner="octocat", repo=name)
    assert access.GetRepository(request) == made

    reader = server.access(server.user(f"reader-{name}"))
    made.permissions.CopyFrom(pb.Permissions(read=True))
    assert reader.GetRepository(request) == made


def test_a_repository_has_defaults(server: Shipliftd, name: str) -> None:
    made = server.access().CreateRepository(pb.CreateRepositoryRequest(owner="octocat", repo=name))
    assert made == pb.Repository(
        id=made.id,
        user_id=made.user_id,
        owner="octocat",
        name=name,
        slug=f"octocat/{name}",
        scm="git",
        default_branch="main",
        visibility=pb.VISIBILITY_PRIVATE,
        config_path=".drone.yml",
        timeout=timedelta(minutes=60),
        permissions=pb.Permissions(read=True, write=True, admin=True),
        created=made.created,
        updated=made.created,
        version=1,
        active=True,
    )


def test_a_build_counts_a_repository_up_and_changes_nothing_else(repository: Repository) -> None:
    request = pb.GetRepositoryRequest(owner=repository.owner, repo=repository.name)
    access = repository.server.access()
    before = access.GetRepository(request)
    repository.record()
    repository.promote(1)
    before.counter = 2
    assert access.GetRepository(request) == before


def test_a_repositorys_name_is_taken_once_and_case_matters(server: Shipliftd, name: str) -> None:
    access = server.access()
    access.CreateRepository(pb.CreateRepositoryRequest(owner="octocat", repo=name))
    again = pb.CreateRepositoryRequest(owner="octocat", repo=name, visibility=pb.VISIBILITY_PUBLIC)
    assert refusal(access.CreateRepository, again) == Refusal(
        grpc.StatusCode.ALREADY_EXISTS, f"repository octocat/{name} exists already", "ALREADY_EXISTS"
    )
    for owner, repo in (("Octocat", name), ("octocat", name.upper()), ("octocat2", name)):
        made = access.CreateRepository(pb.CreateRepositoryRequest(owner=owner, repo=repo))
        assert made.slug == f"{owner}/{repo}"


@pytest.mark.parametrize("bad", NOT_NAMES)
def test_what_is_no_name_is_refused(server: Shipliftd, bad: str) -> None:
    access = server.access()
    told = f"{shown(bad)} {NAME}"
    request = pb.CreateRepositoryRequest(owner="octocat", repo=bad)
    assert refusal(access.CreateRepository, request) == invalid(("repo", told))
    request = pb.CreateRepositoryRequest(owner=bad, repo="a")
    assert refusal(access.CreateRepository, request) == invalid(("owner", told))
    assert refusal(access.CreateUser, pb.CreateUserRequest(login=bad)) == invalid(("login", told))


@pytest.mark.parametrize("good", NAMES)
def test_odd_names_are_names(server: Shipliftd, name: str, good: str) -> None:
    access = server.access()
    owner = f"owner-{name}"
    request = pb.CreateRepositoryRequest(owner=owner, repo=good)
    assert access.CreateRepository(request).slug == f"{owner}/{good}"
    assert access.GetRepository(pb.GetRepositoryRequest(owner=owner, repo=good)).name == good
    listed = access.ListRepositories(pb.ListRepositoriesRequest(owner=owner))
    assert [repo.name for repo in listed.repositories] == [good]


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"scm": "s" * 33}, ("scm", "has 33 characters: at most 32 are taken")),
        ({"git_http_url": "u" * 2001}, ("git_http_url", "has 2001 characters: at most 2000 are taken")),
        ({"git_ssh_url": "u" * 2001}, ("git_ssh_url", "has 2001 characters: at most 2000 are taken")),
        ({"link": "u" * 2001}, ("link", "has 2001 characters: at most 2000 are taken")),
        ({"default_branch": "b" * 256}, ("default_branch", "has 256 characters: at most 255 are taken")),
        ({"config_path": "p" * 1001}, ("config_path", "has 1001 characters: at most 1000 are taken")),
        ({"link": "\0"}, ("link", "has a NUL character: leave it out")),
        ({"timeout": timedelta(minutes=-1)}, ("timeout", f"is -1 minutes: {MINUTES}")),
        ({"timeout": timedelta(minutes=0)}, ("timeout", f"is 0 minutes: {MINUTES}")),
        ({"timeout": timedelta(minutes=10_081)}, ("timeout", f"is 10081 minutes: {MINUTES}")),
        ({"timeout": timedelta(seconds=90)}, ("timeout", f"is 90 s: {MINUTES}")),
        ({"timeout": timedelta(minutes=1, milliseconds=1)}, ("timeout", f"is 60.001 s: {MINUTES}")),
        (
            {"visibility": 4},
            (
                "visibility",
                "4 is not allowed here: wanted one of VISIBILITY_PRIVATE, VISIBILITY_INTERNAL,"
                " VISIBILITY_PUBLIC",
            ),
        ),
        ({"request_id": "\n"}, ("request_id", r"'\n': wanted 1 to 128 printable ASCII characters")),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_fault_of_a_repository_is_told_with_its_field(
    server: Shipliftd, name: str, fields: dict[str, object], fault: tuple[str, str]
) -> None:
    access = server.access()
    request = pb.CreateRepositoryRequest(owner="octocat", repo=name, **fields)  # type: ignore[arg-type]
    assert refusal(access.CreateRepository, request) == invalid(fault)
    get = pb.GetRepositoryRequest(owner="octocat", repo=name)
    assert refusal(access.GetRepository, get).code == grpc.StatusCode.NOT_FOUND


def test_a_repeated_repository_is_replayed_as_it_stands_now(server: Shipliftd, name: str) -> None:
    access = server.access()
    request = pb.CreateRepositoryRequest(owner="octocat", repo=name, request_id=name)
    made, call = access.CreateRepository.with_call(request)
    assert not replayed(call)
    Repository(server, "octocat", name).record()
    again, call = access.CreateRepository.with_call(request)
    made.counter = 1
    assert (again, replayed(call)) == (made, True)
    request.visibility = pb.VISIBILITY_PUBLIC
    assert refusal(access.CreateRepository, request) == taken_request_id(name, "CreateRepository")


def test_repositories_are_listed_by_owner_and_name(server: Shipliftd, name: str) -> None:
    access = server.access()
    slugs = [f"{name}-{owner}/{repo}" for owner in ("b", "a", "C") for repo in ("y", "x", "-", "Z", "x.y")]
    for slug in slugs:
        owner, repo = slug.split("/")
        access.CreateRepository(pb.CreateRepositoryRequest(owner=owner, repo=repo))

    listed, token = [], ""
    for _ in range(1000):
        page = access.ListRepositories(pb.ListRepositoriesRequest(page_size=4, page_token=token))
        assert len(page.repositories) <= 4
        listed += [repo for repo in page.repositories if repo.slug in slugs]
        token = page.next_page_token
        if not token:
            break
    assert [repo.slug for repo in listed] == sorted(slugs, key=lambda slug: slug.split("/"))
    request = pb.ListRepositoriesRequest(owner=f"{name}-a")
    one = access.ListRepositories(request)
    assert one == pb.ListRepositoriesResponse(repositories=[r for r in listed if r.owner == f"{name}-a"])
    assert access.ListRepositories(pb.ListRepositoriesRequest(owner="nobody")) == (
        pb.ListRepositoriesResponse()
    )


def test_a_user_comes_back_whole(server: Shipliftd, name: str) -> None:
    told = {"email": "mona@example.com", "avatar": "https://a/1.png", "machine": True, "admin": True}
    made = server.access().CreateUser(pb.CreateUserRequest(login=name, **told))  # type: ignore[arg-type]
    assert made == pb.User(
        **told,  # type: ignore[arg-type]
        id=made.id,
        login=name,
        created=made.created,
        updated=made.created,
    )
    assert is_now(made.created)
    token = server.access().CreateToken(pb.CreateTokenRequest(login=name)).secret
    assert server.access(token).WhoAmI(pb.WhoAmIRequest()).user == made


def test_a_user_is_a_person_without_rights_unless_told_otherwise(server: Shipliftd, name: str) -> None:
    made = server.access().CreateUser(pb.CreateUserRequest(login=name))
    assert made == pb.User(id=made.id, login=name, created=made.created, updated=made.created)


def test_a_login_is_taken_once(server: Shipliftd, name: str) -> None:
    access = server.access()
    access.CreateUser(pb.CreateUserRequest(login=name))
    assert refusal(access.CreateUser, pb.CreateUserRequest(login=name, admin=True)) == Refusal(
        grpc.StatusCode.ALREADY_EXISTS, f"user {name} exists already", "ALREADY_EXISTS"
    )


def test_all_faults_of_a_user_are_told_together(server: Shipliftd) -> None:
    request = pb.CreateUserRequest(login="..", email="e" * 255, avatar="\0", request_id="é")
    assert refusal(server.access().CreateUser, request) == invalid(
        ("login", f"'..' {NAME}"),
        ("email", "has 255 characters: at most 254 are taken"),
        ("avatar", "has a NUL character: leave it out"),
        ("request_id", "'é': wanted 1 to 128 printable ASCII characters"),
    )


def test_a_repeated_user_is_replayed(server: Shipliftd, name: str) -> None:
    access = server.access()
    request = pb.CreateUserRequest(login=name, request_id=name)
    made = access.CreateUser(request)
    again, call = access.CreateUser.with_call(request)
    assert (again, replayed(call)) == (made, True)
    request.admin = True
    assert refusal(access.CreateUser, request) == taken_request_id(name, "CreateUser")


def grants(repository: Repository, repo: str = "", **page: object) -> pb.ListAccessResponse:
    request = pb.ListAccessRequest(owner=repository.owner, repo=repo or repository.name, **page)  # type: ignore[arg-type]
    return repository.server.access().ListAccess(request)


def test_a_grant_is_given_changed_and_taken_back(repository: Repository) -> None:
    access = repository.server.access()
    login = f"mona-{repository.name}"
    access.CreateUser(pb.CreateUserRequest(login=login))
    where = {"owner": repository.owner, "repo": repository.name, "login": login}

    given = access.GrantAccess(pb.GrantAccessRequest(**where, level=pb.ACCESS_LEVEL_READ))
    assert given == pb.Grant(
        **where, id=given.id, level=pb.ACCESS_LEVEL_READ, created=given.created, updated=given.created
    )
    assert is_now(given.created)
    assert grants(repository) == pb.ListAccessResponse(grants=[given])

    raised = access.GrantAccess(pb.GrantAccessRequest(**where, level=pb.ACCESS_LEVEL_ADMIN))
    assert raised == pb.Grant(
        **where, id=given.id, level=pb.ACCESS_LEVEL_ADMIN, created=given.created, updated=raised.updated
    )
    # Giving what is there changes nothing.
    assert access.GrantAccess(pb.GrantAccessRequest(**where, level=pb.ACCESS_LEVEL_ADMIN)) == raised

    taken = access.RevokeAccess(pb.RevokeAccessRequest(**where))
    assert taken == pb.Grant(**where, id=given.id, created=given.created, updated=taken.updated)
    assert access.RevokeAccess(pb.RevokeAccessRequest(**where)) == taken
    assert grants(repository) == pb.ListAccessResponse()

    back = access.GrantAccess(pb.GrantAccessRequest(**where, level=pb.ACCESS_LEVEL_WRITE))
    assert (back.id, back.level, back.created) == (given.id, pb.ACCESS_LEVEL_WRITE, given.created)


def test_taking_back_what_was_never_given_changes_nothing(repository: Repository) -> None:
    access = repository.server.access()
    login = f"mona-{repository.name}"
    access.CreateUser(pb.CreateUserRequest(login=login))
    request = pb.RevokeAccessRequest(owner=repository.owner, repo=repository.name, login=login)
    taken = access.RevokeAccess(request)
    assert (taken.login, taken.owner, taken.repo, taken.level) == (
        login,
        repository.owner,
        repository.name,
        pb.ACCESS_LEVEL_UNSPECIFIED,
    )
    assert grants(repository) == pb.ListAccessResponse()


def test_a_grant_to_nobody_is_refused(repository: Repository) -> None:
    access = repository.server.access()
    where = {"owner": repository.owner, "repo": repository.name, "login": "nobody-here"}
    unknown = Refusal(
        grpc.StatusCode.NOT_FOUND, "user nobody-here not found: a site admin can create one", "NO_USER"
    )
    assert (
        refusal(access.GrantAccess, pb.GrantAccessRequest(**where, level=pb.ACCESS_LEVEL_READ)) == unknown
    )
    assert refusal(access.RevokeAccess, pb.RevokeAccessRequest(**where)) == unknown


@pytest.mark.parametrize(
    "level",
    [
        pb.ACCESS_LEVEL_UNSPECIFIED,
        pb.ACCESS_LEVEL_ANYONE,
        pb.ACCESS_LEVEL_USER,
        pb.ACCESS_LEVEL_SITE_ADMIN,
        pb.ACCESS_LEVEL_RUNNER,
        8,
        -1,
    ],
)
def test_a_level_that_is_no_grants_is_refused(repository: Repository, level: pb.AccessLevel) -> None:
    request = pb.GrantAccessRequest(
        owner=repository.owner, repo=repository.name, login="admin", level=level
    )
    assert refusal(repository.server.access().GrantAccess, request) == invalid(
        (
            "level",
            f"{level} is not allowed here: wanted one of ACCESS_LEVEL_READ, ACCESS_LEVEL_WRITE,"
            " ACCESS_LEVEL_ADMIN",
        )
    )


def test_grants_are_listed_by_login_with_those_of_the_owner(server: Shipliftd, name: str) -> None:
    access = server.access()
    owner = f"owner-{name}"
    for repo in ("app", "other"):
        access.CreateRepository(pb.CreateRepositoryRequest(owner=owner, repo=repo))
    repository = Repository(server, owner, "app")
    made: dict[tuple[str, str], pb.Grant] = {}
    for login, repo in (("c", "*"), ("a", "app"), ("c", "app"), ("b", "other"), ("b", "*")):
        if login not in {who for who, _ in made}:
            access.CreateUser(pb.CreateUserRequest(login=f"{name}-{login}"))
        made[login, repo] = access.GrantAccess(
            pb.GrantAccessRequest(
                owner=owner, repo=repo, login=f"{name}-{login}", level=pb.ACCESS_LEVEL_READ
            )
        )
    listed = [made["a", "app"], made["b", "*"], made["c", "*"], made["c", "app"]]
    assert grants(repository) == pb.ListAccessResponse(grants=listed)
    assert grants(repository, "*") == pb.ListAccessResponse(grants=[made["b", "*"], made["c", "*"]])

    first = grants(repository, page_size=3)
    assert list(first.grants) == listed[:3]
    rest = grants(repository, page_size=3, page_token=first.next_page_token)
    assert rest == pb.ListAccessResponse(grants=listed[3:])


def test_a_grant_on_all_of_an_owners_counts_for_repositories_to_come(server: Shipliftd, name: str) -> None:
    access = server.access()
    token = server.user(f"mona-{name}", f"owner-{name}/*", pb.ACCESS_LEVEL_WRITE)
    access.CreateRepository(pb.CreateRepositoryRequest(owner=f"owner-{name}", repo="later"))
    access.CreateRepository(pb.CreateRepositoryRequest(owner=f"owner-{name}s", repo="other"))
    assert Repository(server, f"owner-{name}", "later", token).record().trigger == f"mona-{name}"
    other = Repository(server, f"owner-{name}s", "other", token)
    assert refusal(other.record).code == grpc.StatusCode.NOT_FOUND


def test_the_higher_of_two_grants_counts(server: Shipliftd, name: str) -> None:
    access = server.access()
    for repo in ("a", "b"):
        access.CreateRepository(pb.CreateRepositoryRequest(owner=f"owner-{name}", repo=repo))
    login = f"mona-{name}"
    token = server.user(login, f"owner-{name}/*", pb.ACCESS_LEVEL_WRITE)
    for repo, level in (("a", pb.ACCESS_LEVEL_READ), ("b", pb.ACCESS_LEVEL_ADMIN)):
        access.GrantAccess(
            pb.GrantAccessRequest(owner=f"owner-{name}", repo=repo, login=login, level=level)
        )
    mine = server.access(token).ListRepositories(pb.ListRepositoriesRequest(owner=f"owner-{name}"))
    assert [(r.name, r.permissions.write, r.permissions.admin) for r in mine.repositories] == [
        ("a", True, False),
        ("b", True, True),
    ]


def test_an_owners_admin_makes_repositories_and_has_them(server: Shipliftd, name: str) -> None:
    token = server.user(f"boss-{name}", f"owner-{name}/*", pb.ACCESS_LEVEL_ADMIN)
    access = server.access(token)
    made = access.CreateRepository(pb.CreateRepositoryRequest(owner=f"owner-{name}", repo="app"))
    me = access.WhoAmI(pb.WhoAmIRequest()).user
    assert (made.user_id, made.permissions) == (me.id, pb.Permissions(read=True, write=True, admin=True))
    assert Repository(server, f"owner-{name}", "app", token).record(number=7).number == 7


def test_a_repeated_grant_is_replayed_and_gives_nothing_back(repository: Repository) -> None:
    access = repository.server.access()
    login = f"mona-{repository.name}"
    access.CreateUser(pb.CreateUserRequest(login=login))
    where = {"owner": repository.owner, "repo": repository.name, "login": login}
    request = pb.GrantAccessRequest(**where, level=pb.ACCESS_LEVEL_WRITE, request_id=repository.name)
    access.GrantAccess(request)
    taken = access.RevokeAccess(pb.RevokeAccessRequest(**where, request_id=repository.name))
    # A late repeat of the grant must not undo what came after it.
    again, call = access.GrantAccess.with_call(request)
    assert (again, replayed(call)) == (taken, True)
    assert grants(repository) == pb.ListAccessResponse()
    request.level = pb.ACCESS_LEVEL_READ
    assert refusal(access.GrantAccess, request) == taken_request_id(repository.name, "GrantAccess")
