"""What a promotion needs and the server may not have: secrets are refused, a missing URL is told."""

from typing import Any

import grpc
import pytest
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as api
from shiplift.v1 import secrets_pb2 as pb

from tests.support.harness import Shipliftd
from tests.support.refusals import Refusal, refusal
from tests.support.repository import COMMIT, Repository, change
from tests.support.staged import SUCCESS, pipelines

FROM = {"from_secret": "token"}


def missing(slug: str, told: str, *wanted: tuple[str, str]) -> Refusal:
    message = (
        f"secrets are wanted that there are not: {told}. An admin of {slug} can set each: shiplift secret"
        f" set NAME -R {slug}. Where its runners bring them, they can say so: shiplift repo set {slug}"
        " --runner-secrets"
    )
    violations = tuple((name, f"is wanted by {where}") for name, where in wanted)
    return Refusal(grpc.StatusCode.FAILED_PRECONDITION, message, "SECRETS_MISSING", violations)


def step(**fields: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"name": "deploy", "commands": ["./deploy"], **fields}


STEP, PIPELINE = "step deploy of pipeline default", "pipeline default"


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ({"steps": [step(environment={"KEY": FROM})]}, STEP),
        ({"type": "docker", "steps": [step(settings={"key": FROM})]}, STEP),
        ({"type": "docker", "steps": [step(settings={"to": [{"key": FROM}]})]}, STEP),
        (
            {"steps": [step(name="first"), step(environment={"KEY": FROM}, when={"status": ["failure"]})]},
            STEP,
        ),
        ({"steps": [step(environment={"KEY": FROM}, when={"target": "prod*"})]}, STEP),
        ({"environment": {"KEY": FROM}, "steps": [step()]}, PIPELINE),
        (
            {"type": "docker", "steps": [step()], "services": [{"name": "db", "environment": {"P": FROM}}]},
            PIPELINE,
        ),
        ({"type": "ssh", "server": {"host": "h", "ssh_key": FROM}, "steps": [step()]}, PIPELINE),
        ({"type": "docker", "image_pull_secrets": ["token"], "steps": [step()]}, PIPELINE),
    ],
)
def test_a_promotion_that_wants_a_secret_is_refused(
    repository: Repository, document: dict[str, Any], where: str
) -> None:
    repository.record(pipeline=pipelines({"clone": {"disable": True}, **document}), status=SUCCESS)
    told = missing(repository.slug, f"'token' by {where}", ("token", where))
    assert refusal(repository.promote, 1) == told
    assert repository.numbers() == [1]
    change(repository, runner_secrets=True)
    assert repository.promote(1).number == 2
    change(repository, runner_secrets=False)
    repository.report(2, SUCCESS)
    retry = api.RetryBuildRequest(owner=repository.owner, repo=repository.name, build=2)
    assert refusal(repository.builds.RetryBuild, retry) == told


@pytest.mark.parametrize(
    "document",
    [
        {"steps": [step(), step(name="other", environment={"KEY": FROM}, when={"target": "staging"})]},
        {
            "steps": [step(), step(name="other", settings={"KEY": FROM}, when={"event": "push"})],
            "type": "docker",
        },
        {"steps": [step()], "x-shared": {"environment": {"KEY": FROM}}},
        {"steps": [step(environment={"from_secret": "token"})]},
    ],
)
def test_a_secret_that_nothing_would_use_is_not_missed(
    repository: Repository, document: dict[str, Any]
) -> None:
    other = {"name": "staging", "trigger": {"target": "staging"}, "environment": {"KEY": FROM}}
    text = pipelines({"clone": {"disable": True}, **document}, {**other, "steps": [step()]})
    repository.record(pipeline=text, status=SUCCESS)
    assert list(repository.promote(1).warnings) == []
    assert refusal(repository.promote, 1, "staging").reason == "SECRETS_MISSING"


def test_every_secret_is_told_with_what_wants_it(repository: Repository) -> None:
    text = pipelines(
        {
            "name": "a",
            "steps": [step(environment={"A": FROM, "B": {"from_secret": "key"}}), step(name="two")],
        },
        {"name": "b", "environment": {"A": FROM}, "steps": [step()]},
    )
    repository.record(pipeline=text, status=SUCCESS)
    token, key = "step deploy of pipeline a, pipeline b", "step deploy of pipeline a"
    assert refusal(repository.promote, 1) == missing(
        repository.slug, f"'token' by {token}; 'key' by {key}", ("token", token), ("key", key)
    )


def test_of_many_secrets_the_first_are_told(repository: Repository) -> None:
    many = {f"N{n}": {"from_secret": f"secret{n}"} for n in range(12)}
    repository.record(pipeline=pipelines({"steps": [step(environment=many)]}), status=SUCCESS)
    told = refusal(repository.promote, 1)
    assert (told.reason, "'secret9' by" in told.message, "'secret10'" in told.message) == (
        "SECRETS_MISSING",
        True,
        False,
    )
    assert "; and 2 more. An admin of" in told.message


def test_a_build_that_is_recorded_is_tried_again_by_the_same_rule(repository: Repository) -> None:
    text = pipelines(
        {"name": "test", "trigger": {"event": "push"}, "steps": [step(environment={"A": FROM})]}
    )
    repository.record(pipeline=text, status=SUCCESS)
    retry = api.RetryBuildRequest(owner=repository.owner, repo=repository.name, build=1)
    assert refusal(repository.builds.RetryBuild, retry).reason == "SECRETS_MISSING"


def test_a_promotion_with_nothing_to_clone_from_says_so(repository: Repository) -> None:
    text = pipelines(
        {"name": "build"},
        {"name": "deploy"},
        {"name": "notify", "clone": {"disable": True}},
        {"name": "elsewhere", "trigger": {"target": "staging"}},
    )
    repository.record(pipeline=text, status=SUCCESS)
    warning = (
        "the repository is cloned by build, deploy, and nobody has said from where: shiplift repo set"
        f" {repository.slug} --git-url URL, or clone: {{disable: true}} in the pipeline file"
    )
    assert list(repository.promote(1).warnings) == [warning]
    assert list(repository.get(2).warnings) == [warning]
    change(repository, git_http_url="https://git.example/app.git")
    assert list(repository.promote(1).warnings) == []
    # Drone's clone knows no other.
    change(repository, "git_http_url", git_ssh_url="git@git.example:app.git")
    assert list(repository.promote(1).warnings) == [warning]


def test_what_a_deployer_takes_clones_nothing(repository: Repository) -> None:
    repository.record(status=SUCCESS)
    assert list(repository.promote(1).warnings) == []


def test_a_build_that_somebody_asks_for_needs_the_same(repository: Repository) -> None:
    file = pipelines({"trigger": {"event": "custom"}, "steps": [step(environment={"KEY": FROM})]})
    repository.record(pipeline=file, status=SUCCESS, target="main", ref="refs/heads/main")
    told = missing(repository.slug, f"'token' by {STEP}", ("token", STEP))
    asked = {"run": True, "event": api.BUILD_EVENT_CUSTOM, "target": "main"}
    assert refusal(repository.record, **asked) == told
    assert repository.numbers() == [1]
    change(repository, runner_secrets=True)
    (warning,) = repository.record(**asked).warnings
    assert warning.startswith("the repository is cloned by default, and nobody has said from where: ")


def setting(repository: Repository, **fields: Any) -> pb.SetSecretRequest:  # noqa: ANN401
    where = {"owner": repository.owner, "repo": repository.name, "name": "token", "value": "hidden"}
    return pb.SetSecretRequest(**{**where, **fields})


@pytest.mark.parametrize(
    ("fields", "does"),
    [
        ({}, True),
        ({"repo": "*"}, True),
        ({"environment": "production"}, True),
        ({"environment": "staging"}, False),
        ({"name": "Token"}, False),
    ],
)
def test_a_secret_that_is_there_is_missing_no_more(
    server: Shipliftd, name: str, fields: dict[str, str], does: bool
) -> None:
    server.access().CreateRepository(access_pb2.CreateRepositoryRequest(owner=f"o{name}", repo="app"))
    repository = Repository(server, f"o{name}", "app")
    secrets = server.secret_service()
    file = pipelines({"clone": {"disable": True}, "steps": [step(environment={"KEY": FROM})]})
    repository.record(pipeline=file, status=SUCCESS)
    secrets.SetSecret(setting(repository, **fields))
    if not does:
        assert refusal(repository.promote, 1) == missing(
            repository.slug, f"'token' by {STEP}", ("token", STEP)
        )
        return
    assert repository.promote(1).number == 2
    where = {key: value for key, value in fields.items() if key != "value"}
    secrets.DeleteSecret(
        pb.DeleteSecretRequest(**{"owner": repository.owner, "repo": "app", "name": "token", **where})
    )
    assert refusal(repository.promote, 1).reason == "SECRETS_MISSING"


def test_what_is_not_for_pull_requests_is_named_so(repository: Repository) -> None:
    secrets = repository.server.secret_service()
    both = {"KEY": FROM, "OTHER": {"from_secret": "other"}}
    trigger = {"event": "pull_request"}
    file = pipelines({"clone": {"disable": True}, "trigger": trigger, "steps": [step(environment=both)]})
    asked = {"run": True, "event": api.BUILD_EVENT_PULL_REQUEST, "pipeline": file, "after": COMMIT}
    secrets.SetSecret(setting(repository))
    withheld = " (it is there, but not for pull requests: --pull-requests has them get it)"
    told = missing(
        repository.slug,
        f"'token' by {STEP}{withheld}; 'other' by {STEP}",
        ("token", f"{STEP}{withheld}"),
        ("other", STEP),
    )
    assert refusal(repository.record, **asked) == told
    secrets.SetSecret(setting(repository, name="other", pull_requests=True))
    # Of one name the narrower of those that it may have.
    secrets.SetSecret(setting(repository, pull_requests=True))
    secrets.SetSecret(setting(repository, environment="production"))
    assert repository.record(**asked).event == api.BUILD_EVENT_PULL_REQUEST
