"""PromoteBuild: a recorded build goes to an environment."""

from datetime import UTC, datetime, timedelta

import grpc
import grpc.aio
import pytest
from google.protobuf.json_format import ParseDict
from google.protobuf.timestamp_pb2 import Timestamp
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb

from tests.support.demo import BUILD, STAGE
from tests.support.refusals import BAD_TARGET, Refusal, invalid, refusal
from tests.support.repository import Repository


def repo_id(repository: Repository) -> int:
    request = access_pb2.GetRepositoryRequest(owner=repository.owner, repo=repository.name)
    return repository.server.access().GetRepository(request).id


def aborted(message: str, violation: str) -> Refusal:
    violations = (("expected_current", violation),)
    return Refusal(grpc.StatusCode.ABORTED, message, "UNEXPECTED_CURRENT", violations)


def test_the_contracts_build_is_promoted(repository: Repository) -> None:
    build, stage = ParseDict(BUILD, pb.CreateBuildRequest()), ParseDict(STAGE, pb.StageSpec())
    build.MergeFrom(
        repository.recording(number=41, status=pb.BUILD_STATUS_SUCCESS, params={"REGION": "us", "A": "1"})
    )
    build.stages.append(stage)
    recorded = repository.builds.CreateBuild(build)
    writer = repository.of(f"octocat-{repository.name}", access_pb2.ACCESS_LEVEL_WRITE)

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
        status=pb.BUILD_STATUS_PENDING,
        event=pb.BUILD_EVENT_PROMOTE,
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
                status=pb.BUILD_STATUS_PENDING,
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
        event=pb.BUILD_EVENT_PULL_REQUEST,
        status=pb.BUILD_STATUS_FAILURE,
        started=Timestamp(seconds=1_500_000_000),
        finished=Timestamp(seconds=1_500_000_100),
    )
    promoted = repository.promote(1, "staging")
    stage = promoted.stages[0]
    assert promoted == pb.Build(
        **copied,  # type: ignore[arg-type]
        waiting_for=promoted.waiting_for,
        id=promoted.id,
        repo_id=promoted.repo_id,
        owner=repository.owner,
        repo=repository.name,
        number=2,
        parent=1,
        origin=1,
        status=pb.BUILD_STATUS_PENDING,
        event=pb.BUILD_EVENT_PROMOTE,
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
                on_failure=True,
                labels={"zone": "a"},
            ),
            pb.StageSpec(
                name="roll out", kind="external", depends_on=["build"], on_success=False, on_failure=True
            ),
        ]
    )
    repository.report(1, pb.BUILD_STATUS_RUNNING, message="going", link="https://ci/1")
    repository.report(1, pb.BUILD_STATUS_FAILURE, message="broke")
    promoted = repository.promote(1)
    fresh = {
        "repo_id": promoted.repo_id,
        "build_id": promoted.id,
        "status": pb.BUILD_STATUS_PENDING,
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
        on_success=True,
        on_failure=True,
        labels={"zone": "a"},
    )
    assert second == pb.Stage(
        **fresh | {"status": pb.BUILD_STATUS_WAITING_ON_DEPENDENCIES},  # type: ignore[arg-type]
        id=second.id,
        number=2,
        name="roll out",
        kind="external",
        on_failure=True,
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
                status=pb.BUILD_STATUS_PENDING,
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
    assert repository.numbers(environment=target) == [2]


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
    repository.report(2, pb.BUILD_STATUS_SUCCESS)
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


@pytest.mark.parametrize("end", [pb.BUILD_STATUS_FAILURE, pb.BUILD_STATUS_ERROR, pb.BUILD_STATUS_KILLED])
def test_a_promotion_that_did_not_succeed_leaves_the_current_one(
    repository: Repository, end: pb.BuildStatus
) -> None:
    repository.record()
    repository.promote(1)
    repository.report(2, pb.BUILD_STATUS_SUCCESS)
    repository.promote(1)
    repository.report(3, end)
    assert repository.promote(1, expected_current=2).number == 4


def test_an_older_promotion_that_succeeds_later_becomes_current(repository: Repository) -> None:
    repository.record()
    repository.promote(1)
    repository.promote(1)
    repository.report(3, pb.BUILD_STATUS_SUCCESS)
    repository.report(2, pb.BUILD_STATUS_SUCCESS)
    assert refusal(repository.promote, 1, expected_current=3) == aborted(
        "build 2 is current in production, expected was build 3: look at what is there,"
        " then promote with expected_current 2",
        "2 is current in production",
    )


def test_environments_differ_in_case(repository: Repository) -> None:
    repository.record()
    repository.promote(1, "production")
    repository.report(2, pb.BUILD_STATUS_SUCCESS)
    assert repository.promote(1, "Production", expected_current=0).number == 3
