"""ListDeployments, GetDeployment and SettleEnvironment: what is where."""

from typing import Any

import grpc
import pytest
from shiplift.v1 import access_pb2, stages_pb2
from shiplift.v1 import builds_pb2 as api
from shiplift.v1 import environments_pb2 as pb
from shiplift.v1.environments_pb2_grpc import EnvironmentServiceStub

from tests.support.patience import until
from tests.support.refusals import BAD_TARGET, Refusal, code_of, invalid, refusal
from tests.support.repository import Repository, replayed
from tests.support.ruled import declare
from tests.support.staged import ERROR, FAILURE, KILLED, RUNNING, SUCCESS, Staged, lose, stored

BAD_REQUEST_ID = "'ä': wanted 1 to 128 printable ASCII characters"
BAD_TOKEN = (
    "page_token",
    "is not one that this list gave out: take `next_page_token` of the page before, and leave the other"
    " fields as they were there",
)


@pytest.fixture
def staged(repository: Repository) -> Staged:
    """A repository of the test's own with its runner."""
    return Staged.of(repository)


def environments(repository: Repository) -> EnvironmentServiceStub:
    return EnvironmentServiceStub(repository.server.channel(repository.token))


def page(repository: Repository, **fields: Any) -> pb.ListDeploymentsResponse:  # noqa: ANN401
    return environments(repository).ListDeployments(pb.ListDeploymentsRequest(**fields))


def listed(repository: Repository, **fields: Any) -> list[pb.Deployment]:  # noqa: ANN401
    """What is where in the repository."""
    return list(page(repository, owner=repository.owner, repo=repository.name, **fields).deployments)


def settling(
    repository: Repository,
    build: int | None,
    environment: str = "production",
    **fields: Any,  # noqa: ANN401
) -> pb.SettleEnvironmentRequest:
    return pb.SettleEnvironmentRequest(
        owner=repository.owner, repo=repository.name, environment=environment, build=build, **fields
    )


def settle(repository: Repository, build: int | None, *args: str, **fields: Any) -> pb.Deployment:  # noqa: ANN401
    return environments(repository).SettleEnvironment(settling(repository, build, *args, **fields))


def short(repository: Repository, number: int) -> api.Build:
    """A build as lists have it."""
    found = {build.number: build for build in repository.page().builds}
    return found[number]


def in_flight(repository: Repository, number: int) -> api.Build:
    """The same, with what it waits for."""
    build = short(repository, number)
    build.waiting_for = repository.get(number).waiting_for
    return build


def test_where_nothing_went_nothing_is(repository: Repository) -> None:
    repository.record()
    assert listed(repository) == []


def test_what_is_where(staged: Staged) -> None:
    repository = staged.repository
    repository.record(params={"A": "1"})
    for target in ("staging", "production", "production"):
        repository.promote(1, target)
    repository.report(2, SUCCESS)
    repository.report(3, SUCCESS)
    of: dict[str, Any] = {"owner": repository.owner, "repo": repository.name}
    assert listed(repository) == [
        pb.Deployment(
            **of,
            environment="production",
            current=short(repository, 3),
            # It has not begun, and is on its way.
            in_flight=in_flight(repository, 4),
            latest=short(repository, 4),
        ),
        pb.Deployment(
            **of, environment="staging", current=short(repository, 2), latest=short(repository, 2)
        ),
    ]

    repository.report(4, RUNNING)
    repository.promote(1)
    repository.report(5, KILLED)
    # The newest has ended, and the one before it still runs.
    assert listed(repository, environment="production") == [
        pb.Deployment(
            **of,
            environment="production",
            current=short(repository, 3),
            in_flight=in_flight(repository, 4),
            latest=short(repository, 5),
        )
    ]


def test_one_is_what_stands_in_the_list(staged: Staged) -> None:
    repository = staged.repository
    staged.promoted({"name": "it"})
    where = {"owner": repository.owner, "repo": repository.name}
    get = environments(repository).GetDeployment
    assert [get(pb.GetDeploymentRequest(**where, environment="production"))] == listed(repository)
    never = refusal(get, pb.GetDeploymentRequest(**where, environment="staging"))
    assert never == Refusal(
        grpc.StatusCode.NOT_FOUND,
        f"nothing was promoted to 'staging' of {repository.slug} yet: ListDeployments shows what there is",
        "ENVIRONMENT_NOT_FOUND",
    )
    assert refusal(get, pb.GetDeploymentRequest(**where)).violations[0][0] == "environment"


def test_the_last_one_that_failed_is_told_with_its_step(staged: Staged) -> None:
    repository = staged.repository
    stage = staged.running({"name": "first"}, {"name": "deploy"}).stage.id
    deploy = repository.get(2).stages[1].id
    staged.runner.accept(deploy)
    steps = [
        stages_pb2.StepReport(number=1, name="may fail", status=FAILURE, errignore=True),
        stages_pb2.StepReport(number=2, name="migrate", status=FAILURE),
        stages_pb2.StepReport(number=3, name="never"),
    ]
    staged.runner.report(stage, SUCCESS)
    staged.runner.report(deploy, FAILURE, steps=steps)
    (failed,) = listed(repository)
    assert (failed.last_failed, failed.failed_step) == (short(repository, 2), "deploy/migrate")
    assert (failed.HasField("current"), failed.HasField("in_flight")) == (False, False)

    # Without a step that failed it is the stage alone.
    repository.promote(1)
    repository.report(3, ERROR)
    (failed,) = listed(repository)
    assert (failed.last_failed.number, failed.failed_step) == (3, "first")

    # What succeeds later makes it past.
    repository.promote(1)
    repository.report(4, SUCCESS)
    assert listed(repository) == [
        pb.Deployment(
            owner=repository.owner,
            repo=repository.name,
            environment="production",
            current=short(repository, 4),
            latest=short(repository, 4),
        )
    ]


def test_what_was_lost_is_uncertain_until_it_is_settled(staged: Staged) -> None:
    repository = staged.repository
    stage = staged.running().stage.id
    lose(repository.server, stage)

    def uncertain() -> pb.Deployment | None:
        (found,) = listed(repository)
        return found if found.HasField("uncertain") else None

    found = until(uncertain)
    lost = short(repository, 2)
    expected = pb.Deployment(
        owner=repository.owner,
        repo=repository.name,
        environment="production",
        last_failed=lost,
        latest=lost,
        failed_step="deploy",
        uncertain=pb.Uncertain(build=2, stage="deploy", machine="box", since=lost.finished),
    )
    assert found == expected

    expected.ClearField("uncertain")
    assert settle(repository, 0) == expected
    assert listed(repository) == [expected]
    expected.ClearField("last_failed")
    expected.ClearField("failed_step")
    expected.current.CopyFrom(lost)
    assert settle(repository, 2) == expected
    assert listed(repository) == [expected]


def test_a_person_says_what_is_there(staged: Staged) -> None:
    repository = staged.repository
    repository.record()
    for number in (2, 3):
        repository.promote(1)
        repository.report(number, SUCCESS)
    # By hand the older one was put back.
    assert settle(repository, 2).current == short(repository, 2)
    assert repository.promote(1, expected_current=2).number == 4
    # It cannot be told by whom: the builds themselves are as they were.
    assert repository.get(2).version == 2
    assert not settle(repository, 0).HasField("current")
    assert repository.promote(1, expected_current=0).number == 5


@pytest.mark.parametrize(
    ("build", "fields", "told"),
    [
        (None, {}, invalid(("build", "is not set: say which build is there, 0 for none"))),
        (-1, {}, invalid(("build", "is -1: wanted 0 or above"))),
        (2, {"environment": "a b"}, invalid(("environment", f"'a b' {BAD_TARGET}"))),
        (2, {"comment": "c" * 2001}, invalid(("comment", "has 2001 characters: at most 2000 are taken"))),
        (
            2,
            {"request_id": "ä"},
            invalid(("request_id", "'ä': wanted 1 to 128 printable ASCII characters")),
        ),
    ],
    ids=["unset", "negative", "environment", "comment", "request_id"],
)
def test_a_bad_word_of_what_is_there_is_refused(
    repository: Repository, build: int | None, fields: dict[str, Any], told: Refusal
) -> None:
    repository.record()
    repository.promote(1)
    fields = {"environment": "production", **fields}
    assert refusal(settle, repository, build, **fields) == told


def test_only_what_went_there_can_be_there(repository: Repository) -> None:
    repository.record()
    repository.promote(1, "staging")
    for number in (1, 2, 9):
        assert refusal(settle, repository, number) == Refusal(
            grpc.StatusCode.NOT_FOUND,
            f"nothing was promoted to 'production' of {repository.slug} yet: ListDeployments shows what"
            " there is",
            "ENVIRONMENT_NOT_FOUND",
        )
    repository.promote(1)
    for number in (1, 2, 9):
        assert refusal(settle, repository, number) == Refusal(
            grpc.StatusCode.NOT_FOUND,
            f"build {number} of {repository.slug} is no promotion to 'production': name one that is",
            "BUILD_NOT_FOUND",
        )
    assert [found.HasField("current") for found in listed(repository)] == [False, False]


def test_settling_needs_write_and_the_environment(repository: Repository, name: str) -> None:
    repository.record()
    repository.promote(1)
    reader = repository.of(f"reader-{name}", access_pb2.ACCESS_LEVEL_READ)
    assert code_of(settle, reader, 2) == grpc.StatusCode.PERMISSION_DENIED
    token = repository.server.user(
        f"writer-{name}", repository.slug, access_pb2.ACCESS_LEVEL_WRITE, environments=["staging"]
    )
    assert refusal(settle, repository.seen_by(token), 2).reason == "TOKEN_CUT_TO_ENVIRONMENTS"
    writer = repository.of(f"whole-{name}", access_pb2.ACCESS_LEVEL_WRITE)
    assert settle(writer, 2).current.number == 2


def test_a_repeated_settling_does_nothing_again(repository: Repository) -> None:
    repository.record()
    for _ in range(2):
        repository.promote(1)
    first = settle(repository, 2, request_id="r", comment="by hand")
    settle(repository, 3)
    answer, call = environments(repository).SettleEnvironment.with_call(
        settling(repository, 2, request_id="r", comment="by hand")
    )
    # As it stands now, and not as it was.
    assert (first.current.number, answer.current.number, replayed(call)) == (2, 3, True)
    assert refusal(settle, repository, 3, request_id="r").reason == "REQUEST_ID_TAKEN"


def test_what_is_neither_declared_nor_promoted_to_is_not_settled(repository: Repository) -> None:
    declare(repository)
    assert settle(repository, 0, request_id=f"of {repository.name}").declared
    environments(repository).DeleteEnvironment(
        pb.DeleteEnvironmentRequest(owner=repository.owner, repo=repository.name, environment="production")
    )
    # A repeat is told of what there is now.
    for request_id in ("", f"of {repository.name}"):
        found = refusal(settle, repository, 0, request_id=request_id)
        assert (found.code, found.reason) == (grpc.StatusCode.NOT_FOUND, "ENVIRONMENT_NOT_FOUND")
    assert listed(repository) == []


def test_the_audit_has_who_settled_and_why(repository: Repository) -> None:
    repository.record()
    repository.promote(1)
    settle(repository, 2, comment="kubectl says so")
    refusal(settle, repository, 9, comment="kubectl says so")
    ((environment,),) = stored(
        repository.server,
        "SELECT environments.id FROM environments JOIN repositories ON repositories.id = repo_id"
        " WHERE repositories.name = ?",
        repository.name,
    )
    rows = stored(
        repository.server,
        "SELECT login, owner, repo, resource_id, target, code, reason FROM audit JOIN users"
        " ON users.id = user_id WHERE method = 'SettleEnvironment' AND repo = ? ORDER BY audit.id",
        repository.name,
    )
    where = ("admin", repository.owner, repository.name)
    assert rows == [
        (*where, environment, "production", "OK", "kubectl says so"),
        (
            *where,
            0,
            "production",
            "NOT_FOUND",
            f"build 9 of {repository.slug} is no promotion to 'production': name one that is",
        ),
    ]


@pytest.fixture
def many(repository: Repository, name: str) -> list[Repository]:
    """Repositories of an owner of the test's own, each with three environments."""
    made = [Repository.make(repository.server, f"many-{name}", repo) for repo in ("b", "a", "c")]
    for each in made:
        each.record()
        for target in ("staging", "production", "Production"):
            each.promote(1, target)
    return made


def keys(deployments: Any) -> list[tuple[str, str]]:  # noqa: ANN401
    return [(found.repo, found.environment) for found in deployments]


ALL = [(repo, target) for repo in "abc" for target in ("Production", "production", "staging")]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 9])
def test_pages_come_in_order_and_miss_nothing(many: list[Repository], size: int) -> None:
    owner, token = many[0].owner, ""
    found: list[tuple[str, str]] = []
    for _ in range(len(ALL) + 1):
        answer = page(many[0], owner=owner, page_size=size, page_token=token)
        assert len(answer.deployments) <= size
        found += keys(answer.deployments)
        # What comes meanwhile shifts nothing.
        many[1].promote(1, "Production")
        token = answer.next_page_token
        if not token:
            break
    assert (found, token) == (ALL, "")


def test_a_list_can_be_of_one_environment(many: list[Repository]) -> None:
    answer = page(many[0], owner=many[0].owner, environment="production")
    assert keys(answer.deployments) == [(repo, "production") for repo in "abc"]
    assert keys(listed(many[0], environment="staging")) == [("b", "staging")]
    assert listed(many[0], environment="nowhere") == []


def test_a_token_is_of_its_own_list(many: list[Repository]) -> None:
    owner = many[0].owner
    token = page(many[0], owner=owner, page_size=2).next_page_token
    for fields in ({"owner": owner, "repo": "a"}, {}, {"owner": owner, "environment": "staging"}):
        assert refusal(page, many[0], page_token=token, **fields) == invalid(BAD_TOKEN)
    assert refusal(page, many[0], owner=owner, page_token="x" + token) == invalid(BAD_TOKEN)
    # Another size is let pass.
    assert keys(page(many[0], owner=owner, page_token=token).deployments) == ALL[2:]


def test_everybody_sees_what_they_may_read(many: list[Repository], name: str) -> None:
    owner = many[0].owner
    reader = many[0].of(f"reader-{name}", access_pb2.ACCESS_LEVEL_READ)
    assert {found.repo for found in page(reader, owner=owner).deployments} == {"b"}
    assert [found for found in page(reader).deployments if found.owner == owner] == listed(reader)
    hidden = refusal(page, reader, owner=owner, repo="a")
    assert hidden == Refusal(
        grpc.StatusCode.NOT_FOUND,
        f"repository {owner}/a not found: it does not exist, or you may not read it",
        "REPOSITORY_NOT_FOUND",
    )
    assert refusal(page, reader, owner=owner, repo="nothing").reason == hidden.reason
    stranger = many[0].of(f"stranger-{name}")
    assert list(page(stranger, owner=owner).deployments) == []
    request = access_pb2.CreateRepositoryRequest(
        owner=owner, repo="d", visibility=access_pb2.VISIBILITY_INTERNAL
    )
    many[0].server.access().CreateRepository(request)
    internal = Repository(many[0].server, owner, "d")
    internal.record()
    internal.promote(1)
    assert keys(page(stranger, owner=owner).deployments) == [("d", "production")]
    assert code_of(page, many[0].seen_by("")) == grpc.StatusCode.UNAUTHENTICATED
    token = many[0].server.user(
        f"cut-{name}", f"{owner}/b", access_pb2.ACCESS_LEVEL_READ, repositories=[f"{owner}/a"]
    )
    assert list(page(many[0].seen_by(token), owner=owner).deployments) == []


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"repo": "app"}, ("owner", "is empty: a repository is named by both")),
        ({"page_size": -1}, ("page_size", "is -1: wanted 1 or above, or 0 for 100")),
        ({"environment": "a b"}, ("environment", f"'a b' {BAD_TARGET}")),
    ],
    ids=str,
)
def test_a_bad_list_is_refused(
    repository: Repository, fields: dict[str, Any], fault: tuple[str, str]
) -> None:
    assert refusal(page, repository, **fields) == invalid(fault)


def test_what_came_into_an_environment_is_kept_in_its_order(repository: Repository) -> None:
    repository.record()
    for number in (2, 3):
        repository.promote(1)
        repository.report(number, SUCCESS)
    settle(repository, 0)
    settle(repository, 2)
    rows = stored(
        repository.server,
        "SELECT number, said_by FROM arrivals WHERE repo_id ="
        f" (SELECT repo_id FROM builds WHERE id = {repository.get(2).id}) ORDER BY id",
    )
    assert rows == [(2, ""), (3, ""), (0, "admin"), (2, "admin")]
    (found,) = listed(repository)
    assert found.current.number == 2
