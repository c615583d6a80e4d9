"""Rows to messages: a function a resource. Never queries."""

import json
from collections.abc import Iterable
from typing import cast

from google.protobuf.timestamp_pb2 import Timestamp
from shiplift.v1 import access_pb2, builds_pb2

from shipliftd.models import Repository, Token, User
from shipliftd.rows import BuildRow, BuildWithStages, MadeToken, NamedGrant, StageRow
from shipliftd.words import EVENT_OF, STATUS_OF, VISIBILITY_OF


def time(milliseconds: int) -> Timestamp | None:
    """A stored time; None, which leaves the field unset, for one that has not come."""
    if not milliseconds:
        return None
    return Timestamp(seconds=milliseconds // 1000, nanos=milliseconds % 1000 * 1_000_000)


def build(whole: BuildWithStages) -> builds_pb2.Build:
    """A build with its parameters and stages."""
    return listed_build(whole.build, whole.owner, whole.repo, whole.build.params, whole.stages)


def listed_build(
    row: BuildRow, owner: str, repo: str, params: str = "{}", stages: Iterable[StageRow] = ()
) -> builds_pb2.Build:
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
        stages=map(stage, stages),
        external_id=row.external_id or "",
        release=row.release,
    )
    if row.artifacts != "[]":
        for name, uri, digest in json.loads(row.artifacts):
            message.artifacts.add(name=name, uri=uri, digest=digest)
    return message


def stage(row: StageRow) -> builds_pb2.Stage:
    """A stage."""
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
    return message


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
        timeout=row.timeout,
        counter=row.counter,
        permissions=access_pb2.Permissions(
            read=level >= access_pb2.LEVEL_READ,
            write=level >= access_pb2.LEVEL_WRITE,
            admin=level >= access_pb2.LEVEL_ADMIN,
        ),
        created=time(row.created),
        updated=time(row.updated),
        version=row.version,
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


def grant(named: NamedGrant) -> access_pb2.Grant:
    """A grant."""
    row = named.grant
    return access_pb2.Grant(
        id=row.id,
        login=named.login,
        owner=row.owner,
        repo=row.repo,
        level=cast(access_pb2.Level, row.level),
        created=time(row.created),
        updated=time(row.updated),
    )
