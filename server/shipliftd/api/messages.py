"""Rows to messages: a function a resource. Never queries."""

import json
from collections.abc import Iterable, Sequence
from typing import cast

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from shiplift.v1 import access_pb2, builds_pb2, secrets_pb2, stages_pb2

from shipliftd import environments
from shipliftd.access.audit_listing import Event
from shipliftd.builds.diffing import Diff, Part
from shipliftd.enum_words import EVENT_OF, RESULT_OF, STATUS_OF, VISIBILITY_OF
from shipliftd.logins import Login
from shipliftd.pipelines import Pipeline
from shipliftd.pipelines.plans import PlannedStep
from shipliftd.stages.leases import Leased, Work
from shipliftd.store.models import Repository, Token, User
from shipliftd.store.rows import (
    ApprovalRow,
    BuildRow,
    BuildWithStages,
    MadeToken,
    NamedGrant,
    RunnerRow,
    SecretRow,
    StageRow,
    StepRow,
)


def time(milliseconds: int) -> Timestamp | None:
    """A stored time; None, which leaves the field unset, for one that has not come."""
    if not milliseconds:
        return None
    return Timestamp(seconds=milliseconds // 1000, nanos=milliseconds % 1000 * 1_000_000)


def duration(milliseconds: int) -> Duration:
    """A stored length of time."""
    return Duration(seconds=milliseconds // 1000, nanos=milliseconds % 1000 * 1_000_000)


def params(row: BuildRow) -> dict[str, str]:
    """A build's parameters."""
    found: dict[str, str] = json.loads(row.params)
    return found


def texts(text: str) -> list[str]:
    """A stored list."""
    found: list[str] = json.loads(text)
    return found


def build(whole: BuildWithStages, waiting_for: str = "") -> builds_pb2.Build:
    """A build with its parameters and stages, and in words what it waits for."""
    message = listed_build(whole.build, whole.owner, whole.repo, whole.build.params)
    message.stages.extend(
        stage(row, [s for s in whole.steps if s.stage_id == row.id]) for row in whole.stages
    )
    if whole.build.warnings != "[]":
        message.warnings.extend(texts(whole.build.warnings))
    if whole.build.sealed_params != "{}":
        message.masked_params.extend(sorted(json.loads(whole.build.sealed_params)))
    if waiting_for:
        message.waiting_for = waiting_for
    if whole.build.verdicts != "[]":
        message.verdicts.extend(map(verdict, environments.read(whole.build.verdicts)))
        message.approvals.extend(map(approval, whole.approvals))
    return message


def verdict(said: environments.Verdict) -> builds_pb2.Verdict:
    """What a gate says of a promotion."""
    return builds_pb2.Verdict(
        gate=said.gate,
        result=RESULT_OF[said.result],
        reason=said.reason,
        cleared_by=said.cleared_by,
        earliest=time(said.earliest),
    )


def approval(row: ApprovalRow) -> builds_pb2.Approval:
    """What a second person said."""
    return builds_pb2.Approval(
        login=row.login,
        declined=bool(row.declined),
        comment=row.comment,
        at=time(row.at),
        void=bool(row.void),
    )


def listed_build(row: BuildRow, owner: str, repo: str, params: str = "{}") -> builds_pb2.Build:
    """A build as lists have it: without parameters and stages."""
    created = time(row.created)
    message = builds_pb2.Build(
        id=row.id,
        repo_id=row.repo_id,
        owner=owner,
        repo=repo,
        number=row.number,
        parent=row.parent,
        origin=row.origin,
        status=STATUS_OF[row.status],
        error=row.error,
        event=EVENT_OF[row.event],
        action=row.action,
        link=row.link,
        title=row.title,
        message=row.message,
        before=row.before,
        after=row.after,
        ref=row.ref,
        source_repo=row.source_repo,
        source=row.source,
        target=row.target,
        deploy_to=row.deploy_to,
        author_login=row.author_login,
        author_name=row.author_name,
        author_email=row.author_email,
        author_avatar=row.author_avatar,
        sender=row.sender,
        trigger=row.trigger,
        cron=row.cron,
        debug=bool(row.debug),
        timestamp=time(row.timestamp),
        started=time(row.started),
        finished=time(row.finished),
        created=created,
        updated=created if row.updated == row.created else time(row.updated),
        version=row.version,
        params=json.loads(params) if params != "{}" else None,
        external_id=row.external_id or "",
        release=row.release,
        retry_of=row.retry_of,
        comment=row.comment,
        rollback_of=row.rollback_of,
        rolled_back_by=row.rolled_back_by,
        superseded_by=row.superseded_by,
    )
    if row.artifacts != "[]":
        for name, uri, digest in json.loads(row.artifacts):
            message.artifacts.add(name=name, uri=uri, digest=digest)
    return message


def diff(found: Diff, owner: str, repo: str) -> builds_pb2.DiffPromotionResponse:
    """What a promotion changes."""

    def artifact(part: Part | None) -> builds_pb2.Artifact | None:
        return None if part is None else builds_pb2.Artifact(name=part[0], uri=part[1], digest=part[2])

    return builds_pb2.DiffPromotionResponse(
        current=listed_build(found.current, owner, repo) if found.current is not None else None,
        build=listed_build(found.build, owner, repo),
        compare_link=found.compare_link,
        is_backwards=found.is_backwards,
        builds=[listed_build(row, owner, repo) for row in found.builds],
        more_builds=found.more_builds,
        params=[
            builds_pb2.ParameterChange(name=name, before=before, after=after, masked=is_masked)
            for name, before, after, is_masked in found.params
        ],
        artifacts=[
            builds_pb2.ArtifactChange(name=name, before=artifact(before), after=artifact(after))
            for name, before, after in found.artifacts
        ],
    )


def stage(row: StageRow, steps: Iterable[StepRow] = ()) -> builds_pb2.Stage:
    """A stage with its steps."""
    message = builds_pb2.Stage(
        id=row.id,
        repo_id=row.repo_id,
        build_id=row.build_id,
        number=row.number,
        name=row.name,
        kind=row.kind,
        type=row.type,
        status=STATUS_OF[row.status],
        error=row.error,
        errignore=bool(row.errignore),
        exit_code=row.exit_code,
        machine=row.machine,
        os=row.os,
        arch=row.arch,
        variant=row.variant,
        kernel=row.kernel,
        limit=row.limit,
        throttle=row.throttle,
        started=time(row.started),
        stopped=time(row.stopped),
        created=time(row.created),
        updated=time(row.updated),
        version=row.version,
        on_success=bool(row.on_success),
        on_failure=bool(row.on_failure),
        message=row.message,
        link=row.link,
    )
    if row.depends_on != "[]":
        message.depends_on.extend(json.loads(row.depends_on))
    if row.labels != "{}":
        message.labels.update(json.loads(row.labels))
    message.steps.extend(map(step, steps))
    return message


def step(row: StepRow) -> builds_pb2.Step:
    """A step."""
    return builds_pb2.Step(
        id=row.id,
        stage_id=row.stage_id,
        number=row.number,
        name=row.name,
        status=STATUS_OF[row.status],
        error=row.error,
        errignore=bool(row.errignore),
        exit_code=row.exit_code,
        started=time(row.started),
        stopped=time(row.stopped),
        version=row.version,
        depends_on=json.loads(row.depends_on),
        image=row.image,
        detached=bool(row.detached),
        schema=row.schema,
    )


def log_lines(stage: int, step: int, lines: Sequence[tuple[int, str, int]]) -> builds_pb2.TailLogResponse:
    """Lines of a step's log, of their positions, texts and times in milliseconds."""
    return builds_pb2.TailLogResponse(
        lines=[builds_pb2.LogLine(position=at, text=text, time=duration(ms)) for at, text, ms in lines],
        next_position=lines[-1][0] + 1,
        stage=stage,
        step=step,
    )


def lease(leased: Leased, level: int, work: Work, login: Login | None = None) -> stages_pb2.StageLease:
    """A stage, and all that its holder needs."""
    current = leased.current
    own = [each for each in leased.whole.steps if each.stage_id == leased.stage.id]
    return stages_pb2.StageLease(
        lease_token=leased.secret,
        expires=time(leased.stage.lease_expires),
        build=build(leased.whole),
        stage=stage(leased.stage, own),
        repository=repository(leased.repository, level),
        plan=work.plan,
        pipeline=leased.text,
        current=listed_build(current, leased.whole.owner, leased.whole.repo) if current else None,
        netrc=stages_pb2.Netrc(**login._asdict()) if login else None,
        secrets=[stages_pb2.LeasedSecret(name=n, value=v) for n, v in sorted(work.secrets.items())],
    )


def runner(row: RunnerRow) -> stages_pb2.Runner:
    """What the machines of a token ask for."""
    return stages_pb2.Runner(
        **{**row._asdict(), "labels": dict(row.labels), "last_seen": time(row.last_seen)}
    )


def plan(pipeline: Pipeline | None, steps: Iterable[PlannedStep]) -> stages_pb2.Plan:
    """What a runner does for a stage, but for the environment of all its steps."""
    return stages_pb2.Plan(
        clone_disabled=pipeline is not None and pipeline.clone_disabled,
        workspace=pipeline.workspace if pipeline is not None else "",
        steps=(
            stages_pb2.PlanStep(
                number=step.number,
                name=step.name,
                image=step.image,
                commands=step.commands,
                environment={k: v for k, v in step.environment.items() if isinstance(v, str)},
                secrets={k: v.from_secret for k, v in step.environment.items() if not isinstance(v, str)},
                errignore=step.ignore_failure,
                detached=step.detached,
                privileged=step.privileged,
                shell=step.shell,
                on_success=step.on_success,
                on_failure=step.on_failure,
                depends_on=step.depends_on,
            )
            for step in steps
        ),
    )


def repository(row: Repository, level: int) -> access_pb2.Repository:
    """A repository, with what a caller of this level may do."""
    return access_pb2.Repository(
        id=row.id,
        user_id=row.user_id,
        owner=row.owner,
        name=row.name,
        slug=f"{row.owner}/{row.name}",
        scm=row.scm,
        git_http_url=row.git_http_url,
        git_ssh_url=row.git_ssh_url,
        link=row.link,
        default_branch=row.default_branch,
        visibility=VISIBILITY_OF[row.visibility],
        config_path=row.config_path,
        timeout=duration(row.timeout * 60_000),
        counter=row.counter,
        permissions=access_pb2.Permissions(
            read=level >= access_pb2.ACCESS_LEVEL_READ,
            write=level >= access_pb2.ACCESS_LEVEL_WRITE,
            admin=level >= access_pb2.ACCESS_LEVEL_ADMIN,
        ),
        created=time(row.created),
        updated=time(row.updated),
        version=row.version,
        active=row.active,
        runner_secrets=row.runner_secrets,
    )


def user(row: User) -> access_pb2.User:
    """A user."""
    return access_pb2.User(
        id=row.id,
        login=row.login,
        email=row.email,
        avatar=row.avatar,
        machine=row.machine,
        admin=row.admin,
        created=time(row.created),
        updated=time(row.updated),
        disabled=row.disabled,
    )


def token(made: MadeToken) -> access_pb2.Token:
    """A token, with its secret where that is known."""
    row: Token = made.token
    return access_pb2.Token(
        id=row.id,
        login=made.login,
        name=row.name,
        hint=row.hint,
        actions=json.loads(row.actions),
        repositories=json.loads(row.repositories),
        environments=json.loads(row.environments),
        created=time(row.created),
        expires=time(row.expires),
        revoked=time(row.revoked),
        last_used=time(row.last_used),
        secret=made.secret,
    )


def secret(row: SecretRow) -> secrets_pb2.Secret:
    """A secret, without its value."""
    return secrets_pb2.Secret(
        id=row.id,
        owner=row.owner,
        repo=row.repo,
        environment=row.environment,
        name=row.name,
        pull_requests=bool(row.pull_requests),
        by=row.by,
        created=time(row.created),
        updated=time(row.updated),
        version=row.version,
        digest=row.digest,
    )


def grant(named: NamedGrant) -> access_pb2.Grant:
    """A grant."""
    row = named.grant
    return access_pb2.Grant(
        id=row.id,
        login=named.login,
        owner=row.owner,
        repo=row.repo,
        level=cast(access_pb2.AccessLevel, row.level),
        created=time(row.created),
        updated=time(row.updated),
    )


def audit_event(row: Event) -> access_pb2.AuditEvent:
    """A row of the audit."""
    return access_pb2.AuditEvent(
        seq=row.seq,
        time=time(row.at),
        user=row.login or "",
        token=row.token or "",
        token_id=row.token_id,
        method=row.method,
        owner=row.owner,
        repo=row.repo,
        environment=row.environment,
        build=row.build,
        resource_id=row.resource_id,
        request_id=row.request_id,
        outcome=row.code,
        reason=row.reason,
        address=row.address,
        client=row.client,
        verdicts=[
            access_pb2.AuditVerdict(gate=each.gate, result=each.result, reason=each.reason)
            for each in environments.read(row.verdicts)
        ],
        hash=row.hash.hex(),
    )
