"""Recording the builds of a CI system."""

import graphlib
from collections.abc import Collection, Iterable

from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb

from shipliftd import builds
from shipliftd.access.callers import Caller
from shipliftd.access.write_once import Written, write
from shipliftd.builds import asked_for
from shipliftd.builds.parameters import ParameterRules
from shipliftd.clock import now
from shipliftd.enum_words import EVENT_WORD, STATUS_WORD, as_json
from shipliftd.errors import AlreadyExists, Denied, Precondition
from shipliftd.fields import Faults
from shipliftd.pipelines import Pipelines
from shipliftd.stages import again, begin, lacking, store_pipeline
from shipliftd.store.models import Build, Repository
from shipliftd.store.rows import BuildRow, BuildWithStages, StageRow
from shipliftd.store.transaction import Transaction

REPORTABLE = (
    pb.BUILD_STATUS_PENDING,
    pb.BUILD_STATUS_RUNNING,
    pb.BUILD_STATUS_SUCCESS,
    pb.BUILD_STATUS_FAILURE,
    pb.BUILD_STATUS_ERROR,
    pb.BUILD_STATUS_KILLED,
)
RECORDABLE_EVENTS = (
    pb.BUILD_EVENT_PUSH,
    pb.BUILD_EVENT_PULL_REQUEST,
    pb.BUILD_EVENT_TAG,
    pb.BUILD_EVENT_CRON,
    pb.BUILD_EVENT_CUSTOM,
)

# Room above for the numbers that follow an imported one: they are int32 on the wire.
_MOST_NUMBER = 2_000_000_000

_MOST_MESSAGE = 64 * 1024
MOST_ARTIFACTS = 50
MOST_STAGES = 100
_MOST_PARTS = 256 * 1024

# Texts that are kept as they came, and their most characters.
_TEXTS = {
    "action": 100,
    "link": 2000,
    "title": 2000,
    "ref": 500,
    "source_repo": 500,
    "source": 500,
    "target": 500,
    "author_login": 200,
    "author_name": 200,
    "author_email": 254,
    "author_avatar": 2000,
    "sender": 200,
    "cron": 200,
    "release": 100,
}
_NO_COMMIT = "it has no commit (`after`), and a build without one is not promoted"
_STAGE_TEXTS = {
    "name": 100,
    "type": 100,
    "os": 100,
    "arch": 100,
    "variant": 100,
    "kernel": 100,
    "machine": 200,
}


def _by_its_number(_tx: Transaction, caller: Caller, request: pb.CreateBuildRequest) -> None:
    if request.HasField("number") and caller.level < access_pb2.ACCESS_LEVEL_ADMIN:
        raise Denied(
            f"a number of one's own choice needs admin on {caller.owner}/{caller.repo};"
            f" {caller.login} has write: leave `number` out to get the next one",
            metadata={"method": caller.method, "needs": "admin", "has": "write"},
        )


@write(load=builds.load, look=_by_its_number)
def create(
    tx: Transaction,
    caller: Caller,
    request: pb.CreateBuildRequest,
    rules: ParameterRules,
    parsed: Pipelines | None,
    traceparent: str | None,
) -> Written[BuildWithStages]:
    """Records a build with its stages; one that has the external id already is returned as it is.

    `parsed` is what the request's pipeline file says, None without one; `traceparent` the trace that the
    call is part of. Raises Invalid, Denied (a number needs admin), AlreadyExists (the number is taken),
    Precondition (there is nothing to run).
    """
    at = now()
    faults = Faults()
    _check(request, rules, faults)
    started, finished = _times(request, at, faults)
    timestamp = faults.time("timestamp", request.timestamp)
    stages = _stages(request.stages, caller.repo_id, at, faults)
    faults.refuse()
    if request.external_id:
        existing = tx.get(Build, Build.repo == caller.repo_id, Build.external_id == request.external_id)
        if existing is not None:
            return Written(builds.load(tx, caller, existing.id), replayed=True)
    pipeline_id = None if parsed is None else store_pipeline(tx, request.pipeline, parsed)
    if request.run:
        request = asked_for.completed(tx, caller, request)
        if parsed is None:
            pipeline_id, parsed = asked_for.pipeline_of(tx, caller, request.target)
    taken = _take_number(tx, caller, request)
    warnings = [*(parsed.warnings if parsed is not None else ()), *([] if request.after else [_NO_COMMIT])]
    build = BuildRow(
        id=0,
        repo_id=caller.repo_id,
        number=taken.number,
        parent=0,
        origin=taken.number,
        status=STATUS_WORD[request.status or pb.BUILD_STATUS_PENDING],
        error="",
        event=EVENT_WORD[request.event or pb.BUILD_EVENT_PUSH],
        message=request.message,
        before=request.before.lower(),
        after=request.after.lower(),
        deploy_to="",
        trigger=caller.login,
        params=as_json(dict(request.params)),
        debug=request.debug,
        timestamp=timestamp,
        started=started,
        finished=finished,
        created=at,
        updated=at,
        version=1,
        external_id=request.external_id or None,
        artifacts=as_json([[a.name, a.uri, a.digest] for a in request.artifacts]),
        pipeline_id=pipeline_id,
        retry_of=0,
        warnings="[]",
        traceparent=traceparent,
        comment="",
        rollback_of=0,
        rolled_back_by=0,
        superseded_by=0,
        verdicts="[]",
        waits=0,
        sealed_params="{}",
        **{field: getattr(request, field) for field in _TEXTS},
    )
    if request.run:
        slug = f"{caller.owner}/{caller.repo}"
        stages = again(build, slug, (), parsed, at)
        if parsed is not None:
            warnings += lacking(tx, taken, build, stages, parsed)
    elif parsed is not None and not request.stages:
        stages = _matching(caller, build, parsed, stages, at)
    else:
        stages = begin(stages)
    if build.status != "pending":
        stages = [s._replace(status=build.status, started=started, stopped=finished) for s in stages]
    build = build._replace(warnings=as_json(warnings))
    return Written(builds.insert(tx, caller, build, stages, builds.ids(tx, len(stages))))


def _matching(
    caller: Caller, build: BuildRow, parsed: Pipelines, otherwise: list[StageRow], at: int
) -> list[StageRow]:
    try:
        return again(build, f"{caller.owner}/{caller.repo}", (), parsed, at)
    except Precondition:
        # A file whose pipelines are all for promotions.
        return otherwise


def _check(request: pb.CreateBuildRequest, rules: ParameterRules, faults: Faults) -> None:
    for field, most in _TEXTS.items():
        faults.text(field, getattr(request, field), most)
    faults.long_text("message", request.message, _MOST_MESSAGE)
    faults.text("external_id", request.external_id, 200)
    faults.commit("before", request.before)
    faults.commit("after", request.after)
    if request.HasField("number") and not 1 <= request.number <= _MOST_NUMBER:
        faults.add("number", f"is {request.number}: wanted 1 to {_MOST_NUMBER}")
    if request.event:
        # PROMOTE and ROLLBACK are for the rpcs that check what they stand for.
        names = [pb.BuildEvent.Name(event) for event in RECORDABLE_EVENTS]
        faults.word("event", request.event, RECORDABLE_EVENTS, names)
    check_status(request.status, faults)
    if request.run:
        if request.stages:
            faults.add("stages", "are the pipeline file's where `run` is set: leave them out")
        if request.status not in (pb.BUILD_STATUS_UNSPECIFIED, pb.BUILD_STATUS_PENDING):
            faults.add("status", "is the runners' to report where `run` is set: leave it out")
    if request.release.isdigit():
        faults.add("release", f"{request.release!r} would be taken for a build's number: add a letter")
    rules.check(request.params, faults)
    rules.check_total(request.params, faults)
    artifacts = faults.few("artifacts", request.artifacts, MOST_ARTIFACTS)
    size = sum(part.ByteSize() for part in (*request.stages[:MOST_STAGES], *artifacts))
    if size > _MOST_PARTS:
        # Every promotion of the build copies them.
        faults.add("stages", f"{size} bytes with the artifacts: at most {_MOST_PARTS} (256 KiB)")
    _check_unique("artifacts", (artifact.name for artifact in artifacts), faults)
    for n, artifact in enumerate(artifacts):
        if not artifact.name:
            faults.add(f"artifacts[{n}].name", "is empty: name it, such as 'image'")
        faults.text(f"artifacts[{n}].name", artifact.name, 100)
        faults.text(f"artifacts[{n}].uri", artifact.uri, 2000)
        faults.text(f"artifacts[{n}].digest", artifact.digest, 200)


def check_status(status: int, faults: Faults) -> None:
    """Adds a fault for a status that nobody can report."""
    if status:
        names = [pb.BuildStatus.Name(allowed) for allowed in REPORTABLE]
        faults.word("status", status, REPORTABLE, names)


def _times(request: pb.CreateBuildRequest, at: int, faults: Faults) -> tuple[int, int]:
    """When the build began and ended: as told, else now where the status says so."""
    started = faults.time("started", request.started)
    finished = faults.time("finished", request.finished)
    status = request.status or pb.BUILD_STATUS_PENDING
    ended = status not in (pb.BUILD_STATUS_PENDING, pb.BUILD_STATUS_RUNNING)
    if started and status == pb.BUILD_STATUS_PENDING:
        faults.add("started", "is set, but a pending build has not begun: set status too")
    if finished and not ended:
        faults.add("finished", "is set, but the status is not one of an end: set status too")
    if ended:
        finished = finished or max(at, started)
    if status != pb.BUILD_STATUS_PENDING:
        started = started or min(at, finished or at)
    if finished and finished < started:
        faults.add("finished", "is before `started`")
    return started, finished


def _stages(given: Collection[pb.StageSpec], repo_id: int, at: int, faults: Faults) -> list[StageRow]:
    specs = faults.few("stages", given, MOST_STAGES) or [pb.StageSpec(kind="external")]
    names = [spec.name or "default" for spec in specs]
    _check_unique("stages", names, faults)
    for n, spec in enumerate(specs):
        _check_stage(f"stages[{n}]", spec, set(names) - {names[n]}, faults)
    try:
        graphlib.TopologicalSorter(
            {
                name: set(spec.depends_on[:MOST_STAGES]) - {name}
                for name, spec in zip(names, specs, strict=True)
            }
        ).prepare()
    except graphlib.CycleError as error:
        circle = " -> ".join(name[:60] for name in error.args[1])
        faults.add("stages", f"wait for each other, so that none can begin: {circle}")
    return [stage_of(spec, number, repo_id, at) for number, spec in enumerate(specs, start=1)]


def _check_stage(at: str, spec: pb.StageSpec, others: set[str], faults: Faults) -> None:
    for field, most in _STAGE_TEXTS.items():
        faults.text(f"{at}.{field}", getattr(spec, field), most)
    if spec.kind not in ("", "pipeline", "external"):
        faults.add(f"{at}.kind", f"{spec.kind[:60]!r}: wanted pipeline or external")
    faults.not_negative(f"{at}.limit", spec.limit)
    faults.not_negative(f"{at}.throttle", spec.throttle)
    depends_on = faults.few(f"{at}.depends_on", spec.depends_on, MOST_STAGES)
    for name in depends_on:
        if name not in others:
            faults.add(f"{at}.depends_on", f"{name[:60]!r} is not another stage of this build")
    _check_unique(f"{at}.depends_on", depends_on, faults)
    for name, value in faults.few(f"{at}.labels", spec.labels.items(), 100):
        if not name:
            faults.add(f"{at}.labels", "a label has an empty name: give it one")
        faults.text(f"{at}.labels", name, 100)
        faults.text(f"{at}.labels[{name[:60]!r}]", value, 1000)


def _check_unique(field: str, names: Iterable[str], faults: Faults) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            faults.add(field, f"{name[:60]!r} stands there twice: each name may stand once")
        seen.add(name)


def stage_of(spec: pb.StageSpec, number: int, repo_id: int, at: int) -> StageRow:
    """A new stage as it is told of, with the defaults for what is not."""
    kind = spec.kind or "pipeline"
    # The defaults of Drone's pipelines; a deployer's stage needs no machine.
    docker, linux, amd64 = ("docker", "linux", "amd64") if kind == "pipeline" else ("", "", "")
    return StageRow(
        id=0,
        repo_id=repo_id,
        build_id=0,
        number=number,
        name=spec.name or "default",
        kind=kind,
        type=spec.type or docker,
        status="pending",
        error="",
        errignore=spec.errignore,
        exit_code=0,
        machine=spec.machine,
        os=spec.os or linux,
        arch=spec.arch or amd64,
        variant=spec.variant,
        kernel=spec.kernel,
        limit=spec.limit,
        throttle=spec.throttle,
        started=0,
        stopped=0,
        created=at,
        updated=at,
        version=1,
        on_success=spec.on_success if spec.HasField("on_success") else True,
        on_failure=spec.on_failure,
        depends_on=as_json(list(spec.depends_on)),
        labels=as_json(dict(spec.labels)),
        message="",
        link="",
        lease_hash=None,
        lease_token_id=0,
        lease_expires=0,
    )


def _take_number(tx: Transaction, caller: Caller, request: pb.CreateBuildRequest) -> builds.Taken:
    if not request.HasField("number"):
        return builds.take_number(tx, caller)
    number = request.number
    if builds.find(tx, caller.repo_id, number) is not None:
        raise AlreadyExists(
            f"{caller.owner}/{caller.repo} has a build {number}: import this one under another"
            " number, or leave `number` out",
            reason="NUMBER_TAKEN",
            metadata={"owner": caller.owner, "repo": caller.repo, "build": number},
        )
    there = tx.by_id(Repository, caller.repo_id)
    if not there.active:
        raise builds.disabled(caller)
    tx.execute(
        Repository.update(counter=number).where(
            Repository.id == caller.repo_id, Repository.counter < number
        )
    )
    return builds.Taken(
        number, there.active, there.runner_secrets, there.git_http_url, there.owner, there.name
    )
