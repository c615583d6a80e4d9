"""Builds as rows: looking them up, keeping them, listing them.

The verbs that make and change them are in `recording.py` and `promotions.py`.
"""

from collections.abc import Iterable

from shiplift.v1 import builds_pb2 as pb

from shipliftd import pages
from shipliftd.compiled import Compiled, Executor, arg, inserting
from shipliftd.errors import NotFound
from shipliftd.fields import Faults
from shipliftd.guard import Caller
from shipliftd.models import Build, Change, Repository, Stage, database
from shipliftd.rows import BuildRow, BuildWithStages, StageRow
from shipliftd.words import EVENT_WORD, STATUS_WORD

_BY_NUMBER = Compiled(Build.select().where(Build.repo == arg(0), Build.number == arg(1)))
_BY_ID = Compiled(Build.select().where(Build.id == arg(0)))
_STAGES = Compiled(Stage.select().where(Stage.build == arg(0)).order_by(Stage.number))
_COUNT_UP = Compiled(
    Repository.update({Repository.counter: Repository.counter + 1})
    .where(Repository.id == arg(0))
    .returning(Repository.counter)
)
_INSERT_BUILD = inserting(Build)
_INSERT_STAGE = inserting(Stage)
_INSERT_CHANGE = inserting(Change)


def find(database: Executor, repo_id: int, number: int) -> BuildRow | None:
    """A build by its number."""
    row = _BY_NUMBER.one(database, repo_id, number)
    return row and BuildRow._make(row)


def stages_of(database: Executor, build_id: int) -> tuple[StageRow, ...]:
    """A build's stages, by number."""
    return tuple(map(StageRow._make, _STAGES.run(database, build_id).fetchall()))


def not_found(caller: Caller, number: int) -> NotFound:
    """What a caller is told of a build that is not there."""
    return NotFound(
        f"build {number} of {caller.owner}/{caller.repo} not found: ListBuilds shows those there are",
        reason="BUILD_NOT_FOUND",
    )


def get(database: Executor, caller: Caller, request: pb.GetBuildRequest) -> BuildWithStages:
    """One build with its stages. Raises NotFound."""
    faults = Faults()
    if request.build < 1:
        faults.positive("build", request.build)
        faults.refuse()
    # One snapshot, or a commit between the two reads could show a build beside older stages.
    database.execute_sql("BEGIN")
    try:
        row = find(database, caller.repo_id, request.build)
        if row is None:
            raise not_found(caller, request.build)
        return BuildWithStages(row, caller.owner, caller.repo, stages_of(database, row.id))
    finally:
        database.execute_sql("COMMIT")


def load(caller: Caller, build_id: int) -> BuildWithStages:
    """A build that a verb knows to be there, as it stands in its transaction."""
    row = BuildRow._make(_BY_ID.one(database, build_id))
    if row.deploy_to:
        # Nor does a repeated request_id lead out of a token's environments.
        caller.require_environment(row.deploy_to)
    return BuildWithStages(row, caller.owner, caller.repo, stages_of(database, build_id))


def next_number(repo_id: int) -> int:
    """Takes the repository's next number; its row is locked from here on."""
    number: int = _COUNT_UP.one(database, repo_id)[0]
    return number


def insert(caller: Caller, build: BuildRow, stages: Iterable[StageRow]) -> BuildWithStages:
    """Keeps a new build and its stages, which get their ids, and tells the watchers."""
    build = BuildRow(_INSERT_BUILD.insert(database, *build[1:]), *build[1:])
    kept = []
    for stage in stages:
        ours = stage._replace(build_id=build.id)
        kept.append(StageRow(_INSERT_STAGE.insert(database, *ours[1:]), *ours[1:]))
    changed(build)
    return BuildWithStages(build, caller.owner, caller.repo, tuple(kept))


def changed(build: BuildRow) -> None:
    """Notes for watchers that the build was made or changed."""
    _INSERT_CHANGE.run(database, build.repo_id, build.id, build.version, build.updated)


def page(caller: Caller, request: pb.ListBuildsRequest) -> list[BuildRow]:
    """The builds of a page and one more, highest number first. Raises Invalid."""
    most = pages.size(request.page_size)
    key = pages.after(request, request.page_token)
    query = Build.select().where(Build.repo == caller.repo_id, *_filters(caller.repo_id, request))
    if key is not None:
        query = query.where(Build.number < key[0])
    query = query.order_by(Build.number.desc()).limit(most + 1)
    return list(map(BuildRow._make, database.execute(query).fetchall()))


def _filters(repo_id: int, request: pb.ListBuildsRequest) -> list[object]:
    faults = Faults()
    events, statuses = set(request.events), set(request.statuses)
    for event in events:
        faults.word("events", event, EVENT_WORD, pb.Event.keys()[1:])
    for status in statuses:
        faults.word("statuses", status, STATUS_WORD, pb.Status.keys()[1:])
    faults.text("release", request.release, 100)
    faults.text("external_id", request.external_id, 200)
    faults.text("ref", request.ref, 500)
    faults.not_negative("origin", request.origin)
    if request.deploy_to:
        faults.target("deploy_to", request.deploy_to)
    if request.commit:
        faults.commit("commit", request.commit)
        if len(request.commit) < 7:
            faults.add("commit", f"has {len(request.commit)} digits: wanted 7 to 64")
    faults.refuse()
    filters: list[object] = []
    if events:
        filters.append(Build.event.in_([EVENT_WORD[event] for event in events]))
    if statuses:
        filters.append(Build.status.in_([STATUS_WORD[status] for status in statuses]))
    # A promotion has its origin's release and commit, so the recorded builds lead to it.
    if request.release:
        filters.append(_recorded(repo_id, Build.release == request.release))
    if request.commit:
        # 'g' follows the last hexadecimal digit.
        after = (Build.after >= request.commit) & (Build.after < request.commit + "g")
        filters.append(_recorded(repo_id, after))
    if request.deploy_to:
        # The partial index is used only where the query repeats its condition.
        filters += [Build.deploy_to == request.deploy_to, Build.parent > 0]
    if request.external_id:
        filters.append(Build.external_id == request.external_id)
    if request.ref:
        filters.append(Build.ref == request.ref)
    if request.origin:
        filters.append(Build.origin == request.origin)
    return filters


def _recorded(repo_id: int, condition: object) -> object:
    """Builds that come from the recorded ones that meet the condition, these included."""
    origins = Build.select(Build.number).where(Build.repo == repo_id, Build.parent == 0, condition)
    return Build.origin.in_(origins)
