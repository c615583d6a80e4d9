"""PromoteBuild: a recorded build goes to an environment."""

import asyncio
from datetime import UTC, datetime, timedelta

import grpc
import grpc.aio
import pytest
import uvloop
from google.protobuf.json_format import ParseDict
from google.protobuf.timestamp_pb2 import Timestamp
from shiplift.v1 import access_pb2, builds_pb2_grpc
from shiplift.v1 import builds_pb2 as pb

from tests.demo import BUILD, STAGE
from tests.refusals import Refusal, invalid, refusal
from tests.repository import Repository, replayed

BAD_TARGET = "is not an environment's name: wanted 1 to 100 of letters, digits, '.', '_', '-', '/'"


def repo_id(repository: Repository) -> int:
    request = access_pb2.GetRepositoryRequest(owner=repository.owner, repo=repository.name)
    return repository.server.access().GetRepository(request).id


def aborted(message: str, violation: str) -> Refusal:
    violations = (("expected_current", violation),)
    return Refusal(grpc.StatusCode.ABORTED, message, "UNEXPECTED_CURRENT", violations)


def test_the_contracts_build_is_promoted(repository: Repository) -> None:
    build, stage = ParseDict(BUILD, pb.CreateBuildRequest()), ParseDict(STAGE, pb.StageSpec())
    build.MergeFrom(
        repository.recording(number=41, status=pb.STATUS_SUCCESS, params={"REGION": "us", "A": "1"})
    )
    build.stages.append(stage)
    recorded = repository.builds.CreateBuild(build)
    writer = repository.of(f"octocat-{repository.name}", access_pb2.LEVEL_WRITE)

    begun = datetime.now(UTC)
    promoted = writer.promote(41, params={"REGION": "eu-west-1", "REPLICAS": "3"})
    ended = datetime.now(UTC)

    at = promoted.created
    assert begun - timedelta(milliseconds=1) <= at.ToDatetime(UTC) <= ended
    assert promoted.id > recorded.id
    assert promoted.stages[0].id > recorded.stages[0].id
    assert promoted == pb.Build(
        id=promoted.id,
        repo_id=repo_id(repository),
        owner=repository.owner,
        repo=repository.name,
        number=42,
        parent=41,
        origin=41,
        status=pb.STATUS_PENDING,
        event=pb.EVENT_PROMOTE,
        link="https://github.com/octoat/hello-world/compare/e3320539a4c0...9fc1ad6ebf12",
        message="updated README",
        before="e3320539a4c03ccfda992641646deb67d8bf98f3",
        after="9fc1ad6ebf12462f3f9773003e26b4c6f54a772e",
        ref="refs/heads/master",
        source_repo="spaceghost/hello-world",
        source="master",
        target="master",
        deploy_to="production",
        author_login="octocat",
        author_name="The Octocat",
        author_email="octocat@github.com",
        author_avatar="http://www.gravatar.com/avatar/7194e8d48fa1d2b689f99443b767316c",
        sender="bradrydzewski",
        trigger=f"octocat-{repository.name}",
        params={"REGION": "eu-west-1", "REPLICAS": "3", "A": "1"},
        created=at,
        updated=at,
        version=1,
        stages=[
            pb.Stage(
                id=promoted.stages[0].id,
                repo_id=promoted.repo_id,
                build_id=promoted.id,
                number=1,
                name="default",
                kind="pipeline",
                type="docker",
                status=pb.STATUS_PENDING,
                machine="15e89c0f84f1",
                os="linux",
                arch="amd64",
                created=at,
                updated=at,
                version=1,
                on_success=True,
                on_failure=False,
            )
        ],
    )
    assert repository.get(42) == promoted
    # The promoted build is left as it was.
    assert repository.get(41) == recorded


def test_a_promotion_has_what_its_parent_is_and_not_how_it_went(repository: Repository) -> None:
    copied = {
        "action": "synchronized",
        "link": "https://ci/1",
        "title": "a title",
        "message": "a message",
        "before": "00",
        "after": "ff",
        "ref": "refs/pull/7/head",
        "source_repo": "fork/app",
        "source": "feature",
        "target": "main",
        "author_login": "mona",
        "author_name": "Mona",
        "author_email": "mona@example.com",
        "author_avatar": "https://a/1.png",
        "sender": "hubot",
        "cron": "nightly",
        "release": "v1.4.2",
        "artifacts": [pb.Artifact(name="image", uri="oci://app", digest="sha256:9fc1")],
    }
    repository.record(
        **copied,
        external_id="jenkins/app#1043",
        event=pb.EVENT_PULL_REQUEST,
        status=pb.STATUS_FAILURE,
        started=Timestamp(seconds=1_500_000_000),
        finished=Timestamp(seconds=1_500_000_100),
    )
    promoted = repository.promote(1, "staging")
    stage = promoted.stages[0]
    assert promoted == pb.Build(
        **copied,  # type: ignore[arg-type]
        id=promoted.id,
        repo_id=promoted.repo_id,
        owner=repository.owner,
        repo=repository.name,
        number=2,
        parent=1,
        origin=1,
        status=pb.STATUS_PENDING,
        event=pb.EVENT_PROMOTE,
        deploy_to="staging",
        trigger="admin",
        created=promoted.created,
        updated=promoted.created,
        version=1,
        stages=[stage],
    )


def test_a_promotion_copies_nothing_that_the_contract_does_not_list(repository: Repository) -> None:
    repository.record(timestamp=Timestamp(seconds=1_500_000_000), debug=True)
    promoted = repository.promote(1)
    assert (promoted.HasField("timestamp"), promoted.debug) == (False, False)


def test_a_promotion_of_a_promotion_keeps_the_origin_and_inherits_its_parameters(
    repository: Repository,
) -> None:
    repository.record(params={"A": "recorded", "B": "recorded", "C": "recorded"})
    repository.record()
    repository.promote(1, "staging", params={"B": "staging", "C": "staging"})
    repository.promote(3, "canary", params={"C": "canary", "EMPTY": ""})
    repository.promote(4, "production")
    seen = [repository.get(number) for number in (3, 4, 5)]
    assert [(b.parent, b.origin, b.deploy_to, dict(b.params)) for b in seen] == [
        (1, 1, "staging", {"A": "recorded", "B": "staging", "C": "staging"}),
        (3, 1, "canary", {"A": "recorded", "B": "staging", "C": "canary", "EMPTY": ""}),
        (4, 1, "production", {"A": "recorded", "B": "staging", "C": "canary", "EMPTY": ""}),
    ]


def test_stages_are_copied_fresh(repository: Repository) -> None:
    repository.record(
        stages=[
            pb.StageSpec(
                name="build",
                type="exec",
                os="windows",
                arch="arm64",
                variant="v8",
                kernel="1909",
                machine="m1",
                errignore=True,
                limit=2,
                throttle=3,
                on_success=False,
                on_failure=True,
                labels={"zone": "a"},
            ),
            pb.StageSpec(name="roll out", kind="external", depends_on=["build"]),
        ]
    )
    repository.report(1, pb.STATUS_RUNNING, message="going", link="https://ci/1")
    repository.report(1, pb.STATUS_FAILURE, message="broke")
    promoted = repository.promote(1)
    fresh = {
        "repo_id": promoted.repo_id,
        "build_id": promoted.id,
        "status": pb.STATUS_PENDING,
        "created": promoted.created,
        "updated": promoted.created,
        "version": 1,
    }
    first, second = promoted.stages
    assert first.id < second.id
    assert first == pb.Stage(
        **fresh,  # type: ignore[arg-type]
        id=first.id,
        number=1,
        name="build",
        kind="pipeline",
        type="exec",
        os="windows",
        arch="arm64",
        variant="v8",
        kernel="1909",
        machine="m1",
        errignore=True,
        limit=2,
        throttle=3,
        on_failure=True,
        labels={"zone": "a"},
    )
    assert second == pb.Stage(
        **fresh,  # type: ignore[arg-type]
        id=second.id,
        number=2,
        name="roll out",
        kind="external",
        on_success=True,
        depends_on=["build"],
    )


def test_a_build_recorded_without_stages_has_one_for_a_deployer(repository: Repository) -> None:
    recorded = repository.record()
    promoted = repository.promote(1)
    for build in (recorded, promoted):
        assert list(build.stages) == [
            pb.Stage(
                id=build.stages[0].id,
                repo_id=build.repo_id,
                build_id=build.id,
                number=1,
                name="default",
                kind="external",
                status=pb.STATUS_PENDING,
                created=build.created,
                updated=build.created,
                version=1,
                on_success=True,
            )
        ]
    assert recorded.stages[0].id < promoted.stages[0].id


@pytest.mark.parametrize(
    "target",
    ["p", "x" * 100, "eu-west-1/prod_2.b", "/", "..", "-", "Production", "1"],
)
def test_a_target_is_taken_as_it_is(repository: Repository, target: str) -> None:
    repository.record()
    assert repository.promote(1, target).deploy_to == target
    assert repository.numbers(deploy_to=target) == [2]


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        (" production", "' production'"),
        ("production ", "'production '"),
        ("production\n", r"'production\n'"),
        ("a b", "'a b'"),
        ("x" * 101, f"'{'x' * 57}...'"),
        ("prod:1", "'prod:1'"),
        ("pröd", "'pröd'"),
        ("٣", "'٣'"),
        ("a\0b", r"'a\x00b'"),
        ("%00", "'%00'"),
        ("*", "'*'"),
    ],
)
def test_a_target_of_another_form_is_refused(repository: Repository, target: str, shown: str) -> None:
    repository.record()
    assert refusal(repository.promote, 1, target) == invalid(("target", f"{shown} {BAD_TARGET}"))
    assert repository.numbers() == [1]


def test_an_empty_target_is_refused_with_what_to_do(repository: Repository) -> None:
    repository.record()
    assert refusal(repository.promote, 1, "") == invalid(
        ("target", "is empty: name the environment to promote to, such as 'production'")
    )


def test_all_faults_of_a_promotion_are_reported_together(repository: Repository) -> None:
    repository.record()
    told = refusal(repository.promote, -1, "a b", params={"PATH": "x"}, expected_current=-5, request_id="ä")
    assert sorted(told.violations) == [
        ("build", "is -1: wanted 1 or above"),
        ("expected_current", "is -5: wanted 0 or above"),
        (
            "params['PATH']",
            "this name is refused, because a runner, a shell or a language obeys it: choose another",
        ),
        ("request_id", "'ä': wanted 1 to 128 printable ASCII characters"),
        ("target", f"'a b' {BAD_TARGET}"),
    ]
    assert told == invalid(*told.violations)


def test_a_build_that_is_not_there_is_not_found(repository: Repository) -> None:
    repository.record()
    assert refusal(repository.promote, 7) == Refusal(
        grpc.StatusCode.NOT_FOUND,
        f"build 7 of {repository.slug} not found: ListBuilds shows those there are",
        "BUILD_NOT_FOUND",
    )
    # A refused promotion takes no number.
    assert repository.promote(1).number == 2


def test_a_promotion_may_demand_what_is_current(repository: Repository) -> None:
    repository.record()
    repository.promote(1, expected_current=0)
    # Only what has succeeded is in the environment.
    repository.promote(1, expected_current=0)
    repository.report(2, pb.STATUS_SUCCESS)
    assert refusal(repository.promote, 1, expected_current=0) == aborted(
        "build 2 is current in production, expected was nothing: look at what is there,"
        " then promote with expected_current 2",
        "2 is current in production",
    )
    assert refusal(repository.promote, 1, expected_current=3) == aborted(
        "build 2 is current in production, expected was build 3: look at what is there,"
        " then promote with expected_current 2",
        "2 is current in production",
    )
    assert refusal(repository.promote, 1, "staging", expected_current=2) == aborted(
        "staging is empty, expected was build 2: look at what is there, then promote with"
        " expected_current 0",
        "0 is current in staging",
    )
    assert repository.promote(1, expected_current=2).number == 4
    assert repository.promote(1, "staging", expected_current=0).number == 5
    # Whoever demands nothing is let through.
    assert repository.promote(1).number == 6


@pytest.mark.parametrize("end", [pb.STATUS_FAILURE, pb.STATUS_ERROR, pb.STATUS_KILLED])
def test_a_promotion_that_did_not_succeed_leaves_the_current_one(
    repository: Repository, end: pb.Status
) -> None:
    repository.record()
    repository.promote(1)
    repository.report(2, pb.STATUS_SUCCESS)
    repository.promote(1)
    repository.report(3, end)
    assert repository.promote(1, expected_current=2).number == 4


def test_an_older_promotion_that_succeeds_later_becomes_current(repository: Repository) -> None:
    repository.record()
    repository.promote(1)
    repository.promote(1)
    repository.report(3, pb.STATUS_SUCCESS)
    repository.report(2, pb.STATUS_SUCCESS)
    assert refusal(repository.promote, 1, expected_current=3) == aborted(
        "build 2 is current in production, expected was build 3: look at what is there,"
        " then promote with expected_current 2",
        "2 is current in production",
    )


def test_environments_differ_in_case(repository: Repository) -> None:
    repository.record()
    repository.promote(1, "production")
    repository.report(2, pb.STATUS_SUCCESS)
    assert repository.promote(1, "Production", expected_current=0).number == 3


def test_a_repeated_request_id_returns_the_promotion_as_it_stands_now(repository: Repository) -> None:
    repository.record()
    request = repository.promotion(1, params={"B": "2", "A": "1"}, request_id=f"an id ~ {repository.name}")
    first, call = repository.builds.PromoteBuild.with_call(request)
    assert not replayed(call)
    again, call = repository.builds.PromoteBuild.with_call(request)
    assert (again, replayed(call)) == (first, True)

    now = repository.report(2, pb.STATUS_RUNNING, message="rolling out")
    again, call = repository.builds.PromoteBuild.with_call(request)
    assert (again, replayed(call)) == (now, True)
    assert repository.numbers() == [2, 1]


def test_a_repeated_request_id_asks_for_no_expected_current(repository: Repository) -> None:
    repository.record()
    first = repository.promote(1, expected_current=0, request_id=repository.name)
    done = repository.report(2, pb.STATUS_SUCCESS)
    assert repository.promote(1, expected_current=0, request_id=repository.name) == done
    assert done.number == first.number


@pytest.mark.parametrize(
    "changed",
    [
        {"build": 2},
        {"target": "staging"},
        {"params": {"A": "2"}},
        {"params": {}},
        {"params": {"A": "1", "B": ""}},
        {"expected_current": 0},
    ],
    ids=str,
)
def test_a_request_id_with_another_body_is_refused(
    repository: Repository, changed: dict[str, object]
) -> None:
    repository.record()
    repository.record()
    body: dict[str, object] = {"build": 1, "target": "production", "params": {"A": "1"}}
    repository.promote(**body, request_id=repository.name)  # type: ignore[arg-type]
    assert refusal(repository.promote, **{**body, **changed}, request_id=repository.name) == Refusal(  # type: ignore[arg-type]
        grpc.StatusCode.ALREADY_EXISTS,
        f"request_id '{repository.name}' was used for another PromoteBuild: use a new one for a new"
        " request, and the old one only to repeat it unchanged",
        "REQUEST_ID_TAKEN",
    )
    assert repository.numbers() == [3, 2, 1]


def test_request_ids_are_a_users_own_and_a_methods_own(repository: Repository) -> None:
    other = repository.of(f"other-{repository.name}", access_pb2.LEVEL_WRITE)
    answers = [
        repository.record(request_id=repository.name),
        repository.promote(1, request_id=repository.name),
        other.record(request_id=repository.name),
        other.promote(1, request_id=repository.name),
    ]
    assert [(build.number, build.trigger) for build in answers] == [
        (1, "admin"),
        (2, "admin"),
        (3, f"other-{repository.name}"),
        (4, f"other-{repository.name}"),
    ]


def test_a_failed_call_keeps_no_request_id(repository: Repository) -> None:
    assert refusal(repository.promote, 1, request_id=repository.name).code == grpc.StatusCode.NOT_FOUND
    repository.record()
    assert (
        refusal(repository.promote, 1, "a b", request_id=repository.name).code
        == grpc.StatusCode.INVALID_ARGUMENT
    )
    assert repository.promote(1, request_id=repository.name).number == 2


def test_who_has_lost_access_gets_nothing_for_a_repeated_request_id(repository: Repository) -> None:
    login = f"leaver-{repository.name}"
    leaver = repository.of(login, access_pb2.LEVEL_WRITE)
    repository.record()
    leaver.promote(1, request_id=repository.name)
    repository.server.access().RevokeAccess(
        access_pb2.RevokeAccessRequest(owner=repository.owner, repo=repository.name, login=login)
    )
    assert refusal(leaver.promote, 1, request_id=repository.name).code == grpc.StatusCode.NOT_FOUND


def test_a_repeated_request_id_does_not_lead_out_of_a_tokens_environments(repository: Repository) -> None:
    login = f"owner-{repository.name}"
    whole = repository.of(login, access_pb2.LEVEL_WRITE)
    repository.record()
    whole.promote(1, "production", request_id=repository.name)
    staging = repository.server.access(whole.token).CreateToken(
        access_pb2.CreateTokenRequest(environments=["staging"], actions=[access_pb2.ACTION_PROMOTE])
    )
    cut = repository.seen_by(staging.secret)
    assert (
        refusal(cut.promote, 1, "production", request_id=repository.name).code
        == grpc.StatusCode.PERMISSION_DENIED
    )


@pytest.mark.parametrize("request_id", ["x" * 129, "ü", "a\nb", "\x7f", "a\0"])
def test_a_request_id_of_another_form_is_refused(repository: Repository, request_id: str) -> None:
    repository.record()
    told = refusal(repository.promote, 1, request_id=request_id)
    shown = repr(request_id if len(request_id) <= 60 else request_id[:57] + "...")
    assert told == invalid(("request_id", f"{shown}: wanted 1 to 128 printable ASCII characters"))
    assert repository.numbers() == [1]


def test_the_longest_request_id_is_taken(repository: Repository) -> None:
    repository.record()
    longest = repository.name.ljust(128, "~")
    assert repository.promote(1, request_id=longest) == repository.promote(1, request_id=longest)


def together(repository: Repository, calls: list[list[pb.PromoteRequest]]) -> list[tuple[pb.Build, bool]]:
    """Every caller's promotions, one after the other; all callers at once."""
    metadata = (("authorization", f"Bearer {repository.server.admin_token}"),)

    async def caller(
        builds: "builds_pb2_grpc.BuildServiceAsyncStub", requests: list[pb.PromoteRequest]
    ) -> list[tuple[pb.Build, bool]]:
        answers = []
        for request in requests:
            call = builds.PromoteBuild(request, metadata=metadata, timeout=60)
            build = await call
            trailers = tuple(await call.trailing_metadata() or ())
            answers.append((build, ("shiplift-replayed", "true") in trailers))
        return answers

    async def all_of_them() -> list[list[tuple[pb.Build, bool]]]:
        async with grpc.aio.insecure_channel(repository.server.address) as channel:
            builds = builds_pb2_grpc.BuildServiceStub(channel)
            return await asyncio.gather(*(caller(builds, requests) for requests in calls))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return [answer for answers in runner.run(all_of_them()) for answer in answers]


def test_64_callers_with_one_request_id_get_one_build(repository: Repository) -> None:
    repository.record()
    request = repository.promotion(1, params={"A": "1"}, request_id=repository.name)
    answers = together(repository, [[request] for _ in range(64)])
    assert [build for build, _ in answers] == [repository.get(2)] * 64
    assert sorted(replay for _, replay in answers) == [False] + [True] * 63
    assert repository.numbers() == [2, 1]


def test_64_callers_with_50_promotions_each_get_every_number_once(repository: Repository) -> None:
    repository.record()
    calls = [
        [
            repository.promotion(1, params={"WHO": f"{who}.{n}"}, request_id=f"{repository.name} {who}.{n}")
            for n in range(50)
        ]
        for who in range(64)
    ]
    answers = together(repository, calls)
    assert sorted(build.number for build, _ in answers) == list(range(2, 3202))
    assert {build.params["WHO"] for build, _ in answers} == {
        f"{who}.{n}" for who in range(64) for n in range(50)
    }
    assert not any(replay for _, replay in answers)
    assert repository.promote(1).number == 3202
