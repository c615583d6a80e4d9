"""What the answer to a write shows: no more than its token may read."""

from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb
from shiplift.v1 import environments_pb2 as env
from shiplift.v1.environments_pb2_grpc import EnvironmentServiceStub

from tests.support.repository import Repository
from tests.support.rpcs import RPCS, writes
from tests.support.staged import SUCCESS

# What a token without `read` is not shown, but for its own words, of each message that a write answers with
# or that is in one; None: it is shown whole. A message or a field without an entry here fails.
HIDDEN: dict[str, str | None] = {
    "Build": "error action link title message before ref source_repo source target author_login author_name"
    " author_email author_avatar sender cron params debug timestamp external_id artifacts"
    " comment approvals masked_params",
    "Stage": "error errignore exit_code labels message link steps",
    "Deployment": "failed_step latest since",
    "Uncertain": "",
    "Repository": "scm git_http_url git_ssh_url link default_branch config_path timeout counter"
    " active runner_secrets",
    "Environment": "deployer promoters promoter_level required_approvals approvers approval_window requires"
    " soak allow_failed queue_policy freezes params overriders link description confirm",
    "OwnerRules": "freezes",
    "Secret": "by digest",
    # What a promotion waits for, as its refusal would have told.
    "Verdict": None,
    "Hold": None,
    "ActiveFreeze": None,
    "Permissions": None,
    "Timestamp": None,
    # Of users, tokens and grants, which are administered and not read.
    "User": None,
    "Token": None,
    "Grant": None,
    # What a runner's token is for.
    "StageLease": None,
}
SHOWN = {
    "Build": "id repo_id owner repo number parent origin status event after release deploy_to trigger"
    " retry_of started finished created updated version stages waiting_for warnings"
    " rollback_of rolled_back_by superseded_by verdicts",
    "Stage": "id repo_id build_id number name kind type status machine os arch variant kernel limit"
    " throttle started stopped created updated version on_success on_failure depends_on",
    "Deployment": "owner repo environment current in_flight last_failed uncertain waiting hold freeze"
    " declared",
    "Uncertain": "build stage machine since",
    "Repository": "id user_id owner name slug visibility permissions created updated version",
    "Environment": "owner repo name rules_version version created updated",
    "OwnerRules": "owner version",
    "Secret": "id owner repo environment name pull_requests created updated version",
}


def test_every_field_of_an_answer_is_shown_or_hidden() -> None:
    found: dict[str, list[str]] = {}

    def look(kind: Descriptor) -> None:
        hidden = HIDDEN[kind.name]
        if hidden is None or kind.name in found:
            return
        found[kind.name] = sorted(field.name for field in kind.fields)
        assert found[kind.name] == sorted([*hidden.split(), *SHOWN[kind.name].split()])
        for field in kind.fields:
            if field.message_type is not None and field.name in SHOWN[kind.name].split():
                look(field.message_type)

    for rpc in RPCS.values():
        if writes(rpc):
            look(rpc.output_type)
    assert set(found) == set(SHOWN)


EVERYTHING: dict[str, Any] = {
    "params": {"REGION": "eu", "TOKEN": "theirs"},
    "message": "the message",
    "title": "the title",
    "author_email": "mona@example.com",
    "link": "https://ci/1",
    "after": "9fc1ad6ebf12462f3f9773003e26b4c6f54a772e",
    "release": "v1",
    "external_id": "ci/1",
    "artifacts": [pb.Artifact(name="image", uri="registry/app")],
    "status": SUCCESS,
}


def cut_to(repository: Repository, *actions: access_pb2.TokenAction) -> Repository:
    login = f"{'-'.join(map(str, actions))}-{repository.name}"
    token = repository.server.user(login, repository.slug, access_pb2.ACCESS_LEVEL_WRITE, actions=actions)
    return repository.seen_by(token)


def without(build: pb.Build, **own: object) -> pb.Build:
    """What a token without `read` is shown of a build, beside its own words."""
    shown = pb.Build()
    shown.CopyFrom(build)
    for name in (HIDDEN["Build"] or "").split():
        shown.ClearField(name)
    for stage in shown.stages:
        for name in (HIDDEN["Stage"] or "").split():
            stage.ClearField(name)
    shown.MergeFrom(pb.Build(**own))  # type: ignore[arg-type]
    return shown


def test_a_promotion_shows_no_parameter_that_its_token_may_not_read(repository: Repository) -> None:
    repository.record(**EVERYTHING)
    promoter = cut_to(repository, access_pb2.TOKEN_ACTION_PROMOTE)
    request = repository.promotion(1, params={"REGION": "us"}, request_id=repository.name)
    made = promoter.builds.PromoteBuild(request)
    whole = repository.get(2)
    assert dict(whole.params) == {"REGION": "us", "TOKEN": "theirs"}
    assert made == without(whole, params={"REGION": "us"})
    assert (made.after, made.release, made.parent) == (EVERYTHING["after"], "v1", 1)
    # Nor do the others that it can make, or a repeat.
    assert promoter.builds.PromoteBuild(request) == made
    ended = promoter.report(2, SUCCESS, message="mine")
    expected = without(repository.get(2))
    expected.stages[0].message = "mine"
    assert ended == expected
    where: dict[str, Any] = {"owner": repository.owner, "repo": repository.name}
    again = promoter.builds.RetryBuild(pb.RetryBuildRequest(**where, build=2))
    assert again == without(repository.get(3))
    assert promoter.builds.CancelBuild(pb.CancelBuildRequest(**where, build=3)) == without(
        repository.get(3)
    )
    settled = EnvironmentServiceStub(repository.server.channel(promoter.token)).SettleEnvironment(
        env.SettleEnvironmentRequest(**where, environment="production", build=2)
    )
    assert (settled.current.number, settled.current.message) == (2, "")
    promoted = repository.get(2)
    promoted.ClearField("stages")
    assert settled.current == without(promoted)


def test_a_token_that_may_read_is_shown_all(repository: Repository) -> None:
    repository.record(**EVERYTHING)
    both = cut_to(repository, access_pb2.TOKEN_ACTION_PROMOTE, access_pb2.TOKEN_ACTION_READ)
    assert both.promote(1) == repository.get(2)


def test_a_recording_shows_its_own_words(repository: Repository) -> None:
    recorder = cut_to(repository, access_pb2.TOKEN_ACTION_RECORD)
    made = recorder.record(**EVERYTHING)
    own = {name: value for name, value in EVERYTHING.items() if name in (HIDDEN["Build"] or "").split()}
    assert made == without(repository.get(1), **own)
    # Who knows but its external id is not shown what others recorded.
    guessed = recorder.record(external_id="ci/1", params={"REGION": "eu", "TOKEN": "guessed"})
    assert guessed == without(repository.get(1), external_id="ci/1", params={"REGION": "eu"})


@pytest.mark.parametrize("actions", [[access_pb2.TOKEN_ACTION_PROMOTE]])
def test_what_anybody_may_read_is_shown(
    repository: Repository, actions: list[access_pb2.TokenAction]
) -> None:
    server, name = repository.server, f"open-{repository.name}"
    server.access().CreateRepository(
        access_pb2.CreateRepositoryRequest(
            owner="octocat", repo=name, visibility=access_pb2.VISIBILITY_PUBLIC
        )
    )
    public = Repository(server, "octocat", name)
    public.record(**EVERYTHING)
    token = server.user(f"u-{name}", public.slug, access_pb2.ACCESS_LEVEL_WRITE, actions=actions)
    assert public.seen_by(token).promote(1) == public.get(2)
